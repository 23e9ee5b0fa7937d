"""Drift: what a target really holds against what it should hold, and what people decide about it."""

from __future__ import annotations

import json
import random
from datetime import date, timedelta

import pytest
from django.contrib.auth.models import Group, User
from django.utils import timezone

from mdm.errors import CorrectInput, NotNow
from mdm.models import ChangeRequest, Crosswalk
from mdm.permissions import actor_of
from mdm.selectors.records import current_document
from mdm.services import crosswalks
from sync import platforms
from sync.errors import Throttled
from sync.models import Delivery, DriftFinding, DriftObservation, DriftRun, Lane
from sync.services import drift, lanes, resolving
from tests.sync import world
from tests.sync.world import ROBOT, Side

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def coupa(sandbox):
    started = sandbox("coupa")
    world.allow_everything()
    return world.target("coupa", started.url), Side(started.control)


def look(target, **scope) -> DriftRun:
    run = drift.run(drift.request(target, by=ROBOT, **scope).uid)
    assert run.state == "done", run.error
    return run


def live() -> list[tuple[str, str, str]]:
    rows = DriftFinding.objects.filter(state="open").order_by("pk")
    return list(rows.values_list("kind", "field", "cause"))


def the_key() -> str:
    return Crosswalk.objects.get().key


def test_what_was_pushed_is_clean_and_costs_only_a_digest_the_second_time(coupa, monkeypatch):
    target, _ = coupa
    world.supplier()
    world.send_now()
    first = look(target)
    assert (first.counts["scanned"], first.counts["compared"], live()) == (1, 1, [])
    monkeypatch.setattr("sync.mapping.Mapping.compare", lambda *_, **__: pytest.fail("compared"))
    again = look(target)
    assert (again.counts["scanned"], again.counts["unchanged"]) == (1, 1)
    assert again.report_hash == first.report_hash and again.timings["total_seconds"] >= 0


def test_a_value_changed_there_is_found_pushed_and_gone(coupa):
    target, side = coupa
    world.supplier()
    world.send_now()
    side.mutate(the_key(), "name", "Somebody Else Ltd")
    look(target)
    assert live() == [("different", "name", "changed_in_target")]
    finding = DriftFinding.objects.get()
    assert (finding.golden, finding.target_value, finding.path) == (
        "Nordlicht Papier GmbH",
        "Somebody Else Ltd",
        "legal_name",
    )
    resolving.push([finding], by=ROBOT)
    assert world.send_now() == {"posted": 1}
    delivery = Delivery.objects.latest("pk")
    assert (delivery.reason, delivery.seq, delivery.version) == ("drift_repair", 2, 1)
    assert side.records()[the_key()]["name"] == "Nordlicht Papier GmbH"

    (waiting,) = drift.waiting()
    assert drift.run(waiting).state == "done", "a repair is looked at again by itself"
    finding.refresh_from_db()
    assert finding.state == "resolved" and finding.resolved_at and live() == []


def test_a_finding_keeps_its_first_day_and_is_one_row(coupa):
    target, side = coupa
    world.supplier()
    world.send_now()
    side.mutate(the_key(), "name", "Somebody Else Ltd")
    first = look(target)
    side.mutate(the_key(), "name", "Somebody Else Plc")
    second = look(target)
    finding = DriftFinding.objects.get()
    assert (finding.first_run, finding.last_run, finding.target_value) == (first, second, "Somebody Else Plc")
    side.mutate(the_key(), "name", "Nordlicht Papier GmbH")
    look(target)
    assert DriftFinding.objects.get().state == "resolved"


def test_adopting_becomes_a_change_request_with_the_value_of_the_target(coupa):
    target, side = coupa
    uid = world.supplier()
    world.send_now()
    side.mutate(the_key(), "primary-address.city", "Kiel")
    look(target)
    (request,) = resolving.adopt(list(DriftFinding.objects.all()), by=ROBOT)
    assert (request.origin, request.state) == ("drift", "applied")  # by the test's own policy
    assert current_document("supplier", uid)["addresses"][0]["city"] == "Kiel"
    world.send_now()
    look(target)
    assert live() == [] and ChangeRequest.objects.filter(origin="drift").count() == 1


