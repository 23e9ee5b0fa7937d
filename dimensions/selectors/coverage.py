"""Owns how far the mapping between two charts reaches: accounts with, without, with a bad target; what its rows get wrong."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import NamedTuple
from uuid import UUID
from weakref import WeakKeyDictionary

from django.db.models import Count

from dimensions.gl_mapping import KEY
from dimensions.mapping_rows import MAPPINGS
from dimensions.models import ChartOfAccounts, GLAccount, GLMapping
from dimensions.services import mappings
from dimensions.services.mappings import Pair
from mdm.mapping import Compiled, Finding, Proposal, check, proposals

MOST_JUDGED = 1000
"""Ranges, lists, patterns and multi rows at most that are judged while somebody waits: it takes time with their square."""
_ORDER = {"error": 0, "warning": 1, "note": 2}


class Account(NamedTuple):
    number: str
    name: str
    uid: UUID
    status: str
    validity: str

    @property
    def usable(self) -> bool:
        return self.status != "retired" and self.validity != "ended"


@dataclass(frozen=True, slots=True)
class Astray:
    """An account whose target is none that can be used; `target_account` None: the chart has no such number."""

    account: Account
    target: str
    target_account: Account | None
    row: UUID


@dataclass(frozen=True)
class Coverage:
    """`members`: what the source chart has in use today. Judged without a context: rows with conditions do not count."""

    built: Compiled
    members: Mapping[str, Account]
    targets: Mapping[str, Account]
    mapped: Mapping[str, str]
    unmapped: Sequence[str]
    astray: Sequence[Astray]

    def proposals(self, numbers: Sequence[str], most: int = 3) -> dict[str, list[Proposal]]:
        """For some of the unmapped; takes one comparison of names per number, target and mapped account."""
        names = {number: account.name for number, account in self.members.items()}
        return proposals(numbers, self.mapped, names, {n: one.name for n, one in self.targets.items()}, most=most)

    def findings(self) -> list[Finding] | None:
        """The worst first; None when there are too many rules to judge at once."""
        return findings(self.built)


def charts() -> list[tuple[str, str]]:
    """(code, name) of every chart in use."""
    rows = ChartOfAccounts.objects.exclude(status__in=("retired", "merged")).order_by("code")
    return list(rows.values_list("code", "name"))


def pairs() -> dict[Pair, int]:
    """Pairs of charts that have a mapping, with the number of rows; the largest first."""
    rows = GLMapping.objects.exclude(status__in=("retired", "merged")).values_list("source_chart", "target_chart")
    counted = rows.annotate(rows=Count("pk")).order_by("-rows", "source_chart", "target_chart")
    return {Pair(KEY, source, target): number for source, target, number in counted}


def of(pair: Pair, on: date) -> Coverage:
    """Two queries, one more when the mapping must be read anew."""
    _kind, source, target = pair
    built = mappings.compiled(*pair)
    held = _accounts(pair)
    members = {number: one for number, one in sorted(held.get(source, {}).items()) if one.usable}
    there = held.get(target, {})
    targets = {number: one for number, one in there.items() if one.usable}
    mapped: dict[str, str] = {}
    unmapped: list[str] = []
    astray: list[Astray] = []
    for found in built.resolve_many(members, {}, on):
        if found.target is None:
            unmapped.append(found.value)
        elif found.target in targets:
            mapped[found.value] = found.target
        else:
            row = built.table.uid(found.number)
            astray.append(Astray(members[found.value], found.target, there.get(found.target), row))
    return Coverage(built, members, targets, mapped, unmapped, astray)


def _accounts(pair: Pair) -> dict[str, dict[str, Account]]:
    """{chart: {number: account}} of both charts."""
    rows = GLAccount.objects.filter(chart__in={pair.source, pair.target}).exclude(status="merged")
    found: dict[str, dict[str, Account]] = {}
    for chart, *account in rows.values_list("chart", *Account._fields):
        found.setdefault(chart, {})[account[0]] = Account._make(account)
    return found


def codes_of(kind: str, uids: Collection[UUID]) -> dict[UUID, tuple[str, str]]:
    """{uid of a row: (code, name)}"""
    rows = MAPPINGS[kind].model._default_manager.filter(uid__in=uids).values_list("uid", "code", "name")
    return {uid: (code, name) for uid, code, name in rows}


_judged: WeakKeyDictionary[Compiled, list[Finding]] = WeakKeyDictionary()


def findings(built: Compiled) -> list[Finding] | None:
    """What is wrong with the rows for any code that may come; judged once as long as the mapping stays the same."""
    if len(built.rules) > MOST_JUDGED:
        return None
    if built not in _judged:
        _judged[built] = sorted(check(built), key=lambda one: (_ORDER[one.severity], one.message))
    return _judged[built]
