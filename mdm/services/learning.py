"""Learning from labels: tax ids that agree or differ, and what people decided; a version to sign, with a report of it.

Learning always begins at the shipped weights, so the same labels lead to the same model however often it is done. It
writes nothing before its end: a killed training begins again and leaves one version.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
from django.db import transaction

from mdm import registry
from mdm.errors import NotNow
from mdm.matching import explain
from mdm.matching.levels import FEATURES, LEVELS
from mdm.matching.model import Model, shipped
from mdm.matching.rarity import Rarity
from mdm.matching.score import Scorer
from mdm.matching.training import TAUGHT, Labels, calibrate, decided, learn, taught
from mdm.models import MatchJob, MatchProfile
from mdm.permissions import actor_of
from mdm.registry import RecordType
from mdm.services import indexing, match_jobs, match_labels, models

SAMPLE = 20_000  # records whose pairs are looked at for tax ids
WEAK_ENOUGH = 12_000  # weak labels; more change nothing but the time
WEAK_LEAST = 200  # of either answer, below which tax ids say too little
DECIDED_LEAST = 20  # of either answer, below which people's judgements say too little
FOLDS = 5
_BATCH = 200
_MOST_MOVED = 12
Values = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Judged:
    """People's labels with what a comparison finds; `fold`: pairs of one record are never in two folds."""

    labels: Labels
    fold: npt.NDArray[np.int64]
    disputed: int
    lost: int  # judged pairs whose records cannot be read any more


def run(job: MatchJob) -> None:
    """The whole training; see the module."""
    kind = registry.get(job.type)
    assert job.requested_by is not None
    by = actor_of(job.requested_by)
    store = indexing.StoredKeys(kind.key)
    rarity = store.rarity
    weak = weak_labels(job, store, rarity)
    judged = judged_labels(kind, rarity, job)
    if not match_jobs.beat(job, "Learning", 0, FOLDS + 1):
        return
    now = models.in_force(kind)
    found = draft_of(kind, weak, judged, now, job)
    with transaction.atomic():
        row = match_jobs.locked(job)
        if row is None:
            return
        row.counts = label_counts(weak, judged)
        if found is None:
            row.counts["advice"] = advice(row.counts)
        else:
            model, report = found
            try:
                version = models.draft(
                    kind=kind, model=model, rules=now.rules, origin="trained", reason=summary(report), by=by,
                    report=report,
                )  # fmt: skip
            except NotNow as error:
                match_jobs.finish(row, "failed", error.message)
                return
            row.model = version
        row.save(update_fields=["counts", "model"])
        match_jobs.finish(row)


def weak_labels(job: MatchJob, store: indexing.StoredKeys, rarity: Rarity) -> Labels:
    """Pairs found by anything but the tax id, both with a valid one: agreeing ids say same, differing ones different."""
    matcher = indexing.engine_of(store.type_key)
    found: list[Labels] = [taught(matcher.levels([]))]
    met: set[tuple[str, str]] = set()
    count = 0
    ids = np.array(
        MatchProfile.objects.filter(type=store.type_key).order_by("pk").values_list("pk", flat=True), dtype=np.int64
    )
    ids = np.random.default_rng(0).permutation(ids)[:SAMPLE]
    for start in range(0, len(ids), _BATCH):
        if count >= WEAK_ENOUGH or not match_jobs.beat(job, "Comparing records with tax numbers", start, len(ids)):
            break
        rows = MatchProfile.objects.filter(pk__in=ids[start : start + _BATCH].tolist()).order_by("pk")
        mine = [(str(uid), features) for uid, features in rows.values_list("uid", "features") if _valid(features)]
        if not mine:
            continue
        near = store.candidates([features for _, features in mine], rarity=rarity, without="tax")
        pairs = []
        for (uid, features), others in zip(mine, near, strict=True):
            for other, theirs in others:
                key = (min(uid, other), max(uid, other))
                if other != uid and _valid(theirs) and key not in met:
                    met.add(key)
                    pairs.append((features, theirs))
        labels = taught(matcher.levels(pairs, rarity))
        found.append(labels)
        count += len(labels)
    return Labels.joined(found)


