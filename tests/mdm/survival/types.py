"""A record type of the tests' own, never registered: every kind of field that survivorship tells apart."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Annotated, Any

from pydantic import Field

from mdm.documents import ChildDocument, Code, Name, Part, Text, Texts
from mdm.registry import ChildType, RecordType, Section


class AddressDocument(ChildDocument):
    kind: Code = "registered"
    street: Text | None = None
    city: Text | None = None


class ThingDocument(Part):
    name: Name
    terms: Text | None = None
    method: Text | None = None
    tags: Texts
    weight: int | None = None
    price: Decimal | None = None
    share: Annotated[Decimal, Field(ge=0, le=100)] | None = None
    since: date | None = None
    active: bool | None = None
    addresses: Annotated[list[AddressDocument], Field(default_factory=list)]


ADDRESSES = ChildType(
    "addresses", "Addresses", None, AddressDocument, identity=("kind",), columns=("kind", "street", "city")
)
THING = RecordType(
    key="thing",
    path="things",
    title="Thing",
    plural="Things",
    model=None,
    document=ThingDocument,
    code_prefix="T-",
    name_field="name",
    icon="file",
    columns=(),
    sections=(Section("General", tuple(ThingDocument.model_fields)),),
    filters={},
    search=(),
    children=(ADDRESSES,),
)


def body(**values: Any) -> dict[str, Any]:
    return ThingDocument.model_validate({"name": "Thing", **values}).model_dump(mode="json")
