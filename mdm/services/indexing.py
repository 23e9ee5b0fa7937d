"""Matching's inverted index in PostgreSQL: features and keys of each record, kept in the transaction that writes it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import lru_cache
from typing import Any
from uuid import UUID

import numpy as np
from django.db import connection

from mdm import crypto, registry
from mdm.matching.candidates import MOST_LIVE, total_points
from mdm.matching.engine import Engine
from mdm.matching.keys import CAP, KIND, TOKEN, Keys, build_keys
from mdm.matching.model import Model
from mdm.matching.rarity import NOTHING_COUNTED, Rarity, Snapshot
from mdm.matching.store import ranked
from mdm.matching.table import Table
from mdm.matching.vocabulary import stable_hash
from mdm.models import ImportJob, KeySnapshot, MatchKey, MatchModel, MatchProfile
from mdm.registry import RecordType
from mdm.services import bulk
from mdm.types import Document

Features = dict[str, Any]
GROWTH = 1.5  # a snapshot is taken anew once there are so many times the records it counted
_FEW = 200  # below that many records counting them again costs nothing worth saving


def engine(type_key: str) -> Engine:
    """The engine of a record type that declares matching, with the model and the hard rules in force.

    One tiny query, so that every process follows an approval at once; what it finds is read once per process.
    """
    active = MatchModel.objects.filter(type=type_key, state="active").values_list("uid", flat=True).first()
    return engine_of(type_key, active)


def in_force(type_key: str) -> tuple[Engine, Rarity]:
    """The engine and the counts in force together; one tiny query."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT m.uid, s.id, s.taken_at FROM (SELECT 1) AS one "
            "LEFT JOIN mdm_matchmodel m ON m.type = %s AND m.state = 'active' "
            "LEFT JOIN LATERAL (SELECT id, taken_at FROM mdm_keysnapshot WHERE type = %s ORDER BY id DESC LIMIT 1) s ON true",
            [type_key, type_key],
        )
        version, pk, taken_at = cursor.fetchone()
    return engine_of(type_key, version), _counts(pk, taken_at) if pk else NOTHING_COUNTED


@lru_cache(maxsize=16)
def engine_of(type_key: str, version: UUID | None = None) -> Engine:
    """The engine of one version of the model (uid), by default of what the hub is shipped with; a version never changes."""
    config = registry.get(type_key).match
    if config is None:
        raise LookupError(f"{type_key} declares no matching")
    if version is None:
        return Engine(config, hasher=crypto.blind_index)
    row = MatchModel.objects.get(uid=version, type=type_key)
    return Engine(replace(config, rules=frozenset(row.rules)), crypto.blind_index, Model.of_json(row.data))


def is_matched(document: Document) -> bool:
    """Merged and retired records are found no more."""
    return document.get("status") in ("active", "blocked")


def reindex(written: Sequence[tuple[RecordType, Document]]) -> None:
    """Replace features and keys of these records."""
    by_kind: defaultdict[str, list[Document]] = defaultdict(list)
    for kind, document in written:
        if kind.match:
            by_kind[kind.key].append(document)
    for type_key, documents in by_kind.items():
        store = StoredKeys(type_key)
        store.remove(document["uid"] for document in documents)
        matcher = engine_of(type_key)  # features do not depend on the model
        store.add([(d["uid"], matcher.features(d)) for d in documents if is_matched(d)])


@dataclass(frozen=True)
class StoredKeys:
    """The key store (mdm.matching.store.KeyStore) in PostgreSQL, of one record type; ids are uids as text."""

    type_key: str

    @property
    def rarity(self) -> Rarity:
        """The snapshot in force; one small query, its counts stay in the process."""
        newest = KeySnapshot.objects.filter(type=self.type_key).values_list("pk", "taken_at").first()
        return _counts(*newest) if newest else NOTHING_COUNTED

    def add(self, batch: Sequence[tuple[Any, Features]]) -> None:
        """In the caller's transaction. What was held under these ids must have been removed."""
        if not batch:
            return
        keys = build_keys(engine_of(self.type_key).table([features for _, features in batch]))
        salted = keys.hash ^ _salt(self.type_key)
        words = keys.kind == TOKEN
        tokens: list[list[int]] = [[] for _ in batch]
        for record, key in zip(keys.record[words].tolist(), salted[words].tolist(), strict=True):
            tokens[record].append(key)
        profiles = [
            MatchProfile(type=self.type_key, uid=uid, features=features, tokens=own)
            for own, (uid, features) in zip(tokens, batch, strict=True)
        ]
        bulk.insert(profiles)
        rows = zip(keys.record[~words].tolist(), keys.kind[~words].tolist(), salted[~words].tolist(), strict=True)
        bulk.insert([MatchKey(key=key, kind=kind, profile=profiles[record]) for record, kind, key in rows])

    def remove(self, ids: Iterable[Any]) -> None:
        MatchProfile.objects.filter(uid__in=list(ids), type=self.type_key).delete()

    def candidates(
        self, batch: Sequence[Features], *, limit: int | None = 100, rarity: Rarity | None = None, without: str = ""
    ) -> list[list[tuple[str, Features]]]:
        """For each of a batch of features: stored records worth comparing, those sharing the rarest keys first.

        Two queries for the whole batch, and one for the snapshot when it is not given. `without`: a kind of key (as in
        KINDS) nothing is found by.
        """
        found = self.profiles_near(batch, limit=limit, rarity=rarity, without=without)
        return [[(uid, features) for _, uid, features in near] for near in found]

    def profiles_near(
        self, batch: Sequence[Features], *, limit: int | None = 100, rarity: Rarity | None = None, without: str = ""
    ) -> list[list[tuple[int, str, Features]]]:
        """`candidates` with the id of each profile, by which one tells later whether the record was written again."""
        keys = build_keys(Table.of(batch)).finding()
        if without:
            keys = keys.only(keys.kind != KIND[without])
        gains = total_points(keys.kind, (rarity or self.rarity).counts(keys.hash))
        useful = gains > 0
        holders = self._holders(np.unique(keys.hash[useful]))
        points: list[defaultdict[int, float]] = [defaultdict(float) for _ in batch]
        for record, hash_, gain in zip(
            keys.record[useful].tolist(), keys.hash[useful].tolist(), gains[useful].tolist(), strict=True
        ):
            mine = points[record]
            for holder in holders.get(hash_, ()):
                mine[holder] += gain
        chosen = [ranked(found, limit) for found in points]
        needed = {profile for profiles in chosen for profile in profiles}
        rows = MatchProfile.objects.filter(pk__in=needed, type=self.type_key).values_list("pk", "uid", "features")
        known = {pk: (pk, str(uid), features) for pk, uid, features in rows}
        return [[known[profile] for profile in profiles if profile in known] for profiles in chosen]

    def _holders(self, hashes: Any) -> dict[int, list[int]]:
        """Profiles per key. Keys that turn out far more common than the snapshot says are passed over."""
        salt = _salt(self.type_key)
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT q.key, k.holders FROM unnest(%s::bigint[]) AS q(key) CROSS JOIN LATERAL "
                "(SELECT array_agg(profile_id) AS holders FROM "
                "(SELECT profile_id FROM mdm_matchkey WHERE key = q.key LIMIT %s) h) k "
                "WHERE k.holders IS NOT NULL",
                [(hashes ^ salt).tolist(), MOST_LIVE + 1],
            )
            found = cursor.fetchall()
        return {key ^ int(salt): holders for key, holders in found if len(holders) <= MOST_LIVE}


