"""Shapes of matching, duplicates and merges."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from pydantic import Field

from mdm.api.change_shapes import PathDiff
from mdm.api.operations import Body, PageQuery, Shown

Band = Literal["link", "review", "none"]
PairState = Literal["open", "same", "different", "unsure", "merged"]


class Evidence(Shown):
    feature: str
    left: str
    right: str
    weight: float
    note: str


class ScoreBody(Shown):
    """`base` and the weights add up to `score`."""

    score: float
    base: float
    probability: float
    band: Band
    flags: list[str]
    explanation: list[Evidence]


class Candidate(ScoreBody):
    uid: UUID
    code: str
    legal_name: str = Field(description="The record's name, whatever its type calls it.")


class MatchBody(Shown):
    candidates: list[Candidate]


class MatchAnswer(Shown):
    """`candidates` for one document; `results`, in the order sent, for several."""

    candidates: list[Candidate] | None = None
    results: list[MatchBody] | None = None


class MatchInput(Body):
    document: dict[str, Any] | None = Field(None, description="What is known of a record; nothing is required.")
    documents: list[dict[str, Any]] | None = Field(None, min_length=1, max_length=1000)
    limit: int = Field(10, ge=1, le=100)
    threshold: float | None = Field(None, ge=-1000, le=1000, description="Only scores of at least this.")


class WhyBody(ScoreBody):
    why: list[str]
    why_not: list[str]


class RecordInPair(Shown):
    uid: UUID
    code: str | None
    name: str | None


class DuplicateBody(ScoreBody):
    uid: UUID
    type: str
    left: RecordInPair
    right: RecordInPair
    risk: float
    state: PairState
    found_at: datetime


class DuplicateQuery(PageQuery):
    state: PairState | None = None
    type: str | None = Field(None, max_length=60)
    band: Band | None = None
    record: str | None = Field(None, max_length=60, description="uid of a record on either side.")


class DecideInput(Body):
    judgement: Literal["same", "different", "unsure"]
    reason: str = Field("", max_length=2000)


class MergeInput(Body):
    survivor: UUID | None = Field(
        None, description="Who stays. Left out: the record of `losers` that was created first, ties by uid."
    )
    losers: list[UUID] = Field(min_length=1, max_length=20)
    choices: dict[str, UUID] = Field(default_factory=dict, description="Per field, the record whose value survives.")
    drops: list[str] = Field(
        default_factory=list,
        max_length=1000,
        description="Rows of any of the records, such as `addresses/<uid>`, that do not survive.",
    )


class MergeProposal(MergeInput):
    reason: str = Field("", max_length=5000)


class ValueOf(Shown):
    uid: UUID
    value: Any


class MergeField(Shown):
    path: str
    label: str
    values: list[ValueOf]
    result: Any
    differs: bool


class TargetEffect(Shown):
    """What becomes of the keys at one system. `told` is false where no target delivers to it."""

    system: str
    title: str
    updates: list[str]
    unblocks: list[str] = Field(description="Keys blocked there today that are opened and updated again.")
    blocks: list[str]
    told: bool


class KeyMove(Shown):
    """A local key: the record it leads to now (`uid`) and afterwards."""

    system: str
    title: str
    key: str
    uid: UUID
    after: UUID
    primary: bool


class MergeBlockBody(Shown):
    """Two records that were merged once and taken apart by `change_request`."""

    uid: UUID
    left: UUID
    right: UUID
    change_request: str
    reason: str
    by: str
    at: datetime


class MergePreview(Shown):
    """What the merge would do; nothing is stored. `blocks` have to be lifted before it can be proposed."""

    survivor: dict[str, Any]
    losers: list[dict[str, Any]]
    result: dict[str, Any]
    changes: list[PathDiff]
    fields: list[MergeField]
    crosswalks: list[KeyMove]
    references: list[dict[str, Any]]
    targets: list[TargetEffect]
    blocks: list[MergeBlockBody]
