"""The order of the duplicates queue: risk × confidence × use, one function, its parts kept in words for the page."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from math import log2, log10
from typing import Any

from django.db import transaction
from django.db.models import Count, UUIDField
from django.utils import timezone

from mdm import ports, registry
from mdm.matching.config import SHARED_BANK, TAX_ID_CONFLICT
from mdm.models import Crosswalk, DuplicatePair
from mdm.registry import RecordType
from mdm.services import spending

# What makes a pair dangerous besides being one, and how much.
RISKS = {
    SHARED_BANK: (1.0, "one bank account under two names"),
    TAX_ID_CONFLICT: (0.25, "valid tax numbers that differ"),
}
_HALF_BLOCKED = (0.5, "one of them is blocked, the other can still be paid")
_STALE = timedelta(days=1)  # use grows without anybody touching the pair


@dataclass(frozen=True)
class Use:
    """What depends on the two records: {words: how many}, in order; systems that know them; {currency: spent a year}."""

    counts: Mapping[str, int] = field(default_factory=dict)
    statuses: frozenset[str] = frozenset()
    systems: int = 0
    spend: Mapping[str, Decimal] = field(default_factory=dict)

    @property
    def total(self) -> int:
        return sum(self.counts.values())

    @property
    def weight(self) -> float:
        """From 1. Doubling what depends on them adds a quarter, ten times the money beyond a thousand another one."""
        return 1 + log2(1 + self.total) / 4 + log10(1 + max(spending.worth(self.spend), 0.0) / 1000) / 4


@dataclass(frozen=True)
class Ranking:
    """`value` = risk × confidence × use. risk from 1 (nothing beyond a duplicate), confidence 0–1, use from 1."""

    risk: float
    confidence: float
    use: float
    why: tuple[str, ...]
    used: str = ""  # in few words, for the row of the queue

    @property
    def value(self) -> float:
        return round(self.risk * self.confidence * self.use, 4)

    def as_json(self) -> dict[str, Any]:
        return {
            "risk": self.risk,
            "confidence": self.confidence,
            "use": self.use,
            "why": list(self.why),
            "used": self.used,
        }


def rank(*, kind: str, probability: float, flags: Iterable[str], use: Use) -> Ranking:
    """The one rule. A shared account is a fact whatever the score says; use counts by its magnitude."""
    risks = [RISKS[flag] for flag in flags if flag in RISKS]
    if "blocked" in use.statuses and "active" in use.statuses:
        risks.append(_HALF_BLOCKED)
    confidence = 1.0 if kind == "account" else round(probability, 4)
    sure = "the account is the same for certain" if kind == "account" else f"{probability:.2f} likely to be one record"
    counted = [f"{words}: {number}" for words, number in use.counts.items() if number]
    counted += spending.in_words(use.spend)
    why = (
        *(words for _, words in risks),
        sure,
        f"together: {', '.join(counted)}" if counted else "nothing uses them",
    )
    return Ranking(1 + sum(points for points, _ in risks), confidence, round(use.weight, 4), why, _used(use))


def _used(use: Use) -> str:
    systems = f"used by {use.systems} system{'s' if use.systems != 1 else ''}" if use.systems else ""
    return ", ".join(filter(None, [systems, spending.in_short(use.spend)]))


def apply(pairs: Sequence[DuplicatePair]) -> None:
    """Set risk, rank and ranking of these pairs; a few queries per record type, nothing is saved."""
    now = timezone.now()
    by_type: dict[str, list[DuplicatePair]] = defaultdict(list)
    for pair in pairs:
        by_type[pair.type].append(pair)
    for key, mine in by_type.items():
        counted = _counted(registry.get(key), {str(uid) for pair in mine for uid in (pair.left, pair.right)})
        for pair in mine:
            found = rank(
                kind=pair.kind, probability=pair.probability, flags=pair.flags, use=_joint(counted, pair)
            )  # fmt: skip
            pair.risk, pair.rank, pair.ranking, pair.ranked_at = found.risk, found.value, found.as_json(), now


FIELDS = ("risk", "rank", "ranking", "ranked_at")


@transaction.atomic
def refresh(limit: int = 500) -> int:
    """Rank anew the open pairs not ranked for a day; how many. Safe at any time, anywhere."""
    waiting = DuplicatePair.objects.filter(state="open").exclude(ranked_at__gte=timezone.now() - _STALE)
    # What somebody works on right now waits for the next round: this one never waits with pairs in its hands.
    pairs = list(waiting.select_for_update(skip_locked=True).order_by("ranked_at")[:limit])
    apply(pairs)
    DuplicatePair.objects.bulk_update(pairs, FIELDS, batch_size=250)
    return len(pairs)


# --- use --------------------------------------------------------------------------------------------------------------


@dataclass
class _Counted:
    status: dict[str, str]
    counts: dict[str, dict[str, int]]  # words -> {uid: how many}
    systems: dict[str, set[int]]
    spend: Mapping[str, Mapping[str, Decimal]]


def _joint(counted: _Counted, pair: DuplicatePair) -> Use:
    both = (str(pair.left), str(pair.right))
    counts = {words: sum(found.get(uid, 0) for uid in both) for words, found in counted.counts.items()}
    return Use(
        counts,
        frozenset(counted.status.get(uid, "") for uid in both),
        len(set().union(*(counted.systems.get(uid, ()) for uid in both))),
        spending.added(counted.spend.get(uid, {}) for uid in both),
    )


def _counted(kind: RecordType, uids: set[str]) -> _Counted:
    rows = kind.model._default_manager.filter(uid__in=uids)
    status, pks = {}, {}
    for pk, uid, state in rows.values_list("pk", "uid", "status"):
        status[str(uid)], pks[pk] = state, str(uid)
    keys: dict[str, int] = defaultdict(int)
    systems: dict[str, set[int]] = defaultdict(set)
    for uid, system in Crosswalk.objects.filter(uid__in=uids, active=True).values_list("uid", "system"):
        keys[str(uid)] += 1
        systems[str(uid)].add(system)
    counts: dict[str, dict[str, int]] = {"keys at systems": keys}
    for child in kind.children:
        if child.entity_field:
            users = child.model._default_manager.filter(record__in=pks).order_by().values_list("record_id")
            counts["companies using them"] = {pks[pk]: many for pk, many in users.annotate(many=Count("pk"))}
    counts["records naming them"] = _referring(kind, uids)
    for provider in ports.usage:
        for uid, found in provider(kind.key, uids).items():
            for words, many in found.items():
                counts.setdefault(words, {})[uid] = many
    return _Counted(status, counts, systems, spending.of(kind, uids))


def _referring(kind: RecordType, uids: set[str]) -> dict[str, int]:
    """Golden records whose own field holds one of the uids."""
    found: dict[str, int] = defaultdict(int)
    for other in registry.all_types():
        for path, key in other.references.items():
            if key == kind.key and "." not in path and isinstance(other.model._meta.get_field(path), UUIDField):
                rows = other.model._default_manager.filter(**{f"{path}__in": uids}).exclude(status="merged")
                for uid, many in rows.order_by().values_list(path).annotate(many=Count("pk")):
                    found[str(uid)] += many
    return found
