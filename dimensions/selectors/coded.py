"""Owns reading what the codes of a call stand for: records of every type with their periods, and their keys in a system."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

from dimensions.models import ChartUse
from mdm import registry, statements
from mdm.models import Crosswalk, System
from mdm.selectors import key_watch
from mdm.selectors.key_watch import KeyLook

NAMED_BY = ("cost_center", "project")
"""Types whose records name a profit center each, which is read with them."""
FOREVER = (0, 1 << 30)
_MOST_VALUES = 4
Asked = str | tuple[str, str]
"""A code or a key of the system; for what is found by two names, both."""


class Kind(NamedTuple):
    """How records are read. `columns`: at most four values, of the period where the type is dated. `by`: what a record is
    found by; of two, the last is what rules know it by. `keyed`: by a key of the system first. `type`: of the records."""

    type: str
    columns: tuple[str, ...]
    by: tuple[str, ...] = ("code",)
    keyed: bool = True


_CENTER = ("legal_entity", "blocked")
KINDS: dict[str, Kind] = {
    "legal_entity": Kind("legal_entity", ("country", "currency")),
    "cost_center": Kind("cost_center", ("legal_entity", "blocked_for_costs", "category", "profit_center")),
    "project": Kind("project", ("legal_entity", "stage", "profit_center")),
    "gl_account": Kind("gl_account", ("kind", "currency", "blocked_for_posting"), ("chart", "number"), False),
    "tax_code": Kind("tax_code", ("country", "kind", "rate", "deductible")),
    "supplier": Kind("supplier", ()),
    "dimension_value": Kind("dimension_value", ("blocked",), ("dimension", "value")),
    "profit_center": Kind("profit_center", _CENTER),
    "named": Kind("profit_center", _CENTER, keyed=False),
}
"""`named`: profit centers that other records of the call name, by the hub's code whatever a system calls so."""
_TOGETHER = (
    (*NAMED_BY, "named"),
    ("legal_entity", "gl_account", "tax_code", "dimension_value", "profit_center"),
    ("supplier",),
)
"""Kinds that are read by one statement: rows of one are looked through while the database is at the next."""
PLACES = {kind: KINDS[kind].columns.index("profit_center") for kind in NAMED_BY}
"""{type: where among its values the profit center stands}"""


class Period(NamedTuple):
    """`start`, `end`: ordinals of the first day and of the day after the last; `values`: as KINDS names them, as texts."""

    start: int
    end: int
    values: tuple[str | None, ...]


class Found(NamedTuple):
    """A record, merged ones followed (`followed`). `name`: what rules and mappings know it by, within `group`: the chart of
    an account, the dimension of a value. `key`: what the system calls it, None where it has no key or several and none is
    the primary; accounts are called what mappings say."""

    uid: str
    code: str
    status: str
    name: str
    group: str | None
    key: str | None
    periods: list[Period]
    followed: bool = False

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


def ground(system: str, since: KeyLook | None) -> Ground:
    """What the call stands on; `since`: how the keys of the system looked before. One query."""
    rows = statements.rows(_GROUND, [system, *key_watch.given(system, since)])
    charts = {(one, entity): chart for what, one, entity, chart in rows if what == "chart"}
    for what, _code, title, number in rows:
        if what == "system":
            look = next(said for what, _empty, said, _empty2 in rows if what == "keys")
            return Ground((int(number), title), charts, key_watch.read(look, since))
    return Ground(None, charts)


def records(
    system: int | None, asked: Mapping[str, Collection[Asked]], *, meanwhile: Callable[[], object]
) -> Iterator[dict[str, dict[Asked, Found]]]:
    """{kind: {as asked: the record}} of some kinds after the other, unknown ones left out; with `named`, what the others
    name. Whoever takes them as they come looks through them while the database is at the next. `system`: whose keys are
    meant, None for codes of the hub alone. `meanwhile`: done before the first is waited for; neither may ask the database.
    Three queries at most, and one when some of the records were merged, which come last; none when nothing is asked."""
    listed = {kind: list(one) for kind, one in asked.items() if one and registry.find(KINDS[kind].type)}
    if not listed:
        meanwhile()
        return
    given: dict[str, Any] = {"system": system}
    for kind, one in listed.items():
        columns = zip(*one, strict=True) if len(KINDS[kind].by) > 1 else (one,)
        for name, texts in zip(KINDS[kind].by, columns, strict=True):
            given[f"{kind}_{name}"] = json.dumps(texts)
    groups = [tuple(kind for kind in group if kind in listed) for group in _TOGETHER]
    merged: list[_Merged] = []
    for rows in statements.several([(_statement(kinds), given) for kinds in groups if kinds], meanwhile=meanwhile):
        found: dict[str, dict[Asked, Found]] = defaultdict(dict)
        merged += _collect(rows, listed, found)
        yield found
    if merged:
        yield _followed(system, merged)


