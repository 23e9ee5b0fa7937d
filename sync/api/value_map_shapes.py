"""What the calls about value maps show and take."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import Field

from mdm.api.operations import Body, Shown


class ValueMapUse(Shown):
    type: str
    field: str = Field(description="The platform's field that looks into the map.")
    path: str = Field(description="What it is made of, in the golden record.")


class ValueMapRowBody(Shown):
    ours: str = Field(description="One value, a range `A..B`, a list `A, B` or a pattern `A*`, as in every mapping.")
    theirs: str | None
    default: bool = Field(description="Of several rows with one counterpart, the one that is read back.")
    own: bool = Field(description="This target's own row; else the connector's file says so.")


class ValueMapFinding(Shown):
    ours: str
    severity: Literal["error", "warning", "note"]
    message: str


class ValueMapBody(Shown):
    map: str
    used_by: list[ValueMapUse]
    rows: list[ValueMapRowBody]
    findings: list[ValueMapFinding] = Field(description="What is wrong with its ranges, lists and patterns.")


class ValueMapsBody(Shown):
    target: str
    connector: str
    version: int = Field(description="Counts the changes; nought when nobody has changed it.")
    maps: list[ValueMapBody]
    file: str = Field(description="This target's own rows and field rules as YAML.")


class MappingChange(Shown):
    map: str
    name: str
    before: str | None
    after: str | None


class ValueMapsChanged(Shown):
    version: int
    dry_run: bool
    changes: list[MappingChange]


class MappingVersionBody(Shown):
    number: int
    at: datetime
    by: str
    note: str
    changes: list[MappingChange]


class ValueMapGap(Shown):
    map: str
    ours: str
    records: int


class GapsBody(Shown):
    looked_at: int
    complete: bool
    gaps: list[ValueMapGap]


class WantedRow(Body):
    map: str = Field(min_length=1, max_length=60)
    ours: str = Field(
        min_length=1, max_length=600, description="One value, a range `A..B`, a list `A, B` or a pattern `A*`."
    )
    theirs: str | None = Field(None, max_length=200, description="Without it the target's own row is taken away.")
    default: bool = Field(False, description="Of several rows with one counterpart, the one that is read back.")


class ChangeValueMaps(Body):
    rows: list[WantedRow] | None = Field(None, max_length=5000)
    file: str | None = Field(
        None, max_length=1_000_000, description="An exported mapping, YAML or JSON; it replaces all."
    )
    base_version: int | None = Field(None, ge=0, description="Refused when the mapping is in another version now.")
    note: str = Field("", max_length=300)
    dry_run: bool = Field(False, description="Only say what would change.")


class RevertValueMaps(Body):
    version: int = Field(ge=0)
    base_version: int | None = Field(None, ge=0)
