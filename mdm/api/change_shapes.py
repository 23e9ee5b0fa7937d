"""Shapes of change requests: what answers show and what calls take."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any, Literal
from uuid import UUID

from pydantic import Field

from mdm.api.operations import Body, Moment, PageQuery, Shown

State = Literal[
    "draft",
    "submitted",
    "in_review",
    "returned",
    "approved",
    "scheduled",
    "applied",
    "rejected",
    "withdrawn",
    "conflicted",
    "expired",
]
Priority = Literal["normal", "urgent"]
Action = Literal["create", "update", "block", "unblock", "retire", "merge", "unmerge", "detach"]


class PathDiff(Shown):
    path: str
    before: Any
    after: Any


class PathConflict(Shown):
    path: str
    base: Any
    proposed: Any
    current: Any
    why: str | None = Field(None, description="What stands against it, where it is not only another value.")


class ChangeItemBody(Shown):
    type: str
    uid: UUID
    code: str | None
    label: str
    action: Action
    base_version: int | None
    result_version: int | None
    diff: list[PathDiff]
    conflicts: list[PathConflict]
    hidden: int = Field(description="Differences of other legal entities, which the caller may not see.")


class ApprovalBody(Shown):
    by: str
    on_behalf_of: str | None
    verdict: Literal["approve", "reject", "return"]
    at: datetime
    comment: str
    lapsed: bool


class StepBody(Shown):
    order: int
    role: str
    quorum: int
    state: Literal["waiting", "open", "done"]
    due_at: datetime | None
    approvals: list[ApprovalBody]


class RiskFlag(Shown):
    code: str
    severity: str
    message: str
    evidence: Any = None


class AllowedAction(Shown):
    action: str
    allowed: bool
    why_not: str


class CommentBody(Shown):
    by: str
    at: datetime
    text: str


class ChangeRequestBody(Shown):
    """Somebody's proposal, its review, and what became of it."""

    uid: UUID
    number: str
    title: str
    reason: str
    kind: str
    origin: str
    state: State
    priority: Priority
    effective_on: date | None
    content_hash: str
    risk_flags: list[RiskFlag]
    policies: list[str]
    requester: str
    correlation_id: str
    reverts: UUID | None
    import_job: UUID | None
    created_at: datetime
    submitted_at: datetime | None
    decided_at: datetime | None
    applied_at: datetime | None
    due_at: datetime | None
    steps: list[StepBody]
    items: list[ChangeItemBody] = Field(
        description="The first items; all of them under `items/`. A list shows none of a load."
    )
    items_count: int
    comments: list[CommentBody]
    allowed_actions: list[AllowedAction]


class PlanInput(Body):
    """What becomes of those who still use a record that is retired or closed; one of `replace_with` and `keep`, or both."""

    replace_with: str = Field("", max_length=40, description="Code of the record they refer to instead.")
    from_: date | None = Field(None, alias="from", description="From this day on; absent: from the day it leaves.")
    keep: str = Field(
        "", max_length=1000, description="Why those that remain may stay as they are; approvers are told."
    )

    def as_plan(self) -> dict[str, Any]:
        start = {"from": self.from_.isoformat()} if self.from_ else {}
        return {"replace_with": self.replace_with.strip(), "keep": self.keep.strip(), **start}


class ItemInput(Body):
    """One record's part. `document` for a new record, `changes` as a merge-patch for an existing one."""

    type: str = Field(max_length=60, description="Record type, as `suppliers` or `supplier`.")
    uid: str | None = Field(None, max_length=60, description="uid or `code:<code>`; not for a new record.")
    action: Literal["create", "update", "block", "unblock", "retire"] = "update"
    document: dict[str, Any] | None = None
    changes: dict[str, Any] | None = None
    base_version: int | None = Field(None, ge=0, le=2_147_483_647)
    plan: PlanInput | None = Field(None, description="Of a record that is retired or closed while others use it.")


class ChangeRequestInput(Body):
    title: str = Field("", max_length=300)
    reason: str = Field("", max_length=5000)
    effective_on: date | None = None
    priority: Priority = "normal"
    draft: bool = Field(False, description="Keep it as a draft; submit it later.")
    items: list[ItemInput] = Field(min_length=1, max_length=1000)


class ChangeRequestEdit(Body):
    title: str | None = Field(None, max_length=300)
    reason: str | None = Field(None, max_length=5000)
    effective_on: date | None = Field(None, description="null: as soon as it is approved; left out: as it is.")
    items: list[ItemInput] | None = Field(None, min_length=1, max_length=1000, description="Replace all items.")


class DecisionInput(Body):
    content_hash: str = Field(max_length=64, description="Of what you saw; anything else is refused with 409.")
    comment: str = Field("", max_length=5000)


class CommentInput(Body):
    comment: str = Field(max_length=5000)


class WordsInput(Body):
    comment: str = Field("", max_length=5000)


class ResolveInput(Body):
    choices: dict[str, Literal["proposed", "current"]] = Field(
        description="For every conflicting path, `proposed` or `current`; `<item>/<path>` where items share a path."
    )
    comment: str = Field("", max_length=5000)


class BulkDecisionItem(Body):
    uid: UUID
    content_hash: str = Field("", max_length=64)


class BulkDecisionInput(Body):
    verdict: Literal["approve", "reject", "return"]
    comment: str = Field("", max_length=5000)
    requests: list[BulkDecisionItem] = Field(min_length=1, max_length=200)


class BulkDecisionResult(Shown):
    uid: UUID
    ok: bool
    state: State | None
    code: str | None
    detail: str | None


class BulkDecisionBody(Shown):
    results: list[BulkDecisionResult]


class ChangeRequestQuery(PageQuery):
    state: State | None = None
    state__in: str | None = Field(None, max_length=200, description="States with commas.")
    kind: str | None = Field(None, max_length=20)
    origin: str | None = Field(None, max_length=20)
    type: str | None = Field(None, max_length=60, description="Requests with an item of this record type.")
    record: str | None = Field(None, max_length=60, description="uid of a record: requests with an item of it.")
    number: str | None = Field(None, max_length=20)
    correlation_id: str | None = Field(None, max_length=64)
    requester: Literal["me"] | None = None
    created_at__gte: Moment | None = None
    created_at__lte: Moment | None = None
    ordering: Literal["created_at", "-created_at", "due_at", "-due_at"] = "-created_at"


class InboxQuery(PageQuery):
    tab: Literal["mine", "team", "sent", "all"] = "mine"
