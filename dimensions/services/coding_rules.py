"""Owns the compiled coding rules of this process: read once, and anew after any has changed."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from typing import Any

from dimensions.coding import CODES, Compiled, Rule, Test
from dimensions.models import CodingRule, CodingRuleCondition
from mdm import statements
from mdm.errors import NotNow
from mdm.mapping import MappingError, notation
from mdm.selectors.event_watch import Look, Looked

KEY = "coding_rule"


def read(looked: Looked, *, meanwhile: Callable[[], object] | None = None) -> Callable[[], Compiled]:
    """The rules in force, as of when the event log was looked at (since `last_look`) or later. A query when they must be
    read; compiling them takes a hundredth of a second for a thousand, which whoever calls what this returns decides on.
    `meanwhile`: done in any case, while the database looks where there is a query."""
    return _KEPT.get(*looked, meanwhile or (lambda: None))


def last_look() -> Look | None:
    return _KEPT.look


def _rules(rows: list[tuple[Any, ...]]) -> Iterator[Rule]:
    """Of the rows of one statement: no rule is ever seen without conditions that were written with it."""
    written = json.loads(f"[{','.join(row[-1] for row in rows)}]")
    tests: dict[tuple[str, str, str], Test] = {}  # many conditions are written alike
    for (uid, code, name, message, start, end, _text), conditions in zip(rows, written, strict=True):
        sides: dict[str, list[Test]] = {"when": [], "then": []}
        try:
            for side, dimension, what, codes in conditions:
                test = tests.get((dimension, what, codes or ""))
                if test is None:
                    test = Test(dimension, what, notation.read(codes or "") if what == CODES else None)
                    tests[dimension, what, codes or ""] = test
                sides[side].append(test)
        except MappingError as error:
            words = f"The coding rule {code} cannot be read, put it right or retire it: {error}"
            raise NotNow(words) from None
        yield Rule(uid, code, name, message, tuple(sides["when"]), tuple(sides["then"]), start, end)


_RULES = f"""
SELECT r.uid, r.code, r.name, r.message, r.valid_from, r.valid_to,
       json_agg(json_build_array(c.side, c.dimension, c.test, c.codes) ORDER BY c.position, c.id)::text
  FROM "{CodingRule._meta.db_table}" AS r JOIN "{CodingRuleCondition._meta.db_table}" AS c ON c.record_id = r.id
 WHERE r.status = 'active' GROUP BY r.id
"""


class _Kept:
    """What was read is kept only when no change was noticed meanwhile, so at worst it is read once more than needed."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.look: Look | None = None
        self._held: Compiled | None = None
        self._changes = 0

    def get(self, now: Look, changed: bool, meanwhile: Callable[[], object]) -> Callable[[], Compiled]:
        with self._lock:
            if changed:
                self._held = None
                self._changes += 1
            self.look = now
            held, changes = self._held, self._changes
        if held:
            meanwhile()
            return lambda: held
        rows = statements.rows(_RULES, meanwhile=meanwhile)
        return lambda: self._keep(Compiled(_rules(rows)), changes)

    def _keep(self, made: Compiled, changes: int) -> Compiled:
        with self._lock:
            if changes == self._changes:
                self._held = made
        return made


_KEPT = _Kept()
