"""Owns the compiled coding rules of this process: read once, and anew after any has changed."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from itertools import groupby
from operator import itemgetter

from dimensions.coding import CODES, Compiled, Rule, Test
from dimensions.models import CodingRuleCondition
from mdm.errors import NotNow
from mdm.mapping import MappingError, notation
from mdm.mapping.expressions import Expression
from mdm.selectors.event_watch import Look, Looked

KEY = "coding_rule"


def compiled(looked: Looked) -> Compiled:
    """The rules in force, as of when the event log was looked at (since `last_look`) or later. A query when they must be
    read."""
    return _KEPT.get(*looked)


def last_look() -> Look | None:
    return _KEPT.look


def rules() -> Iterator[Rule]:
    """Rules and their conditions by one statement: no rule is ever seen without conditions that were written with it."""
    found = CodingRuleCondition.objects.filter(record__status="active").order_by("record_id", "position", "id")
    known: dict[str, Expression] = {}  # many conditions are written alike
    fields = [f"record__{name}" for name in _FIELDS]
    rows = found.values_list("record_id", *fields, "side", "dimension", "test", "codes")
    for _record, group in groupby(rows.iterator(chunk_size=5000), key=itemgetter(0)):
        listed = list(group)
        given = dict(zip(_FIELDS, listed[0][1:], strict=False))
        try:
            tests = [(side, Test(name, what, _codes(what, codes, known))) for *_r, side, name, what, codes in listed]
        except MappingError as error:
            words = f"The coding rule {given['code']} cannot be read, put it right or retire it: {error}"
            raise NotNow(words) from None
        when, then = (tuple(test for here, test in tests if here == side) for side in ("when", "then"))
        yield Rule(**given, when=when, then=then)


_FIELDS = ("uid", "code", "name", "message", "valid_from", "valid_to")


def _codes(what: str, text: str | None, known: dict[str, Expression]) -> Expression | None:
    if what != CODES:
        return None
    text = text or ""
    found = known.get(text)
    if found is None:
        found = known[text] = notation.read(text)
    return found


class _Kept:
    """What was read is kept only when no change was noticed meanwhile, so at worst it is read once more than needed."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.look: Look | None = None
        self._held: Compiled | None = None
        self._changes = 0

    def get(self, now: Look, changed: bool) -> Compiled:
        with self._lock:
            if changed:
                self._held = None
                self._changes += 1
            self.look = now
            held, changes = self._held, self._changes
        if held:
            return held
        made = Compiled(rules())
        with self._lock:
            if changes == self._changes:
                self._held = made
        return made


_KEPT = _Kept()
