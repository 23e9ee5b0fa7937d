"""A look through all records: parts taken by many, left behind and taken again, with the same pairs in the end."""

from __future__ import annotations

import threading
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.db import connections
from django.utils import timezone

from mdm import registry
from mdm.demo.child import Child
from mdm.errors import NotNow
from mdm.matching import Engine
from mdm.models import DuplicatePair, KeySnapshot, MatchJob, MatchRun, MatchRunPart
from mdm.services import indexing, match_runs, match_work
from mdm.tasks import match_parts
from mdm.types import Actor
from tests.fixtures_processes import wait_for
from tests.mdm.judged import work
from tests.mdm.matching.configs import blind_index, supplier_config
from tests.mdm.matching.documents import supplier

engine = Engine(supplier_config(), hasher=blind_index)
BY = Actor.system("Test")
KIND = "supplier"


@pytest.fixture
def filled(monkeypatch: pytest.MonkeyPatch) -> None:
    """Thirty companies, each written twice, in parts of ten."""
    monkeypatch.setattr(match_runs, "PART", 10)
    monkeypatch.setattr(match_runs, "_BATCH", 4)
    batch = []
    for number in range(30):
        word = "".join(chr(97 + (number * k) % 26) for k in (3, 7, 11, 5, 9, 17))
        for twice in range(2):
            name = f"{word.title()} Pumps {'GmbH' if twice else ''}"
            features = engine.features(supplier(name, "DE", city="Berlin", phone=f"+49 30 55{number:05}"))
            batch.append((UUID(int=number * 2 + twice + 1), features))
    indexing.StoredKeys(KIND).add(batch)


def start() -> MatchRun:
    """Asked for, and what is rare counted for it."""
    run = match_runs.start(kind=registry.get(KIND), by=BY)
    work()
    run.refresh_from_db()
    return run


def pairs() -> set[tuple[str, str]]:
    return {(str(p.left), str(p.right)) for p in DuplicatePair.objects.all()}


def twins() -> set[tuple[str, str]]:
    return {(str(UUID(int=n * 2 + 1)), str(UUID(int=n * 2 + 2))) for n in range(30)}


@pytest.mark.django_db
def test_one_worker_goes_through_everything(filled: None) -> None:
    run = start()
    assert (run.state, run.parts.count(), match_runs.waiting()) == ("running", 6, 6)
    assert match_runs.work(worker=uuid4()) == 6
    run.refresh_from_db()
    far = match_runs.progress(run)
    assert (run.state, far.records, far.done, far.parts_done, far.found) == ("done", 60, 60, 6, len(pairs()))
    assert twins() <= pairs()
    again = start()
    match_runs.work(worker=uuid4())
    assert match_runs.progress(again).found == 0, "a second look finds nothing new"


@pytest.mark.django_db
def test_nobody_looks_before_it_is_told_what_the_counts_for_it_flip(filled: None) -> None:
    run = match_runs.start(kind=registry.get(KIND), by=BY)
    assert (run.snapshot, match_runs.waiting(), match_runs.work(worker=uuid4())) == (None, 0, 0)
    MatchJob.objects.all().delete()  # as if it had failed
    match_work.notice()
    work()
    run.refresh_from_db()
    assert run.snapshot and run.snapshot.cause == "look" and run.snapshot.report["flips"] == 0
    assert match_runs.waiting() == 6
    match_runs.work(worker=uuid4())
    again = start()
    assert again.snapshot and again.snapshot.report["pairs"] == len(pairs())


@pytest.mark.django_db
def test_a_part_left_behind_is_taken_by_another_when_its_lease_is_over(filled: None) -> None:
    run = start()
    lost = MatchRunPart.objects.filter(run=run).first()
    assert lost
    later = timezone.now() + timedelta(minutes=1)
    MatchRunPart.objects.filter(pk=lost.pk).update(worker=uuid4(), lease_until=later)
    assert match_runs.work(worker=uuid4()) == 5
    run.refresh_from_db()
    assert run.state == "running" and match_runs.waiting() == 0
    MatchRunPart.objects.filter(pk=lost.pk).update(lease_until=timezone.now() - timedelta(seconds=1))
    assert match_runs.work(worker=uuid4()) == 1
    run.refresh_from_db()
    assert run.state == "done" and twins() <= pairs()


@pytest.mark.django_db
def test_one_look_at_a_time_and_it_can_be_stopped(filled: None) -> None:
    run = start()
    with pytest.raises(NotNow, match="already"):
        start()
    assert MatchRun.objects.count() == KeySnapshot.objects.count() == 1, "the second click counted nothing anew either"
    match_runs.cancel(run=run, by=BY)
    assert match_runs.work(worker=uuid4()) == 0 and pairs() == set()
    assert start().state == "running"


@pytest.mark.django_db
def test_a_look_at_nothing_is_done_at_once() -> None:
    run = start()
    run.refresh_from_db()
    assert (run.state, match_runs.progress(run).records) == ("done", 0)


@pytest.mark.django_db(transaction=True)
def test_two_workers_at_once_find_what_one_finds(filled: None) -> None:
    run = start()
    took: list[int] = []
    failures: list[Any] = []

    def take() -> None:
        try:
            took.append(match_runs.work(worker=uuid4()))
        except Exception as error:
            failures.append(error)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=take) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    run.refresh_from_db()
    assert failures == [] and sum(took) == 6 and run.state == "done" and twins() <= pairs()


@pytest.mark.django_db(transaction=True)
def test_real_workers_share_the_parts_and_a_killed_one_is_made_good(filled: None, celery_worker_process: Child) -> None:
    run = start()
    for _ in range(2):  # the worker has two processes: each takes a turn
        match_parts.delay()
    wait_for(lambda: MatchRunPart.objects.filter(run=run).exclude(worker=None).exists(), celery_worker_process)
    celery_worker_process.kill()
    MatchRunPart.objects.filter(run=run, done=False).update(lease_until=timezone.now() - timedelta(seconds=1))
    celery_worker_process.start()
    for _ in range(2):
        match_parts.delay()
    wait_for(lambda: MatchRun.objects.filter(pk=run.pk, state="done").exists(), celery_worker_process)
    assert match_runs.progress(run).parts_done == 6 and match_runs.progress(run).done == 60
    assert twins() <= pairs()
