"""Scores that follow what is in force: the queue scored anew after an approval, or after keys and words were counted anew."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from django.db import transaction
from django.utils import timezone

from mdm import registry
from mdm.models import DuplicatePair, MatchFlip, MatchJob, MatchModel
from mdm.services import confirmations, indexing, inference, match_jobs, match_labels, matching

_BATCH = 250
_MOST_EXAMPLES = 50
_OPEN = ("open", "follows", "unsure")
COMPARED = (*_OPEN, *match_labels.JUDGED)
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
    pairs = DuplicatePair.objects.filter(type=row.type, state__in=COMPARED)
    if not row.total or not row.cursor:
        row.total = pairs.count()
    inference.lock()  # before any pair is locked, as everybody does
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
    stricter_for = confirmed(held)
    changed = 0
    judged, open_ = [], []
    for pair, plain, stricter in zip(held, scores, stricter_for, strict=True):
        score = confirmations.held(matcher, plain, bool(stricter))
        changed += pair.band != score.band
        if pair.state in _OPEN[:2]:
            open_.append((str(pair.left), str(pair.right), score))
            continue
        pair.score, pair.probability, pair.band = score.value, score.probability, score.band
        pair.flags, pair.explanation = list(score.flags), [part._asdict() for part in score.explanation]
        judged.append(pair)
    DuplicatePair.objects.bulk_update(judged, _SCORED, batch_size=_BATCH)
    if open_:
        matching.record_pairs(kind=registry.get(type_key), scored=open_)
    return changed


def confirmed(pairs: Sequence[DuplicatePair]) -> npt.NDArray[np.bool_]:
    """For each: whether the stricter thresholds hold; one query."""
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
