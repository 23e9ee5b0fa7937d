"""Duplicates as a steward meets them: search before create, pairs in the queue, and judgements that hold."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any
from uuid import UUID

from django.db import transaction

from mdm.errors import CorrectInput, NotFound
from mdm.matching.score import Score
from mdm.models import DuplicatePair, MatchDecision, MatchProfile
from mdm.registry import RecordType
from mdm.selectors import records
from mdm.services import audit, indexing, merge_blocks
from mdm.types import Actor, Document, digest

JUDGEMENTS = ("same", "different", "unsure")


@dataclass(frozen=True)
class Match:
    """A stored record that may be the same thing, best first in every list."""

    uid: str
    code: str
    name: str
    score: Score


def as_json(score: Score) -> dict[str, Any]:
    """The score as API and pages show it: base and weights add up to `score`."""
    return {
        "score": score.value,
        "base": score.base,
        "probability": round(score.probability, 4),
        "band": score.band,
        "flags": list(score.flags),
        "explanation": [asdict(part) for part in score.explanation],
    }


def search(
    *,
    kind: RecordType,
    document: Document,
    limit: int = 10,
    threshold: float | None = None,
    exclude: Iterable[str] = (),
) -> list[Match]:
    """Records that may be what this document describes; stores nothing."""
    return search_many(kind=kind, batch=[document], limit=limit, threshold=threshold, exclude=exclude)[0]


def search_many(
    *,
    kind: RecordType,
    batch: Sequence[Document],
    limit: int = 10,
    threshold: float | None = None,
    exclude: Iterable[str] = (),
) -> list[list[Match]]:
    if kind.match is None:
        return [[] for _ in batch]
    matcher = indexing.engine(kind.key)
    store = indexing.StoredKeys(kind.key)
    rarity = store.rarity
    features = [matcher.features(document) for document in batch]
    without = set(exclude)
    near = [
        [(uid, theirs) for uid, theirs in found if uid not in without]
        for found in store.candidates(features, rarity=rarity)
    ]
    found = matcher.rank_all(features, near, limit=limit, threshold=threshold, rarity=rarity)
    names = records.names(kind.key, {uid for ranked in found for uid, _ in ranked})
    return [[Match(uid, *names[uid], score=score) for uid, score in ranked if uid in names] for ranked in found]


def compare(*, kind: RecordType, left: str, right: str) -> Score:
    """The score of any stored pair, with its explanation."""
    rows = {
        str(uid): features
        for uid, features in MatchProfile.objects.filter(uid__in=[left, right]).values_list("uid", "features")
    }
    if str(left) not in rows or str(right) not in rows:
        raise NotFound("One of these records is not matched: it is merged, retired, or does not exist.")
    return indexing.engine(kind.key).compare(rows[str(left)], rows[str(right)], indexing.StoredKeys(kind.key).rarity)


def why(*, kind: RecordType, left: str, right: str) -> dict[str, Any]:
    """Score, reasons for and against in words, and what would have to differ."""
    score = compare(kind=kind, left=left, right=right)
    matcher = indexing.engine(kind.key)
    return {**as_json(score), "why": matcher.why(score), "why_not": matcher.why_not(score)}


def evidence_hash(score: Score) -> str:
    """What a judgement rests on: the compared values, not the weights; a judgement lapses when these change."""
    return digest(sorted([part.feature, *sorted([part.left, part.right])] for part in score.explanation))


@transaction.atomic
def find_pairs(*, kind: RecordType, uids: Sequence[str | UUID], job: Any = None) -> int:
    """Compare these records with all others and put likely pairs into the queue; how many are new or reopened."""
    if kind.match is None:
        return 0
    matcher = indexing.engine(kind.key)
    rows = list(MatchProfile.objects.filter(uid__in=uids, type=kind.key).values_list("uid", "features"))
    store = indexing.StoredKeys(kind.key)
    rarity = store.rarity
    near = store.candidates([features for _, features in rows], rarity=rarity)
    others = [
        [(other, theirs) for other, theirs in found if other != str(uid)]
        for (uid, _), found in zip(rows, near, strict=True)
    ]
    ranked = matcher.rank_all([mine for _, mine in rows], others, limit=20, rarity=rarity)
    scored = [(str(uid), other, score) for (uid, _), found in zip(rows, ranked, strict=True) for other, score in found]
    return record_pairs(kind=kind, scored=scored, job=job)


def record_pairs(*, kind: RecordType, scored: Iterable[tuple[str, str, Score]], job: Any = None) -> int:
    """Store scored pairs. A “different” holds until the evidence it rested on changes; then the pair reopens."""
    fresh: dict[tuple[str, str], Score] = {}
    for one, other, score in scored:
        fresh[min(one, other), max(one, other)] = score
    known = {
        (str(pair.left), str(pair.right)): pair
        for pair in DuplicatePair.objects.select_for_update().order_by("pk").filter(
            left__in={left for left, _ in fresh}, right__in={right for _, right in fresh}
        )
    }
    new: list[DuplicatePair] = []
    changed: list[DuplicatePair] = []
    count = 0
    apart = merge_blocks.held(fresh)
    for (left, right), score in sorted(fresh.items()):  # in one order: two workers never wait for each other
        if (left, right) in apart:
            continue
        pair = known.get((left, right)) or DuplicatePair(type=kind.key, left=left, right=right, job=job)
        evidence = evidence_hash(score)
        reopened = pair.pk is not None and pair.state in ("different", "unsure") and pair.evidence_hash != evidence
        if pair.pk and pair.state not in ("open",) and not reopened:
            continue
        pair.score, pair.probability, pair.band = score.value, score.probability, score.band
        pair.explanation, pair.flags = [asdict(part) for part in score.explanation], list(score.flags)
        pair.evidence_hash, pair.state = evidence, "open"
        pair.risk = risk_of(score)
        count += pair.pk is None or reopened
        (changed if pair.pk else new).append(pair)
    DuplicatePair.objects.bulk_create(new, batch_size=500, ignore_conflicts=True)
    fields = ["score", "probability", "band", "explanation", "flags", "evidence_hash", "state", "risk"]
    DuplicatePair.objects.bulk_update(changed, fields, batch_size=250)
    return count


def risk_of(score: Score) -> float:
    """Queue rank, 0 to 2: how likely the pair is one, more when money is near (a shared account, a tax conflict)."""
    return round(
        score.probability + (0.5 if "shared_bank_account" in score.flags else 0) + (0.25 if score.flags else 0),
        3,
    )


@transaction.atomic
def decide(*, pair: DuplicatePair, judgement: str, reason: str, by: Actor) -> MatchDecision:
    """Keep a judgement with its author, time, reason and evidence. Merging is a request of its own."""
    if judgement not in JUDGEMENTS:
        raise CorrectInput("Judge the pair same, different or unsure.")
    pair = DuplicatePair.objects.select_for_update().get(pk=pair.pk)
    decision = MatchDecision.objects.create(
        pair=pair,
        judgement=judgement,
        reason=reason,
        evidence_hash=pair.evidence_hash,
        decided_by=by.user,
        decided_by_name=by.name,
    )
    pair.state = judgement
    pair.save(update_fields=["state"])
    audit.record(
        action=f"pair.{judgement}",
        by=by,
        object_type="duplicate_pair",
        object_uid=pair.uid,
        object_label=f"{pair.left} ~ {pair.right}",
        detail={"reason": reason, "score": pair.score},
    )
    return decision


@transaction.atomic
def reopen(*, pair: DuplicatePair, by: Actor) -> DuplicatePair:
    """Take the last judgement back: the pair returns to the queue, the judgement stays on record."""
    pair = DuplicatePair.objects.select_for_update().get(pk=pair.pk)
    if pair.state == "merged":
        raise CorrectInput("These records were merged; a merge is undone by its own request.")
    if merge_blocks.held([(pair.left, pair.right)]):
        raise CorrectInput("A merge of these records was undone: lift that block, saying why, and the pair returns.")
    MatchDecision.objects.create(
        pair=pair,
        judgement="open",
        evidence_hash=pair.evidence_hash,
        decided_by=by.user,
        decided_by_name=by.name,
    )
    pair.state = "open"
    pair.save(update_fields=["state"])
    return pair
