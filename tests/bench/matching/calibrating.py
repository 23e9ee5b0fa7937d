"""Writes how far the shipped model's scores may be believed: `python -m tests.bench.matching.calibrating`.

Takes invented suppliers of a seed that nothing is judged on, scores their candidates by the shipped model of companies,
and puts the points (score, log-odds) into its file. Nobody can know the share of duplicates in a file not yet seen: a
model learnt from a hub's own records and judgements is calibrated by those instead.
"""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np

from mdm.matching import model as models
from mdm.matching.bulk import Job
from mdm.matching.training import calibrate
from tests.bench import ground
from tests.bench.matching.data import Truth, invented
from tests.bench.matching.ours import config, table_of

SEED, RECORDS = 31, 100_000
_BETWEEN = (-4.0, 8.0)  # where people look; most candidates lie far below and would take all the points


def main() -> int:
    file, truth = invented(ground.VAR / "matching", RECORDS, SEED)
    table, ids = table_of(file, 2, config())
    entity = Truth.of(truth, ids).entity
    job = Job(table, config(), replace(models.shipped(models.COMPANY), calibration=()))
    pairs = job.pairs(2)
    value = pairs.value.astype(np.float64)
    inside = (value >= _BETWEEN[0]) & (value <= _BETWEEN[1])
    points = calibrate(value[inside], (entity[pairs.left] == entity[pairs.right])[inside])
    path = models.shipped_file(models.COMPANY)
    said = json.loads(path.read_text(encoding="utf-8"))
    said["calibration"] = [list(point) for point in points]
    path.write_text(json.dumps(said, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    for score, log_odds in points:
        print(f"{score:7.2f} {1 / (1 + np.exp(-log_odds)):.3f}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
