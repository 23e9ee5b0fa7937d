"""The project: document and declaration."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from dimensions import dated
from dimensions.models import Project, ProjectPeriod
from mdm.documents import Code, DatedDocument, Name, Part, PeriodDocument, Text
from mdm.registry import Column, RecordType, Section, register


class _Values(Part):
    name: Name
    legal_entity: Code
    stage: Literal["planned", "released", "completed"] = "released"
    responsible: Text | None = None
    profit_center: Code | None = None


class ProjectSlice(_Values, PeriodDocument):
    """What holds of a project for a period."""


class ProjectDocument(DatedDocument, _Values):
    """What costs are gathered for beside where they arise; it takes none after the day its last period ends."""

    slices: list[ProjectSlice] = Field(default_factory=list)


def declare() -> RecordType:
    return register(
        RecordType(
            key="project",
            path="projects",
            title="Project",
            plural="Projects",
            model=Project,
            document=ProjectDocument,
            code_prefix="PR-",
            name_field="name",
            icon="clip",
            columns=(
                Column("code", "Code", "code"),
                Column("name", "Name"),
                Column("legal_entity", "Legal entity", "code"),
                Column("stage", "Stage"),
                Column("responsible", "Responsible"),
                Column("profit_center", "Profit center", "code", default=False),
                *dated.COLUMNS,
            ),
            sections=(
                Section("General", ("name", "legal_entity", "stage", "responsible", "profit_center")),
                dated.VALIDITY,
            ),
            filters={
                "legal_entity": "legal_entity",
                "stage": "stage",
                "profit_center": "profit_center",
                **dated.FILTERS,
            },
            search=("code", "name", "responsible"),
            children=(dated.periods(ProjectPeriod, ProjectSlice, ("name", "stage", "responsible")),),
            periods=dated.PERIODS,
            entity_field="legal_entity",
            references={"legal_entity": "legal_entity", "profit_center": "profit_center"},
            labels=dated.LABELS,
        )
    )
