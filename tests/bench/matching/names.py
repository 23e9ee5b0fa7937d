"""Pairs of names alone, judged by our engine. `python -m tests.bench.matching.names OUT.npz`

Prints microseconds of CPU a pair: `us_a_pair` from two texts to a score, `us_compared` from two records as stored.
"""

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

    def known() -> list[tuple[dict[str, Any], dict[str, Any]]]:
        return [
            (engine.features({"legal_name": row["name1"]}), engine.features({"legal_name": row["name2"]}))
            for row in pairs
        ]

    features = known()
    value = engine.values(engine.levels(features))
    made, compared = [], []
    for _ in range(ROUNDS):
        began = time.process_time()
        known()
        made.append(time.process_time() - began)
        began = time.process_time()
        engine.values(engine.levels(features))
        compared.append(time.process_time() - began)
    each, both = (1e6 * sorted(took)[ROUNDS // 2] / len(pairs) for took in (compared, made))
    np.savez(sys.argv[1], value=value, threshold=engine.model.thresholds.review)
    print(json.dumps({"us_a_pair": each + both, "us_compared": each}))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
