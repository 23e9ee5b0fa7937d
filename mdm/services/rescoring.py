"""Scores that follow what is in force: the queue scored anew after an approval, and counts of keys taken anew."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
import numpy.typing as npt
from django.db import transaction
from django.utils import timezone

from mdm import registry
from mdm.matching.rarity import NOTHING_COUNTED, Rarity
from mdm.matching.score import BANDS
from mdm.models import DuplicatePair, KeySnapshot, MatchFlip, MatchJob, MatchModel
from mdm.services import confirmations, indexing, match_jobs, match_labels, matching

_BATCH = 250
_MOST_EXAMPLES = 50
_OPEN = ("open", "follows", "unsure")
_SCORED = ("score", "probability", "band", "flags", "explanation")


def run(job: MatchJob) -> None:
    """Score all pairs anew, batch by batch; then let those into the queue that the rehearsal found would belong there."""
    while _step(job):
        pass


@transaction.atomic
def _step(job: MatchJob) -> bool:
    row = match_jobs.locked(job)
    if row is None:
        return False
    pairs = DuplicatePair.objects.filter(type=row.type, state__in=(*_OPEN, *match_labels.JUDGED))
    if not row.total or not row.cursor:
        row.total = pairs.count()
    batch = list(pairs.filter(pk__gt=row.cursor).select_for_update().order_by("pk")[:_BATCH])
    if not batch:
        row.counts["found"] = _take_in(row.type)
        row.save(update_fields=["counts"])
        match_jobs.finish(row)
        return False
    changed = _score(row.type, batch)
    row.cursor, row.done, row.beat_at = batch[-1].pk, row.done + len(batch), timezone.now()
    row.phase, row.counts = "Pairs of the queue", {**row.counts, "changed": row.counts.get("changed", 0) + changed}
    row.save()
    return True


def _score(type_key: str, pairs: Sequence[DuplicatePair]) -> int:
    """Open pairs go the way every score takes into the queue; of judged ones only the score is new: decisions stay."""
    matcher, rarity = indexing.engine(type_key), indexing.StoredKeys(type_key).rarity
    features = _features(type_key, pairs)
    held = [pair for pair in pairs if pair.pk in features and pair.state != "merged"]
    scores = matcher.compare_all([features[pair.pk] for pair in held], rarity)
    confirmed = _confirmed(held)
    changed = 0
    judged, open_ = [], []
    for pair, plain, stricter in zip(held, scores, confirmed, strict=True):
        score = confirmations.held(matcher, plain, bool(stricter))
        changed += pair.band != score.band
        if pair.state in _OPEN[:2]:
            open_.append((str(pair.left), str(pair.right), score))
            continue
        pair.score, pair.probability, pair.band = score.value, score.probability, score.band
        pair.flags, pair.explanation = list(score.flags), [asdict(part) for part in score.explanation]
        judged.append(pair)
    DuplicatePair.objects.bulk_update(judged, _SCORED, batch_size=_BATCH)
    if open_:
        matching.record_pairs(kind=registry.get(type_key), scored=open_)
    return changed


def _confirmed(pairs: Sequence[DuplicatePair]) -> npt.NDArray[np.bool_]:
    return confirmations.mask([(str(p.left), str(p.right), p.state not in confirmations.UNJUDGED) for p in pairs])


def _take_in(type_key: str) -> int:
    """Pairs outside the queue that the rehearsal of the version in force would show; how many came in."""
    active = MatchModel.objects.filter(type=type_key, state="active").first()
    if active is None:
        return 0
    flips = MatchFlip.objects.filter(model=active, origin="sample", before_band="none").order_by("pk")
    matcher, rarity, count = indexing.engine(type_key), indexing.StoredKeys(type_key).rarity, 0
    for chunk in _chunks(flips.values_list("left", "right")):
        features = match_labels.current_features(type_key, chunk)
        usable = [pair for pair in chunk if pair[0] in features]
        scores = matcher.compare_all([features[key] for key, _, _ in usable], rarity)
        scored = [(a, b, score) for (_, a, b), score in zip(usable, scores, strict=True) if score.band != "none"]
        count += matching.record_pairs(kind=registry.get(type_key), scored=scored)
    return count


def _features(type_key: str, pairs: Sequence[DuplicatePair]) -> dict[int, match_labels.Both]:
    return match_labels.current_features(type_key, [(pair.pk, str(pair.left), str(pair.right)) for pair in pairs])


def _chunks(rows: Any) -> Iterator[list[tuple[int, str, str]]]:
    found = [(key, str(left), str(right)) for key, (left, right) in enumerate(rows)]
    for start in range(0, len(found), _BATCH):
        yield found[start : start + _BATCH]


# --- counts of keys and words -------------------------------------------------------------------------------------


def refresh(job: MatchJob) -> None:
    """Count anew, tell what that flips among the pairs, put it in force. Or tell it of a count an import has put in force.

    plan: {cause} or {snapshot: pk}. Nothing is stored before the end: a killed one begins again.
    """
    told = job.plan.get("snapshot")
    newest = KeySnapshot.objects.filter(type=job.type, **({"pk__lt": told} if told else {})).only("pk").first()
    before = indexing.snapshot(newest.pk) if newest else NOTHING_COUNTED
    if not match_jobs.beat(job, "Counting keys and words", 0, 0):
        return
    after = indexing.snapshot(told) if told else indexing.count(job.type)
    report = flips_between(job, before, after)
    with transaction.atomic():
        row = match_jobs.locked(job)
        if row is None:
            return
        if told:
            KeySnapshot.objects.filter(pk=told).update(report=report)
        else:
            indexing.keep_snapshot(job.type, after, cause=job.plan.get("cause", "asked"), report=report)
        row.counts = {"flips": report["flips"], "pairs": report["pairs"]}
        row.save(update_fields=["counts"])
        match_jobs.finish(row)
        match_jobs.queue_again(type_key=job.type, task="rescore")


def flips_between(job: MatchJob, before: Rarity, after: Rarity) -> dict[str, Any]:
    """What other counts flip among the pairs of the queue and the judged ones, by the model in force.

    {pairs, flips, before_total, after_total, bands: {"review>none": n}, examples: [{uid, left, right, before, after,
    before_band, after_band}]}.
    """
    matcher = indexing.engine(job.type)
    pairs = DuplicatePair.objects.filter(type=job.type, state__in=(*_OPEN, *match_labels.JUDGED)).exclude(
        state="merged"
    )
    total, last, done = pairs.count(), 0, 0
    bands: Counter[str] = Counter()
    examples: list[dict[str, Any]] = []
    while batch := list(
        pairs.filter(pk__gt=last).order_by("pk").only("pk", "uid", "left", "right", "state")[: 4 * _BATCH]
    ):
        last, done = batch[-1].pk, done + len(batch)
        features = _features(job.type, batch)
        held = [pair for pair in batch if pair.pk in features]
        both = [features[pair.pk] for pair in held]
        confirmed = _confirmed(held)
        (old, old_bands), (new, new_bands) = (
            confirmations.bands(matcher, matcher.levels(both, rarity), confirmed) for rarity in (before, after)
        )
        for place, pair in enumerate(held):
            one, other = BANDS[old_bands[place]], BANDS[new_bands[place]]
            bands[f"{one}>{other}"] += 1
            if one != other and len(examples) < _MOST_EXAMPLES:
                examples.append(
                    {"uid": str(pair.uid), "left": str(pair.left), "right": str(pair.right), "before": float(old[place]),
                     "after": float(new[place]), "before_band": one, "after_band": other}
                )  # fmt: skip
        if not match_jobs.beat(job, "Comparing what flips", done, total):
            break
    moved = {key: count for key, count in sorted(bands.items()) if key.partition(">")[0] != key.partition(">")[2]}
    return {
        "pairs": bands.total(), "flips": sum(moved.values()), "bands": moved, "before_total": before.total,
        "after_total": after.total, "examples": examples,
    }  # fmt: skip
