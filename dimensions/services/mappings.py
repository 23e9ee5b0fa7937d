"""Owns the compiled mappings of this process: rows are read once, and anew after any has changed; large ones a few at a time."""

from __future__ import annotations

import json
import threading
from collections import Counter, OrderedDict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from datetime import datetime
from functools import lru_cache
from typing import Any, NamedTuple
from uuid import UUID

from django.contrib.postgres.expressions import ArraySubquery
from django.db import connection
from django.db.models import Exists, OuterRef, Q, QuerySet, Value
from django.db.models.functions import JSONObject

from dimensions import mapping_rows
from dimensions.mapping_rows import MAPPINGS
from mdm import statements
from mdm.errors import NotNow
from mdm.mapping import Compiled, MappingError, Row, compile, notation
from mdm.models import RecordVersion
from mdm.selectors import event_watch
from mdm.selectors.event_watch import Look, Looked


class Pair(NamedTuple):
    """Which mapping: the record type of its rows, and the chart or system it leads from and to; "" is the hub itself."""

    kind: str
    source: str
    target: str


MOST_ROWS = 1_500_000  # kept in all: a row takes about 250 bytes
MOST_PAIRS = 200
SMALL = 2_000  # rows that are read whole by whoever asks first: it takes some hundredths of a second
WARMED_AFTER = 3  # questions since the last change until a large mapping is read whole, beside
_FIELDS = ("uid", "code", "kind", "source", "target", "flip", "order", "valid_from", "valid_to", "status", "conditions")


def compiled(kind: str, source: str, target: str) -> Compiled:
    """The mapping as it is in force, as of the beginning of this call or later. One query, two when it must be read;
    then it takes seconds for hundreds of thousands of rows: for pages that judge all of them."""
    return _KEPT.get(Pair(kind, source, target))


def answers(kind: str, source: str, target: str, codes: Collection[str]) -> Compiled:
    """The same, good for these codes only: of a large mapping that is not at hand the explicit rows of these codes and
    the rows of other kinds are read. At most two queries, whatever the number of rows and codes."""
    return _KEPT.answers(Pair(kind, source, target), codes)


def answers_of(
    wanted: Mapping[Pair, Collection[str]],
    looked: Mapping[str, Looked],
    *,
    meanwhile: Callable[[], object] | None = None,
) -> dict[Pair, Compiled]:
    """The same for several mappings at once, each good for its codes; `looked`: since `last_looks`, of every kind that is
    wanted. One query at most, whatever the number of mappings, rows and codes. `meanwhile`: done in any case, while the
    database looks where there is a query."""
    return _KEPT.answers_of(wanted, looked, meanwhile or (lambda: None))


def last_looks() -> dict[str, Look | None]:
    """{kind: what the event log showed when it was last asked about that kind}, for `event_watch.looks`."""
    return {kind: _KEPT.looks.get(kind) for kind in MAPPINGS}


def answers_of_many(kind: str, source: str, targets: Collection[str], codes: Collection[str]) -> dict[str, Compiled]:
    """{target: the mapping, good for these codes}; two queries for all of them."""
    wanted = {Pair(kind, source, target): codes for target in targets}
    looked = event_watch.looks({kind: _KEPT.looks.get(kind)})
    return {pair.target: built for pair, built in answers_of(wanted, looked).items()}


def answers_as_known(kind: str, source: str, target: str, codes: Collection[str], at: datetime) -> Compiled:
    """The mapping as it was in force at a moment, good for these codes; from the versions of the rows. One query that looks
    at every version there was: a second for a million."""
    one, named = MAPPINGS[kind], [notation.escape(code) for code in codes]
    then = RecordVersion.objects.filter(type=kind, created_at__lte=at)
    newer = then.filter(uid=OuterRef("uid"), version__gt=OuterRef("version"))
    scope = {f"document__{field}": code for field, code in one.at(source, target).items()}
    deciding = ~Q(document__kind="explicit") | Q(document__source__in=named)
    found = then.filter(deciding, ~Exists(newer), **scope).exclude(status__in=("retired", "merged"))
    return compile(
        [mapping_rows.read_document(document) for document in found.values_list("document", flat=True)], one.dimension
    )


def rows_for(pair: Pair, codes: Iterable[str]) -> list[Row]:
    """Rows that may decide about these codes: the explicit rows of the codes and all of other kinds. One query."""
    return _some({pair: list(codes)}, lambda: None, small=0)[pair][0]


