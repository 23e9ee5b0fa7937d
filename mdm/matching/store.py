"""Keys in memory: the key store for plain files, for one import's own rows, and for tests."""

from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Iterator
from typing import Any

from mdm.matching.keys import STRONG, Key, build_keys

Id = Hashable
_STRONG_POINTS = 8.0


class MemoryKeyStore:
    """Finds records that share keys. A key held by more records than the cap is generic and is skipped."""

    def __init__(self) -> None:
        self._features: dict[Id, dict[str, Any]] = {}
        self._keys: dict[Id, list[Key]] = {}
        self._holders: dict[int, list[Id]] = defaultdict(list)
        self._tokens: Counter[str] = Counter()

    def __len__(self) -> int:
        return len(self._features)

    def add(self, id_: Id, features: dict[str, Any]) -> None:
        if id_ in self._features:
            self.remove(id_)
        keys = build_keys(features)
        self._features[id_], self._keys[id_] = features, keys
        for key in keys:
            self._holders[key.hash].append(id_)
        self._tokens.update(tokens_of(features))

    def remove(self, id_: Id) -> None:
        features = self._features.pop(id_)
        for key in self._keys.pop(id_):
            self._holders[key.hash].remove(id_)
        self._tokens.subtract(tokens_of(features))

    def ids(self) -> Iterable[Id]:
        return self._features.keys()

    def features(self, id_: Id) -> dict[str, Any]:
        return self._features[id_]

    # Rarity
    @property
    def total(self) -> int:
        return len(self._features)

    def token_count(self, token: str) -> int:
        return self._tokens[token]

    def key_count(self, hash_: int) -> int:
        return len(self._holders.get(hash_, ()))

    def candidates(
        self, features: dict[str, Any], cap: int = 200, limit: int = 200, besides: Id | None = None
    ) -> list[tuple[Id, dict[str, Any]]]:
        """Records worth comparing, those sharing the rarest keys first."""
        points: defaultdict[Id, float] = defaultdict(float)
        for key in build_keys(features):
            holders = self._holders.get(key.hash, ())
            if 0 < len(holders) <= cap:
                gain = key_points(key.kind, len(holders))
                for holder in holders:
                    points[holder] += gain
        points.pop(besides, None)
        ranked = sorted(points, key=lambda id_: -points[id_])  # stable: first found stays first
        return [(id_, self._features[id_]) for id_ in ranked[:limit]]

    def pairs(self, cap: int = 200, enough: float = 1.0) -> Iterator[tuple[Id, Id]]:
        """All pairs worth comparing within the store, each once, for duplicates inside one file.

        A pair counts when its shared keys together are rare enough: one strong key, or a few hints.
        """
        place = {id_: i for i, id_ in enumerate(self._features)}
        ids = list(self._features)
        for id_, keys in self._keys.items():
            here = place[id_]
            points: defaultdict[int, float] = defaultdict(float)
            for key in keys:
                holders = self._holders[key.hash]
                if 1 < len(holders) <= cap:
                    gain = key_points(key.kind, len(holders))
                    for holder in holders:
                        there = place[holder]
                        if there > here:
                            points[there] += gain
            for there, sum_ in points.items():
                if sum_ >= enough:
                    yield id_, ids[there]


def key_points(kind: str, holders: int) -> float:
    """How much sharing this key says that a pair deserves comparing; ten holders halve it."""
    return _STRONG_POINTS if kind in STRONG else 3.0 / (1.0 + holders / 10.0)


def tokens_of(features: dict[str, Any]) -> Iterable[str]:
    return {word for name in features["names"] for word in name["core"]}