def test_ignored_until_a_day(coupa):
    target, side = coupa
    world.supplier()
    world.send_now()
    side.mutate(the_key(), "name", "Somebody Else Ltd")
    look(target)
    finding = DriftFinding.objects.get()
    with pytest.raises(CorrectInput):
        resolving.ignore([finding], reason=" ", by=ROBOT)
    resolving.ignore([finding], reason="agreed", until=timezone.now().date() + timedelta(days=1), by=ROBOT)
    look(target)
    assert live() == []
    DriftFinding.objects.update(ignored_until=date(2020, 1, 1))
    look(target)
    assert live() == [("different", "name", "changed_in_target")]


def test_missing_extra_and_never_pushed(coupa, sandbox):
    target, side = coupa
    uid = world.supplier()
    world.send_now()
    key = the_key()
    Crosswalk.objects.all().update(key="NOT-THERE", since=timezone.now() - timedelta(hours=1))
    world.supplier(legal_name="Nie Gesendet GmbH", tax_registrations=[])
    world.dispatch_now()
    lanes.cancel_unsent(Lane.objects.filter(open=True).values_list("pk", flat=True), "test")
    run = look(target)
    found = {(row.kind, row.target_key, row.cause, str(row.record)) for row in DriftFinding.objects.all()}
    assert ("extra", key, "not_ours", "None") in found
    assert ("missing", "NOT-THERE", "changed_in_target", uid) in found
    assert ("missing", "", "never_pushed") in {row[:3] for row in found}
    assert (run.counts["missing"], run.counts["extra"]) == (2, 1)
    with pytest.raises(NotNow, match="Nobody's record"):
        resolving.push(list(DriftFinding.objects.filter(kind="extra")), by=ROBOT)
    Crosswalk.objects.all().update(key=key)
    look(target)
    assert {row.kind for row in DriftFinding.objects.filter(state="open")} == {"missing"}


def test_a_record_deleted_there_is_made_again_by_the_repair(coupa):
    target, side = coupa
    world.supplier()
    world.send_now()
    gone = the_key()
    Crosswalk.objects.update(since=timezone.now() - timedelta(hours=1))
    side._call("POST", "reset")
    look(target)
    assert live() == [("missing", "", "changed_in_target")]
    resolving.push(list(DriftFinding.objects.all()), by=ROBOT)
    assert world.send_now() == {"posted": 1}
    assert Crosswalk.objects.get(active=True).key in side.records()
    assert Delivery.objects.latest("pk").effect == "created"
    for uid in drift.waiting():
        drift.run(uid)
    assert live() == [], gone


def test_a_second_key_that_is_not_blocked_there(coupa):
    target, side = coupa
    uid = world.supplier()
    other = world.supplier(legal_name="Nordlicht Papier Doppel", tax_registrations=[])
    world.send_now()
    second = Crosswalk.objects.get(uid=other).key
    crosswalks.link(system=target.system, type="supplier", key=second, uid=uid, primary=False, move=True)
    look(target)
    finding = DriftFinding.objects.get(kind="duplicate_key")
    assert (finding.target_key, finding.cause) == (second, "several_keys")
    resolving.push([finding], by=ROBOT)
    assert world.send_now()["posted"] == 1
    assert side.records()[second]["status"] == "inactive"


def test_a_value_without_counterpart_is_a_mapping_gap(coupa):
    target, _ = coupa
    uid = world.supplier()
    world.send_now()
    world.propose("payment_term", {"code": "NET37", "name": "Odd", "net_days": 37})
    world.propose("supplier", {"payment_terms": "NET37"}, uid=uid)
    world.send_now()
    look(target)
    assert live() == [("unmapped", "payment_terms", "mapping_gap")]


def test_one_record_only(coupa):
    target, side = coupa
    uid = world.supplier()
    world.supplier(legal_name="Anders GmbH", tax_registrations=[])
    world.send_now()
    for key in side.records():
        side.mutate(key, "website", "https://changed.example")
    run = look(target, type="supplier", record=uid)
    assert run.counts["scanned"] == 1
    assert [str(row.record) for row in DriftFinding.objects.all()] == [uid]


