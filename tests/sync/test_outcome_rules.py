"""What a platform's words mean: rules as rows, applied where an outcome is recorded, with owners, limits and waits."""

from __future__ import annotations

import re
import time
from datetime import timedelta

import pytest
from django.db import IntegrityError
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from mdm.models import ChangeRequest
from sync import patterns
from sync.models import Delivery, ExceptionItem, ExceptionOwner, Lane, OutcomeRule, Target, TargetAlert
from sync.services import correcting, exceptions, freezing, lanes, outcomes
from tests.people import actor, person
from tests.sync import world
from tests.sync.world import ROBOT, Side

pytestmark = pytest.mark.django_db(transaction=True)
REFUSED = "POST /api/suppliers"


@pytest.fixture
def coupa(sandbox):
    started = sandbox("coupa")
    world.allow_everything()
    return world.target("coupa", started.url), Side(started.control)


def rule(**values) -> OutcomeRule:
    given_ = {"name": "Test", "position": 1, "match": "contains", "pattern": "is not allowed", "max_wait_s": 30}
    return OutcomeRule.objects.create(**{**given_, **values})


def refused(side: Side, times: int = 1, **different) -> str:
    side.fault("refuse", REFUSED, times)
    return world.supplier(**different)


# --- patterns -----------------------------------------------------------------------------------------------------

WORDS = st.text(alphabet="ab *\n", max_size=12)


@given(pattern=WORDS, said=WORDS)
def test_a_star_stands_for_anything_and_nothing_else_is_special(pattern, said):
    def plain(text):
        return " ".join(text.split())

    if not plain(pattern).strip("*"):
        assert not patterns.fits("like", pattern, code="", words=said)
        return
    model = ".*".join(re.escape(piece) for piece in plain(pattern).split("*"))
    assert patterns.fits("like", pattern, code="", words=said) == bool(re.fullmatch(model, plain(said)))


@pytest.mark.parametrize("special", [".", "(a+)+$", "[a", "\\", "^a"])
def test_no_pattern_is_a_regular_expression(special):
    assert not patterns.fits("contains", special, code="", words="aaaa")
    assert patterns.fits("contains", special, code="", words=f"x {special.upper()} y")


def test_no_pattern_takes_long():
    """The shape that makes an expression of the same meaning take for ever."""
    hard, said = "*a" * patterns.STARS + "b", "a" * 100_000
    begun = time.process_time()
    for _ in range(100):
        assert not patterns.fits("like", hard, code="", words=said)
    assert time.process_time() - begun < 2


# --- what a rule does ---------------------------------------------------------------------------------------------


def test_without_a_rule_a_refusal_is_for_a_steward(coupa):
    _, side = coupa
    refused(side)
    assert world.send_now() == {"rejected": 1}
    item = ExceptionItem.objects.get()
    assert (item.rule, item.owner_role) == (None, "steward")
    assert timedelta(hours=23) < item.due_at - timezone.now() <= timedelta(hours=24)


def test_what_heals_by_itself_is_tried_again_and_nobody_hears_of_it(coupa):
    _, side = coupa
    rule(category="self_healing", tries=3, min_wait_s=100, max_wait_s=100)
    refused(side, 2)
    assert world.send_now() == {"retrying": 1}
    assert not ExceptionItem.objects.exists()
    assert world.send_until_settled()["posted"] == 1
    delivery = Delivery.objects.get()
    assert (delivery.attempts, len(side.records())) == (3, 1)
    assert not ExceptionItem.objects.exists() and not TargetAlert.objects.exists()


def test_what_does_not_heal_is_given_to_a_steward_after_so_many_attempts(coupa):
    _, side = coupa
    made = rule(category="self_healing", tries=3, min_wait_s=1, max_wait_s=1, hint="Ask who has it open.")
    refused(side, 9)
    assert world.send_until_settled()["rejected"] == 1
    delivery, item = Delivery.objects.get(), ExceptionItem.objects.get()
    assert delivery.attempts == 3 and item.words.startswith("Given up after 3 attempts: ")
    assert item.rule == made and item.problems[0]["message"] in item.words


def test_waits_grow_between_the_bounds():
    for attempts in (1, 2, 3, 10, 1000):
        waits = [outcomes.growing(attempts, 10, 60) for _ in range(200)]
        assert min(waits) >= 10 and max(waits) <= min(60, 10 * 2**attempts)


