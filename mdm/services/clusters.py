"""Records that hang together through pairs: which of them may be merged as one, and which must never meet in one."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from django.db import connection

from mdm.matching.config import NUMBER_CONFLICT, TAX_ID_CONFLICT
from mdm.models import DuplicatePair

MOST = 200  # records of one cluster that are read
APART = frozenset({TAX_ID_CONFLICT, NUMBER_CONFLICT})  # evidence that keeps two records apart until a person says same


@dataclass(frozen=True)
class Link:
    """Two records and how strongly they belong together (log-odds); `apart`: they must not be in one group."""

    left: str
    right: str
    value: float
    apart: bool = False
    sure: bool = False  # a person said so: joined before everything that is only likely


def agglomerate(nodes: Iterable[str], links: Iterable[Link], floor: float = 0.0) -> list[list[str]]:
    """Groups by joining along the strongest links first; no group ever holds two records that are kept apart.

    Every node is in exactly one group; groups largest first, then by their first node. Links below `floor` join nothing
    unless a person said so. Pure, and independent of the order of its input.
    """
    group = {node: frozenset([node]) for node in nodes}
    ordered = sorted(set(links), key=lambda one: (not one.sure, -one.value, one.left, one.right))
    apart: dict[str, set[str]] = {node: set() for node in group}
    for link in ordered:
        if link.apart:
            apart[link.left].add(link.right)
            apart[link.right].add(link.left)
    for link in ordered:
        one, other = group[link.left], group[link.right]
        if link.apart or one == other or (link.value < floor and not link.sure):
            continue
        if any(not apart[node].isdisjoint(other) for node in one):
            continue
        joined = one | other
        for node in joined:
            group[node] = joined
    return sorted((sorted(found) for found in set(group.values())), key=lambda found: (-len(found), found))


@dataclass(frozen=True)
class Cluster:
    """`members` by uid; every known pair among them; the groups that could be merged each into one record."""

    members: tuple[str, ...]
    pairs: tuple[DuplicatePair, ...]
    groups: tuple[tuple[str, ...], ...]
    cut: bool  # there are more members than were read


def around(type_key: str, uid: Any) -> Cluster:
    """Everything connected to a record by pairs that are open, unsure, the same, or follow; two queries."""
    with connection.cursor() as cursor:
        cursor.execute(
            """WITH RECURSIVE member(uid) AS (
                SELECT %s::uuid
                UNION
                SELECT w.other FROM member m CROSS JOIN LATERAL (
                    SELECT p.right AS other, p.state, p.follows, p.kind FROM mdm_duplicatepair p WHERE p.left = m.uid
                    UNION ALL
                    SELECT p.left, p.state, p.follows, p.kind FROM mdm_duplicatepair p WHERE p.right = m.uid
                ) w WHERE w.kind = 'duplicate'
                    AND (w.state IN ('open', 'unsure', 'same') OR (w.state = 'follows' AND w.follows = 'same'))
            ) SELECT uid::text FROM member LIMIT %s""",
            [str(uid), MOST + 1],
        )
        found = [row[0] for row in cursor.fetchall()]
    members = found[:MOST]
    pairs = DuplicatePair.objects.filter(type=type_key, left__in=members, right__in=members)
    listed = tuple(pairs.exclude(state__in=("merged", "gone")).order_by("-rank", "-pk"))
    return Cluster(tuple(members), listed, partition(members, listed), len(found) > MOST)


def partition(members: Sequence[str], pairs: Iterable[DuplicatePair]) -> tuple[tuple[str, ...], ...]:
    """The groups of a cluster: judgements first, then what is likely, and nothing across what is kept apart."""
    return tuple(
        tuple(found) for found in agglomerate(members, [_link(pair) for pair in pairs if pair.kind == "duplicate"])
    )


def _link(pair: DuplicatePair) -> Link:
    said = pair.follows or pair.state
    doubtful = said not in ("same", "different", "related") and not APART.isdisjoint(pair.flags)
    return Link(
        str(pair.left), str(pair.right), pair.score, apart=said in ("different", "related") or doubtful,
        sure=said == "same",
    )  # fmt: skip
