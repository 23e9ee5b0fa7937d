"""Owns the compiled mappings of this process: rows are read once, and anew after any has changed; large ones a few at a time."""

from __future__ import annotations

import threading
from collections import Counter, OrderedDict
from collections.abc import Collection, Iterable, Iterator
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from django.contrib.postgres.expressions import ArraySubquery
from django.db import connection
from django.db.models import BooleanField, Exists, ExpressionWrapper, OuterRef, Q, QuerySet, Value
from django.db.models.functions import JSONObject

from dimensions import mapping_rows
from dimensions.mapping_rows import MAPPINGS
from mdm.errors import NotNow
from mdm.mapping import Compiled, MappingError, Row, compile, notation
from mdm.models import RecordVersion
from mdm.selectors import event_watch
from mdm.selectors.event_watch import Look


class Pair(NamedTuple):
    """Which mapping: the record type of its rows, and the chart or system it leads from and to; "" is the hub itself."""

    kind: str
    source: str
    target: str


MOST_ROWS = 1_500_000  # kept in all: a row takes about 250 bytes
MOST_PAIRS = 200
SMALL = 10_000  # rows that are read whole by whoever asks first: it takes little more than a tenth of a second
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


def answers_of_many(kind: str, source: str, targets: Collection[str], codes: Collection[str]) -> dict[str, Compiled]:
    """{target: the mapping, good for these codes}; three queries for all of them."""
    pairs = [Pair(kind, source, target) for target in targets]
    found = {pair: _KEPT.at_hand(pair, again=bool(number)) for number, pair in enumerate(pairs)}
    missing = [pair.target for pair, built in found.items() if built is None]
    rows: dict[str, list[Row]] = {target: [] for target in missing}
    if missing:
        one = MAPPINGS[kind]
        held = one.model._default_manager.filter(**one.at(source, ""), **{f"{one.target}__in": missing})
        listed = _annotated(kind, held.exclude(status__in=("retired", "merged")))
        named = [notation.escape(code) for code in codes]
        for rules in (listed.exclude(kind="explicit"), listed.filter(kind="explicit", source__in=named)):
            for values in _values(rows=rules).values_list("small", *_FIELDS[:-1], "tests", one.target):
                rows[values[-1]].append(_row(values[:-1]))
    dimension = MAPPINGS[kind].dimension
    return {pair.target: built or compile(rows[pair.target], dimension) for pair, built in found.items()}


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
    return [_row(values) for values in _union(_deciding(pair, codes))]


def row(kind: str, uid: UUID) -> Row | None:
    """One row as it is in force; None when there is none, or it is retired. One query."""
    one = MAPPINGS[kind]
    rows = one.model._default_manager.filter(uid=uid).exclude(status__in=("retired", "merged"))
    found = list(_values(_annotated(kind, rows)))
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


def _values(rows: QuerySet[Any], small: Any = False) -> QuerySet[Any]:
    """`small`: of the rows' mapping, whatever its rows; the first value of each."""
    told = ExpressionWrapper(small or Value(False), output_field=BooleanField())
    return rows.annotate(small=told).values_list("small", *_FIELDS[:-1], "tests")


def rows_of(pair: Pair) -> Iterator[Row]:
    return (_row(values) for values in _values(_with_conditions(pair)).iterator(chunk_size=5000))


def _deciding(pair: Pair, codes: Iterable[str]) -> list[QuerySet[Any]]:
    """Each part is found by an index of its own."""
    rows, named = _with_conditions(pair), [notation.escape(code) for code in codes]
    return [rows.exclude(kind="explicit"), rows.filter(kind="explicit", source__in=named)]


def _union(parts: Iterable[QuerySet[Any]], small: Any = False) -> list[tuple[Any, ...]]:
    first, *others = (_values(rows, small) for rows in parts)
    return list(first.union(*others, all=True))


def _some(pair: Pair, codes: Collection[str]) -> tuple[list[Row], bool]:
    """(rows that may decide about the codes, whether these are all there are): all of a small mapping in any case."""
    small = ~Exists(_of(pair).values("pk")[SMALL : SMALL + 1])
    rest = _with_conditions(pair).filter(small, kind="explicit")
    rest = rest.exclude(source__in=[notation.escape(code) for code in codes])
    found = _union([*_deciding(pair, codes), rest], small)
    return [_row(values) for values in found], bool(found and found[0][0])


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
        self._looks: dict[str, Look] = {}
        self._changes: Counter[str] = Counter()  # by kind
        self._asked: Counter[Pair] = Counter()

    def get(self, pair: Pair) -> Compiled:
        return self.at_hand(pair) or self._read(pair)

    def answers(self, pair: Pair, codes: Collection[str]) -> Compiled:
        found = self.at_hand(pair)
        if found:
            return found
        with self._lock:
            changes = self._changes[pair.kind]
        rows, whole = _some(pair, codes)
        made = compile(rows, MAPPINGS[pair.kind].dimension)
        if whole:
            self._keep(pair, made, changes)
        else:
            self._warm_after_a_while(pair)
        return made

    def holds(self, pair: Pair, built: Compiled) -> bool:
        return self._sets.get(pair) is built

    def at_hand(self, pair: Pair, *, again: bool = False) -> Compiled | None:
        """`again`: changes were looked for a moment ago, for another pair of the kind."""
        if again:
            with self._lock:
                return self._found(pair)
        now, changed = event_watch.look(pair.kind, self._looks.get(pair.kind))
        with self._lock:
            if changed:
                for other in [one for one in self._sets if one.kind == pair.kind]:
                    del self._sets[other]
                self._changes[pair.kind] += 1
                self._asked.clear()
            self._looks[pair.kind] = now
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
