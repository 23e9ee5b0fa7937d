"""What is measured, part by part, and how it is put into tables beside the goals."""

from __future__ import annotations

import csv
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mdm.matching.normalise import VERSION
from tests.bench import ground
from tests.bench.figures import Table, goal
from tests.bench.matching import judge, measured
from tests.bench.matching import names as our_names
from tests.bench.matching.data import NAMES, SITES, Truth, ids_of
from tests.bench.matching.results import HEAD, PRECISE, errors_for_eyes, judged, right_of, row, share, slices

SITE_DECISIONS = 200
ROUNDS = 2


@dataclass(frozen=True)
class Task:
    file: Path
    truth: Path
    out: Path
    records: int
    seed: int
    decisions: int
    queries: int

    def columns(self) -> Path:
        """Our normalised columns, for the others; made once for what normalising makes of a file."""
        path = self.columns_file()
        if not path.exists():
            measured.own("ours", str(self.file), "--out", str(self.plain()), "--columns", str(path))
        return path

    def columns_file(self) -> Path:
        return self.out / f"columns-{VERSION}.csv"

    def plain(self) -> Path:
        """Where runs leave what nobody looks at."""
        path = self.out / "plain"
        path.mkdir(exist_ok=True)
        return path


def generated(task: Task, *, splink: bool) -> Table:
    columns = task.columns_file()
    ours = measured.own(
        "ours", str(task.file), "--truth", str(task.truth), "--decisions", str(task.decisions), "--out", str(task.out),
        "--columns", str(columns),
    )  # fmt: skip
    # Memory and time without what the decisions cost, as match_file would need them.
    plain = measured.own("ours", str(task.file), "--out", str(task.plain()))
    truth = Truth.of(task.truth, ids_of(task.file))
    first = judged(truth, np.load(task.out / "ours.npz"), default=True)
    decided = judged(truth, np.load(task.out / "decided.npz"), default=True)
    rows = [row("ours, nothing labelled, default threshold", first)]
    rows.append(row(f"ours after {task.decisions} simulated decisions", decided))
    per_true = first.candidates / judge.true_pairs(truth.entity)
    goals = [
        goal("pair F1", first.pairs.f1, 0.95), goal(f"recall at precision {PRECISE}", first.precise, 0.90),
        goal("cluster F1", first.clusters.f1, 0.955), goal("recall of the candidates", first.reached, 0.98),
        goal("candidates per true pair", per_true, 10, most=True),
        goal(f"pair F1 after {task.decisions} decisions", decided.pairs.f1, max(0.955, first.pairs.f1)),
        goal("memory from file to clusters, GiB", plain.peak_mib / 1024, 3, most=True),
    ]  # fmt: skip
    said = plain.said
    notes = [
        f"ours: {first.candidates:,} candidates, from the normalised table to clusters {said['match_s']:.1f} s (keys and"
        f" learning {said['learn_s']:.1f}, comparing {said['pairs_s']:.1f}, clusters {said['clusters_s']:.1f}), normalising"
        f" {said['normalise_s']:.1f} s before; peak memory of all processes, normalising included, {plain.peak_mib:,.0f} MiB",
        f"of {ours.said['decisions']} decisions {ours.said['said_same']} said the same",
    ]
    if splink:
        theirs = measured.peer("splink_em", str(columns), str(task.out / "splink.npz"))
        other = judged(truth, np.load(task.out / "splink.npz"), default=False)
        rows.append(row("Splink 4.0.17, EM, threshold chosen by the truth", other))
        goals += [
            goal("siblings taken for one, of Splink's", first.siblings / max(1, other.siblings), 0.03, most=True),
            goal("time of Splink's", said["match_s"] / theirs.said["match_s"], 0.5, most=True),
            f"seconds of CPU for that: ours {said['match_cpu_s']:.1f}, Splink {theirs.said['match_cpu_s']:.1f}, ratio"
            f" {said['match_cpu_s'] / theirs.said['match_cpu_s']:.2f}",
        ]
        notes.append(
            f"Splink: the same normalised columns from a data frame in memory to clusters {theirs.said['match_s']:.1f} s"
            f" (training {theirs.said['train_s']:.1f}, predicting {theirs.said['predict_s']:.1f}, clusters at one threshold"
            f" {theirs.said['clusters_s']:.1f}); peak memory {theirs.peak_mib:,.0f} MiB; clusters of the best of six thresholds"
        )
    notes += slices(truth, first)
    errors_for_eyes(task.file, truth, first, task.out / "errors.csv")
    return Table(
        name=f"matching-1-generated-{task.records:08}", title=f"Matching {task.records:,} invented suppliers",
        intro="Our engine learns from the tax ids in the file and is judged at its own threshold; nobody labelled anything."
        f" Seed {task.seed}; the engine was developed on seed 7.",
        columns=list(HEAD), rows=rows, notes=goals + notes,
    )  # fmt: skip