def test_a_killed_run_goes_on_where_it_was(coupa, monkeypatch):
    target, _ = coupa
    monkeypatch.setattr(drift, "CHUNK", 2)
    for number in range(6):
        world.supplier(legal_name=f"Lauf {number} GmbH", tax_registrations=[])
    world.send_now()
    run = drift.request(target, by=ROBOT)
    real, calls = drift.comparing.compare, []

    def die_in_the_third_batch(scope, chunk):
        calls.append(len(chunk))
        if len(calls) == 3:
            raise KeyboardInterrupt
        return real(scope, chunk)

    monkeypatch.setattr(drift.comparing, "compare", die_in_the_third_batch)
    with pytest.raises(KeyboardInterrupt):
        drift.run(run.uid)
    assert DriftObservation.objects.filter(run=run).count() == 4
    assert drift.run(run.uid).state == "running", "its lease is not over"
    DriftRun.objects.update(lease_until=timezone.now() - timedelta(seconds=1))
    assert drift.waiting() == [run.uid]
    monkeypatch.setattr(drift.comparing, "compare", real)
    done = drift.run(run.uid)
    assert (done.state, done.counts["scanned"], done.restarts) == ("done", 6, 1)


def test_a_target_that_asks_for_time_is_scanned_to_the_end(coupa, monkeypatch):
    target, _ = coupa
    for number in range(3):
        world.supplier(legal_name=f"Warte {number} GmbH", tax_registrations=[])
    world.send_now()
    kind = platforms.connector_class("coupa")
    real, interrupted = kind.scan, []

    def scan(self, type, changed_since=None):
        for number, remote in enumerate(real(self, type, changed_since)):
            if number == 1 and not interrupted:
                interrupted.append(True)
                raise Throttled("later", retry_after=0.1)
            yield remote

    monkeypatch.setattr(kind, "scan", scan)
    run = look(target)
    assert interrupted and run.counts["scanned"] == 3


def test_random_changes_in_the_raw_store(coupa):
    """Mapped fields are found, all of them and nothing else; derived and unmapped ones are not findings."""
    target, side = coupa
    chance = random.Random(11)
    for number in range(8):
        world.supplier(legal_name=f"Zufall {number} GmbH", tax_registrations=[], website=f"https://z{number}.example")
    world.send_now()
    look(target)
    assert live() == []
    mapped = ["name", "website", "primary-address.city", "primary-address.postal-code", "payment-term.code"]
    derived = ["created-at", "payment-term.days-for-net-payment", "primary-address.country.name"]
    unmapped = ["enterprise-code", "commodity.name"]
    expected = set()
    for key in side.records():
        for field in chance.sample(mapped, 2):
            value = "Net 60" if field == "payment-term.code" else f"changed {chance.random()}"
            side.mutate(key, field, value)
            expected.add((key, field))
        side.mutate(key, chance.choice(derived), "2001-01-01T00:00:00Z")
        side.mutate(key, chance.choice(unmapped), "whatever")
    look(target)
    found = {(row.target_key, row.field) for row in DriftFinding.objects.filter(state="open")}
    assert found == expected
    resolving.push(list(DriftFinding.objects.filter(state="open")), by=ROBOT)
    world.send_until_settled()
    look(target)
    assert live() == []


def test_spelling_is_no_difference(coupa):
    target, side = coupa
    world.supplier(tax_registrations=[{"country": "DE", "scheme": "VAT", "number": "DE 136 695 976"}])
    world.send_now()
    side.mutate(the_key(), "tax-id", "de136695976")
    side.mutate(the_key(), "name", "Nordlicht  Papier GmbH ")
    look(target)
    assert live() == []


def test_bank_numbers_are_sealed_in_findings(sandbox):
    started = sandbox("s4hana")
    world.allow_everything()
    target, side = world.target("s4hana", started.url), Side(started.control)
    world.supplier(bank_accounts=[{"iban": "DE89370400440532013000", "country": "DE", "holder": "Nordlicht"}])
    world.send_until_settled()
    key = the_key()
    field = next(name for name in side.records()[key] if name.endswith(".IBAN"))
    side.mutate(key, field, "DE02120300000000202051")
    look(target)
    finding = DriftFinding.objects.get(field__endswith=".IBAN")
    stored = json.dumps(list(DriftFinding.objects.values_list("golden", "target_value")))
    assert "DE89370400440532013000" not in stored and "DE02120300000000202051" not in stored
    assert finding.target_value["last4"] == "2051" and finding.cause == "changed_in_target"

    person = User.objects.create_user("theo")
    person.groups.add(Group.objects.get_or_create(name="steward")[0])
    (request,) = resolving.adopt([finding], by=actor_of(person))
    item = request.items.get()
    assert "DE02120300000000202051" not in json.dumps(item.changes)
