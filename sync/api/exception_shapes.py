"""What the calls about business exceptions, and the rules that make them, show and take."""

from __future__ import annotations

from datetime import datetime
from typing import Literal
from uuid import UUID

from pydantic import Field

from mdm.api.operations import Body, PageQuery, Shown

ExceptionState = Literal["open", "retrying", "corrected", "repeated", "cancelled", "resolved"]


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
    code: str = Field(description="What the platform calls the refusal, else what the hub does.")
    field: str = Field(description="As the platform names it.")
    path: str = Field(description="In the canonical document.")
    message: str = Field(description="In the words of the platform.")
    problems: list[RefusedField]
    hint: str = Field(description="What puts it right, in words.")
    rule: str | None = Field(description="Name of the rule that decided what the outcome means.")
    table: str = Field(description="Value map that lacks a row, when that is the cause.")
    value: str
    state: ExceptionState = Field(description="`retrying`: a later delivery is on its way; it decides.")
    owner: str | None = Field(description="Role that looks after it.")
    assignee: str | None
    opened_at: datetime
    due_at: datetime | None
    overdue: bool
    closed_at: datetime | None
    closed_by: str
    note: str
    follows: UUID | None = Field(description="The exception whose correction was refused too.")
    corrected_by: UUID | None = Field(description="The delivery that followed.")
    corrected: bool = Field(description="That delivery arrived.")


class ExceptionQuery(PageQuery):
    target: str | None = Field(None, max_length=40)
    state: ExceptionState | None = None
    type: str | None = Field(None, max_length=60)
    record: UUID | None = None
    field: str | None = Field(None, max_length=200)
    code: str | None = Field(None, max_length=100)
    owner: str | None = Field(None, max_length=40, description="Role that looks after it.")
    assignee: str | None = Field(None, max_length=150, description="User name; `-` for those nobody has.")
    overdue: bool | None = None


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


class DecideExceptions(Body):
    uids: list[UUID] = Field(min_length=1, max_length=500)
    action: Literal["retry", "assign", "cancel", "resolve"]
    reason: str = Field("", max_length=2000, description="Needed to cancel and to resolve.")
    user: str | None = Field(None, max_length=150, description="To assign: user name; without it, yourself.")


class LeftException(Shown):
    uid: UUID
    why: str


class DecidedExceptions(Shown):
    done: int
    left: list[LeftException] = Field(description="Those it was not done to, and why.")


class ExceptionOwnerBody(Shown):
    legal_entity: str
    type: str
    role: str
    person: str | None
    sla_hours: int | None


class OutcomeRuleBody(Shown):
    name: str
    active: bool
    position: int = Field(description="Lower is asked first; the first that fits decides.")
    target: str | None
    type: str
    match: Literal["code", "contains", "starts", "like"]
    pattern: str
    category: Literal["business", "technical", "self_healing"]
    hint: str
    tries: int
    min_wait_s: int
    max_wait_s: int
    owners: list[ExceptionOwnerBody]