def workers(task: Task) -> Table:
    """One worker against two: the comparing alone, and the whole of `match_file`. In turns, the better of two rounds."""
    steps = ("normalise_s", "pairs_s", "match_s", "whole")
    took: dict[int, dict[str, float]] = {}
    for count in (1, 2) * ROUNDS:
        ours = measured.own("ours", str(task.file), "--out", str(task.plain()), "--workers", str(count))
        whole = measured.run(*match_file(task.file, task.out, count), environment=_hub_environment())
        found = {**ours.said, "whole": whole.said["seconds"], "peak": whole.peak_mib}
        best = took.setdefault(count, found)
        best.update({step: min(best[step], found[step]) for step in steps})
    times = {step: took[1][step] / took[2][step] for step in steps}
    return Table(
        name=f"matching-2-workers-{task.records:08}", title=f"One worker and two, {task.records:,} invented suppliers",
        intro="Seconds on one machine; learning and clusters are work of one process.",
        columns=["workers", "normalising", "comparing", "table to clusters", "whole match_file", "its peak MiB"],
        rows=[
            [str(count), *(f"{found[step]:.1f}" for step in steps), f"{found['peak']:,.0f}"]
            for count, found in took.items()
        ],
        notes=[
            goal("times as fast with two workers, comparing", times["pairs_s"], 1.2),
            goal("times as fast with two workers, the whole of match_file", times["whole"], 1.2),
            f"normalising {times['normalise_s']:.2f} times as fast; each figure the better of {ROUNDS} rounds in turns",
        ],
    )  # fmt: skip


def match_file(file: Path, out: Path, count: int) -> list[str]:
    return [
        sys.executable, "manage.py", "match_file", str(file), "--type", "supplier", "--workers", str(count),
        "--pairs", str(out / "pairs.csv"), "--clusters", str(out / "clusters.csv"),
    ]  # fmt: skip


def _hub_environment() -> dict[str, str]:
    return dict(os.environ) | {"MDM_ENV": "test", "DJANGO_SETTINGS_MODULE": "mdm.settings"}


def sites(task: Task) -> Table:
    out = task.out.parent / "sites"
    out.mkdir(parents=True, exist_ok=True)
    file, answers = SITES / "records.csv", SITES / "truth.csv"
    ours = measured.own(
        "ours", str(file), "--truth", str(answers), "--decisions", str(SITE_DECISIONS), "--out", str(out),
        "--columns", str(out / "columns.csv"),
    )  # fmt: skip
    theirs = measured.peer("splink_em", str(out / "columns.csv"), str(out / "splink.npz"))
    truth = Truth.of(answers, ids_of(file))
    first = judged(truth, np.load(out / "ours.npz"), default=True)
    decided = judged(truth, np.load(out / "decided.npz"), default=True)
    other = judged(truth, np.load(out / "splink.npz"), default=False)
    errors_for_eyes(file, truth, first, out / "errors.csv")
    return Table(
        name="matching-3-sites", title="Matching 3,337 real childcare sites",
        intro="Real records from nine lists (MIT, see the data's README). This run fits nothing to its truth.",
        columns=list(HEAD[:-1]),
        rows=[
            row("ours, nothing labelled, default threshold", first)[:-1],
            row(f"ours after {SITE_DECISIONS} simulated decisions", decided)[:-1],
            row("Splink 4.0.17, EM, threshold chosen by the truth", other)[:-1],
        ],
        notes=[
            goal("pair F1", first.pairs.f1, 0.94),
            goal(f"pair F1 after {SITE_DECISIONS} decisions", decided.pairs.f1, 0.965),
            f"ours: normalising {ours.said['normalise_s']:.1f} s, table to clusters {ours.said['match_s']:.1f} s, peak memory"
            f" {ours.peak_mib:,.0f} MiB; Splink: {theirs.said['match_s']:.1f} s, {theirs.peak_mib:,.0f} MiB",
            f"read as {ours.said['kind']}; recall of the candidates {first.reached:.4f} with {first.candidates:,} candidates;"
            f" of {ours.said['decisions']} decisions {ours.said['said_same']} said the same",
            "the truth is places (mostly house number and zip) with about two in a hundred wrong labels",
        ],
    )  # fmt: skip


