"""nomenklatura's logic-v2 on pairs of names. Runs in var/peers. `python names_logic.py PAIRS.csv OUT.npz`

Prints microseconds of CPU a pair, from two texts to a score, once everything is loaded: of the pairs as they are
(`us_a_pair`), and of every left name with every right name (`us_crossed`).
"""

from __future__ import annotations

import csv
import json
import sys
import time

import numpy as np
from followthemoney import model
from nomenklatura.matching import get_algorithm

# Every name is seen once with this word before the clock runs: all tables are loaded, no answer is remembered.
WARM = " Alfa"


def main() -> None:
    source, out = sys.argv[1:3]
    with open(source, encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    algorithm = get_algorithm("logic-v2")
    config = algorithm.default_config()

    def judge(rows: list[dict[str, str]]) -> list[float]:
        return [
            algorithm.compare(_entity(row["schema"], row["name1"]), _entity(row["schema"], row["name2"]), config).score
            for row in rows
        ]

    judge([{**row, "name1": row["name1"] + WARM, "name2": row["name2"] + WARM} for row in rows])
    began = time.process_time()
    value = judge(rows)
    took = time.process_time() - began
    began = time.process_time()
    left, right = ([_entity(row["schema"], row[side]) for row in rows] for side in ("name1", "name2"))
    for one in left:
        for other in right:
            algorithm.compare(one, other, config)
    crossed = time.process_time() - began
    np.savez(out, value=np.array(value))
    print(json.dumps({"us_a_pair": 1e6 * took / len(rows), "us_crossed": 1e6 * crossed / len(rows) ** 2}))


def _entity(schema: str, name: str) -> object:
    return model.get_proxy({"id": name or "?", "schema": schema, "properties": {"name": [name]}})


if __name__ == "__main__":
    main()
