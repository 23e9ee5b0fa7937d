"""Owns what a push would do to one record at a target: ours beside what it holds now. Reads, never writes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from mdm.models import Crosswalk
from mdm.selectors.records import current_documents
from mdm.types import Document
from sync import errors
from sync.models import PushRow, Subscription, Target
from sync.payloads import Renderer, conceal, fingerprint, renderer
from sync.protocol import Readable, RemoteRecord
from sync.services import pushing
from sync.services.dispatch import Basis, keys_of, label_of, wants_for

MOST_CHANGES = 60  # kept of one record


@dataclass
class Found:
    """What a look at the target says about one row."""

    effect: str
    why: str = ""
    key: str = ""
    version: int | None = None
    payload_hash: str = ""
    remote_digest: str = ""
    changes: list[dict[str, Any]] = field(default_factory=list)


@dataclass
class Glass:
    """What is needed to look at the rows of one type: ours as it is now, and how it would be said there."""

    subscription: Subscription
    render: Renderer
    documents: dict[str, Document]
    keys: dict[tuple[int, str], list[Crosswalk]]


def glass(target: Target, type: str, rows: Sequence[PushRow]) -> Glass:
    subscription = pushing.subscription_of(target, type)
    uids = [str(row.record) for row in rows]
    return Glass(subscription, renderer(target, type), current_documents(type, uids), keys_of([subscription], uids))


def look(connector: Readable, row: PushRow, glass: Glass) -> Found:
    """What a push would do to one record there; reads, never writes."""
    document = glass.documents.get(str(row.record))
    wants = wants_for(glass.subscription, document, glass.keys, Basis(reason="manual")) if document else []
    if document is None or not wants:
        return Found("not_for_target", version=document["version"] if document else None)
    want, version = wants[0], int(document["version"])
    if want.action == "block":
        return _block(connector, row, want.key, version)
    payload: dict[str, Any] = {}
    try:
        payload = glass.render.render(document)
        there = connector.read(row.type, want.key) if want.key else connector.find(row.type, want.uid, payload)
    except errors.Refused as error:
        words = conceal(error.message, glass.render.mapping.sealed_values(payload))
        return Found("refused", words, want.key, version)
    if there is None and want.key:
        return Found("refused", f"The target has no record {want.key} any more.", want.key, version)
    base = Found(
        "create",
        key=there.key if there else "",
        version=version,
        payload_hash=glass.render.hash(payload),
        remote_digest=digest_of(there),
    )
    if there is None:
        return base
    if not want.key and (owner := _owner(glass, row, there.key)):
        base.effect, base.why = "refused", f"The record {there.key} there already belongs to {owner}."
        return base
    base.changes = _changes(glass.render, payload, there)
    base.effect = "change" if base.changes or not want.key else "unchanged"
    return base


def _block(connector: Readable, row: PushRow, key: str, version: int) -> Found:
    there = connector.read(row.type, key)
    if there is None:
        return Found("refused", f"The target has no record {key} any more.", key, version)
    effect = "unchanged" if there.blocked else "block"
    return Found(effect, key=key, version=version, remote_digest=digest_of(there))


def _changes(render: Renderer, payload: dict[str, Any], there: RemoteRecord) -> list[dict[str, Any]]:
    found = [
        {
            "field": one.field,
            "path": one.path,
            "ours": render.storable(one.field, one.expected),
            "theirs": render.storable(one.field, one.actual),
        }
        for one in render.mapping.compare(payload, there.fields, parts=render.parts)
    ]
    if there.blocked:
        found.append({"field": "blocked", "path": "", "ours": False, "theirs": True})
    return found[:MOST_CHANGES]


def digest_of(there: RemoteRecord | None) -> str:
    """The same for the same content there; nothing can be guessed back from it."""
    return fingerprint(None if there is None else [there.fields, there.blocked])


def _owner(glass: Glass, row: PushRow, key: str) -> str:
    link = Crosswalk.objects.filter(
        system=glass.subscription.target.system_id, type=row.type, key=key, active=True
    ).first()
    if link is None or link.uid == row.record:
        return ""
    document = current_documents(row.type, [link.uid]).get(str(link.uid))
    return label_of(row.type, document) if document else "another golden record"
