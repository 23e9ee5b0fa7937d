"""Pairs of names alone, judged by our engine. `python -m tests.bench.matching.names OUT.npz`

Prints microseconds of CPU a pair: `us_a_pair` from two texts to a score, `us_compared` from two records as stored,
`us_crossed` from the texts to the scores of every left name with every right name.
"""

from __future__ import annotations

import csv
import json
import sys
import time
from typing import Any

import numpy as np

from mdm.matching import Engine
from mdm.matching.compare import Comparer
from mdm.matching.rarity import NOTHING_COUNTED
from tests.bench.matching.data import NAMES
from tests.bench.matching.ours import config

# Every name is seen once with this word before the clock runs: all tables are loaded, no answer is remembered.
WARM = " Alfa"


def rows() -> list[dict[str, str]]:
    with NAMES.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def main() -> int:
    pairs, engine = rows(), Engine(config())

    def known(rows: list[dict[str, str]]) -> list[tuple[dict[str, Any], dict[str, Any]]]:
        return [
            (engine.features({"legal_name": row["name1"]}), engine.features({"legal_name": row["name2"]}))
            for row in rows
        ]

    altered = [{**row, "name1": row["name1"] + WARM, "name2": row["name2"] + WARM} for row in pairs]
    engine.values(engine.levels(known(altered)))
    began = time.process_time()
    features = known(pairs)
    made = time.process_time()
    value = engine.values(engine.levels(features))
    compared = time.process_time()
    made, compared = (1e6 * took / len(pairs) for took in (made - began, compared - made))
    began = time.process_time()
    left, right = zip(*known(pairs), strict=True)
    count = len(pairs)
    comparer = Comparer(engine.table((*left, *right)), NOTHING_COUNTED)
    engine.values(
        comparer.compare(np.repeat(np.arange(count), count), np.tile(np.arange(count, 2 * count), count)).levels
    )
    crossed = 1e6 * (time.process_time() - began) / count**2
    np.savez(sys.argv[1], value=value, threshold=engine.model.thresholds.review)
    print(json.dumps({"us_a_pair": made + compared, "us_compared": compared, "us_crossed": crossed}))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
