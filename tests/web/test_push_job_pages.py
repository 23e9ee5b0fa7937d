"""Dead letters, replays, plans and push jobs in the browser: looking first, four eyes, levers, exports, few queries."""

from __future__ import annotations

import re
from collections import Counter
from html import unescape
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from mdm import correlation
from mdm.models import RecordVersion
from sync.models import Delivery, PushJob, PushRow, Subscription, Target
from sync.models.job import LIMIT
from sync.services import job_work, jobs, planning, replay
from sync.web import chain as chain_page
from tests.people import actor
from tests.sync import world
from tests.sync.test_push_jobs import die, suppliers
from tests.web.test_import_pages import signed_in
from tests.web.test_sync_pages import NOBODY, page, refused

pytestmark = pytest.mark.django_db
POLLED = {"HX-Request": "true", "HX-Target": "live"}


@pytest.fixture
def mara() -> Client:
    return signed_in()


@pytest.fixture
def target() -> Target:
    world.allow_everything()
    return world.target("coupa", NOBODY)


def shown(client: Client, job: PushJob, **query: str) -> str:
    answer = client.get(reverse("sync:job", args=[job.uid]), query)
    assert answer.status_code == 200
    return str(answer.content.decode())


def press(client: Client, name: str, job: PushJob, **fields: str) -> Any:
    return client.post(reverse(f"sync:job-{name}", args=[job.uid]), fields)


# --- dead letters and the look before a replay ------------------------------------------------------------------------


def test_dead_letters_are_found_by_what_people_know_of_them(mara: Client, target: Target) -> None:
    item = refused(target, "Name is taken")
    failed = world.supplier(legal_name="Ohne Antwort GmbH", tax_registrations=[])
    die([failed])
    name = item.label.split(" ", 1)[1]
    assert "Ohne Antwort" in page(mara, "dead-letters") and name in page(mara, "dead-letters")
    for query, there in (
        ({"state": "failed"}, "Ohne Antwort"), ({"q": "is taken"}, name), ({"code": "ambiguous"}, "Ohne Antwort"),
        ({"target": "coupa", "age": "1h", "type": "supplier"}, name), ({"state": "rejected"}, name),
    ):  # fmt: skip
        other = name if there == "Ohne Antwort" else "Ohne Antwort"
        html = page(mara, "dead-letters", **query)
        assert there in html, query
        assert other not in html or len(query) == 3, query
    assert "No dead letter fits" in page(mara, "dead-letters", age="-7d")
    assert "No dead letter fits" in page(mara, "dead-letters", followed="yes")
    for query in ({"age": "soon"}, {"state": "lost"}, {"cursor": "x"}, {"target": "nowhere"}):
        assert mara.get(reverse("sync:dead-letters"), query).status_code == 200, query
    told = mara.get(reverse("sync:dead-letters"), {"q": "\x00"})
    assert (told.status_code, "no text can have (NUL)" in told.content.decode()) == (422, True)


def test_dead_letters_that_were_followed_up_are_kept(mara: Client, target: Target) -> None:
    uid = world.supplier(legal_name="Später gut GmbH", tax_registrations=[])
    die([uid])
    replay.replay(filter={"target": "coupa"}, dry_run=False, by=actor("samir", "operator"))
    assert "Später gut" not in page(mara, "dead-letters")
    html = page(mara, "dead-letters", followed="yes")
    assert "Später gut" in html and "Corrected" in html


def test_the_list_is_exported_as_it_is_filtered(mara: Client, target: Target) -> None:
    die(suppliers(2))
    answer = mara.get(reverse("sync:dead-letters-export"), {"state": "failed"})
    lines = b"".join(answer.streaming_content).decode("utf-8-sig").splitlines()
    assert len(lines) == 3 and lines[0].startswith("uid,target") and "Nobody answered" in lines[1]
    nothing = mara.get(reverse("sync:dead-letters-export"), {"state": "rejected"})
    assert len(b"".join(nothing.streaming_content).decode().splitlines()) == 1


