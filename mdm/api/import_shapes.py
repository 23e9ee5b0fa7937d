"""Shapes of imports and of the rows they refuse."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from pydantic import Field

from mdm.api.operations import Body, PageQuery, Shown

JobState = Literal["uploaded", "queued", "running", "done", "failed", "cancelled"]


class Counts(Shown):
    """`in` = linked + new + updated + unchanged + candidate + quarantined, always."""

    in_: int = Field(alias="in")
    linked: int
    new: int
    updated: int
    unchanged: int
    candidate: int
    quarantined: int


class Recount(Shown):
    """Keys and words were counted anew while it ran: known pairs compared, and those judged otherwise by it."""

    taken_at: datetime
    records: int
    pairs: int
    flips: int
    bands: dict[str, int] = Field(description="Pairs by `from>to`, of the bands link, review and none.")


class ImportBody(Shown):
    uid: UUID
    system: str
    type: str
    file_name: str
    state: JobState
    error: str
    counts: Counts
    progress: float | None = Field(description="0 to 1; null while the rows are not counted yet.")
    rows_total: int | None
    change_request: UUID | None
    created_by: str
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    correlation_id: str
    recounts: list[Recount] = Field(description="Newest first; a filling hub learns what is rare in it.")


class ImportQuery(PageQuery):
    state: JobState | None = None
    system: str | None = Field(None, max_length=40)
    type: str | None = Field(None, max_length=60)


class ImportFields(Body):
    """The parts of the form beside the file."""

    system: str = Field(max_length=40, description="Code of the system the rows come from.")
    type: str = Field(max_length=60, description="Record type.")
    mapping: str | None = Field(
        None, max_length=100_000, description="Column mapping as JSON; without it the system's own."
    )


class ProblemDetail(Shown):
    path: str
    code: str
    message: str


class RefusedRow(Shown):
    uid: UUID
    row: int
    key: str
    cause: str
    errors: list[ProblemDetail]
    raw: dict[str, Any] = Field(description="As received; bank numbers masked.")
    state: Literal["open", "resolved", "dismissed"]
    resolved_by: str
    resolved_at: datetime | None


class RefusedQuery(PageQuery):
    state: Literal["open", "resolved", "dismissed"] | None = None
    cause: str | None = Field(None, max_length=40)


class ResubmitInput(Body):
    values: dict[str, str] = Field(description="The columns that change; a mask sent back means unchanged.")


class DismissInput(Body):
    reason: str = Field(min_length=1, max_length=2000)
