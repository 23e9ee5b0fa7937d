"""The GL mapping: one row of what the accounts of a chart become in another; document and declaration."""

from __future__ import annotations

from dimensions import mapping_rows
from dimensions.mapping_rows import MAPPINGS, Mapped, RowDocument
from dimensions.models import GLMapping, GLMappingCondition
from mdm.documents import Code
from mdm.registry import Column, RecordType, register

KEY = "gl_mapping"


class GLMappingDocument(RowDocument):
    """What accounts of the source chart become in the target chart. `source` and `target` are account numbers, written as
    docs/mapping.md says; `kind` says how `source` names them, a multi row has none: its conditions alone decide."""

    source_chart: Code
    target_chart: Code


def declare() -> RecordType:
    MAPPINGS[KEY] = Mapped(KEY, GLMapping, GLMappingCondition, "gl_account", "source_chart", "target_chart")
    return register(
        RecordType(
            key=KEY,
            path="gl-mappings",
            title="GL mapping",
            plural="GL mappings",
            model=GLMapping,
            document=GLMappingDocument,
            code_prefix="GM-",
            name_field="name",
            icon="mapping",
            columns=mapping_rows.columns(
                (Column("source_chart", "From chart", "code"),), "Accounts",
                (Column("target_chart", "To chart", "code"),), "Account there",
            ),
            sections=mapping_rows.sections("source_chart", "target_chart"),
            filters={"source_chart": "source_chart", "target_chart": "target_chart", **mapping_rows.FILTERS},
            search=mapping_rows.SEARCH,
            rules=(mapping_rows.check_row,),
            children=(mapping_rows.conditions(GLMappingCondition),),
            references={"source_chart": "chart_of_accounts", "target_chart": "chart_of_accounts"},
            labels={
                **mapping_rows.LABELS, "source_chart": "From chart", "target_chart": "To chart", "source": "Accounts",
                "target": "Account there",
            },
        )
    )  # fmt: skip