def test_what_was_chosen_is_looked_at_and_then_sent(mara: Client, target: Target) -> None:
    die(suppliers(3))
    chosen = [str(row.uid) for row in Delivery.objects.order_by("pk")[:2]]
    answer = mara.post(reverse("sync:dead-letters-again"), {"uid": chosen})
    assert answer.status_code == 302
    html = mara.get(answer.url).content.decode()
    assert "Send 2 again" in html and "Version then" in html and not PushJob.objects.exists()
    started = mara.post(answer.url, {"rate": "20"})
    job = PushJob.objects.get()
    assert started.status_code == 302 and started.url == reverse("sync:job", args=[job.uid])
    assert job.rate_per_s == 20 and Delivery.objects.filter(reason="replay").count() == 2
    html = shown(mara, job)
    assert "Replay to Coupa" in html and "2 chosen deliveries" in html and "every 2s" in html
    assert mara.post(reverse("sync:dead-letters-again")).status_code == 422
    wrong = mara.post(reverse("sync:replay") + "?target=coupa", {"rate": "fast"})
    assert wrong.status_code == 422 and "as a number" in wrong.content.decode()


def test_forcing_is_offered_to_lead_stewards_only(mara: Client, target: Target) -> None:
    die(suppliers(1))
    words = "Send the versions as they were"
    assert words not in page(mara, "replay")
    lina = signed_in("lina", "lead_steward")
    assert words in page(lina, "replay")
    without = lina.post(reverse("sync:replay"), {"force": "on"})
    assert without.status_code == 422 and "Say why" in without.content.decode()
    assert lina.post(reverse("sync:replay"), {"force": "on", "reason": "As it was"}).status_code == 302
    assert PushJob.objects.get().state == "waiting"
    assert mara.post(reverse("sync:replay"), {"force": "on", "reason": "As it was"}).status_code == 403


def test_several_targets_make_a_job_each(mara: Client, target: Target) -> None:
    world.target("concur", NOBODY)
    die(suppliers(1))
    answer = mara.post(reverse("sync:replay"))
    assert answer.status_code == 302 and "batch=" in answer.url and PushJob.objects.count() == 2
    html = mara.get(answer.url).content.decode()
    assert "Replay to Coupa" in html and "Replay to Concur" in html
    assert "No push job fits" in page(mara, "jobs", batch="00000000-0000-4000-8000-000000000000")


# --- a job ------------------------------------------------------------------------------------------------------------


def test_a_large_job_waits_for_somebody_else(mara: Client, target: Target) -> None:
    die(suppliers(LIMIT + 1))
    html = page(mara, "replay")
    assert f"Send {LIMIT + 1} again" in html and "wait for a second person" in html
    mara.post(reverse("sync:replay"))
    job = PushJob.objects.get()
    html = shown(mara, job)
    assert "A second person decides" in html and "You asked for it: somebody else decides." in html
    own = press(mara, "approve", job, content_hash=job.content_hash)
    assert own.status_code in (403, 409) and PushJob.objects.get().state == "waiting"
    samir = signed_in("samir", "operator")
    assert press(samir, "approve", job, content_hash="0" * 64).status_code == 409
    assert press(samir, "approve", job, content_hash=job.content_hash, comment="Looks right").status_code == 302
    html = shown(mara, PushJob.objects.get())
    assert "Approved" in html and "Looks right" in html and "Samir" in html


def test_refuse_pause_and_cancel_by_button(mara: Client, target: Target) -> None:
    uids = suppliers(30)
    world.dispatch_now()
    Delivery.objects.update(state="cancelled")
    job = jobs.ask_for_records(target, by=actor("samir", "operator"), type="supplier", records=uids, rate_per_s=2)
    for do, state in (("pause", "paused"), ("resume", "running"), ("cancel", "cancelled")):
        assert press(mara, "move", job, do=do).status_code == 302
        assert PushJob.objects.get().state == state
    assert press(mara, "move", job, do="cancel").status_code == 409
    assert press(mara, "move", job, do="dance").status_code == 422
    assert press(signed_in("jonas", "auditor"), "move", job, do="pause").status_code == 403
    assert press(mara, "refuse", job, reason="x").status_code == 409
    assert press(mara, "repeat", job).status_code == 409
    assert "given up" in shown(mara, job)


