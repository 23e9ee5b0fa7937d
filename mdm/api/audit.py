"""The audit log: who did what, when; and the proof that nothing in it was changed."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from pydantic import Field
from rest_framework.request import Request
from rest_framework.response import Response

from mdm import crypto
from mdm.api.operations import Moment, Page, PageQuery, Shown, operation
from mdm.api.view import HubView
from mdm.models import AuditEntry
from mdm.selectors import audit_log
from mdm.services import audit


class AuditBody(Shown):
    uid: UUID
    seq: int | None = Field(description="Place in the chain; null until it is sealed, seconds later.")
    at: datetime
    actor: str
    actor_kind: Literal["person", "token", "system"]
    action: str
    object_type: str
    object_uid: str
    object_label: str
    detail: dict[str, Any]
    correlation_id: str
    previous: str
    hash: str


class AuditQuery(PageQuery):
    actor: str | None = Field(None, max_length=200, description="Name, or its beginning.")
    action: str | None = Field(None, max_length=60, description="Action, or its beginning such as `request.`.")
    object_type: str | None = Field(None, max_length=40)
    object_uid: str | None = Field(None, max_length=64)
    correlation_id: str | None = Field(None, max_length=64)
    at__gte: Moment | None = None
    at__lte: Moment | None = None
    ordering: Literal["at", "-at"] = "-at"


class Break(Shown):
    seq: int | None
    what: str


class VerifyBody(Shown):
    ok: bool
    entries: int = Field(description="Sealed entries that were checked.")
    unsealed: int
    breaks: list[Break]


def present(entry: AuditEntry) -> dict[str, Any]:
    return {
        "uid": entry.uid,
        "seq": entry.seq,
        "at": entry.at,
        "actor": entry.actor_name,
        "actor_kind": entry.actor_kind,
        "action": entry.action,
        "object_type": entry.object_type,
        "object_uid": entry.object_uid,
        "object_label": entry.object_label,
        "detail": crypto.mask_tree(entry.detail),
        "correlation_id": entry.correlation_id,
        "previous": entry.previous,
        "hash": entry.hash,
    }


class Audit(HubView):
    @operation("List audit entries", scope="audit", query=AuditQuery, answers={200: Page[AuditBody]})
    def get(self, request: Request) -> Response:
        rows = audit_log.seen_by(self.actor, self.entities)
        for name in ("object_type", "object_uid", "correlation_id", "at__gte", "at__lte"):
            if (value := getattr(self.query, name)) is not None:
                rows = rows.filter(**{name: value})
        for name, column in (("actor", "actor_name"), ("action", "action")):
            if value := getattr(self.query, name):
                rows = rows.filter(**{f"{column}__startswith": value})
        return self.page(rows, present=present, order=(self.query.ordering,))


class VerifyAudit(HubView):
    @operation(
        "Verify the audit log",
        scope="audit",
        answers={200: VerifyBody},
        notes="Recomputes the whole chain; `breaks` names every entry that was changed or is missing.",
    )
    def get(self, request: Request) -> Response:
        breaks = audit.verify()
        sealed = AuditEntry.objects.exclude(seq=None).count()
        unsealed = AuditEntry.objects.filter(seq=None).count()
        return Response({"ok": not breaks, "entries": sealed, "unsealed": unsealed, "breaks": breaks})
