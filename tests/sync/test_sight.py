"""What people of some companies see of deliveries, plans and drift: every door, by page, by file and by API."""

from __future__ import annotations

from typing import Any

import pytest
from django.db.models.functions import Now
from django.test import Client
from django.urls import reverse

from mdm.models import ApprovalPolicy, ChangeRequest
from mdm.selectors.records import current_document
from sync.models import Attempt, AttemptResult, Delivery, DriftFinding, PushJob, Target
from sync.selectors import ledger, sight
from tests.api.callers import Caller, caller
from tests.sync import world
from tests.web.test_push_job_pages import planned
from tests.web.test_sync_pages import NOBODY, finding, sent

pytestmark = pytest.mark.django_db
OURS, THEIRS = "NH10", "NH20"
SECRET = "Geheimrat"
HIDDEN = "companies that are not yours"


class World:
    """`mixed`: a supplier of both companies; `own`: of ours alone; `theirs`: a cost center of the other company."""

    def __init__(self) -> None:
        world.allow_everything()
        self.target = world.target("coupa", NOBODY)
        for code in (OURS, THEIRS):
            world.propose("legal_entity", {"code": code, "name": code, "country": "DE", "currency": "EUR"})
        self.mixed = self.supplier("Mixed GmbH", OURS, THEIRS)
        self.own = self.supplier("Own GmbH", OURS)
        values = {"name": f"{SECRET} center", "legal_entity": THEIRS, "category": "logistics"}
        self.theirs = world.propose("cost_center", {"code": "CC-9", **values})

    def supplier(self, name: str, *entities: str) -> Delivery:
        delivery = sent(self.target, legal_name=name, extensions=[{"legal_entity": code} for code in entities])
        attempt = Attempt.objects.create(
            delivery=delivery,
            target=self.target,
            number=1,
            kind="send",
            epoch=1,
            process=delivery.uid,
            started_at=Now(),
        )
        said = [
            {
                "method": "PUT",
                "url": f"{NOBODY}/7",
                "status": 400,
                "duration_ms": 8,
                "request": SECRET,
                "response": SECRET,
            }
        ]
        AttemptResult.objects.create(
            attempt=attempt, target=self.target, outcome="refused", status=400, message=f"{SECRET} is wrong", exchanges=said,
            duration_ms=8, finished_at=Now(),
        )  # fmt: skip
        for state in ("in_flight", "rejected"):
            Delivery.objects.filter(pk=delivery.pk).update(
                state=state, error_code="refused", error_text=f"{SECRET} is wrong"
            )
        return delivery

    def finding(self, delivery: Delivery | None = None, **values: Any) -> DriftFinding:
        return finding(self.target, delivery, **{"golden": SECRET, "target_value": SECRET, **values})

    def plan(self, delivery: Delivery, **change: Any) -> PushJob:
        row = {"path": "legal_name", "field": "name", "theirs": SECRET, "ours": SECRET, **change}
        label = {"record": delivery.record, "label": delivery.label}
        return planned(self.target, {**label, "effect": "change", "changes": [row]})


@pytest.fixture
def hub() -> World:
    return World()


@pytest.fixture
def scoped() -> Caller:
    return caller("steward", entities=(OURS,))


@pytest.fixture
def everybody() -> Caller:
    return caller("steward")


def page(by: Caller, name: str, *args: Any, **query: str) -> str:
    client = Client()
    assert by.user is not None
    client.force_login(by.user)
    answer = client.get(reverse(f"sync:{name}", args=args), query)
    assert answer.status_code == 200, (name, answer.status_code)
    content = b"".join(answer.streaming_content) if answer.streaming else answer.content
    return str(content.decode())


