"""The page Mappings: coverage of a pair of charts, gaps with proposals that open the form, findings with their rows."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from dimensions.models import GLAccount
from dimensions.selectors import coverage
from dimensions.services import mappings
from mdm.models import ChangeRequest
from mdm.selectors import records
from mdm.services import changes
from mdm.services.changes import ProposedItem
from tests.people import SETUP, auto_approve, make
from tests.web.visitors import browser, queries, read

pytestmark = pytest.mark.django_db
URL = reverse("dimensions:mappings")
MOST_QUERIES = 22


@pytest.fixture(autouse=True)
def fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mappings, "_KEPT", mappings._Kept())


@pytest.fixture
def mara() -> Client:
    return browser("mara", "steward")


@pytest.fixture
def charts() -> None:
    for code in ("GROUP", "LOCAL"):
        make("chart_of_accounts", code=code, name=f"Chart {code}")
    for number, name in (("400000", "Raw materials"), ("470000", "Travel"), ("490000", "Telephone"), ("491000", "Odd")):
        account("GROUP", number, name)
    for number, name in (("5100", "Materials"), ("6650", "Travel"), ("6805", "Telephones")):
        account("LOCAL", number, name)


def account(chart: str, number: str, name: str, **values: Any) -> dict[str, Any]:
    return make("gl_account", code=f"{chart}/{number}", chart=chart, number=number, name=name, kind="expense", **values)


def row(source: str | None, target: str, code: str, **values: Any) -> dict[str, Any]:
    given = {"name": f"Row {code}", "source_chart": "GROUP", "target_chart": "LOCAL", "kind": "explicit", "code": code}
    return make("gl_mapping", **{**given, "source": source, "target": target, **values})


def test_an_empty_hub_says_what_to_do(mara: Client) -> None:
    page = read(mara, URL)
    assert "There are no charts of accounts yet" in page and "Propose a chart" in page
    make("chart_of_accounts", code="GROUP", name="Group")
    assert "Choose two charts" in read(mara, URL)
    page = read(mara, f"{URL}?from=GROUP&to=GROUP")
    assert "There is nothing to map yet" in page and "GROUP has nothing in use" in page
    assert "Choose two charts" in read(mara, f"{URL}?from=NONE&to=GROUP"), "a chart that is none counts as none"


def test_coverage_gaps_and_what_is_led_astray(mara: Client, charts: None) -> None:
    row("400000", "5100", "R-1")
    row("470000", "9999", "R-2")
    page = read(mara, URL)
    found = coverage.of(mappings.Pair("gl_mapping", "GROUP", "LOCAL"), timezone.localdate())
    assert dict(found.mapped) == {"400000": "5100"} and found.unmapped == ["490000", "491000"]
    assert [(one.account.number, one.target, one.target_account) for one in found.astray] == [("470000", "9999", None)]
    assert "Led astray" in page and "The chart has no such account" in page
    gaps = page.split('id="unmapped"')[1].split("</section>")[0]
    assert "490000" in gaps and "491000" in gaps and "400000" not in gaps


def test_a_gap_opens_the_form_with_what_is_known_and_closes(mara: Client, charts: None) -> None:
    row("400000", "5100", "R-1")
    page = read(mara, URL)
    links = re.findall(r'href="([^"]+source=490000[^"]*)"', page)
    address = links[-1].replace("&amp;", "&")
    assert {name: value[0] for name, value in parse_qs(urlsplit(address).query).items()} == {
        "name": "Telephone", "source_chart": "GROUP", "target_chart": "LOCAL", "kind": "explicit", "source": "490000",
        "target": "6805",
    }  # fmt: skip
    odd = re.findall(r'href="([^"]+source=491000[^"]*)"', page)
    assert "target=" in odd[0] and "target=" not in odd[-1], "what is hardly likely is offered, not filled in"
    form = read(mara, address)
    for value in ('value="490000"', 'value="6805"', 'value="Telephone"', "explicit"):
        assert value in form
    auto_approve("web")
    typed = {"name": "Telephone", "source_chart": "GROUP", "target_chart": "LOCAL", "kind": "explicit", "source": "490000",
             "target": "6805", "order": "0", "action": "submit"}  # fmt: skip
    assert mara.post(reverse("web:record-new", args=["gl-mappings"]), typed).status_code == 302
    assert coverage.of(mappings.Pair("gl_mapping", "GROUP", "LOCAL"), timezone.localdate()).unmapped == [
        "470000",
        "491000",
    ]
    wrong = mara.post(reverse("web:record-new", args=["gl-mappings"]), {**typed, "source": "49*"})
    assert wrong.status_code == 422 and "not written as explicit" in wrong.content.decode()


def test_retired_and_ended_targets_are_told_apart(mara: Client, charts: None) -> None:
    row("400000", "5100", "R-1")
    row("470000", "6650", "R-2")
    auto_approve("system")
    for code, patch in (("LOCAL/5100", None), ("LOCAL/6650", {"valid_to": "2024-01-01"})):
        uid = str(GLAccount.objects.get(code=code).uid)
        item = ProposedItem(type="gl_account", uid=uid, action="update" if patch else "retire", patch=patch)
        assert changes.propose(items=[item], by=SETUP, origin="system").state == "applied"
    page = read(mara, URL)
    assert "It is retired" in page and "It has ended" in page


def test_findings_name_their_rows(mara: Client, charts: None) -> None:
    first = row("400000..409999", "5100", "R-1", kind="between")
    row("400000..409999", "6650", "R-2", kind="between", order=5)
    row("400000", "5100", "R-3")
    page = read(mara, URL).split('id="findings"')[1]
    assert "Unreachable" in page and "always goes before it" in page
    assert reverse("web:record", args=["gl-mappings", first["uid"]]) in page
    assert "exceptions to a rule" in page and "Shadowed" in page.split("<details")[1]


def test_nothing_wrong_and_nothing_open_reads_so(mara: Client, charts: None) -> None:
    row("4*", "5100", "R-1", kind="like")
    page = read(mara, URL)
    assert "Everything has a row" in page and "Nothing: every row wins somewhere" in page


def test_many_gaps_are_paged(mara: Client, charts: None) -> None:
    for number in range(30):
        account("GROUP", f"7{number:05}", f"Account {number}")
    first = read(mara, f"{URL}?from=GROUP&to=LOCAL")
    assert "25 accounts shown, 34 accounts in all" in first and "cursor=2" in first
    second = read(mara, f"{URL}?from=GROUP&to=LOCAL&cursor=2")
    assert "700029" in second and "700029" not in first and "9 accounts shown" in second
    assert "700029" in read(mara, f"{URL}?from=GROUP&to=LOCAL&cursor=99999")
    assert "700029" not in read(mara, f"{URL}?from=GROUP&to=LOCAL&cursor=x")


def test_too_many_rules_are_not_judged_while_somebody_waits(
    mara: Client, charts: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(coverage, "MOST_JUDGED", 1)
    row("40*", "5100", "R-1", kind="like")
    row("47*", "6650", "R-2", kind="like")
    assert "There are too many rows to judge while a page is drawn." in read(mara, URL)


def test_who_may_only_read_is_told_why(charts: None) -> None:
    page = read(browser("jonas", "auditor"), f"{URL}?from=GROUP&to=LOCAL")
    assert "Your role may not propose GL mappings" in page and "record-new" not in page
    assert "source=490000" not in page
    assert not ChangeRequest.objects.filter(origin="web").exists()
    read(browser("nobody"), URL, status=403)


def test_the_rail_leads_to_it(mara: Client) -> None:
    assert f'href="{URL}"' in read(mara, reverse("web:dashboard"))


def test_queries_do_not_grow(mara: Client, charts: None) -> None:
    row("400000", "5100", "R-1")
    few = queries(mara, URL)
    for number in range(12):
        account("GROUP", f"8{number:05}", f"Account {number}")
        row(f"8{number:05}", "5100" if number % 2 else "77", f"R-9{number}")
        row(f"8{number:05}", "5100", f"R-8{number}", order=number)
    assert queries(mara, URL) <= few + 1 <= MOST_QUERIES
    assert (
        records.current_document("gl_account", GLAccount.objects.get(code="GROUP/400000").uid)["name"]
        == "Raw materials"
    )
