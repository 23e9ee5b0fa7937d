"""Taking a document in: merge-patches onto the current one, masked numbers, child identity, validation by schema and rules."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Collection, Iterable
from dataclasses import replace
from typing import Any

from django.utils import timezone
from pydantic import ValidationError

from mdm import crypto, dating, registry
from mdm.errors import CorrectInput
from mdm.registry import ChildType, RecordType
from mdm.survival.composing import identity
from mdm.types import HEADER, Document, Problem

_MASK = "…"
BODY_EXTRA = ("code", "status")  # part of every document, outside its pydantic body

_WORDS = {
    "missing": "This field is needed.",
    "extra_forbidden": "There is no such field.",
    "string_too_short": "This field is needed.",
    "string_type": "This must be text.",
    "bool_parsing": "This must be true or false.",
    "int_parsing": "This must be a whole number.",
    "int_type": "This must be a whole number.",
    "date_from_datetime_parsing": "This must be a date such as 2026-01-31.",
    "date_parsing": "This must be a date such as 2026-01-31.",
    "list_type": "This must be a list.",
}


def body_of(kind: RecordType, document: Document) -> Document:
    """Only what the schema knows: the document without its header."""
    return {name: document[name] for name in kind.document.model_fields if name in document}


def validate(kind: RecordType, body: Document, *, rules: bool = True) -> Document:
    """The normalised body, secrets sealed. CorrectInput with every problem when schema or rules are broken."""
    if kind.periods:
        body = dating.shown(kind, body, _today())
    try:
        normalised: Document = kind.document.model_validate(body).model_dump(mode="json")
    except ValidationError as error:
        problems = [_problem(item, body) for item in error.errors(include_url=False, include_input=False)]
        raise _incorrect(kind, body, problems) from None
    if kind.periods:
        normalised, problems = dating.settled(kind, normalised)
        if problems:
            raise _incorrect(kind, body, problems)
    if rules and (problems := [p for p in _broken(kind, normalised) if p.severity == "error"]):
        raise _incorrect(kind, body, problems)
    return normalised


def _incorrect(kind: RecordType, body: Document, problems: list[Problem]) -> CorrectInput:
    found = dating.placed(kind, body, problems) if kind.periods else problems
    return CorrectInput(_summary(found), problems=found)


def _broken(kind: RecordType, body: Document) -> Iterable[Problem]:
    """What the type's rules say, of a dated record in each of its periods."""
    if not kind.periods:
        yield from (problem for rule in kind.rules for problem in rule(body))
        return
    for path, then in dating.each(kind, body):
        for rule in kind.rules:
            for problem in rule(then):
                within = problem.path in kind.derived
                yield replace(problem, path=f"{path}/{problem.path}") if within else problem


def told_by_rules(kind: RecordType, document: Document) -> list[Problem]:
    """What the rules say of a document put together from changes, which leave out what is nothing."""
    fields = kind.document.model_fields.items()
    nothing = {name: info.get_default(call_default_factory=True) for name, info in fields if not info.is_required()}
    return list(_broken(kind, nothing | body_of(kind, document)))


def _today() -> str:
    return timezone.localdate().isoformat()


def _summary(problems: list[Problem]) -> str:
    return "One value needs correction." if len(problems) == 1 else f"{len(problems)} values need correction."


def _problem(error: Any, body: Document) -> Problem:
    """A pydantic error in our words, its location as a document path (children by uid where they have one)."""
    parts: list[str] = []
    here: Any = body
    for step in error["loc"]:
        if isinstance(step, int):
            here = here[step] if isinstance(here, list) and step < len(here) else None
            parts.append(str((isinstance(here, dict) and here.get("uid")) or step))
        else:
            here = here.get(step) if isinstance(here, dict) else None
            parts.append(str(step))
    code = error["type"]
    if code == "string_type" and (here is None or here == "" or (isinstance(here, str) and not here.strip())):
        code = "missing"
    message = _WORDS.get(code, error["msg"])
    if code == "string_too_long":
        message = f"This is too long: at most {error['ctx']['max_length']} characters."
    if code == "literal_error":
        message = f"This must be one of {error['ctx']['expected']}."
    return Problem("/".join(parts), "too_long" if code == "string_too_long" else code, message)


def merge_patch(kind: RecordType, current: Document, patch: Document) -> Document:
    """The whole proposed document: fields named replace; children listed change, without uid are added, `_end` end.

    Masked numbers sent back as they were shown mean unchanged; any other masked value is refused.
    """
    result = dict(current)
    children = {child.name: child for child in kind.children}
    problems: list[Problem] = []
    for name, value in patch.items():
        if name in HEADER or name == "code":
            if not _is_echo(name, value, current):
                problems.append(Problem(name, "read_only", "This field is given by the hub and cannot be sent."))
        elif name == "status":
            if value != current.get("status"):
                problems.append(Problem(name, "read_only", "Use block, unblock or retire to change the status."))
        elif name in children and isinstance(value, list):
            result[name] = _merge_children(children[name], current.get(name) or [], value, problems)
        else:
            result[name] = value
    if kind.periods:
        problems += dating.on_timeline(kind, current, patch, result, today=_today(), new_uid=fresh_uid)
    if problems:
        raise CorrectInput(_summary(problems), problems=problems)
    return result


