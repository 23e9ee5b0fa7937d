"""Once a person confirmed something about a record, its other pairs need more points: in the queue, imports and why."""

from __future__ import annotations

import pytest

from mdm import registry
from mdm.models import DuplicatePair, MatchModel
from mdm.services import comparisons, confirmations, judging, matching, models
from tests.mdm.judged import proposed
from tests.mdm.test_importing import counts, load
from tests.people import actor, supplier

pytestmark = pytest.mark.django_db
KIND = "supplier"
ADDRESS = [{"kind": "legal", "lines": ["Werkstr. 1"], "city": "Berlin", "postal_code": "10115", "country": "DE"}]


def kind() -> registry.RecordType:
    return registry.get(KIND)


@pytest.fixture
def stan():
    return actor("stan", "steward")


def pair(one, other) -> DuplicatePair:
    left, right = sorted((one["uid"], other["uid"]))
    return DuplicatePair.objects.get(left=left, right=right)


@pytest.fixture
def three():
    """Three spellings of one company: each two are in the queue."""
    return [
        supplier(legal_name=name, addresses=ADDRESS, website="https://quarzwerk-nordlicht.example")
        for name in ("Quarzwerk Nordlicht GmbH", "Quarzwerk Nordlicht", "Quartzwerk Nordlicht AG")
    ]


@pytest.fixture
def between(three):
    """Thresholds around the score of the first and the third: linked plainly, and only shown once confirmed."""
    score = pair(three[0], three[2]).score
    proposer, lead = actor("petra", "steward"), actor("lea", "lead_steward")
    version = proposed(proposer, review=0.25, link=score - 1, confirmed_review=score - 0.5, confirmed_link=score + 1)
    models.approve(version=version, by=lead)
    assert MatchModel.objects.get(state="active").pk == version.pk
    comparisons.recompare(kind=kind(), uids=[one["uid"] for one in three])
    return score


def test_an_open_pair_of_a_confirmed_record_takes_the_stricter_band_until_that_is_taken_back(three, between, stan):
    one, two, third = three
    assert pair(one, third).band == "link" and not confirmations.holds_for(pair(one, third))
    judging.decide(pair=pair(one, two), judgement="same", by=stan)
    assert (pair(one, third).band, pair(one, third).state) == ("review", "open")
    assert [c.by for c in confirmations.holds_for(pair(one, third))] == ["Stan"]
    judging.take_back(pair=pair(one, two), by=stan)
    assert (pair(one, third).band, confirmations.holds_for(pair(one, third))) == ("link", [])


def test_the_pair_that_was_judged_keeps_the_plain_thresholds(three, between, stan):
    one, two, _ = three
    before = pair(one, two).band
    judging.decide(pair=pair(one, two), judgement="same", by=stan)
    assert (pair(one, two).band, confirmations.holds_for(pair(one, two))) == (before, [])


def test_a_pair_below_the_stricter_review_threshold_leaves_the_queue_and_comes_back(three, stan):
    one, two, third = three
    score = pair(one, third).score
    version = proposed(
        actor("petra", "steward"), review=0.25, link=score + 1, confirmed_review=score + 0.5, confirmed_link=score + 1
    )
    models.approve(version=version, by=actor("lea", "lead_steward"))
    judging.decide(pair=pair(one, two), judgement="same", by=stan)
    assert (pair(one, third).state, pair(one, third).band) == ("gone", "none")
    judging.take_back(pair=pair(one, two), by=stan)
    assert (pair(one, third).state, pair(one, third).band) == ("open", "review")


def test_another_judgement_confirms_nothing(three, between, stan):
    one, two, third = three
    judging.decide(pair=pair(one, two), judgement="different", by=stan)
    assert pair(one, third).band == "link"


def test_why_says_which_thresholds_hold_and_on_whose_word(three, between, stan):
    one, two, third = three
    plain = matching.why(kind=kind(), left=one["uid"], right=third["uid"])
    assert (plain["band"], plain["confirmed"], plain["thresholds"]["link"]) == ("link", [], between - 1)
    judging.decide(pair=pair(one, two), judgement="same", by=stan)
    strict = matching.why(kind=kind(), left=one["uid"], right=third["uid"])
    assert (strict["band"], strict["thresholds"]) == ("review", {"review": between - 0.5, "link": between + 1})
    (said,) = strict["confirmed"]
    assert (said["uid"], said["other"], said["by"]) == (one["uid"], two["uid"], "Stan")
    found = matching.search(kind=kind(), document=third, exclude=[third["uid"]])
    assert {match.uid: match.score.band for match in found}[one["uid"]] == "review"


def test_a_row_is_linked_to_a_record_unasked_only_while_nobody_confirmed_it(three, stan):
    one, two, _ = three
    row = "Quarzwerk Nordlicht GmbH;DE;Werkstr. 1;Berlin;10115;;;"
    asked = {"legal_name": "Quarzwerk Nordlicht GmbH", "country": "DE", "addresses": ADDRESS}
    best = matching.search(kind=kind(), document=asked)[0].score.value
    version = proposed(
        actor("petra", "steward"), review=0.25, link=best - 1, confirmed_review=0.25, confirmed_link=best + 1
    )
    models.approve(version=version, by=actor("lea", "lead_steward"))
    judging.decide(pair=pair(one, two), judgement="same", by=stan)
    assert counts(load(f"9;{row}")) == {"in": 1, "candidate": 1}
    judging.take_back(pair=pair(one, two), by=stan)
    assert counts(load(f"10;{row}")) == {"in": 1, "linked": 1}


def test_a_rehearsal_holds_pairs_of_confirmed_records_against_the_stricter_thresholds(three, between, stan):
    one, two, third = three
    judging.decide(pair=pair(one, two), judgement="same", by=stan)
    sides = {"left": pair(one, third).left, "right": pair(one, third).right}
    petra = actor("petra", "steward")
    plain = proposed(petra, link=between + 0.5)
    assert not plain.flips.filter(**sides).exists(), "the plain threshold says nothing about them any more"
    models.reject(version=plain, reason="no", by=petra)
    stricter = proposed(petra, confirmed_link=between - 0.25)
    assert stricter.flips.filter(**sides, before_band="review", after_band="link").count() == 1