def names(task: Task) -> Table:
    out = task.out.parent / "names"
    out.mkdir(parents=True, exist_ok=True)
    theirs = measured.peer("names_logic", str(NAMES), str(out / "logic.npz"))
    ours = measured.own("names", str(out / "ours.npz"))
    pairs = our_names.rows()
    same = np.array([pair["is_match"] == "true" for pair in pairs])
    true = int(same.sum())
    mine, other = np.load(out / "ours.npz"), np.load(out / "logic.npz")["value"]

    def at(value: judge.Floats, threshold: float) -> judge.Right:
        said = value >= threshold
        return judge.Right.of(int(same[said].sum()), int(said.sum()), true)

    default, usual = at(mine["value"], float(mine["threshold"])), at(other, 0.7)
    best, theirs_best = (judge.best_threshold(same, value, true) for value in (mine["value"], other))
    with (out / "errors.csv").open("w", newline="", encoding="utf-8") as target:
        writer = csv.writer(target)
        writer.writerow(["error", "value", "name1", "name2", "category", "notes"])
        for pair, value, one in zip(pairs, mine["value"].tolist(), same.tolist(), strict=True):
            if (value >= float(mine["threshold"])) != one:
                writer.writerow([
                    "missed" if one else "wrong", value, pair["name1"], pair["name2"], pair["category"], pair["notes"],
                ])  # fmt: skip

    def line(title: str, right: judge.Right, cost: float) -> list[str]:
        return [title, *right_of(right), f"{cost:,.0f}"]

    cost, limit = ours.said["us_a_pair"], theirs.said["us_a_pair"]
    return Table(
        name="matching-4-names", title=f"{len(pairs)} adversarial pairs of organisation names",
        intro="Names alone, made to be hard (MIT, see the data's README). Rules for names were worked out with this set in"
        " view: read it as how well they fit it, not as what other names will give.",
        columns=["", "P", "R", "F1", "µs of CPU a pair"],
        rows=[
            line("ours, default threshold", default, cost),
            line(f"ours, best threshold by the truth ({best[0]:.2f})", best[1], cost),
            line("logic-v2 of nomenklatura 4.17.4, its threshold 0.70", usual, limit),
            line(f"logic-v2, best threshold by the truth ({theirs_best[0]:.2f})", theirs_best[1], limit),
        ],
        notes=[
            goal("F1", default.f1, 0.91), goal("F1 beyond the best of logic-v2", default.f1, theirs_best[1].f1),
            goal(
                "time of logic-v2's, every left name with every right name, from texts",
                ours.said["us_crossed"] / theirs.said["us_crossed"], 0.1, most=True,
            ),
            f"that is {ours.said['us_crossed']:.1f} µs a pair, logic-v2 {theirs.said['us_crossed']:.0f}; of the"
            f" {len(pairs)} pairs alone ours takes {cost / limit:.2f} of logic-v2's time from two texts, of which most makes"
            " features of names, as the hub does once for each name when it is written; from two names as stored"
            f" {ours.said['us_compared']:.0f} µs, {ours.said['us_compared'] / limit:.2f} of its time",
        ],
    )  # fmt: skip