def _is_echo(name: str, value: Any, current: Document) -> bool:
    return name == "updated_at" or value is None or value == current.get(name)


def _merge_children(child: ChildType, current: list[Document], listed: list[Any], problems: list[Problem]) -> list[Any]:
    rows = {row["uid"]: dict(row) for row in current}
    added: list[Any] = []
    for index, item in enumerate(listed):
        if not isinstance(item, dict):
            problems.append(Problem(f"{child.name}/{index}", "invalid", "This must be an object."))
            continue
        uid = item.get("uid")
        if uid and uid not in rows:
            problems.append(Problem(f"{child.name}/{uid}", "unknown_child", "This record has no such row."))
        elif uid and item.get("_end"):
            del rows[uid]
        elif uid:
            rows[uid].update(_unmask(child, f"{child.name}/{uid}", item, rows[uid], problems))
        else:
            added.append(_unmask(child, f"{child.name}/{index}", item, {}, problems))
    return [*rows.values(), *added]


def _unmask(child: ChildType, path: str, item: Document, current: Document, problems: list[Problem]) -> Document:
    """Sealed objects never come from outside; a mask is accepted only where it says what is there already."""
    taken = {name: value for name, value in item.items() if name != "_end"}
    for name in child.document.model_fields:
        value = taken.get(name)
        if isinstance(value, dict):
            problems.append(Problem(f"{path}/{name}", "invalid", "Send the number as text."))
        elif isinstance(value, str) and _MASK in value and name in child.sealed:
            if crypto.mask(current.get(name)) == value:
                taken[name] = current[name]
            else:
                problems.append(
                    Problem(f"{path}/{name}", "masked", "Send the whole number, or the mask as it was shown.")
                )
    return taken


def fresh_uid() -> str:
    return str(uuid.uuid4())


def adopt_uids(
    kind: RecordType, body: Document, current: Document | None, *, new_uid: Callable[[], str] | None = None
) -> Document:
    """Give every child a uid: its own, that of the current row with the same identity, or a new one."""
    make = new_uid or fresh_uid
    for child in kind.children:
        rows: Iterable[Document] = body.get(child.name) or []
        known: dict[str, str] = {}
        for row in (current or {}).get(child.name) or []:
            known.setdefault(identity(child, row), row["uid"])
        taken = {row["uid"] for row in rows if row.get("uid")}
        for row in rows:
            if not row.get("uid"):
                match = known.get(identity(child, row))
                row["uid"] = match if match and match not in taken else make()
                taken.add(row["uid"])
    return body


def unknown_references(kind: RecordType, bodies: Iterable[Document]) -> set[tuple[str, str]]:
    """(record type, value) pairs that lead nowhere or to a retired record; one query per referenced type."""
    return unknown_among((key, str(value)) for body in bodies for _, key, value in references_in(kind, body))


def unknown_among(pairs: Iterable[tuple[str, str]]) -> set[tuple[str, str]]:
    """Those of (record type, uid or code) that lead nowhere or to a retired record."""
    wanted: dict[str, set[str]] = {}
    for type_key, value in pairs:
        wanted.setdefault(type_key, set()).add(value)
    unknown: set[tuple[str, str]] = set()
    for type_key, values in wanted.items():
        if values:
            column = "uid" if is_uid(next(iter(values))) else "code"
            target = registry.get(type_key).model._default_manager.exclude(status="retired")
            found = target.filter(**{f"{column}__in": values}).values_list(column, flat=True)
            unknown |= {(type_key, value) for value in values - {str(value) for value in found}}
    return unknown


def check_references(
    kind: RecordType,
    body: Document,
    *,
    unknown: set[tuple[str, str]] | None = None,
    made: Collection[tuple[str, str]] = (),
) -> list[Problem]:
    """References must lead to records that exist and are not retired. `unknown`: when a whole batch was asked before;
    `made`: (type, code) that may be referred to all the same: made together with this one, or referred to before."""
    missing = (unknown_references(kind, [body]) if unknown is None else unknown) - set(made)
    return [
        Problem(where, "unknown_reference", f"There is no {registry.get(type_key).noun} “{value}”.")
        for where, type_key, value in references_in(kind, body)
        if (type_key, str(value)) in missing
    ]


def references_in(kind: RecordType, body: Document) -> Iterable[tuple[str, str, Any]]:
    """(where in the document, record type, uid or code) of everything a body refers to."""
    for path, type_key in kind.references.items():
        for where, value in _values(body, path):
            yield where, type_key, value


def _values(body: Document, path: str) -> Iterable[tuple[str, Any]]:
    name, _, key = path.partition(".")
    if not key:
        listed = body.get(name) or []
        yield from ((name, value) for value in (listed if isinstance(listed, list) else [listed]))
        return
    for row in body.get(name) or []:
        if row.get(key):
            yield f"{name}/{row.get('uid')}/{key}", row[key]


def is_uid(value: str) -> bool:
    return len(value) == 36 and value.count("-") == 4
