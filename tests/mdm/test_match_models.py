"""Versions of the matching model: learnt from decisions, rehearsed, signed by a second person, followed by every process."""

from __future__ import annotations

import random
import subprocess
import sys
import time

import pytest
from django.db import IntegrityError, ProgrammingError, transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mdm.errors import AlreadyDone, CorrectInput, FourEyes, NotAllowed, NotNow
from mdm.matching.config import ALL_RULES, NUMBER_CONFLICT
from mdm.matching.model import shipped
from mdm.models import AuditEntry, DuplicatePair, KeySnapshot, MatchDecision, MatchJob, MatchModel, MatchProfile
from mdm.services import indexing, match_jobs, match_labels, match_work, model_rehearsal, models, snapshots
from tests.fixtures_processes import new_child
from tests.mdm import judged
from tests.mdm.judged import SUPPLIER, company, kind, pair, proposed, trained, work
from tests.people import actor, person

pytestmark = pytest.mark.django_db


@pytest.fixture
def stan():
    return actor("stan", "steward")


@pytest.fixture
def grace():
    return actor("grace", "governance")


# --- in force -----------------------------------------------------------------------------------------------------


def test_an_empty_hub_judges_by_the_shipped_model(django_assert_num_queries):
    with django_assert_num_queries(1):
        engine = indexing.engine(SUPPLIER)
    assert (engine.model, engine.config.rules) == (shipped(), ALL_RULES)
    assert models.in_force(kind()).number == 0


def test_an_approval_by_a_second_person_puts_a_version_in_force(stan, grace):
    row = proposed(stan, review=1.5, link=5.0, rules=ALL_RULES - {NUMBER_CONFLICT})
    assert (row.state, indexing.engine(SUPPLIER).model) == ("rehearsed", shipped())
    models.approve(version=row, by=grace, comment="seen")
    engine = indexing.engine(SUPPLIER)
    assert (engine.model.thresholds.review, engine.model.thresholds.link) == (1.5, 5.0)
    assert engine.config.rules == ALL_RULES - {NUMBER_CONFLICT}
    assert engine.model.weights == shipped().weights
    row.refresh_from_db()
    assert (row.state, row.approved_by, row.comment) == ("active", grace.user, "seen")
    told = AuditEntry.objects.filter(object_type="match_model").order_by("pk").values_list("action", "actor_name")
    assert list(told) == [("match_model.proposed", "Stan"), ("match_model.approved", "Grace")]


def test_the_next_version_replaces_it_and_an_earlier_one_comes_back_by_the_same_way(stan, grace):
    first = models.approve(version=proposed(stan, link=5.0), by=grace)
    second = models.approve(version=proposed(stan, link=6.0), by=grace)
    first.refresh_from_db()
    assert (first.state, second.state, second.trained_from) == ("retired", "active", first)
    back = models.restore(kind=kind(), version=first, reason="too few links", by=stan)
    work()
    assert indexing.engine(SUPPLIER).model.thresholds.link == 6.0
    back.refresh_from_db()
    models.approve(version=back, by=grace)
    assert indexing.engine(SUPPLIER).model.thresholds.link == 5.0
    assert (back.origin, back.trained_from, MatchModel.objects.filter(state="active").count()) == ("restored", first, 1)
    models.restore(kind=kind(), version=None, reason="as delivered", by=stan)
    work()
    models.approve(version=MatchModel.objects.first(), by=grace)
    assert indexing.engine(SUPPLIER).model.thresholds == shipped().thresholds


def test_another_process_follows_at_its_next_look(transactional_db, stan, grace):
    """The other process looks, waits for the approval, and looks again."""
    code = (
        "import django; django.setup()\n"
        "from mdm.services import indexing\n"
        "print(indexing.engine('supplier').model.thresholds.link, flush=True); input()\n"
        "print(indexing.engine('supplier').model.thresholds.link, flush=True)"
    )
    child = subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        env=new_child("looks", []).environment,
    )  # fmt: skip
    assert child.stdin and child.stdout
    before = float(child.stdout.readline())
    models.approve(version=proposed(stan, link=5.0), by=grace)
    child.stdin.write("\n")
    child.stdin.flush()
    after = float(child.stdout.readline())
    child.wait(timeout=30)
    assert (before, after) == (shipped().thresholds.link, 5.0)


