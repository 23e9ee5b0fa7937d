"""Bank numbers go in and out by every door; afterwards none of them is in the database, in Redis or in a log."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest
from openpyxl import Workbook
from stdnum import iban as iban_rules

from tests import canary
from tests.fixtures_story import Story, until

pytestmark = pytest.mark.slow


def _iban(account: str) -> str:
    return "DE" + iban_rules.calc_check_digits(f"DE00{account}") + account


IBAN, ACCOUNT, SHORT = _iban("730500001928374655"), "5091827364", "83649105"
DRIFTED, TYPED = _iban("730500009182736400"), _iban("730500007465019283")
MISTYPED = IBAN[:-1] + ("1" if IBAN[-1] != "1" else "2")
NUMBERS = (IBAN, ACCOUNT, SHORT, DRIFTED, TYPED, MISTYPED)
SPACED = " ".join(IBAN[at : at + 4] for at in range(0, len(IBAN), 4)).lower()
CSV_MAPPING = {
    "key": "Key",
    "columns": {
        "Name": "legal_name", "Country": "country", "IBAN": "bank_accounts[0].iban",
        "Account": "bank_accounts[0].account_number", "Terms": "payment_terms",
    },
}  # fmt: skip
HEAD = ["Key", "Name", "Country", "IBAN", "Account", "Terms"]


@pytest.fixture
def watched(story: Story) -> Iterator[list[str]]:
    """Every answer of the API is looked through as well: nobody here may see whole numbers."""
    seen: list[str] = []

    def look(answer: httpx.Response) -> None:
        answer.read()
        seen.extend(canary.hits(NUMBERS, [(f"{answer.request.method} {answer.request.url.path}", answer.content)]))

    for role in story.tokens:
        story.by(role).http.event_hooks = {"response": [look]}
    yield seen
    assert seen == []


def test_no_bank_number_is_stored_or_told(story: Story, watched: list[str]) -> None:
    story.connect()
    _faults(story)
    _import(story)
    uid = _over_the_api(story)
    _by_the_form(story)
    _merge(story)
    _settled(story)
    _drift(story, uid)
    _seen_by_those_who_may(story, uid)
    assert any(IBAN in str(side.records()) for side in story.sides.values()), "a platform holds it: it was sent"
    logs = [child.log for child in story.hub.children]
    assert canary.hits(NUMBERS, canary.everywhere(logs)) == []


@pytest.mark.django_db(transaction=True)
def test_the_search_would_find_them() -> None:
    """The control: a number left in plain in a table, in Redis and in a session is found each time."""
    import redis
    from django.conf import settings
    from django.contrib.sessions.backends.db import SessionStore

    from mdm.models import System

    System.objects.create(code="leak", title=f"Account {IBAN}")
    client = redis.Redis.from_url(settings.REDIS_URL)
    client.set("mdm:leak", json.dumps({"body": IBAN.encode().hex()}), ex=60)
    session = SessionStore()
    session["form"] = "x" * 2000 + SPACED
    session.save()
    found = "\n".join(canary.hits([IBAN], canary.everywhere([])))
    client.delete("mdm:leak")
    assert "(plain) in " in found and "Redis string" in found and "in session" in found


def _faults(story: Story) -> None:
    """The first write at each platform is refused, the next ones are done but never answered."""
    for side in story.sides.values():
        side.fault("refuse", "^(POST|PUT|PATCH|MERGE) /(?!.*token)(?!.*batch)")
        side.fault("reset_after", "^(POST|PUT|PATCH|MERGE) /(?!.*token)(?!.*batch)", 2)


# --- files ------------------------------------------------------------------------------------------------------------


def _import(story: Story) -> None:
    rows = [
        ["C1", "Canary Metallbau GmbH", "DE", SPACED, ACCOUNT, "NET30"],
        ["C2", "Canary Metalbau GmbH", "DE", IBAN, "", "NET45"],
        ["C3", "Broken Country GmbH", "Nowhere", IBAN, ACCOUNT, ""],
        ["C4", "Mistyped GmbH", "DE", MISTYPED, SHORT, ""],
        ["C5", "Unknown Term GmbH", "DE", IBAN, SHORT, "NET999"],
    ]
    text = "\n".join(";".join(row) for row in [HEAD, *rows, [*rows[0], "too", "many", "cells"]]) + "\n"
    job = story.import_file("canary.csv", text.encode(), system="hub", mapping=CSV_MAPPING)
    assert job["counts"]["quarantined"] == 4
    _resubmit(story, job)
    book = Workbook()
    for row in (HEAD, *(["X" + row[0], f"{row[1]} X", *row[2:]] for row in rows[:3])):
        book.active.append(row)
    stream = io.BytesIO()
    book.save(stream)
    story.import_file("canary.xlsx", stream.getvalue(), system="hub", mapping=CSV_MAPPING)
    lines = [json.dumps(dict(zip(HEAD, ["N" + row[0], f"{row[1]} N", *row[2:]], strict=True))) for row in rows]
    lines.append('{"Key": "N9", "IBAN": "' + IBAN + '", "Account": ' + ACCOUNT)  # a line that ends too early
    job = story.import_file("canary.ndjson", "\n".join(lines).encode(), system="hub", mapping=CSV_MAPPING)
    assert job["counts"]["quarantined"] == 4
    _pages_of_quarantine(story, job)


def _resubmit(story: Story, job: Any) -> None:
    steward, path = story.by("steward"), f"imports/{job['uid']}/problems/"
    rows = {row["key"] or str(row["row"]): row for row in steward.all(path)}
    wrong = {"values": {"Country": "Nowhere either", "IBAN": SPACED}}
    steward.refused("POST", f"{path}{rows['C3']['uid']}/resubmit/", json=wrong, status=400, code="invalid")
    steward.post(f"{path}{rows['C3']['uid']}/resubmit/", {"values": {"Country": "DE"}})
    story.finished(job["uid"])
    steward.post(f"{path}{rows['C4']['uid']}/resubmit/", {"values": {"IBAN": SPACED}})
    story.finished(job["uid"])
    steward.post(f"{path}{rows['C5']['uid']}/dismiss/", {"reason": "Not ours."})


def _pages_of_quarantine(story: Story, job: Any) -> None:
    with _visitor(story, "steward") as browser:
        page = browser.get(f"/imports/{job['uid']}/")
        assert "Quarantine" in page.text
        linked = set(re.findall(rf"/imports/{job['uid']}/problems/[0-9a-f-]+/", page.text))
        pages = [page, browser.get(f"/imports/{job['uid']}/outcome.csv"), *(browser.get(link) for link in linked)]
        assert canary.hits(NUMBERS, [(str(one.url), one.content) for one in pages]) == []


# --- the API ----------------------------------------------------------------------------------------------------------


def _over_the_api(story: Story) -> str:
    steward = story.by("steward")
    body = {
        "legal_name": "Canary Verpackung SE", "country": "DE", "payment_terms": "NET30",
        "bank_accounts": [
            {"iban": SPACED, "holder": "Canary"},
            {"account_number": ACCOUNT, "country": "US", "bank_code": "021000021"},
        ],
        "addresses": [
            {"kind": "registered", "lines": ["Ringstrasse 1"], "city": "Kassel", "postal_code": "34117", "country": "DE"}
        ],
        "contacts": [{"role": "accounts_receivable", "name": "AR", "email": "ar@canary.example"}],
        "_reason": "New supplier.",
    }  # fmt: skip
    requester = story.by("requester")
    change = requester.post("suppliers/", body, expect=202, Idempotency_Key="canary-1")
    assert requester.post("suppliers/", body, expect=202, Idempotency_Key="canary-1")["uid"] == change["uid"]
    requester.refused("POST", "suppliers/", json={**body, "legal_name": "Other"}, headers={"Idempotency-Key": "canary-1"},
                      status=422, code="idempotency_key_reused")  # fmt: skip
    for wrong in ({"iban": MISTYPED}, {"ibann": IBAN}, {"iban": {"plain": IBAN}}, {"iban": [SPACED], "holder": 7}):
        requester.refused("POST", "suppliers/", json={**body, "bank_accounts": [wrong]}, status=400, code="invalid")
    broken = {
        "content": f'{{"legal_name": "x", "iban": "{IBAN}", '.encode(),
        "headers": {"Content-Type": "application/json"},
    }
    requester.refused("POST", "suppliers/", status=400, code="malformed", **broken)
    like = {
        "legal_name": "Canary Metallbau",
        "country": "DE",
        "bank_accounts": [{"iban": IBAN, "account_number": ACCOUNT}],
    }
    assert steward.post("suppliers/match/", {"document": like})["candidates"]
    steward.get("suppliers/", q=IBAN)
    steward.call("GET", f"suppliers/?q={SPACED.replace(' ', '%20')}&legal_name={ACCOUNT}", expect=200)
    _approved(story, change)
    (item,) = steward.get(f"change-requests/{change['uid']}/")["items"]
    record = steward.get(f"suppliers/{item['uid']}/")
    british = {"account_number": SHORT, "country": "GB", "bank_code": "309089"}
    accounts = [{"uid": record["bank_accounts"][0]["uid"], "iban": TYPED}, british]
    patch = {"bank_accounts": accounts, "_reason": "Letter of the supplier."}
    _approved(story, requester.patch(f"suppliers/{record['uid']}/", patch, version=record["version"]))
    lines = json.dumps({"system": "hub", "key": "B1", "legal_name": "Bulk Canary", "country": "DE",
                        "bank_accounts": [{"iban": IBAN, "account_number": ACCOUNT}]})  # fmt: skip
    sent = {"content": lines.encode(), "headers": {"Content-Type": "application/x-ndjson", "Idempotency-Key": "bulk-1"}}
    job = steward.call("POST", "suppliers/bulk/", expect=202, **sent)
    story.finished(job["uid"])
    for form in ("csv", "ndjson"):
        answer = steward.http.get("suppliers/export/", params={"format": form})
        assert answer.status_code == 200 and "Canary" in answer.text
    steward.get(f"suppliers/{record['uid']}/history/")
    steward.get(f"suppliers/{record['uid']}/provenance/")
    return str(record["uid"])


def _approved(story: Story, change: Any) -> None:
    """By whoever its steps ask for, until it is in force."""
    for _ in range(6):
        seen = story.by("approver").get(f"change-requests/{change['uid']}/")
        if seen["state"] == "applied":
            return
        role = next(step["role"] for step in seen["steps"] if step["state"] == "open")
        story.approve(change, role)
    pytest.fail(f"still {seen['state']}: {seen['steps']}")


# --- the web UI -------------------------------------------------------------------------------------------------------


@contextmanager
def _visitor(story: Story, role: str) -> Iterator[httpx.Client]:
    """A browser without script, signed in."""
    username, password = story.passwords[role]
    with httpx.Client(base_url=story.hub.base_url, follow_redirects=True, timeout=30, trust_env=False) as browser:
        browser.get("/login/")
        answer = _send(browser, "/login/", {"username": username, "password": password})
        assert answer.status_code == 200 and "Sign in" not in answer.text[:3000]
        yield browser


def _send(browser: httpx.Client, path: str, fields: dict[str, Any]) -> httpx.Response:
    token = browser.cookies.get("csrftoken") or ""
    return browser.post(path, data={"csrfmiddlewaretoken": token, **fields}, headers={"Referer": str(browser.base_url)})


def _by_the_form(story: Story) -> None:
    """Typed, looked at, kept as a draft, sent; with a search for the same number in between."""
    fields = {
        "legal_name": "Formular Canary GmbH", "country": "DE", "reason": "Needed.", "bank_accounts-0-uid": "",
        "bank_accounts-0-iban": SPACED, "bank_accounts-0-account_number": ACCOUNT, "bank_accounts-0-verification": "unverified",
    }  # fmt: skip
    new = "/records/suppliers/new/"
    with _visitor(story, "requester") as browser:
        browser.get(new)
        assert _send(browser, "/records/suppliers/similar/", fields).status_code == 200
        _send(browser, new, {**fields, "bank_accounts-0-iban": MISTYPED, "action": "preview"})
        _send(browser, new, {**fields, "action": "preview"})
        assert _send(browser, new, {**fields, "action": "save"}).status_code == 200
        sent = _send(browser, new, {**fields, "legal_name": "Formular Canary II GmbH", "action": "submit"})
        assert sent.status_code == 200 and "/requests/" in str(sent.url), sent.text[:3000]
        assert canary.hits(NUMBERS, [("the request's page", sent.content)]) == []
        for query in (IBAN, SPACED, ACCOUNT):
            assert browser.get("/search/", params={"q": query}).status_code == 200
        browser.get("/records/suppliers/", params={"q": IBAN})
        browser.cookies.delete("mdm_session")  # the session ends while somebody is typing
        _send(browser, new, {**fields, "legal_name": "Formular Canary III GmbH", "action": "submit"})


def _merge(story: Story) -> None:
    steward = story.by("steward")
    left, right = (steward.get("crosswalks/", system="hub", key=key)["results"][0]["uid"] for key in ("C1", "C3"))
    body = {"survivor": left, "losers": [right], "reason": "The same account."}
    steward.post("suppliers/merge/preview/", {"survivor": left, "losers": [right]})
    _approved(story, steward.post("suppliers/merge/", body, expect=202))
    pairs = steward.all("duplicates/", state="open")
    if pairs:
        pair = pairs[0]
        steward.get(f"suppliers/{pair['left']['uid']}/why/{pair['right']['uid']}/")


# --- the platforms ----------------------------------------------------------------------------------------------------


def _settled(story: Story) -> None:
    """Everything is sent to every platform: refused, lost without an answer, read back, and arrived."""
    from sync.models import Subscription

    operator = story.by("operator")
    Subscription.objects.update(creates=True)
    for code in story.sides:
        job = operator.post(f"targets/{code}/push/", {}, expect=202)["job"]
        asked = operator.get(f"push-jobs/{job}/")
        if asked["state"] == "waiting":  # more than one person may send alone
            story.by("steward").post(f"push-jobs/{job}/approve/", {"content_hash": asked["content_hash"]})
    rows = _once_quiet(story)
    assert {"rejected", "posted"} <= {row["state"] for row in rows}
    for item in operator.all("exceptions/", state="open"):
        operator.post(f"exceptions/{item['uid']}/retry/")
    rows = _once_quiet(story)
    outcomes = {attempt["outcome"] for row in rows for attempt in operator.get(f"deliveries/{row['uid']}/")["attempts"]}
    assert {"refused", "ambiguous"} <= outcomes, outcomes


def _once_quiet(story: Story) -> Any:
    from sync.models import PushJob
    from sync.models.job import LIVE

    def quiet() -> Any:
        asked = PushJob.objects.filter(state__in=LIVE).exists()
        waiting = sum(target["queue"]["open"] for target in story.by("operator").all("targets/"))
        rows = story.by("operator").all("deliveries/")
        return rows if not asked and not waiting and {row["target"] for row in rows} == set(story.sides) else None

    return until(quiet, "everything was sent", 75)


def _drift(story: Story, uid: str) -> None:
    """Somebody changed an account inside the ERP; it is found, masked, and adopted with two approvals."""
    side = story.sides["s4hana"]
    key, name = next(
        (key, name)
        for key, fields in side.records().items()
        for name, value in fields.items()
        if name.endswith(".IBAN") and value == TYPED
    )
    side.mutate(key, name, DRIFTED)
    story.look("s4hana")
    found = story.by("operator").all("drift-findings/", target="s4hana", record=uid, state="open")
    (finding,) = [row for row in found if row["field"].endswith("IBAN")]
    assert (finding["golden"], finding["target_value"]) == (
        f"{TYPED[:4]}…{TYPED[-4:]}",
        f"{DRIFTED[:4]}…{DRIFTED[-4:]}",
    )
    adopted = story.by("steward").post(
        f"drift-findings/{finding['uid']}/adopt/", {"reason": "They moved their account."}
    )
    _approved(story, {"uid": adopted["change_request"]})
    record = story.by("steward").get(f"suppliers/{uid}/")
    assert finding["target_value"] in {account["iban"] for account in record["bank_accounts"]}


def _seen_by_those_who_may(story: Story, uid: str) -> None:
    """Treasury reveals the numbers with a reason: shown once, on record that they were, and nowhere stored."""
    with _visitor(story, "treasury") as browser:
        page = f"/records/suppliers/{uid}/"
        assert canary.hits(NUMBERS, [("the record's page", browser.get(page).content)]) == []
        shown = _send(browser, f"{page}reveal/", {"reason": "Call-back before the first payment."})
        assert DRIFTED in shown.text.replace(" ", "") and shown.headers["Cache-Control"] == "no-store"
