"""Our engine on one file, in a process of its own, by the calls `manage.py match_file` makes.

`python -m tests.bench.matching.ours FILE --out FOLDER [--truth FILE --decisions N] [--columns FILE] [--workers N]`
leaves pairs and clusters in FOLDER/ours.npz (and FOLDER/decided.npz), and prints times in seconds as JSON.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import resource
import time
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np

from mdm.matching import MatchConfig
from mdm.matching.bulk import Job, Pairs
from mdm.matching.files import as_kind, columns_of, kind_of, read_table
from mdm.matching.model import shipped
from mdm.matching.table import Table
from mdm.matching.training import decided
from tests.bench.matching import judge, stewards
from tests.bench.matching.data import Truth, rows_of


def config() -> MatchConfig:
    """The suppliers' own, as the hub uses it."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "mdm.settings")
    os.environ.setdefault("MDM_ENV", "test")
    import django

    django.setup()
    from mdm import registry

    found = registry.get("supplier").match
    assert found is not None
    return found


def hasher(number: str) -> str:
    return blake2b(number.encode(), key=b"bench", digest_size=16).hexdigest()


def table_of(file: Path, workers: int, config: MatchConfig) -> tuple[Table, list[str]]:
    headers, rows = rows_of(file)
    columns = columns_of(config, headers, {})
    ids: list[str] = []

    def told() -> Any:
        for row in rows:
            ids.append(row["record_id"])
            yield row

    return read_table(told(), config, columns, hasher, workers=workers), ids


def job_of(table: Table, config: MatchConfig) -> Job:
    kind = kind_of(table)
    return Job(table, as_kind(config, kind), shipped(kind))


def run(
    file: Path,
    *,
    out: Path,
    workers: int = 1,
    truth: Path | None = None,
    decisions: int = 0,
    columns: Path | None = None,
) -> dict[str, Any]:
    """Seconds of each step, counts; arrays go to files."""
    out.mkdir(parents=True, exist_ok=True)
    began = time.monotonic()
    table, ids = table_of(file, workers, config())
    read, used = time.monotonic(), _cpu()
    job = job_of(table, config())
    job.model = job.learnt(f"{job.config.kind}-file")
    learnt = time.monotonic()
    pairs = job.pairs(workers)
    scored = time.monotonic()
    found = job.clusters(pairs, _rank(ids))
    done, used = time.monotonic(), _cpu() - used
    _keep(out / "ours.npz", job, pairs, found)
    said = {
        "records": len(table), "kind": job.config.kind, "model": job.model.version, "candidates": len(pairs),
        "normalise_s": read - began, "learn_s": learnt - read, "pairs_s": scored - learnt, "clusters_s": done - scored,
        "match_s": done - read, "match_cpu_s": used,
    }  # fmt: skip
    if columns is not None:
        write_columns(table, columns)
    if truth is not None and decisions:
        said["decisions"], said["said_same"] = _decide(job, pairs, Truth.of(truth, ids).entity, decisions)
        again = job.pairs(workers)
        _keep(out / "decided.npz", job, again, job.clusters(again, _rank(ids)))
    return said


def _cpu() -> float:
    """Seconds of CPU of this process and of those it has seen end."""
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + ended.ru_utime + ended.ru_stime


def _decide(job: Job, pairs: Pairs, entity: judge.Ints, count: int) -> tuple[int, int]:
    """Ask about some pairs, answer from the truth, learn as `match_file --decisions` does."""
    rows = stewards.asked(job.model.log_odds(pairs.value.astype(np.float64)), count)
    left, right = pairs.left[rows].astype(np.int64), pairs.right[rows].astype(np.int64)
    same = stewards.answers(entity, left, right)
    levels = job.comparer.compare(left, right).levels
    job.model = shipped(job.config.kind)
    job.model = job.learnt(f"{job.config.kind}-decided", decided(levels, same))
    return len(rows), int(same.sum())


def _keep(path: Path, job: Job, pairs: Pairs, clusters: list[list[int]]) -> None:
    np.savez(
        path, left=pairs.left, right=pairs.right, value=pairs.value, band=pairs.band, flags=pairs.flags,
        cluster=judge.labels(clusters, len(job.table)),
    )  # fmt: skip


def _rank(ids: list[str]) -> Any:
    rank = np.empty(len(ids), dtype=np.int64)
    rank[np.array(sorted(range(len(ids)), key=ids.__getitem__), dtype=np.int64)] = np.arange(len(ids))
    return rank


_COLUMNS = (
    "place", "core", "sorted_core", "start", "word", "form", "alias", "street", "number", "postcode", "city", "country",
    "phone", "domain", "vat", "bank",
)  # fmt: skip


def write_columns(table: Table, path: Path) -> None:
    """Our normalised columns as a CSV file, for engines that bring no normalisation; the first value of each list."""
    texts, lists = table.vocabulary.texts, table.lists
    names, words, ranked = lists["names"], lists["words"], lists["ranked"]

    def first(list_: str, column: str, record: int) -> str:
        found = lists[list_]
        return texts[found[column][found.start[record]]] if found.start[record] < found.start[record + 1] else ""

    def core(name: int) -> list[str]:
        return [texts[word] for word in words["word"][words.start[name] : words.start[name + 1]]]

    partial = path.with_suffix(".partial")
    with partial.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(_COLUMNS)
        for record in range(len(table)):
            name, after = int(names.start[record]), int(names.start[record + 1])
            own = core(name) if name < after else []
            rare = texts[ranked["word"][ranked.start[name]]] if own else ""
            writer.writerow((
                record, " ".join(own), " ".join(sorted(own)), first("names", "start", record), rare,
                int(table.scalars["form"][record]) or "", " ".join(core(name + 1)) if after - name > 1 else "",
                first("places", "street", record), first("places", "number", record),
                first("places", "postcode", record), first("places", "city", record),
                texts[table.scalars["country"][record]], first("phones", "last", record),
                first("domains", "domain", record), first("tax", "number", record), first("banks", "account", record),
            ))  # fmt: skip
    partial.replace(path)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.matching.ours")
    parser.add_argument("file", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--truth", type=Path)
    parser.add_argument("--decisions", type=int, default=0)
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--columns", type=Path, help="also write our normalised columns, for other engines")
    chosen = parser.parse_args()
    said = run(
        chosen.file, out=chosen.out, workers=chosen.workers, truth=chosen.truth, decisions=chosen.decisions,
        columns=chosen.columns,
    )  # fmt: skip
    print(json.dumps(said))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