# --- four eyes and the wall ---------------------------------------------------------------------------------------


def test_nobody_signs_what_they_asked_for(grace):
    row = proposed(grace, link=5.0)
    with pytest.raises(FourEyes):
        models.approve(version=row, by=grace)
    assert MatchModel.objects.get().state == "rehearsed" and indexing.engine(SUPPLIER).model == shipped()


@pytest.mark.parametrize("role", ["requester", "approver", "steward", "treasury", "auditor", "integrator"])
def test_only_signers_sign(stan, role):
    row = proposed(stan, link=5.0)
    with pytest.raises(NotAllowed):
        models.approve(version=row, by=actor(f"a-{role}", role))
    assert MatchModel.objects.get().state == "rehearsed"


@pytest.mark.parametrize("role", ["requester", "approver", "auditor"])
def test_only_stewards_and_governance_propose(role):
    with pytest.raises(NotAllowed):
        proposed(actor("a", role), link=5.0)
    with pytest.raises(NotAllowed):
        models.train(kind=kind(), by=actor("a", role))
    assert not MatchModel.objects.exists() and not MatchJob.objects.exists()


def _refused(**values):
    with pytest.raises((IntegrityError, ProgrammingError)), transaction.atomic():
        MatchModel.objects.update(**values)


def test_the_database_refuses_the_author_as_approver_and_any_rewriting(stan, grace):
    from django.utils import timezone

    row = proposed(stan, link=5.0)
    now = timezone.now()
    _refused(state="active", approved_by=stan.user, approved_at=now)
    _refused(state="active", approved_at=now)
    _refused(data=shipped().as_json())
    _refused(rules=[])
    _refused(created_by=grace.user)
    _refused(state="retired", approved_by=grace.user, approved_at=now)
    models.approve(version=row, by=grace)
    _refused(approved_by=person("third", "governance"))
    _refused(state="draft")
    with pytest.raises(ProgrammingError), transaction.atomic():
        MatchModel.objects.all()._raw_delete("default")
    with pytest.raises(ProgrammingError), transaction.atomic():
        MatchModel.objects.create(
            type="legal_entity", number=1, kind="company", data=shipped().as_json(), origin="edited", state="active",
            created_by=stan.user, approved_by=grace.user, approved_at=now, rehearsed_at=now,
        )  # fmt: skip
    kept = MatchModel.objects.get()
    assert (kept.state, kept.approved_by, kept.created_by) == ("active", grace.user, stan.user)


def test_one_version_waits_at_a_time_and_a_rejected_one_makes_room(stan, grace):
    first = proposed(stan, link=5.0)
    with pytest.raises(NotNow):
        proposed(stan, link=6.0)
    with pytest.raises(NotNow):
        models.train(kind=kind(), by=stan)
    with pytest.raises(CorrectInput):
        models.reject(version=first, reason=" ", by=grace)
    with pytest.raises(NotAllowed):
        models.reject(version=first, reason="no", by=actor("sue", "steward"))
    models.reject(version=first, reason="too strict", by=grace)
    first.refresh_from_db()
    assert (first.state, first.comment, indexing.engine(SUPPLIER).model) == ("rejected", "too strict", shipped())
    assert proposed(stan, link=6.0).number == 2


