"""Records added one by one against one bulk run over all of them, under one frozen snapshot. In a process of its own.

`python -m tests.bench.matching.incremental FILE SHARE` loads all but SHARE of the records in bulk, adds the others one
at a time as the hub does (look up, compare, explain, put in; of the clusters only the part a record touches is resolved
again), and prints as JSON how much differs from one bulk run: nothing should.
"""

from __future__ import annotations

import json
import sys
import time
from collections import defaultdict
from pathlib import Path

import numpy as np

from mdm.matching import Engine, MemoryKeyStore
from mdm.matching.bulk import Job, Pairs
from mdm.matching.files import columns_of
from mdm.matching.keys import build_keys
from mdm.matching.rarity import Snapshot
from mdm.matching.score import BANDS, mask_of
from tests.bench.matching.data import rows_of
from tests.bench.matching.ours import config, hasher

Pair = tuple[int, int]
Judged = tuple[float, int, int]  # value, flags, band
_EVERY = 10**9


class Parts:
    """Clusters kept up to date: per record the joining pairs it has; a new one lets its connected part be resolved."""

    def __init__(self, job: Job) -> None:
        self.job = job
        self.pairs: dict[Pair, Judged] = {}
        self.near: defaultdict[int, set[int]] = defaultdict(set)
        self.cluster: dict[int, tuple[int, ...]] = {}

    def add(self, found: dict[Pair, Judged]) -> None:
        self.pairs |= found
        for (left, right), _ in found.items():
            self.near[left].add(right)
            self.near[right].add(left)

    def resolve(self, start: int) -> None:
        part = self._part(start)
        pairs = [(a, b) for a in sorted(part) for b in sorted(self.near[a]) if a < b and b in part]
        for record in part:
            self.cluster.pop(record, None)
        if pairs:
            for members in self.job.clusters(arrays(pairs, self.pairs)):
                self.cluster.update(dict.fromkeys(members, tuple(members)))

    def _part(self, start: int) -> set[int]:
        part, todo = {start}, [start]
        while todo:
            one = todo.pop()
            for other in self.near[one]:
                if other not in part and self.pairs[min(one, other), max(one, other)][2] > 0:
                    part.add(other)
                    todo.append(other)
        return part


def arrays(pairs: list[Pair], judged: dict[Pair, Judged]) -> Pairs:
    values = [judged[pair] for pair in pairs]
    return Pairs(
        np.array([left for left, _ in pairs], dtype=np.int32), np.array([right for _, right in pairs], dtype=np.int32),
        np.array([v for v, _, _ in values], dtype=np.float32), np.array([f for _, f, _ in values], dtype=np.uint8),
        np.array([b for _, _, b in values], dtype=np.int8),
    )  # fmt: skip


def told(pairs: Pairs) -> dict[Pair, Judged]:
    columns = (pairs.left, pairs.right, pairs.value, pairs.flags, pairs.band)
    rows = zip(*(column.tolist() for column in columns), strict=True)
    return {(left, right): (value, flags, band) for left, right, value, flags, band in rows}


def main() -> int:
    file, share = Path(sys.argv[1]), float(sys.argv[2])
    engine = Engine(config(), hasher)
    headers, rows = rows_of(file)
    columns = columns_of(engine.config, headers, {})
    features = [engine.features(columns.document(row)) for row in rows]
    before = round(len(features) * (1 - share))
    table = engine.table(features)
    first = engine.table(features[:before])
    rarity = Snapshot.of(build_keys(first), before)
    whole = Job(table, engine.config, engine.model, rarity=rarity)
    began = time.monotonic()
    bulk = whole.pairs()
    clusters = whole.clusters(bulk)
    bulk_s = time.monotonic() - began

    parts = Parts(whole)
    start = Job(first, engine.config, engine.model, rarity=rarity)
    loaded = start.pairs()
    parts.add(told(loaded))
    for members in start.clusters(loaded):
        parts.cluster.update(dict.fromkeys(members, tuple(members)))
    store = MemoryKeyStore(rarity)
    store.add(list(enumerate(features[:before])))
    began = time.monotonic()
    for record in range(before, len(features)):
        one = features[record]
        near = store.candidates([one], limit=None)[0]
        judged = engine.rank(one, near, limit=_EVERY, threshold=-float(_EVERY), rarity=rarity)
        parts.add(
            {(id_, record): (score.value, mask_of(score.flags), BANDS.index(score.band)) for id_, score in judged}
        )
        parts.resolve(record)
        store.add([(record, one)])
    took = time.monotonic() - began

    wanted, grown = told(bulk), sorted({*parts.cluster.values()})
    print(json.dumps({
        "before": before, "added": len(features) - before, "pairs": len(wanted), "clusters": len(clusters),
        "pairs_missing": len(wanted.keys() - parts.pairs.keys()), "pairs_more": len(parts.pairs.keys() - wanted.keys()),
        "pairs_judged_otherwise": sum(parts.pairs[pair] != wanted[pair] for pair in wanted.keys() & parts.pairs.keys()),
        "clusters_otherwise": len({*map(tuple, clusters)} ^ {*grown}),
        "added_per_s": (len(features) - before) / took, "bulk_s": bulk_s,
    }))  # fmt: skip
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
