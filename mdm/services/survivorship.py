"""Survivorship: what the golden document becomes of its sources, field by field, with the rule that really decided."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from mdm.models import Pin, SourceRecord, SurvivorshipRule, System
from mdm.registry import ChildType, RecordType
from mdm.services import documents
from mdm.types import Document, same

HUB = "hub"
DEFAULT_ORDER = ("source_rank", "recency", "completeness")
_EMPTY: tuple[Any, ...] = (None, "", [])


@dataclass(frozen=True)
class Offer:
    """One source's value of one field. `since` is ISO time of when the source said so."""

    system: str
    key: str
    value: Any
    since: str


@dataclass(frozen=True)
class Rules:
    """Survivorship of one record type, loaded once per job: tests per path, ranks per system."""

    orders: dict[str, tuple[str, ...]]
    own_ranks: dict[str, dict[str, int]]
    ranks: dict[str, int]

    def order(self, path: str) -> tuple[str, ...]:
        return self.orders.get(path) or self.orders.get("") or DEFAULT_ORDER

    def rank(self, path: str, system: str) -> int:
        own = self.own_ranks.get(path) or self.own_ranks.get("") or {}
        return own.get(system, self.ranks.get(system, 99))


def load(kind: RecordType) -> Rules:
    rows = SurvivorshipRule.objects.filter(type=kind.key)
    return Rules(
        orders={row.path: tuple(part.strip() for part in row.order.split(",") if part.strip()) for row in rows},
        own_ranks={row.path: {code: int(rank) for code, rank in row.ranks.items()} for row in rows if row.ranks},
        # People's own entries are believed first unless governance gives the hub another rank.
        ranks={HUB: 1, **dict(System.objects.values_list("code", "rank"))},
    )


def choose(rules: Rules, path: str, offers: Sequence[Offer]) -> tuple[Offer, str]:
    """The surviving offer and the test that left it alone (“only” when nobody else offered anything)."""
    left = list(offers)
    if all(same(offer.value, left[0].value) for offer in left):
        best = min(left, key=lambda offer: (rules.rank(path, offer.system), offer.key))
        return best, "only" if len(left) == 1 else "agreed"
    for test in rules.order(path):
        kept = _TESTS[test](rules, path, left)
        if len(kept) == 1 or all(same(offer.value, kept[0].value) for offer in kept):
            return kept[0], test
        left = kept
    return min(left, key=lambda offer: (offer.system, offer.key)), "first_key"


def _by_rank(rules: Rules, path: str, offers: list[Offer]) -> list[Offer]:
    best = min(rules.rank(path, offer.system) for offer in offers)
    return [offer for offer in offers if rules.rank(path, offer.system) == best]


def _by_recency(rules: Rules, path: str, offers: list[Offer]) -> list[Offer]:
    latest = max(offer.since for offer in offers)
    return [offer for offer in offers if offer.since == latest]


def _by_completeness(rules: Rules, path: str, offers: list[Offer]) -> list[Offer]:
    fullest = max(_fill(offer.value) for offer in offers)
    return [offer for offer in offers if _fill(offer.value) == fullest]


def _fill(value: Any) -> int:
    """How much a value says: filled fields of a row, items of a list, characters of a text."""
    if isinstance(value, dict):
        return sum(item not in _EMPTY for item in value.values())
    return len(value) if isinstance(value, list | str) else 1


_TESTS = {"source_rank": _by_rank, "recency": _by_recency, "completeness": _by_completeness}
TESTS = tuple(_TESTS)


def compute(
    *,
    kind: RecordType,
    rules: Rules,
    sources: Iterable[SourceRecord],
    current: Document | None,
    provenance: dict[str, Any],
    pins: Iterable[str] = (),
    systems: dict[int, str],
) -> tuple[Document, dict[str, Any]]:
    """(body, provenance) of a golden record from its active source records.

    What people entered in the hub takes part as the source “hub”, with the hub's rank. Pinned paths keep their value.
    `systems`: {System.pk: code}.
    """
    rows = [(systems[row.system_id], row.key, row.document, row.received_at.isoformat()) for row in sources]
    pinned = set(pins)
    children = {child.name: child for child in kind.children}
    body: Document = {}
    where: dict[str, Any] = {}
    for name in kind.document.model_fields:
        if name in children:
            body[name] = _children(kind, children[name], rules, rows, current, provenance, pinned, where)
            continue
        now = (current or {}).get(name)
        offers = [Offer(s, k, d[name], at) for s, k, d, at in rows if d.get(name) not in _EMPTY]
        mine = provenance.get(name)
        if name in pinned or (mine and mine["system"] == HUB and now not in _EMPTY):
            own = Offer(HUB, (mine or {}).get("key", ""), now, (mine or {}).get("since", ""))
            if name in pinned:
                body[name], where[name] = now, _origin(own, "pinned")
                continue
            offers.append(own)
        if not offers:
            kept = now if mine is None else None
            body[name] = [] if kept is None and kind.document.model_fields[name].default_factory is list else kept
            continue
        offer, rule = choose(rules, name, offers)
        body[name], where[name] = offer.value, _origin(offer, rule)
    return body, where


def _origin(offer: Offer, rule: str) -> dict[str, str]:
    return {"system": offer.system, "key": offer.key, "rule": rule, "since": offer.since}


def _children(
    kind: RecordType,
    child: ChildType,
    rules: Rules,
    rows: list[tuple[str, str, Document, str]],
    current: Document | None,
    provenance: dict[str, Any],
    pinned: set[str],
    where: dict[str, Any],
) -> list[Document]:
    """Union of the sources' rows by identity; each row survives as a block from one source."""
    offers: dict[str, list[Offer]] = {}
    for system, key, document, at in rows:
        for row in document.get(child.name) or []:
            offers.setdefault(documents.identity(child, row), []).append(Offer(system, key, row, at))
    known = {documents.identity(child, row): row for row in (current or {}).get(child.name) or []}
    for identity, row in known.items():
        mine = provenance.get(f"{child.name}/{row['uid']}")
        # Rows without provenance, and those of the hub, stay: only what a source gave can go with the source.
        if mine is None or mine["system"] == HUB or f"{child.name}/{row['uid']}" in pinned:
            since = (mine or {}).get("since", "")
            offers.setdefault(identity, []).append(Offer(HUB, (mine or {}).get("key", ""), row, since))
    result = []
    order = {identity: place for place, identity in enumerate(known)}
    for identity in sorted(offers, key=lambda i: order.get(i, len(order))):
        offer, rule = choose(rules, child.name, offers[identity])
        row = {**offer.value, "uid": known.get(identity, offer.value).get("uid") or documents.fresh_uid()}
        result.append(row)
        where[f"{child.name}/{row['uid']}"] = _origin(offer, rule)
    return result


def pins_of(uids: Iterable[str]) -> dict[str, list[str]]:
    """{uid: pinned paths} that still hold today."""
    from django.db.models import Q
    from django.utils import timezone

    found: dict[str, list[str]] = {}
    rows = Pin.objects.filter(Q(until=None) | Q(until__gte=timezone.localdate()), uid__in=list(uids))
    for uid, path in rows.values_list("uid", "path"):
        found.setdefault(str(uid), []).append(path)
    return found