def test_what_was_rehearsed_against_another_version_is_rehearsed_again_first(stan, grace):
    old = proposed(stan, link=5.0)
    MatchModel.objects.filter(pk=old.pk).update(state="draft", rehearsal={})
    assert "rehears" in models.why_not_approve(MatchModel.objects.get(), grace)
    with pytest.raises(NotNow):
        models.approve(version=old, by=grace)
    models.rehearse_again(version=old, by=stan)
    work()
    models.approve(version=old, by=grace)
    late = proposed(stan, link=6.0)
    MatchModel.objects.filter(pk=late.pk).update(against=None)
    with pytest.raises(NotNow, match="Rehearse it again"):
        models.approve(version=late, by=grace)
    assert MatchModel.objects.get(state="active") == old


@pytest.mark.parametrize(
    ("thresholds", "path"),
    [
        ({"review": "x"}, "review"),
        ({"link": "nan"}, "link"),
        ({"link": 41}, "link"),
        ({"review": 4.0}, "link"),
        ({"confirmed_link": 0.5}, "confirmed_link"),
    ],
)
def test_wrong_thresholds_are_named(stan, thresholds, path):
    with pytest.raises(CorrectInput) as error:
        proposed(stan, **thresholds)
    assert [problem.path for problem in error.value.problems] == [path]
    assert not MatchModel.objects.exists()


def test_nothing_new_and_unknown_rules_are_refused(stan):
    with pytest.raises(CorrectInput, match="in force already"):
        proposed(stan)
    with pytest.raises(CorrectInput, match="no such rule"):
        proposed(stan, rules=["astrology"])


# --- labels and training ------------------------------------------------------------------------------------------


def test_labels_are_the_standing_judgements_and_not_the_same_wins():
    ann, ben = person("ann", "steward"), person("ben", "steward")
    rng = random.Random(3)
    rows = [
        pair(*judged.neighbours(rng), state=state) for state in ("same", "same", "same", "merged", "unsure", "open")
    ]
    judged.judge(rows[0], "same", ann)
    judged.judge(rows[1], "different", ann)
    judged.judge(rows[1], "same", ben)
    judged.judge(rows[2], "different", ann)
    judged.judge(rows[2], "same", ann)
    judged.judge(rows[4], "unsure", ann)
    judged.judge(rows[5], "same", ann)
    [labels] = list(match_labels.chunks(SUPPLIER))
    found = {label.pk: (label.same, label.disputed) for label in labels}
    assert found == {
        rows[0].pk: (True, False), rows[1].pk: (False, True), rows[2].pk: (True, False), rows[3].pk: (True, False),
    }  # fmt: skip


def test_training_learns_from_decisions_what_the_shipped_model_does_not_know(stan, grace):
    judged.judged(stan.user)
    job = trained(stan)
    version = MatchModel.objects.get()
    assert (job.state, job.model, version.state, version.created_by) == ("done", version, "rehearsed", stan.user)
    report = version.report
    assert report["labels"]["decided_same"] == report["labels"]["decided_different"] == 40
    assert report["after"]["f1"] > report["before"]["f1"] + 0.1
    moved = {(one["feature"], one["level"]): one["after"] - one["before"] for one in report["moved"]}
    assert moved and all(one["note"] for one in report["moved"])
    assert sum(tenth["pairs"] for tenth in report["calibration"]) == 80
    engine = indexing.engine_of(SUPPLIER, version.uid)
    assert engine.model.thresholds == shipped().thresholds
    models.approve(version=version, by=grace)
    # What it learnt holds for pairs it has never seen.
    rng = random.Random(99)
    fresh = [(judged.neighbours(rng), False) for _ in range(20)] + [(judged.moved(rng), True) for _ in range(20)]
    right = {False: 0, True: 0}
    for which, one in ((False, indexing.engine_of(SUPPLIER)), (True, indexing.engine(SUPPLIER))):
        for documents, same in fresh:
            score = one.compare(*(one.features(document) for document in documents))
            right[which] += (score.band != "none") == same
    assert right[True] > right[False]


