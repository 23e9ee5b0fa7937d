"""Shapes of matching, duplicates and merges."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from pydantic import Field

from mdm.api.change_shapes import PathDiff
from mdm.api.operations import Body, PageQuery, Query, Shown

Band = Literal["link", "review", "none"]
PairState = Literal["open", "same", "different", "related", "unsure", "follows", "merged", "gone"]
Judgement = Literal["same", "different", "related", "unsure"]
Relation = Literal["parent", "child", "sibling"]


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


class Limits(Shown):
    """Points from which a pair is shown to a person, and from which it is linked unasked."""

    review: float
    link: float


class Confirmation(Shown):
    """A person said that this record (`uid`) and another one are the same."""

    uid: UUID
    other: UUID
    by: str
    at: datetime


class WhyBody(ScoreBody):
    why: list[str]
    why_not: list[str]
    thresholds: Limits = Field(description="Those that hold for these two.")
    confirmed: list[Confirmation] = Field(description="Why they are stricter than elsewhere; empty where they are not.")


class RecordInPair(Shown):
    uid: UUID
    code: str | None
    name: str | None


class CompareQuery(Query):
    left: str = Field(max_length=60, description="uid, or `code:` and the code.")
    right: str = Field(max_length=60)


class Ranking(Shown):
    """The parts of `rank`, which are multiplied, and why in words; empty for a pair not ranked yet."""

    risk: float | None = None
    confidence: float | None = None
    use: float | None = None
    why: list[str] = []
    used: str = Field("", description="What depends on the two, in few words: used by 3 systems, spend 1.2 m EUR.")


class DuplicateBody(ScoreBody):
    """`state` is what the judgements that stand amount to; `follows`: nobody need judge it, others leave one answer."""

    uid: UUID
    type: str
    kind: Literal["duplicate", "account"]
    left: RecordInPair
    right: RecordInPair
    rank: float
    risk: float
    ranking: Ranking
    state: PairState
    follows: Literal["same", "different"] | None
    dispute: Literal["people", "logic"] | None
    assigned_to: str | None
    reopened_at: datetime | None
    evidence_hash: str
    found_at: datetime


class JudgementBody(Shown):
    """`open` by a person takes their judgement back; by the hub it means that the evidence changed."""

    judgement: Literal["same", "different", "related", "unsure", "open"]
    relation: Relation | None
    reason: str
    by: str
    at: datetime
    evidence_hash: str
    settles: bool
    stands: bool
    change_request: UUID | None


class Premise(Shown):
    left: UUID
    right: UUID
    judgement: str


class WholeDuplicate(DuplicateBody):
    judgements: list[JudgementBody]
    follows_from: list[Premise]


class DuplicateQuery(PageQuery):
    state: PairState | None = None
    kind: Literal["duplicate", "account"] | None = None
    type: str | None = Field(None, max_length=60)
    band: Band | None = None
    score: float | None = Field(None, ge=0, le=1, description="Probability of at least this.")
    flag: str | None = Field(None, max_length=40)
    dispute: Literal["any", "people", "logic"] | None = None
    reopened: bool | None = Field(None, description="true: came back because its evidence changed.")
    assigned: str | None = Field(None, max_length=150, description="`me`, `nobody`, or a user name.")
    age: Literal["day", "week", "month", "older"] | None = None
    system: str | None = Field(None, max_length=40, description="Code of a system that knows one of the records.")
    country: str | None = Field(None, max_length=2)
    entity: str | None = Field(None, max_length=40, description="Code of a legal entity that uses one of the records.")
    record: str | None = Field(None, max_length=60, description="uid of a record on either side.")
    q: str | None = Field(None, max_length=200, description="Words of a name, or a code.")


class DuplicateCounts(Shown):
    """Open pairs, and of these accounts, returned ones and the caller's; then disputed, unsure and inferred ones."""

    open: int
    account: int
    reopened: int
    mine: int
    dispute: int
    unsure: int
    follows: int


class DecideInput(Body):
    judgement: Judgement
    relation: Relation | None = Field(None, description="With `related`: what the left record is to the right one.")
    reason: str = Field("", max_length=2000)
    settle: bool = Field(False, description="A lead steward ends the dispute: all other judgements lapse.")
    evidence_hash: str | None = Field(None, max_length=64, description="As you saw it; refused when it has changed.")


class DecideManyInput(Body):
    pairs: list[UUID] = Field(min_length=1, max_length=200)
    judgement: Literal["same", "different", "unsure"]
    reason: str = Field("", max_length=2000)


class Judged(Shown):
    judged: int


class AssignInput(Body):
    to: str | None = Field(None, max_length=150, description="User name of a steward.")


class ClusterPair(Shown):
    uid: UUID
    left: UUID
    right: UUID
    state: PairState
    follows: str | None
    probability: float


class ClusterBody(Shown):
    members: list[RecordInPair]
    groups: list[list[UUID]]
    pairs: list[ClusterPair]
    cut: bool = Field(description="There are more members than shown.")


class MergeInput(Body):
    survivor: UUID | None = Field(
        None, description="Who stays. Left out: the record of `losers` that was created first, ties by code."
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
    creates: list[str] = Field(description="Codes of records the system gets as new ones.")
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
