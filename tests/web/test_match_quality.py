"""Match quality in the browser: figures, proposing, the rehearsal pair by pair, signing by a second person."""

from __future__ import annotations

import csv
import io
import random

import pytest
from django.urls import reverse

from mdm.matching.config import ALL_RULES, NUMBER_CONFLICT
from mdm.matching.model import shipped
from mdm.models import DuplicatePair, MatchFlip, MatchJob, MatchModel, MatchRun
from mdm.services import indexing, models
from tests.mdm import judged
from tests.mdm.judged import SUPPLIER, pair, proposed, trained, work
from tests.people import actor, person
from tests.web.visitors import browser, queries, read

pytestmark = pytest.mark.django_db
INDEX = reverse("web:matching")
MOST_QUERIES, MOST_QUERIES_OF_A_VERSION = 27, 26


def at(row: MatchModel, view: str = "match-model") -> str:
    return reverse(f"web:{view}", args=[row.uid])


@pytest.fixture
def crowd():
    rng, stan = random.Random(4), person("stan", "steward")
    for number in range(6):
        pair(*judged.neighbours(rng), state=("open", "different")[number % 2], by=stan)
        pair(*judged.moved(rng), state=("open", "same")[number % 2], by=stan)
    work()


def test_an_empty_hub_says_what_to_do():
    html = read(browser("stan", "steward"), INDEX)
    assert "No version of its own yet" in html and "As shipped" in html and "Nothing waits." in html
    assert "never linked unasked" in html and "3 points" in html


def test_the_page_counts_decisions_under_the_scores_in_force(crowd):
    same = DuplicatePair.objects.filter(state="same")
    same.update(band="none")
    first = same.first()
    DuplicatePair.objects.filter(pk=first.pk).update(band="review")
    DuplicatePair.objects.filter(state="different").update(band="review")
    html = read(browser("stan", "steward"), INDEX)
    assert ">25%<" in html  # precision: one of four shown
    assert ">33%<" in html  # recall: one of three
    assert "Open pairs by age" in html and "Only 6 pairs are judged" in html


def test_pages_stay_within_their_queries_whatever_the_size(crowd):
    stan = browser("stan", "steward")
    few = queries(stan, INDEX)
    row = proposed(actor("stan", "steward"), review=-8.0, link=1.0)
    few_of_version = queries(stan, at(row))
    judged.judged(person("stan", "steward"), 15)
    models.rehearse_again(version=row, by=actor("stan", "steward"))
    work()
    assert queries(stan, INDEX) <= few + 1 <= MOST_QUERIES
    assert queries(stan, at(row)) <= few_of_version <= MOST_QUERIES_OF_A_VERSION


def test_thresholds_and_rules_are_proposed_rehearsed_and_signed_by_somebody_else(crowd):
    stan, grace = browser("stan", "steward"), browser("grace", "governance")
    url = reverse("web:matching-propose", args=[SUPPLIER])
    form = {name: str(getattr(shipped().thresholds, name)) for name in ("review", "confirmed_review", "confirmed_link")}
    form |= dict.fromkeys(ALL_RULES - {NUMBER_CONFLICT}, "on")
    answer = stan.post(url, {**form, "link": "-1", "reason": ""})
    assert answer.status_code == 422 and not MatchModel.objects.exists()
    html = answer.content.decode()
    assert "Say why: whoever signs reads it." in html and "Linking cannot need fewer points" in html
    answer = stan.post(url, {**form, "link": "8", "reason": "links went wrong"})
    row = MatchModel.objects.get()
    assert (answer.status_code, answer.url) == (302, at(row))
    assert "Rehearsal of version 1" not in read(stan, INDEX) or MatchJob.objects.filter(state="queued").exists()
    work()
    html = read(stan, at(row))
    assert "somebody else signs it" in html and "Settings that change" in html and "links went wrong" in html
    stan.post(at(row, "match-model-approve"))
    assert indexing.engine(SUPPLIER).model == shipped()
    assert "Waits for your signature" in read(grace, at(row))
    grace.post(at(row, "match-model-approve"), {"reason": "agreed"})
    engine = indexing.engine(SUPPLIER)
    assert (engine.model.thresholds.link, engine.config.rules) == (8.0, ALL_RULES - {NUMBER_CONFLICT})
    html = read(grace, INDEX)
    assert "Version 1" in html and "8 points" in html and "In force" in html


def test_a_rehearsal_is_read_pair_by_pair_and_downloaded(crowd):
    row = proposed(actor("stan", "steward"), review=-8.0, link=1.0)
    stan = browser("stan", "steward")
    flips = list(row.flips.all())
    assert flips
    html = read(stan, at(row))
    for flip in flips:
        assert reverse("web:match-flip", args=[row.uid, flip.pk]) in html
    one = read(stan, reverse("web:match-flip", args=[row.uid, flips[0].pk]))
    assert one.count('<table class="waterfall">') == 2 and "In force" in one and "Version 1" in one
    sheet = b"".join(stan.get(at(row, "match-flips-csv")).streaming_content).decode("utf-8-sig")
    lines = list(csv.DictReader(io.StringIO(sheet)))
    assert len(lines) == len(flips)
    assert [float(line["Points after"]) for line in lines] == [flip.after for flip in flips]
    only = read(stan, at(row) + "?only=contradicts")
    against = MatchFlip.objects.filter(contradicts=True)
    assert ("It contradicts no decision." in only) == (not against.exists())


