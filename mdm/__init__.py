"""The project and its kernel: golden records, change requests, approval, matching, events. Knows no record type by name."""

from mdm.celery import app as celery_app

__all__ = ["celery_app"]