def test_a_delivery_keeps_what_was_said_for_those_who_see_it_whole(hub, scoped, everybody):
    for by, delivery, hidden in ((scoped, hub.mixed, True), (scoped, hub.own, False), (everybody, hub.mixed, False)):
        shown = page(by, "delivery", delivery.uid)
        assert (SECRET not in shown) == hidden and (HIDDEN in shown) == hidden
        answer = by.read(f"deliveries/{delivery.uid}/").json()
        assert answer["hidden"] == hidden and (SECRET not in str(answer)) == hidden
        assert answer["attempts"][0]["outcome"] == "refused" and bool(answer["attempts"][0]["exchanges"]) != hidden
        listed = next(row for row in by.read("deliveries/").json()["results"] if row["uid"] == str(delivery.uid))
        assert (SECRET not in str(listed)) == hidden
        chain = by.read(f"correlations/{delivery.correlation_id}/").json()["deliveries"]
        assert (SECRET not in str([one for one in chain if one["uid"] == str(delivery.uid)])) == hidden


def test_the_chain_keeps_it_too(hub, scoped, everybody):
    correlation = hub.mixed.correlation_id
    shown = page(scoped, "chain", correlation)
    assert "Mixed GmbH" in shown and shown.count(SECRET) < page(everybody, "chain", correlation).count(SECRET)


def test_dead_letters_and_what_would_be_sent_again(hub, scoped, everybody):
    for name in ("dead-letters", "dead-letters-export"):
        assert page(scoped, name).count(SECRET) == 1 and HIDDEN in page(scoped, name)
        assert page(everybody, name).count(SECRET) == 2
    assert "Mixed GmbH" not in page(scoped, "replay", target=hub.target.code)
    assert "Mixed GmbH" in page(everybody, "replay", target=hub.target.code)


def test_an_old_version_that_carried_others_stays_hidden(hub, scoped):
    """The record is ours alone by now; what was sent then was not."""
    rows = current_document("supplier", hub.mixed.record)["extensions"]
    gone = next(row["uid"] for row in rows if row["legal_entity"] == THEIRS)
    world.propose("supplier", {"extensions": [{"uid": gone, "_end": True}]}, uid=str(hub.mixed.record))
    assert SECRET not in page(scoped, "delivery", hub.mixed.uid)
    assert scoped.read(f"deliveries/{hub.mixed.uid}/").json()["hidden"]


def test_a_plan_shows_the_changes_they_may_see(hub, scoped, everybody):
    mixed, own = hub.plan(hub.mixed), hub.plan(hub.own)
    strange = hub.plan(hub.own, path="", field="companies[0007].name")  # a row of nobody knows which company
    for by, job, hidden in (
        (scoped, mixed, True), (scoped, own, False), (scoped, strange, True), (everybody, mixed, False),
        (everybody, strange, False),
    ):  # fmt: skip
        for name in ("job", "job-export"):
            shown = page(by, name, job.uid)
            assert (SECRET not in shown) == hidden and (HIDDEN in shown) == hidden, name
        [row] = by.read(f"push-jobs/{job.uid}/rows/").json()["results"]
        assert row["hidden"] == int(hidden) and (SECRET not in str(row)) == hidden


def test_findings_of_a_mixed_record_have_no_values(hub, scoped, everybody):
    mixed, own, nobodys = hub.finding(hub.mixed), hub.finding(hub.own), hub.finding(kind="extra", target_key="T1")
    bank = hub.finding(hub.own, path="bank_accounts[*].iban", field="bank.iban", kind="different")
    for by, one, hidden in (
        (scoped, mixed, True), (scoped, own, False), (scoped, nobodys, True), (scoped, bank, True), (everybody, mixed, False),
        (everybody, nobodys, False),
    ):  # fmt: skip
        shown = by.read(f"drift-findings/{one.uid}/").json()
        assert shown["hidden"] == hidden and (SECRET not in str(shown)) == hidden
        listed = next(row for row in by.read("drift-findings/").json()["results"] if row["uid"] == str(one.uid))
        assert listed == shown
    assert page(scoped, "drift").count(SECRET) == 2 and HIDDEN in page(scoped, "drift")
    assert page(everybody, "drift").count(SECRET) == 7  # the platform's own record has nothing of ours
    report = page(scoped, "drift-report", mixed.last_run.uid)
    assert report.count(SECRET) == 2 and report.count(HIDDEN) == 6
    assert page(everybody, "drift-report", mixed.last_run.uid).count(SECRET) == 8


