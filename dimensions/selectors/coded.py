"""Owns reading what the codes of a call stand for: records of every type with their periods, and their keys in a system."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from django.db import connection

from dimensions.models import ChartUse
from mdm import registry
from mdm.models import Crosswalk, System
from mdm.registry import RecordType
from mdm.selectors import key_watch
from mdm.selectors.key_watch import KeyLook

DEPENDENT, NAMING = "profit_center", ("cost_center", "project")
"""A type that is also read for the records of other types of the call, which name one each."""
FOREVER = (0, 1 << 30)
_MOST_VALUES = 4
_JOIN = "\x1f"  # between the two parts of what is asked for
Names = tuple[str, ...]


class Kind(NamedTuple):
    """How a type is read. `columns`: at most four values, of the period where the type is dated. `by`: what a record is
    found by beside its uid."""

    columns: tuple[str, ...]
    by: Names = ("code",)


KINDS: dict[str, Kind] = {
    "legal_entity": Kind(("country", "currency")),
    "cost_center": Kind(("legal_entity", "blocked_for_costs", "category", "profit_center")),
    "project": Kind(("legal_entity", "stage", "profit_center")),
    "gl_account": Kind(("kind", "currency", "blocked_for_posting"), ("chart", "number")),
    "tax_code": Kind(("country", "kind", "rate", "deductible")),
    "supplier": Kind(()),
    "dimension_value": Kind(("blocked",), ("dimension", "value")),
    "profit_center": Kind(("legal_entity", "blocked")),
}


PLACES = {kind: KINDS[kind].columns.index(DEPENDENT) for kind in NAMING}
"""{type: where among its values the record stands that it names}"""


class Period(NamedTuple):
    """`start`, `end`: ordinals of the first day and of the day after the last; `values`: as KINDS names them, as texts."""

    start: int
    end: int
    values: tuple[str | None, ...]


@dataclass(slots=True)
class Found:
    """A record, merged ones followed (`followed`). `names`: what its type is found by."""

    uid: str
    code: str
    status: str
    names: Names
    followed: bool
    periods: list[Period]
    held: dict[Any, Any] = field(default_factory=dict)  # what whoever asked for it made of it

    def on(self, day: int) -> Period | None:
        for period in self.periods:
            if period.start <= day < period.end:
                return period
        return None


@dataclass(frozen=True, slots=True)
class Ground:
    """`system`: (id, title), None when there is no such system. `charts`: {(system, legal entity): chart}. `keys`: how the
    keys of the system look, and whether they changed since."""

    system: tuple[int, str] | None
    charts: Mapping[tuple[str, str], str]
    keys: tuple[KeyLook | None, bool] = (None, False)

    @property
    def title(self) -> str:
        return self.system[1] if self.system else "the hub"

    def chart(self, system: str, entity: str) -> str:
        """Which chart a system books in for a company, the most specific row first; "" when nothing says."""
        for use in ((system, entity), (system, ""), ("", entity), ("", "")):
            if use in self.charts:
                return self.charts[use]
        return ""


_GROUND = f"""
SELECT 'system', code, title, id::text FROM "{System._meta.db_table}" WHERE code = %s
UNION ALL SELECT 'chart', system, legal_entity, chart FROM "{ChartUse._meta.db_table}"
UNION ALL SELECT 'keys', '', look, '' FROM ({key_watch.LOOK}) AS keys (look)
"""
# Every table is looked into row by row (LATERAL, kept apart by OFFSET 0): for a thousand codes the planner would rather
# read a table of a hundred thousand rows whole, which takes ten times as long. Codes go there as JSON: psycopg writes an
# array text by text.
_UIDS_OF = f"""
SELECT asked.type, asked.key, c.uid::text, c.primary
  FROM ROWS FROM (json_array_elements_text(%s::json), json_array_elements_text(%s::json)) AS asked (type, key), LATERAL (
    SELECT uid, "primary" FROM "{Crosswalk._meta.db_table}" WHERE type = asked.type AND key = asked.key
       AND active AND system_id = %s OFFSET 0) AS c
"""
# Of several keys the primary; one that is alone counts as such.
_KEYS_OF = f"""
SELECT a.uid::text, CASE WHEN bool_or(x.primary) THEN max(x.key) FILTER (WHERE x.primary) ELSE max(x.key) END
  FROM unnest(%s::uuid[]) AS a (uid), LATERAL (
    SELECT key, "primary" FROM "{Crosswalk._meta.db_table}" WHERE uid = a.uid AND active AND system_id + 0 = %s OFFSET 0) x
  GROUP BY a.uid HAVING bool_or(x.primary) OR count(*) = 1
