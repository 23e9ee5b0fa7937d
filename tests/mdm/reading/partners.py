"""A record type made for these tests: no database, no record type of the hub, all shapes a document can
have.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Any

from pydantic import Field

from mdm.documents import ChildDocument, Code, Country, Day, Name, Part, Text, Texts
from mdm.registry import ChildType, RecordType

Lines = Annotated[list[Text], Field(default_factory=list, max_length=6)]


class NumberDocument(ChildDocument):
    scheme: Code
    number: Name


class PlaceDocument(ChildDocument):
    kind: Code = "registered"
    lines: Lines
    city: Text | None = None
    country: Country | None = None


class AccountDocument(ChildDocument):
    iban: Any = None
    holder: Text | None = None
    valid_from: Day | None = None
    closed: bool = False


class PartnerDocument(Part):
    title: Name
    country: Country | None = None
    other_names: Texts
    days: int | None = None
    share: Decimal | None = None
    active: bool = True
    since: Day | None = None
    numbers: Annotated[list[NumberDocument], Field(default_factory=list)]
    places: Annotated[list[PlaceDocument], Field(default_factory=list)]
    accounts: Annotated[list[AccountDocument], Field(default_factory=list)]


def _child(name: str, document: type[ChildDocument], sealed: tuple[str, ...] = ()) -> ChildType:
    columns = tuple(field for field in document.model_fields if field != "uid")
    return ChildType(name, name.title(), object, document, columns[:1], columns, sealed)  # type: ignore[arg-type]


class Partner:
    """Stands for the table, of which reading only asks what is unique."""

    class _meta:
        total_unique_constraints: tuple[object, ...] = ("title",)


PARTNER = RecordType(
    key="partner",
    path="partners",
    title="Partner",
    plural="Partners",
    model=Partner,  # type: ignore[arg-type]
    document=PartnerDocument,
    code_prefix="P-",
    name_field="title",
    icon="bank",
    columns=(),
    sections=(),
    filters={},
    search=(),
    children=(
        _child("numbers", NumberDocument),
        _child("places", PlaceDocument),
        _child("accounts", AccountDocument, ("iban",)),
    ),
)