def test_a_paused_target_is_why_a_job_stands_still(mara: Client, target: Target) -> None:
    Subscription.objects.update(from_seq=10**9)
    suppliers(1)
    job = jobs.ask_for_records(target, by=actor("samir", "operator"))
    Target.objects.update(paused_at=timezone.now(), paused_by="Samir")
    assert "Coupa is paused" in shown(mara, job)


def test_pushing_many_begins_with_a_plan(mara: Client, target: Target) -> None:
    Subscription.objects.update(from_seq=10**9)
    suppliers(2)
    url = reverse("sync:target-push", args=["coupa"])
    html = mara.get(url).content.decode()
    assert "Plan it first" in html and "Queue without a plan" in html
    answer = mara.post(url, {"do": "plan", "type": "supplier", "since": "2020-01-01", "reason": "First load"})
    job = PushJob.objects.get()
    assert answer.url == reverse("sync:job", args=[job.uid]) and (job.kind, job.state) == ("plan", "planning")
    assert "Being looked up" in shown(mara, job) and not Delivery.objects.exists()
    assert "HX-Refresh" not in mara.get(answer.url, headers=POLLED)
    jobs.cancel(job, by=actor("samir", "operator"))
    assert mara.get(answer.url, headers=POLLED)["HX-Refresh"] == "true", "its buttons are others now"
    assert mara.post(url, {"do": "queue"}).status_code == 302
    assert Delivery.objects.count() == 2
    for wrong in ({"since": "31.31.2026"}, {"type": "unicorn"}, {"rate": "-1"}):
        answer = mara.post(url, {"reason": "First load", **wrong})
        assert answer.status_code == 422, wrong
        # What was typed is still there.
        assert "First load</textarea>" in answer.content.decode() and PushJob.objects.count() == 2
    again = mara.post(url, {"type": "supplier", "rate": "fast", "since": "2020-01-01"}).content.decode()
    assert 'role="alert"' in again and "Give the pace as a number" in again
    assert 'value="fast"' in again and 'value="2020-01-01"' in again and 'value="supplier" selected' in again
    assert signed_in("jonas", "auditor").post(url, {"do": "queue"}).status_code == 403
    assert "this needs the role" in signed_in("jonas", "auditor").get(url).content.decode().lower()


def planned(target: Target, *rows: dict[str, Any]) -> PushJob:
    """A plan that was looked up, with these rows."""
    job = PushJob.objects.create(
        target=target, kind="plan", scope={"types": ["supplier"]}, rate_per_s=5, correlation_id="plan-1",
        total=len(rows), sends=sum(row["effect"] in PushRow.SENT for row in rows), requested_by_name="Samir",
        counts=Counter(f"plan_{row['effect']}" for row in rows),
    )  # fmt: skip
    for place, row in enumerate(rows):
        PushRow.objects.create(job=job, place=place, **{"type": "supplier", **row})
    for state in ("planning", "waiting"):
        PushJob.objects.filter(pk=job.pk).update(state=state)
    return job


def test_a_plan_says_which_company_and_never_a_uid(mara: Client, target: Target) -> None:
    world.propose("legal_entity", {"code": "NH10", "name": "Nordhaven", "country": "DE", "currency": "EUR"})
    uid = world.supplier(tax_registrations=[], extensions=[{"legal_entity": "NH10", "payment_terms": "NET30"}])
    row = RecordVersion.objects.filter(uid=uid).latest("version").document["extensions"][0]["uid"]
    terms = {"path": f"extensions/{row}/payment_terms", "theirs": "Z010", "ours": "Z030"}
    gone = {"path": "", "field": f"A_Bank[{row}].Holder", "theirs": None, "ours": "Nordlicht"}
    there = {"path": "", "field": "A_Bank[0002].Blocked", "theirs": False, "ours": True}
    changes = [
        {**terms, "field": f"A_SupplierCompany[{row}].PaymentTerms"},
        {**terms, "field": f"A_SupplierPurchasingOrg[{row}].PaymentTerms"},
        gone,
        there,
    ]
    job = planned(target, {"record": uid, "label": "Nordlicht", "effect": "change", "changes": changes})
    html = shown(mara, job)
    assert row not in html
    # Two places there, one value of ours: said once.
    assert html.count("Legal entity NH10 · payment terms") == 1 and "<b>Z030</b>" in html
    assert "A_Bank.Holder" in html and "nothing <span" in html
    assert "A_Bank[0002].Blocked" in html and "<b>yes</b>" in html
    # The file keeps the names of the target as they are.
    export = mara.get(reverse("sync:job-export", args=[job.uid]))
    assert f"A_SupplierPurchasingOrg[{row}].PaymentTerms" in b"".join(export.streaming_content).decode()