def counts_of(type_key: str, kind: str, texts: Sequence[str]) -> dict[str, int]:
    """How many records the snapshot counted with this word, phone (`kind` as in KINDS) …; for people to read."""
    from mdm.matching.vocabulary import mix, signed

    if not texts:
        return {}
    hashes = signed(mix(kind, np.array([stable_hash(text) for text in texts], dtype=np.uint64)))
    return dict(zip(texts, StoredKeys(type_key).rarity.counts(hashes).tolist(), strict=True))


def keep_snapshot(
    type_key: str, counted: Snapshot, *, cause: str, report: dict[str, Any] | None = None, job: ImportJob | None = None
) -> KeySnapshot:
    """Let these counts be in force from now on; `mdm.services.snapshots` tells before what they flip."""
    return KeySnapshot.objects.create(
        type=type_key,
        total=counted.total,
        hashes=counted.hashes.astype("<i8").tobytes(),
        held=counted.held.astype("<i4").tobytes(),
        cause=cause,
        report=report or {},
        job=job,
    )


def count(type_key: str) -> Snapshot:
    """Keys and words as they are held now. Two walks over the index; nothing is locked."""
    salt = int(_salt(type_key))
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM mdm_matchprofile WHERE type = %s", [type_key])
        total = cursor.fetchone()[0]
        cursor.execute(
            "SELECT key, count(*) FROM mdm_matchkey k JOIN mdm_matchprofile p ON p.id = k.profile_id "
            "WHERE p.type = %s GROUP BY key HAVING count(*) > 1",
            [type_key],
        )
        rows = cursor.fetchall()
        cursor.execute(
            "SELECT token, count(*) FROM mdm_matchprofile, unnest(tokens) AS t(token) WHERE type = %s "
            "GROUP BY token HAVING count(*) > 1",
            [type_key],
        )
        rows += cursor.fetchall()
    counted = np.array(rows, dtype=np.int64).reshape(len(rows), 2)
    hashes = counted[:, 0] ^ salt
    order = np.argsort(hashes)
    return Snapshot(total, hashes[order], counted[order, 1].astype(np.int32))


def has_grown(type_key: str) -> bool:
    """Whether the hub holds half as much again as the last snapshot counted."""
    newest = KeySnapshot.objects.filter(type=type_key).only("pk", "total").first()
    total = MatchProfile.objects.filter(type=type_key).count()
    return total >= _FEW and not (newest and total < newest.total * GROWTH)


def snapshot(pk: int) -> Snapshot:
    """Counts that were or are in force; one tiny query, the counts themselves stay in the process."""
    return _counts(pk, KeySnapshot.objects.values_list("taken_at", flat=True).get(pk=pk))


@lru_cache(maxsize=8)
def _counts(pk: int, taken_at: datetime) -> Snapshot:
    """A row never changes; its time tells it from one that got the same number in a restored database."""
    row = KeySnapshot.objects.get(pk=pk, taken_at=taken_at)
    hashes = np.frombuffer(bytes(row.hashes), dtype="<i8").astype(np.int64)
    return Snapshot(row.total, hashes, np.frombuffer(bytes(row.held), dtype="<i4").astype(np.int32))


@lru_cache(maxsize=16)
def _salt(type_key: str) -> np.int64:
    return np.int64(stable_hash(f"type:{type_key}") >> 1)


__all__ = [
    "CAP",
    "Keys",
    "StoredKeys",
    "count",
    "counts_of",
    "engine",
    "engine_of",
    "has_grown",
    "in_force",
    "is_matched",
    "keep_snapshot",
    "reindex",
    "snapshot",
]