class _Merged(NamedTuple):
    """A record that was merged: `into` is the uid of what it became a part of."""

    kind: str
    asked: Asked
    into: str


def _followed(system: int | None, merged: Sequence[_Merged]) -> dict[str, dict[Asked, Found]]:
    """What they are now, in the place of those that were merged; with what that names."""
    starts = {kind: list({one.into for one in merged if one.kind == kind}) for kind in KINDS}
    kinds = tuple(kind for kind in KINDS if starts[kind])
    given = {"system": system, **{f"{kind}_uid": starts[kind] for kind in kinds}}
    there: dict[str, dict[Asked, Found]] = defaultdict(dict)
    _collect(statements.rows(_statement(kinds, merged=True), given), starts, there)
    found: dict[str, dict[Asked, Found]] = defaultdict(dict)
    found["named"] = {code: one for code, one in there["named"].items() if code not in starts["named"]}
    for one in merged:
        if survivor := there[one.kind].get(one.into):
            found[one.kind][one.asked] = survivor._replace(followed=True)
    return found


# --- statements -------------------------------------------------------------------------------------------------------


@lru_cache
def _statement(kinds: tuple[str, ...], *, merged: bool = False) -> str:
    """A row per period of each record asked for. Every table is looked into row by row (LATERAL, kept apart by OFFSET 0):
    for a thousand codes the planner would rather read a table of a hundred thousand rows whole, which takes ten times as
    long. Codes go there as JSON: psycopg writes an array text by text."""
    naming = [kind for kind in NAMED_BY if kind in kinds]
    chains = [_chain(kind) for kind in kinds] if merged else []
    parts, read = [], []
    for kind in KINDS:
        seeds = [_survivors(kind) if merged else _asked(kind)] if kind in kinds else []
        if kind == "named" and naming:
            seeds.append(_dependent(naming))
        if not seeds or not registry.find(KINDS[kind].type):
            continue
        text = _shown(kind, " UNION ALL ".join(seeds))
        if kind in naming:
            parts.append(f'"p_{kind}" AS MATERIALIZED ({text})')
            text = f'SELECT * FROM "p_{kind}"'
        read.append(f"({text})")
    head = f"WITH {'RECURSIVE ' if merged else ''}{', '.join([*chains, *parts])} " if chains or parts else ""
    return head + " UNION ALL ".join(read)


def _asked(kind: str) -> str:
    """Records by their key, else by their names. `n`: number of what is asked."""
    told, names = KINDS[kind], KINDS[kind].by
    lists = ", ".join(f"json_array_elements_text(%({kind}_{name})s::json)" for name in names)
    asked = f"ROWS FROM ({lists}) WITH ORDINALITY AS a ({', '.join(names)}, n)"
    if not told.keyed:
        return f"SELECT a.n, {_key(kind)} AS key, r.* FROM {asked}, {_look(kind, _same(names))}"
    key = (
        f'SELECT uid, "primary" FROM "{Crosswalk._meta.db_table}" WHERE type = \'{told.type}\' AND key = a.{names[-1]}'
        " AND active AND system_id = %(system)s OFFSET 0"
    )
    by_key = " AND ".join(["uid = k.uid", *(f"{name} = a.{name}" for name in names[:-1])])
    table = _table(kind)
    otherwise = f'NOT EXISTS (SELECT FROM "{table}" WHERE {by_key})' if names[:-1] else "k.uid IS NULL"
    called = f"CASE WHEN k.primary THEN a.{names[-1]} ELSE ({_key(kind)}) END"
    either = _look(kind, by_key, f"{otherwise} AND {_same(names)}")
    return f"SELECT a.n, {called} AS key, r.* FROM {asked} LEFT JOIN LATERAL ({key}) AS k ON true, {either}"


def _dependent(naming: Iterable[str]) -> str:
    named = " UNION ".join(f'SELECT v{PLACES[kind]} AS code FROM "p_{kind}"' for kind in naming)
    return f"SELECT NULL::bigint AS n, ({_key('named')}) AS key, r.* FROM ({named}) AS a, {_look('named', _same(('code',)))}"


