"""Class B: a target that cannot be read but makes our key true once. After a lost answer the same push goes out again."""

from __future__ import annotations

import pytest
from django.db import connection

from mdm.errors import CorrectInput
from mdm.models import Crosswalk
from sync import errors, platforms
from sync.models import (
    Attempt,
    AttemptResult,
    Delivery,
    DriftRun,
    ExceptionItem,
    Lane,
    Target,
    TargetAlert,
    ValueMapRow,
)
from sync.services import claims, deliver, drift, targets
from tests.sync import made_up, world
from tests.sync.made_up import Deduping, Killed

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def there(monkeypatch) -> Deduping:
    monkeypatch.setattr(platforms, "session", made_up.session)
    world.allow_everything()
    made = Deduping()
    made_up.target(made, max_inflight_s=60)
    return made


def work(there: Deduping, way: str = "ok") -> str:
    """One claim and one try, at once: every wait but the quarantine is over, leases have run out."""
    with connection.cursor() as cursor:
        cursor.execute("UPDATE sync_lane SET lease_until = now() - interval '1 second' WHERE lease_owner IS NOT NULL")
        cursor.execute(
            "UPDATE sync_lane l SET next_at = now() WHERE EXISTS (SELECT 1 FROM sync_delivery d "
            "WHERE d.lane_id = l.id AND d.state IN ('unknown', 'retrying'))"
        )
        cursor.execute("UPDATE sync_target SET not_before = NULL")
    claimed = claims.claim(Target.objects.get(), claims.PROCESS)
    if not claimed:
        return "waits"
    there.way = way
    try:
        return deliver.deliver(claimed[0], claims.PROCESS)
    except Killed:
        return "killed"
    finally:
        there.way = "ok"


def a_supplier() -> str:
    uid = world.supplier()
    world.dispatch_now()
    return uid


def a_new_version(uid: str) -> None:
    world.propose("supplier", {"legal_name": "Nordlicht Papier SE"}, uid=uid)
    world.dispatch_now()


def states() -> list[str]:
    return list(Delivery.objects.order_by("seq").values_list("state", flat=True))


def names(there: Deduping) -> list[str]:
    return [held["name"] for held in there.held.values()]


@pytest.mark.parametrize("lost", ["lost_applied", "lost_not_applied", "lost_late", "killed"])
def test_a_lost_answer_is_followed_by_the_same_push_at_once(there, lost):
    """No read-back and no quarantine; one effect, however often it arrives."""
    uid = a_supplier()
    assert work(there, lost) in ("unknown", "killed")
    assert states() == ["unknown"] and Lane.objects.get().ambiguous_until is not None
    assert work(there) == "posted"
    there.arrive()
    delivery = Delivery.objects.get()
    assert there.applied == [(delivery.idempotency_key, "created")]
    assert (delivery.effect, delivery.verified, delivery.attempts) == ("created", False, 2)
    assert set(Attempt.objects.values_list("kind", flat=True)) == {"send"}
    assert Lane.objects.get().ambiguous_until is None
    assert Crosswalk.objects.get().key == uid


def test_a_newer_version_is_never_overtaken_by_an_older_one(there):
    uid = a_supplier()
    work(there, "lost_late")
    a_new_version(uid)
    assert states() == ["unknown", "pending"]
    assert work(there, "lost_not_applied") == "unknown"
    assert work(there) == "posted" and states() == ["posted", "pending"], "the doubt is ended first"
    assert work(there) == "posted"
    there.arrive()
    assert names(there) == ["Nordlicht Papier SE"]
    assert [key.rpartition(":")[2] for key, _ in there.applied] == ["1", "2"]


@pytest.mark.parametrize("way", ["throttled", "not_sent"])
def test_not_done_this_time_says_nothing_about_the_time_before(there, way):
    """It stays in doubt: were it put back in the queue, the next version could take its place before it arrives."""
    uid = a_supplier()
    work(there, "lost_late")
    assert work(there, way) == "unknown"
    a_new_version(uid)
    assert states() == ["unknown", "pending"]
    assert work(there) == "posted" and work(there) == "posted"
    there.arrive()
    assert names(there) == ["Nordlicht Papier SE"]