def _valid(features: dict[str, Any]) -> bool:
    return any(tax[2] for tax in features["tax"])


def judged_labels(kind: RecordType, rarity: Rarity, job: MatchJob | None = None) -> Judged:
    """Every judged pair as a label."""
    matcher = indexing.engine_of(kind.key)
    levels, same, folds = [matcher.levels([])], [], []
    disputed = lost = 0
    for chunk in match_labels.chunks(kind.key):
        features = match_labels.features_of(kind.key, chunk)
        usable = [label for label in chunk if label.pk in features]
        levels.append(matcher.levels([features[label.pk] for label in usable], rarity))
        same += [label.same for label in usable]
        folds += [int(label.left.replace("-", "")[-6:], 16) % FOLDS for label in usable]
        disputed += sum(label.disputed for label in chunk)
        lost += len(chunk) - len(usable)
        if job:
            match_jobs.beat(job, "Reading what people decided", len(same), 0)
    labels = decided(np.concatenate(levels), np.array(same, dtype=bool))
    return Judged(labels, np.array(folds, dtype=np.int64), disputed, lost)


def label_counts(weak: Labels, judged: Judged) -> dict[str, Any]:
    weak_same, same = int(weak.same.sum()), int(judged.labels.same.sum())
    return {
        "weak_same": weak_same,
        "weak_different": len(weak) - weak_same,
        "decided_same": same,
        "decided_different": len(judged.labels) - same,
        "disputed": judged.disputed,
        "lost": judged.lost,
    }


def advice(counts: dict[str, Any]) -> list[str]:
    """What would help when there are too few labels."""
    said = []
    missing = [
        f"{DECIDED_LEAST - counts[f'decided_{word}']} more judged {word}"
        for word in ("same", "different")
        if counts[f"decided_{word}"] < DECIDED_LEAST
    ]
    if missing:
        said.append(f"Judge more pairs in the queue: {' and '.join(missing)}.")
    weak = [
        f"{counts[f'weak_{word}']} {how}"
        for word, how in (("same", "agree"), ("different", "differ"))
        if counts[f"weak_{word}"] < WEAK_LEAST
    ]
    if weak:
        said.append(
            f"Or load more records with valid tax numbers: {WEAK_LEAST} alike pairs whose numbers agree and {WEAK_LEAST} "
            f"whose numbers differ are needed; now {' and '.join(weak)}."
        )
    return said


def draft_of(
    kind: RecordType, weak: Labels, judged: Judged, now: models.InForce, job: MatchJob | None = None
) -> tuple[Model, dict[str, Any]] | None:
    """The model these labels lead to and the report of its training; None when they are too few.

    Precision and recall of `after` are cross-validated: each judged pair is judged by a model that never saw it.
    """
    believed = replace(shipped(now.model.kind), thresholds=now.model.thresholds)
    taught_enough = _least(weak) >= WEAK_LEAST
    decided_enough = _least(judged.labels) >= DECIDED_LEAST
    if not taught_enough and not decided_enough:
        return None
    scorer_of = _scorers(kind, now.rules)
    if not taught_enough:
        weak = _part(weak, np.zeros(len(weak), dtype=bool))
    model = learn(believed, "decided", weak, judged.labels if decided_enough else None)
    model = replace(model, calibration=_calibration(scorer_of, model, weak, judged.labels))
    values, chances = np.zeros(len(judged.labels)), np.zeros(len(judged.labels))
    for fold in range(FOLDS if len(judged.labels) else 0):
        if job and not match_jobs.beat(job, "Checking on judgements it has not seen", fold + 1, FOLDS + 1):
            break
        held = judged.fold == fold
        rest = _part(judged.labels, ~held)
        seen = learn(believed, "decided", weak, rest if decided_enough else None)
        seen = replace(seen, calibration=_calibration(scorer_of, seen, weak, rest))
        values[held] = scorer_of(seen).values(judged.labels.levels[held])
        chances[held] = seen.probabilities(values[held])
    before = scorer_of(now.model)
    flags = before.flags(judged.labels.levels)
    same = judged.labels.same
    limits = now.model.thresholds
    report = {
        "labels": label_counts(weak, judged),
        "from": now.number,
        "folds": FOLDS,
        "before": measures(before.bands(before.values(judged.labels.levels), flags), same),
        "after": measures(scorer_of(replace(model, thresholds=limits)).bands(values, flags), same),
        "moved": moved(now.model, model),
        "calibration": calibration_curve(chances, same),
    }
    return model, report