def test_training_twice_on_the_same_labels_gives_the_same_weights(stan, grace):
    judged.judged(stan.user, 25)
    trained(stan)
    first = MatchModel.objects.get()
    models.approve(version=first, by=grace)
    trained(stan)
    second = MatchModel.objects.first()
    assert second.number == 2
    assert {**second.data, "version": ""} == {**first.data, "version": ""}


def test_too_few_labels_are_said_with_what_would_help(stan):
    judged.judged(stan.user, 7)
    job = trained(stan)
    assert (job.state, MatchModel.objects.exists()) == ("done", False)
    first, second = job.counts["advice"]
    assert first == "Judge more pairs in the queue: 13 more judged same and 13 more judged different."
    assert "200 alike pairs whose numbers agree" in second


def test_tax_numbers_teach_an_empty_queue(stan, monkeypatch):
    from mdm.services import learning

    monkeypatch.setattr(learning, "WEAK_LEAST", 15)
    rng = random.Random(5)
    valid = ["DE136695976", "DE129273398", "DE811569869", "DE813495425"]
    for _ in range(20):
        same, other = company(rng, vat=valid[0]), company(rng, vat=valid[1])
        judged.store(same, {**company(rng, vat=valid[0]), "contacts": same["contacts"], "website": same["website"]})
        judged.store(other, {**other, "tax_registrations": company(rng, vat=valid[2])["tax_registrations"]})
    job = trained(stan)
    version = MatchModel.objects.get()
    assert job.counts == version.report["labels"]
    assert job.counts["weak_same"] >= 15 and job.counts["weak_different"] >= 15
    assert (job.counts["decided_same"], version.report["after"]["precision"]) == (0, None)
    assert version.data["weights"]["tax"] == shipped().as_json()["weights"]["tax"]


def test_a_killed_training_begins_again_and_leaves_one_version(stan, monkeypatch):
    from mdm.services import learning

    judged.judged(stan.user, 22)
    job = models.train(kind=kind(), by=stan)
    with pytest.raises(AlreadyDone):
        models.train(kind=kind(), by=stan)
    with monkeypatch.context() as broken:
        broken.setattr(learning, "learn", lambda *a: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            match_work.run(job.pk)
    assert match_work.run(job.pk) is None  # the killed one may still be alive
    MatchJob.objects.update(beat_at=None)
    work()
    work()
    assert MatchModel.objects.count() == 1 and MatchJob.objects.get(pk=job.pk).state == "done"


# --- rehearsal ----------------------------------------------------------------------------------------------------


def _naive(before, after) -> dict[tuple[str, str], tuple[str, str]]:
    """Every pair one by one: those of the queue, and all that candidates find from every record."""
    store = indexing.StoredKeys(SUPPLIER)
    profiles = {str(uid): features for uid, features in MatchProfile.objects.values_list("uid", "features")}
    pairs = {(str(p.left), str(p.right)) for p in DuplicatePair.objects.exclude(state="gone")}
    for uid, features in profiles.items():
        [found] = store.candidates([features])
        pairs |= {(min(uid, other), max(uid, other)) for other, _ in found if other != uid}
    flips = {}
    for left, right in pairs:
        bands = tuple(e.compare(profiles[left], profiles[right], store.rarity).band for e in (before, after))
        if bands[0] != bands[1]:
            flips[left, right] = bands
    return flips


@pytest.fixture
def crowd(stan):
    """A small hub full of near pairs: some queued, some judged, most in no queue."""
    rng = random.Random(11)
    for number in range(10):
        pair(*judged.neighbours(rng), state=("open", "same", "different")[number % 3], by=stan.user)
        pair(*judged.moved(rng), state=("open", "different", "same")[number % 3], by=stan.user)
        judged.store(*judged.neighbours(rng))
        judged.store(*judged.moved(rng))
        left = company(rng)
        judged.store(left, {**left, "legal_name": left["legal_name"].replace("GmbH", f"{number + 2} GmbH")})
    indexing.keep_snapshot(SUPPLIER, indexing.count(SUPPLIER), cause="asked")


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    review=st.floats(-8, 8).map(lambda v: round(v, 1)),
    more=st.floats(0, 8).map(lambda v: round(v, 1)),
    rules=st.sets(st.sampled_from(sorted(ALL_RULES))),
)
def test_a_rehearsal_lists_exactly_the_flips(crowd, stan, review, more, rules):
    with transaction.atomic():
        row = proposed(stan, review=review, link=review + more, rules=rules)
        flips = {(str(f.left), str(f.right)): (f.before_band, f.after_band) for f in row.flips.all()}
        engine = indexing.engine_of(SUPPLIER, row.uid)
        assert flips == _naive(indexing.engine(SUPPLIER), engine)
        assert row.rehearsal["flips"] == len(flips) == row.rehearsal["kept"]
        said = {
            (str(p.left), str(p.right)): p.state for p in DuplicatePair.objects.filter(state__in=("same", "different"))
        }
        for flip in row.flips.all():
            key = (str(flip.left), str(flip.right))
            assert flip.said == said.get(key, "")
            assert flip.contradicts == ((flip.said, flip.after_band) in (("different", "link"), ("same", "none")))
            assert flip.after == pytest.approx(flip.before + sum(e["after"] - e["before"] for e in flip.evidence))
        transaction.set_rollback(True)