"""


def ground(system: str, since: KeyLook | None) -> Ground:
    """What the call stands on; `since`: how the keys of the system looked before. One query."""
    with connection.cursor() as cursor:
        cursor.execute(_GROUND, [system, *key_watch.given(system, since)])
        rows = cursor.fetchall()
    charts = {(one, entity): chart for what, one, entity, chart in rows if what == "chart"}
    for what, _code, title, number in rows:
        if what == "system":
            look = next(said for what, _empty, said, _empty2 in rows if what == "keys")
            return Ground((int(number), title), charts, key_watch.read(look, since))
    return Ground(None, charts)


class Keys(NamedTuple):
    """`uids`: {(type, key of the system): uid}; `primary`: {uid: that key}, of those that are the record's primary one."""

    uids: dict[tuple[str, str], str]
    primary: dict[str, str]


def uids_of(system: int, asked: Sequence[tuple[str, str]]) -> Keys:
    """What the system calls so; `asked`: (type, key). One query, none when nothing is asked."""
    found = Keys({}, {})
    if not asked:
        return found
    with connection.cursor() as cursor:
        cursor.execute(_UIDS_OF, [*(json.dumps(texts) for texts in zip(*asked, strict=True)), system])
        for kind, key, uid, first in cursor.fetchall():
            found.uids[kind, key] = uid
            if first:
                found.primary[uid] = key
    return found


def keys_of(system: int, uids: Iterable[str]) -> dict[str, str]:
    """{uid: what the system calls it}, of those it has one name for. One query, none without uids."""
    wanted = list(uids)
    if not wanted:
        return {}
    with connection.cursor() as cursor:
        cursor.execute(_KEYS_OF, [wanted, system])
        return dict(cursor.fetchall())


@dataclass(slots=True)
class Asked:
    """Of one type: uids, and the names (one or two texts) of records that are not asked for by uid."""

    uids: set[str] = field(default_factory=set)
    names: set[Names] = field(default_factory=set)

    def __bool__(self) -> bool:
        return bool(self.uids or self.names)


class Records(NamedTuple):
    """Of one type: by uid and by names, as asked."""

    by_uid: dict[str, Found]
    by_names: dict[Names, Found]


class _Merged(NamedTuple):
    """A record that was merged: `asked` is its uid or its names, `into` the uid of what it became a part of."""

    kind: str
    by_uid: bool
    asked: str
    into: str


def records(asked: Mapping[str, Asked]) -> dict[str, Records]:
    """{type: the records asked for}; unknown ones are left out. One query, two when some of them were merged."""
    found = {kind: Records({}, {}) for kind in KINDS}
    kinds = _kinds({key for key, one in asked.items() if one})
    given: list[Any] = []
    for kind in kinds:
        mine = asked.get(kind.key) or Asked()
        named = [dict(zip(KINDS[kind.key].by, names, strict=True)) for names in mine.names]
        given += [json.dumps(list(mine.uids)), json.dumps(named)]
    if not kinds:
        return found
    merged = _collect(_rows([(kind, _asked(kind)) for kind in kinds], given), found)
    return _followed(merged, found) if merged else found


def _kinds(asked: set[str]) -> list[RecordType]:
    wanted = asked if asked.isdisjoint(NAMING) else {*asked, DEPENDENT}
    return [kind for key in KINDS if key in wanted and (kind := registry.find(key))]


def _followed(merged: Sequence[_Merged], found: dict[str, Records]) -> dict[str, Records]:
    """With what they are now in the place of those that were merged."""
    there = {kind: Records({}, {}) for kind in KINDS}
    starts = {key: {one.into for one in merged if one.kind == key} for key in {one.kind for one in merged}}
    kinds = _kinds(set(starts))
    chained = [kind for kind in kinds if kind.key in starts]
    seeds = [(kind, [_survivors(kind)] if kind.key in starts else []) for kind in kinds]
    _collect(_rows(seeds, [list(starts[kind.key]) for kind in chained], chained), there)
    for key, records in there.items():
        found[key].by_names.update(records.by_names)  # what the survivors name
    for one in merged:
        if survivor := there[one.kind].by_uid.get(one.into):
            _put(found[one.kind], one.by_uid, one.asked, replace(survivor, followed=True, held={}))
    return found


# --- statements -------------------------------------------------------------------------------------------------------


def _rows(
    seeds: Sequence[tuple[RecordType, list[str]]], given: list[Any], chained: Sequence[RecordType] = ()
) -> list[tuple[Any, ...]]:
    """A row per period of what the seeds of each type find; `chained`: types whose seeds follow merges."""
    naming = [kind for kind, _seeds in seeds if kind.key in NAMING]
    parts = [_chain(kind) for kind in chained]
    for kind, asked in seeds:
        listed = [*asked, *(_dependent(kind, other) for other in naming if kind.key == DEPENDENT)]
        parts.append(
            f'"p_{kind.key}" AS MATERIALIZED ({_shown(kind)} FROM ({" UNION ALL ".join(listed)}) AS c{_periods(kind)})'
        )
    whole = " UNION ALL ".join(f"SELECT '{kind.key}', p.* FROM \"p_{kind.key}\" p" for kind, _seeds in seeds)
    with connection.cursor() as cursor:
        cursor.execute(f"WITH {'RECURSIVE ' if chained else ''}{', '.join(parts)} {whole}", given)
        return cursor.fetchall()


