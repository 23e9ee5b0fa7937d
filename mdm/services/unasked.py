"""Requests that ask nobody, because somebody has agreed already: what the sources say by an approved rule, what was planned."""

from __future__ import annotations

from collections.abc import Sequence

from django.utils import timezone

from mdm import correlation
from mdm.models import ChangeItem, ChangeRequest, Participant
from mdm.services import audit, bulk, records, whole_request
from mdm.services.records import Write
from mdm.types import Actor, diff


def open_request(
    kind: str, title: str, *, by: Actor, reason: str, origin: str, policies: Sequence[str] = ()
) -> ChangeRequest:
    """An approved request to write under; `close` it in the same transaction."""
    now = timezone.now()
    change = ChangeRequest.objects.create(
        title=title[:300],
        reason=reason,
        kind=kind,
        origin=origin,
        state="approved",
        policies=list(policies),
        correlation_id=correlation.current(),
        requester=by.user,
        requester_name=by.name,
        submitted_at=now,
        decided_at=now,
    )
    if by.user:
        Participant.objects.create(request=change, person=by.user, side="maker")
    return change


def write(writes: Sequence[Write], change: ChangeRequest, by: Actor) -> None:
    """Write the records, each an item of the request."""
    versions = records.write(writes, change=change, by=by, at=timezone.now())
    bulk.insert(
        [
            ChangeItem(
                request=change,
                type=item.kind.key,
                uid=item.after["uid"],
                label=item.kind.name_of(item.after)[:300],
                action=item.action,
                base_version=version.version - 1,
                result_version=version.version,
                changes=[part.as_json() for part in diff(item.before or {}, item.after)],
                detail={"code": item.after["code"]},
            )
            for item, version in zip(writes, versions, strict=True)
        ]
    )


def close(change: ChangeRequest, by: Actor) -> None:
    change.content_hash = whole_request.content_hash(change.items.all(), None)
    change.state, change.applied_at = "applied", timezone.now()
    change.save()
    audit.record(
        action="request.applied", by=by, object_type="change_request", object_uid=change.uid, object_label=str(change)
    )
