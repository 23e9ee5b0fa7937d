"""What follows from judgements, held against a model that knows nothing but the two rules."""

from __future__ import annotations

from itertools import combinations

from hypothesis import given
from hypothesis import strategies as st

from mdm.services.inference import Edge, Verdicts

NODES = "abcdefg"
PAIRS = [tuple(pair) for pair in combinations(NODES, 2)]


@st.composite
def judged(draw: st.DrawFn) -> list[Edge]:
    chosen = draw(st.lists(st.sampled_from(PAIRS), unique=True, max_size=10))
    return [
        Edge(left, right, draw(st.sampled_from(["same", "same", "different", "related"]))) for left, right in chosen
    ]


class Naive:
    """Facts are added by the two rules until nothing is new."""

    def __init__(self, edges: list[Edge]) -> None:
        self.judged = {frozenset((e.left, e.right)) for e in edges}
        same = {(x, x) for x in NODES}
        for e in edges:
            if e.verdict == "same":
                same |= {(e.left, e.right), (e.right, e.left)}
        apart = {p for e in edges if e.verdict != "same" for p in ((e.left, e.right), (e.right, e.left))}
        while True:
            more = {(a, d) for a, b in same for c, d in same if b == c}
            further = {(a, d) for a, b in same for c, d in apart if b == c}
            further |= {(d, a) for a, d in further}
            if more <= same and further <= apart:
                break
            same, apart = same | more, apart | further
        self.same, self.apart = same, apart
        self.torn = {a for a, b in same if (a, b) in apart}

    def infer(self, left: str, right: str) -> str | None:
        if left == right or frozenset((left, right)) in self.judged or {left, right} & self.torn:
            return None
        if (left, right) in self.same:
            return "same"
        return "different" if (left, right) in self.apart else None


@given(judged())
def test_it_is_what_the_two_rules_say(edges: list[Edge]) -> None:
    model, verdicts = Naive(edges), Verdicts(edges)
    for left, right in PAIRS:
        found = verdicts.infer(left, right)
        assert (found.verdict if found else None) == model.infer(left, right)
        back = verdicts.infer(right, left)
        assert (back.verdict if back else None) == (found.verdict if found else None)


@given(judged())
def test_the_way_leads_from_one_record_to_the_other_over_judgements(edges: list[Edge]) -> None:
    verdicts = Verdicts(edges)
    for left, right in PAIRS:
        found = verdicts.infer(left, right)
        if found is None:
            continue
        node = left
        for edge in found.via:
            assert edge in edges and node in (edge.left, edge.right)
            node = edge.other(node)
        assert node == right
        negative = [edge for edge in found.via if edge.verdict != "same"]
        assert len(negative) == (0 if found.verdict == "same" else 1)


@given(judged(), st.randoms())
def test_order_means_nothing(edges: list[Edge], chance: object) -> None:
    mixed = list(edges)
    chance.shuffle(mixed)  # type: ignore[attr-defined]
    one, other = Verdicts(edges), Verdicts(mixed)
    assert [one.infer(*pair) for pair in PAIRS] == [other.infer(*pair) for pair in PAIRS]
    assert one.contradictions() == other.contradictions()


@given(judged())
def test_every_contradiction_is_named_with_its_judgements(edges: list[Edge]) -> None:
    model, found = Naive(edges), Verdicts(edges).contradictions()
    inside = {e for e in edges if e.verdict != "same" and (e.left, e.right) in model.same}
    assert {way[0] for way in found} == inside
    for way in found:
        assert all(edge.verdict == "same" for edge in way[1:]) and len(way) >= 3


def test_nobody_is_asked_what_is_known() -> None:
    verdicts = Verdicts([Edge("a", "b", "different"), Edge("b", "c", "same")])
    found = verdicts.infer("a", "c")
    assert found is not None and found.verdict == "different"
    assert found.via == (Edge("a", "b", "different"), Edge("b", "c", "same"))
    assert verdicts.infer("a", "b") is None and verdicts.infer("a", "z") is None


def test_a_contradiction_stops_inference_through_it() -> None:
    edges = [Edge("a", "b", "same"), Edge("b", "c", "same"), Edge("a", "c", "different"), Edge("c", "d", "same")]
    verdicts = Verdicts(edges)
    assert verdicts.contradictions() == [(Edge("a", "c", "different"), Edge("a", "b", "same"), Edge("b", "c", "same"))]
    assert verdicts.infer("a", "d") is None and verdicts.infer("b", "d") is None
