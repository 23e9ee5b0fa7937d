"""Pairs of names alone, judged by our engine. `python -m tests.bench.matching.names OUT.npz` prints microseconds a pair."""

from __future__ import annotations

import csv
import json
import sys
import time
from typing import Any

import numpy as np

from mdm.matching import Engine
from tests.bench.matching.data import NAMES
from tests.bench.matching.ours import config

ROUNDS = 5


def rows() -> list[dict[str, str]]:
    with NAMES.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def main() -> int:
    pairs, engine = rows(), Engine(config())

    def judge() -> list[float]:
        features = [
            (engine.features({"legal_name": row["name1"]}), engine.features({"legal_name": row["name2"]}))
            for row in pairs
        ]
        found: Any = engine.values(engine.levels(features))
        return list(found)

    value = judge()
    took = []
    for _ in range(ROUNDS):
        began = time.monotonic()
        judge()
        took.append(time.monotonic() - began)
    np.savez(sys.argv[1], value=np.array(value), threshold=engine.model.thresholds.review)
    print(json.dumps({"us_a_pair": 1e6 * sorted(took)[ROUNDS // 2] / len(pairs)}))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
