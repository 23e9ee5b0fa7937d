"""A hub with profiles and judged pairs, without golden records: what the matching model is learnt from and rehearsed on."""

from __future__ import annotations

import itertools
import random
from typing import Any
from uuid import UUID

from django.contrib.auth.models import User

from mdm import registry
from mdm.models import DuplicatePair, MatchDecision, MatchJob, MatchModel
from mdm.services import indexing, match_jobs, match_work, models
from mdm.types import Actor
from tests.mdm.matching.documents import supplier

SUPPLIER = "supplier"
_SYLLABLES = [a + b for a in ("ba", "do", "fe", "gu", "ki", "lo", "mi", "nu", "pe", "ra", "so", "tu", "ve", "zo")
              for b in ("n", "r", "l", "x", "m", "k")]  # fmt: skip
_numbers = itertools.count(1)


def kind() -> registry.RecordType:
    return registry.get(SUPPLIER)


def word(rng: random.Random) -> str:
    return "".join(rng.choice(_SYLLABLES) for _ in range(3)).title()


def company(rng: random.Random, **said: Any) -> dict[str, Any]:
    """An invented company; `said` overrides, see tests.mdm.matching.documents."""
    own = {
        "street": f"{word(rng)}weg {rng.randrange(1, 90)}", "postcode": f"{rng.randrange(10000, 99999)}",
        "city": f"{word(rng)}stadt", "phone": f"+4930{rng.randrange(10**6, 10**7)}", "web": f"https://{word(rng).lower()}.example",
    }  # fmt: skip
    name = said.pop("name", f"{word(rng)} {word(rng)} GmbH")
    return supplier(name, "DE", **{**own, **said})


def store(*documents: dict[str, Any]) -> list[str]:
    """Put them into the index; their uids, ascending."""
    uids = [UUID(int=next(_numbers)) for _ in documents]
    matcher = indexing.engine_of(SUPPLIER)
    indexing.StoredKeys(SUPPLIER).add(
        [(uid, matcher.features(document)) for uid, document in zip(uids, documents, strict=True)]
    )
    return [str(uid) for uid in uids]


def pair(left: dict[str, Any], right: dict[str, Any], *, state: str = "open", by: User | None = None) -> DuplicatePair:
    """Two stored records in the queue, judged by `by` when the state is a judgement."""
    uids = store(left, right)
    features = indexing.StoredKeys(SUPPLIER)
    score = indexing.engine(SUPPLIER).compare(*(_features(uid) for uid in uids), features.rarity)
    row = DuplicatePair.objects.create(
        type=SUPPLIER, left=uids[0], right=uids[1], score=score.value, probability=score.probability, band=score.band,
        flags=list(score.flags), evidence_hash="e", state=state,
    )  # fmt: skip
    if by is not None and state in ("same", "different", "unsure"):
        judge(row, state, by)
    return row


def judge(row: DuplicatePair, judgement: str, by: User) -> MatchDecision:
    return MatchDecision.objects.create(
        pair=row, judgement=judgement, evidence_hash="e", decided_by=by, decided_by_name=by.username
    )


def _features(uid: str) -> dict[str, Any]:
    from mdm.models import MatchProfile

    found: dict[str, Any] = MatchProfile.objects.get(uid=uid).features
    return found


def neighbours(rng: random.Random) -> tuple[dict[str, Any], dict[str, Any]]:
    """Two companies in one shared office: all that surrounds the names agrees."""
    left = company(rng)
    return left, {**left, "legal_name": f"{word(rng)} {word(rng)} AG"}


def moved(rng: random.Random) -> tuple[dict[str, Any], dict[str, Any]]:
    """One name, and nothing around it agrees."""
    name = f"{word(rng)} {word(rng)} GmbH"
    return company(rng, name=name), company(rng, name=name)


def judged(by: User, count: int = 40, seed: int = 1) -> None:
    """`count` judgements of each answer, in a house of its own: its suppliers move often and share offices with others,
    the opposite of what the shipped model believes."""
    rng = random.Random(seed)
    for _ in range(count):
        pair(*neighbours(rng), state="different", by=by)
        pair(*moved(rng), state="same", by=by)


def work() -> None:
    """Every job that waits, to its end, as workers do."""
    while jobs := match_jobs.waiting():
        for pk in jobs:
            match_work.run(pk)


def trained(by: Actor) -> MatchJob:
    job: MatchJob = models.train(kind=kind(), by=by)
    work()
    job.refresh_from_db()
    return job


def proposed(by: Actor, *, rules: Any = None, **thresholds: float) -> MatchModel:
    """Other thresholds (or rules), rehearsed."""
    now = models.in_force(kind())
    limits = {
        name: getattr(now.model.thresholds, name) for name in ("review", "link", "confirmed_review", "confirmed_link")
    }
    row = models.propose(
        kind=kind(), thresholds={**limits, **thresholds}, rules=now.rules if rules is None else rules,
        reason="the queue is too long", by=by,
    )  # fmt: skip
    work()
    row.refresh_from_db()
    return row
