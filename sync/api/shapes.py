"""What the calls of sync show and take."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any, Literal
from uuid import UUID

from pydantic import AwareDatetime, Field

from mdm.api.operations import Body, PageQuery, Shown

DeliveryState = Literal[
    "pending", "in_flight", "unknown", "retrying", "posted", "rejected", "failed", "poison", "superseded", "held",
    "cancelled",
]  # fmt: skip
Reason = Literal["event", "mapping_changed", "effective_date", "drift_repair", "replay", "manual"]
ExceptionState = Literal["open", "corrected", "cancelled", "resolved"]
RunState = Literal["queued", "running", "done", "failed", "cancelled"]
FindingState = Literal["open", "pushed", "adopting", "ignored", "resolved"]
FindingKind = Literal["missing", "extra", "different", "duplicate_key", "unmapped"]
Cause = Literal[
    "changed_in_target", "rejected_delivery", "pending", "within_grace", "mapping_gap", "never_pushed", "not_ours",
    "several_keys",
]  # fmt: skip


# --- targets --------------------------------------------------------------------------------------------------


class TargetQueue(Shown):
    open: int
    ready: int
    oldest_at: datetime | None


class TargetBreaker(Shown):
    state: Literal["closed", "open", "half_open"]
    since: datetime | None
    reason: str


class TargetRate(Shown):
    per_second: float
    burst: int
    last_minute: int = Field(description="Deliveries that got an answer within the last minute.")


class TargetQuota(Shown):
    per_day: int | None
    used_today: int


class TargetAnswers(Shown):
    answers: int
    failures: int


class TargetPause(Shown):
    at: datetime
    by: str
    reason: str


class TargetAlertBody(Shown):
    code: str
    message: str
    since: datetime


class TargetBody(Shown):
    code: str
    title: str
    connector: str
    system: str
    capability: Literal["A", "B", "C", "D", "E"] = Field(description="Capability class; the guarantee follows from it.")
    types: list[str]
    state: Literal["healthy", "degraded", "paused", "down", "frozen", "unknown", "disabled"]
    message: str
    queue: TargetQueue
    breaker: TargetBreaker
    not_before: datetime | None
    rate: TargetRate
    quota: TargetQuota
    concurrency: int
    last_success_at: datetime | None
    last_failure_at: datetime | None
    last_error: str
    last_day: TargetAnswers
    exceptions: int
    dead_letters: int
    drift: int
    paused: TargetPause | None
    checked_at: datetime | None
    pushable: dict[str, bool] = Field(description="Part of the mapping → can it be written there, as last checked.")
    missing: list[str]
    alerts: list[TargetAlertBody]


class TargetCheck(Shown):
    ok: bool
    message: str
    pushable: dict[str, bool]
    missing: list[str]


class PauseTarget(Body):
    reason: str = Field(min_length=1, max_length=300)


class PushToTarget(Body):
    type: str | None = Field(None, max_length=60, description="Record type; without it, every type of the target.")
    records: list[UUID] | None = Field(None, max_length=1000, description="Without it, everything it is subscribed to.")
    dry_run: bool = Field(False, description="Only count.")


class PushedBody(Shown):
    counts: dict[str, int]
    dry_run: bool
    deliveries: list[UUID] = Field(description="For named records; a whole push is queued piece by piece.")


# --- deliveries -----------------------------------------------------------------------------------------------


class ExchangeBody(Shown):
    method: str
    url: str
    status: int | None
    duration_ms: int
    request: str
    response: str


class AttemptBody(Shown):
    number: int
    kind: Literal["send", "read_back"]
    started_at: datetime
    finished_at: datetime | None
    outcome: str
    status: int | None
    message: str
    duration_ms: int | None
    exchanges: list[ExchangeBody] = Field(default=..., description="Only on a single delivery; redacted.")

    model_config = {"json_schema_extra": lambda schema: schema["required"].remove("exchanges")}


class DeliveryFailure(Shown):
    code: str
    message: str


class DeliveryBody(Shown):
    uid: UUID
    target: str
    type: str
    record: UUID
    label: str
    target_key: str
    action: Literal["upsert", "block"]
    version: int
    generation: int
    seq: int
    reason: Reason
    state: DeliveryState
    effect: str
    verified: bool = Field(description="The answer or a read-back showed the values that were sent.")
    error: DeliveryFailure | None
    mapping_version: str
    payload_hash: str
    as_of: date
    correlation_id: str
    requested_by: str
    created_at: datetime
    posted_at: datetime | None
    next_at: datetime | None
    superseded_by: UUID | None
    corrected_by: UUID | None
    attempts: list[AttemptBody]


class DeliveryQuery(PageQuery):
    target: str | None = Field(None, max_length=40)
    state: DeliveryState | None = None
    type: str | None = Field(None, max_length=60)
    reason: Reason | None = None
    record: UUID | None = None
    correlation_id: str | None = Field(None, max_length=64)
    q: str | None = Field(None, max_length=100, description="Words of the record's code or name.")


class ReplayFilter(Body):
    """At least one. Without `state` and `uid`: dead letters that nothing followed."""

    target: str | list[str] | None = None
    type: str | list[str] | None = None
    record: UUID | list[UUID] | None = None
    uid: UUID | list[UUID] | None = None
    state: DeliveryState | list[DeliveryState] | None = None
    error_code: str | list[str] | None = None
    correlation_id: str | list[str] | None = None
    created_from: AwareDatetime | None = None
    created_to: AwareDatetime | None = None


class ReplayBody(Body):
    filter: ReplayFilter
    dry_run: bool = True


class ReplayJobBody(Shown):
    uid: UUID
    filter: dict[str, Any]
    dry_run: bool
    counts: dict[str, int]
    requested_by: str
    created_at: datetime


# --- exceptions -----------------------------------------------------------------------------------------------


class RefusedField(Shown):
    field: str
    path: str
    code: str
    message: str


class ExceptionBody(Shown):
    uid: UUID
    delivery: UUID
    target: str
    type: str
    record: UUID
    label: str
    kind: str
    field: str = Field(description="As the platform names it.")
    path: str = Field(description="In the canonical document.")
    message: str = Field(description="In the words of the platform.")
    problems: list[RefusedField]
    table: str = Field(description="Value map that lacks a row, when that is the cause.")
    value: str
    state: ExceptionState
    assignee: str | None
    opened_at: datetime
    closed_at: datetime | None
    closed_by: str
    note: str
    corrected_by: UUID | None = Field(description="The delivery that followed.")


class ExceptionQuery(PageQuery):
    target: str | None = Field(None, max_length=40)
    state: ExceptionState | None = None
    type: str | None = Field(None, max_length=60)
    record: UUID | None = None
    field: str | None = Field(None, max_length=200)


class AssignException(Body):
    user: str | None = Field(None, max_length=150, description="User name; without it, yourself.")


class CancelException(Body):
    reason: str = Field(min_length=1, max_length=2000)


class ResolveException(Body):
    note: str | None = Field(None, max_length=2000, description="How it was put right outside the hub.")
    theirs: str | None = Field(
        None,
        max_length=200,
        description="For a value without counterpart: theirs. Maps it and sends again all that wait.",
    )


# --- drift ----------------------------------------------------------------------------------------------------


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
