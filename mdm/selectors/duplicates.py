"""Reading pairs that may be one thing: the queue, what stands around a pair, and how common its evidence is."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db.models import Count, Q, QuerySet

from mdm import registry
from mdm.folding import fold
from mdm.models import ChangeRequest, Crosswalk, DuplicatePair, MatchKey, MatchProfile
from mdm.models.change import OPEN_STATES
from mdm.permissions import may
from mdm.registry import RecordType
from mdm.selectors import visibility
from mdm.selectors.search_records import found_by
from mdm.selectors.visibility import Entities
from mdm.types import Actor

ORDER = ("-risk", "-probability")  # riskiest first; within the same risk the likeliest


def visible(by: Actor) -> QuerySet[DuplicatePair]:
    """Pairs of the record types the person may read."""
    readable = [kind.key for kind in registry.all_types() if kind.match and may(by, f"read:{kind.path}")]
    return DuplicatePair.objects.filter(type__in=readable)


def matching(rows: QuerySet[DuplicatePair], asked: Mapping[str, str]) -> QuerySet[DuplicatePair]:
    """Those with this judgement, score, flag, import, record, or name."""
    if asked.get("state"):
        rows = rows.filter(state=asked["state"])
    if asked.get("score"):
        rows = rows.filter(probability__gte=float(asked["score"]))
    if asked.get("flag"):
        rows = rows.filter(flags__contains=[asked["flag"]])
    if job := _uid(asked.get("import", "")):
        rows = rows.filter(job__uid=job)
    if record := _uid(asked.get("record", "")):
        rows = rows.filter(Q(left=record) | Q(right=record))
    if asked.get("q"):
        rows = rows.filter(_named(asked["q"]))
    return rows


def _uid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None


def _named(text: str) -> Q:
    condition = Q(pk__in=[])
    for kind in registry.all_types():
        if kind.match:
            uids = found_by(kind.model._default_manager.all(), fold(text).split()).values("uid")
            condition |= Q(type=kind.key, left__in=uids) | Q(type=kind.key, right__in=uids)
    return condition


def after(rows: QuerySet[DuplicatePair], pair: DuplicatePair) -> DuplicatePair | None:
    """The pair that follows in the queue; the first one when this was the last."""
    behind = Q(risk__lt=pair.risk) | Q(risk=pair.risk, probability__lt=pair.probability)
    behind |= Q(risk=pair.risk, probability=pair.probability, pk__lt=pair.pk)
    ordered = rows.exclude(pk=pair.pk).order_by("-risk", "-probability", "-pk")
    return ordered.filter(behind, risk__lte=pair.risk).first() or ordered.first()


def place(rows: QuerySet[DuplicatePair], pair: DuplicatePair, most: int) -> int:
    """How many pairs stand before it, counting no further than `most`."""
    before = Q(risk__gt=pair.risk) | Q(risk=pair.risk, probability__gt=pair.probability)
    before |= Q(risk=pair.risk, probability=pair.probability, pk__gt=pair.pk)
    return rows.filter(before).order_by()[:most].count()


def keys(uids: Sequence[Any]) -> dict[str, list[Crosswalk]]:
    """{uid: its keys at every system}, the most trusted system first; one query."""
    found: dict[str, list[Crosswalk]] = {str(uid): [] for uid in uids}
    rows = Crosswalk.objects.filter(uid__in=uids, active=True).select_related("system")
    for row in rows.order_by("system__rank", "-primary", "key"):
        found[str(row.uid)].append(row)
    return found


def merges_of(uids: Iterable[Any]) -> list[ChangeRequest]:
    """Open requests that would merge one of these records."""
    rows = ChangeRequest.objects.filter(items__uid__in=list(uids), items__action="merge", state__in=OPEN_STATES)
    return list(rows.distinct().order_by("-pk"))


def neighbours(kind: RecordType, uids: Sequence[str], entities: Entities, most: int = 8) -> list[str]:
    """Others that may be the same as one of these and were not judged different, likeliest first."""
    pairs = DuplicatePair.objects.filter(Q(left__in=uids) | Q(right__in=uids), type=kind.key)
    pairs = pairs.filter(state__in=("open", "same", "unsure")).order_by("-probability")[:50]
    found = dict.fromkeys(str(uid) for pair in pairs for uid in (pair.left, pair.right) if str(uid) not in uids)
    rows = kind.model._default_manager.filter(uid__in=found, status__in=("active", "blocked"))
    seen = {str(uid) for uid in visibility.visible(kind, rows, entities).values_list("uid", flat=True)}
    return [uid for uid in found if uid in seen][:most]


@dataclass(frozen=True)
class Features:
    """What matching knows of the two records, and of how many there are."""

    left: dict[str, Any]
    right: dict[str, Any]
    total: int


def features(pair: DuplicatePair) -> Features | None:
    """None when one of the records is matched no more: merged or retired."""
    rows = MatchProfile.objects.filter(uid__in=[pair.left, pair.right]).values_list("uid", "features")
    known: dict[UUID, dict[str, Any]] = dict(rows)
    if pair.left not in known or pair.right not in known:
        return None
    return Features(known[pair.left], known[pair.right], MatchProfile.objects.filter(type=pair.type).count())


def holders(hashes: Sequence[int]) -> dict[int, int]:
    """{hashed key: records that hold it}; one query."""
    rows = MatchKey.objects.filter(key__in=hashes).order_by().values_list("key")
    return dict(rows.annotate(count=Count("profile", distinct=True)))
