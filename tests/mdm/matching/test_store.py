"""The key store in memory: candidates by rare keys, generic keys skipped, counts, duplicates in one file."""

from mdm.matching import Engine, MemoryKeyStore
from tests.mdm.matching.configs import blind_index, supplier_config
from tests.mdm.matching.documents import supplier

engine = Engine(supplier_config(), hasher=blind_index)


def filled(*documents):
    store = MemoryKeyStore()
    for number, document in enumerate(documents):
        store.add(number, engine.features(document))
    return store


def test_candidates_share_a_key_and_the_rarest_come_first():
    store = filled(
        supplier("Acme Pumps", "DE", vat="DE136695976"), supplier("Acme Valves", "DE"), supplier("Zulu", "DE")
    )
    wanted = engine.features(supplier("Acme Pumps Ltd", "DE", vat="DE136695976"))
    assert [id_ for id_, _features in store.candidates(wanted)] == [0, 1]
    assert [id_ for id_, _features in store.candidates(wanted, limit=1)] == [0]
    assert [id_ for id_, _features in store.candidates(wanted, besides=0)] == [1]


def test_keys_held_by_too_many_are_skipped():
    store = filled(*[supplier(f"Nadir{chr(97 + i)} Pumps", "DE", phone="+49 89 1234567") for i in range(12)])
    wanted = engine.features(supplier("Unrelated", "DE", phone="+49 89 1234567"))
    assert len(store.candidates(wanted, cap=12)) == 12
    assert store.candidates(wanted, cap=11) == []


def test_counts_follow_adding_replacing_and_removing():
    store = filled(supplier("Acme Pumps", "DE"), supplier("Acme Valves", "DE"))
    [acme] = [token for token in engine.tokens(store.features(0)) if token.startswith("akm") or token == "acme"]
    assert (store.total, store.token_count(acme)) == (2, 2)
    store.add(1, engine.features(supplier("Zulu", "DE")))
    assert (store.total, store.token_count(acme)) == (2, 1)
    store.remove(0)
    assert (len(store), store.token_count(acme)) == (1, 0)


def test_sharing_a_rare_word_says_more_than_sharing_a_common_one():
    crowd = [supplier(f"Nadir {chr(97 + i) * 5}", "DE") for i in range(26)] * 40
    store = filled(*crowd, supplier("Quixotry Jabberwock", "DE"))
    common, rare = engine.features(crowd[0]), engine.features(supplier("Quixotry Jabberwock", "DE"))
    assert engine.compare(common, common, store).value < engine.compare(rare, rare, store).value


def test_a_phone_many_share_counts_less():
    documents = [supplier(f"{name} Pumps", "DE", phone="+49 89 1234567") for name in "ABCDEFGH"]
    store = filled(*documents)
    one = engine.features(supplier("Acme", "DE", phone="+49 89 1234567"))
    notes = {part.feature: part.note for part in engine.compare(one, one, store).explanation}
    assert notes["phone"] == "same phone, shared by many records"


def test_duplicates_within_a_file():
    store = filled(
        supplier("Müller Pumpen GmbH", "DE", phone="+49 89 1234567", city="München"),
        supplier("Weber AG", "DE", city="Berlin"),
        supplier("MUELLER PUMPEN", "DE", phone="089 1234567", city="Munich"),
    )
    [(one, other, score)] = list(engine.duplicates(store))
    assert ({one, other}, score.band) == ({0, 2}, "review")
    assert score == engine.compare(store.features(one), store.features(other), store)


def test_batch_and_single_check_agree():
    documents = [
        supplier(f"{a} {b} GmbH", "DE", city="Berlin")
        for a in ("Orion", "Orlon", "Zenit")
        for b in ("Pumpen", "Druck", "Bau")
    ]
    store = filled(*documents)
    batch = {frozenset((one, other)): score.value for one, other, score in engine.duplicates(store)}
    single = {}
    for id_ in store.ids():
        features = store.features(id_)
        candidates = store.candidates(features, besides=id_)
        for other, score in engine.rank(features, candidates, limit=99, rarity=store):
            single[frozenset((id_, other))] = score.value
    assert batch == {pair: value for pair, value in single.items() if pair in batch}
    assert batch