def test_a_rehearsal_killed_between_batches_goes_on_and_finds_the_same(crowd, stan, monkeypatch):
    whole = proposed(stan, review=-8.0, link=1.0)
    expected = set(whole.flips.values_list("left", "right", "before_band", "after_band"))
    assert expected
    monkeypatch.setattr(model_rehearsal, "_PAIRS", 3)
    monkeypatch.setattr(model_rehearsal, "_RECORDS", 7)
    models.rehearse_again(version=whole, by=stan)
    job = MatchJob.objects.get(state="queued")
    steps = 0
    while match_jobs.claim(job.pk):
        model_rehearsal._begin(job)
        model_rehearsal._step(job)
        MatchJob.objects.filter(pk=job.pk).update(beat_at=None)  # killed after each batch
        steps += 1
    whole.refresh_from_db()
    assert steps > 10 and whole.state == "rehearsed"
    assert set(whole.flips.values_list("left", "right", "before_band", "after_band")) == expected
    assert whole.rehearsal["flips"] == len(expected)


def test_a_worker_rehearses_what_was_proposed(celery_worker_process, stan):
    pair(*judged.neighbours(random.Random(2)))
    row = models.propose(
        kind=kind(), thresholds={"review": 9, "link": 9, "confirmed_review": 9, "confirmed_link": 9}, rules=ALL_RULES,
        reason="fewer", by=stan,
    )  # fmt: skip
    deadline = time.monotonic() + 30
    while row.state == "draft" and time.monotonic() < deadline:
        time.sleep(0.1)
        row.refresh_from_db()
    assert (row.state, row.rehearsal["flips"]) == ("rehearsed", 1)
    assert row.flips.get().after_band == "none"


def test_rejecting_calls_a_running_rehearsal_off(crowd, stan, grace):
    row = models.propose(
        kind=kind(), thresholds={"review": -3, "link": 1, "confirmed_review": 1, "confirmed_link": 6}, rules=ALL_RULES,
        reason="x", by=stan,
    )  # fmt: skip
    models.reject(version=row, reason="mistake", by=stan)
    work()
    row.refresh_from_db()
    assert (row.state, MatchJob.objects.get().state, row.flips.count()) == ("rejected", "cancelled", 0)


# --- after approval -----------------------------------------------------------------------------------------------