def row(kind: str, uid: UUID) -> Row | None:
    """One row as it is in force; None when there is none, or it is retired. One query."""
    one = MAPPINGS[kind]
    rows = one.model._default_manager.filter(uid=uid).exclude(status__in=("retired", "merged"))
    found = list(_values(_annotated(kind, rows), 0))
    return _row(found[0]) if found else None


def is_whole(pair: Pair, built: Compiled) -> bool:
    """Whether answers are by all the rows of the mapping."""
    return _KEPT.holds(pair, built)


def in_force(pair: Pair) -> QuerySet[Any]:
    """Its rows but those retired; blocked ones are among them, they never win."""
    return _of(pair).exclude(status__in=("retired", "merged"))


def _of(pair: Pair) -> QuerySet[Any]:
    found: QuerySet[Any] = MAPPINGS[pair.kind].model._default_manager.all()
    return found.filter(**MAPPINGS[pair.kind].at(pair.source, pair.target))


def _with_conditions(pair: Pair) -> QuerySet[Any]:
    return _annotated(pair.kind, in_force(pair))


def _annotated(kind: str, rows: QuerySet[Any]) -> QuerySet[Any]:
    """Rows and their conditions by one statement: no row is ever seen without conditions that were written with it."""
    tests = MAPPINGS[kind].conditions._default_manager.filter(record=OuterRef("pk")).order_by()
    listed = ArraySubquery(tests.values(json=JSONObject(dimension="dimension", codes="codes")))
    return rows.annotate(tests=listed).order_by()


def _values(rows: QuerySet[Any], number: int, *more: str) -> QuerySet[Any]:
    return rows.annotate(number=Value(number)).values_list("number", *_FIELDS[:-1], "tests", *more)


def rows_of(pair: Pair) -> Iterator[Row]:
    return (_row(values) for values in _values(_with_conditions(pair), 0).iterator(chunk_size=5000))


def _some(
    wanted: Mapping[Pair, Collection[str]], meanwhile: Callable[[], object], small: int | None = None
) -> dict[Pair, tuple[list[Row], bool]]:
    """{pair: (rows that may decide about its codes, whether these are all there are)}: all of a mapping of at most `small`
    rows, else the rules and the explicit rows of the codes. One statement for all pairs."""
    found: dict[Pair, tuple[list[Row], bool]] = {pair: ([], False) for pair in wanted}
    if not wanted:
        meanwhile()
        return found
    pairs = list(wanted)
    parts, given = [], list[str | int]()
    for kind in sorted({pair.kind for pair in pairs}):
        asked = [
            {"number": n, "source": one.source, "target": one.target, "codes": [*map(notation.escape, wanted[one])]}
            for n, one in enumerate(pairs)
            if one.kind == kind
        ]
        parts.append(_statement(kind))
        given += [SMALL if small is None else small, json.dumps(asked)]
    for row in statements.rows(" UNION ALL ".join(parts), given, meanwhile=meanwhile):
        number, whole, *values, tests = row
        pair = pairs[number]
        if whole is not None:
            found[pair] = found[pair][0], True
        if values[0] is not None:
            found[pair][0].append(_row((number, *values, json.loads(tests) if tests else ())))
    return found


@lru_cache
def _statement(kind: str) -> str:
    """Each part is found by an index of its own, whatever the planner thinks of a thousand codes: row by row."""
    one = MAPPINGS[kind]
    table, tests = one.model._meta.db_table, one.conditions._meta.db_table
    columns = ", ".join(f'"{name}"' for name in _FIELDS[:-1])
    scope = " AND ".join(
        f'"{field}" = p.{side}' for field, side in ((one.source, "source"), (one.target, "target")) if field
    )
    rows = f"SELECT id, {columns} FROM \"{table}\" WHERE {scope} AND status NOT IN ('retired', 'merged')"
    told = f"SELECT json_agg(json_build_object('dimension', dimension, 'codes', codes)) FROM \"{tests}\" WHERE record_id = r.id"
    shown = ", ".join(f'r."{name}"' for name in _FIELDS[:-1])
    return f"""
        SELECT p.number, NULLIF(p.whole, false), {shown}, ({told})::text
          FROM (SELECT p.*, NOT EXISTS (SELECT FROM "{table}" WHERE {scope} OFFSET %s LIMIT 1) AS whole
                  FROM json_to_recordset(%s::json) AS p (number int, source text, target text, codes json) OFFSET 0) AS p
          LEFT JOIN LATERAL (
            {rows} AND kind <> 'explicit'
            UNION ALL {rows} AND kind = 'explicit' AND p.whole
            UNION ALL SELECT r.* FROM json_array_elements_text(p.codes) AS c (code),
              LATERAL ({rows} AND kind = 'explicit' AND source = c.code OFFSET 0) AS r WHERE NOT p.whole
          ) AS r ON true"""


