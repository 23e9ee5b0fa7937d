"""Owns reading hierarchies: what stands where on a day, what is under a node, and the way down to it.

Two answers to the same questions: `Stored` reads the places the database keeps, a few indexed rows for each question;
`Known` makes the tree again from the versions the hub knew at an earlier time.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Protocol
from uuid import UUID

from django.db import connection
from django.db.models import Q

from dimensions.models import Hierarchy, HierarchyNode, HierarchyPlace
from mdm import periods
from mdm.models import RecordVersion
from mdm.types import Document

GONE = ("retired", "merged")
Cursor = tuple[int, str]
"""Order number and code of the last row of a page: those under one group are in this order."""


@dataclass(frozen=True, slots=True)
class Standing:
    """A node where it stands on a day. `name`: of a group; a member is named by its record (`names`). `valid_from`,
    `valid_to`: of the period in which it stands there, None when open."""

    uid: UUID
    node: str
    kind: str
    parent: str | None
    name: str | None
    order: int
    depth: int
    valid_from: date | None
    valid_to: date | None

    @property
    def cursor(self) -> Cursor:
        return self.order, self.node


class Tree(Protocol):
    """The nodes of one hierarchy as they stand on a day."""

    def find(self, node: str) -> Standing | None: ...

    def way(self, node: str) -> list[Standing]:
        """From the top down to the node; empty when it stands nowhere on the day."""
        ...

    def children(self, above: str | None, *, after: Cursor | None = None, limit: int) -> list[Standing]:
        """What stands directly under a node, or at the top, in order."""
        ...

    def below(self, node: str | None, *, after: str = "", limit: int) -> list[Standing]:
        """Members anywhere under a node, or all, by code: what is summed up into it."""
        ...

    def branches(self, above: Collection[str | None], *, limit: int) -> dict[str | None, list[Standing]]:
        """The children of several nodes at once, at most so many of each."""
        ...

    def counts(self, nodes: Collection[str], *, most: int | None = None) -> dict[str, int]:
        """{node: members anywhere under it, counted no further than `most`}; nodes without any are left out."""
        ...

    def all(self) -> list[Standing]: ...

    def with_codes(self, nodes: Collection[str]) -> dict[str, Standing]: ...


def of(hierarchy: Hierarchy, on: date, known_at: datetime | None = None) -> Tree:
    return Known(hierarchy.code, on, known_at) if known_at else Stored(hierarchy.code, on)


# --- as it is stored --------------------------------------------------------------------------------------------------

_COLUMNS = """node.uid, node.node, node.kind, period.parent, period.name, period."order", place.depth,
    period.valid_from, period.valid_to"""
_HOLDS = "({0}.valid_from IS NULL OR {0}.valid_from <= %(on)s) AND ({0}.valid_to IS NULL OR {0}.valid_to > %(on)s)"
_FROM = f"""FROM dimensions_hierarchyplace place
    JOIN dimensions_hierarchynode node ON node.id = place.record_id
    JOIN dimensions_hierarchynodeperiod period ON period.record_id = node.id AND {_HOLDS.format("period")}
    WHERE place.hierarchy = %(hierarchy)s AND {_HOLDS.format("place")}"""


class Stored:
    """A tree read from its places."""

    def __init__(self, hierarchy: str, on: date) -> None:
        self.hierarchy, self.on = hierarchy, on

    def find(self, node: str) -> Standing | None:
        return next(iter(self._rows("AND node.node = %(node)s", node=node)), None)

    def with_codes(self, nodes: Collection[str]) -> dict[str, Standing]:
        rows = self._rows("AND node.node = ANY(%(nodes)s)", nodes=list(nodes)) if nodes else []
        return {row.node: row for row in rows}

    def way(self, node: str) -> list[Standing]:
        place = self._place(node)
        if place is None:
            return []
        ids = [int(one) for one in place.path.split(".") if one]
        return self._rows("AND node.id = ANY(%(ids)s) ORDER BY place.depth", ids=ids)

    def children(self, above: str | None, *, after: Cursor | None = None, limit: int) -> list[Standing]:
        words, values = self._under(above)
        if after:
            words += ' AND (period."order", node.node) > (%(order)s, %(node)s)'
            values |= {"order": after[0], "node": after[1]}
        return self._rows(f'{words} ORDER BY period."order", node.node LIMIT %(limit)s', limit=limit, **values)

    def below(self, node: str | None, *, after: str = "", limit: int) -> list[Standing]:
        words, values = self._prefix(node)
        words += " AND place.member AND node.node > %(after)s ORDER BY node.node LIMIT %(limit)s"
        return self._rows(words, after=after, limit=limit, **values)

    def branches(self, above: Collection[str | None], *, limit: int) -> dict[str | None, list[Standing]]:
        ids = HierarchyNode.objects.filter(hierarchy=self.hierarchy, node__in=[one for one in above if one])
        words = """AND (place.above_id = ANY(%(ids)s) OR (%(top)s AND place.above_id IS NULL))
            ORDER BY period."order", node.node"""
        ranked = f"""SELECT * FROM (
            SELECT {_COLUMNS}, row_number() OVER (PARTITION BY place.above_id ORDER BY period."order", node.node) AS rank
            {_FROM} {words}) listed WHERE rank <= %(limit)s ORDER BY 6, 2"""
        values: dict[str, Any] = {"ids": list(ids.values_list("pk", flat=True)), "top": None in above, "limit": limit}
        found: dict[str | None, list[Standing]] = defaultdict(list)
        with connection.cursor() as cursor:
            cursor.execute(ranked, {"hierarchy": self.hierarchy, "on": self.on, **values})
            for *row, _ in cursor.fetchall():
                one = Standing(*row)
                found[one.parent].append(one)
        return found

    def counts(self, nodes: Collection[str], *, most: int | None = None) -> dict[str, int]:
        """Each counted over one range of the index of places."""
        if not nodes:
            return {}
        statement = f"""SELECT node.node, counted.members FROM dimensions_hierarchyplace own
            JOIN dimensions_hierarchynode node ON node.id = own.record_id
            CROSS JOIN LATERAL (SELECT count(*) AS members FROM (
                SELECT FROM dimensions_hierarchyplace place
                WHERE place.hierarchy = own.hierarchy AND place.path > own.path
                    AND place.path < rtrim(own.path, '.') || '/' AND place.member AND {_HOLDS.format("place")}
                LIMIT %(most)s
            ) below) counted
            WHERE node.hierarchy = %(hierarchy)s AND node.node = ANY(%(nodes)s) AND {_HOLDS.format("own")}
                AND NOT own.member AND counted.members > 0"""
        values: dict[str, Any] = {"hierarchy": self.hierarchy, "on": self.on, "nodes": list(nodes), "most": most}
        with connection.cursor() as cursor:
            cursor.execute(statement, values)
            return dict(cursor.fetchall())

    def all(self) -> list[Standing]:
        return self._rows('ORDER BY place.depth, period."order", node.node')

    def _place(self, node: str) -> HierarchyPlace | None:
        begun = Q(valid_from=None) | Q(valid_from__lte=self.on)
        lasting = Q(valid_to=None) | Q(valid_to__gt=self.on)
        found = HierarchyPlace.objects.filter(begun, lasting, record__hierarchy=self.hierarchy, record__node=node)
        return found.first()

    def _under(self, above: str | None) -> tuple[str, dict[str, Any]]:
        if above is None:
            return "AND place.above_id IS NULL", {}
        row = HierarchyNode.objects.filter(hierarchy=self.hierarchy, node=above).values_list("pk", flat=True).first()
        return "AND place.above_id = %(above)s", {"above": row or 0}

    def _prefix(self, node: str | None) -> tuple[str, dict[str, Any]]:
        """Everything below a node is one range of paths: its own, up to the next text after the dot."""
        if node is None:
            return "", {}
        place = self._place(node)
        if place is None:
            return "AND false", {}
        return "AND place.path > %(path)s AND place.path < %(end)s", {"path": place.path, "end": f"{place.path[:-1]}/"}

    def _rows(self, words: str, **values: Any) -> list[Standing]:
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT {_COLUMNS} {_FROM} {words}", {"hierarchy": self.hierarchy, "on": self.on, **values})
            return [Standing(*row) for row in cursor.fetchall()]


# --- as the hub knew it -----------------------------------------------------------------------------------------------


class Known:
    """A tree made of documents: those of the versions that the hub had at a time, or of any others."""

    def __init__(self, hierarchy: str, on: date, known_at: datetime) -> None:
        self._make(documents_at(hierarchy, known_at), on)

    @classmethod
    def made_of(cls, documents: Iterable[Document], on: date) -> Known:
        tree = cls.__new__(cls)
        tree._make(documents, on)
        return tree

    def _make(self, documents: Iterable[Document], on: date) -> None:
        day = on.isoformat()
        stands: dict[str, tuple[Document, Document]] = {}
        for document in documents:
            period = periods.on(document["slices"], day)
            if period and document["status"] not in GONE:
                stands[document["node"]] = document, period
        under: dict[str | None, list[str]] = defaultdict(list)
        for code, (_, period) in stands.items():
            under[period.get("parent")].append(code)
        self._nodes: dict[str, Standing] = {}
        self._under: dict[str | None, list[Standing]] = {}
        level: list[str | None] = [None]
        depth = 0
        while level:
            for above in level:
                made = [_standing(*stands[code], depth) for code in under.get(above, ())]
                self._under[above] = sorted(made, key=lambda one: one.cursor)
                self._nodes |= {one.node: one for one in made}
            level = [one.node for above in level for one in self._under[above]]
            depth += 1

    def find(self, node: str) -> Standing | None:
        return self._nodes.get(node)

    def with_codes(self, nodes: Collection[str]) -> dict[str, Standing]:
        return {node: self._nodes[node] for node in nodes if node in self._nodes}

    def way(self, node: str) -> list[Standing]:
        found: list[Standing] = []
        here = self._nodes.get(node)
        while here:
            found.append(here)
            here = self._nodes.get(here.parent) if here.parent else None
        return found[::-1]

    def children(self, above: str | None, *, after: Cursor | None = None, limit: int) -> list[Standing]:
        rows = self._under.get(above, [])
        return [row for row in rows if after is None or row.cursor > after][:limit]

    def below(self, node: str | None, *, after: str = "", limit: int) -> list[Standing]:
        found = sorted((one for one in self._walk(node) if one.kind == "member"), key=lambda one: one.node)
        return [one for one in found if one.node > after][:limit]

    def branches(self, above: Collection[str | None], *, limit: int) -> dict[str | None, list[Standing]]:
        return {one: rows[:limit] for one in above if (rows := self._under.get(one))}

    def counts(self, nodes: Collection[str], *, most: int | None = None) -> dict[str, int]:
        told = {node: sum(one.kind == "member" for one in self._walk(node)) for node in nodes}
        return {node: min(number, most or number) for node, number in told.items() if number}

    def all(self) -> list[Standing]:
        return sorted(self._nodes.values(), key=lambda one: (one.depth, *one.cursor))

    def _walk(self, node: str | None) -> Iterable[Standing]:
        if node is not None and node not in self._nodes:
            return
        open_nodes = [node]
        while open_nodes:
            for one in self._under.get(open_nodes.pop(), ()):
                yield one
                open_nodes.append(one.node)


def documents_at(hierarchy: str, known_at: datetime) -> list[Document]:
    """The nodes of a hierarchy as the hub knew them then; a node never changes its hierarchy."""
    uids = HierarchyNode.objects.filter(hierarchy=hierarchy).values("uid")
    rows = RecordVersion.objects.filter(type="hierarchy_node", uid__in=uids, created_at__lte=known_at)
    newest = rows.order_by("uid", "-version").distinct("uid")
    return list(newest.values_list("document", flat=True))


def standing_on(document: Document, on: date) -> Standing | None:
    """Where a node stands on a day by its own document, whether or not what it stands under holds."""
    period = periods.on(document["slices"], on.isoformat())
    return _standing(document, period, 0) if period and document["status"] not in GONE else None


def _standing(document: Document, period: Document, depth: int) -> Standing:
    start, end = (date.fromisoformat(day) if (day := period.get(name)) else None for name in periods.BOUNDS)
    return Standing(
        UUID(document["uid"]),
        document["node"],
        document["kind"],
        period.get("parent"),
        period.get("name"),
        period.get("order") or 0,
        depth,
        start,
        end,
    )


def in_tree_order(rows: Sequence[Standing]) -> list[Standing]:
    """Each node followed by what stands under it; for exports and for comparing side by side."""
    under: dict[str | None, list[Standing]] = defaultdict(list)
    for row in rows:
        under[row.parent].append(row)
    done: list[Standing] = []
    open_rows = sorted(under[None], key=lambda one: one.cursor, reverse=True)
    while open_rows:
        row = open_rows.pop()
        done.append(row)
        open_rows += sorted(under[row.node], key=lambda one: one.cursor, reverse=True)
    return done