def test_what_is_technical_is_an_alert_and_no_exception(coupa):
    target, side = coupa
    rule(name="Right missing", category="technical", min_wait_s=200, max_wait_s=200, hint="Ask its administrator.")
    for number in range(3):
        refused(side, 1, legal_name=f"Nein {number} GmbH", tax_registrations=[])
    assert world.send_now() == {"retrying": 3}
    alert = TargetAlert.objects.get()
    assert (alert.code, alert.detail["hint"]) == ("right-missing", "Ask its administrator.")
    assert not ExceptionItem.objects.exists()
    assert world.send_until_settled()["posted"] == 3


def test_a_technical_one_ends_as_a_dead_letter(coupa):
    target, side = coupa
    rule(category="technical", tries=2, min_wait_s=1, max_wait_s=1)
    refused(side, 9)
    assert world.send_until_settled()["failed"] == 1
    assert sorted(TargetAlert.objects.values_list("code", flat=True)) == ["dead_letters", "test"]
    assert Delivery.objects.get().attempts == 2 and not ExceptionItem.objects.exists()


def test_what_looks_technical_can_be_for_a_steward(coupa):
    """Only what certainly changed nothing there: a lost answer is never decided by words."""
    target, side = coupa
    rule(name="By code", match="code", pattern="NOT_SENT", category="business")
    rule(name="By words", pattern="internal error", category="business")
    world.supplier()
    side.fault("500", REFUSED)
    assert world.send_now() == {"unknown": 1}
    world.send_until_settled()
    world.supplier(legal_name="Anders GmbH", tax_registrations=[])
    side.fault("500", "GET /api/suppliers")
    assert world.send_now() == {"rejected": 1}
    assert ExceptionItem.objects.get().rule.name == "By code"


def test_a_value_without_counterpart_that_was_never_sent_counts_as_an_attempt(coupa):
    rule(
        name="Unmapped", match="code", pattern="unmapped", category="self_healing", tries=2, min_wait_s=1, max_wait_s=1
    )
    world.propose("payment_term", {"code": "NET37", "name": "Odd", "net_days": 37})
    world.supplier(payment_terms="NET37")
    assert world.send_until_settled()["rejected"] == 1
    assert (Delivery.objects.get().attempts, ExceptionItem.objects.get().table) == (2, "payment_terms")


def test_the_first_rule_that_fits_decides(coupa):
    target, side = coupa
    elsewhere = world.target("s4hana", "http://127.0.0.1:9")
    rule(name="Off", active=False, position=0)
    rule(name="Other target", target=elsewhere, position=1)
    rule(name="Other type", type="legal_entity", position=2)
    rule(name="Other words", pattern="may not be", position=3)
    rule(
        name="This one", target=target, type="supplier", match="like", pattern="planned fault:*not allowed.", position=4
    )
    rule(name="Too late", position=5)
    refused(side)
    world.send_now()
    assert ExceptionItem.objects.get().rule.name == "This one"


def test_shipped_rules_know_a_locked_object():
    known = OutcomeRule.objects.filter(active=True)
    for words in (
        "Object locked by USER1",
        "Business partner 17 is locked",
        "Order 4 locked by MILLERJ",
        "Record has been changed since you retrieved it",
    ):
        found = next(one for one in known if patterns.fits(one.match, one.pattern, code="", words=words))
        assert (found.category, found.tries > 0) == ("self_healing", True), words
    for words in ("The name is not allowed.", "The supplier is blocked by the purchasing organisation."):
        assert not [one for one in known if patterns.fits(one.match, one.pattern, code="x", words=words)]


def test_limits_are_kept_by_the_database(db):
    for wrong in ({"tries": 51}, {"min_wait_s": 60, "max_wait_s": 30}, {"category": "self_healing", "tries": 0}):
        with pytest.raises(IntegrityError):
            rule(**wrong)


# --- who looks after it -------------------------------------------------------------------------------------------


def test_the_most_particular_owner_holds(coupa):
    target, side = coupa
    world.propose("legal_entity", {"code": "NH10", "name": "NH10", "country": "DE", "currency": "EUR"})
    named = rule(category="business")
    owners = {
        "type": ExceptionOwner.objects.create(type="supplier", role="lead_steward", sla_hours=8),
        "company": ExceptionOwner.objects.create(legal_entity="NH10", role="operator"),
        "rule": ExceptionOwner.objects.create(rule=named, person=person("petra", "steward"), sla_hours=1),
    }
    assert correcting.owner_of(None, "payment_term", []).role == "steward"
    assert correcting.owner_of(None, "supplier", ["NH20"]) == owners["type"]
    assert correcting.owner_of(None, "supplier", ["NH20", "NH10"]) == owners["company"]
    refused(side, extensions=[{"legal_entity": "NH10"}])
    world.send_now()
    item = ExceptionItem.objects.get()
    assert (item.assignee.username, item.owner_role) == ("petra", "") and item.due_at < timezone.now() + timedelta(
        hours=1
    )
    assert Lane.objects.get().entities == ["NH10"]
    owners["rule"].delete()
    other = refused(side, legal_name="Anders GmbH", tax_registrations=[], extensions=[{"legal_entity": "NH10"}])
    world.send_now()
    item = ExceptionItem.objects.get(record=other)
    assert (item.assignee, item.owner_role, item.due_at) == (None, "operator", None)


