"""Rebuilding beside an import, and twice at once: whatever the order, the record is what its sources say in the end."""

from __future__ import annotations

import threading
from datetime import timedelta
from typing import Any

import pytest
from django.db import connections
from django.utils import timezone

from mdm.models import ChangeRequest, Event, ImportJob, Pin, RecordVersion, SourceRecord
from mdm.services import loading, pin_upkeep, pins, rebuilding
from tests.mdm.test_importing import ACME, receive
from tests.mdm.test_survivorship import document, kind, mara, origin, row, two_sources

pytestmark = pytest.mark.django_db(transaction=True)


def at_once(*calls: Any) -> list[BaseException]:
    """Run them in threads with connections of their own, started together; what they raised."""
    barrier, failed = threading.Barrier(len(calls)), []

    def run(call: Any) -> None:
        try:
            barrier.wait()
            call()
        except BaseException as error:
            failed.append(error)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=run, args=(call,)) for call in calls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    return failed


def rebuild() -> None:
    rebuilding.rebuild(kind=kind(), uids=[document()["uid"]], by=mara(), reason="race")


@pytest.mark.database
@pytest.mark.parametrize("round_", range(4))
def test_a_rebuild_beside_an_import_ends_as_the_sources_say(round_):
    two_sources()
    job: ImportJob = receive(row(ACME.replace("Hauptstr. 5", f"Neue Str. {round_}"), "NET60"))
    assert at_once(lambda: loading.run(job.pk), rebuild, rebuild) == []
    job.refresh_from_db()
    assert job.state == "done"
    assert (document()["payment_terms"], document()["addresses"][0]["lines"]) == ("NET60", [f"Neue Str. {round_}"])
    assert origin("payment_terms")["system"] == "erp"
    versions = RecordVersion.objects.filter(uid=document()["uid"]).order_by("version")
    assert list(versions.values_list("version", flat=True)) == list(range(1, len(versions) + 1))
    assert len({version.hash for version in versions}) == len(versions)  # none was written for nothing
    before = document()
    rebuild()
    assert document() == before


@pytest.mark.database
def test_a_source_changed_once_is_written_once_by_many():
    two_sources()
    source = SourceRecord.objects.get(key="1")
    SourceRecord.objects.filter(pk=source.pk).update(document={**source.document, "website": "a.example"})
    version, events = document()["version"], Event.objects.count()
    assert at_once(rebuild, rebuild, rebuild) == []
    assert (document()["website"], document()["version"], Event.objects.count()) == (
        "a.example",
        version + 1,
        events + 1,
    )
    assert ChangeRequest.objects.filter(kind="sources").count() == 1


@pytest.mark.database
def test_a_pin_set_while_an_import_runs_holds_or_came_first():
    two_sources()
    job = receive(row(ACME, "NET60"))
    uid = document()["uid"]
    failed = at_once(
        lambda: loading.run(job.pk),
        lambda: pins.pin(kind=kind(), uid=uid, path="payment_terms", reason="x", by=mara()),
    )
    assert failed == []
    held = Pin.objects.get()
    assert document()["payment_terms"] == held.held["value"]
    assert origin("payment_terms")["rule"] == "pinned"


@pytest.mark.database
def test_an_ended_pin_is_dropped_once_by_many():
    two_sources()
    pins.pin(kind=kind(), uid=document()["uid"], path="payment_terms", reason="x", by=mara())
    Pin.objects.update(until=timezone.localdate() - timedelta(days=1))
    done: list[int] = []
    assert at_once(*[lambda: done.append(pin_upkeep.expire())] * 3) == []
    assert sorted(done) == [0, 0, 1] and not Pin.objects.exists()
