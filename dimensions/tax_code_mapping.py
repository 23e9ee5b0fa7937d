"""The tax-code mapping: one row of what the group's tax codes become in a system; document, rule and declaration."""

from __future__ import annotations

from dimensions import mapping_rows
from dimensions.mapping_rows import MAPPINGS, Mapped, RowDocument
from dimensions.models import TaxCodeMapping, TaxCodeMappingCondition
from mdm.documents import Code
from mdm.models import System
from mdm.registry import Column, RecordType, register
from mdm.types import Document, Problem

KEY = "tax_code_mapping"


class TaxCodeMappingDocument(RowDocument):
    """What tax codes of the hub become in a system. `source` names codes of the hub, `target` is the code there, both
    written as docs/mapping.md says; a multi row has no source: its conditions alone decide."""

    system: Code


def check_system(document: Document) -> list[Problem]:
    code = document["system"]
    if System.objects.filter(code=code).exists():
        return []
    return [Problem("system", "unknown_system", f"There is no system “{code}”. Use the code of a system of the hub.")]


def declare() -> RecordType:
    MAPPINGS[KEY] = Mapped(KEY, TaxCodeMapping, TaxCodeMappingCondition, "tax_code", "", "system")
    return register(
        RecordType(
            key=KEY,
            path="tax-code-mappings",
            title="Tax-code mapping",
            plural="Tax-code mappings",
            model=TaxCodeMapping,
            document=TaxCodeMappingDocument,
            code_prefix="TM-",
            name_field="name",
            icon="mapping",
            columns=mapping_rows.columns((), "Tax codes", (Column("system", "System", "code"),), "Code there"),
            sections=mapping_rows.sections("system"),
            filters={"system": "system", **mapping_rows.FILTERS},
            search=mapping_rows.SEARCH,
            rules=(mapping_rows.check_row, check_system),
            children=(mapping_rows.conditions(TaxCodeMappingCondition),),
            labels={**mapping_rows.LABELS, "source": "Tax codes", "target": "Code there"},
        )
    )
