"""Owns what the nodes of a hierarchy mean for one another: the rules held against the database, and the places made of them.

A place says where a node stands on which days, with the way down to it as a text: whatever stands below a node is one
range of an index. Places are made anew for changed nodes and all below them, in the transaction that changes them.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from django.db import connection

from dimensions.hierarchy import WITHIN
from dimensions.models import Hierarchy, HierarchyNode, HierarchyNodePeriod
from dimensions.tree import Node, Span, Trouble, troubles
from mdm import registry
from mdm.periods import FIRST, LAST, end_of, start_of
from mdm.registry import Across, Pair
from mdm.types import Document, Problem

_FIXED = {
    "hierarchy": "A node stays in its hierarchy",
    "node": "A node keeps its code",
    "kind": "A node stays what it is",
}
_GONE = ("retired", "merged")
_LOCK = 7_030  # advisory lock of one hierarchy; the trigger that refuses circles takes the same


def lock(documents: Iterable[Document]) -> None:
    """Two requests about one hierarchy wait for each other, also when they are about different nodes of it."""
    codes = sorted({document["hierarchy"] for document in documents if document.get("hierarchy")})
    with connection.cursor() as cursor:
        for code in codes:
            cursor.execute("SELECT pg_advisory_xact_lock(%s, hashtext(%s))", [_LOCK, code])


# --- rules ------------------------------------------------------------------------------------------------------------


def problems(pairs: Sequence[Pair]) -> dict[str, list[Problem]]:
    """{uid: what is wrong} of nodes as they would be; a fixed number of queries and one for each level above them."""
    found: dict[str, list[Problem]] = defaultdict(list)
    by_hierarchy: dict[str, list[Pair]] = defaultdict(list)
    for before, after in pairs:
        changed = [name for name in _FIXED if before is not None and before[name] != after[name]]
        found[after["uid"]] += [Problem(name, "fixed", f"{_FIXED[name]}: make a new one.") for name in changed]
        if not changed:
            by_hierarchy[after["hierarchy"]].append((before, after))
    rows = Hierarchy.objects.filter(code__in=by_hierarchy).values_list("code", "members", "within")
    members = {code: (type, within) for code, type, within in rows}
    for code, own in by_hierarchy.items():
        if code in members:  # else told as a reference that leads nowhere
            for uid, told in _of_hierarchy(code, *members[code], own).items():
                found[uid] += told
    return {uid: told for uid, told in found.items() if told}


def _of_hierarchy(code: str, members: str, within: str | None, pairs: Sequence[Pair]) -> dict[str, list[Problem]]:
    found: dict[str, list[Problem]] = defaultdict(list)
    here = {after["node"]: after for _, after in pairs}
    unknown = _unknown_members(members, within, [one["node"] for one in here.values() if one["kind"] == "member"])
    for node in unknown & here.keys():
        noun = registry.get(members).noun
        inside = f" in {within}" if within else ""
        if here[node]["status"] not in _GONE:
            words = f"There is no {noun} {node}{inside}."
            found[here[node]["uid"]].append(Problem("node", "unknown_member", words))
    for node, told in troubles(_around(code, here), list(here)).items():
        found[here[node]["uid"]] += [_problem(here[node], trouble) for trouble in told]
    return found


def _problem(document: Document, trouble: Trouble) -> Problem:
    if trouble.code == "not_empty":
        return Problem("valid_to", trouble.code, trouble.words)
    period = next(row for row in document["slices"] if start_of(row) == trouble.day)
    return Problem(f"slices/{period.get('uid')}/parent", trouble.code, trouble.words)


def _unknown_members(type: str, within: str | None, codes: Collection[str]) -> set[str]:
    kind = registry.find(type)
    if kind is None or not codes:
        return set()
    inside, column = WITHIN.get(type, ("", "code"))
    rows = kind.model._default_manager.exclude(status__in=_GONE).filter(**{f"{column}__in": codes})
    if inside:
        rows = rows.filter(**{inside: within})
    return set(codes) - set(rows.values_list(column, flat=True))


def node_of(document: Mapping[str, Any]) -> Node:
    rows = [] if document["status"] in _GONE else document["slices"]
    spans = sorted(Span(start_of(row), end_of(row), row.get("parent")) for row in rows)
    return Node(document["node"], document["kind"] == "group", tuple(spans))


def _around(code: str, documents: Mapping[str, Document]) -> dict[str, Node]:
    """The nodes of these documents, all above them, and what stands directly under the groups among them."""
    nodes = {node: node_of(document) for node, document in documents.items()}
    groups = [node.code for node in nodes.values() if node.group]
    below = HierarchyNodePeriod.objects.filter(record__hierarchy=code, parent__in=groups)
    nodes = _nodes(code, set(below.values_list("record__node", flat=True)) - nodes.keys()) | nodes
    known = set(nodes)
    wanted = {span.parent for node in documents for span in nodes[node].spans if span.parent} - known
    while wanted:
        found = _nodes(code, wanted)
        nodes |= found
        known |= wanted
        wanted = {span.parent for node in found.values() for span in node.spans if span.parent} - known
    return nodes


def _nodes(code: str, wanted: Collection[str]) -> dict[str, Node]:
    """Nodes as they stand in the database; one query."""
    if not wanted:
        return {}
    rows = HierarchyNodePeriod.objects.filter(record__hierarchy=code, record__node__in=wanted)
    spans: dict[str, list[Span]] = defaultdict(list)
    groups: dict[str, bool] = {}
    for node, kind, status, start, end, parent in rows.values_list(
        "record__node", "record__kind", "record__status", "valid_from", "valid_to", "parent"
    ):
        groups[node] = kind == "group"
        if status not in _GONE:
            spans[node].append(Span(str(start) if start else FIRST, str(end) if end else LAST, parent))
    return {node: Node(node, group, tuple(sorted(spans[node]))) for node, group in groups.items()}


# --- places -----------------------------------------------------------------------------------------------------------


def written(documents: Iterable[Document]) -> None:
    """Put the nodes and everything below them in their places, in the caller's transaction."""
    by_hierarchy: dict[str, list[str]] = defaultdict(list)
    listed = list(documents)
    for document in listed:
        by_hierarchy[document["hierarchy"]].append(document["uid"])
    lock(listed)
    for code, uids in by_hierarchy.items():
        ids = list(HierarchyNode.objects.filter(uid__in=uids).values_list("pk", flat=True))
        place(code, ids)


