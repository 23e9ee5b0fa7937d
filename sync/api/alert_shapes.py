"""What the calls about technical alerts and freeze windows show and take."""

from __future__ import annotations

from datetime import datetime
from typing import Literal
from uuid import UUID

from pydantic import Field

from mdm.api.operations import Body, Moment, PageQuery, Shown

AlertState = Literal["open", "acknowledged", "resolved"]
FreezeState = Literal["coming", "open", "over", "lifted"]


class NotificationBody(Shown):
    event: Literal["opened", "resolved"]
    channel: Literal["email", "webhook"]
    recipient: str
    state: Literal["pending", "sent", "failed", "cancelled"]
    attempts: int
    sent_at: datetime | None
    error: str


class AlertBody(Shown):
    uid: UUID
    target: str
    code: str = Field(description="The cause; a target has one open alert per cause.")
    message: str
    hint: str
    state: AlertState
    opened_at: datetime
    last_seen_at: datetime
    returns: int = Field(description="How often it came back within five minutes of being over.")
    acknowledged_at: datetime | None
    acknowledged_by: str
    note: str
    closed_at: datetime | None
    notifications: list[NotificationBody]


class AlertQuery(PageQuery):
    target: str | None = Field(None, max_length=40)
    state: AlertState | None = None


class AcknowledgeAlert(Body):
    note: str = Field("", max_length=300)


class FreezeBody(Shown):
    uid: UUID
    target: str
    type: str | None
    legal_entities: list[str] = Field(description="Empty: every record.")
    starts_at: datetime
    ends_at: datetime
    state: FreezeState
    blocks_flow: bool = Field(description="Safety first: keys may still be blocked.")
    reason: str
    made_by: str
    made_at: datetime
    lifted_at: datetime | None
    lifted_by: str
    lift_reason: str


class FreezeQuery(PageQuery):
    target: str | None = Field(None, max_length=40)
    state: FreezeState | None = None


class FreezeTarget(Body):
    target: str = Field(max_length=40)
    type: str | None = Field(None, max_length=40, description="Record type; without it, all.")
    legal_entities: list[str] = Field(default_factory=list, max_length=200, description="Codes; empty: every record.")
    starts_at: Moment | None = Field(None, description="Without it, at once, which is in three seconds.")
    ends_at: Moment
    blocks_flow: bool = True
    reason: str = Field(min_length=1, max_length=300)


class LiftFreeze(Body):
    reason: str = Field(min_length=1, max_length=300)
