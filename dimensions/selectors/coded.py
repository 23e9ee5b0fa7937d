"""Owns reading what the codes of a call stand for: records of every type with their periods and keys, in two statements."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from django.db import connection

from dimensions.models import ChartUse
from mdm import registry
from mdm.models import Crosswalk, System
from mdm.registry import RecordType

DEPENDENT, NAMING = "profit_center", ("cost_center", "project")
"""A type that is also read for the records of other types of the call, which name one each."""
_MOST_VALUES = 4
_JOIN = "\x1f"  # between the two parts of what is asked for
FOREVER = (0, 1 << 30)


class Kind(NamedTuple):
    """How a type is read. `columns`: at most four values, of the period where the type is dated. `by`: what a record is
    found by beside its uid."""

    columns: tuple[str, ...]
    by: tuple[str, ...] = ("code",)


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


class Period(NamedTuple):
    """`start`, `end`: ordinals of the first day and of the day after the last; `values`: as KINDS names them, as texts."""

    start: int
    end: int
    values: tuple[str | None, ...]


@dataclass(slots=True)
class Found:
    """A record, merged ones followed (`followed`). `names`: what its type is found by. `key`: what the system calls it, ""
    when it has no key for it, or several and none of them is the primary."""

    uid: str
    code: str
    status: str
    names: tuple[str, ...]
    followed: bool
    key: str
    periods: list[Period] = field(default_factory=list)

    def on(self, day: int) -> Period | None:
        for period in self.periods:
            if period.start <= day < period.end:
                return period
        return None


@dataclass(frozen=True, slots=True)
class Ground:
    """`system`: (id, title), None when there is no such system. `charts`: {(system, legal entity): chart}. `keys`:
    {(type, key of the system): uid}."""

    system: tuple[int, str] | None
    charts: Mapping[tuple[str, str], str]
    keys: Mapping[tuple[str, str], str]

    @property
    def title(self) -> str:
        return self.system[1] if self.system else "the hub"

    def chart(self, system: str, entity: str) -> str:
        """Which chart a system books in for a company, the most specific row first; "" when nothing says."""
        for use in ((system, entity), (system, ""), ("", entity), ("", "")):
            if use in self.charts:
                return self.charts[use]
        return ""


# Every table is looked into row by row (LATERAL, kept apart by OFFSET 0): for a thousand codes the planner would rather
# read a table of a hundred thousand rows whole, which takes ten times as long.
_GROUND = f"""
SELECT 'system', code, title, id::text FROM "{System._meta.db_table}" WHERE code = %s
UNION ALL SELECT 'chart', system, legal_entity, chart FROM "{ChartUse._meta.db_table}"
UNION ALL SELECT 'key', asked.type, asked.key, c.uid::text
  FROM unnest(%s::text[], %s::text[]) AS asked (type, key), LATERAL (
    SELECT uid FROM "{Crosswalk._meta.db_table}" WHERE type = asked.type AND key = asked.key AND active
       AND system_id = (SELECT id FROM "{System._meta.db_table}" WHERE code = %s) OFFSET 0) AS c
