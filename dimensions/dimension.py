"""The dimension: one of the group's own, declared by its governance; document and declaration."""

from __future__ import annotations

from dimensions.models import Dimension
from mdm.documents import LongText, Name, Part
from mdm.registry import Column, RecordType, Section, register


class DimensionDocument(Part):
    """A dimension of the group's own, such as REGION. Its code is what values, codings and mappings name it by."""

    name: Name
    description: LongText | None = None


def declare() -> RecordType:
    return register(
        RecordType(
            key="dimension",
            path="dimensions",
            title="Dimension",
            plural="Dimensions",
            model=Dimension,
            document=DimensionDocument,
            code_prefix="DIM-",
            name_field="name",
            icon="columns",
            columns=(
                Column("code", "Code", "code"),
                Column("name", "Name"),
                Column("description", "Description"),
                Column("status", "Status", "status"),
                Column("updated_at", "Changed", "date"),
            ),
            sections=(Section("General", ("name", "description")),),
            filters={"status": "status", "code": "code"},
            search=("code", "name", "description"),
        )
    )
