"""Owns how far a mapping reaches: members with, without, with a bad target; what its rows get wrong."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import NamedTuple
from uuid import UUID
from weakref import WeakKeyDictionary

from django.db.models import Count

from dimensions.mapping_rows import MAPPINGS
from dimensions.models import ChartOfAccounts, GLAccount, TaxCode
from dimensions.services import mappings
from dimensions.services.mappings import Pair
from dimensions.tax_code_mapping import KEY as TAX_CODES
from mdm.mapping import Compiled, Finding, Proposal, check, proposals
from mdm.models import Crosswalk, System

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
    """`members`: what the source has in use today. Judged without a context: rows with conditions do not count. A tax code
    without a row that has a key at the system counts as mapped."""

    pair: Pair
    built: Compiled
    members: Mapping[str, Account]
    targets: Mapping[str, Account]
    mapped: Mapping[str, str]
    unmapped: Sequence[str]
    astray: Sequence[Astray]

    @property
    def rows(self) -> int:
        return mappings.in_force(self.pair).count()

    def proposals(self, numbers: Sequence[str], most: int = 3) -> dict[str, list[Proposal]]:
        """For codes without a target; takes one comparison of names per number, target and mapped account."""
        names = {number: account.name for number, account in self.members.items()}
        return proposals(numbers, self.mapped, names, {n: one.name for n, one in self.targets.items()}, most=most)

    def findings(self) -> list[Finding] | None:
        """The worst first; None when there are too many rows to judge at once."""
        whole = not len(self.built.table) or mappings.is_whole(self.pair, self.built)
        return findings(self.built) if whole else None


def charts() -> list[tuple[str, str]]:
    """(code, name) of every chart in use."""
    rows = ChartOfAccounts.objects.exclude(status__in=("retired", "merged")).order_by("code")
    return list(rows.values_list("code", "name"))


def systems() -> list[tuple[str, str]]:
    return list(System.objects.order_by("title").values_list("code", "title"))


def pairs() -> dict[Pair, int]:
    """Pairs that have a mapping, with the number of rows; the largest first. One query per kind of mapping."""
    counted: dict[Pair, int] = {}
    for kind, one in MAPPINGS.items():
        rows = one.model._default_manager.exclude(status__in=("retired", "merged")).order_by()
        fields = [field for field in (one.source, one.target) if field]
        for *named, number in rows.values_list(*fields).annotate(number=Count("pk")):
            counted[Pair(kind, named[0] if one.source else "", named[-1])] = number
    return dict(sorted(counted.items(), key=lambda found: (-found[1], found[0])))


def of(pair: Pair, on: date, also: Collection[str] = ()) -> Coverage:
    """At most four queries. `also`: codes besides the members that are asked of the mapping later."""
    members, there = _tax_codes(pair) if pair.kind == TAX_CODES else _accounts(pair)
    built = mappings.answers(*pair, {*members, *also})
    targets = {number: one for number, one in there.items() if one.usable}
    by_key = {one.number: key for key, one in there.items()} if pair.kind == TAX_CODES else {}
    mapped: dict[str, str] = {}
    unmapped: list[str] = []
    astray: list[Astray] = []
    for found in built.resolve_many(members, {}, on):
        if found.target is None and found.value in by_key:
            mapped[found.value] = by_key[found.value]
        elif found.target is None:
            unmapped.append(found.value)
        elif found.target in targets or pair.kind == TAX_CODES:
            mapped[found.value] = found.target
        else:
            row = built.table.uid(found.number)
            astray.append(Astray(members[found.value], found.target, there.get(found.target), row))
    if pair.kind == TAX_CODES:  # of the codes of a system the hub knows those that it leads to
        targets |= {code: Account(code, "", members[value].uid, "active", "current")
                    for value, code in mapped.items() if code not in targets}  # fmt: skip
    return Coverage(pair, built, members, targets, mapped, unmapped, astray)


def _accounts(pair: Pair) -> tuple[dict[str, Account], dict[str, Account]]:
    """{number: account} of the source chart, only those in use, and of the target chart."""
    rows = GLAccount.objects.filter(chart__in={pair.source, pair.target}).exclude(status="merged")
    found: dict[str, dict[str, Account]] = {}
    for chart, *account in rows.values_list("chart", *Account._fields):
        found.setdefault(chart, {})[account[0]] = Account._make(account)
    return _in_use(found.get(pair.source, {})), found.get(pair.target, {})


def _tax_codes(pair: Pair) -> tuple[dict[str, Account], dict[str, Account]]:
    """{code: tax code} of the hub, only those in use, and {key: tax code} of the keys of the system."""
    rows = TaxCode.objects.exclude(status="merged").values_list("code", *Account._fields[1:])
    found = {account.number: account for account in map(Account._make, rows)}
    keys = Crosswalk.objects.filter(system__code=pair.target, type="tax_code", active=True).order_by("key")
    by_uid = {account.uid: account for account in found.values()}
    return _in_use(found), {key: by_uid[uid] for key, uid in keys.values_list("key", "uid") if uid in by_uid}


def _in_use(found: Mapping[str, Account]) -> dict[str, Account]:
    return {number: one for number, one in sorted(found.items()) if one.usable}


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
