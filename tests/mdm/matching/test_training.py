"""Learning: nothing said changes nothing, people move what tax ids leave open, and never by themselves what they teach."""

from __future__ import annotations

import numpy as np

from mdm.matching.levels import FEATURES, INDEX
from mdm.matching.model import COMPANY, shipped
from mdm.matching.training import Labels, decided, learn, taught

BELIEVED = shipped(COMPANY)


def levels(count: int, **said: str) -> np.ndarray:
    rows = np.zeros((count, len(FEATURES)), dtype=np.int8)
    for feature, level in said.items():
        rows[:, FEATURES.index(feature)] = INDEX[feature][level]
    return rows


def by_tax_ids() -> Labels:
    """Same tax id: names agree and so does the street. Another one: neither does."""
    same = levels(300, tax="same", name="equal", rarity="rare", street="same")
    other = levels(300, tax="conflict", name="weak", rarity="common", street="different")
    return taught(np.concatenate([same, other]))


def test_nothing_said_is_the_model_believed() -> None:
    assert learn(BELIEVED, "x", None, None) is BELIEVED
    empty = taught(levels(0))
    assert learn(BELIEVED, "x", empty, decided(levels(0), np.zeros(0, dtype=bool))) is BELIEVED


def test_the_same_labels_lead_to_the_same_model() -> None:
    judged = decided(levels(40, name="equal", city="different"), np.ones(40, dtype=bool))
    one, other = (learn(BELIEVED, "x", by_tax_ids(), judged) for _ in range(2))
    assert one == other != BELIEVED


def test_people_move_what_tax_ids_leave_open() -> None:
    """Nobody's tax ids speak of sites of one name in two cities; forty judgements do."""
    judged = decided(levels(40, name="equal", city="different"), np.zeros(40, dtype=bool))
    alone = learn(BELIEVED, "x", by_tax_ids(), None)
    both = learn(BELIEVED, "x", by_tax_ids(), judged)
    assert both.weights["city"]["different"] < alone.weights.get("city", {}).get("different", 0.0)
    assert both.weights.get("tax") == BELIEVED.weights["tax"], "the teacher is not learnt from itself"
