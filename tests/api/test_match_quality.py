"""Match quality over REST: the same facts as the page, for who may read the records, and nothing to write."""

from __future__ import annotations

import random

import pytest

from mdm.matching.model import shipped
from mdm.models import DuplicatePair, KeySnapshot, MatchModel
from mdm.services import indexing, models
from tests.api.callers import caller
from tests.mdm import judged
from tests.mdm.judged import SUPPLIER, pair, proposed, work
from tests.people import actor, person

pytestmark = pytest.mark.django_db


@pytest.fixture
def crowd():
    rng, stan = random.Random(4), person("stan", "steward")
    for number in range(6):
        pair(*judged.neighbours(rng), state=("open", "different")[number % 2], by=stan)
        pair(*judged.moved(rng), state=("open", "same")[number % 2], by=stan)


def test_quality_tells_what_is_in_force_and_how_it_does(crowd):
    DuplicatePair.objects.filter(state="same").update(band="link")
    DuplicatePair.objects.filter(state="different").update(band="review")
    reader = caller("integrator")
    [found] = reader.read("matching/quality/?type=supplier").json()["results"]
    assert found["in_force"]["version"] == 0 and found["in_force"]["thresholds"]["link"] == shipped().thresholds.link
    assert found["decisions"] == {
        "judged": 6, "same": 3, "shown": 6, "linked": 3, "precision": 0.5, "recall": 1.0, "link_precision": 1.0,
    }  # fmt: skip
    assert (found["queue"]["size"], found["queue"]["ages"]["today"]) == (6, 6)
    assert found["running"] == []
    version = models.approve(version=proposed(actor("stan", "steward"), link=5.0), by=actor("grace", "governance"))
    [found] = reader.read("matching/quality/").json()["results"]
    assert (found["in_force"]["uid"], found["in_force"]["thresholds"]["link"]) == (str(version.uid), 5.0)
    assert [job["task"] for job in found["running"]] == ["rescore"]


def test_versions_and_their_flips_are_read(crowd):
    row = proposed(actor("stan", "steward"), review=-8.0, link=1.0)
    reader = caller("integrator")
    [listed] = reader.read("matching/models/?state=rehearsed").json()["results"]
    assert (listed["uid"], listed["created_by"], listed["approved_by"]) == (str(row.uid), "Stan", None)
    assert reader.read("matching/models/?state=active").json()["results"] == []
    one = reader.read(f"matching/models/{row.uid}/").json()
    assert one["model"] == row.data and one["rehearsal"]["flips"] == row.flips.count() > 0
    flips = reader.read(f"matching/models/{row.uid}/flips/").json()["results"]
    assert [flip["after"] for flip in flips] == [flip.after for flip in row.flips.all()]
    against = reader.read(f"matching/models/{row.uid}/flips/?contradicts=true").json()["results"]
    assert len(against) == row.flips.filter(contradicts=True).count()


def test_counts_of_keys_are_listed_with_what_they_flipped(crowd):
    indexing.keep_snapshot(SUPPLIER, indexing.count(SUPPLIER), cause="grown")
    models.refresh_counts(kind=judged.kind(), by=actor("stan", "steward"))
    work()
    newest, first = caller("integrator").read("matching/snapshots/").json()["results"]
    assert (newest["cause"], first["cause"], first["report"]) == ("asked", "grown", {})
    assert newest["report"] == KeySnapshot.objects.first().report != {}


def test_who_may_not_read_suppliers_sees_none_of_it(crowd):
    row = proposed(actor("stan", "steward"), link=5.0)
    other = caller("integrator", scopes=["read:payment-terms"])
    for path in ("matching/quality/", "matching/models/", "matching/snapshots/"):
        answer = other.read(path)
        assert answer.status_code == 403 or answer.json()["results"] == []
    assert other.read(f"matching/models/{row.uid}/").status_code in (403, 404)


@pytest.mark.parametrize("method", ["POST", "PATCH", "DELETE"])
def test_versions_are_not_written_over_rest(crowd, method):
    row = proposed(actor("stan", "steward"), link=5.0)
    writer = caller("governance")
    assert (
        writer.generic(
            method, f"/api/v1/matching/models/{row.uid}/", data="{}", content_type="application/json"
        ).status_code
        == 405
    )
    assert MatchModel.objects.get().state == "rehearsed"
