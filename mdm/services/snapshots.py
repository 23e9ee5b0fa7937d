"""Counts of keys and words taken anew: counted, compared with those in force, and only then in force with that report.

A job when the hub has grown, when somebody asks, or when all records are to be looked through; an import does the same
between its chunks, because a filling hub has to learn what is rare in it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

from django.db import connection, transaction

from mdm.matching.rarity import NOTHING_COUNTED, Rarity
from mdm.matching.score import BANDS
from mdm.models import DuplicatePair, ImportJob, KeySnapshot, MatchJob, MatchRun
from mdm.services import confirmations, indexing, match_jobs, match_labels, rescoring

_BATCH = 1000
_MOST_EXAMPLES = 50
_LOCK = 20_260_412  # one taker at a time puts its counts in force
Beat = Callable[[str, int, int], bool]  # (phase, done, total): a sign of life; False when it was called off


def run(job: MatchJob) -> None:
    """The job. plan: {cause}. Nothing is stored before the end: a killed one begins again."""
    row = retake(
        type_key=job.type,
        cause=job.plan.get("cause", "asked"),
        beat=lambda phase, done, total: match_jobs.beat(job, phase, done, total),
    )
    with transaction.atomic():
        held = match_jobs.locked(job)
        if held is None:
            return
        if row is not None:
            held.counts = {"flips": row.report["flips"], "pairs": row.report["pairs"]}
            held.save(update_fields=["counts"])
        match_jobs.finish(held)


def refresh_if_grown(type_key: str, *, load: ImportJob | None = None, beat: Beat | None = None) -> KeySnapshot | None:
    """New counts of a hub that has grown by half; for imports, between chunks."""
    return retake(type_key=type_key, cause="grown", load=load, beat=beat) if indexing.has_grown(type_key) else None


def retake(*, type_key: str, cause: str, beat: Beat | None = None, load: ImportJob | None = None) -> KeySnapshot | None:
    """Count anew, tell what that flips among the known pairs, put it in force and have the queue scored by it.

    None when it was called off, or when others put counts in force meanwhile: then those hold.
    """
    tell = beat or (lambda phase, done, total: True)
    before = _newest(type_key)
    if not tell("Counting keys and words", 0, 0):
        return None
    counted = indexing.count(type_key)
    report = flips_between(type_key, indexing.snapshot(before) if before else NOTHING_COUNTED, counted, tell)
    if report is None:
        return None
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])
        row = None
        if _newest(type_key) == before:
            row = indexing.keep_snapshot(type_key, counted, cause=cause, report=report, job=load)
            match_jobs.queue_again(type_key=type_key, task="rescore")
        waiting = MatchRun.objects.filter(type=type_key, state="running", snapshot=None)
        waiting.update(snapshot=row.pk if row else _newest(type_key))
    return row


def _newest(type_key: str) -> int | None:
    return KeySnapshot.objects.filter(type=type_key).values_list("pk", flat=True).first()


def flips_between(type_key: str, before: Rarity, after: Rarity, beat: Beat) -> dict[str, Any] | None:
    """What other counts flip among the pairs of the queue and the judged ones, by the model in force; None: called off.

    {pairs, flips, before_total, after_total, bands: {"review>none": n}, examples: [{uid, left, right, before, after,
    before_band, after_band}]}.
    """
    matcher = indexing.engine(type_key)
    pairs = DuplicatePair.objects.filter(type=type_key, state__in=rescoring.COMPARED).exclude(state="merged")
    total, last, done = pairs.count(), 0, 0
    bands: Counter[str] = Counter()
    examples: list[dict[str, Any]] = []
    while batch := list(pairs.filter(pk__gt=last).order_by("pk").only("pk", "uid", "left", "right", "state")[:_BATCH]):
        last, done = batch[-1].pk, done + len(batch)
        features = match_labels.current_features(
            type_key, [(pair.pk, str(pair.left), str(pair.right)) for pair in batch]
        )
        held = [pair for pair in batch if pair.pk in features]
        both = [features[pair.pk] for pair in held]
        confirmed = rescoring.confirmed(held)
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
        if not beat("Comparing what flips", done, total):
            return None
    moved = {key: count for key, count in sorted(bands.items()) if key.partition(">")[0] != key.partition(">")[2]}
    return {
        "pairs": bands.total(), "flips": sum(moved.values()), "bands": moved, "before_total": before.total,
        "after_total": after.total, "examples": examples,
    }  # fmt: skip
