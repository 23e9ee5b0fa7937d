"""Finding duplicates: search before create, why and why not, pairs that come into the queue and come back to it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from django.utils import timezone

from mdm.errors import NotFound
from mdm.matching.config import SHARED_BANK
from mdm.matching.score import Score
from mdm.models import DuplicatePair, MatchDecision, MatchProfile
from mdm.registry import RecordType
from mdm.selectors import records
from mdm.services import confirmations, evidence, indexing, inference, merge_blocks, ranking, verdicts
from mdm.types import Document

NOBODY = "Master Data Hub"  # who reopens a pair whose evidence changed


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
        "explanation": [part._asdict() for part in score.explanation],
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
    matcher, rarity = indexing.in_force(kind.key)
    store = indexing.StoredKeys(kind.key)
    features = [matcher.features(document) for document in batch]
    without = set(exclude)
    near = [
        [(uid, theirs) for uid, theirs in found if uid not in without]
        for found in store.candidates(features, rarity=rarity)
    ]
    found = matcher.rank_all(features, near, limit=limit, threshold=threshold, rarity=rarity)
    known = confirmations.partners({uid for ranked in found for uid, _ in ranked})
    held = [[(u, confirmations.held(matcher, score, u in known)) for u, score in ranked] for ranked in found]
    if threshold is None:
        held = [[(uid, score) for uid, score in ranked if score.band != "none"] for ranked in held]
    names = records.names(kind.key, {uid for ranked in held for uid, _ in ranked})
    return [[Match(uid, *names[uid], score=score) for uid, score in ranked if uid in names] for ranked in held]


def compare(*, kind: RecordType, left: str, right: str) -> Score:
    """The score of any two records, with its explanation; merged and retired ones are compared as they are."""
    found = features_of(kind, [left, right])
    matcher, rarity = indexing.in_force(kind.key)
    return matcher.compare(found[str(left)], found[str(right)], rarity)


def features_of(kind: RecordType, uids: Sequence[str]) -> dict[str, dict[str, Any]]:
    """{uid: features} as they are stored, or made of the document where none are; NotFound names what is missing."""
    rows = MatchProfile.objects.filter(uid__in=uids, type=kind.key).values_list("uid", "features")
    found = {str(uid): features for uid, features in rows}
    missing = [str(uid) for uid in uids if str(uid) not in found]
    documents = records.current_documents(kind.key, missing) if missing else {}
    if lost := [uid for uid in missing if uid not in documents]:
        raise NotFound(f"There is no such {kind.noun}: {', '.join(lost)}.")
    return found | {uid: indexing.engine(kind.key).features(document) for uid, document in documents.items()}


def why(*, kind: RecordType, left: str, right: str) -> dict[str, Any]:
    """Score, reasons for and against in words, what would have to differ, and whose word makes the thresholds stricter."""
    matcher = indexing.engine(kind.key)
    confirmed = confirmations.of_pair(left, right)
    score = confirmations.held(matcher, compare(kind=kind, left=left, right=right), bool(confirmed))
    review, link = confirmations.limits(matcher, bool(confirmed))
    return {
        **as_json(score),
        "why": matcher.why(score),
        "why_not": matcher.why_not(score),
        "thresholds": {"review": review, "link": link},
        "confirmed": [asdict(one) for one in confirmed],
    }


def in_short(score: Score, most: int = 3) -> str:
    """One line of why: the strongest evidence for it, in words; values that agree before what only counts words."""
    strong = [part for part in score.explanation if part.weight > 0]
    strong.sort(key=lambda part: (part.feature not in evidence.VALUES, -part.weight))
    text = ", ".join(part.note for part in strong[:most]) or "weak evidence only"
    return f"{text[:1].upper()}{text[1:]}"


def record_pairs(*, kind: RecordType, scored: Iterable[tuple[str, str, Score]], job: Any = None) -> int:
    """Store scored pairs; how many are new or came back.

    A judgement holds until the values it rested on change; then all judgements of the pair lapse and it reopens, which
    its history tells. Below the review threshold only a shared account is kept: a warning, no duplicate. An open pair
    that is likely no more leaves the queue.
    """
    fresh: dict[tuple[str, str], Score] = {}
    for one, other, score in scored:
        fresh[min(one, other), max(one, other)] = score
    uids = {uid for sides in fresh for uid in sides}
    inference.lock_if_judged(uids)
    matcher, confirmed = indexing.engine(kind.key), confirmations.partners(uids)
    known = {
        (str(pair.left), str(pair.right)): pair
        for pair in DuplicatePair.objects.select_for_update()
        .filter(left__in={left for left, _ in fresh}, right__in={right for _, right in fresh})
        .order_by("pk")
    }
    _wake([pair for key, pair in known.items() if pair.state == "gone" and key in fresh])
    new: list[DuplicatePair] = []
    changed: list[DuplicatePair] = []
    back: list[DuplicatePair] = []
    count = 0
    apart = merge_blocks.held(fresh)
    for (left, right), score in sorted(fresh.items()):  # in one order: two workers never wait for each other
        if (left, right) in apart:
            continue
        pair = known.get((left, right))
        if pair is None or pair.state in confirmations.UNJUDGED:
            score = confirmations.held(matcher, score, confirmations.strict(left, right, confirmed))
        sort = "duplicate" if score.band != "none" else "account" if SHARED_BANK in score.flags else ""
        if pair is None:
            if sort:
                new.append(_scored(DuplicatePair(type=kind.key, left=left, right=right, job=job), score, sort))
            continue
        judged, parts = (
            pair.state not in ("open", "follows", "gone", "merged"),
            [p._asdict() for p in score.explanation],
        )
        if pair.state == "merged":
            continue
        if judged and sort and pair.evidence_hash != evidence.hash_of(parts):
            back.append(pair)
        elif not judged:
            count += pair.state == "gone" and bool(sort)
            pair.state = "open" if sort else "gone"
        changed.append(_scored(pair, score, sort or pair.kind))
    _reopen(back)
    ranking.apply([*new, *changed])
    DuplicatePair.objects.bulk_create(new, batch_size=500, ignore_conflicts=True)
    DuplicatePair.objects.bulk_update(changed, [*_SCORED, *ranking.FIELDS], batch_size=250)
    inference.settle([uid for pair in (*new, *changed) for uid in (pair.left, pair.right)])
    return count + len(new) + len(back)


_SCORED = (
    "kind", "score", "probability", "band", "explanation", "flags", "evidence_hash", "state", "dispute", "reopened_at",
)  # fmt: skip


def _wake(pairs: Sequence[DuplicatePair]) -> None:
    """A record that was gone is back: what people said about its pairs holds again, if its evidence is the same."""
    said: dict[int, list[MatchDecision]] = {pair.pk: [] for pair in pairs}
    for decision in MatchDecision.objects.filter(pair__in=list(said)).order_by("pk"):
        said[decision.pair_id].append(decision)
    for pair in pairs:
        found = verdicts.read(said[pair.pk])
        if found.standing:
            pair.state, pair.dispute = found.state, "people" if found.disputed else ""


def _scored(pair: DuplicatePair, score: Score, sort: str) -> DuplicatePair:
    pair.kind, pair.score, pair.probability, pair.band = sort, score.value, score.probability, score.band
    pair.explanation, pair.flags = [part._asdict() for part in score.explanation], list(score.flags)
    pair.evidence_hash = evidence.hash_of(pair.explanation)
    return pair


def _reopen(pairs: Sequence[DuplicatePair]) -> None:
    """All judgements lapse, because the values they rested on changed: a line of the pair's history by nobody.

    The line carries what the newest judgement rested on, so that everybody can be told what changed since.
    """
    newest: dict[int, MatchDecision] = {}
    for decision in (
        MatchDecision.objects.filter(pair__in=[pair.pk for pair in pairs]).exclude(judgement="open").order_by("pk")
    ):
        newest[decision.pair_id] = decision
    lines = []
    for pair in pairs:
        last = newest.get(pair.pk)
        pair.state, pair.dispute, pair.reopened_at = "open", "", timezone.now()
        since = evidence.in_words(evidence.changes(last.evidence, pair.explanation)) if last else ""
        who = f"since {last.decided_by_name} said {last.judgement}" if last else ""
        lines.append(
            MatchDecision(
                pair=pair, judgement="open", reason=f"{since or 'the evidence changed'} {who}".strip(),
                evidence_hash=pair.evidence_hash, evidence=last.evidence if last else {}, decided_by_name=NOBODY,
            )
        )  # fmt: skip
    MatchDecision.objects.bulk_create(lines, batch_size=500)
