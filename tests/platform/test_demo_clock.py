"""While the demo is loaded it is as long ago as its story says, in Python and in PostgreSQL; afterwards it is now."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.utils import timezone

from mdm.demo import clock
from mdm.services import loading
from suppliers.models import Supplier
from tests.mdm.test_importing import ACME, receive
from tests.people import auto_approve

pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "owner"])


@pytest.fixture(autouse=True)
def present() -> Iterator[None]:
    clock.tell()
    yield
    clock.back()


def clocks() -> list[datetime]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT now(), statement_timestamp()")
        return [timezone.now(), *cursor.fetchone()]


def close(moments: list[datetime], wanted: datetime) -> bool:
    return all(abs(moment - wanted) < timedelta(seconds=20) for moment in moments)


def test_both_clocks_are_set_back_and_never_beyond_what_was_told() -> None:
    today = datetime.now(UTC).replace(hour=9, minute=30, second=0, microsecond=0)
    clock.at(10, 9, 30)
    assert close(clocks(), today - timedelta(days=10))
    clock.at(3, 9, 30)
    assert close(clocks(), today - timedelta(days=3))
    clock.at(8, 9, 30)  # would be a step back
    assert close(clocks(), today - timedelta(days=3))
    clock.back()
    assert close(clocks(), datetime.now(UTC))
    with connection.cursor() as cursor:
        cursor.execute("SELECT to_regnamespace('demo_clock')")
        assert cursor.fetchone() == (None,)


def test_a_load_that_was_killed_is_gone_on_with_an_hour_later_in_the_story() -> None:
    auto_approve("import")
    clock.at(20, 9)
    job = receive(ACME)
    assert loading.claim(job.pk) is not None  # whoever had it is killed now
    assert loading.run(job.pk) is None
    clock.at(20, 10)
    done = loading.run(job.pk)
    assert done is not None and (done.state, done.counts["in"]) == ("done", 1)
    assert Supplier.objects.get().updated_at < datetime.now(UTC) - timedelta(days=19)
