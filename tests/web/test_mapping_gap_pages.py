"""Codes asked for and not mapped as work items of the page Mappings, and the matrix with the trace behind its cells."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from dimensions.models import MappingGap
from dimensions.services import asking, mappings
from dimensions.services.asking import Asked
from mdm.models import ChangeRequest
from mdm.services import crosswalks
from tests.people import make, system
from tests.web.visitors import browser, queries, read

pytestmark = pytest.mark.django_db
URL = reverse("dimensions:mappings")
MATRIX, TRACE = reverse("dimensions:mapping-matrix"), reverse("dimensions:mapping-trace")
PROPOSE, DISMISS, UNDO = (reverse(f"dimensions:mapping-gaps-{name}") for name in ("propose", "dismiss", "undo"))
TODAY = timezone.localdate()


@pytest.fixture(autouse=True)
def charts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mappings, "_KEPT", mappings._Kept())
    for code in ("GROUP", "LOCAL"):
        make("chart_of_accounts", code=code, name=f"Chart {code}")
    for number, name in (("400000", "Raw materials"), ("470000", "Travel"), ("490000", "Telephone"), ("491000", "Odd")):
        account("GROUP", number, name)
    for number, name in (("5100", "Raw materials"), ("6650", "Travel"), ("6805", "Telephones")):
        account("LOCAL", number, name)


@pytest.fixture
def mara() -> Client:
    return browser("mara", "steward")


def account(chart: str, number: str, name: str, **values: Any) -> None:
    make("gl_account", code=f"{chart}/{number}", chart=chart, number=number, name=name, kind="expense", **values)


def row(source: str | None, target: str, code: str, **values: Any) -> dict[str, Any]:
    given = {"name": f"Row {code}", "source_chart": "GROUP", "target_chart": "LOCAL", "kind": "explicit", "code": code}
    return make("gl_mapping", **{**given, "source": source, "target": target, **values})


def ask(
    *codes: str, times: int = 1, kind: str = "gl_mapping", source: str = "GROUP", target: str = "LOCAL"
) -> list[str]:
    asking.note(gaps=[Asked(kind, source, target, {}, TODAY, dict.fromkeys(codes, times))], by="Coupa")
    return [str(MappingGap.objects.get(code=code, mapping=kind).pk) for code in codes]


def words(page: str) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", page).split())


def section(by: Client, query: str = "?from=GROUP&to=LOCAL") -> str:
    page = read(by, URL + query)
    return words(page.split('id="asked"')[1].split("</section>")[0]) if 'id="asked"' in page else ""


def test_what_was_asked_for_waits_most_asked_first(mara: Client) -> None:
    assert section(mara) == ""
    ask("490000", times=2)
    ask("999", times=7)
    found = section(mara)
    assert found.index("999") < found.index("490000") and "Coupa" in found and "6805 Telephones" in found
    assert "no gl account in use" in found.lower() and "Propose their best targets" in found
    row("999", "5100", "R-1")
    found = section(mara)
    assert "490000" in found and " 999 " not in found, "what a row answers is no work any more"


def test_several_are_proposed_as_one_request(mara: Client) -> None:
    chosen = ask("490000", "470000", "491000")
    answer = mara.post(PROPOSE, {"uid": chosen}, follow=True)
    change = ChangeRequest.objects.get(origin="web")
    patches = {item.label: {c["path"]: c["after"] for c in item.changes} for item in change.items.all()}
    made = {(one["source"], one["target"], one["kind"], one["name"]) for one in patches.values()}
    assert {("490000", "6805", "explicit", "Telephone"), ("470000", "6650", "explicit", "Travel")} <= made
    text = words(answer.content.decode())
    assert change.number in text and change.state == "in_review"
    nothing = mara.post(PROPOSE, {"uid": ask("ÄÖÜ")})
    assert nothing.status_code == 422 and "Nothing is like any of these codes" in nothing.content.decode()
    assert ChangeRequest.objects.filter(origin="web").count() == 1


def test_dismissing_needs_a_reason_and_is_undone(mara: Client) -> None:
    chosen = ask("490000")
    assert mara.post(DISMISS, {"uid": chosen}).status_code == 422
    assert MappingGap.objects.get().state == "open"
    assert mara.post(DISMISS, {"uid": chosen, "reason": "Closed last year"}).status_code == 302
    assert "1 dismissed code" in section(mara) and "490000" not in section(mara)
    dismissed = section(mara, "?from=GROUP&to=LOCAL&asked=dismissed")
    assert "Closed last year" in dismissed and "Mara" in dismissed and "Bring back" in dismissed
    assert mara.post(UNDO, {"uid": chosen}).status_code == 302 and "490000" in section(mara)


def test_missing_keys_are_listed(mara: Client) -> None:
    ask("CC-9", kind="cost_center", source="", target="sap")
    text = words(read(mara, URL + "?from=GROUP&to=LOCAL"))
    assert "Keys asked for and not there" in text and "Cost center CC-9 the hub → sap 1" in text
    assert mara.post(DISMISS, {"uid": [str(MappingGap.objects.get().pk)], "reason": "No"}).status_code == 404


@pytest.mark.parametrize("role", ["requester", "auditor", "integrator"])
def test_only_stewards_decide(role: str) -> None:
    by, chosen = browser(f"one-{role}", role), ask("490000")
    assert "490000" in section(by)
    for url in (PROPOSE, DISMISS, UNDO):
        assert by.post(url, {"uid": chosen, "reason": "No"}).status_code == 403
    assert MappingGap.objects.get().state == "open" and not ChangeRequest.objects.filter(origin="web").exists()


def test_nothing_selected_and_odd_numbers_are_refused(mara: Client) -> None:
    for given in ([], ["x"], ["99999999999999999999"], ["123456789"]):
        assert mara.post(PROPOSE, {"uid": given}).status_code == 404


def test_tax_codes_of_a_system_have_the_page_too(mara: Client) -> None:
    sap = system("sap")
    first, second = (
        make("tax_code", code=c, name=n, country="DE", kind="input", rate="19")
        for c, n in (("V19", "Input 19"), ("V7", "Input 7"))
    )
    make("tax_code", code="V0", name="None", country="DE", kind="input", rate="0")
    crosswalks.link(system=sap, type="tax_code", key="K7", uid=second["uid"])
    make("tax_code_mapping", name="T", system="sap", kind="explicit", source="V19", target="A1")
    ask("V0", kind="tax_code_mapping", source="", target="sap")
    page = read(mara, f"{URL}?kind=tax_code_mapping&to=sap")
    text = words(page)
    assert "67 % … of" not in text and "V0" in section(mara, "?kind=tax_code_mapping&to=sap")
    gaps = words(page.split('id="unmapped"')[1].split("</section>")[0])
    assert "V0" in gaps and "V19" not in gaps and "V7" not in gaps
    assert reverse("web:record", args=["tax-codes", first["uid"]]) not in page
    assert "Choose a system" in read(mara, f"{URL}?kind=tax_code_mapping&to=")
    matrix = words(read(mara, f"{MATRIX}?kind=tax_code_mapping"))
    assert "A1" in matrix and "K7 by its key" in matrix and "gap" in matrix


# --- matrix and trace ---------------------------------------------------------------------------------------------------


def test_the_matrix_shows_every_target_with_its_gaps(mara: Client) -> None:
    make("chart_of_accounts", code="OTHER", name="Other")
    row("400000", "5100", "R-1", conditions=[{"dimension": "legal_entity", "codes": "NH10"}])
    row("47*", "9999", "R-2", kind="like")
    row("49*", "6650", "R-3", kind="like", flip=True, valid_from="2099-01-01")
    page = read(mara, f"{MATRIX}?from=GROUP")
    text = words(page)
    assert "LOCAL · 4 open" in text and "OTHER · 4 open" in text and "9999 not in use" in text
    text = words(read(mara, f"{MATRIX}?from=GROUP&legal_entity=NH10&on=2099-06-01"))
    assert (
        "LOCAL · 1 open" in text and "5100" in text and "−6650" in text and "On 1 Jun 2099, legal entity NH10" in text
    )
    assert "q=400000" in page and "on=" in page
    found = words(read(mara, f"{MATRIX}?from=GROUP&q=trav"))
    assert "470000" in found and "400000" not in found
    assert "No code is like that" in read(mara, f"{MATRIX}?from=GROUP&q=zzz")


def test_the_number_of_queries_of_the_matrix_is_fixed(mara: Client) -> None:
    row("400000", "5100", "R-1")
    few = queries(mara, f"{MATRIX}?from=GROUP")
    for number in range(4):
        make("chart_of_accounts", code=f"C{number}", name=f"C{number}")
        row("47*", "1", f"R-1{number}", kind="like", target_chart=f"C{number}")
        account("GROUP", f"70000{number}", f"Account {number}")
    for number in range(60):
        row(f"8{number:05}", "5100", f"R-8{number}")
    assert queries(mara, f"{MATRIX}?from=GROUP") <= few <= 20


def test_a_trace_tells_why(mara: Client) -> None:
    first = row("470000", "6660", "R-1", valid_from="2099-01-01")
    row("47*", "6650", "R-2", kind="like")
    page = read(mara, f"{TRACE}?from=GROUP&to=LOCAL&q=470000")
    text = words(page)
    assert "470000 becomes 6650" in text and "By R-2" in text and "not valid on" in text
    assert reverse("web:record", args=["gl-mappings", first["uid"]]) in page
    assert "470000 becomes 6660" in words(read(mara, f"{TRACE}?from=GROUP&to=LOCAL&q=470000&on=2099-02-01"))
    nothing = read(mara, f"{TRACE}?from=GROUP&to=LOCAL&q=49")
    assert "49 becomes nothing" in words(nothing) and "source=49" in nothing
    assert "Type a code" in read(mara, f"{TRACE}?from=GROUP&to=LOCAL")


def test_reading_is_enough_for_both(charts: None) -> None:
    by = browser("jonas", "auditor")
    assert "400000" in read(by, f"{MATRIX}?from=GROUP") and "becomes nothing" in words(
        read(by, f"{TRACE}?from=GROUP&to=LOCAL&q=1")
    )
    read(browser("nobody"), MATRIX, status=403)
    read(browser("nobody"), TRACE, status=403)
