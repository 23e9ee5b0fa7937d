"""Reading hierarchies: branch by branch, everything summed up into a node, the way down to it, and what differs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from typing import Any, Literal
from urllib.parse import urlencode
from uuid import UUID

from django.http import StreamingHttpResponse
from django.utils import timezone
from pydantic import Field
from rest_framework.request import Request
from rest_framework.response import Response

from dimensions.models import Hierarchy
from dimensions.selectors import tree_members, tree_shifts, trees
from dimensions.selectors.tree_members import Member
from dimensions.selectors.trees import Standing, Tree
from mdm import registry
from mdm.api.operations import Answer, Moment, Query, Shown, operation
from mdm.api.problems import correct
from mdm.api.view import HubView
from mdm.reading import exports
from mdm.selectors import records
from mdm.types import Problem

NODE = "hierarchy-nodes"
_READ = "read:hierarchies"
_TYPES = {"csv": exports.CSV_TYPE, "xlsx": exports.XLSX_TYPE}


class OnDay(Query):
    as_of: date | None = Field(None, description="The day it stands so; absent: today.")
    known_at: Moment | None = Field(None, description="As the hub knew it then.")


class Listed(OnDay):
    page_size: int = Field(100, ge=1, le=1000, description="How many results at most.")
    after: str | None = Field(None, max_length=40, description="Code of the last node of the page before; see `next`.")


class BranchQuery(Listed):
    under: str | None = Field(None, max_length=40, description="Code of a node; absent: the top.")


class WayQuery(OnDay):
    node: str = Field(max_length=40, description="Code of a node.")


class CompareQuery(Listed):
    other_as_of: date | None = Field(None, description="The day of the other side; absent: that of this side.")
    other_known_at: Moment | None = Field(None, description="The other side as the hub knew it then.")
    other: str | None = Field(None, max_length=40, description="Code of another hierarchy; absent: this one.")


class ExportQuery(OnDay):
    format: Literal["csv", "xlsx"] = "csv"


class MemberRecordShown(Shown):
    uid: UUID
    code: str
    status: str


class NodeShown(Shown):
    uid: UUID
    node: str
    kind: Literal["group", "member"]
    name: str
    parent: str | None
    order: int
    depth: int
    valid_from: date | None = Field(description="Of the period in which it stands there; null: since ever.")
    valid_to: date | None
    record: MemberRecordShown | None = Field(description="Of a member: its golden record.")


class BranchNode(NodeShown):
    members: int = Field(description="Members anywhere under it.")


class Branch(Shown):
    results: list[BranchNode]
    next: str | None = Field(description="Address of the next page; null on the last.")


class MembersBody(Shown):
    results: list[NodeShown]
    next: str | None


class WayBody(Shown):
    results: list[NodeShown] = Field(description="From the top down to the node; empty when it stands nowhere then.")


class ShiftShown(Shown):
    node: str
    kind: Literal["group", "member"]
    verb: Literal["added", "gone", "moved", "renamed"]
    before: NodeShown | None
    after: NodeShown | None


class ShiftsBody(Shown):
    results: list[ShiftShown]
    counts: dict[str, int] = Field(description="{verb: how many in all}.")
    next: str | None


class TreeView(HubView):
    """A call about one hierarchy, named by its uid or `code:<code>`."""

    hierarchy: Hierarchy

    def find(self, uid: str) -> Hierarchy:
        self.hierarchy = records.by_reference(registry.get("hierarchy"), uid)
        return self.hierarchy

    def tree(self) -> Tree:
        query = self.query
        return trees.of(self.hierarchy, query.as_of or timezone.localdate(), query.known_at)

    def known_node(self, tree: Tree, name: str) -> Standing | None:
        """The node a parameter names, which stands somewhere on the day."""
        code = getattr(self.query, name)
        if not code:
            return None
        found = tree.find(code)
        if found is None:
            words = f"There is no node {code} in this hierarchy on that day."
            raise correct([Problem(name, "unknown_node", words)])
        return found

    def present(self, rows: Sequence[Standing]) -> list[dict[str, Any]]:
        """Nodes as they are shown; members whose records the caller may not see are left out."""
        return list(_shown(self.hierarchy, rows, self.entities))

    def next(self, rows: Sequence[Any]) -> str | None:
        """The address of the page after these, which are one more than were asked for."""
        if len(rows) <= self.query.page_size:
            return None
        kept = [(name, value) for name, value in self.request.query_params.items() if name != "after"]
        after = ("after", rows[self.query.page_size - 1].node)
        return str(self.request.build_absolute_uri(f"{self.request.path}?{urlencode([*kept, after])}"))


def _shown(hierarchy: Hierarchy, rows: Sequence[Standing], entities: Any) -> Iterator[dict[str, Any]]:
    known = tree_members.members(hierarchy, [row.node for row in rows if row.kind == "member"], entities)
    for row in rows:
        if row.kind == "group" or row.node in known:
            yield _node(row, known.get(row.node))


def _node(row: Standing, member: Member | None) -> dict[str, Any]:
    record = {"uid": member.uid, "code": member.code, "status": member.status} if member else None
    return {
        "uid": row.uid,
        "node": row.node,
        "kind": row.kind,
        "name": row.name or (member.name if member else ""),
        "parent": row.parent,
        "order": row.order,
        "depth": row.depth,
        "valid_from": row.valid_from,
        "valid_to": row.valid_to,
        "record": record,
    }


class Children(TreeView):
    @operation(
        "List what stands under a node",
        scope=_READ,
        query=BranchQuery,
        answers={200: Branch},
        id="hierarchy_tree",
        notes="One branch of the tree on a day, in its order; ask again with `under` for what stands below.",
    )
    def get(self, request: Request, uid: str) -> Response:
        self.find(uid)
        tree = self.tree()
        above, last = self.known_node(tree, "under"), self.known_node(tree, "after")
        code = above.node if above else None
        rows = tree.children(code, after=last.cursor if last else None, limit=self.query.page_size + 1)
        counts = tree.counts([row.node for row in rows if row.kind == "group"])
        shown = [one | {"members": counts.get(one["node"], 0)} for one in self.present(rows[: self.query.page_size])]
        return Response({"results": shown, "next": self.next(rows)})


class Members(TreeView):
    @operation(
        "List the members under a node",
        scope=_READ,
        query=BranchQuery,
        answers={200: MembersBody},
        id="hierarchy_members",
        notes="What is summed up into the node on a day: members anywhere under it, by code.",
    )
    def get(self, request: Request, uid: str) -> Response:
        self.find(uid)
        tree = self.tree()
        above = self.known_node(tree, "under")
        rows = tree.below(above.node if above else None, after=self.query.after or "", limit=self.query.page_size + 1)
        return Response({"results": self.present(rows[: self.query.page_size]), "next": self.next(rows)})


class Way(TreeView):
    @operation(
        "Show the way down to a node",
        scope=_READ,
        query=WayQuery,
        answers={200: WayBody},
        id="hierarchy_way",
        notes="Every node above it and it itself: what a member is summed up into on a day.",
    )
    def get(self, request: Request, uid: str) -> Response:
        self.find(uid)
        return Response({"results": self.present(self.tree().way(self.query.node))})


class Compare(TreeView):
    @operation(
        "Compare two days or two hierarchies",
        scope=_READ,
        query=CompareQuery,
        answers={200: ShiftsBody},
        id="hierarchy_compare",
        notes="`before` is this hierarchy on `as_of`, `after` the other side; nodes that stand alike are left out.",
    )
    def get(self, request: Request, uid: str) -> Response:
        self.find(uid)
        query, before = self.query, self.tree()
        day = query.other_as_of or query.as_of or timezone.localdate()
        after = trees.of(self._other(), day, query.other_known_at)
        found = tree_shifts.compare(before, after)
        counts = {verb: sum(one.verb == verb for one in found) for verb in ("added", "gone", "moved", "renamed")}
        listed = [one for one in found if one.node > (query.after or "")][: query.page_size + 1]
        page = listed[: query.page_size]
        names = tree_members.members(self.hierarchy, [one.node for one in page if one.kind == "member"], self.entities)
        shown = [
            {
                "node": one.node,
                "kind": one.kind,
                "verb": one.verb,
                "before": one.before and _node(one.before, names.get(one.node)),
                "after": one.after and _node(one.after, names.get(one.node)),
            }
            for one in page
            if one.kind == "group" or one.node in names
        ]
        return Response({"results": shown, "counts": counts, "next": self.next(listed)})

    def _other(self) -> Hierarchy:
        if not self.query.other:
            return self.hierarchy
        other = Hierarchy.objects.filter(code=self.query.other).first()
        if other is None:
            raise correct([Problem("other", "unknown_reference", f"There is no hierarchy “{self.query.other}”.")])
        if (other.members, other.within) != (self.hierarchy.members, self.hierarchy.within):
            words = f"{other.code} has other members: compare hierarchies over the same records."
            raise correct([Problem("other", "other_members", words)])
        return other


class Export(TreeView):
    @operation(
        "Export a hierarchy",
        scope=_READ,
        query=ExportQuery,
        answers={200: Answer(None, "The file.", ("Content-Disposition",), ("text/csv", exports.XLSX_TYPE))},
        id="hierarchy_export_tree",
        notes="Each node followed by what stands under it; the columns are those an import of nodes reads.",
    )
    def get(self, request: Request, uid: str) -> StreamingHttpResponse:
        self.find(uid)
        rows = trees.in_tree_order(self.tree().all())
        return file(self.hierarchy, rows, self.entities, self.query.format)


def file(hierarchy: Hierarchy, rows: Sequence[Standing], entities: Any, form: str) -> StreamingHttpResponse:
    """The nodes of a tree as a file that can be edited and imported again."""
    write = exports.csv_chunks if form == "csv" else exports.xlsx_chunks
    response = StreamingHttpResponse(write(HEADINGS, _lines(hierarchy, rows, entities)), content_type=_TYPES[form])
    name = f"{hierarchy.code}-{timezone.localdate().isoformat()}.{form}"
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    return response


HEADINGS = ["key", "hierarchy", "node", "kind", "name", "parent", "order", "valid_from", "valid_to", "level"]


def _lines(hierarchy: Hierarchy, rows: Sequence[Standing], entities: Any) -> Iterable[list[Any]]:
    for one in _shown(hierarchy, rows, entities):
        key = f"{hierarchy.code}/{one['node']}"
        told = (one[name] for name in ("node", "kind", "name", "parent", "order", "valid_from", "valid_to"))
        yield [key, hierarchy.code, *told, one["depth"] + 1]
