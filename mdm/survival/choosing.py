"""Among several offers of one value: which survives, by which test, or what they make together."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from mdm.survival.rules import Rules
from mdm.types import canonical_bytes

EMPTY: tuple[Any, ...] = (None, "", [])


@dataclass(frozen=True)
class Offer:
    """One source's value of a field, a row or a group. `since` is the ISO time of when the source said so.

    The value of a row has no uid; that of a group is {field: value}.
    """

    system: str
    key: str
    value: Any
    since: str


@dataclass(frozen=True)
class Choice:
    """What survived. `rule` is the test that really decided, `of` how many offered, `votes` how many agree with it.

    `parts`: [{value, system, key, since}] of an aggregate; `left_out`: values beyond what the field may hold.
    """

    value: Any
    rule: str
    of: int
    system: str | None = None
    key: str | None = None
    since: str = ""
    votes: int = 1
    parts: list[dict[str, Any]] = field(default_factory=list)
    left_out: int = 0

    def as_json(self) -> dict[str, Any]:
        """The origin as it is kept."""
        shown: dict[str, Any] = {
            "system": self.system,
            "key": self.key,
            "rule": self.rule,
            "since": self.since,
            "of": self.of,
        }
        if self.votes > 1:
            shown["votes"] = self.votes
        if self.parts:
            shown["parts"] = self.parts
        if self.left_out:
            shown["left_out"] = self.left_out
        return shown


def same_bytes(value: Any) -> bytes:
    """Equal values have equal bytes; sealed numbers count by their index."""
    return b"s" + value.encode() if isinstance(value, str) else canonical_bytes(value)


def choose(rules: Rules, path: str, offers: Sequence[Offer], *, most: int = 1_000_000) -> Choice:
    """What survives of at least one offer; the order of the offers plays no part."""
    if len(offers) == 1 and not rules.rule(path).aggregate:
        only = offers[0]
        return Choice(only.value, "only", 1, only.system, only.key, only.since)
    left = sorted(offers, key=lambda offer: (rules.rank(path, offer.system), offer.system, offer.key, offer.since))
    aggregate = rules.rule(path).aggregate
    if aggregate:
        return _AGGREGATES[aggregate](left, most)
    if _agree(left):
        return _one(left, left, "agreed")
    for test in rules.order(path):
        left = _TESTS[test](rules, path, left)
        if _agree(left):
            return _one(left, offers, test)
    # Nothing tells them apart: the lowest system and key, so that tomorrow gives the same answer.
    return _one([min(left, key=lambda offer: (offer.system, offer.key))], offers, "first_key")


def _agree(offers: Sequence[Offer]) -> bool:
    return len({same_bytes(offer.value) for offer in offers}) == 1


def _one(left: Sequence[Offer], offers: Sequence[Offer], rule: str) -> Choice:
    best = left[0]
    mine = same_bytes(best.value)
    votes = len({(o.system, o.key) for o in offers if same_bytes(o.value) == mine})
    return Choice(best.value, rule, len(offers), best.system, best.key, best.since, votes)


def _by_rank(rules: Rules, path: str, offers: list[Offer]) -> list[Offer]:
    best = min(rules.rank(path, offer.system) for offer in offers)
    return [offer for offer in offers if rules.rank(path, offer.system) == best]


def _by_recency(rules: Rules, path: str, offers: list[Offer]) -> list[Offer]:
    latest = max(offer.since for offer in offers)
    return [offer for offer in offers if offer.since == latest]


def _by_age(rules: Rules, path: str, offers: list[Offer]) -> list[Offer]:
    """An offer whose time nobody knows is not taken for the oldest."""
    dated = [offer for offer in offers if offer.since] or offers
    first = min(offer.since for offer in dated)
    return [offer for offer in dated if offer.since == first]


def _by_frequency(rules: Rules, path: str, offers: list[Offer]) -> list[Offer]:
    """A system has one vote per value: five duplicates in one platform do not outvote two platforms."""
    voters: dict[bytes, set[str]] = {}
    for offer in offers:
        voters.setdefault(same_bytes(offer.value), set()).add(offer.system)
    most = max(len(systems) for systems in voters.values())
    return [offer for offer in offers if len(voters[same_bytes(offer.value)]) == most]


def _by_completeness(rules: Rules, path: str, offers: list[Offer]) -> list[Offer]:
    fullest = max(fill(offer.value) for offer in offers)
    return [offer for offer in offers if fill(offer.value) == fullest]


def fill(value: Any) -> int:
    """How much a value says: filled fields of a row, items of a list, characters of a text."""
    if isinstance(value, dict):
        return sum(item not in EMPTY for item in value.values())
    return len(value) if isinstance(value, list | str) else 1


_TESTS: dict[str, Callable[[Rules, str, list[Offer]], list[Offer]]] = {
    "source_rank": _by_rank,
    "recency": _by_recency,
    "oldest": _by_age,
    "frequency": _by_frequency,
    "completeness": _by_completeness,
}


def _union(offers: list[Offer], most: int) -> Choice:
    """Every value once, the most trusted source's first; `parts` says of each value who gives it."""
    values: dict[bytes, Any] = {}
    parts = []
    for offer in offers:
        for value in offer.value:
            values.setdefault(same_bytes(value), value)
            parts.append({"value": value, "system": offer.system, "key": offer.key, "since": offer.since})
    kept = list(values.values())[:most]
    since = max(offer.since for offer in offers)
    return Choice(kept, "union", len(offers), since=since, parts=parts, left_out=len(values) - len(kept))


def _extreme(pick: Callable[..., Offer], rule: str) -> Callable[[list[Offer], int], Choice]:
    def take(offers: list[Offer], most: int) -> Choice:
        best = pick(offers, key=lambda offer: _measure(offer.value))
        return _one([best], offers, rule)

    return take


def _sum(offers: list[Offer], most: int) -> Choice:
    total = sum((Decimal(str(offer.value)) for offer in offers), Decimal(0))
    whole = all(isinstance(offer.value, int) for offer in offers)
    parts = [{"value": o.value, "system": o.system, "key": o.key, "since": o.since} for o in offers]
    since = max(offer.since for offer in offers)
    return Choice(int(total) if whole else str(total), "sum", len(offers), since=since, parts=parts)


def _measure(value: Any) -> Any:
    """Decimals come as text and are compared as numbers; ISO dates compare as text."""
    if isinstance(value, str) and (len(value) != 10 or value.count("-") != 2):
        return Decimal(value)
    return value


_AGGREGATES: dict[str, Callable[[list[Offer], int], Choice]] = {
    "union": _union,
    "min": _extreme(min, "min"),
    "max": _extreme(max, "max"),
    "sum": _sum,
}