def test_nobody_decides_on_a_finding_they_cannot_see(hub, scoped):
    hub.finding(hub.own)
    mixed, before = hub.finding(hub.mixed), ChangeRequest.objects.count()
    sent_before = Delivery.objects.count()
    for what, body in (("push", None), ("adopt", {}), ("ignore", {"reason": "Known"})):
        answer = scoped.post_json(f"drift-findings/{mixed.uid}/{what}/", body)
        assert answer.status_code == 403, what
    client = Client()
    client.force_login(scoped.user)
    for what in ("push", "adopt", "ignore"):
        form = {"do": what, "uid": [str(mixed.uid)], "reason": "Known"}
        client.post(reverse("sync:findings-decide"), form)
    mixed.refresh_from_db()
    assert mixed.state == "open" and (ChangeRequest.objects.count(), Delivery.objects.count()) == (before, sent_before)


def test_the_sync_tab_of_a_record(hub, scoped, everybody):
    hub.finding(hub.mixed)
    hub.finding(hub.own)
    for by, delivery, hidden in ((scoped, hub.mixed, True), (scoped, hub.own, False), (everybody, hub.mixed, False)):
        for part in ("sync/", ""):
            client = Client()
            client.force_login(by.user)
            shown = client.get(f"/records/suppliers/{delivery.record}/{part}").content.decode()
            assert (SECRET not in shown) == hidden, part
        answer = by.read(f"suppliers/{delivery.record}/deliveries/").json()
        assert (SECRET not in str(answer)) == hidden


def test_what_is_about_a_record_of_others_is_not_there(hub, scoped, everybody):
    """A cost center of the other company, known to the ledger, to a plan and to drift."""
    Delivery.objects.filter(pk=hub.own.pk).update(type="cost_center", record=hub.theirs, label=f"{SECRET} center")
    own = Delivery.objects.get(pk=hub.own.pk)
    one = hub.finding(own, type="cost_center", label=f"{SECRET} center")
    change = {"path": "name", "field": "name", "theirs": SECRET, "ours": SECRET}
    row = {"record": hub.theirs, "label": own.label, "effect": "change", "changes": [change], "type": "cost_center"}
    job = planned(hub.target, row)
    paths = (f"deliveries/{own.uid}/", f"drift-findings/{one.uid}/")
    for path in paths:
        assert scoped.read(path).status_code == 404 and everybody.read(path).status_code == 200
    for path in ("deliveries/", "drift-findings/", f"push-jobs/{job.uid}/rows/", f"correlations/{own.correlation_id}/"):
        text = scoped.read(path).content.decode()
        assert str(hub.theirs) not in text and SECRET not in text.replace(f"{SECRET} is wrong", ""), path
    for name, args in (
        ("deliveries", ()), ("drift", ()), ("drift-report", (one.last_run.uid,)), ("job", (job.uid,)), ("job-export", (job.uid,)),
        ("dead-letters", ()), ("dead-letters-export", ()), ("exceptions", ()),
    ):  # fmt: skip
        assert f"{SECRET} center" not in page(scoped, name, *args), name
        assert str(hub.theirs) not in page(scoped, name, *args), name


def test_people_of_all_companies_cost_no_query(hub, django_assert_num_queries):
    rows = list(ledger.deliveries(None))
    with django_assert_num_queries(0):
        assert sight.hidden_deliveries(rows, None) == frozenset()
        assert not sight.over(((row.type, row.record) for row in rows), None).hides("supplier", rows[0].record)
    assert ApprovalPolicy.objects.exists() and Target.objects.count() == 1
