"""Shapes of undoing merges, and of the blocks that keep records apart afterwards."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import Field

from mdm.api.change_shapes import PathDiff
from mdm.api.match_shapes import KeyMove, MergeBlockBody, TargetEffect
from mdm.api.operations import Body, PageQuery, Shown
from mdm.api.survivorship import SourceInput

_HOLDERS = "Per path changed since the merge, the record that keeps the value; see `since` of the preview."


class UnmergeInput(Body):
    members: list[UUID] = Field(
        default_factory=list, max_length=20, description="Merged records that come back; none: all that are left."
    )
    holders: dict[str, UUID] = Field(default_factory=dict, description=_HOLDERS)


class UnmergeProposal(UnmergeInput):
    reason: str = Field("", max_length=5000)


class UnmergeRecordInput(Body):
    """Either the record that comes back, or the source records that do not belong here."""

    merged_uid: UUID | None = Field(None, description="The record that became part of this one and comes back.")
    source_records: list[SourceInput] = Field(
        default_factory=list,
        max_length=100,
        description="Source records that leave. The merge they came with is undone; those that were linked here go to a "
        "record of their own. Name all that came with the same record.",
    )
    holders: dict[str, UUID] = Field(default_factory=dict, description=_HOLDERS)
    reason: str = Field("", max_length=5000)


class MergeNamed(Shown):
    uid: UUID
    number: str
    title: str
    applied_at: datetime


class RestoredRecord(Shown):
    document: dict[str, Any]
    changes: list[PathDiff]


class ChangedSince(Shown):
    """A value that changed after the merge: `merged` then, `value` now. `holder` keeps it, unless you say otherwise."""

    path: str
    label: str
    merged: Any
    value: Any
    holder: UUID
    default: UUID
    system: str | None


class KeyElsewhere(Shown):
    system: str
    title: str
    key: str
    uid: UUID


class MovedReference(Shown):
    type: str
    uid: UUID
    path: str
    label: str


class LeftReference(MovedReference):
    why: str


class FollowedReference(Shown):
    """A reference of a record that comes back; what it named was merged meanwhile."""

    uid: UUID
    path: str
    old: UUID
    new: UUID


class DecisionSince(Shown):
    pair: UUID
    other: UUID
    judgement: str
    by: str
    at: datetime


class UnmergePreview(Shown):
    """What undoing the merge would do; nothing is stored."""

    merge: MergeNamed
    survivor: dict[str, Any]
    result: dict[str, Any]
    changes: list[PathDiff]
    restored: list[RestoredRecord]
    still: list[dict[str, Any]]
    since: list[ChangedSince]
    crosswalks: list[KeyMove]
    elsewhere: list[KeyElsewhere] = Field(description="Keys that lead to a third record by now; they stay there.")
    linked_since: list[KeyMove] = Field(description="Keys linked after the merge that stay with the survivor.")
    references: list[MovedReference]
    left: list[LeftReference]
    followed: list[FollowedReference]
    targets: list[TargetEffect]
    decisions: list[DecisionSince]


class MergeBlockShown(MergeBlockBody):
    type: str
    lifted_at: datetime | None
    lifted_by: str
    lift_reason: str


class MergeBlockQuery(PageQuery):
    record: str | None = Field(None, max_length=60, description="uid of a record on either side.")
    lifted: bool = Field(False, description="Those lifted already, instead of those in force.")


class LiftBlockInput(Body):
    reason: str = Field(max_length=5000, description="Why they may be merged after all.")
