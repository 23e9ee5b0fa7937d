"""Celery tasks of the kernel. They carry ids only; the work and its state are in PostgreSQL, so a lost one costs time."""

from __future__ import annotations

from celery import shared_task

from mdm.services import background, loading, match_work


@shared_task(name="mdm.tasks.run_import")
def run_import(job_id: int) -> None:
    """Work one import; a second start while another process works on it does nothing."""
    loading.run(job_id)


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
    for job_id in match_work.waiting():
        run_match_job.delay(job_id)
