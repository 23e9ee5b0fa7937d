"""Celery tasks of the kernel. They carry ids only; the work and its state are in PostgreSQL, so a lost one costs time."""

from __future__ import annotations

import uuid
from datetime import timedelta

from celery import shared_task
from django.conf import settings
from django.utils import timezone

from mdm.models import PendingComparison
from mdm.services import background, comparisons, loading, match_runs, match_work, rule_changes

_TURN = timedelta(seconds=30)  # then imports and deliveries that wait for this worker have their turn


@shared_task(name="mdm.tasks.run_import")
def run_import(job_id: int) -> None:
    """Work one import; a second start while another process works on it does nothing."""
    loading.run(job_id)


@shared_task(name="mdm.tasks.match_parts")
def match_parts() -> None:
    """Take parts of a look through all records for a while; another process may do the same beside."""
    match_runs.work(worker=uuid.uuid4(), until=timezone.now() + _TURN)


@shared_task(name="mdm.tasks.compare_pending")
def compare_pending() -> None:
    """Compare what was written and waits for it; another process may do the same beside."""
    until = timezone.now() + _TURN
    while comparisons.work_off() and timezone.now() < until:
        pass


@shared_task(name="mdm.tasks.run_rule_change")
def run_rule_change(pk: int) -> None:
    """Rehearse or apply one change of survivorship rules; a second start meanwhile does nothing."""
    rule_changes.run(pk)


@shared_task(name="mdm.tasks.run_match_job")
def run_match_job(job_id: int) -> None:
    """Train, rehearse, score anew or count; a second start while another process works on it does nothing."""
    match_work.run(job_id)


@shared_task(name="mdm.tasks.tick")
def tick() -> None:
    """Every few seconds: what is due and what was left behind."""
    background.tick()
    for job_id in background.waiting_imports():
        run_import.delay(job_id)
    if PendingComparison.objects.exists():
        compare_pending.delay()
    for _ in range(min(match_runs.waiting(), settings.MATCH_WORKERS)):
        match_parts.delay()
    for pk in rule_changes.waiting():
        run_rule_change.delay(pk)
    for job_id in match_work.waiting():
        run_match_job.delay(job_id)
