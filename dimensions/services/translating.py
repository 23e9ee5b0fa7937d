"""Owns translating: what values of one system or chart are called in another. What nothing says is unmapped, never guessed.

Accounts go from chart to chart by the rows of the GL mapping, tax codes into a system by those of the tax-code mapping;
records of any type go from system to system by their keys there. A fixed number of queries, whatever the number of values.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any
from uuid import UUID

from dimensions.mapping_rows import MAPPINGS
from dimensions.models import ChartOfAccounts, GLAccount
from dimensions.services import mappings
from dimensions.services.mappings import Pair
from mdm import registry
from mdm.errors import CorrectInput
from mdm.mapping import Resolution
from mdm.models import Crosswalk, System
from mdm.registry import RecordType
from mdm.selectors import records, visibility
from mdm.selectors.records import Survivor
from mdm.selectors.visibility import Entities
from mdm.types import Problem

_STEPS = 50  # of a trace


@dataclass(frozen=True, slots=True)
class Rule:
    """What decided: a row of a mapping, or the golden record whose keys were used."""

    uid: UUID
    code: str
    words: str


@dataclass(frozen=True, slots=True)
class Step:
    rule: Rule
    won: bool
    reason: str


@dataclass(frozen=True, slots=True)
class Translation:
    """`code`: what the value becomes, None when nothing says; then `why` tells. `record`: the golden record of that code,
    None when the hub has none. `trace`: the rows considered, best first; None when not asked for."""

    value: str
    code: str | None = None
    sign: int = 1
    record: Survivor | None = None
    rule: Rule | None = None
    why: str | None = None
    trace: tuple[Step, ...] | None = None


# --- by the rows of a mapping -----------------------------------------------------------------------------------------


def accounts(
    values: Sequence[str],
    *,
    from_chart: str,
    to_chart: str,
    on: date,
    context: Mapping[str, str],
    trace: bool = False,
    known_at: datetime | None = None,
) -> list[Translation]:
    """Account numbers of one chart in another, in the order given; at most five queries. CorrectInput for no chart.

    `context`: {dimension: code}; one that is absent fulfils no condition. Traces take long: for people, not for loads.
    `known_at`: by the rows as they were in force at that moment.
    """
    _require("chart", {"from_chart": from_chart, "to_chart": to_chart}, ChartOfAccounts.objects)
    found = _resolved(Pair("gl_mapping", from_chart, to_chart), values, on, context, trace, known_at)
    there = _accounts(to_chart, {one.target for one in found.values() if one.target is not None})
    return _translations("gl_mapping", values, found, there, on, trace)


def _resolved(
    pair: Pair,
    values: Iterable[str],
    on: date,
    context: Mapping[str, str],
    trace: bool,
    known_at: datetime | None = None,
) -> dict[str, Resolution]:
    wanted = list(dict.fromkeys(values))
    built = mappings.answers_as_known(*pair, wanted, known_at) if known_at else mappings.answers(*pair, wanted)
    if trace:
        return {value: built.resolve(value, context, on, trace=True) for value in wanted}
    return {one.value: one for one in built.resolve_many(wanted, context, on)}


def _translations(
    kind: str,
    values: Iterable[str],
    found: Mapping[str, Resolution],
    there: Mapping[str, Survivor],
    on: date,
    trace: bool,
) -> list[Translation]:
    codes = _codes_of_rows(kind, found.values())
    made = {value: _translation(one, codes, there, on, trace) for value, one in found.items()}
    return [made[value] for value in values]


def _codes_of_rows(kind: str, found: Iterable[Resolution]) -> dict[UUID, str]:
    uids: set[UUID] = set()
    for one in found:
        uids.update(row.uid for row in (one.row, *(step.row for step in one.trace[:_STEPS])) if row)
    return dict(MAPPINGS[kind].model._default_manager.filter(uid__in=uids).values_list("uid", "code"))


def _accounts(chart: str, numbers: set[str]) -> dict[str, Survivor]:
    rows = GLAccount.objects.filter(chart=chart, number__in=numbers).values_list("number", "uid", "code", "status")
    return {number: Survivor(uid, code, status) for number, uid, code, status in rows}


def _translation(
    one: Resolution, codes: Mapping[UUID, str], there: Mapping[str, Survivor], on: date, trace: bool
) -> Translation:
    steps = None
    if trace:
        steps = tuple(
            Step(Rule(step.row.uid, codes.get(step.row.uid, ""), step.row.words()), step.won, step.reason)
            for step in one.trace[:_STEPS]
        )
    row = one.row
    if row is None or one.target is None:
        return Translation(one.value, why=_why(one, on), trace=steps)
    rule = Rule(row.uid, codes.get(row.uid, ""), row.words())
    return Translation(one.value, one.target, one.sign, there.get(one.target), rule, trace=steps)


def _why(one: Resolution, on: date) -> str:
    if one.nearest:
        near = ", ".join(row.words() for row in one.nearest)
        return f"No row of the mapping is for it; nearest are {near}."
    return f"No row of the mapping that holds on {on.isoformat()} in this context is for it."


def tax_codes(
    values: Sequence[str],
    *,
    from_system: str | None,
    to_system: str,
    on: date,
    context: Mapping[str, str],
    entities: Entities,
    trace: bool = False,
) -> list[Translation]:
    """Tax codes in a system, in the order given; without `from_system` the hub's own. The rows of the tax-code mapping
    decide, a code that none of them is for goes by its key there. At most seven queries."""
    by_key = keys(registry.get("tax_code"), values, from_system=from_system, to_system=to_system, entities=entities)
    pair = Pair("tax_code_mapping", "", to_system)
    golden = {one.value: one.record.code if one.record else "" if from_system else one.value for one in by_key}
    found = _resolved(pair, filter(None, golden.values()), on, context, trace)
    rows = {one.value: one for one in _translations(pair.kind, list(found), found, {}, on, trace)}
    return [_by_row_or_key(one, rows.get(golden[one.value])) for one in by_key]


def _by_row_or_key(by_key: Translation, by_row: Translation | None) -> Translation:
    if by_row is None:
        return by_key
    if by_row.code is not None:
        return replace(by_row, value=by_key.value, record=by_key.record)
    if by_key.code is not None:
        return replace(by_key, trace=by_row.trace)
    return replace(
        by_row, value=by_key.value, record=by_key.record, why=" ".join(filter(None, (by_row.why, by_key.why)))
    )


# --- from system to system --------------------------------------------------------------------------------------------


def keys(
    kind: RecordType, values: Sequence[str], *, from_system: str | None, to_system: str | None, entities: Entities
) -> list[Translation]:
    """Keys of one system in another, in the order given; without a system the hub's own codes. At most five queries.

    Merged records are followed. CorrectInput when there is no such system.
    """
    named = {"from_system": from_system, "to_system": to_system}
    titles = _require("system", {path: code for path, code in named.items() if code}, System.objects, "title")
    wanted = list(dict.fromkeys(values))
    golden = _golden(kind, wanted, from_system, entities)
    there = _keys_of(kind, to_system, {found.uid for found in golden.values()}) if to_system else {}
    source, target = (titles.get(code, "") if code else "" for code in (from_system, to_system))
    made = {value: _by_key(value, golden.get(value), there, source, target) for value in wanted}
    return [made[value] for value in values]


def _golden(kind: RecordType, values: list[str], system: str | None, entities: Entities) -> dict[str, Survivor]:
    """{value: the golden record it is}, only those the caller may see."""
    if system:
        rows = Crosswalk.objects.filter(system__code=system, type=kind.key, key__in=values, active=True)
        uids = dict(rows.values_list("key", "uid"))
        now = records.survivors(kind, "uid", set(uids.values()))
        found = {key: now[str(uid)] for key, uid in uids.items() if str(uid) in now}
    else:
        found = records.survivors(kind, "code", values)
    if entities is None or not visibility.is_limited(kind):
        return found
    rows = kind.model._default_manager.filter(uid__in={one.uid for one in found.values()})
    seen = set(visibility.reachable(kind, rows, entities).values_list("uid", flat=True))
    return {value: one for value, one in found.items() if one.uid in seen}


def _keys_of(kind: RecordType, system: str, uids: set[UUID]) -> dict[UUID, list[str]]:
    """{uid: its primary key there alone, else all its keys}"""
    rows = Crosswalk.objects.filter(system__code=system, type=kind.key, uid__in=uids, active=True)
    found: dict[UUID, list[str]] = {}
    primary: dict[UUID, str] = {}
    for uid, key, first in rows.order_by("key").values_list("uid", "key", "primary"):
        found.setdefault(uid, []).append(key)
        if first:
            primary[uid] = key
    return {uid: [primary[uid]] if uid in primary else listed for uid, listed in found.items()}


def _by_key(
    value: str, found: Survivor | None, there: Mapping[UUID, list[str]], source: str, target: str
) -> Translation:
    """`source`, `target`: titles of the systems, "" for the hub's own codes."""
    if found is None:
        return Translation(value, why=f"{source} has no such key." if source else "There is no such code.")
    begin = f"key {value} of {source} is {found.code}" if source else f"{value} is {found.code}"
    if not target:
        return Translation(value, found.code, record=found, rule=Rule(found.uid, found.code, begin))
    listed = there.get(found.uid, [])
    if len(listed) == 1:
        rule = Rule(found.uid, found.code, f"{begin}, its key at {target} is {listed[0]}")
        return Translation(value, listed[0], record=found, rule=rule)
    words = f"has {len(listed)} keys at {target}, none of them the primary" if listed else f"has no key at {target}"
    return Translation(value, record=found, why=f"{found.code} {words}.")


def _require(what: str, named: Mapping[str, str], rows: Any, column: str = "name") -> dict[str, str]:
    """{code: name} of everything named (path → code); CorrectInput at the path of what there is not."""
    found: dict[str, str] = dict(rows.filter(code__in=set(named.values())).values_list("code", column))
    wrong = [
        Problem(path, f"unknown_{what}", f"There is no {what} “{code}”.")
        for path, code in named.items()
        if code not in found
    ]
    if wrong:
        raise CorrectInput(wrong[0].message, problems=wrong)
    return found
