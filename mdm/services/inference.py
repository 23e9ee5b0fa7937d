"""What follows from judgements: same is transitive, and A=B with B≠C means A≠C. Derived, never stored as a judgement.

`Verdicts` is a pure function of judged edges. `settle` reads the judged edges around a few records, in SQL, and keeps
the open pairs among them true: one that follows is not asked, one that follows no more is asked again.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from django.db import connection
from django.db.models import Q, QuerySet

from mdm.models import DuplicatePair

SAME: Literal["same"] = "same"
DIFFERENT: Literal["different"] = "different"
_LOCK = 7_020  # advisory lock: judgements are made one after the other, so that what follows is derived from all


@dataclass(frozen=True, order=True)
class Edge:
    """A judged pair. verdict: same, different or related; the last two both say “not the same”."""

    left: str
    right: str
    verdict: str

    def other(self, node: str) -> str:
        return self.right if node == self.left else self.left


@dataclass(frozen=True)
class Inferred:
    """`verdict` same or different, and the judgements it follows from, as a way from one record to the other."""

    verdict: str
    via: tuple[Edge, ...]


class Verdicts:
    """What a set of judgements says about any pair.

    Records joined by “same” form groups. A group that holds a “not the same” within contradicts itself: nothing is
    inferred through it before a lead steward has settled it, and its “not the same” stands.
    """

    def __init__(self, edges: Iterable[Edge]) -> None:
        self._edges = sorted(set(edges))
        self._ways: dict[str, list[Edge]] = defaultdict(list)
        self._judged = {frozenset((edge.left, edge.right)) for edge in self._edges}
        for edge in self._edges:
            if edge.verdict == SAME:
                self._ways[edge.left].append(edge)
                self._ways[edge.right].append(edge)
        self._group: dict[str, int] = {}
        for edge in self._edges:
            for node in (edge.left, edge.right):
                if node not in self._group:
                    self._spread(node, len(self._group))
        self._apart: dict[frozenset[int], Edge] = {}
        self._inside: list[Edge] = []
        for edge in self._edges:
            if edge.verdict != SAME:
                one, other = self._group[edge.left], self._group[edge.right]
                if one == other:
                    self._inside.append(edge)
                else:
                    self._apart.setdefault(frozenset((one, other)), edge)
        self._contested = {self._group[edge.left] for edge in self._inside}

    def _spread(self, start: str, name: int) -> None:
        waiting = [start]
        self._group[start] = name
        while waiting:
            node = waiting.pop()
            for edge in self._ways[node]:
                other = edge.other(node)
                if other not in self._group:
                    self._group[other] = name
                    waiting.append(other)

    def infer(self, left: str, right: str) -> Inferred | None:
        """What follows about a pair that nobody judged; None when nothing does, or when it is judged itself."""
        if left == right or frozenset((left, right)) in self._judged:
            return None
        one, other = self._group.get(left), self._group.get(right)
        if one is None or other is None or not self._contested.isdisjoint((one, other)):
            return None
        if one == other:
            return Inferred(SAME, self._way(left, right))
        edge = self._apart.get(frozenset((one, other)))
        if edge is None:
            return None
        near, far = (edge.left, edge.right) if self._group[edge.left] == one else (edge.right, edge.left)
        return Inferred(DIFFERENT, (*self._way(left, near), edge, *self._way(far, right)))

    def _way(self, start: str, end: str) -> tuple[Edge, ...]:
        """The shortest way through “same”."""
        came: dict[str, Edge | None] = {start: None}
        waiting = deque([start])
        while waiting and end not in came:
            node = waiting.popleft()
            for edge in self._ways[node]:
                if (other := edge.other(node)) not in came:
                    came[other] = edge
                    waiting.append(other)
        way: list[Edge] = []
        node = end
        while (step := came[node]) is not None:
            way.append(step)
            node = step.other(node)
        return tuple(reversed(way))

    def contradictions(self) -> list[tuple[Edge, ...]]:
        """Each “not the same” inside a group, followed by the judgements that say the same."""
        return [(edge, *self._way(edge.left, edge.right)) for edge in self._inside]


# --- stored judgements ------------------------------------------------------------------------------------------------


def lock() -> None:
    """Until the end of the transaction. One order for everybody, so that nobody waits in a ring: golden records, then
    this, then pairs by id."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])


