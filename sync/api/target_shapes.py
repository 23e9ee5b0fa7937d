"""What the calls about targets show and take."""

from __future__ import annotations

from datetime import datetime
from typing import Literal
from uuid import UUID

from pydantic import Field

from mdm.api.operations import Body, Moment, Shown
from sync.api.alert_shapes import FreezeBody


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
    acknowledged_by: str


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
    freezes: list[FreezeBody] = Field(description="Freeze windows that are open, and those to come.")
    frozen: int = Field(description="Lanes that wait for the end of one.")


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
    since: Moment | None = Field(None, description="Only records that changed since.")
    dry_run: bool = Field(False, description="Only count.")


class PushedBody(Shown):
    counts: dict[str, int]
    dry_run: bool
    deliveries: list[UUID] = Field(description="Of up to 100 named records.")
    job: UUID | None = Field(description="Of everything else: the push job, see `GET /push-jobs/{uid}/`.")
