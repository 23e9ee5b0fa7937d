"""Everybody who writes pairs at once: people who judge and merge, scoring anew, a look through all; nobody in a ring."""

from __future__ import annotations

from collections.abc import Callable
from uuid import uuid4

import pytest

from mdm import registry
from mdm.models import DuplicatePair, MatchJob, MatchRun
from mdm.services import changes, comparisons, judging, match_jobs, match_runs, match_work, merging, rescoring
from mdm.types import Actor, Document
from tests.mdm.test_survivorship_races import at_once
from tests.people import actor, supplier

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.database]
KIND = "supplier"


def families(count: int = 6) -> list[list[Document]]:
    """Companies of three spellings each: all pairs are in the queue, and one of each is judged."""
    made = []
    for number in range(count):
        word = "".join(chr(97 + (number * k + k) % 26) for k in (3, 7, 11, 5)).title()
        site = f"https://{word.lower()}.example"
        made.append(
            [supplier(legal_name=f"{word} {form}", website=site) for form in ("Werke GmbH", "Werke", "Werk AG")]
        )
    return made


def between(one: Document, other: Document) -> DuplicatePair:
    left, right = sorted((one["uid"], other["uid"]))
    return DuplicatePair.objects.get(left=left, right=right)


def judges(made: list[list[Document]], by: Actor) -> Callable[[], None]:
    def work() -> None:
        for one, two, _ in made * 2:
            pair = between(one, two)
            judging.decide(pair=pair, judgement="same", by=by)
            judging.take_back(pair=pair, by=by)

    return work


def merges(made: list[list[Document]]) -> Callable[[], None]:
    def work() -> None:
        for one, two, _ in made:
            change = merging.propose(
                kind=registry.get(KIND), survivor=one["uid"], losers=[two["uid"]], by=actor("nora", "steward")
            )
            changes.approve(change=change, by=actor("ann", "approver"), content_hash=change.content_hash)

    return work


def rescores() -> None:
    for _ in range(3):
        match_jobs.queue_again(type_key=KIND, task="rescore")
        for pk in MatchJob.objects.filter(task="rescore", state__in=MatchJob.LIVE).values_list("pk", flat=True):
            match_work.run(pk)


@pytest.mark.parametrize("round_", range(3))
def test_all_at_once_end_without_waiting_in_a_ring(round_: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rescoring, "_BATCH", 5)
    monkeypatch.setattr(match_runs, "_BATCH", 4)
    made = families()
    kind, mara = registry.get(KIND), actor("mara", "steward")
    for one, _, third in made:
        judging.decide(pair=between(one, third), judgement="same", by=mara)
    run = match_runs.start(kind=kind, by=mara)
    match_work.run(MatchJob.objects.get(task="snapshot").pk)
    everybody = [uid for family in made[:4] for uid in (one["uid"] for one in family)]

    def recompares() -> None:
        for _ in range(4):
            comparisons.recompare(kind=kind, uids=everybody)
            comparisons.put_down(kind, everybody)
            comparisons.work_off()

    failed = at_once(
        rescores,
        recompares,
        judges(made[:2], actor("jon", "steward")),
        judges(made[2:4], actor("pia", "steward")),
        merges(made[4:]),
        lambda: match_runs.work(worker=uuid4()),
    )
    assert failed == []
    run = MatchRun.objects.get(pk=run.pk)
    assert run.state == "done"
    assert {between(one, third).state for one, _, third in made[:4]} == {"same"}
    assert {between(one, two).state for one, two, _ in made[4:]} == {"merged"}
