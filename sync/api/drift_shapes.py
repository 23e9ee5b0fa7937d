"""What the calls about drift show and take."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any, Literal
from uuid import UUID

from pydantic import AwareDatetime, Field

from mdm.api.operations import Body, PageQuery, Shown

RunState = Literal["queued", "running", "done", "failed", "cancelled"]
FindingState = Literal["open", "pushed", "adopting", "ignored", "resolved"]
FindingKind = Literal["missing", "extra", "different", "duplicate_key", "unmapped"]
Cause = Literal[
    "changed_in_target", "rejected_delivery", "pending", "within_grace", "mapping_gap", "never_pushed", "not_ours",
    "several_keys",
]  # fmt: skip


class AskForDrift(Body):
    target: str = Field(max_length=40)
    type: str | None = Field(None, max_length=60)
    record: UUID | None = None
    changed_since: AwareDatetime | None = None


class DriftRunBody(Shown):
    uid: UUID
    target: str
    type: str | None
    record: UUID | None
    changed_since: datetime | None
    state: RunState
    progress: float | None = Field(description="0 to 1; null while it is not known.")
    done: int
    total: int | None
    counts: dict[str, int]
    timings: dict[str, float | None]
    error: str
    report_hash: str
    requested_by: str
    correlation_id: str
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None


class DriftRunQuery(PageQuery):
    target: str | None = Field(None, max_length=40)
    state: RunState | None = None


class FindingBody(Shown):
    uid: UUID
    run: UUID = Field(description="The last run that saw it.")
    target: str
    type: str
    record: UUID | None
    label: str
    target_key: str
    kind: FindingKind
    field: str
    path: str
    golden: Any
    target_value: Any
    hidden: bool = Field(description="The values are left out: they are about companies that are not the caller's.")
    cause: Cause
    state: FindingState
    first_seen_at: datetime
    last_seen_at: datetime
    decided_by: str
    decided_at: datetime | None
    reason: str
    ignored_until: date | None
    delivery: UUID | None
    change_request: UUID | None


class FindingQuery(PageQuery):
    run: UUID | None = None
    target: str | None = Field(None, max_length=40)
    state: FindingState | None = None
    kind: FindingKind | None = None
    cause: Cause | None = None
    type: str | None = Field(None, max_length=60)
    record: UUID | None = None
    field: str | None = Field(None, max_length=200)


class AdoptFinding(Body):
    reason: str = Field("", max_length=2000)


class IgnoreFinding(Body):
    reason: str = Field(min_length=1, max_length=2000)
    until: date | None = Field(None, description="It comes back after this day.")