def _scorers(kind: RecordType, rules: frozenset[str]) -> Any:
    config = kind.match
    assert config is not None
    return lambda model: Scorer(replace(config, rules=rules), model)


def _least(labels: Labels) -> int:
    same = int(labels.same.sum())
    return min(same, len(labels) - same)


def _part(labels: Labels, rows: npt.NDArray[np.bool_]) -> Labels:
    return Labels(labels.levels[rows], labels.same[rows], labels.weight[rows], labels.taxed[rows])


def _calibration(scorer_of: Any, model: Model, weak: Labels, judged: Labels) -> tuple[tuple[float, float], ...]:
    """Weak labels without the weight of the tax id, which was their teacher; people's with it."""
    silent = replace(model, weights={**model.weights, TAUGHT: {}})
    values = np.concatenate([scorer_of(silent).values(weak.levels), scorer_of(model).values(judged.levels)])
    weight = np.concatenate([weak.weight, judged.weight])
    found: tuple[tuple[float, float], ...] = calibrate(values, np.concatenate([weak.same, judged.same]), weight)
    return found


def measures(bands: npt.NDArray[np.int8], same: npt.NDArray[np.bool_]) -> dict[str, Any]:
    """Precision, recall and F1 of “is shown or linked”, and the precision of “is linked unasked”; null without cases."""
    shown, linked = bands > 0, bands == 2
    right = int((shown & same).sum())
    precision, recall = _share(right, int(shown.sum())), _share(right, int(same.sum()))
    f1 = 2 * precision * recall / (precision + recall) if precision and recall else None if precision is None else 0.0
    return {
        "pairs": len(same), "same": int(same.sum()), "shown": int(shown.sum()), "linked": int(linked.sum()),
        "precision": precision, "recall": recall, "f1": f1,
        "link_precision": _share(int((linked & same).sum()), int(linked.sum())),
    }  # fmt: skip


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None


def moved(before: Model, after: Model) -> list[dict[str, Any]]:
    """Weights that changed most, in words; at least an eighth of a nat."""
    found: list[dict[str, Any]] = []
    for feature in FEATURES:
        for level in LEVELS[feature][1:]:
            old, new = (model.weights.get(feature, {}).get(level, 0.0) for model in (before, after))
            if abs(new - old) >= 0.125:
                note = explain.note_of(feature, level)
                found.append({"feature": feature, "level": level, "note": note, "before": old, "after": new})
    return sorted(found, key=lambda one: -abs(one["after"] - one["before"]))[:_MOST_MOVED]


def calibration_curve(chances: Values, same: npt.NDArray[np.bool_], bins: int = 10) -> list[dict[str, Any]]:
    """Per tenth of probability: how many pairs, what was said of them, how many were the same. Empty tenths are left out."""
    place = np.minimum((chances * bins).astype(np.int64), bins - 1)
    return [
        {
            "from": tenth / bins,
            "pairs": int((place == tenth).sum()),
            "said": round(float(chances[place == tenth].mean()), 4),
            "found": round(float(same[place == tenth].mean()), 4),
        }
        for tenth in range(bins)
        if (place == tenth).any()
    ]


def summary(report: dict[str, Any]) -> str:
    labels = report["labels"]
    people, weak = (labels[f"{kind}_same"] + labels[f"{kind}_different"] for kind in ("decided", "weak"))
    return f"Learnt from {people:,} judged pairs and {weak:,} pairs whose tax numbers speak."
