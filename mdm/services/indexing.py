"""Matching's inverted index in PostgreSQL: features and keys of each record, kept in the transaction that writes it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any

from django.db import connection

from mdm import crypto, registry
from mdm.matching.engine import Engine
from mdm.matching.keys import hash_key
from mdm.matching.store import key_points
from mdm.models import MatchKey, MatchProfile
from mdm.registry import RecordType
from mdm.services import bulk
from mdm.types import Document

CAP = 200  # a key held by more records is generic: it says nothing and is skipped
_TOKEN = "token"  # keys that only count how common a word is
_TOKEN_CAP = 2000  # beyond that a word is simply common


@lru_cache(maxsize=16)
def engine(type_key: str) -> Engine:
    """The engine of a record type that declares matching."""
    config = registry.get(type_key).match
    if config is None:
        raise LookupError(f"{type_key} declares no matching")
    return Engine(config, hasher=crypto.blind_index)


def is_matched(document: Document) -> bool:
    """Merged and retired records are found no more."""
    return document.get("status") in ("active", "blocked")


def reindex(written: Sequence[tuple[RecordType, Document]]) -> None:
    """Replace features and keys of these records."""
    matched = [(kind, document) for kind, document in written if kind.match]
    if not matched:
        return
    MatchProfile.objects.filter(uid__in=[document["uid"] for _, document in matched]).delete()
    profiles = [
        MatchProfile(type=kind.key, uid=document["uid"], features=engine(kind.key).features(document))
        for kind, document in matched
        if is_matched(document)
    ]
    bulk.insert(profiles)
    bulk.insert([key for profile in profiles for key in _keys(profile)])


def _keys(profile: MatchProfile) -> Iterable[MatchKey]:
    matcher = engine(profile.type)
    for key in matcher.keys(profile.features):
        yield MatchKey(type=profile.type, key=key.hash, kind=key.kind, profile=profile)
    for token in matcher.tokens(profile.features):
        yield MatchKey(type=profile.type, key=token_key(profile.type, token), kind=_TOKEN, profile=profile)


def token_key(type_key: str, token: str) -> int:
    return hash_key(f"{_TOKEN}:{type_key}", token)


class StoredRarity:
    """How common words and keys are among the stored records; asks once per word, remembers for one job."""

    def __init__(self, type_key: str) -> None:
        self._type = type_key
        self._tokens: dict[str, int] = {}
        self._keys: dict[int, int] = {}
        self.total = max(MatchProfile.objects.filter(type=type_key).count(), 1)

    def learn(self, tokens: Iterable[str]) -> None:
        new = {token_key(self._type, token): token for token in tokens if token not in self._tokens}
        counts = _count(list(new), _TOKEN_CAP)
        for key, token in new.items():
            self._tokens[token] = counts.get(key, 0)

    def token_count(self, token: str) -> int:
        if token not in self._tokens:
            self.learn([token])
        return self._tokens[token]

    def remember(self, counts: dict[int, int]) -> None:
        """Counts somebody fetched anyway, so that comparing asks nothing."""
        self._keys = counts

    def key_count(self, hash_: int) -> int:
        if hash_ not in self._keys:
            self._keys[hash_] = _count([hash_], CAP + 1).get(hash_, 0)
        return self._keys[hash_]


def _count(keys: list[int], cap: int) -> dict[int, int]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT q.key, (SELECT count(*) FROM (SELECT 1 FROM mdm_matchkey k WHERE k.key = q.key LIMIT %s) c) "
            "FROM unnest(%s::bigint[]) AS q(key)",
            [cap, keys],
        )
        return dict(cursor.fetchall())


def candidates(
    type_key: str, batch: Sequence[dict[str, Any]], *, limit: int = 100, rarity: StoredRarity | None = None
) -> list[list[tuple[str, dict[str, Any]]]]:
    """For each of a batch of features: stored records worth comparing [(uid, features)], rarest shared keys first.

    Two queries for the whole batch; a key held by more than `CAP` records is passed over, not cut off.
    """
    matcher = engine(type_key)
    wanted = [matcher.keys(features) for features in batch]
    asked = sorted({key.hash for keys in wanted for key in keys})
    found_holders = _holders(asked)
    if rarity:
        rarity.remember({key: len(found_holders.get(key, ())) for key in asked})
    holders = {key: found for key, found in found_holders.items() if len(found) <= CAP}
    chosen: list[list[int]] = []
    for keys in wanted:
        points: defaultdict[int, float] = defaultdict(float)
        for key in keys:
            found = holders.get(key.hash, ())
            gain = key_points(key.kind, len(found))
            for profile in found:
                points[profile] += gain
        chosen.append(sorted(points, key=lambda profile: (-points[profile], profile))[:limit])
    needed = {profile for profiles in chosen for profile in profiles}
    rows = MatchProfile.objects.filter(pk__in=needed, type=type_key).values_list("pk", "uid", "features")
    known = {pk: (str(uid), features) for pk, uid, features in rows}
    return [[known[profile] for profile in profiles if profile in known] for profiles in chosen]


def _holders(keys: list[int]) -> dict[int, list[int]]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT q.key, array_agg(k.profile_id) FROM unnest(%s::bigint[]) AS q(key) CROSS JOIN LATERAL "
            "(SELECT profile_id FROM mdm_matchkey WHERE key = q.key LIMIT %s) k GROUP BY q.key",
            [keys, CAP + 1],
        )
        return dict(cursor.fetchall())
