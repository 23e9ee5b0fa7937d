"""The files of the matching bench: invented suppliers (made once, kept under var/bench), real sites, real names."""

from __future__ import annotations

import csv
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from tests.bench.matching.judge import Ints

_HERE = Path(__file__).parent
SITES = _HERE / "data" / "chicago_providers"
NAMES = _HERE / "data" / "org_name_pairs" / "pairs.csv"


@dataclass(frozen=True, slots=True)
class Truth:
    """Who each record of a file is, in the order of the file. Sets without groups have every entity as its own."""

    entity: Ints
    group: Ints
    kind: npt.NDArray[np.str_]
    done: tuple[frozenset[str], ...]  # what was done to the record, of invented ones

    @staticmethod
    def of(path: Path, ids: Sequence[str]) -> Truth:
        with path.open(encoding="utf-8", newline="") as file:
            rows = {row["record_id"]: row for row in csv.DictReader(file)}
        found = [rows[id_] for id_ in ids]
        entity = _numbered([row["entity_id"] for row in found])
        return Truth(
            entity,
            _numbered([row.get("group_id") or f"={row['entity_id']}" for row in found]),
            np.array([row.get("kind") or "" for row in found]),
            tuple(frozenset(filter(None, (row.get("ops") or "").split("|"))) for row in found),
        )


def _numbered(texts: list[str]) -> Ints:
    return np.unique(np.array(texts), return_inverse=True)[1].astype(np.int64)


def rows_of(path: Path) -> tuple[list[str], Iterator[dict[str, str]]]:
    """Headers and rows of a CSV file."""

    def rows() -> Iterator[dict[str, str]]:
        with path.open(encoding="utf-8-sig", newline="") as file:
            yield from csv.DictReader(file)

    with path.open(encoding="utf-8-sig", newline="") as file:
        return next(csv.reader(file)), rows()


def ids_of(path: Path) -> list[str]:
    return [row["record_id"] for row in rows_of(path)[1]]


def invented(folder: Path, records: int, seed: int) -> tuple[Path, Path]:
    """(file, truth) of so many invented suppliers."""
    folder.mkdir(parents=True, exist_ok=True)
    file, truth = (folder / f"{what}-{records}-{seed}.csv" for what in ("invented", "truth"))
    if not (file.exists() and truth.exists()):
        partial = [path.with_suffix(".partial") for path in (file, truth)]
        subprocess.run(
            [sys.executable, str(_HERE / "generator.py"), "--n", str(records), "--seed", str(seed),
             "--out", str(partial[0]), "--truth", str(partial[1])],
            check=True,
        )  # fmt: skip
        for made, path in zip(partial, (file, truth), strict=True):
            made.replace(path)
    return file, truth
