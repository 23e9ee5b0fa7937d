"""The node of a hierarchy: document, rules and declaration. Where it stands is dated like any other value."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from dimensions import dated
from dimensions.models import HierarchyNode, HierarchyNodePeriod
from dimensions.services import hierarchies
from mdm.documents import Code, DatedDocument, Part, PeriodDocument, Text
from mdm.registry import Column, RecordType, Section, register
from mdm.types import Document, Problem


class _Values(Part):
    parent: Code | None = None
    name: Text | None = None
    order: int = Field(default=0, ge=-1_000_000, le=1_000_000)


class HierarchyNodeSlice(_Values, PeriodDocument):
    """Where a node stands for a period."""


class HierarchyNodeDocument(DatedDocument, _Values):
    """A group of a hierarchy, or a member in it. `node`: the group's code, or the code of the record that is the member;
    `parent`: the code of the group it stands under, empty at the top; `order`: of those under one group, else by code."""

    hierarchy: Code
    node: Code
    kind: Literal["group", "member"] = "member"
    slices: list[HierarchyNodeSlice] = Field(default_factory=list)


def check_node(document: Document) -> list[Problem]:
    found = []
    if document["parent"] == document["node"]:
        found.append(Problem("parent", "own_parent", "Nothing stands under itself."))
    if document["kind"] == "group" and not document["name"]:
        found.append(Problem("name", "missing", "A group needs a name; a member has that of its record."))
    return found


def code_of(document: Document) -> str:
    """Readable where it is short enough: the hierarchy's code and the node's."""
    code = f"{document['hierarchy']}/{document['node']}"
    return code if len(code) <= 40 else ""


def declare() -> RecordType:
    return register(
        RecordType(
            key="hierarchy_node",
            path="hierarchy-nodes",
            title="Hierarchy node",
            plural="Hierarchy nodes",
            model=HierarchyNode,
            document=HierarchyNodeDocument,
            code_prefix="HN-",
            code_of=code_of,
            name_field="node",
            icon="tree",
            listed=False,
            columns=(
                Column("code", "Code", "code"),
                Column("hierarchy", "Hierarchy", "code"),
                Column("node", "Node", "code"),
                Column("name", "Name"),
                Column("kind", "Kind"),
                Column("parent", "Under", "code"),
                *dated.COLUMNS,
            ),
            sections=(
                Section("General", ("hierarchy", "kind", "node", "name")),
                Section("Place", ("parent", "order")),
                dated.VALIDITY,
            ),
            filters={"hierarchy": "hierarchy", "node": "node", "parent": "parent", "kind": "kind", **dated.FILTERS},
            search=("code", "node", "name"),
            rules=(check_node,),
            children=(dated.periods(HierarchyNodePeriod, HierarchyNodeSlice, ("parent", "name")),),
            periods=dated.PERIODS,
            references={"hierarchy": "hierarchy"},
            across=hierarchies.ACROSS,
            labels={**dated.LABELS, "parent": "Under", "node": "Node"},
        )
    )