def test_refused_the_second_time_the_first_may_still_arrive(there):
    """The refusal is an answer, but what follows waits until the lost request cannot be applied any more."""
    uid = a_supplier()
    work(there, "lost_late")
    assert work(there, "refused") == "rejected"
    a_new_version(uid)
    assert work(there) == "waits"
    there.arrive()
    with connection.cursor() as cursor:
        cursor.execute("UPDATE sync_lane SET ambiguous_until = now(), next_at = now()")
    assert work(there) == "posted"
    assert names(there) == ["Nordlicht Papier SE"] and ExceptionItem.objects.get().state == "corrected"


def test_repeated_ever_less_often_and_given_up_in_the_end(there):
    a_supplier()
    Target.objects.update(max_attempts=4, retry_scale=1)
    assert [work(there, "lost_not_applied") for _ in range(3)] == ["unknown"] * 3
    with connection.cursor() as cursor:
        cursor.execute("SELECT extract(epoch FROM next_at - now()) FROM sync_lane")
        assert cursor.fetchone()[0] > 5, "a twentieth of the third step at least"
    assert work(there, "lost_not_applied") == "failed"
    assert TargetAlert.objects.get(code="dead_letters")


def test_a_payload_that_changed_between_the_tries_follows_under_a_key_of_its_own(there):
    """Nobody knows which form was taken: the first one is in doubt, so the present one comes last."""
    a_supplier()
    work(there, "lost_late")
    ValueMapRow.objects.create(target=Target.objects.get(), table="payment_terms", ours="NET30", theirs="30 days net")
    there.arrive()
    assert work(there) == "posted" and states() == ["posted", "pending"]
    assert next(iter(there.held.values()))["payment-term.code"] == "Net 30"
    assert work(there) == "posted"
    assert next(iter(there.held.values()))["payment-term.code"] == "30 days net"
    assert Delivery.objects.latest("seq").reason == "mapping_changed"


def test_a_subscriber_that_is_gone_pauses_the_target(there, monkeypatch):
    a_supplier()

    def gone(push):
        raise errors.Gone("The subscriber answered 410.")

    monkeypatch.setattr(there, "push", gone)
    assert work(there) == "pending"
    target, alert = Target.objects.get(), TargetAlert.objects.get()
    assert target.paused_at is not None and "410" in target.pause_reason
    assert (alert.code, alert.closed_at) == ("gone", None)
    assert Delivery.objects.get().attempts == 0 and work(there) == "waits"
    targets.resume(target, by=world.ROBOT)
    assert TargetAlert.objects.get().closed_at is not None


def test_an_acknowledgement_that_takes_its_time_is_waited_for(there, monkeypatch):
    """Taken but not answered: in doubt, nothing counted, and the next version waits."""
    uid = a_supplier()
    sent = there.push

    def unanswered(push):
        sent(push)
        raise errors.Unanswered("Not acknowledged yet.", retry_after=30)

    monkeypatch.setattr(there, "push", unanswered)
    assert [work(there), work(there)] == ["unknown", "unknown"]
    a_new_version(uid)
    delivery = Delivery.objects.order_by("seq").first()
    assert (delivery.attempts, delivery.error_text) == (0, "Not acknowledged yet.")
    assert not AttemptResult.objects.filter(technical_failure=True).exists()
    monkeypatch.setattr(there, "push", sent)
    assert work(there) == "posted" and work(there) == "posted"
    assert len(there.applied) == 2 and names(there) == ["Nordlicht Papier SE"]


def test_what_cannot_be_read_has_no_drift(there, monkeypatch):
    a_supplier()
    work(there)
    monkeypatch.setattr(platforms, "readable", lambda name: False)
    with pytest.raises(CorrectInput, match="cannot be asked what it holds"):
        drift.request(Target.objects.get(), by=world.ROBOT)
    assert not DriftRun.objects.exists()
