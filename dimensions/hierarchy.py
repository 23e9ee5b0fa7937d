"""The hierarchy: document, rules and declaration. What stands in it are its nodes (`dimensions.hierarchy_node`)."""

from __future__ import annotations

from dimensions.models import Hierarchy
from mdm import registry
from mdm.documents import Code, LongText, Name, Part
from mdm.registry import Column, RecordType, Section, register
from mdm.types import Document, Problem

WITHIN = {"gl_account": ("chart", "number"), "dimension_value": ("dimension", "value")}
"""Types whose records are named inside something: {type: (field that names it, field with the code there)}."""


class HierarchyDocument(Part):
    """A tree over records of one type. `members`: that type, such as cost_center; `within`: the chart of accounts or the
    dimension whose codes its members are."""

    name: Name
    members: Code
    within: Code | None = None
    note: LongText | None = None


def check_members(document: Document) -> list[Problem]:
    kind = registry.find(document["members"])
    if kind is None or kind.key != document["members"]:
        known = ", ".join(sorted(one.key for one in registry.all_types()))
        return [Problem("members", "unknown_type", f"There is no such type of record; it is one of {known}.")]
    inside = WITHIN.get(kind.key)
    if inside and not document["within"]:
        words = f"{kind.plural} are named inside a {inside[0]}: give the code of it."
        return [Problem("within", "missing", words)]
    if not inside and document["within"]:
        return [Problem("within", "not_empty", f"{kind.plural} have codes of their own: leave this empty.")]
    return []


def declare() -> RecordType:
    return register(
        RecordType(
            key="hierarchy",
            path="hierarchies",
            title="Hierarchy",
            plural="Hierarchies",
            model=Hierarchy,
            document=HierarchyDocument,
            code_prefix="HI-",
            name_field="name",
            icon="tree",
            listed=False,
            columns=(
                Column("code", "Code", "code"),
                Column("name", "Name"),
                Column("members", "Members", "code"),
                Column("within", "Within", "code"),
                Column("status", "Status", "status"),
                Column("updated_at", "Changed", "date"),
            ),
            sections=(Section("General", ("name", "members", "within", "note")),),
            filters={"members": "members", "within": "within", "status": "status", "code": "code"},
            search=("code", "name", "note"),
            rules=(check_members,),
            labels={"members": "Type of its members", "within": "Chart or dimension of its members"},
        )
    )
