"""What the calls about deliveries show and take."""

from __future__ import annotations

from datetime import date, datetime
from typing import Literal
from uuid import UUID

from pydantic import Field

from mdm.api.operations import PageQuery, Shown

DeliveryState = Literal[
    "pending", "in_flight", "unknown", "retrying", "posted", "rejected", "failed", "poison", "superseded", "held",
    "cancelled",
]  # fmt: skip
Reason = Literal["event", "mapping_changed", "effective_date", "drift_repair", "replay", "manual"]


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
    held: str = Field(description="Why its lane is held; `freeze:` and `poison:` say which hold it is.")
    frozen_until: datetime | None = Field(description="End of the freeze window that holds it.")
    exception: UUID | None = Field(description="What its refusal asks of stewards.")
    corrects: list[UUID] = Field(description="Refused deliveries that this one followed.")
    superseded_by: UUID | None
    corrected_by: UUID | None
    attempts: list[AttemptBody]
    hidden: bool = Field(
        description="It carries data of companies that are not the caller's: what was said is left out."
    )


class DeliveryQuery(PageQuery):
    target: str | None = Field(None, max_length=40)
    state: DeliveryState | None = None
    type: str | None = Field(None, max_length=60)
    reason: Reason | None = None
    record: UUID | None = None
    correlation_id: str | None = Field(None, max_length=64)
    q: str | None = Field(None, max_length=100, description="Words of the record's code or name.")
