"""Paths of a mapping: `legal_name`, `trade_names[0]`, `addresses[registered].lines[0]`,
`bank_accounts[0].iban`.

Checked against the record type once; a selector that is not a number fills the child's first identity-like
field.
"""

from __future__ import annotations

import re
import types
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from mdm.registry import RecordType

SELECTORS = (
    "scheme",
    "kind",
    "role",
)  # first of these a child has is what `[VAT]` or `[registered]` stands for
_GRAMMAR = re.compile(r"([a-z][a-z0-9_]*)(?:\[([^\[\]]+)\])?(?:\.([a-z][a-z0-9_]*)(?:\[(\d{1,3})\])?)?")


class BadPath(ValueError):
    """The path names nothing of this record type; the message says what is wrong with it."""


@dataclass(frozen=True)
class Path:
    """`field` of the document, or of the child chosen by `child` and `selector`; `place` within a list of
    texts.
    """

    text: str
    field: str
    child: str = ""
    selector: str = ""
    selector_field: str = ""
    place: int | None = None
    is_list: bool = False
    type: type[Any] = str

    def value(self, document: Mapping[str, Any]) -> Any:
        """What stands there in a document, None when nothing does."""
        owner: Mapping[str, Any] | None = document
        if self.child:
            rows = document.get(self.child) or []
            if self.selector_field:
                owner = next((row for row in rows if row.get(self.selector_field) == self.selector), None)
            else:
                owner = rows[int(self.selector)] if int(self.selector) < len(rows) else None
        value = owner.get(self.field) if owner else None
        if self.place is not None:
            return value[self.place] if isinstance(value, list) and self.place < len(value) else None
        return value


CODE = "code"
"""The hub's own code of a record, which a file may name: a new record gets it, one that has it is meant."""


def parse(text: str, kind: RecordType) -> Path:
    if text == CODE:
        return Path(text, CODE)
    match = _GRAMMAR.fullmatch(text)
    if not match:
        raise BadPath(f"“{text}” is not a path such as addresses[registered].city.")
    name, selector, inner, place = match.groups()
    child = next((child for child in kind.children if child.name == name), None)
    if child is None:
        if inner:
            raise BadPath(f"“{name}” is not a list of rows of {kind.one}.")
        if selector is not None and not (selector.isdigit() and len(selector) < 4):
            raise BadPath(f"“{name}” is a list of texts: number its places, as in {name}[0].")
        return _field(kind.document, text, name, int(selector) if selector else None)
    if selector is None or not inner:
        raise BadPath(f"“{name}” is a list of rows: name one and its field, as in {name}[0].{child.columns[0]}.")
    found = _field(child.document, text, inner, int(place) if place else None)
    chosen = "" if selector.isdigit() else _selector_field(child.document)
    if not selector.isdigit() and not chosen:
        raise BadPath(f"Rows of “{name}” have no kind to choose by: number them, as in {name}[0].")
    return Path(text, found.field, name, selector, chosen, found.place, found.is_list, found.type)


def _selector_field(document: type[BaseModel]) -> str:
    return next((name for name in SELECTORS if name in document.model_fields), "")


def _field(document: type[BaseModel], text: str, name: str, place: int | None) -> Path:
    info = document.model_fields.get(name)
    if info is None or name == "uid":
        raise BadPath(f"“{text}” names no field that can be given.")
    is_list, kind = field_type(info)
    if place is not None and not is_list:
        raise BadPath(f"“{name}” holds one value: leave [{place}] away.")
    return Path(text, name, place=place, is_list=is_list, type=kind)


def field_type(info: FieldInfo) -> tuple[bool, type[Any]]:
    """(is it a list, type of a value): bool, int, Decimal, date; str for everything that is given as text."""
    annotation = _bare(info.annotation)
    is_list = get_origin(annotation) is list
    if is_list:
        annotation = _bare(get_args(annotation)[0])
    return is_list, annotation if annotation in (bool, int, Decimal, date) else str


def _bare(annotation: Any) -> Any:
    """Without Annotated and without `| None`."""
    origin = get_origin(annotation)
    if origin is Annotated:
        return _bare(get_args(annotation)[0])
    if origin in (Union, types.UnionType):
        given = [item for item in get_args(annotation) if item is not type(None)]
        return _bare(given[0]) if len(given) == 1 else annotation
    return annotation
