"""What is rare is counted anew as the hub grows, and stays frozen in between."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

import pytest

from mdm.matching import Engine
from mdm.models import KeySnapshot
from mdm.services import indexing, snapshots
from tests.mdm.matching.configs import blind_index, supplier_config
from tests.mdm.matching.documents import supplier

pytestmark = pytest.mark.django_db
engine = Engine(supplier_config(), hasher=blind_index)


def _fill(start: int, stop: int) -> None:
    batch = [(UUID(int=n), engine.features(supplier(f"Acme {n:05} Pumps", "DE"))) for n in range(start, stop)]
    indexing.StoredKeys("supplier").add(batch)


def test_a_snapshot_is_taken_when_the_hub_has_grown_by_half():
    _fill(0, 199)
    assert snapshots.refresh_if_grown("supplier") is None and KeySnapshot.objects.count() == 0
    _fill(199, 200)
    first = snapshots.refresh_if_grown("supplier")
    assert first and (first.total, first.cause) == (200, "grown")
    _fill(200, 299)
    assert snapshots.refresh_if_grown("supplier") is None
    _fill(299, 300)
    second = snapshots.refresh_if_grown("supplier")
    assert second and second.total == 300 and second.pk > first.pk


def test_counts_are_told_in_the_words_of_features():
    _fill(0, 200)
    [word] = engine.features(supplier("Acme"))["names"][0]["core"]
    assert indexing.counts_of("supplier", "token", [word, "nobody"]) == {word: 1, "nobody": 1}
    snapshots.retake(type_key="supplier", cause="asked")
    assert indexing.counts_of("supplier", "token", [word, "nobody"]) == {word: 200, "nobody": 1}
    assert indexing.counts_of("supplier", "token", []) == {}


def test_a_process_tells_the_counts_of_a_restored_database_from_those_it_has_read():
    _fill(0, 200)
    row = snapshots.retake(type_key="supplier", cause="asked")
    assert row and indexing.StoredKeys("supplier").rarity.total == 200
    KeySnapshot.objects.filter(pk=row.pk).update(total=7, taken_at=row.taken_at + timedelta(seconds=1))
    assert indexing.StoredKeys("supplier").rarity.total == indexing.snapshot(row.pk).total == 7