def test_learning_is_started_by_a_button_and_reported(crowd):
    stan = browser("stan", "steward")
    url = reverse("web:matching-train", args=[SUPPLIER])
    stan.post(url)
    assert "Training" in read(stan, INDEX)
    polled = {"HX-Request": "true", "HX-Target": "content-live"}
    assert "HX-Refresh" not in stan.get(INDEX, headers=polled)
    work()
    assert stan.get(INDEX, headers=polled)["HX-Refresh"] == "true"
    assert "Too few labels to learn from" in read(stan, INDEX)
    judged.judged(person("stan", "steward"), 25)
    trained(actor("stan", "steward"))
    html = read(stan, at(MatchModel.objects.get()))
    for words in ("What it learnt from", "Weights that moved most", "Whether its probabilities are honest", "Recall"):
        assert words in html
    assert "waits for a signature" in read(stan, INDEX)


def test_counting_anew_and_coming_back_are_buttons(crowd):
    stan, grace = browser("stan", "steward"), browser("grace", "governance")
    stan.post(reverse("web:matching-count", args=[SUPPLIER]))
    work()
    assert "A person asked" in read(stan, INDEX)
    first = models.approve(version=proposed(actor("stan", "steward"), link=5.0), by=actor("grace", "governance"))
    models.approve(version=proposed(actor("stan", "steward"), link=6.0), by=actor("grace", "governance"))
    stan.post(at(first, "match-model-restore"), {"reason": "too strict"})
    work()
    third = MatchModel.objects.first()
    assert (third.origin, third.number) == ("restored", 3)
    grace.post(at(third, "match-model-reject"), {"reason": "keep it"})
    assert MatchModel.objects.first().state == "rejected"
    stan.post(reverse("web:matching-shipped", args=[SUPPLIER]), {"reason": "as delivered"})
    work()
    grace.post(at(MatchModel.objects.first(), "match-model-approve"))
    assert indexing.engine(SUPPLIER).model.thresholds == shipped().thresholds


@pytest.mark.parametrize("role", ["requester", "auditor", "approver"])
def test_who_may_only_read_changes_nothing(crowd, role):
    row = proposed(actor("stan", "steward"), link=5.0)
    jobs = MatchJob.objects.count()
    reader = browser(f"a-{role}", role)
    read(reader, INDEX)
    read(reader, at(row))
    for name in ("train", "count", "shipped"):
        reader.post(reverse(f"web:matching-{name}", args=[SUPPLIER]), {"reason": "x"})
    for name in ("approve", "reject", "rehearse", "restore"):
        reader.post(at(row, f"match-model-{name}"), {"reason": "x"})
    assert reader.post(reverse("web:matching-propose", args=[SUPPLIER]), {"reason": "x"}).status_code == 403
    row.refresh_from_db()
    assert (row.state, MatchModel.objects.count(), MatchJob.objects.count()) == ("rehearsed", 1, jobs)


def test_versions_of_unknown_kinds_and_numbers_are_not_found():
    stan = browser("stan", "steward")
    read(stan, INDEX + "?type=payment_term", 404)
    read(stan, reverse("web:match-model", args=["00000000-0000-4000-8000-000000000000"]), 404)


def test_the_admin_shows_versions_and_changes_none(crowd):
    proposed(actor("stan", "steward"), link=5.0)
    grace = person("grace", "governance")
    grace.is_staff = True
    grace.save()
    client = browser("grace", "governance")
    pk = MatchModel.objects.get().pk
    assert client.get(reverse("admin:mdm_matchmodel_changelist")).status_code == 200
    assert client.post(reverse("admin:mdm_matchmodel_change", args=[pk]), {"state": "active"}).status_code == 403
    assert client.get(reverse("admin:mdm_matchmodel_add")).status_code == 403
    assert MatchModel.objects.get().state == "rehearsed"


def test_a_steward_lets_the_hub_look_through_everything_and_sees_how_far_it_is():
    mara = browser("mara", "steward")
    page = mara.post(reverse("web:matching-look", args=["supplier"]), follow=True)
    assert "then workers look through all records" in page.content.decode()
    run = MatchRun.objects.get()
    assert (run.type, run.state) == ("supplier", "done"), "there is nothing to look through"
    MatchRun.objects.update(state="running", ended_at=None)
    assert "0 of 0 records · 0 pairs new in the queue" in read(mara, INDEX)


def test_nobody_else_starts_a_look():
    assert browser("nora", "requester").post(reverse("web:matching-look", args=["supplier"])).status_code == 403
    assert not MatchRun.objects.exists()
