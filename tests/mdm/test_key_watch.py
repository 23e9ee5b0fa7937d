"""Changes of keys are noticed whoever makes them, however long his transaction took, and nothing else is taken for one."""

from __future__ import annotations

from uuid import uuid4

import pytest
from django.db import connection, transaction
from django.utils import timezone

from mdm.models import Crosswalk, System
from mdm.selectors import key_watch
from mdm.selectors.key_watch import KeyLook
from tests import database
from tests.people import system

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def erp() -> System:
    made = system("erp")
    key("1", made)
    return made


def key(name: str, of: System) -> Crosswalk:
    return Crosswalk.objects.create(system=of, type="supplier", key=name, uid=uuid4(), since=timezone.now())


def look(since: KeyLook | None, of: str = "erp") -> tuple[KeyLook, bool]:
    with connection.cursor() as cursor:
        cursor.execute(key_watch.LOOK, key_watch.given(of, since))
        return key_watch.read(cursor.fetchone()[0], since)


def test_every_change_is_noticed_once(erp: System) -> None:
    now, changed = look(None)
    assert changed and look(now)[1] is False

    def noticed() -> bool:
        nonlocal now
        now, changed = look(now)
        again, more = look(now)
        assert not more
        now = again
        return changed

    assert not noticed()
    added = key("2", erp)
    assert noticed()
    for values in ({"active": False}, {"active": True}, {"uid": uuid4()}, {"primary": False}):
        Crosswalk.objects.filter(pk=added.pk).update(**values)
        assert noticed(), values
    key("1", system("other"))
    assert not noticed()


def test_a_transaction_that_began_before_and_ends_after_is_noticed(erp: System) -> None:
    with database.connect_as_owner() as other, other.transaction():
        other.execute("UPDATE mdm_crosswalk SET uid = gen_random_uuid() WHERE key = '1'")
        before, _ = look(None)
        key("2", erp)  # younger than the other one, and done before it
        with_young, changed = look(before)
        assert changed and look(with_young)[1] is False
    assert look(before)[1] and look(with_young)[1]
    after, _ = look(with_young)
    assert look(after)[1] is False


def test_what_is_taken_back_is_no_change(erp: System) -> None:
    now, _ = look(None)
    with pytest.raises(KeyError), transaction.atomic():
        key("2", erp)
        raise KeyError
    assert look(now)[1] is False


def test_another_database_is_a_change(erp: System) -> None:
    now, _ = look(None)
    assert look(now._replace(last=now.last + 1))[1] and look(now._replace(horizon=now.horizon + 1000))[1]
    assert look(now._replace(system=now.system + 1))[1]


def test_more_changes_than_are_looked_through_are_one(erp: System, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(key_watch, "_MOST", 3)
    now, _ = look(None)
    for name in "2345":
        key(name, erp)
    assert look(now)[1]
