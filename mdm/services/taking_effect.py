"""What was planned comes to hold on its day: dated records are written anew, so that everybody who follows hears of it.

It was approved when it was planned. The request made here only says that the day has come; it asks nobody.
"""

from __future__ import annotations

from django.db import transaction
from django.utils import timezone

from mdm import dating, registry
from mdm.models import Provenance
from mdm.registry import RecordType
from mdm.services import comparisons, rebuilding, unasked
from mdm.services.records import Write
from mdm.types import Actor

BATCH = 200  # records of one transaction
REASON = "Approved when it was planned; its day has come."


def take_effect(*, by: Actor) -> int:
    """Records that show other values from today on; how many. Safe to run anywhere, any number of times at once."""
    return sum(_take(kind, by) for kind in registry.all_types() if kind.periods)


@transaction.atomic
def _take(kind: RecordType, by: Actor) -> int:
    today = timezone.localdate()
    due = kind.model._default_manager.filter(next_change__lte=today).exclude(status="merged").order_by("next_change")
    uids = list(due.values_list("uid", flat=True)[:BATCH])
    if not uids:
        return 0
    current = rebuilding.lock(kind, uids)
    still = set(map(str, due.filter(uid__in=uids).values_list("uid", flat=True)))  # what nobody wrote meanwhile
    origins = {
        str(uid): fields for uid, fields in Provenance.objects.filter(uid__in=still).values_list("uid", "fields")
    }
    writes = [
        Write(
            kind=kind,
            action="update",
            before=document,
            after=dating.as_of(kind, document, today),
            provenance=origins.get(uid, {}),
            detail={"planned": True},
        )
        for uid, document in current.items()
        if uid in still
    ]
    if not writes:
        return 0
    title = f"What was planned holds: {len(writes)} {(kind.plural if len(writes) > 1 else kind.title).lower()}"
    change = unasked.open_request("planned", title, by=by, reason=REASON, origin="system")
    unasked.write(writes, change, by)
    moved = comparisons.touched([(item.before, item.after) for item in writes], kind=kind)
    comparisons.follow(kind=kind, uids=moved)
    unasked.close(change, by)
    return len(writes)
