"""Reading pairs that may be one thing: the queue, what stands around a pair, and how common its evidence is."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.contrib.auth.models import User
from django.db import connection
from django.db.models import Count, Q, QuerySet
from django.utils import timezone

from mdm import registry
from mdm.folding import fold
from mdm.models import ChangeRequest, Crosswalk, DuplicatePair, MatchProfile
from mdm.models.change import OPEN_STATES
from mdm.permissions import ROLES, may
from mdm.registry import RecordType
from mdm.selectors import visibility
from mdm.selectors.search_records import found_by
from mdm.selectors.visibility import Entities
from mdm.types import Actor

ORDER = ("-rank",)  # risk × confidence × use, see mdm.services.ranking
WARNINGS = "bank:warnings"
_AGES = {"day": 1, "week": 7, "month": 30}


def visible(by: Actor) -> QuerySet[DuplicatePair]:
    """Pairs of the record types the person may read; shared accounts only for those who may see such warnings."""
    readable = [kind.key for kind in registry.all_types() if kind.match and may(by, f"read:{kind.path}")]
    rows = DuplicatePair.objects.filter(type__in=readable)
    return rows if may(by, WARNINGS) else rows.filter(kind="duplicate")


def matching(rows: QuerySet[DuplicatePair], asked: Mapping[str, str], *, by: Actor) -> QuerySet[DuplicatePair]:
    """Those the filters name: state, kind, type, score, band, flag, dispute, reopened, assigned, age, system, country, entity,
    import, record, q. What cannot be meant finds nothing."""
    for name in ("state", "kind", "type", "band"):
        if asked.get(name):
            rows = rows.filter(**{name: asked[name]})
    if asked.get("score"):
        rows = rows.filter(probability__gte=float(asked["score"]))
    if asked.get("flag"):
        rows = rows.filter(flags__contains=[asked["flag"]])
    if asked.get("dispute"):
        rows = rows.exclude(dispute="") if asked["dispute"] == "any" else rows.filter(dispute=asked["dispute"])
    if asked.get("reopened"):
        rows = rows.filter(reopened_at__isnull=False)
    if asked.get("assigned"):
        rows = _assigned(rows, asked["assigned"], by)
    if asked.get("age") in _AGES:
        rows = rows.filter(found_at__gte=timezone.now() - timedelta(days=_AGES[asked["age"]]))
    elif asked.get("age") == "older":
        rows = rows.filter(found_at__lt=timezone.now() - timedelta(days=_AGES["month"]))
    if asked.get("system"):
        held = Crosswalk.objects.filter(system__code=asked["system"], active=True).values("uid")
        rows = rows.filter(Q(left__in=held) | Q(right__in=held))
    if asked.get("country"):
        rows = rows.filter(_of_records({"country": asked["country"]}))
    if asked.get("entity"):
        rows = rows.filter(_used_by(asked["entity"]))
    if job := _uid(asked.get("import", "")):
        rows = rows.filter(job__uid=job)
    if record := _uid(asked.get("record", "")):
        rows = rows.filter(Q(left=record) | Q(right=record))
    if asked.get("q"):
        rows = rows.filter(_named(asked["q"]))
    return rows


def counts(rows: QuerySet[DuplicatePair], *, by: Actor) -> dict[str, int]:
    """How many pairs wait in each view of the queue; one query over what is not settled."""
    waiting = rows.filter(Q(state__in=("open", "unsure", "follows")) | ~Q(dispute="")).order_by()
    is_open = Q(state="open")
    return waiting.aggregate(
        open=Count("pk", filter=is_open),
        account=Count("pk", filter=is_open & Q(kind="account")),
        reopened=Count("pk", filter=is_open & Q(reopened_at__isnull=False)),
        mine=Count("pk", filter=is_open & Q(assigned_to=by.user)) if by.user else Count("pk", filter=Q(pk=None)),
        dispute=Count("pk", filter=~Q(dispute="")),
        unsure=Count("pk", filter=Q(state="unsure")),
        follows=Count("pk", filter=Q(state="follows")),
    )


def _assigned(rows: QuerySet[DuplicatePair], to: str, by: Actor) -> QuerySet[DuplicatePair]:
    if to == "nobody":
        return rows.filter(assigned_to=None)
    return rows.filter(assigned_to=by.user) if to == "me" else rows.filter(assigned_to__username=to)


def _of_records(where: Mapping[str, Any]) -> Q:
    condition = Q(pk__in=[])
    for kind in registry.all_types():
        if kind.match and all(name in kind.filters for name in where):
            uids = kind.model._default_manager.filter(**where).values("uid")
            condition |= Q(type=kind.key) & (Q(left__in=uids) | Q(right__in=uids))
    return condition


def _used_by(entity: str) -> Q:
    condition = Q(pk__in=[])
    for kind in registry.all_types():
        for child in kind.children if kind.match else ():
            if child.entity_field:
                users = child.model._default_manager.filter(**{child.entity_field: entity})
                uids = users.values("record__uid")
                condition |= Q(type=kind.key) & (Q(left__in=uids) | Q(right__in=uids))
    return condition


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
    behind = Q(rank__lt=pair.rank) | Q(rank=pair.rank, pk__lt=pair.pk)
    ordered = rows.exclude(pk=pair.pk).order_by("-rank", "-pk")
    return ordered.filter(behind, rank__lte=pair.rank).first() or ordered.first()


def place(rows: QuerySet[DuplicatePair], pair: DuplicatePair, most: int) -> int:
    """How many pairs stand before it, counting no further than `most`."""
    before = Q(rank__gt=pair.rank) | Q(rank=pair.rank, pk__gt=pair.pk)
    return rows.filter(before).order_by()[:most].count()


def stewards() -> QuerySet[User]:
    """Who may be given a pair."""
    roles = [role for role, (_, scopes) in ROLES.items() if "steward" in scopes]
    return User.objects.filter(is_active=True, groups__name__in=roles).distinct().order_by("first_name", "username")


def between(type_key: str, uids: Iterable[Any]) -> list[DuplicatePair]:
    """Known pairs among these records; one query."""
    listed = list(uids)
    return list(DuplicatePair.objects.filter(type=type_key, left__in=listed, right__in=listed).order_by("-rank", "-pk"))


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


def shared_keys(pair: DuplicatePair) -> dict[int, int]:
    """{kind of key, as stored: how many records hold the rarest one the two share}, counting to a thousand; one query."""
    with connection.cursor() as cursor:
        cursor.execute(
            """SELECT own.kind, min((SELECT count(*) FROM (SELECT 1 FROM mdm_matchkey h WHERE h.key = own.key LIMIT 1000) c))
            FROM mdm_matchprofile l
            JOIN mdm_matchkey own ON own.profile_id = l.id
            JOIN mdm_matchkey theirs ON theirs.key = own.key
            JOIN mdm_matchprofile r ON r.id = theirs.profile_id AND r.uid = %s
            WHERE l.uid = %s GROUP BY own.kind""",
            [pair.right, pair.left],
        )
        return dict(cursor.fetchall())