# --- corrected ----------------------------------------------------------------------------------------------------


def test_an_exception_closes_when_the_correction_arrived_and_both_ends_know(coupa):
    _, side = coupa
    uid = refused(side)
    world.send_now()
    item = ExceptionItem.objects.get()
    world.propose("supplier", {"legal_name": "Nordlicht Papier KG"}, uid=uid)
    world.dispatch_now()
    item.refresh_from_db()
    assert (item.state, item.closed_at) == ("retrying", None), "it is not delivered yet"
    world.send_now()
    item.refresh_from_db()
    later = Delivery.objects.latest("pk")
    assert (item.state, item.delivery.corrected_by) == ("corrected", later) and item.closed_at
    assert list(later.corrects.all()) == [item.delivery]
    assert later.event.change == ChangeRequest.objects.latest("pk")


def test_a_correction_that_is_overtaken_is_corrected_by_what_arrived(coupa):
    _, side = coupa
    uid = refused(side)
    world.send_now()
    for name in ("Nordlicht 1", "Nordlicht 2"):
        world.propose("supplier", {"legal_name": name}, uid=uid)
        world.dispatch_now()
    assert world.send_now() == {"posted": 1}
    item = ExceptionItem.objects.get()
    assert (item.state, item.delivery.corrected_by.version) == ("corrected", 3)


def test_refused_again_goes_on_under_the_same_clock(coupa):
    _, side = coupa
    uid = refused(side)
    world.send_now()
    first = ExceptionItem.objects.get()
    exceptions.assign(first, user=person("mara", "steward"), by=ROBOT)
    due = timezone.now() - timedelta(hours=2)
    ExceptionItem.objects.update(due_at=due)
    side.fault("refuse", REFUSED)
    world.propose("supplier", {"legal_name": "Nordlicht Papier KG"}, uid=uid)
    assert world.send_now() == {"rejected": 1}
    first.refresh_from_db()
    second = ExceptionItem.objects.get(state="open")
    assert (first.state, second.follows) == ("repeated", first)
    assert (second.assignee.username, second.due_at, second.owner_role) == ("mara", due, "steward")
    exceptions.retry(second, by=ROBOT)
    assert world.send_now() == {"posted": 1}
    assert sorted(ExceptionItem.objects.values_list("state", flat=True)) == ["corrected", "repeated"]


def test_a_correction_that_failed_leaves_it_open(coupa):
    target, side = coupa
    Target.objects.update(max_attempts=1)
    uid = refused(side)
    world.send_now()
    side.fault("500", "GET /api/suppliers")
    world.propose("supplier", {"legal_name": "Nordlicht Papier KG"}, uid=uid)
    assert world.send_now() == {"failed": 1}
    assert ExceptionItem.objects.get().state == "open"


def test_a_correction_that_was_called_off_leaves_it_open(coupa):
    _, side = coupa
    uid = refused(side)
    world.send_now()
    world.propose("supplier", {"legal_name": "Nordlicht Papier KG"}, uid=uid)
    world.dispatch_now()
    assert correcting.reconcile() == 0, "it waits"
    lanes.cancel_unsent([Lane.objects.get().pk], "Merged meanwhile.")
    assert correcting.reconcile() == 1
    assert ExceptionItem.objects.get().state == "open"


def test_a_correction_waits_for_the_thaw_like_everything(coupa):
    target, side = coupa
    uid = refused(side)
    world.send_now()
    soon = timezone.now() + timedelta(hours=1)
    window = freezing.open_window(target, starts_at=None, ends_at=soon, reason="Close", by=ROBOT)
    type(window).objects.update(starts_at=timezone.now())
    world.propose("supplier", {"legal_name": "Nordlicht Papier KG"}, uid=uid)
    world.dispatch_now()
    freezing.keep()
    assert not world.send_now() and correcting.reconcile() == 0
    assert ExceptionItem.objects.get().state == "retrying"
    freezing.lift(window, reason="Over", by=actor("greta", "governance"))
    freezing.keep()
    assert world.send_now() == {"posted": 1} and ExceptionItem.objects.get().state == "corrected"
