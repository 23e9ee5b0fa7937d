"""Rules of hierarchies over time: what stands under what from when to when, and what is wrong with that.

Pure: no database, no clock. Days are ISO texts and compare as such; a span holds from its `start` up to, not on, its `end`.
The rules have numbers, which the table of docs/hierarchies.md and the tests share.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from mdm.periods import FIRST, LAST

_NAMED = 3  # nodes that a message names


class Span(NamedTuple):
    """`parent`: code of the group the node stands under; None at the top."""

    start: str
    end: str
    parent: str | None


@dataclass(frozen=True, slots=True)
class Node:
    """`spans` in order, not overlapping; none when the node is retired."""

    code: str
    group: bool
    spans: tuple[Span, ...]


class Trouble(NamedTuple):
    """What is wrong with one node; `day`: the first day of the span it is about."""

    code: str
    words: str
    day: str


def troubles(nodes: Mapping[str, Node], changed: Collection[str]) -> dict[str, list[Trouble]]:
    """{code: what is wrong} of the changed nodes, in their order. `nodes`: they as they would be, all above them, and what
    stands directly under the changed groups."""
    under = _children(nodes.values())
    found = {
        code: [*_of_spans(nodes, nodes[code]), *_of_children(nodes, nodes[code], under, changed)] for code in changed
    }
    return {code: told for code, told in found.items() if told}


def _children(nodes: Iterable[Node]) -> dict[str, list[tuple[str, Span]]]:
    under: dict[str, list[tuple[str, Span]]] = defaultdict(list)
    for node in nodes:
        for span in node.spans:
            if span.parent is not None:
                under[span.parent].append((node.code, span))
    return under


def _of_spans(nodes: Mapping[str, Node], node: Node) -> Iterable[Trouble]:
    for span in node.spans:
        if span.parent is None:
            continue
        above = nodes.get(span.parent)
        if above is None:  # rule 1
            yield Trouble("unknown_parent", f"There is no node {span.parent} in this hierarchy.", span.start)
        elif not above.group:  # rule 2
            yield Trouble(
                "not_a_group", f"{span.parent} is a member: only under a group can something stand.", span.start
            )
        elif missing := uncovered(above.spans, span.start, span.end):  # rule 3
            yield Trouble("parent_not_valid", f"{span.parent} does not hold {_when(missing[0])}.", span.start)
        elif (way := _way_back(nodes, node.code, span)) is not None:  # rule 4
            words = " under ".join([node.code, *way])
            yield Trouble("cycle", f"{node.code} would stand under itself: {words}.", span.start)


def _of_children(
    nodes: Mapping[str, Node], node: Node, under: Mapping[str, Sequence[tuple[str, Span]]], changed: Collection[str]
) -> Iterable[Trouble]:
    """Rule 5: what stands under a group does so only while the group holds. What changes itself is told there."""
    left = [
        (code, missing[0])
        for code, span in under.get(node.code, ())
        if code not in changed and (missing := uncovered(node.spans, span.start, span.end))
    ]
    if left:
        names = ", ".join(sorted(code for code, _ in left)[:_NAMED])
        more = f" and {len(left) - _NAMED} more" if len(left) > _NAMED else ""
        first = min(start for _, (start, _) in left)
        verb = "stands" if len(left) == 1 else "stand"
        when = f" from {first} on" if first != FIRST else ""
        yield Trouble("not_empty", f"{names}{more} still {verb} under it{when}: move or close that first.", first)


def uncovered(spans: Iterable[Span], start: str, end: str) -> list[tuple[str, str]]:
    """The parts of start … end that no span covers."""
    here, found = start, []
    for span in spans:
        if span.end <= here or span.start >= end:
            continue
        if span.start > here:
            found.append((here, span.start))
        here = span.end
    return [*found, (here, end)] if here < end else found


def _way_back(nodes: Mapping[str, Node], code: str, span: Span) -> list[str] | None:
    """The codes from a span's parent up to the node itself, when there is a day on which it leads there."""
    open_ways = [([span.parent], span.start, span.end)]
    seen: set[tuple[str, str, str]] = set()
    while open_ways:
        way, start, end = open_ways.pop()
        here = way[-1]
        if here == code:
            return [step for step in way if step]
        above = nodes.get(here) if here else None
        if above is None or (above.code, start, end) in seen:
            continue
        seen.add((above.code, start, end))
        for higher in above.spans:
            first, last = max(start, higher.start), min(end, higher.end)
            if first < last and higher.parent is not None:
                open_ways.append(([*way, higher.parent], first, last))
    return None


def _when(part: tuple[str, str]) -> str:
    start, end = part
    if start == FIRST:
        return f"before {end}" if end != LAST else "on any day"
    return f"from {start} on" if end == LAST else f"from {start} to {end}"
