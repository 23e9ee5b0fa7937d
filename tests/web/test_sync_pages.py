"""Sync in the browser: targets, ledger, exceptions and drift; who may act, what a refusal looks like, how many queries."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection
from django.db.models.functions import Now
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from mdm.models import ChangeRequest, Crosswalk, RecordVersion
from sync.models import (
    Attempt,
    AttemptResult,
    Delivery,
    DriftFinding,
    DriftRun,
    ExceptionItem,
    Target,
    ValueMapRow,
)
from tests.people import person
from tests.sync import world
from tests.web.test_import_pages import signed_in

pytestmark = pytest.mark.django_db

PAGES = ("targets", "deliveries", "exceptions", "drift", "alerts", "rules", "dead-letters", "jobs", "replay")
NOBODY = "http://127.0.0.1:9"  # nothing answers there, and no test asks
QUERIES = {"targets": 34, "deliveries": 22, "exceptions": 20, "drift": 34, "dead-letters": 24, "jobs": 20}


@pytest.fixture
def mara() -> Client:
    return signed_in()


@pytest.fixture
def target() -> Target:
    world.allow_everything()
    return world.target("coupa", NOBODY)


def sent(target: Target, **values: Any) -> Delivery:
    """A supplier with a key at the target, queued for it."""
    uid = world.supplier(**values)
    key = f"K{Delivery.objects.count() + 1}"
    Crosswalk.objects.create(system=target.system, type="supplier", key=key, uid=uid, since=timezone.now())
    world.dispatch_now()
    return Delivery.objects.filter(record=uid).latest("pk")


def refused(target: Target, words: str = "Name is taken", **cause: Any) -> ExceptionItem:
    delivery = sent(target, legal_name=f"Refused {Delivery.objects.count()} GmbH")
    attempt = Attempt.objects.create(
        delivery=delivery, target=target, number=1, kind="send", epoch=1, process=delivery.uid, started_at=Now()
    )
    said = [{"method": "PUT", "url": f"{NOBODY}/api/suppliers/7?fields=%5B%22id%22%5D", "status": 400, "duration_ms": 8,
             "request": "{}", "response": words}]  # fmt: skip
    AttemptResult.objects.create(
        attempt=attempt, target=target, outcome="refused", status=400, message=words, exchanges=said, duration_ms=8,
        finished_at=Now(),
    )  # fmt: skip
    for state in ("in_flight", "rejected"):
        Delivery.objects.filter(pk=delivery.pk).update(
            state=state, error_code="refused", error_text=words, changed_at=Now()
        )
    return ExceptionItem.objects.create(
        delivery=delivery, target=target, type="supplier", record=delivery.record, label=delivery.label, kind="refused",
        words=words, opened_at=Now(), **cause,
    )  # fmt: skip


def finding(target: Target, delivery: Delivery | None = None, **values: Any) -> DriftFinding:
    run, _ = DriftRun.objects.get_or_create(
        target=target,
        state="done",
        defaults={"requested_by_name": "Mara", "correlation_id": "c1", "report_hash": "ab" * 32},
    )
    known = {"record": delivery.record, "label": delivery.label, "target_key": delivery.target_key} if delivery else {}
    return DriftFinding.objects.create(
        **{
            "target": target, "type": "supplier", "kind": "different", "shape": "field", "field": "payment-term.code",
            "path": "payment_terms", "golden": "Net 30", "target_value": "Net 60", "cause": "changed_in_target",
            "first_run": run, "last_run": run, "first_seen_at": timezone.now(), "last_seen_at": timezone.now(),
            **known, **values,
        }
    )  # fmt: skip


def page(client: Client, name: str, **query: str) -> str:
    answer = client.get(reverse(f"sync:{name}"), query)
    assert answer.status_code == 200, name
    return answer.content.decode()


# --- who may ----------------------------------------------------------------------------------------------------------


def test_the_board_says_since_when_credentials_are_in_use_and_warns_of_their_end(mara: Client, target: Target) -> None:
    before = mara.get(reverse("sync:targets")).content.decode()
    assert "Credentials" not in before
    Target.objects.update(secret_set_at=Now(), secret_set_by="Gita", secret_expires_on=timezone.now())
    page = mara.get(reverse("sync:targets")).content.decode()
    assert "by Gita" in page and "The credentials end on" in page


def test_empty_hub_says_what_will_stand_here(mara: Client) -> None:
    words = {
        "targets": "No target yet", "deliveries": "Nothing was sent yet", "exceptions": "No platform refuses anything",
        "drift": "Every platform that was looked at", "alerts": "Every target works",
        "rules": "Object locked", "replay": "Nothing to send again",
        "dead-letters": "Everything that was to be sent arrived", "jobs": "No push job yet",
    }  # fmt: skip
    for name in PAGES:
        assert words[name] in page(mara, name)


def test_without_the_right_every_page_is_closed() -> None:
    nora = signed_in("nora", "requester")
    for name in PAGES:
        assert nora.get(reverse(f"sync:{name}")).status_code == 403


def test_who_may_only_look_cannot_act(target: Target) -> None:
    item, one = refused(target), finding(target)
    jonas = signed_in("jonas", "auditor")
    for name in PAGES[:-1]:
        page(jonas, name)
    for name, args in (
        ("target-check", ["coupa"]), ("target-pause", ["coupa"]), ("target-push", ["coupa"]), ("target-drift", ["coupa"]),
        ("delivery-again", [item.delivery.uid]), ("exception-retry", [item.uid]), ("exception-cancel", [item.uid]),
        ("exception-take", [item.uid]), ("exception-close", [item.uid]), ("drift-start", []),
    ):  # fmt: skip
        assert jonas.post(reverse(f"sync:{name}", args=args), {"reason": "x"}).status_code == 403, name
    decide = jonas.post(reverse("sync:findings-decide"), {"uid": str(one.uid), "do": "push"})
    assert decide.status_code == 403


# --- targets ----------------------------------------------------------------------------------------------------------


def test_a_refused_lever_draws_the_page_again_with_the_reason(mara: Client, target: Target) -> None:
    url = reverse("sync:target-pause", args=["coupa"])
    without = mara.post(url, {"reason": " "})
    assert without.status_code == 422 and "Say why nothing should be sent" in without.content.decode()
    assert mara.post(url, {"reason": "Upgrade over the weekend"}).status_code == 302
    again = mara.post(url, {"reason": "Once more"})
    html = again.content.decode()
    assert again.status_code == 409 and "paused already" in html and "Upgrade over the weekend" in html
    assert mara.post(reverse("sync:target-resume", args=["coupa"])).status_code == 302


# --- ledger -----------------------------------------------------------------------------------------------------------


def test_a_delivery_tells_its_story_and_what_made_it(mara: Client, target: Target) -> None:
    item = refused(target)
    html = mara.get(reverse("sync:delivery", args=[item.delivery.uid])).content.decode()
    assert "refused with 400 after 8 ms" in html and "Name is taken" in html
    assert 'fields=["id"]' in html.replace("&quot;", '"')  # the address is decoded
    assert "Mapping that made it" in html and "payment-term.code" in html and "Net 30" in html
    beside = mara.get(
        reverse("sync:deliveries"),
        {"delivery": str(item.delivery.uid)},
        headers={"HX-Request": "true", "HX-Target": "detail"},
    ).content.decode()
    assert beside.lstrip().startswith('<article class="split-detail is-open"')


def test_bank_numbers_stay_masked_in_the_mapping(mara: Client) -> None:
    world.allow_everything()
    target = world.target("s4hana", NOBODY)
    iban = "DE89370400440532013000"
    delivery = sent(target, bank_accounts=[{"iban": iban, "holder": "Nordlicht Papier GmbH"}])
    html = mara.get(reverse("sync:delivery", args=[delivery.uid])).content.decode()
    assert "DE89…3000" in html and iban not in html


def test_unknown_filters_and_cursors_do_no_harm(mara: Client, target: Target) -> None:
    sent(target)
    for query in ({"record": "no-uid"}, {"cursor": "x"}, {"state": "nonsense"}, {"target": "nowhere"}):
        assert mara.get(reverse("sync:deliveries"), query).status_code == 200
        assert mara.get(reverse("sync:drift"), query).status_code == 200
    assert mara.get(reverse("sync:deliveries"), {"delivery": "no-uid"}).status_code == 404


# --- exceptions -------------------------------------------------------------------------------------------------------


def test_a_missing_value_is_mapped_where_it_is_missed(mara: Client, target: Target) -> None:
    item = refused(target, "“NET30” has no counterpart", table="payment_terms", value="NET30")
    html = page(mara, "exceptions")
    assert "“NET30” is unknown to Coupa" in html and "Map and send again" in html
    url = reverse("sync:exception-map", args=["coupa"])
    asked = {"table": "payment_terms", "ours": "NET30", "theirs": " "}
    assert mara.post(url, asked).status_code == 422
    assert mara.post(url, asked | {"theirs": "Net 30"}).status_code == 302
    item.refresh_from_db()
    assert item.state == "retrying" and ValueMapRow.objects.get().theirs == "Net 30"


def test_operators_send_again_but_do_not_map(target: Target) -> None:
    refused(target, "“NET30” has no counterpart", table="payment_terms", value="NET30")
    samir = signed_in("samir", "operator")
    assert "Map and send again" not in page(samir, "exceptions")
    asked = {"table": "payment_terms", "ours": "NET30", "theirs": "Net 30"}
    assert samir.post(reverse("sync:exception-map", args=["coupa"]), asked).status_code == 403


def test_all_of_one_cause_at_once(mara: Client, target: Target) -> None:
    for _ in range(3):
        refused(target)
    html = page(mara, "exceptions")
    assert "Send 3 again" in html and "Name is taken" in html
    cause = {"target": "coupa", "words": "Name is taken", "field": "", "table": "", "value": ""}
    assert mara.post(reverse("sync:exception-retry-many"), cause).status_code == 302
    assert ExceptionItem.objects.filter(state="open").count() == 0
    nothing = mara.post(reverse("sync:exception-retry-many"), cause)
    assert nothing.status_code == 422 and "open any more" in nothing.content.decode()
    assert "On its way" not in page(mara, "exceptions") and "Trying again" in page(mara, "exceptions", tab="retrying")


def test_assigning_and_giving_up(mara: Client, target: Target) -> None:
    item, other = refused(target), refused(target)
    person("samir", "operator")
    assert mara.post(reverse("sync:exception-take", args=[item.uid]), {"user": "samir"}).status_code == 302
    assert item.label in page(signed_in("samir", "operator"), "exceptions", tab="mine")
    stop = reverse("sync:exception-cancel", args=[item.uid])
    assert mara.post(stop).status_code == 422
    assert mara.post(stop, {"reason": "Never sold there"}).status_code == 302
    assert mara.post(stop, {"reason": "Never sold there"}).status_code == 409
    close = reverse("sync:exception-close", args=[other.uid])
    assert mara.post(close, {"reason": "Renamed at Coupa by hand"}).status_code == 302


# --- drift ------------------------------------------------------------------------------------------------------------


def test_findings_stand_under_their_cause_with_what_came_back(mara: Client, target: Target) -> None:
    delivery = sent(target)
    finding(target, delivery, state="resolved", resolved_at=timezone.now())
    finding(target, delivery)
    finding(
        target,
        kind="extra",
        shape="record",
        field="",
        path="",
        cause="not_ours",
        target_key="X9",
        target_value={"a": "b"},
    )
    html = page(mara, "drift")
    assert "Changed at the platform" in html and "Back again" in html and "Net 60" in html and "Key X9" in html
    assert "Nothing differs" not in html and "Show all 1" in html
    assert "Key X9" not in page(mara, "drift", field="Payment terms", target="coupa")
    assert "there is nothing of ours to push" in html


def test_ignoring_needs_a_reason_and_a_day_that_is_one(mara: Client, target: Target) -> None:
    one = finding(target, sent(target))
    url = f"{reverse('sync:findings-decide')}?do=ignore"
    asked = {"uid": str(one.uid)}
    assert mara.post(url, asked).status_code == 422
    wrong = mara.post(url, asked | {"reason": "Agreed", "until": "31.31.2026"})
    assert wrong.status_code == 422 and "2026-12-31" in wrong.content.decode()
    assert mara.post(url, asked | {"reason": "Agreed", "until": "2099-12-31"}).status_code == 302
    one.refresh_from_db()
    assert (one.state, str(one.ignored_until)) == ("ignored", "2099-12-31")
    assert "Agreed" in page(mara, "drift", state="ignored")
    assert mara.post(reverse("sync:findings-decide"), {"do": "push"}).status_code == 422


def test_pushing_and_adopting(mara: Client, target: Target) -> None:
    delivery = sent(target)
    Delivery.objects.filter(pk=delivery.pk).update(state="cancelled")
    pushed, adopted = (
        finding(target, delivery),
        finding(target, delivery, field="name", path="legal_name", golden="A", target_value="B GmbH"),
    )
    url = reverse("sync:findings-decide")
    assert mara.post(url, {"uid": str(pushed.uid), "do": "push"}).status_code == 302
    assert Delivery.objects.filter(reason="drift_repair").count() == 1
    assert mara.post(url, {"uid": str(adopted.uid), "do": "adopt"}).status_code == 302
    change = ChangeRequest.objects.filter(origin="drift").get()
    assert RecordVersion.objects.filter(change=change).exists() or change.state == "in_review"
    again = mara.post(url, {"uid": str(adopted.uid), "do": "adopt"})
    assert again.status_code == 409 and "being adopted already" in again.content.decode()


def test_a_run_is_asked_for_followed_and_fetched(mara: Client, target: Target) -> None:
    assert mara.post(reverse("sync:drift-start"), {"target": "coupa"}).status_code == 302
    run = DriftRun.objects.get()
    url = reverse("sync:drift-run", args=[run.uid])
    assert "Stop this run" in mara.get(url).content.decode() and "every 2s" in mara.get(url).content.decode()
    polled = {"HX-Request": "true", "HX-Target": "live"}
    assert "HX-Refresh" not in mara.get(url, headers=polled)
    assert mara.post(reverse("sync:drift-cancel", args=[run.uid])).status_code == 302
    assert mara.get(url, headers=polled)["HX-Refresh"] == "true"
    assert mara.post(reverse("sync:drift-cancel", args=[run.uid])).status_code == 409
    one = finding(target, target_value="=1+1")
    report = mara.get(reverse("sync:drift-report", args=[one.last_run.uid]))
    text = b"".join(report.streaming_content).decode("utf-8-sig")
    assert "fingerprint ab" in text.splitlines()[0] and "'=1+1" in text


def test_a_platform_that_does_not_answer_is_no_success(mara: Client, target: Target) -> None:
    answer = mara.post(reverse("sync:target-check", args=["coupa"]), follow=True)
    html = answer.content.decode()
    assert answer.status_code == 200 and '<div class="toast" data-toast data-tone="red">' in html
    assert "could not be reached: Connection refused" in html and "Errno" not in html
    assert Target.objects.get().check_ok is False


def test_a_finding_names_the_row_of_the_record_it_is_about(mara: Client, target: Target) -> None:
    world.propose("legal_entity", {"code": "NH10", "name": "Nordhaven", "country": "DE", "currency": "EUR"})
    delivery = sent(target, extensions=[{"legal_entity": "NH10"}])
    company = RecordVersion.objects.get(uid=delivery.record).document["extensions"][0]["uid"]
    field = f"A_SupplierCompany[{company}].PaymentTerms"
    finding(target, delivery, path=f"extensions/{company}/payment_terms", field=field)
    closed = {"kind": "duplicate_key", "shape": "block", "field": "blocked", "path": "", "cause": "several_keys"}
    finding(target, delivery, target_key="K9", golden=True, target_value=False, **closed)
    html = page(mara, "drift")
    assert "Legal entity NH10 · payment terms" in html and company not in html
    assert "Several keys" in html and ">blocked</td>" in html and ">open</mark>" in html


# --- a record at its targets ------------------------------------------------------------------------------------------


def test_the_tab_of_a_record_pushes_it(mara: Client, target: Target) -> None:
    delivery = sent(target)
    Delivery.objects.filter(pk=delivery.pk).update(state="cancelled")
    finding(target, delivery)
    url = reverse("web:record-sync", args=["suppliers", delivery.record])
    html = mara.get(url).content.decode()
    assert (
        "Send now" in html  # nothing of it arrived yet
        and "From the request to the answer" in html
        and "Net 60" in html
        and reverse("sync:delivery", args=[delivery.uid]) in html
    )
    push = reverse("sync:target-push", args=["coupa"])
    answer = mara.post(push, {"type": "supplier", "record": str(delivery.record), "next": url})
    assert answer.status_code == 302 and answer.headers["Location"] == url
    assert Delivery.objects.filter(reason="manual", record=delivery.record).count() == 1
    look = reverse("sync:target-look", args=["coupa"])
    assert mara.post(look, {"type": "supplier", "record": "x"}).status_code == 422
    assert mara.post(look, {"type": "supplier", "record": str(delivery.record)}).status_code == 302


# --- speed ------------------------------------------------------------------------------------------------------------


def test_queries_do_not_grow_with_the_work(mara: Client, target: Target) -> None:
    def look() -> dict[str, int]:
        counted = {}
        for name in QUERIES:
            with CaptureQueriesContext(connection) as caught:
                page(mara, name)
            counted[name] = len(caught)
        return counted

    finding(target, refused(target).delivery)
    look()
    few = look()
    for _ in range(5):
        finding(target, refused(target).delivery)
    many = look()
    assert many == few
    assert {name: count for name, count in many.items() if count > QUERIES[name]} == {}