def single(task: Task) -> Table:
    ours = measured.own("single", str(task.file), str(task.truth), str(task.queries))
    theirs = measured.own(
        "trigrams", str(task.columns()), str(task.file), str(task.truth), str(task.queries), str(ground.VAR / "trigrams"),
    )  # fmt: skip
    wanted = 1 / 50 if task.records >= 1_000_000 else 1 / 10

    def line(title: str, said: dict[str, Any], recall: str) -> list[str]:
        return [title, *(f"{said[name]:.2f}" for name in ("p50_ms", "p95_ms", "p99_ms")), share(said[recall])]

    return Table(
        name=f"matching-5-single-{task.records:08}", title=f"One supplier against {task.records:,}",
        intro="Milliseconds of one check. Ours normalises, looks up, compares and explains; pg_trgm only looks up.",
        columns=["", "p50", "p95", "p99", "true duplicates found"],
        rows=[
            line("our engine, index in memory", ours.said, "recall"),
            line("… and of those, shown (ten at most, from the review threshold up)", ours.said, "recall_shown"),
            line("pg_trgm, GIN index, threshold 0.3, the fifty most similar names", theirs.said, "recall"),
        ],
        notes=[
            goal("p95 of pg_trgm's", ours.said["p95_ms"] / theirs.said["p95_ms"], wanted, most=True),
            goal("recall beyond pg_trgm's", ours.said["recall"], theirs.said["recall"]),
            f"{ours.said['queries']} records that have duplicates, asked twice, the second counts; {ours.said['candidates']:.1f}"
            f" candidates each; process of our engine {ours.peak_mib:,.0f} MiB",
        ],
    )  # fmt: skip


def incremental(task: Task) -> Table:
    said = measured.own("incremental", str(task.file), "0.1").said
    wrong = ("pairs_missing", "pairs_more", "pairs_judged_otherwise", "clusters_otherwise")
    return Table(
        name=f"matching-7-incremental-{task.records:08}",
        title=f"{said['added']:,} suppliers one by one into {said['before']:,}",
        intro="Against one bulk run over all of them, under one frozen snapshot of key counts and one model.",
        columns=["", "pairs", "clusters"],
        rows=[
            ["one bulk run", f"{said['pairs']:,}", f"{said['clusters']:,}"],
            ["different after one by one", f"{sum(said[name] for name in wrong[:3]):,}", f"{said[wrong[3]]:,}"],
        ],
        notes=[
            goal("pairs and clusters that differ", sum(said[name] for name in wrong), 0, most=True),
            f"looked up, compared, explained, put in and clusters resolved at {said['added_per_s']:,.0f} records a second;"
            f" comparing and clustering all in bulk {said['bulk_s']:.1f} s",
        ],
    )  # fmt: skip


def looking(task: Task, records: int) -> Table:
    said = measured.own("looking", str(task.file), str(records)).said
    times = said["one_s"] / said["two_s"]
    return Table(
        name="matching-8-looking", title=f"A hub of {records:,} looks through all its records",
        intro="Parts in PostgreSQL, taken by Celery worker processes of one task each, on one machine with the database.",
        columns=["worker processes", "seconds"],
        rows=[["1", f"{said['one_s']:.1f}"], ["2", f"{said['two_s']:.1f}"]],
        notes=[
            goal("times as fast with two workers", times, 1.2),
            f"{said['records']:,} records in {said['parts']} parts, {said['compared']:,} pairs compared, explained and put"
            " into the queue; the better of two rounds in turns",
        ],
    )  # fmt: skip


def rest(task: Task, records: int) -> Table:
    said = measured.own("rest", str(task.file), str(records), "200").said
    check, get = said["check"], said["get"]
    return Table(
        name="matching-6-rest", title=f"One supplier against a hub of {records:,}, over REST",
        intro="Milliseconds of one request at a time, in turns over one connection, gunicorn with two processes.",
        columns=["", "p50", "p95", "p99", "database queries"],
        rows=[
            ["POST …/suppliers/match/", *_times(check), str(said["queries"])],
            ["GET of one supplier, same token", *_times(get), str(said["queries_of_get"])],
        ],
        notes=[
            goal("queries", said["queries"], 8, most=True),
            goal("p95 of the GET's", check["p95_ms"] / get["p95_ms"], 4, most=True),
            f"{said['asked']} requests each; imported: " + ", ".join(f"{n:,} {what}" for what, n in said["imported"].items()),
        ],
    )  # fmt: skip


def _times(said: dict[str, float]) -> list[str]:
    return [f"{said[name]:.1f}" for name in ("p50_ms", "p95_ms", "p99_ms")]
