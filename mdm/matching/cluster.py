"""Clusters: records that are one thing, from scored pairs; grown best pair first, stopped by what forbids them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from mdm.matching.table import Places, Table

# What a pair counts as when two groups are weighed and these two records share too little to be compared.
ABSENT = -1.0
Claims = dict[int, frozenset[int]]


class Edges(NamedTuple):
    """Scored pairs, each once. `joins`: good enough to join two records; `forbidden`: must never be together."""

    left: Places
    right: Places
    value: npt.NDArray[np.float64]
    joins: npt.NDArray[np.bool_]
    forbidden: npt.NDArray[np.bool_]


@dataclass(slots=True)
class _Group:
    members: list[int]
    claims: Claims
    near: dict[int, list[float]] = field(default_factory=dict)  # other group → [sum of values, pairs, forbidden]


def clusters(
    edges: Edges,
    claims: dict[int, Claims] | None = None,
    rank: Places | None = None,
    least: float = 0.0,
) -> list[list[int]]:
    """Groups of two and more, members ascending. A single record is its own cluster and is not listed.

    Two groups become one when the best joining pair between them is met, nothing between them is forbidden, what
    they claim (`claims`: per record, values of identifiers that name one thing only) can stand together, and the
    mean over all their pairs is at least `least`. `rank`: an order of records that settles ties; with it the
    result does not depend on how records are numbered. Connected parts are independent of each other, so a new
    record can only change the part it touches.
    """
    parts = _parts(edges)
    found = []
    for rows in parts:
        if len(rows) == 1:
            row = rows[0]
            if not _contradict(
                (claims or {}).get(int(edges.left[row]), {}), (claims or {}).get(int(edges.right[row]), {})
            ):
                found.append(sorted((int(edges.left[row]), int(edges.right[row]))))
        else:
            found += _grow(edges, rows, claims or {}, rank, least)
    return sorted(sorted(members) for members in found)


def _parts(edges: Edges) -> list[list[int]]:
    """Rows of each connected part (by joining pairs), with the part's other pairs; parts without a join are left out."""
    joining = np.nonzero(edges.joins & ~edges.forbidden)[0]
    parent: dict[int, int] = {}

    def root(node: int) -> int:
        top = node
        while (up := parent.setdefault(top, top)) != top:
            top = up
        while parent[node] != top:
            parent[node], node = top, parent[node]
        return top

    for left, right in zip(edges.left[joining].tolist(), edges.right[joining].tolist(), strict=True):
        one, other = root(left), root(right)
        if one != other:
            parent[max(one, other)] = min(one, other)
    if not parent:
        return []
    nodes = np.fromiter(parent, np.int64, len(parent))
    top = np.full(int(max(edges.left.max(), edges.right.max())) + 1, -1, dtype=np.int64)
    top[nodes] = [root(node) for node in nodes.tolist()]
    inside = np.nonzero((top[edges.left] >= 0) & (top[edges.left] == top[edges.right]))[0]
    whose = top[edges.left[inside]]
    order = np.argsort(whose, kind="stable")
    cuts = np.nonzero(np.diff(whose[order]))[0] + 1
    return [rows.tolist() for rows in np.split(inside[order], cuts)]


def _grow(
    edges: Edges, rows: list[int], claims: dict[int, Claims], rank: Places | None, least: float
) -> list[list[int]]:
    groups: dict[int, _Group] = {}
    pairs = []
    for row in rows:
        left, right = int(edges.left[row]), int(edges.right[row])
        value, forbidden = float(edges.value[row]), bool(edges.forbidden[row])
        for node in (left, right):
            if node not in groups:
                groups[node] = _Group([node], claims.get(node, {}))
        for one, other in ((left, right), (right, left)):
            groups[one].near[other] = [value, 1, forbidden]
        if edges.joins[row] and not forbidden:
            first, second = (left, right) if rank is None else sorted((int(rank[left]), int(rank[right])))
            pairs.append((-value, first, second, left, right))
    now = {node: node for node in groups}
    for _minus, _first, _second, left, right in sorted(pairs):
        one, other = now[left], now[right]
        if one == other or not _may_join(groups[one], groups[other], other, least):
            continue
        if len(groups[one].members) < len(groups[other].members):
            one, other = other, one
        _join(groups, one, other)
        for member in groups[other].members:
            now[member] = one
        del groups[other]
    return [group.members for group in groups.values() if len(group.members) > 1]


def _may_join(one: _Group, other: _Group, name: int, least: float) -> bool:
    total, count, forbidden = one.near[name]
    if forbidden or _contradict(one.claims, other.claims):
        return False
    possible = len(one.members) * len(other.members)
    return total + ABSENT * (possible - count) >= least * possible


def _join(groups: dict[int, _Group], one: int, other: int) -> None:
    kept, gone = groups[one], groups[other]
    del kept.near[other]
    for name, (total, count, forbidden) in gone.near.items():
        if name == one:
            continue
        mine = kept.near.setdefault(name, [0.0, 0, False])
        mine[0], mine[1], mine[2] = mine[0] + total, mine[1] + count, mine[2] or forbidden
        theirs = groups[name].near
        del theirs[other]
        theirs[one] = mine.copy()
    kept.members = kept.members + gone.members
    if gone.claims:
        kept.claims = {
            scheme: kept.claims.get(scheme, frozenset()) | gone.claims.get(scheme, frozenset())
            for scheme in kept.claims.keys() | gone.claims.keys()
        }


def _contradict(one: Claims, other: Claims) -> bool:
    return any(one[scheme].isdisjoint(other[scheme]) for scheme in one.keys() & other.keys())


def claims_of(
    table: Table, records: npt.NDArray[np.int64], *, tax: bool = True, numbers: bool = True
) -> dict[int, Claims]:
    """What records claim to be the only one of: a valid tax id per country, the designators of their names."""
    found: dict[int, dict[int, set[int]]] = {}
    if tax:
        list_ = table.lists["tax"]
        for record in records.tolist():
            for place in range(list_.start[record], list_.start[record + 1]):
                if list_["valid"][place] == 1 and list_["country"][place]:
                    own = found.setdefault(record, {})
                    own.setdefault(int(list_["country"][place]), set()).add(int(list_["number"][place]))
    if numbers:
        said = table.scalars["numbers"]
        for record in records[said[records] > 0].tolist():
            found.setdefault(record, {})[-1] = {int(said[record])}
    return {record: {scheme: frozenset(values) for scheme, values in own.items()} for record, own in found.items()}
