"""Rehearsing a version of the matching model: which pairs it would judge otherwise than the version in force.

Walks the pairs of the queue and those people judged, then pairs of a sample of records, a batch per transaction with its
place kept in the job. The counts of keys and words, the sample and the version compared with are fixed when it begins.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

import numpy as np
from django.db import transaction
from django.utils import timezone

from mdm.matching.engine import Engine
from mdm.matching.rarity import NOTHING_COUNTED, Rarity
from mdm.matching.score import BANDS, Score
from mdm.models import DuplicatePair, KeySnapshot, MatchFlip, MatchJob, MatchModel, MatchProfile
from mdm.services import confirmations, indexing, match_jobs, match_labels

SAMPLE = 5_000  # records whose candidate pairs are looked at beside the queue
MOST_FLIPS = 20_000  # rows kept; the counts go on beyond
_PAIRS, _RECORDS = 400, 100
Features = dict[str, Any]
QUEUED = ("open", "unsure", "follows")


@dataclass(frozen=True)
class Met:
    """A pair the rehearsal came upon; `said` same, different or ""."""

    left: str
    right: str
    features: tuple[Features, Features]
    origin: str
    said: str


def run(job: MatchJob) -> None:
    """To the end, from wherever it stands."""
    _begin(job)
    while _step(job):
        pass


def _begin(job: MatchJob) -> None:
    """Fix what all batches judge by; a job that has begun keeps it."""
    with transaction.atomic():
        row = match_jobs.locked(job)
        if row is None or row.plan or row.model is None:
            return
        row.model.flips.all().delete()
        ids = np.array(
            MatchProfile.objects.filter(type=row.type).order_by("pk").values_list("pk", flat=True), dtype=np.int64
        )
        sample = np.sort(np.random.default_rng(row.model.pk).permutation(ids)[:SAMPLE])
        pairs = _pairs(row.type)
        active = MatchModel.objects.filter(type=row.type, state="active").first()
        row.plan = {
            "against": str(active.uid) if active else None,
            "snapshot": KeySnapshot.objects.filter(type=row.type).values_list("pk", flat=True).first(),
            "last_pair": pairs.order_by("-pk").values_list("pk", flat=True).first() or 0,
            "pairs": pairs.count(),
            "sample": sample.tolist(),
            "stage": "pairs",
        }
        row.cursor, row.done, row.total, row.counts = 0, 0, row.plan["pairs"] + len(sample), {}
        row.save()


def _pairs(type_key: str) -> Any:
    return DuplicatePair.objects.filter(type=type_key, state__in=(*QUEUED, *match_labels.JUDGED))


@transaction.atomic
def _step(job: MatchJob) -> bool:
    """One batch; False when there is no more to do."""
    row = match_jobs.locked(job)
    if row is None or row.model is None:
        return False
    against = row.plan["against"]
    old = indexing.engine_of(row.type, UUID(against) if against else None)
    new = indexing.engine_of(row.type, row.model.uid)
    counted = row.plan["snapshot"]
    rarity: Rarity = indexing.snapshot(counted) if counted else NOTHING_COUNTED
    if row.plan["stage"] == "pairs":
        pairs = _pairs(row.type).filter(pk__gt=row.cursor, pk__lte=row.plan["last_pair"]).order_by("pk")
        batch = list(pairs.only("pk", "left", "right", "state")[:_PAIRS])
        met = list(_of_queue(row.type, batch))
        step, row.cursor = len(batch), batch[-1].pk if batch else 0
        if not batch:
            row.plan["stage"] = "sample"
    else:
        ids = row.plan["sample"][row.cursor : row.cursor + _RECORDS]
        met = _of_sample(row.type, ids, rarity)
        step, row.cursor = len(ids), row.cursor + len(ids)
        if not ids:
            _end(row)
            return False
    _keep(row, met, old, new, rarity)
    row.done, row.beat_at = row.done + step, timezone.now()
    row.phase = "Pairs of the queue" if row.plan["stage"] == "pairs" else "Pairs of a sample of records"
    row.save()
    return True


def _of_queue(type_key: str, pairs: Sequence[DuplicatePair]) -> Iterator[Met]:
    labels = {label.pk: label for label in match_labels.labels_of(pairs)}
    open_ = [(pair.pk, str(pair.left), str(pair.right)) for pair in pairs if pair.pk not in labels]
    features = match_labels.features_of(type_key, list(labels.values()))
    features |= match_labels.current_features(type_key, open_)
    for pair in pairs:
        if pair.pk not in features:
            continue
        label = labels.get(pair.pk)
        if label or pair.state in QUEUED:
            origin = "decided" if label else "queue"
            said = ("same" if label.same else "different") if label else ""
            yield Met(str(pair.left), str(pair.right), features[pair.pk], origin, said)


def _of_sample(type_key: str, ids: Sequence[int], rarity: Rarity) -> list[Met]:
    """Pairs of these records with their candidates that are in no queue yet."""
    rows = MatchProfile.objects.filter(pk__in=ids, type=type_key).order_by("pk").values_list("uid", "features")
    mine = [(str(uid), features) for uid, features in rows]
    near = indexing.StoredKeys(type_key).candidates([features for _, features in mine], rarity=rarity) if mine else []
    met: dict[tuple[str, str], Met] = {}
    for (uid, features), others in zip(mine, near, strict=True):
        for other, theirs in others:
            if other != uid:
                left, right = sorted(((uid, features), (other, theirs)), key=lambda side: side[0])
                key = (left[0], right[0])
                met.setdefault(key, Met(*key, (left[1], right[1]), "sample", ""))
    for left_uid, right_uid in DuplicatePair.objects.filter(
        left__in={left for left, _ in met}, right__in={right for _, right in met}
    ).values_list("left", "right"):
        met.pop((str(left_uid), str(right_uid)), None)
    return list(met.values())


def _keep(job: MatchJob, met: Sequence[Met], old: Engine, new: Engine, rarity: Rarity) -> None:
    """Count and store what flips. A pair of the sample met from both of its records flips once, but is compared twice."""
    assert job.model is not None
    if job.plan["stage"] == "sample" and met:
        known = set(
            job.model.flips.filter(left__in={one.left for one in met}, right__in={one.right for one in met})
            .values_list("left", "right")
        )  # fmt: skip
        met = [one for one in met if (UUID(one.left), UUID(one.right)) not in known]
    if not met:
        return
    levels = old.levels([one.features for one in met], rarity)
    confirmed = confirmations.mask([(one.left, one.right, bool(one.said)) for one in met])
    before, after = (confirmations.bands(engine, levels, confirmed)[1] for engine in (old, new))
    counts = Counter(job.counts.get("bands") or {})
    said = Counter(job.counts.get("said") or {})
    for place, one in enumerate(met):
        moved = f"{BANDS[before[place]]}>{BANDS[after[place]]}"
        counts[f"{one.origin}:{moved}"] += 1
        if one.said:
            said["contradicted_before"] += contradicts(one.said, BANDS[before[place]])
            said["contradicted_after"] += contradicts(one.said, BANDS[after[place]])
    flipped = [place for place in range(len(met)) if before[place] != after[place]]
    job.counts = {**job.counts, "bands": dict(counts), "said": dict(said)}
    room = MOST_FLIPS - int(job.counts.get("kept", 0))
    flipped = flipped[: max(room, 0)]
    pairs = [met[place].features for place in flipped]
    scores = zip(flipped, old.compare_all(pairs, rarity), new.compare_all(pairs, rarity), strict=True)
    rows = [
        _flip(
            job.model, met[place], replace(was, band=BANDS[before[place]]), replace(now, band=BANDS[after[place]])
        )
        for place, was, now in scores
    ]  # fmt: skip
    MatchFlip.objects.bulk_create(rows, batch_size=500)
    job.counts["kept"] = int(job.counts.get("kept", 0)) + len(rows)


def contradicts(said: str, band: str) -> bool:
    """Whether a band goes against what people said: linked though different, or not even shown though the same."""
    return (said == "different" and band == "link") or (said == "same" and band == "none")


def _flip(model: MatchModel, met: Met, was: Score, now: Score) -> MatchFlip:
    evidence = [
        {"feature": a.feature, "left": a.left, "right": a.right, "note": a.note, "before": a.weight, "after": b.weight}
        for a, b in zip(was.explanation, now.explanation, strict=True)
    ]
    return MatchFlip(
        model=model, left=met.left, right=met.right, origin=met.origin, said=met.said,
        contradicts=contradicts(met.said, now.band), before_band=was.band, after_band=now.band, before=was.value,
        after=now.value, flags=list(now.flags), evidence=evidence,
    )  # fmt: skip


def _end(job: MatchJob) -> None:
    """The version is rehearsed, and can be signed."""
    assert job.model is not None
    model = MatchModel.objects.select_for_update().get(pk=job.model.pk)
    if model.state == "draft":
        model.state, model.rehearsed_at = "rehearsed", timezone.now()
        model.against = MatchModel.objects.filter(uid=job.plan["against"]).first()
        model.rehearsal = summary(job.counts, records=len(job.plan["sample"]))
        model.save(update_fields=["state", "rehearsed_at", "against", "rehearsal"])
    job.phase, job.plan = "", {**job.plan, "sample": []}
    job.save(update_fields=["phase", "plan"])
    match_jobs.finish(job)


def summary(counts: dict[str, Any], *, records: int) -> dict[str, Any]:
    """{pairs, flips, kept, records, by_origin: {queue: {pairs, flips, "review>link": n …} …}, contradicted_before/after}."""
    by_origin: dict[str, Counter[str]] = {origin: Counter() for origin, _ in MatchFlip.ORIGINS}
    for key, count in (counts.get("bands") or {}).items():
        origin, _, moved = key.partition(":")
        before, _, after = moved.partition(">")
        by_origin[origin]["pairs"] += count
        if before != after:
            by_origin[origin]["flips"] += count
            by_origin[origin][moved] += count
    said = counts.get("said") or {}
    return {
        "pairs": sum(found["pairs"] for found in by_origin.values()),
        "flips": sum(found["flips"] for found in by_origin.values()),
        "kept": counts.get("kept", 0),
        "records": records,
        "by_origin": {origin: dict(found) for origin, found in by_origin.items()},
        "contradicted_before": said.get("contradicted_before", 0),
        "contradicted_after": said.get("contradicted_after", 0),
    }
