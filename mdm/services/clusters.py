"""Records that hang together through pairs: which of them may be merged as one, and which must never meet in one."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from django.db import connection

from mdm.matching.cluster import Edges, clusters
from mdm.matching.config import NUMBER_CONFLICT, TAX_ID_CONFLICT
from mdm.models import DuplicatePair

MOST = 200  # records of one cluster that are read
_SAID = 1000.0  # points of “same”, said by a person
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

    Every node is in exactly one group; groups largest first, then by their first node. The rule is the engine's
    (`mdm.matching.cluster`): two groups join when the mean over all pairs between them speaks for it. What a person said
    outweighs everything measured. Pure, and independent of the order of its input.
    """
    names = sorted(set(nodes))
    place = {name: number for number, name in enumerate(names)}
    listed = sorted(set(links), key=lambda one: (one.left, one.right))
    values = [_SAID if link.sure else link.value for link in listed]
    found = (
        clusters(
            Edges(
                np.array([place[link.left] for link in listed], dtype=np.int64),
                np.array([place[link.right] for link in listed], dtype=np.int64),
                np.array(values, dtype=np.float64),
                np.array(
                    [value >= floor and not link.apart for value, link in zip(values, listed, strict=True)], dtype=bool
                ),
                np.array([link.apart for link in listed], dtype=bool),
            ),
            rank=np.arange(len(names)),
        )
        if listed
        else []
    )
    groups = [[names[number] for number in group] for group in found]
    alone = set(names).difference(*groups)
    return sorted([*groups, *([name] for name in alone)], key=lambda group: (-len(group), group))


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
