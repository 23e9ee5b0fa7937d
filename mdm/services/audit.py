"""The audit log's only way in, and the sealing that chains it by hash."""

from __future__ import annotations

import hashlib
from typing import Any

from django.db import connection, transaction
from django.utils import timezone

from mdm import correlation
from mdm.models import AuditEntry
from mdm.types import Actor, canonical_bytes

_LOCK = 7_001  # advisory lock of the one audit sealer
GENESIS = "0" * 64


def entry(
    *,
    action: str,
    by: Actor,
    object_type: str,
    object_uid: Any = "",
    object_label: str = "",
    detail: dict[str, Any] | None = None,
    at: Any = None,
) -> AuditEntry:
    """An unsaved entry, for writers that save many at once."""
    return AuditEntry(
        at=at or timezone.now(),
        actor=by.user,
        actor_kind=by.kind,
        actor_name=by.name,
        action=action,
        object_type=object_type,
        object_uid=str(object_uid),
        object_label=object_label[:300],
        detail=detail or {},
        correlation_id=correlation.current(),
    )


def record(**kwargs: Any) -> AuditEntry:
    """Write one entry in the transaction of what it tells about."""
    row = entry(**kwargs)
    row.save()
    return row


def chain_hash(previous: str, row: AuditEntry) -> str:
    """SHA-256 over the previous hash and everything the entry says."""
    content = {
        "uid": str(row.uid),
        "seq": row.seq,
        "at": row.at.isoformat(),
        "actor": row.actor_id,
        "actor_kind": row.actor_kind,
        "actor_name": row.actor_name,
        "action": row.action,
        "object_type": row.object_type,
        "object_uid": row.object_uid,
        "object_label": row.object_label,
        "detail": row.detail,
        "correlation_id": row.correlation_id,
    }
    return hashlib.sha256(previous.encode() + canonical_bytes(content)).hexdigest()


def seal(*, limit: int = 2000) -> int:
    """Number and chain committed entries; how many were sealed. One sealer at a time, others return 0."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [_LOCK])
        if not cursor.fetchone()[0]:
            return 0
        last = AuditEntry.objects.exclude(seq=None).order_by("-seq").first()
        seq, previous = (last.seq or 0, last.hash) if last else (0, GENESIS)
        rows = list(AuditEntry.objects.filter(seq=None).order_by("id")[:limit])
        for row in rows:
            seq += 1
            row.seq, row.previous = seq, previous
            row.hash = previous = chain_hash(previous, row)
        AuditEntry.objects.bulk_update(rows, ["seq", "previous", "hash"], batch_size=500)
        return len(rows)


def verify() -> list[dict[str, Any]]:
    """Every break of the chain: [{seq, what}]; empty when the sealed log is what was written."""
    breaks: list[dict[str, Any]] = []
    expected_seq, previous = 1, GENESIS
    for row in AuditEntry.objects.exclude(seq=None).order_by("seq").iterator(chunk_size=2000):
        if row.seq != expected_seq:
            breaks.append({"seq": row.seq, "what": f"entries {expected_seq} to {(row.seq or 0) - 1} are missing"})
        if row.previous != previous or row.hash != chain_hash(row.previous, row):
            breaks.append({"seq": row.seq, "what": "the entry was changed after it was sealed"})
        expected_seq, previous = (row.seq or 0) + 1, row.hash
    return breaks
