"""Owns the compiled mappings of this process: the rows of a pair of charts are read once, and anew after any has changed."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterator
from typing import Any

from django.contrib.postgres.expressions import ArraySubquery
from django.db.models import OuterRef, QuerySet
from django.db.models.functions import JSONObject

from dimensions.gl_mapping import MAPPED
from dimensions.models import GLMapping, GLMappingCondition
from mdm.errors import NotNow
from mdm.mapping import Compiled, MappingError, Row, compile, notation, when
from mdm.selectors import event_watch
from mdm.selectors.event_watch import Look

Pair = tuple[str, str]
"""Codes of the source chart and of the target chart."""
MOST_ROWS = 1_500_000  # kept in all: a row takes about 250 bytes
MOST_PAIRS = 200
_FIELDS = ("uid", "code", "kind", "source", "target", "flip", "order", "valid_from", "valid_to", "status", "tests")


def compiled(source_chart: str, target_chart: str) -> Compiled:
    """The mapping as it is in force, as of the beginning of this call or later. One query, two when it must be read."""
    return _KEPT.get((source_chart, target_chart))


def in_force(source_chart: str, target_chart: str) -> QuerySet[GLMapping]:
    """Its rows but those retired; blocked ones are among them, they never win."""
    rows = GLMapping.objects.filter(source_chart=source_chart, target_chart=target_chart)
    return rows.exclude(status__in=("retired", "merged"))


def rows_of(source_chart: str, target_chart: str) -> Iterator[Row]:
    """Rows and their conditions by one statement: no row is ever seen without conditions that were written with it."""
    tests = GLMappingCondition.objects.filter(record=OuterRef("pk")).order_by()
    found = in_force(source_chart, target_chart).annotate(
        tests=ArraySubquery(tests.values(json=JSONObject(dimension="dimension", codes="codes")))
    )
    for values in found.order_by().values_list(*_FIELDS).iterator(chunk_size=5000):
        yield _row(dict(zip(_FIELDS, values, strict=True)))


def _row(found: dict[str, Any]) -> Row:
    kind = found["kind"]
    try:
        return Row(
            uid=found["uid"],
            source=None if kind == "multi" else notation.read(found["source"] or "", kind),
            target=found["target"],
            conditions=when({test["dimension"]: notation.read(test["codes"]) for test in found["tests"]}),
            flip=found["flip"],
            valid_from=found["valid_from"],
            valid_to=found["valid_to"],
            order=found["order"],
            active=found["status"] == "active",
        )
    except MappingError as error:
        raise NotNow(f"The GL mapping {found['code']} cannot be read, put it right or retire it: {error}") from None


class _Kept:
    """Sets by pair, the longest unused given up first.

    What may go wrong between threads is only that a set is read once more than needed: a set is kept only when no change
    was noticed while it was read, and whoever notices one drops all of them, because a row may have moved between pairs.
    """

    def __init__(self) -> None:
        self._lock, self._reading = threading.Lock(), threading.Lock()
        self._sets: OrderedDict[Pair, Compiled] = OrderedDict()
        self._look: Look | None = None
        self._changes = 0

    def get(self, pair: Pair) -> Compiled:
        now, changed = event_watch.look("gl_mapping", self._look)
        with self._lock:
            if changed:
                self._sets.clear()
                self._changes += 1
            self._look = now
            found = self._found(pair)
        return found or self._read(pair)

    def _read(self, pair: Pair) -> Compiled:
        """One at a time: a large mapping takes seconds and memory, and others who wait for it need not read it too."""
        with self._reading:
            with self._lock:
                found, changes = self._found(pair), self._changes
            if found:
                return found
            made = compile(rows_of(*pair), MAPPED)
            with self._lock:
                if changes == self._changes:
                    self._sets[pair] = made
                    self._give_up()
            return made

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
