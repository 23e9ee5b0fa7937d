"""Owns the compiled coding rules of this process: read once, and anew after any has changed."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

from django.contrib.postgres.expressions import ArraySubquery
from django.db.models import OuterRef, QuerySet
from django.db.models.functions import JSONObject

from dimensions.coding import CODES, Compiled, Rule, Test
from dimensions.models import CodingRule, CodingRuleCondition
from mdm.errors import NotNow
from mdm.mapping import MappingError, notation
from mdm.selectors.event_watch import Look, Looked

_FIELDS = ("uid", "code", "name", "message", "valid_from", "valid_to", "tests")


KEY = "coding_rule"


def compiled(looked: Looked) -> Compiled:
    """The rules in force, as of when the event log was looked at (since `last_look`) or later. A query when they must be
    read."""
    return _KEPT.get(*looked)


def last_look() -> Look | None:
    return _KEPT.look


def in_force() -> QuerySet[CodingRule]:
    return CodingRule.objects.filter(status="active")


def rules() -> Iterator[Rule]:
    """Rules and their conditions by one statement, as `dimensions.services.mappings` reads rows."""
    tests = CodingRuleCondition.objects.filter(record=OuterRef("pk")).order_by("position", "id")
    shape = JSONObject(side="side", dimension="dimension", test="test", codes="codes")
    found = in_force().annotate(tests=ArraySubquery(tests.values(json=shape))).order_by()
    for values in found.values_list(*_FIELDS):
        yield _rule(dict(zip(_FIELDS, values, strict=True)))


def _rule(found: dict[str, Any]) -> Rule:
    tests = found.pop("tests")
    try:
        when, then = (tuple(_test(one) for one in tests if one["side"] == side) for side in ("when", "then"))
    except MappingError as error:
        raise NotNow(f"The coding rule {found['code']} cannot be read, put it right or retire it: {error}") from None
    return Rule(**found, when=when, then=then)


def _test(one: dict[str, Any]) -> Test:
    codes = notation.read(one["codes"] or "") if one["test"] == CODES else None
    return Test(one["dimension"], one["test"], codes)


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