def test_a_plan_begins_with_what_it_would_do(mara: Client, target: Target) -> None:
    effects = ("unchanged", "change", "refused", "create", "unchanged", "not_for_target")
    rows = [{"record": uuid4(), "label": f"Row {n} {effect}", "effect": effect} for n, effect in enumerate(effects)]
    job = planned(target, *rows)
    html = shown(mara, job)
    assert "plan is <b>a change or a refusal</b>" in html
    for label in ("Row 1 change", "Row 2 refused", "Row 3 create"):
        assert label in html, label
    for label in ("Row 0 unchanged", "Row 4 unchanged", "Row 5 not_for_target"):
        assert label not in html, label
    every = shown(mara, job, effect="")
    assert all(str(row["label"]) in every for row in rows)
    # The tiles choose too, and say which of them holds.
    same = shown(mara, job, effect="unchanged")
    assert "Row 0 unchanged" in same and "Row 1 change" not in same
    assert '<a class="tile" href="?effect=unchanged" aria-current="true">' in same
    assert 'aria-current="true"><span class="tile-label' not in html
    # Nothing was sent yet, so there is no outcome.
    assert ">Outcome</th>" not in html
    PushJob.objects.update(state="refused")
    assert ">Outcome</th>" in shown(mara, job)


def test_a_plan_without_work_says_so(mara: Client, target: Target) -> None:
    job = planned(target, {"record": uuid4(), "label": "Row 0", "effect": "unchanged"})
    html = shown(mara, job)
    assert "Nothing would change: Coupa holds the same." in html and "Row 0" not in html
    assert "Row 0" in shown(mara, job, effect="")
    assert "No row fits" in shown(mara, job, effect="create")


def test_the_rows_of_a_plan_are_paged_within_what_it_would_do(mara: Client, target: Target) -> None:
    """60 to change among 60 that hold the same: each once, on two pages."""
    rows = [
        {"record": uuid4(), "label": f"Row {n:03}", "effect": "change" if n % 2 else "unchanged"} for n in range(120)
    ]
    job = planned(target, *rows)
    first = shown(mara, job)
    cursor = re.search(r'href="(\?cursor=[^"]+)"', first)
    assert cursor is not None
    second = mara.get(reverse("sync:job", args=[job.uid]) + unescape(cursor[1])).content.decode()
    found = re.findall(r"Row \d{3}", first) + re.findall(r"Row \d{3}", second)
    assert found == [f"Row {n:03}" for n in range(1, 120, 2)]


def test_queries_of_a_plan_do_not_grow_with_its_rows(mara: Client, target: Target) -> None:
    world.propose("legal_entity", {"code": "NH10", "name": "Nordhaven", "country": "DE", "currency": "EUR"})
    rows = []
    for number in range(8):
        uid = world.supplier(
            legal_name=f"Werk {number} GmbH", tax_registrations=[], extensions=[{"legal_entity": "NH10"}]
        )
        child = RecordVersion.objects.get(uid=uid).document["extensions"][0]["uid"]
        change = {"path": f"extensions/{child}/currency", "field": "x", "theirs": "EUR", "ours": "USD"}
        rows.append({"record": uid, "label": f"Werk {number}", "effect": "change", "changes": [change]})
    counted = []
    for job in (planned(target, rows[0]), planned(target, *rows)):
        shown(mara, job)
        with CaptureQueriesContext(connection) as caught:
            assert shown(mara, job).count("Legal entity NH10") == job.total
        counted.append(len(caught))
    assert counted[0] == counted[1] <= 26, counted


