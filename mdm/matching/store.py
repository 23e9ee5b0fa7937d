"""Key stores: where records are found by their keys. One in memory here; the hub's stands in PostgreSQL."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterable, Sequence
from typing import Any, Protocol

import numpy as np

from mdm.matching.candidates import ENOUGH, MOST_LIVE, total_points
from mdm.matching.keys import KINDS, TOKEN, Key, build_keys
from mdm.matching.rarity import NOTHING_COUNTED, Rarity, Snapshot
from mdm.matching.table import Kept, Table

Id = Hashable
Features = dict[str, Any]


class KeyStore(Protocol):
    """Records by key. What a key is worth is told by the frozen `rarity`, so that the order of adding changes nothing."""

    @property
    def rarity(self) -> Rarity: ...

    def add(self, batch: Sequence[tuple[Any, Features]]) -> None:
        """Put these records in, instead of what was held under their ids."""
        ...

    def remove(self, ids: Iterable[Any]) -> None: ...

    def candidates(self, batch: Sequence[Features], *, limit: int | None = 100) -> list[list[tuple[Any, Features]]]:
        """For each: stored records worth comparing, those sharing the rarest keys first."""
        ...


class MemoryKeyStore:
    """For plain files, one import's own rows, and tests."""

    def __init__(self, rarity: Rarity = NOTHING_COUNTED) -> None:
        self.rarity = rarity
        self._features: dict[Id, Features] = {}
        self._keys: dict[Id, list[Key]] = {}
        self._holders: defaultdict[int, dict[Id, None]] = defaultdict(dict)

    def __len__(self) -> int:
        return len(self._features)

    def add(self, batch: Sequence[tuple[Id, Features]]) -> None:
        self.remove(id_ for id_, _ in batch)
        keys = build_keys(Table.of(features for _, features in batch)).by_record(len(batch))
        for own, (id_, features) in zip(keys, batch, strict=True):
            self._features[id_], self._keys[id_] = Kept(features), own
            for key in own:
                self._holders[key.hash][id_] = None

    def remove(self, ids: Iterable[Id]) -> None:
        for id_ in ids:
            if self._features.pop(id_, None) is not None:
                for key in self._keys.pop(id_):
                    del self._holders[key.hash][id_]

    def ids(self) -> Iterable[Id]:
        return self._features.keys()

    def features(self, id_: Id) -> Features:
        return self._features[id_]

    def freeze(self) -> Snapshot:
        """Count what is held, and weigh keys and words by it from now on."""
        held = {hash_: len(holders) for hash_, holders in sorted(self._holders.items()) if len(holders) > 1}
        hashes = np.fromiter(held, np.int64, len(held))
        self.rarity = Snapshot(len(self._features), hashes, np.fromiter(held.values(), np.int32, len(held)))
        return self.rarity

    def candidates(
        self, batch: Sequence[Features], *, limit: int | None = 100, besides: Id | None = None
    ) -> list[list[tuple[Any, Features]]]:
        keys = build_keys(Table.of(batch)).finding()
        gains = total_points(keys.kind, self.rarity.counts(keys.hash)).tolist()
        points: list[defaultdict[Id, float]] = [defaultdict(float) for _ in batch]
        for record, hash_, gain in zip(keys.record.tolist(), keys.hash.tolist(), gains, strict=True):
            holders = self._holders.get(hash_, {})
            if gain and len(holders) <= MOST_LIVE:
                for holder in holders:
                    points[record][holder] += gain
        return [[(id_, self._features[id_]) for id_ in ranked(found, limit) if id_ != besides] for found in points]


def ranked(points: dict[Any, float], limit: int | None) -> list[Any]:
    """Those with enough points, most first; ties by id."""
    enough = [id_ for id_, sum_ in points.items() if sum_ >= ENOUGH]
    return sorted(enough, key=lambda id_: (-points[id_], str(id_)))[:limit]


__all__ = ["KINDS", "TOKEN", "KeyStore", "MemoryKeyStore", "ranked"]
