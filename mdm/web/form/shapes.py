"""Which field a person fills for each field of a document: read from its JSON schema, so a new type needs no form."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

from mdm.registry import ChildType, RecordType

Shape = Literal["text", "lines", "yes", "day", "number", "choice", "reference", "sealed", "email", "code"]
SHORT = {"yes", "day", "number", "choice", "reference", "code"}  # two of these stand side by side


@dataclass(frozen=True)
class FieldShape:
    name: str
    label: str
    shape: Shape
    required: bool
    options: tuple[str, ...] = ()
    reference: str = ""  # path as the record type declares it: `parent`, `extensions.payment_terms`
    values_of: str = ""  # a filter of the type whose known values are offered
    default: Any = None
    long: bool = False


@lru_cache(maxsize=64)
def fields(kind: RecordType) -> tuple[FieldShape, ...]:
    """The plain fields, in the order of the document."""
    schema = kind.document.model_json_schema(mode="validation")
    children = {child.name for child in kind.children}
    return tuple(
        _field(kind, name, spec, name in schema.get("required", ()), kind.label(name))
        for name, spec in schema["properties"].items()
        if name not in children
    )


@lru_cache(maxsize=256)
def child_fields(kind: RecordType, child: ChildType) -> tuple[FieldShape, ...]:
    """The fields of a row: first those its list shows, then the others; never its uid."""
    schema = child.document.model_json_schema(mode="validation")
    names = [name for name in (*child.columns, *schema["properties"]) if name != "uid"]
    return tuple(
        _field(kind, name, schema["properties"][name], name in schema.get("required", ()), _label(kind, child, name), child)
        for name in dict.fromkeys(names)
    )


def _label(kind: RecordType, child: ChildType, name: str) -> str:
    return kind.labels.get(f"{child.name}.{name}") or kind.labels.get(name) or name.replace("_", " ").capitalize()


def _field(
    kind: RecordType, name: str, spec: Mapping[str, Any], required: bool, label: str, child: ChildType | None = None
) -> FieldShape:
    known = _without_null(spec)
    path = f"{child.name}.{name}" if child else name
    shape: Shape = "text"
    options: tuple[str, ...] = ()
    if child and name in child.sealed:
        shape = "sealed"
    elif path in kind.references:
        shape = "reference"
    elif "enum" in known:
        shape, options = "choice", tuple(str(value) for value in known["enum"])
    elif known.get("pattern") in ("^[A-Z]{2}$", "^[A-Z]{3}$"):
        shape = "code"
    else:
        shape = _plain_shape(known)
    return FieldShape(
        name=name,
        label=label,
        shape=shape,
        required=required or shape == "choice" and spec.get("default") is not None,
        options=options,
        reference=path if shape == "reference" else "",
        values_of=name if name in kind.filters and not kind.filters[name] == kind.name_field else "",
        default=spec.get("default"),
        long=name == kind.name_field and child is None,
    )


def _without_null(spec: Mapping[str, Any]) -> Mapping[str, Any]:
    """The schema of the value itself, where it may also be absent."""
    options = [one for one in spec.get("anyOf", ()) if one.get("type") != "null"]
    return _without_null(options[0]) if options else spec


def _plain_shape(known: Mapping[str, Any]) -> Shape:
    if known.get("type") == "array":
        return "lines"
    if known.get("type") == "boolean":
        return "yes"
    if known.get("type") in ("integer", "number"):
        return "number"
    if known.get("format") == "date":
        return "day"
    return "email" if known.get("format") == "email" else "text"
