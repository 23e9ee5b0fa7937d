"""Owns the way from a canonical document to a target's flat payload, collecting every problem on the way."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sync import flat, paths
from sync.errors import FieldProblem, Refused, Unmapped
from sync.normalise import is_empty
from sync.rules import Rows, Rule, TypeRules
from sync.splitting import cut
from sync.transforms import SKIP, Scope, Unfit, ValueMaps, apply

Document = Mapping[str, Any]
OMIT = object()  # this field is not sent; SKIP drops the whole row


@dataclass(frozen=True)
class Found:
    """What could be rendered, and what could not. A field with a problem stands in the payload without a value."""

    payload: dict[str, Any]
    problems: list[FieldProblem]
    unmapped: list[Unmapped]


def render(rules: TypeRules, document: Document, values: ValueMaps) -> dict[str, Any]:
    found = collect(rules, document, values)
    _refuse(found.problems, found.unmapped)
    return found.payload


def collect(rules: TypeRules, document: Document, values: ValueMaps) -> Found:
    problems: list[FieldProblem] = []
    unmapped: list[Unmapped] = []
    payload: dict[str, Any] = {}
    for rule in rules.fields:
        found = _values(rule, document, None, values, "", problems, unmapped)
        if found is not SKIP and found is not OMIT:
            payload.update(zip(rule.names, found, strict=True))
    for rows in rules.rows:
        for name, child in children(rows, document).items():
            row = _render_row(rows, document, child, f"{rows.collection}/{name}", values, problems, unmapped)
            payload.update(flat.from_rows(rows.part, {name: row}))
    return Found(payload, problems, unmapped)


def children(rows: Rows, document: Document) -> dict[str, Mapping[str, Any]]:
    """Our row id -> child, for every child that is sent."""
    found: dict[str, Mapping[str, Any]] = {}
    for position, child in enumerate(paths.children_at(rows.each, document)):
        if all(str(child.get(name, "")) in allowed for name, allowed in rows.where.items()):
            name = str(child.get(rows.key) or position).replace("[", "(").replace("]", ")")
            found[name] = child
    return found


def _render_row(
    rows: Rows,
    document: Document,
    child: Mapping[str, Any],
    prefix: str,
    values: ValueMaps,
    problems: list[FieldProblem],
    unmapped: list[Unmapped],
) -> dict[str, Any]:
    row: dict[str, Any] = {}
    for rule in rows.fields:
        found = _values(rule, document, child, values, prefix, problems, unmapped)
        if found is SKIP:
            return {}
        if found is not OMIT:
            row.update(zip(rule.leaves, found, strict=True))
    return row


def _values(
    rule: Rule,
    document: Document,
    child: Mapping[str, Any] | None,
    values: ValueMaps,
    prefix: str,
    problems: list[FieldProblem],
    unmapped: list[Unmapped],
) -> Any:
    """The values for the rule's fields in order, or SKIP, or OMIT."""
    if rule.when is not None and is_empty(paths.value_at(rule.when, document, child)):
        return OMIT
    path = _address(rule, prefix)
    given = [paths.value_at(source, document, child) for source in rule.sources]
    value: Any = given[0] if len(given) == 1 else given
    try:
        value = apply(rule.steps, value, Scope(values, path))
        if value is SKIP:
            return SKIP
        if is_empty(value) and rule.skip_empty:
            return OMIT
        found = cut(rule.split, value, rule.lengths) if rule.split else [None if is_empty(value) else value]
        _check(rule, found)
    except Unmapped as error:
        unmapped.append(error)
        problems.extend(error.problems)
        return [None] * len(rule.names)
    except Unfit as error:
        problems.append(FieldProblem(path, error.code, str(error)))
        return [None] * len(rule.names)
    return found


def _check(rule: Rule, found: list[Any]) -> None:
    if rule.required and is_empty(found[0]):
        raise Unfit("required", "The target needs a value here.")
    for value, length in zip(found, rule.lengths, strict=True):
        text = value if isinstance(value, str) else ""
        if length and len(text) > length:
            shown = "The number" if rule.sealed else f"“{text}”"
            raise Unfit("too_long", f"{shown} is longer than the {length} characters the target takes.")
        if rule.forbid and any(mark in text for mark in rule.forbid):
            raise Unfit("forbidden", f"“{text}” holds one of “{rule.forbid}”, which the target cannot take.")


def _address(rule: Rule, prefix: str) -> str:
    own = rule.sources[0].text if rule.sources else rule.names[0]
    return f"{prefix}/{own}" if prefix and not own.startswith("$.") else own.removeprefix("$.")


def _refuse(problems: list[FieldProblem], unmapped: list[Unmapped]) -> None:
    if not problems:
        return
    problems = list(dict.fromkeys(problems))  # one value may feed several fields
    if unmapped:
        error: Refused = unmapped[0]
        error.problems = tuple(problems)
        raise error
    words = problems[0].message if len(problems) == 1 else f"{len(problems)} values do not fit this target."
    raise Refused(words, problems=tuple(problems))
