"""Clusters under cannot-link constraints: rules that hold for every graph."""

from __future__ import annotations

from itertools import combinations

from hypothesis import given
from hypothesis import strategies as st

from mdm.services.clusters import Link, agglomerate

NODES = "abcdefgh"
PAIRS = list(combinations(NODES, 2))


@st.composite
def graphs(draw: st.DrawFn) -> list[Link]:
    chosen = draw(st.lists(st.sampled_from(PAIRS), unique=True, max_size=14))
    values = st.sampled_from([-2.0, -0.5, 0.0, 0.5, 1.0, 4.0])
    found = []
    for left, right in chosen:
        apart = draw(st.booleans())
        found.append(Link(left, right, draw(values), apart=apart, sure=not apart and draw(st.booleans())))
    return found


@given(graphs())
def test_everybody_is_in_one_group_and_nobody_meets_whom_they_are_kept_from(links: list[Link]) -> None:
    groups = agglomerate(NODES, links)
    assert sorted(node for group in groups for node in group) == list(NODES)
    where = {node: place for place, group in enumerate(groups) for node in group}
    assert all(where[link.left] != where[link.right] for link in links if link.apart)


@given(graphs())
def test_groups_hang_together_by_links_that_may_join(links: list[Link]) -> None:
    joining = [link for link in links if not link.apart and (link.sure or link.value >= 0)]
    for group in agglomerate(NODES, links):
        reached, waiting = {group[0]}, [group[0]]
        while waiting:
            node = waiting.pop()
            for link in joining:
                for one, other in ((link.left, link.right), (link.right, link.left)):
                    if one == node and other in group and other not in reached:
                        reached.add(other)
                        waiting.append(other)
        assert reached == set(group)


@given(graphs(), st.randoms())
def test_order_means_nothing(links: list[Link], chance: object) -> None:
    mixed = list(links)
    chance.shuffle(mixed)  # type: ignore[attr-defined]
    assert agglomerate(NODES, links) == agglomerate(reversed(NODES), mixed)


def test_the_strongest_link_wins_when_two_kept_apart_want_the_same_third() -> None:
    links = [Link("a", "b", 2.0), Link("b", "c", 3.0), Link("a", "c", 5.0, apart=True)]
    assert agglomerate("abc", links) == [["b", "c"], ["a"]]
    said = [Link("a", "b", 2.0, sure=True), *links[1:]]  # a judgement outweighs the stronger evidence
    assert agglomerate("abc", said) == [["a", "b"], ["c"]]
