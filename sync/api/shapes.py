"""What the calls about deliveries and exceptions show and take."""

from __future__ import annotations

from datetime import date, datetime
from typing import Literal
from uuid import UUID

from pydantic import Field

from mdm.api.operations import Body, PageQuery, Shown

DeliveryState = Literal[
    "pending", "in_flight", "unknown", "retrying", "posted", "rejected", "failed", "poison", "superseded", "held",
    "cancelled",
]  # fmt: skip
Reason = Literal["event", "mapping_changed", "effective_date", "drift_repair", "replay", "manual"]
ExceptionState = Literal["open", "corrected", "cancelled", "resolved"]


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
