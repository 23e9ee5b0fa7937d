"""Whole files: the bulk job finds what the single check finds, in any order, by any number of processes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mdm.matching import Engine, MemoryKeyStore, bulk, shipped
from mdm.matching.bulk import Job
from mdm.matching.keys import CAP
from mdm.matching.score import BANDS, mask_of
from tests.mdm.matching.configs import blind_index, supplier_config
from tests.mdm.matching.documents import supplier
from tests.mdm.matching.invented import suppliers

engine = Engine(supplier_config(), hasher=blind_index)


def job(documents):
    return Job(engine.table([engine.features(one) for one in documents]), engine.config, engine.model)


def scored(documents):
    pairs = job(documents).pairs()
    return {
        (left, right): (value, flags, BANDS[band])
        for left, right, value, flags, band in zip(
            pairs.left.tolist(), pairs.right.tolist(), pairs.value.tolist(), pairs.flags.tolist(),
            pairs.band.tolist(), strict=True,
        )
    }  # fmt: skip


@settings(deadline=None, max_examples=25)
@given(st.lists(suppliers, max_size=14))
def test_bulk_gives_the_pairs_and_scores_of_single_checks(documents):
    store = MemoryKeyStore()
    store.add([(n, engine.features(one)) for n, one in enumerate(documents)])
    store.freeze()
    single = {}
    for n in range(len(documents)):
        found = store.candidates([store.features(n)], limit=None, besides=n)[0]
        for other, score in engine.rank(store.features(n), found, 99, -99.0, store.rarity):
            single[min(n, other), max(n, other)] = (score.value, mask_of(score.flags), score.band)
    assert scored(documents) == single


@settings(deadline=None, max_examples=25)
@given(st.lists(suppliers, min_size=2, max_size=14), st.randoms(use_true_random=False), st.integers(1, 13))
def test_adding_one_by_one_gives_the_pairs_of_one_run(documents, random, first):
    """Under one frozen snapshot of counts, whatever the order. Clusters are a function of pairs, tested below."""
    whole = job(documents)
    pairs = whole.pairs()
    store = MemoryKeyStore(whole.rarity)
    order = list(range(len(documents)))
    random.shuffle(order)
    store.add([(n, engine.features(documents[n])) for n in order[:first]])
    found = {}
    for place, n in enumerate(order):
        one = engine.features(documents[n])
        known = set(order[:place])
        near = [(m, f) for m, f in store.candidates([one], limit=None)[0] if m in known]
        for other, score in engine.rank(one, near, 99, -99.0, store.rarity):
            found[min(n, other), max(n, other)] = score.value
        store.add([(n, one)])
    assert found == dict(
        zip(zip(pairs.left.tolist(), pairs.right.tolist(), strict=True), pairs.value.tolist(), strict=True)
    )


@settings(deadline=None, max_examples=25)
@given(st.lists(suppliers, min_size=2, max_size=14), st.randoms(use_true_random=False))
def test_clusters_do_not_depend_on_the_order_of_rows(documents, random):
    order = list(range(len(documents)))
    random.shuffle(order)
    here, there = job(documents), job([documents[n] for n in order])
    straight = here.clusters(here.pairs(), np.arange(len(documents)))
    shuffled = there.clusters(there.pairs(), np.array(order))
    assert sorted(sorted(order[m] for m in members) for members in shuffled) == straight


@settings(deadline=None, max_examples=15)
@given(st.lists(suppliers, min_size=2, max_size=14))
def test_a_table_too_large_to_keep_its_texts_finds_the_same(documents):
    plain = scored(documents)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bulk, "_MANY", 0)
        packed = job(documents)
        texts = list(Engine(supplier_config(), hasher=blind_index).table(
            [engine.features(one) for one in documents]).vocabulary.texts)  # fmt: skip
        assert list(packed.table.vocabulary.texts)[: len(texts)] == texts
        with pytest.raises(RuntimeError, match="packed"):
            packed.table.vocabulary.number("new")
        assert scored(documents) == plain


def test_the_number_of_processes_changes_nothing(monkeypatch):
    monkeypatch.setattr("mdm.matching.bulk._PART", 7)
    words = ["Orion", "Orlon", "Zenit", "Nadir", "Kessler"]
    documents = [supplier(f"{a} {b} GmbH", "DE", city="Berlin") for a in words for b in ("Pumpen", "Druck", "Bau")] * 2
    one, two = job(documents).pairs(workers=1), job(documents).pairs(workers=2)
    assert len(one) > 15
    for column in ("left", "right", "value", "flags", "band"):
        assert np.array_equal(getattr(one, column), getattr(two, column))


def test_a_hundred_thousand_equal_names_stay_bounded():
    """The key is generic: nothing is compared, instead of five billion pairs."""
    same = engine.features(supplier("Acme Pumps GmbH", "DE", city="Berlin"))
    found = Job(engine.table([same] * 100_000), engine.config, engine.model)
    assert len(found.pairs()) == 0
    few = Job(engine.table([same] * (CAP // 2)), engine.config, engine.model)
    assert len(few.pairs()) == (CAP // 2) * (CAP // 2 - 1) // 2


def test_empty_input():
    nothing = job([])
    assert len(nothing.pairs()) == 0 and nothing.clusters(nothing.pairs()) == []
    blank = job([supplier(""), supplier("")])
    assert len(blank.pairs()) == 0


def test_the_shipped_models_are_whole():
    for kind in ("company", "place"):
        model = shipped(kind)
        assert model.kind == kind and model.weights["name"] and model.thresholds.link > model.thresholds.review
        chances = model.probabilities(np.linspace(-40, 40, 400))
        assert np.all(np.diff(chances) >= 0) and 0 < chances[0] < 0.01 and chances[-1] > 0.99


@pytest.mark.parametrize("kind", ["company", "place"])
def test_a_model_survives_its_file(kind):
    import json

    model = shipped(kind)
    assert type(model).of_json(json.loads(json.dumps(model.as_json()))) == model