def _row(values: tuple[Any, ...]) -> Row:
    found = dict(zip(_FIELDS, values[1:], strict=True))
    try:
        return mapping_rows.read(found, uid=found["uid"], active=found["status"] == "active")
    except MappingError as error:
        raise NotNow(f"The mapping row {found['code']} cannot be read, put it right or retire it: {error}") from None


class _Kept:
    """Sets by pair, the longest unused given up first.

    What may go wrong between threads is only that a set is read once more than needed: a set is kept only when no change
    was noticed while it was read, and whoever notices one drops all of its kind, because a row may have moved between
    pairs.
    """

    def __init__(self) -> None:
        self._lock, self._reading = threading.Lock(), threading.Lock()
        self._sets: OrderedDict[Pair, Compiled] = OrderedDict()
        self.looks: dict[str, Look] = {}
        self._changes: Counter[str] = Counter()  # by kind
        self._asked: Counter[Pair] = Counter()

    def get(self, pair: Pair) -> Compiled:
        looked = event_watch.look(pair.kind, self.looks.get(pair.kind))
        return self._at_hand(pair, *looked) or self._read(pair)

    def answers(self, pair: Pair, codes: Collection[str]) -> Compiled:
        looked = event_watch.looks({pair.kind: self.looks.get(pair.kind)})
        return self.answers_of({pair: codes}, looked, lambda: None)[pair]

    def answers_of(
        self, wanted: Mapping[Pair, Collection[str]], looked: Mapping[str, Looked], meanwhile: Callable[[], object]
    ) -> dict[Pair, Compiled]:
        found = {pair: self._at_hand(pair, *looked[pair.kind]) for pair in wanted}
        with self._lock:
            changes = dict(self._changes)
        read = _some({pair: codes for pair, codes in wanted.items() if found[pair] is None}, meanwhile)
        for pair, (rows, whole) in read.items():
            made = found[pair] = compile(rows, MAPPINGS[pair.kind].dimension)
            if whole:
                self._keep(pair, made, changes.get(pair.kind, 0))
            else:
                self._warm_after_a_while(pair)
        return {pair: made for pair, made in found.items() if made is not None}

    def holds(self, pair: Pair, built: Compiled) -> bool:
        return self._sets.get(pair) is built

    def _at_hand(self, pair: Pair, now: Look, changed: bool) -> Compiled | None:
        with self._lock:
            if changed:
                for other in [one for one in self._sets if one.kind == pair.kind]:
                    del self._sets[other]
                self._changes[pair.kind] += 1
                self._asked.clear()
            self.looks[pair.kind] = now
            return self._found(pair)

    def _read(self, pair: Pair) -> Compiled:
        """One at a time: a large mapping takes seconds and memory, and others who wait for it need not read it too."""
        with self._reading:
            with self._lock:
                found, changes = self._found(pair), self._changes[pair.kind]
            if found:
                return found
            made = compile(rows_of(pair), MAPPINGS[pair.kind].dimension)
            self._keep(pair, made, changes)
            return made

    def _keep(self, pair: Pair, made: Compiled, changes: int) -> None:
        with self._lock:
            if changes == self._changes[pair.kind]:
                self._sets[pair] = made
                self._give_up()

    def _warm_after_a_while(self, pair: Pair) -> None:
        """A mapping asked for again and again is read whole beside, once, while the questions are answered in parts."""
        with self._lock:
            self._asked[pair] += 1
            due = self._asked[pair] == WARMED_AFTER
        if due:
            threading.Thread(target=self._warm, args=(pair,), name="mapping", daemon=True).start()

    def _warm(self, pair: Pair) -> None:
        try:
            self.get(pair)
        finally:
            connection.close()

    def _found(self, pair: Pair) -> Compiled | None:
        if pair in self._sets:
            self._sets.move_to_end(pair)
        return self._sets.get(pair)

    def _give_up(self) -> None:
        while len(self._sets) > 1 and (
            len(self._sets) > MOST_PAIRS or sum(len(one.table) for one in self._sets.values()) > MOST_ROWS
        ):
            self._sets.popitem(last=False)


_KEPT = _Kept()
