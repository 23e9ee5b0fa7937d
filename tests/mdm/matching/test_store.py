"""Key stores: what a key finds, what it is worth, and that the one in memory and the one in PostgreSQL agree."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mdm import registry
from mdm.matching import Engine, MemoryKeyStore
from mdm.matching.keys import CAP
from mdm.services import indexing
from tests.mdm.matching.configs import blind_index, supplier_config
from tests.mdm.matching.documents import supplier

engine = Engine(supplier_config(), hasher=blind_index)
ACME, VALVES, ZULU = (uuid.UUID(int=n) for n in (1, 2, 3))


@pytest.fixture(params=["memory", "postgresql"])
def store(request: pytest.FixtureRequest, db: None) -> Any:
    return MemoryKeyStore() if request.param == "memory" else indexing.StoredKeys("supplier")


def features(*args: Any, **more: Any) -> Any:
    return engine.features(supplier(*args, **more))


def freeze(store: Any) -> Any:
    if isinstance(store, MemoryKeyStore):
        return store.freeze()
    indexing.keep_snapshot(store.type_key, indexing.count(store.type_key), cause="asked")
    return store.rarity


def ids(found: list[Any]) -> list[str]:
    return [str(id_) for id_, _features in found]


def test_candidates_share_a_key_and_the_rarest_come_first(store):
    store.add(
        [
            (ACME, features("Acme Pumps", "DE", vat="DE136695976")),
            (VALVES, features("Acme Valves", "DE")),
            (ZULU, features("Zulu", "DE")),
        ]
    )
    wanted = features("Acme Pumps Ltd", "DE", vat="DE136695976")
    assert ids(store.candidates([wanted])[0]) == ids([(ACME, 0), (VALVES, 0)])
    assert ids(store.candidates([wanted], limit=1)[0]) == ids([(ACME, 0)])
    assert [ids(found) for found in store.candidates([features("Nobody"), wanted])][0] == []


def test_keys_the_snapshot_calls_common_find_nothing(store):
    crowd = [
        (uuid.UUID(int=n), features(f"Nadir{chr(97 + n % 26)}{chr(97 + n // 26)}", "DE", phone="+49 89 1234567"))
        for n in range(CAP + 1)
    ]
    store.add(crowd[:CAP])
    wanted = features("Unrelated", "FR", phone="+49 89 1234567")
    freeze(store)
    assert len(store.candidates([wanted], limit=None)[0]) == 0  # two hundred holders say too little by themselves
    both = features("Nadiraa", "DE", phone="+49 89 1234567")
    assert str(crowd[0][0]) in ids(store.candidates([both])[0])


def test_a_removed_or_changed_record_is_not_found_by_what_it_was(store):
    store.add([(ACME, features("Acme Pumps", "DE", phone="+49 89 1234567"))])
    wanted = features("Other", "FR", phone="+49 89 1234567")
    assert ids(store.candidates([wanted])[0]) == [str(ACME)]
    store.remove([ACME])
    assert store.candidates([wanted]) == [[]]
    store.add([(ACME, features("Acme Pumps", "DE", phone="+49 89 7654321"))])
    assert store.candidates([wanted]) == [[]]


def test_counts_are_those_of_the_snapshot_until_it_is_taken_again(store):
    store.add([(ACME, features("Acme Pumps", "DE")), (VALVES, features("Acme Valves", "DE"))])
    [token] = [key.hash for key in engine.keys([features("Acme")])[0] if key.kind == "token"]
    import numpy as np

    asked = np.array([token])
    assert store.rarity.counts(asked).tolist() == [1]
    rarity = freeze(store)
    assert (rarity.total, rarity.counts(asked).tolist()) == (2, [2])
    store.remove([VALVES])
    assert store.rarity.counts(asked).tolist() == [2]
    assert freeze(store).counts(asked).tolist() == [1]


@pytest.mark.django_db
@settings(deadline=None, max_examples=15)
@given(
    st.lists(
        st.builds(
            features,
            st.sampled_from(["Acme Pumps", "Acme Valves", "Müller Bau II", "Muller Bau", "Zulu", "IBM"]),
            st.sampled_from(["DE", "FR"]),
            phone=st.sampled_from(["", "+49 89 1234567", "+49 89 7654321"]),
            city=st.sampled_from(["", "Berlin", "Paris"]),
            iban=st.sampled_from(["", "DE89370400440532013000"]),
        ),
        min_size=1,
        max_size=12,
    )
)
def test_memory_and_postgresql_find_the_same(batch):
    assert registry.get("supplier").match
    memory, stored = MemoryKeyStore(), indexing.StoredKeys("supplier")
    rows = [(str(uuid.UUID(int=n)), one) for n, one in enumerate(batch)]
    stored.remove([uuid.UUID(int=n) for n in range(12)])
    memory.add(rows)
    stored.add(rows)
    memory.freeze()
    rarity = freeze(stored)
    found = memory.candidates(batch, limit=None), stored.candidates(batch, limit=None, rarity=rarity)
    assert [{id_ for id_, _ in one} for one in found[0]] == [{id_ for id_, _ in one} for one in found[1]]