def _chain(kind: str) -> str:
    table, me = _table(kind), f'"s_{kind}"'
    first = (
        "SELECT a.n, r.uid, r.merged_into"
        f' FROM unnest(%({kind}_uid)s::uuid[]) WITH ORDINALITY AS a (uid, n) JOIN "{table}" r USING (uid)'
    )
    onward = f'SELECT s.n, r.uid, r.merged_into FROM {me} s JOIN "{table}" r ON r.uid = s.merged_into'
    return f"{me} (n, uid, merged_into) AS ({first} UNION {onward})"


def _survivors(kind: str) -> str:
    last = f'(SELECT * FROM "s_{kind}" WHERE merged_into IS NULL)'
    return f"SELECT a.n, ({_key(kind)}) AS key, r.* FROM {last} AS a, {_look(kind, 'uid = a.uid')}"


def _table(kind: str) -> str:
    return registry.get(KINDS[kind].type).model._meta.db_table


def _same(names: Iterable[str]) -> str:
    return " AND ".join(f"{name} = a.{name}" for name in names)


def _key(kind: str) -> str:
    """What the system calls a record: of several keys the primary; one that is alone counts as such."""
    if kind == "gl_account":
        return "NULL::text"
    return (
        "SELECT CASE WHEN bool_or(x.primary) THEN max(x.key) FILTER (WHERE x.primary)"
        f' WHEN count(*) = 1 THEN max(x.key) END FROM "{Crosswalk._meta.db_table}" AS x'
        " WHERE x.uid = r.uid AND x.active AND x.system_id + 0 = %(system)s"
    )


def _look(kind: str, *ways: str) -> str:
    """The record, by each of the ways that finds one."""
    told, dated = KINDS[kind], _dated(kind)
    lasting = {*told.by, *(name for name in told.columns if name not in dated)} - {"code"}
    columns = ", ".join(("id", "uid", "code", "status", "merged_into", *sorted(lasting)))
    each = " UNION ALL ".join(f'SELECT {columns} FROM "{_table(kind)}" WHERE {way}' for way in ways)
    return f"LATERAL ({each} OFFSET 0) AS r"


def _shown(kind: str, seeds: str) -> str:
    """`kind`, `n`, key, record, its name and group, the period and its values."""
    told, dated = KINDS[kind], _dated(kind)
    names = [f"c.{told.by[-1]} AS name", f"c.{told.by[0]}" if len(told.by) > 1 else "NULL::text"]
    bounds = [
        f"coalesce(p.{name} - DATE '0001-01-01' + 1, {open})" if dated else f"{open}"
        for name, open in zip(("valid_from", "valid_to"), FOREVER, strict=True)
    ]
    values = [f"{'p' if name in dated else 'c'}.{name}::text AS v{n}" for n, name in enumerate(told.columns)]
    values += [f"NULL::text AS v{n}" for n in range(len(told.columns), _MOST_VALUES)]
    head = f"SELECT '{kind}', c.n, c.key, c.uid::text, c.code, c.status, c.merged_into::text"
    text = f"{', '.join((head, *names, *bounds, *values))} FROM ({seeds} OFFSET 0) AS c"
    kept = registry.get(told.type)
    if not kept.periods:
        return text
    table = kept.child(kept.periods).model._meta.db_table
    return f'{text}, LATERAL (SELECT * FROM "{table}" WHERE record_id = c.id OFFSET 0) AS p'


def _dated(kind: str) -> set[str]:
    return set(registry.get(KINDS[kind].type).dated)


# --- rows -------------------------------------------------------------------------------------------------------------


def _collect(
    rows: Iterable[tuple[Any, ...]], asked: Mapping[str, Sequence[Asked]], found: Mapping[str, dict[Asked, Found]]
) -> list[_Merged]:
    """Puts down what the rows say; those that were merged. What nobody asked for has no number, and goes by its code."""
    merged = []
    for kind, number, key, uid, code, status, into, name, group, start, end, one, two, three, four in rows:
        text = asked[kind][number - 1] if number else code
        if into is not None:
            merged.append(_Merged(kind, text, into))
            continue
        known = found[kind].get(text)
        if known is None:
            known = found[kind][text] = Found(uid, code, status, name, group, key, [])
        known.periods.append(Period(start, end, (one, two, three, four)))
    return merged