def test_the_queue_is_scored_anew_and_decisions_stay(crowd, stan, grace):
    before = {p.pk: (p.state, p.evidence_hash) for p in DuplicatePair.objects.exclude(state="open")}
    decisions = MatchDecision.objects.count()
    new = proposed(stan, review=-8.0, link=1.0)
    come = new.flips.filter(origin="sample", before_band="none").exclude(after_band="none").count()
    open_before = DuplicatePair.objects.filter(state="open").count()
    models.approve(version=new, by=grace)
    work()
    engine, rarity = indexing.engine(SUPPLIER), indexing.StoredKeys(SUPPLIER).rarity
    profiles = dict(MatchProfile.objects.values_list("uid", "features"))
    for row in DuplicatePair.objects.all():
        score = engine.compare(profiles[row.left], profiles[row.right], rarity)
        assert (row.score, row.band) == (score.value, score.band)
    after = {p.pk: (p.state, p.evidence_hash) for p in DuplicatePair.objects.filter(pk__in=before)}
    assert after == before and MatchDecision.objects.count() == decisions
    assert come > 0 and DuplicatePair.objects.filter(state="open").count() == open_before + come


def test_counting_anew_tells_what_it_flips_and_is_then_in_force(crowd, stan):
    for _ in range(3):
        judged.store(*(company(random.Random(11), name="Nordlicht Papier GmbH") for _ in range(60)))
    held = KeySnapshot.objects.count()
    models.refresh_counts(kind=kind(), by=stan)
    work()
    assert KeySnapshot.objects.count() == held + 1
    new = KeySnapshot.objects.first()
    old = indexing.snapshot(KeySnapshot.objects.all()[1].pk)
    assert (new.cause, new.report["before_total"], new.report["after_total"]) == ("asked", 100, 280)
    profiles = dict(MatchProfile.objects.values_list("uid", "features"))
    engine, flips = indexing.engine(SUPPLIER), 0
    for row in DuplicatePair.objects.all():
        bands = [
            engine.compare(profiles[row.left], profiles[row.right], r).band for r in (old, indexing.snapshot(new.pk))
        ]
        flips += bands[0] != bands[1]
    assert (new.report["flips"], new.report["pairs"]) == (flips, DuplicatePair.objects.count())


def test_what_counts_flip_is_told_before_they_are_in_force(crowd, stan, monkeypatch):
    held, seen = KeySnapshot.objects.get().pk, []
    real = snapshots.flips_between

    def told(*args):
        seen.append(indexing.StoredKeys(SUPPLIER).rarity is indexing.snapshot(held))
        return real(*args)

    monkeypatch.setattr(snapshots, "flips_between", told)
    models.refresh_counts(kind=kind(), by=stan)
    work()
    newest = KeySnapshot.objects.first()
    assert seen == [True] and newest.pk != held and newest.report["pairs"] == DuplicatePair.objects.count()


def test_counts_that_others_put_in_force_meanwhile_hold(crowd, monkeypatch):
    real = snapshots.flips_between

    def overtaken(*args):
        indexing.keep_snapshot(SUPPLIER, indexing.count(SUPPLIER), cause="grown")
        return real(*args)

    monkeypatch.setattr(snapshots, "flips_between", overtaken)
    assert snapshots.retake(type_key=SUPPLIER, cause="asked") is None
    assert [row.cause for row in KeySnapshot.objects.all()] == ["grown", "asked"], (
        "the one meanwhile, and the fixture's"
    )


def test_a_count_that_is_called_off_changes_nothing(crowd):
    assert snapshots.retake(type_key=SUPPLIER, cause="asked", beat=lambda *_: False) is None
    assert KeySnapshot.objects.count() == 1


def test_growth_is_noticed(crowd):
    match_work.notice()
    assert not match_jobs.waiting()
    judged.store(*(company(random.Random(n)) for n in range(150)))
    match_work.notice()
    work()
    newest = KeySnapshot.objects.first()
    assert (newest.cause, newest.total, newest.report["after_total"]) == ("grown", 250, 250)


def test_only_stewards_have_the_counts_taken_anew():
    with pytest.raises(NotAllowed):
        models.refresh_counts(kind=kind(), by=actor("ann", "auditor"))
    assert not MatchJob.objects.exists()
