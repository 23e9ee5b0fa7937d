"""The legal entity: document, rules and declaration."""

from __future__ import annotations

from stdnum import lei

from dimensions.models import LegalEntity
from mdm.documents import Country, Currency, Name, Part, Text
from mdm.registry import Column, RecordType, Section, register
from mdm.types import Document, Problem


class LegalEntityDocument(Part):
    """A company of our own group."""

    name: Name
    country: Country
    currency: Currency
    city: Text | None = None
    vat_id: Text | None = None
    lei: Text | None = None


def check_lei(document: Document) -> list[Problem]:
    value = document.get("lei")
    if value and not lei.is_valid(value):
        return [Problem("lei", "invalid_lei", "An LEI has 20 characters and two check digits; this one does not fit.")]
    return []


def declare() -> RecordType:
    return register(
        RecordType(
            key="legal_entity",
            path="legal-entities",
            title="Legal entity",
            plural="Legal entities",
            model=LegalEntity,
            document=LegalEntityDocument,
            code_prefix="LE-",
            name_field="name",
            icon="bank",
            columns=(
                Column("code", "Code", "code"),
                Column("name", "Name"),
                Column("country", "Country", "country"),
                Column("currency", "Currency", "code"),
                Column("city", "City", default=False),
                Column("status", "Status", "status"),
                Column("updated_at", "Changed", "date"),
            ),
            sections=(Section("General", ("name", "country", "currency", "city", "vat_id", "lei")),),
            filters={"country": "country", "currency": "currency", "status": "status", "code": "code"},
            search=("code", "name", "city", "vat_id", "lei"),
            rules=(check_lei,),
            labels={"vat_id": "VAT number", "lei": "LEI"},
        )
    )
