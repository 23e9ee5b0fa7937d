"""Owns comparing what a target holds with what it should hold: differences, their probable cause, and what was seen."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from django.db import connection
from django.db.models.functions import Now

from mdm import registry
from mdm.models import Crosswalk
from mdm.selectors.records import current_documents
from mdm.types import Document
from sync import errors, filters
from sync.mapping import Difference
from sync.models import Delivery, DriftObservation, DriftRun, Lane, Subscription, Target
from sync.models.states import DEAD
from sync.payloads import Renderer, fingerprint, renderer
from sync.protocol import RemoteRecord
from sync.services import findings
from sync.services.dispatch import STOPPED, label_of
from sync.services.findings import Found

SHAPES = {"different": "field", "missing": "row_missing", "extra": "row_extra"}


@dataclass(frozen=True)
class Scope:
    """What one run compares: one type at one target, under the mapping as it is now."""

    run: DriftRun
    target: Target
    subscription: Subscription
    render: Renderer

    @property
    def type(self) -> str:
        return self.subscription.type


@dataclass
class Seen:
    """One record of the target beside ours. `role`: primary, secondary (should be blocked) or extra (nobody's)."""

    remote: RemoteRecord
    role: str
    uid: str = ""
    expected_digest: str = ""
    actual_digest: str = ""
    found: list[Found] = field(default_factory=list)


def scope(run: DriftRun, subscription: Subscription) -> Scope:
    return Scope(run, subscription.target, subscription, renderer(subscription.target, subscription.type))


def compare(scope: Scope, remotes: Sequence[RemoteRecord]) -> Counter[str]:
    """One batch, inside the caller's transaction; what this run has seen already is passed over."""
    before = {
        row.key: row
        for row in DriftObservation.objects.filter(
            target=scope.target, type=scope.type, key__in=[remote.key for remote in remotes]
        )
    }
    fresh = [r for r in remotes if r.key not in before or before[r.key].run_id != scope.run.pk]
    seen = _pair(scope, list({remote.key: remote for remote in fresh}.values()))
    changed = [one for one in seen if not _as_before(one, before.get(one.remote.key))]
    counts = Counter(scanned=len(seen), unchanged=len(seen) - len(changed), compared=len(changed))
    _find(scope, changed)
    _observe(scope, seen)
    for one in changed:
        counts.update(found.kind for found in one.found)
    counts += findings.keep(scope.run, scope.target, scope.type, {one.remote.key: one.found for one in changed})
    return counts


def _pair(scope: Scope, remotes: list[RemoteRecord]) -> list[Seen]:
    links = {
        row.key: row
        for row in Crosswalk.objects.filter(
            system=scope.target.system, type=scope.type, key__in=[r.key for r in remotes], active=True
        )
    }
    model = registry.get(scope.type).model
    versions = {
        uid: (version, status)
        for uid, version, status in model._default_manager.filter(
            uid__in={row.uid for row in links.values()}
        ).values_list("uid", "version", "status")
    }
    paired = []
    for remote in remotes:
        link = links.get(remote.key)
        one = Seen(remote, "extra" if link is None else "primary" if link.primary else "secondary")
        if link is not None:
            one.uid = str(link.uid)
            ours = [one.uid, versions.get(link.uid), scope.render.version, scope.render.parts]
            one.expected_digest = fingerprint([*ours, one.role, scope.subscription.filter])
        one.actual_digest = fingerprint([remote.fields, remote.blocked])
        paired.append(one)
    return paired


def _as_before(one: Seen, before: DriftObservation | None) -> bool:
    return (
        before is not None
        and before.agrees
        and before.actual_digest == one.actual_digest
        and before.expected_digest == one.expected_digest
    )


def _find(scope: Scope, changed: list[Seen]) -> None:
    documents = current_documents(scope.type, {one.uid for one in changed if one.uid})
    causes = Causes(scope, [one.remote.key for one in changed], [one.uid for one in changed if one.uid])
    for one in changed:
        document = documents.get(one.uid)
        if one.role == "extra" or document is None:
            one.found = [_extra(scope, one.remote)]
        elif filters.matches(document, scope.subscription.filter):
            one.found = _differences(scope, one, document, causes)


def _extra(scope: Scope, remote: RemoteRecord) -> Found:
    fields = {
        name: scope.render.storable(name, value)
        for name, value in remote.fields.items()
        if value not in (None, "") and scope.render.adoptable(name)
    }
    values = {"blocked": remote.blocked, "fields": fields}
    return Found("extra", "record", cause="not_ours", target_key=remote.key, target_value=values)


def _differences(scope: Scope, one: Seen, document: Document, causes: Causes) -> list[Found]:
    base: dict[str, Any] = {
        "record": UUID(one.uid),
        "label": label_of(scope.type, document),
        "target_key": one.remote.key,
    }
    if one.role == "secondary" or document["status"] in STOPPED:
        if one.remote.blocked:
            return []
        kind, cause = (
            ("duplicate_key", "several_keys") if one.role == "secondary" else ("different", causes.of(one, ""))
        )
        return [Found(kind, "block", field="blocked", golden=True, target_value=False, cause=cause, **base)]
    try:
        payload = scope.render.render(document)
    except errors.Refused as error:
        return [_gap(problem, base) for problem in error.problems]
    differences = scope.render.mapping.compare(payload, one.remote.fields, parts=scope.render.parts)
    cause = causes.of(one, scope.render.hash(payload)) if differences else ""
    return [_different(scope, difference, cause, base) for difference in differences]


def _gap(problem: errors.FieldProblem, base: dict[str, Any]) -> Found:
    return Found(
        "unmapped",
        "field",
        field=problem.field,
        path=problem.field,
        golden=problem.message,
        cause="mapping_gap",
        **base,
    )


def _different(scope: Scope, difference: Difference, cause: str, base: dict[str, Any]) -> Found:
    return Found(
        "different",
        SHAPES[difference.kind],
        field=difference.field,
        path=difference.path,
        golden=scope.render.storable(difference.field, difference.expected),
        target_value=scope.render.storable(difference.field, difference.actual),
        cause=cause,
        **base,
    )


class Causes:
    """Why a key probably differs, from its lane; three queries for a batch."""

    def __init__(self, scope: Scope, keys: Iterable[str], uids: Iterable[str]) -> None:
        lanes = Lane.objects.filter(target=scope.target, type=scope.type)
        self._lanes = {lane.target_key: lane for lane in lanes.filter(target_key__in=list(keys))}
        dead = Delivery.objects.filter(
            target=scope.target, record__in=list(uids), state__in=DEAD, corrected_by=None, action="upsert"
        )
        self._dead = {str(uid) for uid in dead.values_list("record", flat=True)}
        self._grace_s = scope.target.grace_s
        with connection.cursor() as cursor:
            cursor.execute("SELECT now()")
            self._now = cursor.fetchone()[0]

    def of(self, one: Seen, expected_hash: str) -> str:
        lane = self._lanes.get(one.remote.key)
        if lane is not None and (lane.open or lane.hold_reason):
            return "pending"
        if one.uid in self._dead:
            return "rejected_delivery"
        if lane is None or lane.confirmed_at is None:
            return "never_pushed"
        if expected_hash and lane.confirmed_hash != expected_hash:
            return "pending"  # a newer version or mapping that is not dispatched yet
        age = (self._now - lane.confirmed_at).total_seconds()
        if not lane.confirmed_verified and age < self._grace_s:
            return "within_grace"
        return "changed_in_target"


def _observe(scope: Scope, seen: Iterable[Seen]) -> None:
    DriftObservation.objects.bulk_create(
        [
            DriftObservation(
                target=scope.target,
                type=scope.type,
                key=one.remote.key,
                run=scope.run,
                actual_digest=one.actual_digest,
                expected_digest=one.expected_digest,
                agrees=not one.found,
                seen_at=Now(),
            )
            for one in seen
        ],
        update_conflicts=True,
        unique_fields=["target", "type", "key"],
        update_fields=["run", "actual_digest", "expected_digest", "agrees", "seen_at"],
    )
