"""Proposing in the browser: the form of every type, errors at their fields, nothing lost, nothing hidden lost."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from mdm import registry
from mdm.models import ChangeRequest
from mdm.models.access import EntityScope
from mdm.selectors import records
from tests import people
from tests.people import make, person, supplier

pytestmark = pytest.mark.django_db

IBAN = "DE89370400440532013000"


@pytest.fixture
def nora() -> Client:
    return signed_in("nora", "requester")


def signed_in(name: str, *roles: str) -> Client:
    client = Client()
    client.force_login(person(name, *roles))
    return client


def edit_url(document: dict[str, Any]) -> str:
    return reverse("web:record-edit", args=["suppliers", document["uid"]])


def fields(html: str) -> dict[str, str]:
    """What a browser would post of the form, as its fields stand."""
    import html as entities

    form = html.split('<form class="form" id="propose"')[1].split("</form>")[0]
    found: dict[str, str] = {}
    for tag in re.findall(r"<input [^>]*>", form):
        told = dict(re.findall(r'([\w-]+)="([^"]*)"', tag))
        if told.get("name") and (told.get("type") != "checkbox" or " checked" in tag):
            found[told["name"]] = entities.unescape(told.get("value", ""))
    for name, text in re.findall(r'<textarea [^>]*name="([^"]+)"[^>]*>([^<]*)</textarea>', form):
        found[name] = entities.unescape(text)
    for name, inside in re.findall(r'<select [^>]*name="([^"]+)"[^>]*>(.*?)</select>', form, re.DOTALL):
        chosen = re.search(r'<option value="([^"]*)" selected', inside)
        found[name] = entities.unescape(chosen[1]) if chosen else ""
    found.pop("csrfmiddlewaretoken", None)
    return found


@pytest.mark.parametrize("path", ["suppliers", "legal-entities", "payment-terms"])
def test_every_type_has_its_form(nora: Client, path: str) -> None:
    answer = nora.get(reverse("web:record-new", args=[path]))
    kind = registry.find(path)
    assert answer.status_code == 200 and kind
    names = fields(answer.content.decode())
    lists = {child.name for child in kind.children}
    assert {name for name in kind.document.model_fields if name not in lists} - set(names) <= {
        "from_end_of_month",
        "siblings",
    }


def test_new_record_goes_to_its_approvers(nora: Client) -> None:
    url = reverse("web:record-new", args=["payment-terms"])
    answer = nora.post(
        url, {"name": "21 days net", "net_days": "21", "code": "NET21", "action": "submit", "reason": "New"}
    )
    change = ChangeRequest.objects.get()
    assert answer.url == reverse("web:request", args=[10_000 + change.pk])  # type: ignore[attr-defined]
    assert (change.state, change.kind, change.origin, change.reason) == ("in_review", "create", "web", "New")
    assert change.items.get().detail["code"] == "NET21"


def test_errors_stand_at_their_fields_and_nothing_is_lost(nora: Client) -> None:
    typed = {
        "legal_name": "", "trade_names": "One\nTwo", "country": "XX", "action": "submit",
        "tax_registrations-0-uid": "", "tax_registrations-0-scheme": "", "tax_registrations-0-number": "",
        "addresses-0-uid": "", "addresses-0-kind": "registered", "addresses-0-city": "",
        "bank_accounts-0-uid": "", "bank_accounts-0-iban": "DE00123", "bank_accounts-0-holder": "Ada",
        "bank_accounts-0-verification": "unverified",
    }  # fmt: skip
    answer = nora.post(reverse("web:record-new", args=["suppliers"]), typed)
    html = answer.content.decode()
    assert answer.status_code == 422 and not ChangeRequest.objects.exists()
    for name in ("legal_name", "country", "bank_accounts-0-iban"):
        assert f'href="#{name}"' in html and f'id="{name}-error"' in html
    again = fields(html)
    assert again["trade_names"] == "One\nTwo" and again["bank_accounts-0-holder"] == "Ada"
    assert again["bank_accounts-0-iban"] == "DE00123"


def test_rows_come_and_go_without_script(nora: Client) -> None:
    document = supplier(addresses=[{"kind": "registered", "city": "Bonn"}, {"kind": "remit_to", "city": "Kiel"}])
    page = fields(nora.get(edit_url(document)).content.decode())
    more = fields(nora.post(edit_url(document), page | {"add": "contacts"}).content.decode())
    assert "contacts-0-email" in more
    typed = more | {"contacts-0-email": "a@b.example", "remove": "addresses-0"}
    less = fields(nora.post(edit_url(document), typed).content.decode())
    gone = document["addresses"][0]["uid"]
    assert (
        less["ended"] == f"addresses/{gone}" and less["addresses-0-city"] == "Kiel" and "addresses-1-city" not in less
    )
    html = nora.post(edit_url(document), less | {"action": "preview"}).content.decode()
    assert "What you send" in html and not ChangeRequest.objects.filter(origin="web").exists()
    nora.post(edit_url(document), fields(html) | {"action": "submit"})
    paths = {change["path"] for change in ChangeRequest.objects.get(origin="web").items.get().changes}
    assert f"addresses/{gone}" in paths and len(paths) == 2


def test_nothing_is_sent_that_was_not_seen(nora: Client) -> None:
    document = supplier()
    page = fields(nora.get(edit_url(document)).content.decode()) | {"website": "https://one.example"}
    seen = fields(nora.post(edit_url(document), page | {"action": "preview"}).content.decode())
    answer = nora.post(edit_url(document), seen | {"website": "https://two.example", "action": "submit"})
    assert answer.status_code == 200 and not ChangeRequest.objects.filter(origin="web").exists()


def test_masked_numbers_come_back_unchanged(nora: Client) -> None:
    document = supplier(bank_accounts=[{"iban": IBAN, "holder": "Ada"}])
    html = nora.get(edit_url(document)).content.decode()
    assert IBAN not in html and "DE89…3000" in html
    page = fields(html) | {"bank_accounts-0-holder": "Ada Ltd", "reason": "New name"}
    preview = nora.post(edit_url(document), page | {"action": "preview"}).content.decode()
    nora.post(edit_url(document), fields(preview) | {"action": "submit"})
    [change] = ChangeRequest.objects.get(origin="web").items.get().changes
    assert change["path"].endswith("/holder")


def test_rows_of_other_companies_are_not_shown_and_not_lost() -> None:
    for code in ("E1", "E2"):
        make("legal_entity", code=code, name=code, country="DE", currency="EUR")
    document = supplier(extensions=[{"legal_entity": "E1"}, {"legal_entity": "E2", "withholding_tax": "secret"}])
    EntityScope.objects.create(user=person("otto", "requester"), legal_entity="E1")
    otto = signed_in("otto")
    html = otto.get(edit_url(document)).content.decode()
    assert "secret" not in html and 'value="E2"' not in html
    page = fields(html) | {"legal_name": "Renamed GmbH"}
    preview = otto.post(edit_url(document), page | {"action": "preview"}).content.decode()
    assert "secret" not in preview
    otto.post(edit_url(document), fields(preview) | {"action": "submit"})
    [change] = ChangeRequest.objects.get(origin="web").items.get().changes
    assert change["path"] == "legal_name"
    hidden = document["extensions"][1]["uid"]
    guessed = otto.post(edit_url(document), page | {"ended": f"extensions/{hidden}", "action": "preview"})
    assert guessed.status_code == 422
    foreign = page | {"extensions-1-uid": "", "extensions-1-legal_entity": "E2", "action": "preview"}
    answer = otto.post(edit_url(document), foreign)
    assert answer.status_code == 422 and "not one of yours" in answer.content.decode()


def test_a_record_that_moved_keeps_what_was_typed(nora: Client) -> None:
    people.auto_approve("system")
    document = supplier(website="https://old.example", currency="EUR")
    page = fields(nora.get(edit_url(document)).content.decode()) | {"website": "https://mine.example"}
    theirs = {"website": "https://theirs.example", "currency": "USD"}
    item = people.changes.ProposedItem(type="supplier", uid=document["uid"], patch=theirs)
    people.changes.propose(items=[item], by=people.SETUP, origin="system")
    answer = nora.post(edit_url(document), page | {"action": "preview"})
    again = fields(answer.content.decode())
    assert answer.status_code == 422 and "https://theirs.example" in answer.content.decode()
    assert (again["website"], again["currency"], again["version"]) == ("https://mine.example", "USD", "2")
    assert nora.post(edit_url(document), again | {"action": "preview"}).status_code == 200


def test_parent_is_found_by_code_or_words(nora: Client) -> None:
    for name in ("Nordlicht Holding AG", "Nordlicht Handel GmbH"):
        supplier(legal_name=name)
    url = reverse("web:record-new", args=["suppliers"])
    many = nora.post(url, {"legal_name": "Tochter GmbH", "parent": "nordlicht", "action": "submit"})
    html = many.content.decode()
    assert many.status_code == 422 and "2 suppliers fit" in html and html.count("Nordlicht Holding AG") >= 2
    nora.post(url, {"legal_name": "Tochter GmbH", "parent": "nordlicht holding", "action": "submit"})
    [item] = ChangeRequest.objects.get(origin="web").items.all()
    parent = next(change["after"] for change in item.changes if change["path"] == "parent")
    assert records.current_document("supplier", parent)["legal_name"] == "Nordlicht Holding AG"


def test_a_field_is_checked_as_it_is_left(nora: Client) -> None:
    url = reverse("web:record-new", args=["suppliers"]) + "?check=1"
    typed = {"legal_name": "Ada GmbH", "country": "XX", "contacts-0-uid": "", "contacts-0-email": "no"}
    for name in ("country", "contacts-0-email"):
        html = nora.post(url, typed, headers={"HX-Request": "true", "HX-Trigger-Name": name}).content.decode()
        assert f'id="{name}-error"' in html and html.count("<label") == 1
    fine = nora.post(url, typed, headers={"HX-Request": "true", "HX-Trigger-Name": "legal_name"}).content.decode()
    assert "error" not in fine and 'value="Ada GmbH"' in fine


def test_similar_records_while_typing(nora: Client) -> None:
    known = supplier(legal_name="Caprice Electronique SAS", country="FR")
    url = reverse("web:similar", args=["suppliers"])
    html = nora.post(
        url, {"legal_name": "Caprice Électronique S.A.S.", "country": "FR", "addresses-0-uid": ""}
    ).content.decode()
    assert known["code"] in html and "Open the existing record" in html
    wrong = nora.post(
        url, {"legal_name": "Caprice Électronique S.A.S.", "country": "XX", "parent": "nobody"}
    ).content.decode()
    assert known["code"] in wrong, "a value that is not valid yet is left out of the search"
    assert nora.post(url, {"legal_name": ""}).status_code == 200


def test_a_draft_is_kept_changed_sent_and_discarded(nora: Client) -> None:
    url = reverse("web:record-new", args=["suppliers"])
    typed = {"legal_name": "Ada GmbH", "bank_accounts-0-uid": "", "bank_accounts-0-iban": IBAN, "reason": "x"}
    nora.post(url, typed | {"action": "save"})
    change = ChangeRequest.objects.get()
    assert change.state == "draft"
    again = f"{url}?request={10_000 + change.pk}"
    page = fields(nora.get(again).content.decode())
    assert page["bank_accounts-0-iban"] == "DE89…3000"
    nora.post(again, page | {"legal_name": "Ada AG", "action": "submit"})
    change.refresh_from_db()
    item = change.items.get()
    assert change.state == "in_review" and item.label == "Ada AG"
    assert any(c["path"].startswith("bank_accounts/") for c in item.changes)
    other = nora.post(url, typed | {"action": "save"})
    number = re.search(r"(\d+)/$", other.url)[1]  # type: ignore[attr-defined, index]
    nora.post(f"{url}?request={number}", {"action": "discard", "next": "/records/suppliers/"})
    assert ChangeRequest.objects.order_by("-pk")[0].state == "withdrawn"


def test_only_who_may_propose_gets_the_form() -> None:
    assert signed_in("jonas", "auditor").get(reverse("web:record-new", args=["suppliers"])).status_code == 403