def place(code: str, ids: Sequence[int]) -> None:
    """Make the places of these nodes and of all below them anew."""
    with connection.cursor() as cursor:
        cursor.execute(BELOW, {"hierarchy": code, "ids": list(ids)})
        affected = [row[0] for row in cursor.fetchall()]
        cursor.execute("DELETE FROM dimensions_hierarchyplace WHERE record_id = ANY(%s)", [affected])
        cursor.execute(PLACE, {"hierarchy": code, "ids": affected})


BELOW = """
WITH RECURSIVE below(id, node) AS (
    SELECT id, node FROM dimensions_hierarchynode WHERE id = ANY(%(ids)s)
    UNION
    SELECT child.id, child.node
    FROM below
    JOIN dimensions_hierarchynodeperiod period ON period.parent = below.node
    JOIN dimensions_hierarchynode child ON child.id = period.record_id AND child.hierarchy = %(hierarchy)s
)
SELECT id FROM below
"""

# From the top down: a node stands somewhere while its period and the place above it hold. What is in a circle, or under
# what does not hold, is never reached and has no place.
PLACE = """
WITH RECURSIVE span AS MATERIALIZED (
    SELECT node.id, node.node, node.kind = 'member' AS member, period.parent,
           daterange(period.valid_from, period.valid_to) AS held
    FROM dimensions_hierarchynode node
    JOIN dimensions_hierarchynodeperiod period ON period.record_id = node.id
    WHERE node.id = ANY(%(ids)s) AND node.status NOT IN ('retired', 'merged')
), walk(id, node, member, above, held, depth, path) AS (
    SELECT first.* FROM (
        SELECT span.id, span.node, span.member, NULL::bigint, span.held, 0, span.id || '.'
        FROM span WHERE span.parent IS NULL
        UNION ALL
        SELECT span.id, span.node, span.member, upper_node.id, span.held * daterange(place.valid_from, place.valid_to),
               place.depth + 1, place.path || span.id || '.'
        FROM span
        JOIN dimensions_hierarchynode upper_node
            ON upper_node.hierarchy = %(hierarchy)s AND upper_node.node = span.parent
        JOIN dimensions_hierarchyplace place ON place.record_id = upper_node.id
        WHERE span.held && daterange(place.valid_from, place.valid_to)
    ) AS first
    UNION ALL
    SELECT span.id, span.node, span.member, walk.id, span.held * walk.held, walk.depth + 1,
           walk.path || span.id || '.'
    FROM walk
    JOIN span ON span.parent = walk.node AND span.held && walk.held
)
INSERT INTO dimensions_hierarchyplace (hierarchy, record_id, above_id, valid_from, valid_to, member, depth, path)
SELECT %(hierarchy)s, id, above, lower(held), upper(held), member, depth, path FROM walk
"""

ACROSS = Across(lock=lock, problems=problems, written=written)
