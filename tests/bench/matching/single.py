"""One record against many, through the engine: normalise, look up, compare, explain. In a process of its own.

`python -m tests.bench.matching.single FILE TRUTH QUERIES` prints milliseconds and recall as JSON. The records stand in
a MemoryKeyStore, whose candidates are those of the hub's store; what PostgreSQL adds is measured through REST.
"""

from __future__ import annotations

import gc
import json
import sys
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np

from mdm.matching import Engine, MemoryKeyStore
from mdm.matching.files import columns_of
from tests.bench.matching.data import Truth, ids_of, rows_of
from tests.bench.matching.judge import Ints
from tests.bench.matching.ours import config, hasher

_CHUNK = 5000


def queries(entity: Ints, count: int) -> Ints:
    """Records that have a duplicate, the same ones for every engine."""
    _, place, size = np.unique(entity, return_inverse=True, return_counts=True)
    able = np.nonzero(size[place.ravel()] > 1)[0]
    return np.sort(np.random.default_rng(7).choice(able, min(count, len(able)), replace=False))


def recall(entity: Ints, asked: list[int], found: list[list[int]]) -> float:
    """The share of the true duplicates of these records that were found."""
    same: defaultdict[int, set[int]] = defaultdict(set)
    for record, one in enumerate(entity.tolist()):
        same[one].add(record)
    wanted = [same[int(entity[record])] - {record} for record in asked]
    return sum(len(w & set(f)) for w, f in zip(wanted, found, strict=True)) / sum(map(len, wanted))


def milliseconds(took: list[float]) -> dict[str, float]:
    """Of seconds."""
    return {f"p{part}_ms": float(np.percentile(took, part)) * 1000 for part in (50, 95, 99)}


def main() -> int:
    file, truth, count = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
    entity = Truth.of(truth, ids_of(file)).entity
    asked = queries(entity, count).tolist()
    wanted = set(asked)
    engine, store = Engine(config(), hasher), MemoryKeyStore()
    headers, rows = rows_of(file)
    columns = columns_of(engine.config, headers, {})
    documents: dict[int, dict[str, Any]] = {}
    batch: list[tuple[int, dict[str, Any]]] = []
    for record, row in enumerate(rows):
        document = columns.document(row)
        if record in wanted:
            documents[record] = document
        batch.append((record, engine.features(document)))
        if len(batch) == _CHUNK:
            store.add(batch)
            batch = []
    store.add(batch)
    rarity = store.freeze()
    gc.collect()
    gc.freeze()  # the store stands still: no collection needs to walk through it in the middle of a question
    took: list[float] = []
    near: list[list[int]] = []
    shown: list[list[int]] = []
    for _ in range(2):  # the first warms
        took, near, shown = [], [], []
        for record in asked:
            began = time.perf_counter()
            features = engine.features(documents[record])
            candidates = store.candidates([features], besides=record)[0]
            ranked = engine.rank(features, candidates, rarity=rarity)
            took.append(time.perf_counter() - began)
            near.append([id_ for id_, _ in candidates])
            shown.append([id_ for id_, _ in ranked])
    print(json.dumps({
        **milliseconds(took), "recall": recall(entity, asked, near), "recall_shown": recall(entity, asked, shown),
        "candidates": sum(map(len, near)) / len(near), "queries": len(asked),
    }))  # fmt: skip
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
