"""Results of one engine on one file, judged; how they are put into rows, goals and files of errors."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tests.bench.matching import judge
from tests.bench.matching.data import Truth, rows_of

PRECISE = 0.99
SHOWN = 20  # errors of each kind written down for people to look at


@dataclass(frozen=True)
class Judged:
    """One engine's result on one file."""

    pairs: judge.Right
    clusters: judge.Right
    records: judge.Right  # b-cubed
    precise: float  # recall at PRECISE
    siblings: int
    candidates: int
    reached: float  # recall of the candidates
    threshold: float
    left: judge.Ints
    right: judge.Ints


def judged(truth: Truth, found: Any, *, default: bool) -> Judged:
    """`default`: by the engine's own band, else at the threshold that the truth says is best."""
    left, right = found["left"].astype(np.int64), found["right"].astype(np.int64)
    value, true = found["value"].astype(np.float64), judge.true_pairs(truth.entity)
    same = truth.entity[left] == truth.entity[right]
    threshold = judge.best_threshold(same, value, true)[0]
    said = found["band"] > 0 if default else value >= threshold
    clusters = [found[name] for name in found.files if name.startswith("cluster")]
    best = max(clusters, key=lambda cluster: judge.of_clusters(truth.entity, cluster).f1)
    return Judged(
        judge.of_pairs(truth.entity, left[said], right[said]), judge.of_clusters(truth.entity, best),
        judge.b_cubed(truth.entity, best), judge.recall_at(PRECISE, same, value, true),
        judge.siblings(truth.entity, truth.group, left[said], right[said]), len(left), float(same.sum() / true),
        threshold, left[said], right[said],
    )  # fmt: skip


HEAD = (
    "",
    "pairs P",
    "R",
    "F1",
    f"R at P ≥ {PRECISE}",
    "clusters P",
    "R",
    "F1",
    "b-cubed F1",
    "siblings taken for one",
)


def row(title: str, one: Judged) -> list[str]:
    return [
        title, *right_of(one.pairs), share(one.precise), *right_of(one.clusters), share(one.records.f1),
        f"{one.siblings:,}",
    ]  # fmt: skip


def right_of(right: judge.Right) -> tuple[str, str, str]:
    return share(right.precision), share(right.recall), f"**{share(right.f1)}**"


def share(number: float) -> str:
    return f"{number:.4f}".removeprefix("0") if number < 1 else "1"


def slices(truth: Truth, found: Judged) -> list[str]:
    kinds = judge.by_kind(truth.entity, truth.kind, found.left, found.right)
    done = judge.by_operation(truth.entity, truth.done, found.left, found.right)
    return [
        "pair F1 by kind of group: "
        + ", ".join(f"{k} {r.f1:.3f} (P {r.precision:.3f} R {r.recall:.3f})" for k, r in kinds.items()),
        "recall of pairs by what was done to one of them: "
        + ", ".join(f"{name} {share:.3f}" for name, (share, count) in sorted(done.items(), key=_worst) if count >= 20),
    ]


def _worst(item: tuple[str, tuple[float, int]]) -> float:
    return item[1][0]


def errors_for_eyes(file: Path, truth: Truth, found: Judged, path: Path) -> None:
    """Some wrong pairs and some missed ones beside each other, for people to look at; the same ones every time."""
    chance = np.random.default_rng(1)
    rows = list(rows_of(file)[1])
    wrong = np.nonzero(truth.entity[found.left] != truth.entity[found.right])[0]
    said = set(zip(found.left.tolist(), found.right.tolist(), strict=True))
    true = list(zip(*(side.tolist() for side in judge.all_true(truth.entity)), strict=True))
    missed = [pair for pair in true if pair not in said]
    chosen = [("wrong", int(found.left[k]), int(found.right[k])) for k in chance.permutation(wrong)[:SHOWN]]
    chosen += [("missed", *missed[k]) for k in chance.permutation(len(missed))[:SHOWN]]
    with path.open("w", newline="", encoding="utf-8") as target:
        writer = csv.writer(target)
        writer.writerow(["error", "pair", "kind", "done", *rows[0]])
        for number, (error, left, right) in enumerate(chosen):
            for record in (left, right):
                done = "|".join(sorted(truth.done[record]))
                writer.writerow([error, number, truth.kind[record], done, *rows[record].values()])
