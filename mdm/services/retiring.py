"""Owns what has to happen before a record leaves: whoever still refers to it is named, and there is a plan for them.

A record leaves when it is retired, or closed by `valid_to`. The plan stands in the item's detail, so that approvals sign it:
{"replace_with": code, "from": day} repoints every referrer in the same request, all or nothing; {"keep": reason} leaves them
as they are, which its approvers see as a risk.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from django.utils import timezone

from mdm import periods, ports, registry
from mdm.errors import CorrectInput, StillUsed
from mdm.registry import RecordType
from mdm.selectors import records, references
from mdm.selectors.references import Reference
from mdm.selectors.visibility import Entities
from mdm.types import Document, Problem

MOST = 5000  # referrers one request repoints
NAMED = 10  # of them that an error names
BATCH = 500  # documents read at a time
PLAN = ("replace_with", "from", "keep")
NO_PLAN = "Say what becomes of them: replace it by another record, or keep them as they are with a reason."
RISK = "still_used"
Plan = dict[str, Any]
Fresh = Callable[[], str]


@dataclass(frozen=True)
class Users:
    """Who refers to a record: records, and what packages above the kernel know of."""

    records: Sequence[Reference]
    elsewhere: Sequence[dict[str, Any]] = ()

    @property
    def count(self) -> int:
        return len(self.records) + len(self.elsewhere)

    def words(self) -> str:
        """“2 cost centers and 1 project”."""
        counted = Counter(one.type for one in self.records)
        parts = [_many(registry.get(key), number) for key, number in counted.items()]
        parts += [
            f"{number} {title.lower()}" for title, number in Counter(str(o["kind"]) for o in self.elsewhere).items()
        ]
        shown = " and ".join([", ".join(parts[:-1]), parts[-1]] if len(parts) > 1 else parts)
        return f"{shown}, or more" if len(self.records) > MOST else shown


def _many(kind: RecordType, number: int) -> str:
    return f"{number:,} {kind.noun if number == 1 else kind.nouns}"


# --- whether it leaves, and who would be left behind ------------------------------------------------------------------


def leaves_on(kind: RecordType, before: Document | None, after: Document, day: str) -> str | None:
    """The first day on which nobody may refer to it any more; None: it does not leave. `day`: when the change applies."""
    if before is None or before["status"] in ("retired", "merged"):
        return None
    if after["status"] == "retired":
        return day
    if kind.periods and (end := _end(kind, after)) < _end(kind, before):
        return end
    return None


def _end(kind: RecordType, document: Document) -> str:
    return max((periods.end_of(row) for row in document.get(kind.periods) or []), default=periods.LAST)


def users(kind: RecordType, document: Document, day: str) -> Users:
    """Who names the record on that day or later."""
    uid, code = document["uid"], document["code"]
    named: dict[str, Reference] = {}  # each once, however often it names the record
    for one in references.in_use(kind, uid=uid, code=code, day=day, limit=MOST + 1):
        named.setdefault(one.uid, one)
    return Users(list(named.values()), ports.collect(ports.where_used, kind.key, uid))


def needs_people(kind: RecordType, before: Document, after: Document) -> bool:
    """Whether what a source says would close a record that others use: no source decides that by itself."""
    day = leaves_on(kind, before, after, _today())
    return day is not None and bool(users(kind, before, day).count)


def left_behind(
    kind: RecordType, document: Document, day: str, changed: Iterable[tuple[RecordType, Document]]
) -> Users:
    """The users without those that are changed together with it and then refer to it no more."""
    found = users(kind, document, day)
    if not found.count:
        return found
    free = {
        after["uid"]
        for other, after in changed
        if after["status"] in ("retired", "merged") or not any(_spots(other, after, kind, document, day))
    }
    return Users([one for one in found.records if one.uid not in free], found.elsewhere)


def _spots(
    other: RecordType, body: Document, kind: RecordType, document: Document, day: str
) -> Iterator[tuple[str, str, Document]]:
    """(path of the reference, field, the row that has it) of what a body says of a record on that day or later."""
    names = (document["uid"], document["code"])
    for path, key in other.references.items():
        name, _, column = path.partition(".")
        if key != kind.key or path in other.dated:
            continue
        for row in (body.get(name) or []) if column else [body]:
            value = row.get(column or name)
            held = value in names or (isinstance(value, list) and any(one in names for one in value))
            if held and not (name == other.periods and periods.end_of(row) <= day):
                yield path, column or name, row


def _today() -> str:
    return timezone.localdate().isoformat()


# --- the plan ---------------------------------------------------------------------------------------------------------


def read(plan: Any, day: str) -> Plan:
    """A plan as it is kept; CorrectInput at its field. `day`: by which it has to be carried out."""
    told = plan if isinstance(plan, dict) else {"": plan}
    stripped = {name: value.strip() if isinstance(value, str) else value for name, value in told.items()}
    given = {name: value for name, value in stripped.items() if value}
    unknown = [name for name in given if name not in PLAN]
    if unknown or not ({"replace_with", "keep"} & set(given)):
        _refuse("plan", "invalid_plan", 'Give {"replace_with": code, "from": day}, or {"keep": reason}.')
    for name, value in given.items():
        if not isinstance(value, str) or len(value) > 1000:
            _refuse(f"plan/{name}", "string_type", "This must be text of at most 1,000 characters.")
    if "replace_with" in given:
        start = given.setdefault("from", day)
        try:
            date.fromisoformat(start)
        except ValueError:
            _refuse("plan/from", "date_parsing", "This must be a date such as 2026-01-31.")
        if start > day:
            text = f"From {day} on nothing may refer to it: repoint from that day on, or from an earlier one."
            _refuse("plan/from", "too_late", text)
    elif "from" in given:
        _refuse("plan/from", "without_replacement", "This day belongs to `replace_with`: name the record to refer to.")
    return given


def _refuse(path: str, code: str, text: str) -> None:
    raise CorrectInput(text, problems=[Problem(path, code, text)])


def replacement(kind: RecordType, document: Document, code: str) -> Any:
    """The record that takes its place."""
    row = kind.model._default_manager.filter(code=code).first()
    if row is None or row.status != "active" or str(row.uid) == document["uid"]:
        what = "is the record itself" if row and str(row.uid) == document["uid"] else "is not in use"
        _refuse("plan/replace_with", "no_replacement", f"“{code}” {what}: name another {kind.noun} that is active.")
    return row


def repointed(
    kind: RecordType, document: Document, found: Users, code: str, start: str, new_uid: Fresh
) -> Iterator[tuple[RecordType, Document, Document]]:
    """(type, document, body) of every referrer with the replacement in place, in its periods from `start` on."""
    if len(found.records) > MOST:
        text = f"More than {MOST:,} records refer to it. Repoint them with an import first, then retire it."
        _refuse("plan/replace_with", "too_many", text)
    row = replacement(kind, document, code)
    there = {document["uid"]: str(row.uid), document["code"]: row.code}
    by_type: dict[str, list[str]] = {}
    for one in found.records:
        by_type.setdefault(one.type, []).append(one.uid)
    for key, uids in by_type.items():
        other, listed = registry.get(key), list(dict.fromkeys(uids))
        for begin in range(0, len(listed), BATCH):
            for body in records.current_documents(key, listed[begin : begin + BATCH]).values():
                yield other, body, _with(other, body, kind, document, there, start, new_uid)


def _with(
    other: RecordType,
    body: Document,
    kind: RecordType,
    document: Document,
    there: dict[str, str],
    start: str,
    new_uid: Fresh,
) -> Document:
    """The body with the replacement wherever it names the record; periods are cut at `start`."""
    lists = {child.name for child in other.children}
    after = {name: [dict(row) for row in value] if name in lists else value for name, value in body.items()}
    if other.periods:
        after[other.periods] = periods.cut(after[other.periods], start, new_uid)
    for path, field, row in list(_spots(other, after, kind, document, start)):
        if path.partition(".")[0] == other.periods and periods.start_of(row) < start:
            continue
        value = row[field]
        if isinstance(value, list):
            row[field] = list(dict.fromkeys(there.get(one, one) for one in value))
        else:
            row[field] = there.get(value, value)
    if other.periods:
        after[other.periods] = periods.absorbed(after[other.periods])
    return {name: after.get(name) for name in other.document.model_fields}


# --- refusing, and telling --------------------------------------------------------------------------------------------


def refusal(
    kind: RecordType, document: Document, found: Users, prefix: str = "", entities: Entities = None
) -> StillUsed:
    """Names the first of those who would be left behind and that people of these companies may see; counts all."""
    seen = references.seen(found.records, entities)
    problems = [Problem(f"{prefix}plan", RISK, who(one)) for one in seen[:NAMED]]
    if count := len(found.records) - len(seen):
        problems.append(Problem(f"{prefix}plan", RISK, unseen(count)))
    problems += [Problem(f"{prefix}plan", RISK, f"{o['kind']}: {o['title']}") for o in found.elsewhere[:NAMED]]
    name = f"{kind.title} {document['code']} {kind.name_of(document)}"
    return StillUsed(
        f"{name} is still used by {found.words()}. {NO_PLAN}",
        problems=problems,
        used=[one.as_json() for one in seen[:NAMED]],
        used_count=found.count,
    )


def hidden(found: Users, entities: Entities) -> int:
    """How many of them are records of which people of these companies see nothing."""
    return len(found.records) - len(references.seen(found.records, entities))


def not_theirs(count: int) -> str:
    """Why people who do not see so many of them cannot replace it, and what they can do."""
    whose = "One of them belongs" if count == 1 else f"{count:,} of them belong"
    return f"{whose} to companies that you do not see. Leave them as they are, or let somebody replace it who sees all of them."


def unseen(count: int) -> str:
    if count == 1:
        return "One record of a company that you do not see refers to it."
    return f"{count:,} records of companies that you do not see refer to it."


def who(one: Reference) -> str:
    kind = registry.get(one.type)
    label = kind.label(one.path.partition(".")[2] or one.path)
    return f"{kind.title} {one.code} {one.name} refers to it ({label[0].lower()}{label[1:]})."


def risk(plan: Plan | None) -> dict[str, Any] | None:
    """What approvers are shown when something stays as it is."""
    if not plan or not plan.get("used"):
        return None
    message = f"Still used by {plan['by']}, which stay as they are: {plan['keep']}"
    return {"code": RISK, "severity": "high", "message": message, "evidence": plan["by"]}


def conflict(
    kind: RecordType, before: Document, after: Document, plan: Plan | None, found: Users
) -> dict[str, Any] | None:
    """Who began to refer to it since the request was made; None when nobody did."""
    known = int((plan or {}).get("used") or 0)
    if found.count <= known:
        return None
    names = " ".join(who(one) for one in found.records[:3])
    return {
        "path": "plan",
        "base": f"used by {plan['by']}" if plan and known else "used by nobody else",
        "proposed": "retired" if after["status"] == "retired" else "closed",
        "current": f"used by {found.words()}",
        "why": f"Others refer to it by now. {names} Choose “{'retired' if after['status'] == 'retired' else 'closed'}” to "
        "deal with them by the same plan, or withdraw this request.",
    }


def noted(plan: Plan, found: Users) -> Plan:
    """The plan with how many stay behind: more than these are a conflict when it is applied."""
    return {**plan, "used": found.count, "by": found.words()} if found.count else plan
