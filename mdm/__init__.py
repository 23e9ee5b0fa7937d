"""The project and its kernel: golden records, change requests, approval, matching, events. Knows no record type by name."""

import gc

gc.set_threshold(100_000, 20, 50)  # before what makes the objects of a start: looking through them takes a fifth of it

from mdm.celery import app as celery_app  # noqa: E402

__all__ = ["celery_app"]
