"""Owns what a target should hold and does not: keys nobody found there, and records that never got a key."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import Exists, OuterRef

from mdm import registry
from mdm.models import Crosswalk, Event
from mdm.selectors.records import current_documents
from sync import filters
from sync.models import Delivery, DriftObservation, Lane
from sync.models.states import DEAD
from sync.services import findings
from sync.services.comparing import Scope
from sync.services.dispatch import STOPPED, label_of
from sync.services.findings import Found

CHUNK = 500


def compare(scope: Scope, after_chunk: Callable[[], None]) -> Counter[str]:
    """After the whole target was scanned: what should be there and was not seen."""
    counts: Counter[str] = Counter()
    for chunk in _chunks_of_keys(scope):
        with transaction.atomic():
            counts += _missing(scope, [(row.key, str(row.uid)) for row in chunk])
            after_chunk()
    for uids in _chunks_of_records(scope):
        with transaction.atomic():
            counts += _missing(scope, [("", uid) for uid in uids])
            after_chunk()
    return counts


def compare_record(scope: Scope, uid: Any, there: set[str]) -> Counter[str]:
    keys = Crosswalk.objects.filter(system=scope.target.system, type=scope.type, uid=uid, active=True)
    primary = [row.key for row in keys if row.primary]
    if keys:
        return _missing(scope, [(key, str(uid)) for key in primary if key not in there])
    return _missing(scope, [("", str(uid))])


def _chunks_of_keys(scope: Scope) -> Iterable[list[Crosswalk]]:
    """Primary keys not seen by this run. A key linked since it began may have been made behind the scan's back."""
    seen = DriftObservation.objects.filter(target=scope.target, type=scope.type, key=OuterRef("key"), run=scope.run)
    began = (scope.run.started_at or scope.run.created_at) - timedelta(seconds=1)
    rows = Crosswalk.objects.filter(
        ~Exists(seen), system=scope.target.system, type=scope.type, active=True, primary=True, since__lt=began
    )
    last = 0
    while chunk := list(rows.filter(pk__gt=last).order_by("pk")[:CHUNK]):
        last = chunk[-1].pk
        yield chunk


def _chunks_of_records(scope: Scope) -> Iterable[list[str]]:
    if not scope.subscription.creates:
        return
    linked = Crosswalk.objects.filter(system=scope.target.system, type=scope.type, uid=OuterRef("uid"), active=True)
    # A target that was subscribed from some event on owes nothing for records that have not changed since.
    since = Event.objects.filter(subject=OuterRef("uid"), seq__gt=scope.subscription.from_seq)
    asked = Lane.objects.filter(target=scope.target, type=scope.type, uid=OuterRef("uid"))
    rows = registry.get(scope.type).model._default_manager.filter(
        Exists(since) | Exists(asked), ~Exists(linked), status="active"
    )
    last = 0
    while chunk := list(rows.filter(pk__gt=last).order_by("pk").values_list("pk", "uid")[:CHUNK]):
        last = chunk[-1][0]
        yield [str(uid) for _, uid in chunk]


def _missing(scope: Scope, pairs: list[tuple[str, str]]) -> Counter[str]:
    uids = {uid for _, uid in pairs}
    documents = current_documents(scope.type, uids)
    causes, settled = _causes(scope, uids), _settled(scope, uids)
    found: dict[str, list[Found]] = {}
    for key, uid in pairs:
        document = documents.get(uid)
        if (
            document is None
            or document["status"] == "merged"
            or not filters.matches(document, scope.subscription.filter)
        ):
            continue
        if not key and (document["status"] in STOPPED or (uid, document["version"]) in settled):
            continue
        found.setdefault(key, []).append(
            Found(
                "missing",
                "record",
                record=UUID(uid),
                label=label_of(scope.type, document),
                target_key=key,
                golden={"code": document.get("code"), "version": document["version"]},
                cause=causes.get(uid, "changed_in_target" if key else "never_pushed"),
            )
        )
    kept = findings.keep(scope.run, scope.target, scope.type, found, settle=False)
    return Counter(missing=sum(map(len, found.values()))) + kept


def _settled(scope: Scope, uids: Iterable[str]) -> set[tuple[str, int | None]]:
    """Versions that were sent and rightly left nothing there: what does not hold yet, where only that can be made which
    does."""
    lanes = Lane.objects.filter(target=scope.target, type=scope.type, uid__in=list(uids), target_key="")
    rows = lanes.exclude(confirmed_at=None).values_list("uid", "confirmed_version")
    return {(str(uid), version) for uid, version in rows}


def _causes(scope: Scope, uids: Iterable[str]) -> dict[str, str]:
    lanes = Lane.objects.filter(target=scope.target, type=scope.type, uid__in=list(uids))
    known = {str(uid): "never_pushed" for uid in lanes.filter(confirmed_at=None).values_list("uid", flat=True)}
    dead = Delivery.objects.filter(target=scope.target, record__in=list(uids), state__in=DEAD, corrected_by=None)
    known |= {str(uid): "rejected_delivery" for uid in dead.values_list("record", flat=True)}
    known |= {str(uid): "pending" for uid in lanes.filter(open=True).values_list("uid", flat=True)}
    return known
