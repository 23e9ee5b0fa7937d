"""The page Check a coding: a line before and after a date, why its account, rules in words; many lines as table and file."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse

from dimensions import demo
from dimensions.models import AskedBatch, ChartUse, CodingRule
from dimensions.services import coded_records, coding_rules, mappings
from mdm.models import AuditEntry, ChangeRequest
from tests.people import auto_approve, make, system
from tests.web.visitors import browser, queries, read

pytestmark = pytest.mark.django_db
URL, TABLE = reverse("dimensions:codings"), reverse("dimensions:codings-table")
MOST_QUERIES = 34


@pytest.fixture(autouse=True)
def fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (mappings, coding_rules, coded_records):
        monkeypatch.setattr(module, "_KEPT", module._Kept())


@pytest.fixture
def mara() -> Client:
    return browser("mara", "steward")


@pytest.fixture
def house() -> None:
    """The demo's companies, charts and rules, and the ERP that books in the charts of the countries."""
    auto_approve("system")
    system("s4hana", title="S/4HANA")
    demo.load(lambda words: None)


def asked(client: Client, **values: str) -> str:
    given = {"system": "s4hana", "legal_entity": "NH10", "posting_date": "2026-06-15", "gl_account": "471000"}
    return read(client, f"{URL}?{urlencode({**given, **values})}")


def test_an_empty_hub_shows_the_form(mara: Client) -> None:
    page = read(mara, URL)
    assert "Check it" in page and "Nothing: every rule can apply" in page and 'id="outcome"' not in page


def test_a_line_before_and_after_the_date(mara: Client, house: None) -> None:
    before = asked(mara, project="P-QUAY7", gl_account="400000", cost_center="DE-2100", posting_date="2026-01-31")
    assert "It may not be posted on 31 Jan 2026" in before
    assert "Project P-QUAY7 is not valid on 2026-01-31, but from 2026-02-01 on." in before
    during = asked(mara, project="P-QUAY7", gl_account="400000", cost_center="DE-2100")
    assert "It may be posted on 15 Jun 2026" in during and ">5100<" in during
    after = asked(mara, project="P-QUAY7", gl_account="400000", cost_center="DE-2100", posting_date="2027-07-01")
    assert "Project P-QUAY7 is not valid on 2027-07-01; it ended on 2027-07-01." in after


def test_it_says_why_this_account_and_which_rules(mara: Client, house: None) -> None:
    unmapped = asked(mara, cost_center="DE-2100", tax_code="NL-V-STD", amount="200")
    assert "It may not be posted" in unmapped and "Tax code NL-V-STD has no code in S/4HANA" in unmapped, (
        "no key, no mapping"
    )
    page = asked(mara, cost_center="DE-2100", tax_code="DE-V-STD", amount="200")
    assert ">V1<" in page, "by the mapping of tax codes"
    assert "NH-GROUP → NH-DE" in page and "like 47* wins" in page and "not valid on 2026-06-15, but from" in page
    assert "Costs need a cost center" in page and "Keeps it" in page and "Tax codes of Germany" in page
    assert "38.00 EUR" in page and "S/4HANA has no key of its own" in page
    missing = asked(mara)
    assert "Name the cost center that bears these costs." in missing and "Breaks it" in missing
    assert not AskedBatch.objects.exists() and not ChangeRequest.objects.filter(origin="web").exists(), "a look"


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ({"gl_account": "140000", "cost_center": "DE-2100"}, "This account stands in the balance sheet"),
        ({"cost_center": "DE-2100", "tax_code": "FR-V-STD"}, "Expenses of companies in Germany take input tax of Germany."),
        ({"legal_entity": "NH20", "cost_center": "FR-3100", "tax_code": "DE-V-STD"}, "in France take input tax of France."),
        ({"legal_entity": "NH30", "cost_center": "GB-3100", "tax_code": "DE-V-STD"}, "take input tax of Great Britain."),
        ({"cost_center": "DE-2100", "project": "P-QUAY7"}, "travel goes to a cost center alone"),
        ({"cost_center": "FR-3100"}, "Cost center FR-3100 belongs to NH20, not to NH10."),
        ({"legal_entity": "NH20", "cost_center": "FR-3100", "project": "P-QUAY7", "gl_account": "400000"},
         "Project P-QUAY7 belongs to NH10, not to NH20."),
    ],
)  # fmt: skip
def test_the_demos_rules_in_three_countries(mara: Client, house: None, line: dict[str, str], words: str) -> None:
    assert words in asked(mara, **line)


def test_the_demo_has_sound_rules_and_keeps_what_governance_said(mara: Client, house: None) -> None:
    assert CodingRule.objects.count() == 7 and "Nothing: every rule can apply" in read(mara, URL)
    ChartUse.objects.filter(system="s4hana", legal_entity="NH20").update(chart="NH-GROUP")
    demo.load(lambda words: None)
    assert CodingRule.objects.count() == 7
    assert ChartUse.objects.get(system="s4hana", legal_entity="NH20").chart == "NH-GROUP"


