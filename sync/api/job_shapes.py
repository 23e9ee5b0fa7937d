"""What the calls about replays, push jobs and plans show and take."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from pydantic import Field

from mdm.api.operations import Body, Moment, PageQuery, Shown
from sync.api.shapes import DeliveryBody, DeliveryState

JobKind = Literal["replay", "load", "delta", "repeat", "plan"]
JobState = Literal[
    "building", "planning", "waiting", "queued", "checking", "running", "paused", "done", "stale", "refused",
    "cancelled", "failed",
]  # fmt: skip
RowState = Literal[
    "waiting", "queued", "posted", "unchanged", "refused", "failed", "overtaken", "cancelled", "left", "moved"
]
Effect = Literal["create", "change", "block", "unchanged", "refused", "not_for_target"]


class ReplayFilter(Body):
    """At least one. Without `state` and `uid`: dead letters that nothing followed."""

    target: str | list[str] | None = None
    type: str | list[str] | None = None
    record: UUID | list[UUID] | None = None
    uid: UUID | list[UUID] | None = None
    state: DeliveryState | list[DeliveryState] | None = None
    error_code: str | list[str] | None = None
    correlation_id: str | list[str] | None = None
    created_from: Moment | None = None
    created_to: Moment | None = None
    q: str | None = Field(None, max_length=100, description="Words of the record's name or of the error, or a key.")


class ReplayBody(Body):
    filter: ReplayFilter
    dry_run: bool = True
    force: bool = Field(False, description="The version as it was, not the newest.")
    reason: str = Field("", max_length=2000, description="Needed with `force`.")
    rate_per_s: float | None = Field(None, gt=0, description="The pace; without it, that of the target.")


class ReplayAtTarget(Shown):
    target: str
    found: int
    states: dict[str, int]
    lanes: int
    records: int
    newer: int = Field(description="Records of which a newer version would be sent than the one that failed.")
    counts: dict[str, int]
    exact: bool = Field(description="False: `counts` are of the first thousand records.")


class PushJobBody(Shown):
    uid: UUID
    batch: UUID = Field(description="The same for jobs that were asked for together.")
    target: str
    kind: JobKind
    scope: dict[str, Any]
    forced: bool
    reason: str
    state: JobState
    rate_per_s: float
    needs_approval: bool
    total: int
    sends: int = Field(description="Records that would be sent; more than 100 need a second person.")
    done: int
    progress: float | None
    counts: dict[str, int]
    content_hash: str = Field(description="Over every row as shown; whoever approves names it.")
    error: str
    parent: UUID | None
    requested_by: str
    approved_by: str | None
    approved_at: datetime | None
    comment: str
    correlation_id: str
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None


class ReplayShown(Shown):
    filter: dict[str, Any]
    dry_run: bool
    counts: dict[str, int]
    targets: list[ReplayAtTarget]
    jobs: list[PushJobBody]


class PushJobQuery(PageQuery):
    target: str | None = Field(None, max_length=40)
    state: JobState | None = None
    kind: JobKind | None = None
    batch: UUID | None = None


class PlannedChange(Shown):
    field: str
    path: str
    ours: Any
    theirs: Any


class PushRowBody(Shown):
    place: int
    type: str
    record: UUID
    label: str
    key: str
    source: UUID | None = Field(description="The delivery that is repeated.")
    version: int | None = Field(description="Of the delivery that is repeated.")
    effect: Effect | None = Field(description="Of a plan: what would happen there.")
    changes: list[PlannedChange] = Field(description="Of a plan; bank numbers are masked.")
    hidden: int = Field(description="Changes left out: they are about companies that are not the caller's.")
    planned_version: int | None
    state: RowState
    why: str
    delivery: UUID | None = Field(description="What came of it.")


class PushRowQuery(PageQuery):
    state: RowState | None = None
    effect: Effect | None = None


class ApproveJob(Body):
    content_hash: str = Field(max_length=64, description="Of the job as you saw it.")
    comment: str = Field("", max_length=2000)


class RefuseJob(Body):
    reason: str = Field(min_length=1, max_length=2000)


class PlanPush(Body):
    type: str | None = Field(None, max_length=60, description="Record type; without it, every type of the target.")
    since: Moment | None = Field(None, description="Only records that changed since.")
    records: list[UUID] | None = Field(None, max_length=1000, description="Only these; name their type.")
    rate_per_s: float | None = Field(None, gt=0)


class ChainRequest(Shown):
    uid: UUID
    number: str
    title: str
    state: str
    by: str
    at: datetime


class ChainEvent(Shown):
    sequence: int | None
    type: str
    subject: UUID
    verb: str
    version: int
    at: datetime


class ChainBody(Shown):
    correlation_id: str
    requests: list[ChainRequest]
    events: list[ChainEvent]
    jobs: list[PushJobBody]
    deliveries: list[DeliveryBody]
    more: bool = Field(description="There are more deliveries: GET /deliveries/?correlation_id=…")