@pytest.mark.django_db(transaction=True)
def test_a_plan_shows_what_it_would_do_and_is_applied(sandbox: Any) -> None:
    world.allow_everything()
    started = sandbox("coupa")
    target = world.target("coupa", started.url)
    uid = world.supplier(website="https://alt.example")
    world.send_now()
    Subscription.objects.update(from_seq=10**9)
    world.propose("supplier", {"website": "https://neu.example"}, uid=uid)
    world.supplier(legal_name="Ganz neu GmbH", tax_registrations=[])
    mara = signed_in()
    job = planning.run(jobs.ask_for_records(target, by=actor("samir", "operator"), plan=True).uid)
    html = shown(mara, job)
    assert "Apply the plan" in html and "Website</span><span>https://alt.example" in html
    assert "<b>https://neu.example</b>" in html
    assert "Ganz neu" in shown(mara, job, effect="create") and "Nordlicht" not in shown(mara, job, effect="create")
    export = mara.get(reverse("sync:job-export", args=[job.uid]))
    lines = b"".join(export.streaming_content).decode("utf-8-sig").splitlines()
    assert len(lines) == 3 and job.content_hash in lines[0] and "website: https://alt.example" in lines[1]
    assert press(mara, "approve", job, content_hash=job.content_hash).status_code == 302
    planning.run(job.uid)
    world.send_until_settled()
    world.dispatch_now()
    html = shown(mara, PushJob.objects.get())
    assert "Done" in html and PushJob.objects.get().counts["posted"] == 2


def test_the_chain_is_one_page(mara: Client, target: Target) -> None:
    correlation.adopt("chain-1")
    item = refused(target)
    html = mara.get(reverse("sync:chain", args=["chain-1"])).content.decode()
    assert "From the request to the answer" in html and item.label.split(" ", 1)[1] in html
    assert "refused with 400 after 8 ms" in html and "0 of 1 posted" in html and "Created" in html
    assert mara.get(reverse("sync:chain", args=["chain-9"])).status_code == 404
    assert signed_in("nora", "requester").get(reverse("sync:chain", args=["chain-1"])).status_code == 403
    found = mara.get(reverse("web:search"), {"q": "chain-1"}).content.decode()
    assert reverse("sync:chain", args=["chain-1"]) in found


def test_of_a_long_chain_only_what_stopped_lies_open(mara: Client, target: Target) -> None:
    correlation.adopt("chain-2")
    suppliers(chain_page.FEW)
    world.dispatch_now()
    address = reverse("sync:chain", args=["chain-2"])
    assert mara.get(address).content.decode().count('<details class="panel fold" open>') == chain_page.FEW
    correlation.adopt("chain-2")  # the page was asked for under an id of its own
    item = refused(target)
    html = mara.get(address).content.decode()
    assert html.count('<details class="panel fold" open>') == 1 and html.count('<details class="panel fold">') > 0
    stopped = html.index('<details class="panel fold" open>')
    assert item.label.split(" ", 1)[1] in html[stopped : html.index("</summary>", stopped)]


# --- speed ------------------------------------------------------------------------------------------------------------


def test_queries_do_not_grow_with_the_work(mara: Client, target: Target) -> None:
    """Of the list of dead letters, the look, the list of jobs, a job and a chain."""
    correlation.adopt("many-1")
    most = {"dead": 26, "look": 34, "jobs": 20, "job": 24, "chain": 28}

    def look() -> dict[str, int]:
        job = PushJob.objects.latest("pk")
        addresses = {
            "dead": reverse("sync:dead-letters"),
            "look": reverse("sync:replay"),
            "jobs": reverse("sync:jobs"),
            "job": reverse("sync:job", args=[job.uid]),
            "chain": reverse("sync:chain", args=["many-1"]),
        }
        counted = {}
        for name, address in addresses.items():
            mara.get(address)
            with CaptureQueriesContext(connection) as caught:
                assert mara.get(address).status_code == 200
            counted[name] = len(caught)
        return counted

    samir = actor("samir", "operator")
    die(suppliers(2, "Wenig"))
    replay.replay(filter={"target": "coupa", "q": "Wenig 0"}, dry_run=False, by=samir)
    job_work.go_on()
    few = look()
    die(suppliers(8, "Mehr"))
    replay.replay(filter={"target": "coupa", "q": "Mehr"}, dry_run=False, by=samir)
    die(suppliers(6, "Noch"))
    job_work.go_on()
    many = look()
    assert many == few and PushRow.objects.count() == 9
    assert {name: count for name, count in many.items() if count > most[name]} == {}