def test_dimensions_of_the_groups_own_have_names_and_values_to_choose(mara: Client, house: None) -> None:
    make("dimension", code="OUTLET", name="Sales outlet")
    make("dimension_value", dimension="OUTLET", value="WEB", name="Web shop")
    page = asked(mara, OUTLET="WEB")
    assert "Sales outlet" in page and ">OUTLET<" not in page
    assert "Web shop" in page and "OUTLET has no value" not in page
    assert "OUTLET has no value NONE" in asked(mara, OUTLET="NONE")


def test_rules_that_make_no_sense_are_shown(mara: Client) -> None:
    conditions = [{"side": "when", "dimension": "account_kind", "codes": "costs"}]
    made = make("coding_rule", name="Wrong word", message="No.", conditions=conditions)
    page = read(mara, URL)
    assert "It never applies: it is for account kind costs" in page
    assert reverse("web:record", args=["coding-rules", made["uid"]]) in page


def test_what_cannot_be_read_is_said_at_its_field(mara: Client) -> None:
    page = read(mara, f"{URL}?legal_entity=NH10&posting_date=tomorrow&amount=much")
    for words in ("Write a day as 2026-01-31.", "Write an amount as 1234.50.", "This field is needed."):
        assert words in page
    assert 'id="outcome"' not in page
    assert mara.get(f"{URL}?system=mars&legal_entity=NH10&gl_account=1").status_code == 422


LINES = "gl_account\tcost_center\tlegal_entity\n400000\tDE-2100\t\n400000\t\tNH10\n480000\tFR-3100\tNH20\n"


def test_many_lines_are_pasted(mara: Client, house: None) -> None:
    given = {"system": "s4hana", "legal_entity": "NH10", "posting_date": "2026-06-15", "text": LINES}
    answer: Any = mara.post(TABLE, given)
    page = answer.content.decode()
    assert answer.status_code == 200 and "1 of 3 lines may not be posted" in page
    assert "Name the cost center" in page and ">5100<" in page and ">613200<" in page
    exported: Any = mara.post(TABLE, {**given, "action": "export"})
    rows = b"".join(exported.streaming_content).decode("utf-8-sig").splitlines()
    assert "attachment" in exported["Content-Disposition"] and rows[0].startswith("line,valid,errors,legal_entity")
    assert rows[1].startswith("1,yes,,NH10,2026-06-15,400000,DE-2100") and rows[1].endswith("5100,NH-DE,1,,,")
    assert rows[2].startswith("2,no,Name the cost center") and len(rows) == 4
    file = SimpleUploadedFile("lines.csv", LINES.replace("\t", ";").encode())
    assert "1 of 3 lines may not be posted" in mara.post(TABLE, {**given, "text": "", "file": file}).content.decode()
    assert not AskedBatch.objects.exists()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "Paste a table, or choose a file"),
        ("gl_account\n", "no line below them"),
        ("account,cost_center\n1,2", "There is no column “account” in a coding."),
        ("cost_center\n2", "A column gl_account is needed"),
        ("gl_account,gl_account\n1,2", "is there twice"),
        ("gl_account\n" + "1\n" * 1001, "These are 1,001 lines; 1,000 are checked at once."),
    ],
)
def test_a_table_that_is_none_is_refused(mara: Client, text: str, words: str) -> None:
    answer: Any = mara.post(TABLE, {"text": text, "legal_entity": "NH10"})
    assert answer.status_code == 422 and words in answer.content.decode()


def test_a_formula_in_a_line_stays_text_in_the_file(mara: Client) -> None:
    text = "gl_account,cost_center,legal_entity\n=1+1,@x,NH10"
    exported: Any = mara.post(TABLE, {"text": text, "action": "export", "posting_date": "2026-06-15"})
    assert "'=1+1,'@x" in b"".join(exported.streaming_content).decode()


def test_who_has_no_role_sees_nothing_and_queries_do_not_grow(mara: Client, house: None) -> None:
    for url in (URL, TABLE):
        read(browser("nobody"), url, status=403)
    here = f"{URL}?" + urlencode(
        {"system": "s4hana", "legal_entity": "NH10", "gl_account": "471000", "cost_center": "DE-2100"}
    )
    assert queries(mara, here) <= MOST_QUERIES and queries(mara, TABLE) <= 16
    assert f'href="{URL}"' in read(mara, reverse("web:dashboard"))


def test_governance_says_which_chart_is_booked_in_and_it_is_put_down() -> None:
    make("chart_of_accounts", code="GROUP", name="Group")
    client = browser("gove", "governance")
    client_user = client.get(reverse("web:dashboard")).wsgi_request.user
    client_user.is_staff = True
    client_user.save()
    url = reverse("admin:dimensions_chartuse_add")
    assert client.post(url, {"system": "", "legal_entity": "", "chart": "NONE"}).status_code == 200
    assert not ChartUse.objects.exists()
    assert client.post(url, {"system": "", "legal_entity": "", "chart": "GROUP"}).status_code == 302
    assert str(ChartUse.objects.get()) == "the hub, every company: GROUP"
    assert AuditEntry.objects.filter(action="configuration.added", object_type="chartuse").count() == 1
    assert browser("mara", "steward").get(url).status_code in (302, 403)
