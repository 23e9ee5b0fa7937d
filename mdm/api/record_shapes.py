"""Schemas of record documents, derived from RecordType.document: as shown, as proposed, as patched."""

from __future__ import annotations

import copy
import json
from datetime import date, datetime
from functools import lru_cache
from typing import Any, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, create_model

from mdm.api.change_shapes import ChangeRequestBody, PlanInput
from mdm.api.operations import Page
from mdm.registry import RecordType

_REF = "#/components/schemas/{model}"
Status = Literal["active", "blocked", "retired", "merged"]


def name_of(kind: RecordType) -> str:
    return kind.document.__name__.removesuffix("Document")


def _only_uid_required(schema: dict[str, Any]) -> None:
    """`?fields=` leaves out all else."""
    schema["required"] = ["uid"]


class _Header(BaseModel):
    uid: UUID
    code: str
    status: Status
    version: int
    schema_: str = Field(alias="schema", description="Type and version of the document, such as `supplier/1`.")
    updated_at: datetime
    merged_into: UUID = Field(default=..., description="Only on a merged record: the record that goes on.")


@lru_cache(maxsize=64)
def shown(kind: RecordType) -> type[BaseModel]:
    """The canonical document with its header."""
    header: dict[str, Any] = {name: (f.annotation, f) for name, f in _Header.model_fields.items()}
    body: dict[str, Any] = {name: (f.annotation, f) for name, f in kind.document.model_fields.items()}
    config = ConfigDict(extra="forbid", json_schema_extra=_only_uid_required)
    model: type[BaseModel] = create_model(
        name_of(kind), __config__=config, __doc__=kind.document.__doc__, **header, **body
    )
    return model


@lru_cache(maxsize=64)
def page(kind: RecordType) -> type[BaseModel]:
    made: type[BaseModel] = Page.__class_getitem__(shown(kind))  # type: ignore[assignment]
    return made


@lru_cache(maxsize=64)
def in_force(kind: RecordType) -> type[BaseModel]:
    """A record that changed at once because policy approves by itself, with the request that did it."""
    model: type[BaseModel] = create_model(
        f"{name_of(kind)}InForce", __base__=shown(kind), change_request=(ChangeRequestBody, ...)
    )
    return model


_PROPOSAL: dict[str, Any] = {
    "_reason": {"type": "string", "maxLength": 2000, "description": "Why; some policies ask for it."},
    "_effective_on": {"type": "string", "format": "date", "description": "Apply on this day, not before."},
    "_title": {"type": "string", "maxLength": 300},
    "_priority": {"enum": ["normal", "urgent"], "type": "string"},
}
_PLAN: dict[str, Any] = {
    "_plan": {
        "type": ["object", "null"],
        "description": "For closing a record that others use: `replace_with` (code) and `from` (day), or `keep` (reason).",
        "properties": {
            "replace_with": {"type": "string"},
            "from": {"type": "string", "format": "date"},
            "keep": {"type": "string"},
        },
    },
}
_ECHO: dict[str, Any] = {
    "uid": {"type": "string"},
    "status": {"type": "string", "description": "Only as it is; it changes by block, unblock and retire."},
    "version": {"type": "integer"},
    "schema": {"type": "string"},
    "updated_at": {"type": "string"},
    "merged_into": {"type": ["string", "null"]},
}


def create_schema(kind: RecordType) -> dict[str, Any]:
    schema = copy.deepcopy(kind.document.model_json_schema(ref_template=_REF, mode="validation"))
    code = {"type": ["string", "null"], "maxLength": 40, "description": "Given by the hub when absent."}
    schema["properties"] = {"code": code, **schema["properties"], **_PROPOSAL}
    schema["title"] = f"{name_of(kind)}Create"
    if kind.periods:
        _values_or_periods(kind, schema)
    return schema


def _values_or_periods(kind: RecordType, schema: dict[str, Any]) -> None:
    """What holds for periods is given at the top, as one period, or as the list of all of them."""
    needed = [name for name in schema.get("required", ()) if name in kind.dated]
    schema["required"] = [name for name in schema.get("required", ()) if name not in kind.derived | {kind.periods}]
    listed = {"required": [kind.periods], "properties": {kind.periods: {"type": "array", "minItems": 1}}}
    if needed:
        schema["anyOf"] = [{"required": needed}, listed]


def patch_schema(kind: RecordType) -> dict[str, Any]:
    """Nothing is required in a merge-patch; rows of lists may carry their uid and `_end`."""
    schema = copy.deepcopy(kind.document.model_json_schema(ref_template=_REF, mode="validation"))
    parts = schema.pop("$defs", {})
    renamed = json.dumps(schema)
    for name in parts:
        renamed = renamed.replace(f'schemas/{name}"', f'schemas/{name}Patch"')
    schema = _loosen(json.loads(renamed))
    schema["properties"] = {"code": {"type": "string"}, **schema["properties"], **_ECHO, **_PROPOSAL, **_PLAN}
    schema["title"] = f"{name_of(kind)}Patch"
    if parts:
        schema["$defs"] = {f"{name}Patch": _loosen_part(part) for name, part in parts.items()}
    return schema


def _loosen(schema: dict[str, Any]) -> dict[str, Any]:
    schema.pop("required", None)
    for part in schema.get("properties", {}).values():
        part.pop("default", None)
    return schema


def _loosen_part(part: dict[str, Any]) -> dict[str, Any]:
    part = _loosen(copy.deepcopy(part))
    part["properties"] = {**part.get("properties", {}), "_end": {"type": "boolean", "description": "End this row."}}
    return part


class Proposal(BaseModel):
    """The members of a body that speak about the request, not about the record."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)

    reason: str = Field("", max_length=2000)
    effective_on: date | None = None
    title: str = Field("", max_length=300)
    priority: Literal["normal", "urgent"] = "normal"
    plan: PlanInput | None = None


class JsonSchema(BaseModel):
    """A JSON Schema, draft 2020-12."""

    model_config = ConfigDict(extra="allow")

    title: str
    type: str
    properties: dict[str, Any]