# A merged pair counts as same when somebody merged these two; a loser's other pairs were only closed.
SAID_SAME = """(p.state = 'same' OR (p.state = 'merged' AND (SELECT d.judgement FROM mdm_matchdecision d
            WHERE d.pair_id = p.id ORDER BY d.id DESC LIMIT 1) = 'same'))"""


def groups(uids: Iterable[Any]) -> set[str]:
    """These records and every one joined to them by “same”; one query that walks only their groups."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"""WITH RECURSIVE member(uid) AS (
                SELECT unnest(%s::uuid[])
                UNION
                SELECT w.other FROM member m CROSS JOIN LATERAL (
                    SELECT p.right AS other FROM mdm_duplicatepair p WHERE p.left = m.uid AND {SAID_SAME}
                    UNION ALL
                    SELECT p.left FROM mdm_duplicatepair p WHERE p.right = m.uid AND {SAID_SAME}
                ) w
            ) SELECT uid::text FROM member""",
            [[str(uid) for uid in uids]],
        )
        return {row[0] for row in cursor.fetchall()}


def edges(members: Iterable[str]) -> list[Edge]:
    """Every judged pair whose two records are among these; one query."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"""SELECT p.left::text, p.right::text, CASE WHEN p.state = 'merged' THEN 'same' ELSE p.state END
            FROM mdm_duplicatepair p WHERE p.left = ANY(%s::uuid[]) AND p.right = ANY(%s::uuid[])
            AND (p.state IN ('different', 'related') OR {SAID_SAME})""",
            [listed := list(members), listed],
        )
        return [Edge(*row) for row in cursor.fetchall()]


def around(uids: Iterable[Any]) -> Verdicts:
    """What the judgements say about these records among one another; two queries."""
    return Verdicts(edges(groups(uids)))


def _judged(uids: Iterable[Any]) -> QuerySet[DuplicatePair, tuple[Any, Any]]:
    """(left, right) of pairs around these records about which somebody said something."""
    listed = list(uids)
    said = Q(state__in=("same", "different", "related", "follows", "merged")) | ~Q(dispute="")
    return DuplicatePair.objects.filter(said, Q(left__in=listed) | Q(right__in=listed)).values_list("left", "right")


def lock_if_judged(uids: Iterable[Any]) -> None:
    """Before pairs around these records are written: wait for a judgement that is being made about them."""
    if _judged(uids).exists():
        lock()


def settle(uids: Sequence[Any]) -> int:
    """Derive anew what follows for every pair around these records; how many pairs changed.

    The records' groups, the pairs that touch them, and the groups at the other ends: nothing else is read.
    """
    asked = {str(uid) for uid in uids}
    near = groups({str(uid) for sides in _judged(asked) for uid in sides} & asked)
    if not near:
        return 0
    pairs = list(
        DuplicatePair.objects.filter(Q(left__in=near) | Q(right__in=near))
        .exclude(state="gone")
        .only("left", "right", "state", "follows", "dispute")
    )
    verdicts = around({uid for pair in pairs for uid in (pair.left, pair.right)} | near)
    torn = {frozenset((e.left, e.right)) for way in verdicts.contradictions() for e in way}
    changed = [pair for pair in pairs if _derive(pair, verdicts, torn)]
    DuplicatePair.objects.bulk_update(changed, ["state", "follows", "dispute"], batch_size=250)
    return len(changed)


def _derive(pair: DuplicatePair, verdicts: Verdicts, torn: set[frozenset[str]]) -> bool:
    before = (pair.state, pair.follows, pair.dispute)
    left, right = str(pair.left), str(pair.right)
    if pair.state in ("open", "follows"):
        found = verdicts.infer(left, right)
        pair.state, pair.follows = ("follows", found.verdict) if found else ("open", "")
    if pair.dispute != "people":
        pair.dispute = "logic" if frozenset((left, right)) in torn else ""
    return before != (pair.state, pair.follows, pair.dispute)