"""


def ground(system: str, asked: Iterable[tuple[str, str]]) -> Ground:
    """What the call stands on; `asked`: (type, key) that may be keys of the system. One query."""
    pairs = sorted(set(asked)) if system else []
    with connection.cursor() as cursor:
        cursor.execute(_GROUND, [system, [t for t, _key in pairs], [key for _type, key in pairs], system])
        rows = cursor.fetchall()
    found = next(((int(d), c) for what, _b, c, d in rows if what == "system"), None)
    charts = {(b, c): d for what, b, c, d in rows if what == "chart"}
    return Ground(found, charts, {(b, c): d for what, b, c, d in rows if what == "key"})


@dataclass(slots=True)
class Asked:
    """Of one type: uids, and the names (one or two texts) of records that are not asked for by uid."""

    uids: set[str] = field(default_factory=set)
    names: set[tuple[str, ...]] = field(default_factory=set)


class Records(NamedTuple):
    """Of one type: by uid and by names, as asked."""

    by_uid: dict[tuple[str, ...], Found]
    by_names: dict[tuple[str, ...], Found]


def records(asked: Mapping[str, Asked], system: int | None) -> dict[str, Records]:
    """{type: the records asked for}; merged ones are followed, unknown ones left out. One query."""
    kinds = [kind for key in KINDS if (kind := registry.find(key)) and _wanted(key, asked)]
    naming = [kind for kind in kinds if kind.key in NAMING]
    given: list[Any] = []
    for kind in kinds:
        mine = asked.get(kind.key) or Asked()
        names = sorted(mine.names)
        given += [sorted(mine.uids), *([name[n] for name in names] for n in range(len(KINDS[kind.key].by))), system]
    parts = ", ".join(f"{_chain(kind, naming)}, {_part(kind)}" for kind in kinds)
    whole = " UNION ALL ".join(f"SELECT '{kind.key}', p.* FROM \"p_{kind.key}\" p" for kind in kinds)
    with connection.cursor() as cursor:
        cursor.execute(f"WITH RECURSIVE {parts} {whole}", given)
        rows = cursor.fetchall()
    return _collected([kind.key for kind in kinds], rows)


def _wanted(key: str, asked: Mapping[str, Asked]) -> bool:
    mine = [asked[one] for one in ((key, *NAMING) if key == DEPENDENT else (key,)) if one in asked]
    return any(one.uids or one.names for one in mine)


def _lasting(kind: RecordType) -> list[str]:
    """Columns read from the record itself."""
    told = KINDS[kind.key]
    return [*told.by, *(name for name in told.columns if name not in kind.dated and name not in told.by)]


def _chain(kind: RecordType, naming: Sequence[RecordType]) -> str:
    """c_<type>: records asked for and what they were merged into; `naming`: types that name a profit center."""
    table, by, me = kind.model._meta.db_table, KINDS[kind.key].by, f'"c_{kind.key}"'
    columns = ["id", "uid", "code", "status", "merged_into", *(f"{name} AS l_{name}" for name in _lasting(kind))]

    def rows(where: str) -> str:
        return f'LATERAL (SELECT {", ".join(columns)} FROM "{table}" WHERE {where} OFFSET 0) AS r'

    arrays, asked = ", ".join("%s::text[]" for _name in by), ", ".join(by)
    same = " AND ".join(f'"{table}".{name} = a.{name}' for name in by)
    named = ", ".join(f"a.{name}" for name in by)
    seeds = [
        f"SELECT a.uid::text AS asked, true AS by_uid, false AS followed, r.* FROM unnest(%s::uuid[]) AS a (uid),"
        f" {rows('uid = a.uid')}",
        f"SELECT concat_ws(E'\\x1f', {named}), false, false, r.* FROM unnest({arrays}) AS a ({asked}), {rows(same)}",
    ]
    if kind.key == DEPENDENT:
        seeds += [
            f"SELECT r.code, false, false, r.* FROM"
            f' (SELECT DISTINCT v{_place(other)} AS code FROM "p_{other.key}") AS a, {rows(same)}'
            for other in naming
        ]
    onward = rows("uid = c.merged_into")
    following = f"SELECT c.asked, c.by_uid, true, r.* FROM {me} c, {onward} WHERE c.merged_into IS NOT NULL"
    return f"{me} AS (({' UNION ALL '.join(seeds)}) UNION {following})"


def _place(naming: RecordType) -> int:
    return KINDS[naming.key].columns.index(DEPENDENT)


def _part(kind: RecordType) -> str:
    """p_<type>: what is answered of each, a row per period."""
    told, dated = KINDS[kind.key], set(kind.dated)
    values = [f"{'p.' if name in dated else 'c.l_'}{name}::text AS v{n}" for n, name in enumerate(told.columns)]
    values += [f"NULL::text AS v{n}" for n in range(len(told.columns), _MOST_VALUES)]
    names = [f"c.l_{name}" for name in told.by] + ["NULL"] * (2 - len(told.by))
    bounds, periods = "NULL::int, NULL::int", ""
    if dated:
        bounds = "p.valid_from - DATE '0001-01-01' + 1, p.valid_to - DATE '0001-01-01' + 1"
        table = kind.child(kind.periods).model._meta.db_table
        periods = f', LATERAL (SELECT * FROM "{table}" WHERE record_id = c.id OFFSET 0) AS p'
    # + 0: the record's few keys are found by its uid, never among all those of the system.
    key = (
        "(SELECT CASE WHEN bool_or(x.primary) THEN max(x.key) FILTER (WHERE x.primary) WHEN count(*) = 1 THEN max(x.key) END"
        f' FROM "{Crosswalk._meta.db_table}" x WHERE x.uid = c.uid AND x.active AND x.system_id + 0 = %s)'
    )
    return (
        f'"p_{kind.key}" AS MATERIALIZED (SELECT c.asked, c.by_uid, c.followed, c.uid::text, c.code, c.status,'
        f" {', '.join(names)}, c.key, {bounds}, {', '.join(values)}"
        f' FROM (SELECT c.*, {key} AS key FROM "c_{kind.key}" c WHERE c.merged_into IS NULL OFFSET 0) c{periods})'
    )


def _collected(keys: Sequence[str], rows: Iterable[tuple[Any, ...]]) -> dict[str, Records]:
    found = {key: Records({}, {}) for key in keys}
    widths = {key: len(KINDS[key].columns) for key in keys}
    for kind, asked, by_uid, followed, uid, code, status, one, two, key, start, end, *values in rows:
        held, name = found[kind][0 if by_uid else 1], tuple(asked.split(_JOIN))
        record = held.get(name)
        if record is None:
            names = (one,) if two is None else (one, two)
            record = held[name] = Found(uid, code, status, names, followed, key or "")
        record.periods.append(Period(start or FOREVER[0], end or FOREVER[1], tuple(values[: widths[kind]])))
    return found