def _asked(kind: RecordType) -> list[str]:
    """Records by their uids, and by their names."""
    by = KINDS[kind.key].by
    asked, columns = ", ".join(f"a.{name}" for name in by), ", ".join(f"{name} text" for name in by)
    return [
        "SELECT a.uid AS asked, true AS by_uid, r.* FROM json_array_elements_text(%s::json) AS a (uid), "
        + _look(kind, ("uid",)),
        f"SELECT concat_ws(E'\\x1f', {asked}), false, r.* FROM json_to_recordset(%s::json) AS a ({columns}), "
        + _look(kind, by),
    ]


def _dependent(kind: RecordType, naming: RecordType) -> str:
    named = f'SELECT DISTINCT v{PLACES[naming.key]} AS code FROM "p_{naming.key}"'
    return f"SELECT r.code AS asked, false AS by_uid, r.* FROM ({named}) AS a, {_look(kind, ('code',))}"


def _survivors(kind: RecordType) -> str:
    chain = f'(SELECT * FROM "s_{kind.key}" WHERE merged_into IS NULL)'
    return f"SELECT a.asked::text AS asked, true AS by_uid, r.* FROM {chain} AS a, {_look(kind, ('uid',))}"


def _chain(kind: RecordType) -> str:
    table, me = kind.model._meta.db_table, f'"s_{kind.key}"'
    first = f'SELECT uid, uid, merged_into FROM "{table}" WHERE uid = ANY(%s::uuid[])'
    onward = f'SELECT s.asked, r.uid, r.merged_into FROM {me} s JOIN "{table}" r ON r.uid = s.merged_into'
    return f"{me} (asked, uid, merged_into) AS ({first} UNION {onward})"


def _look(kind: RecordType, by: Names) -> str:
    told, dated = KINDS[kind.key], set(kind.dated)
    lasting = {*told.by, *(name for name in told.columns if name not in dated)} - {"code"}
    columns = ", ".join(("id", "uid", "code", "status", "merged_into", *sorted(lasting)))
    where = " AND ".join(f"{name} = a.{name}{'::uuid' if name == 'uid' else ''}" for name in by)
    return f'LATERAL (SELECT {columns} FROM "{kind.model._meta.db_table}" WHERE {where} OFFSET 0) AS r'


def _shown(kind: RecordType) -> str:
    told, dated = KINDS[kind.key], set(kind.dated)
    names = [f"c.{name}" for name in told.by] + ["NULL"] * (2 - len(told.by))
    bounds = [f"p.{name} - DATE '0001-01-01' + 1" if dated else "NULL::int" for name in ("valid_from", "valid_to")]
    values = [f"{'p' if name in dated else 'c'}.{name}::text AS v{n}" for n, name in enumerate(told.columns)]
    values += [f"NULL::text AS v{n}" for n in range(len(told.columns), _MOST_VALUES)]
    head = "SELECT c.asked, c.by_uid, c.uid::text, c.code, c.status, c.merged_into::text"
    return ", ".join((head, *names, *bounds, *values))


def _periods(kind: RecordType) -> str:
    if not kind.periods:
        return ""
    table = kind.child(kind.periods).model._meta.db_table
    return f', LATERAL (SELECT * FROM "{table}" WHERE record_id = c.id OFFSET 0) AS p'


# --- rows -------------------------------------------------------------------------------------------------------------


def _collect(rows: Iterable[tuple[Any, ...]], found: Mapping[str, Records]) -> list[_Merged]:
    """Puts down what the rows say; those that were merged."""
    merged = []
    widths = {key: 11 + len(kind.columns) for key, kind in KINDS.items()}
    last, known = None, None  # periods of a record mostly come one after the other
    for row in rows:
        kind, asked, by_uid, uid, code, status, into, one, two, start, end = row[:11]
        if into is not None:
            merged.append(_Merged(kind, by_uid, asked, into))
            continue
        period = Period(start or FOREVER[0], end or FOREVER[1], row[11 : widths[kind]])
        if (this := (kind, by_uid, asked)) != last or known is None:
            last, known = this, found[kind].by_uid.get(asked) if by_uid else found[kind].by_names.get(_names(asked))
            if known is None:
                known = Found(uid, code, status, (one,) if two is None else (one, two), False, [])
                _put(found[kind], by_uid, asked, known)
        known.periods.append(period)
    return merged


def _put(records: Records, by_uid: bool, asked: str, found: Found) -> None:
    if by_uid:
        records.by_uid[asked] = found
    else:
        records.by_names[_names(asked)] = found


def _names(asked: str) -> Names:
    return tuple(asked.split(_JOIN)) if _JOIN in asked else (asked,)
