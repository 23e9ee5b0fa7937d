"""A push of several requests that fails at one of them: what was applied before is there, so it is read back and made good.

It is never called unsent: not superseded, not cancelled, not sent again unread. Against sandboxes, and against a target in
memory for what no sandbox can be made to do.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from mdm import ports
from mdm.models import Crosswalk
from mdm.selectors.records import current_document
from sync import platforms
from sync.models import Attempt, Delivery, ExceptionItem, Lane, OutcomeRule, Target
from sync.models.delivery import IN_PART
from sync.services import claims, deliver, exceptions, lanes
from tests.people import actor
from tests.sync import made_up, world
from tests.sync.made_up import Killed, Shown
from tests.sync.sandboxes import WRITES
from tests.sync.world import Side

pytestmark = pytest.mark.django_db(transaction=True)
PART = "Applied at least in part."
ACCOUNT = {
    "account_number": "0099887766",
    "bank_code": "37040044",
    "holder": "Nordlicht",
    "country": "DE",
    "currency": "EUR",
}


def line(uid: str) -> dict[str, Any]:
    (found,) = ports.collect(ports.delivery_status, "supplier", uid)
    return found


def states() -> list[str]:
    return list(Delivery.objects.order_by("seq").values_list("state", flat=True))


# --- at S/4HANA: a business partner, its address, its e-mail ----------------------------------------------------------


@pytest.fixture
def sap(sandbox):
    started = sandbox("s4hana")
    world.allow_everything()
    return world.target("s4hana", started.url), Side(started.control)


@pytest.fixture
def changed(sap):
    """A supplier that is there, and a second version of it to come."""
    uid = world.supplier()
    assert world.send_now() == {"posted": 1}
    document = current_document("supplier", uid)
    address, contact = document["addresses"][0], document["contacts"][0]
    change = {
        "legal_name": "Nordlicht Papier SE",
        "addresses": [{**address, "lines": ["Kai 7"], "city": "Bremen", "postal_code": "28195"}],
        "contacts": [{**contact, "email": "neu@nordlicht.example"}],
    }
    world.propose("supplier", change, uid=uid)
    return uid


@pytest.mark.parametrize("fault", ["429", "503"])
def test_throttled_at_the_second_write(sap, changed, fault):
    """The wait it asked for is kept, no attempt is burnt, and the next version does not take its place."""
    _, side = sap
    before = len(side.effects())
    side.fault(f"half_applied:{fault}", WRITES)
    assert world.send_now() == {"unknown": 1}
    second = Delivery.objects.get(seq=2)
    assert (second.effect, second.attempts, second.error_code) == (IN_PART, 0, "throttled")
    assert second.error_text.startswith(PART) and "Planned fault" in second.error_text
    assert Target.objects.get().not_before > timezone.now() and not world.send_now()
    assert Lane.objects.get().ambiguous_until is None, "the last request certainly did not arrive: nothing to wait for"
    assert len(side.effects()) == before + 1
    assert (line(changed)["state"], line(changed)["status"], line(changed)["version"]) == ("unknown", "retried", 1)
    assert line(changed)["message"].startswith(PART)

    world.propose("supplier", {"website": "https://neu.example"}, uid=changed)
    world.dispatch_now()
    assert states() == ["posted", "unknown", "pending"]
    assert lanes.cancel_unsent([second.lane_id], "Nobody wants it.") == 1
    assert states() == ["posted", "unknown", "cancelled"]
    world.send_until_settled()
    assert states() == ["posted", "posted", "cancelled"]
    assert Delivery.objects.get(seq=2).effect == "updated"
    assert_made_good(side, second)


def test_a_newer_version_waits_until_the_part_is_a_whole(sap, changed):
    _, side = sap
    side.fault("half_applied:429", WRITES)
    world.send_now()
    world.propose("supplier", {"legal_name": "Nordlicht Papier AG"}, uid=changed)
    world.send_until_settled()
    assert states() == ["posted", "posted", "posted"]
    assert list(Delivery.objects.order_by("seq").values_list("effect", flat=True)) == ["created", "updated", "updated"]
    (held,) = side.records().values()
    assert held["A_BusinessPartner.OrganizationBPName1"] == "Nordlicht Papier AG"
    assert "Bremen" in held.values()


@pytest.mark.parametrize("fault", ["reset_before", "redirect", "500", "status:412", "unauthorised"])
def test_whatever_the_second_write_fails_with_there_is_one_effect(sap, changed, fault):
    _, side = sap
    Target.objects.update(probe_every_s=0.1)
    side.fault(f"half_applied:{fault}", WRITES)
    assert set(world.send_now()) <= {"unknown", "posted"}  # signed out once, one signs in again and goes on
    assert Delivery.objects.get(seq=2).state in ("unknown", "posted")
    world.send_until_settled()
    assert states() == ["posted", "posted"]
    assert_made_good(side, Delivery.objects.get(seq=2))


def assert_made_good(side: Side, second: Delivery) -> None:
    (held,) = side.records().values()
    assert {"Nordlicht Papier SE", "Bremen", "neu@nordlicht.example"} <= set(map(str, held.values()))
    written = Counter(
        (one["method"], one["path"]) for one in side.effects() if one["idempotency_key"] == second.idempotency_key
    )
    assert len(written) == 3 and set(written.values()) == {1}, "each request of the push was applied once"


def test_refused_at_the_second_write(sap, changed):
    """A business exception in the platform's words; evidence, ledger and the record's status say that a part is there."""
    _, side = sap
    side.fault("half_applied:refuse", WRITES)
    assert world.send_now() == {"rejected": 1}
    second, item = Delivery.objects.get(seq=2), ExceptionItem.objects.get()
    assert second.effect == IN_PART and second.error_text == item.words
    assert item.words.startswith(PART) and "is not allowed" in item.words
    assert "is not allowed" in item.problems[0]["message"] and PART not in item.problems[0]["message"]
    result = Attempt.objects.filter(delivery=second).get().result
    assert result.message == item.words
    statuses = [said["status"] for said in result.exchanges if said["method"] == "PATCH"]
    assert len(statuses) == 2 and statuses[0] < 300 and statuses[1] == 400
    assert (line(changed)["state"], line(changed)["status"]) == (IN_PART, "failed")
    assert line(changed)["message"] == item.words and line(changed)["version"] == 1

    world.propose("supplier", {"legal_name": "Nordlicht Papier KG"}, uid=changed)
    world.send_until_settled()
    assert states() == ["posted", "rejected", "posted"]
    item.refresh_from_db()
    assert item.state == "corrected" and line(changed)["state"] == "in_sync"
    (held,) = side.records().values()
    assert {"Nordlicht Papier KG", "Bremen", "neu@nordlicht.example"} <= set(map(str, held.values()))


def test_an_exception_that_is_cancelled_still_says_what_is_there(sap, changed):
    _, side = sap
    side.fault("half_applied:refuse", WRITES)
    world.send_now()
    exceptions.cancel(ExceptionItem.objects.get(), reason="Not needed.", by=actor("mara", "steward"))
    assert states() == ["posted", "cancelled"]
    assert (line(changed)["state"], line(changed)["status"]) == (IN_PART, "failed")


def test_a_rule_that_has_a_refusal_tried_again_finds_the_part_first(sap, changed):
    _, side = sap
    OutcomeRule.objects.create(
        name="test", position=1, match="contains", pattern="is not allowed", category="technical", min_wait_s=60,
        max_wait_s=60,
    )  # fmt: skip
    side.fault("half_applied:refuse", WRITES)
    assert world.send_now() == {"unknown": 1}, "certainly not applied is said of the second request alone"
    assert Delivery.objects.get(seq=2).effect == IN_PART and not ExceptionItem.objects.exists()
    world.send_until_settled()
    assert states() == ["posted", "posted"]


# --- at Concur: a vendor, then its account ----------------------------------------------------------------------------


@pytest.fixture
def concur(sandbox):
    started = sandbox("concur")
    world.allow_everything()
    return world.target("concur", started.url), Side(started.control)


def test_made_and_then_refused_it_is_tied_to_its_record(concur):
    """Without its key nobody could block there what has been made."""
    _, side = concur
    uid = world.supplier(bank_accounts=[ACCOUNT])
    side.fault("half_applied:refuse", WRITES)
    assert world.send_now() == {"rejected": 1}
    (key,) = side.records()
    first = Delivery.objects.get()
    assert (first.effect, first.target_key, Lane.objects.get().target_key) == (IN_PART, key, key)
    link = Crosswalk.objects.get()
    assert (link.key, str(link.uid), link.active) == (key, uid, True)
    said = [(one["method"], one["status"]) for one in Attempt.objects.get().result.exchanges]
    assert ("POST", 200) in said and ("PUT", 400) in said, "the look for the key is not all that is kept"
    assert line(uid)["target_key"] == key and line(uid)["state"] == IN_PART

    world.propose("supplier", {}, uid=uid, action="block")
    assert world.send_now() == {"posted": 1}
    assert [one["Approved"] for one in side.records().values()] == ["N"]


def test_made_and_then_throttled_it_is_found_again(concur):
    _, side = concur
    uid = world.supplier(bank_accounts=[ACCOUNT])
    side.fault("half_applied:429", WRITES)
    assert world.send_now() == {"unknown": 1}
    Target.objects.update(not_before=None)  # Concur never asks for less than five seconds
    world.send_until_settled()
    assert [row["kind"] for row in side.effects()] == ["created", "updated"]
    assert (states(), Delivery.objects.get().verified, line(uid)["state"]) == (["posted"], True, "in_sync")


# --- in memory --------------------------------------------------------------------------------------------------------


@pytest.fixture
def there(monkeypatch) -> Shown:
    monkeypatch.setattr(platforms, "session", made_up.session)
    world.allow_everything()
    made = Shown()
    made_up.target(made, max_inflight_s=60, probe_every_s=0)
    return made


def work(there: Shown, way: str = "ok") -> str:
    """One claim and one try, at once: every wait is over, leases and quarantines too."""
    with connection.cursor() as cursor:
        cursor.execute("UPDATE sync_lane SET lease_until = now() - interval '1 second' WHERE lease_owner IS NOT NULL")
        cursor.execute("UPDATE sync_lane SET next_at = now(), ambiguous_until = NULL")
        cursor.execute("UPDATE sync_target SET not_before = NULL")
    (claimed,) = claims.claim(Target.objects.get(), claims.PROCESS)
    there.way = way
    try:
        return deliver.deliver(claimed, claims.PROCESS)
    except Killed:
        return "killed"
    finally:
        there.way = "ok"


def a_supplier() -> str:
    uid = world.supplier(tax_registrations=[])
    world.dispatch_now()
    return uid


def a_new_version(uid: str) -> None:
    world.propose("supplier", {"legal_name": "Nordlicht Papier SE", "website": "https://neu.example"}, uid=uid)
    world.dispatch_now()


@pytest.mark.parametrize("way", ["half_not_sent", "half_throttled", "half_stale", "half_unauthorised"])
def test_nothing_takes_the_place_of_a_part(there, way):
    uid = a_supplier()
    assert work(there, way) == "unknown"
    first = Delivery.objects.get()
    assert first.effect == IN_PART and first.error_text.startswith(PART)
    assert first.attempts == (0 if way in ("half_throttled", "half_unauthorised") else 1)
    a_new_version(uid)
    assert states() == ["unknown", "pending"]
    assert work(there) == "posted" and work(there) == "posted"
    (held,) = there.held.values()
    assert held["name"] == "Nordlicht Papier SE"
    assert [key for key, _ in there.applied] == [row.idempotency_key for row in Delivery.objects.order_by("seq")]


@pytest.mark.parametrize("later", ["throttled", "not_sent", "stale", "refused"])
def test_what_a_later_try_says_does_not_take_the_part_back(there, later):
    """The next push did nothing at all; what the one before did is there all the same."""
    uid = a_supplier()
    assert work(there, "half_throttled") == "unknown"
    assert work(there, later) == ("rejected" if later == "refused" else "unknown")
    assert Delivery.objects.get().effect == IN_PART and Delivery.objects.get().error_text.startswith(PART)
    a_new_version(uid)
    assert states() == ["rejected" if later == "refused" else "unknown", "pending"]


@pytest.mark.parametrize("later", ["throttled", "not_sent"])
def test_killed_between_two_writes_it_is_not_called_unsent_either(there, later):
    """Nobody counted what the dead process wrote: the target was read, and holds neither the old nor the new."""
    uid = a_supplier()
    assert work(there) == "posted"
    a_new_version(uid)
    assert work(there, "half_killed") == "killed"
    assert work(there, later) == "unknown"
    world.propose("supplier", {"legal_name": "Nordlicht Papier KG"}, uid=uid)
    world.dispatch_now()
    assert states() == ["posted", "unknown", "pending"]
    assert work(there) == "posted" and work(there) == "posted"
    assert states() == ["posted"] * 3


def test_refused_later_it_is_tied_all_the_same(there):
    uid = a_supplier()
    assert work(there, "half_killed") == "killed"
    assert work(there, "refused") == "rejected"
    assert (Crosswalk.objects.get().key, str(Crosswalk.objects.get().uid)) == ("K1", uid)


def test_a_connector_that_breaks_after_a_write_is_read_back_too(there):
    a_supplier()
    assert work(there, "half_broken") == "unknown"
    assert (Delivery.objects.get().effect, Delivery.objects.get().crashes) == (IN_PART, 1)
    assert work(there) == "posted"


def test_a_part_is_given_up_like_anything_else(there):
    a_supplier()
    Target.objects.update(max_attempts=2)
    assert work(there, "half_not_sent") == "unknown"
    assert work(there, "half_not_sent") == "failed"
    assert Delivery.objects.get().effect == IN_PART
    assert Delivery.objects.get().error_text.startswith(f"{PART} Given up after 2 attempts")
