"""Stewarding in the browser: views of the queue, disputes, relations, any two records compared, clusters, candidates."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from mdm import registry
from mdm.models import ChangeRequest, DuplicatePair, MatchDecision
from mdm.services import judging
from mdm.types import Document
from mdm.web import kept_forms
from mdm.web.latin import is_latin, romanise
from tests.people import actor, auto_approve, person, propose, supplier
from tests.web.test_propose import fields
from tests.web.visitors import browser, page_of, queries, read

pytestmark = pytest.mark.django_db
QUEUE = "/duplicates/"
COMPARE_QUERIES, CLUSTER_QUERIES = 30, 24
IBAN = "DE89370400440532013000"
STREET = {"kind": "registered", "lines": ["Am Kai 5"], "city": "Kiel", "postal_code": "24103", "country": "DE"}
NAMES = ("Förde Feinkost GmbH", "FÖRDE FEINKOST", "Förde Feinkost Gesellschaft mbH", "Förde-Feinkost GmbH")


@pytest.fixture
def mara() -> Client:
    return browser("mara", "steward")


def family(count: int = 2, **more: Any) -> list[Document]:
    return [supplier(legal_name=name, addresses=[STREET], **more) for name in NAMES[:count]]


def pair(one: Document, other: Document) -> DuplicatePair:
    left, right = sorted((one["uid"], other["uid"]))
    return DuplicatePair.objects.get(left=left, right=right)


def at(one: DuplicatePair, view: str = "duplicate") -> str:
    return reverse(f"web:{view}", args=[one.uid])


def compare_url(*documents: Document) -> str:
    return "/records/suppliers/compare/?" + "&".join(f"uid={document['uid']}" for document in documents)


# --- the pair and the queue -------------------------------------------------------------------------------------------


def test_the_page_says_why_it_stands_here_and_what_would_have_to_differ(mara: Client) -> None:
    html = read(mara, at(pair(*family(contacts=[{"role": "primary", "phone": "+49 431 998877"}]))))
    assert "Why it stands here in the queue" in html and "× confidence" in html
    assert "What would have to differ" in html and "fall below" in html
    assert "same phone, shared by 2 suppliers" in html


def test_views_count_what_waits_in_them(mara: Client) -> None:
    one, other, third = family(3)
    judging.decide(pair=pair(one, other), judgement="unsure", by=actor("mara", "steward"))
    judging.assign(pair=pair(one, third), to=person("mara"), by=actor("mara", "steward"))
    html = read(mara, QUEUE)
    assert 'To judge <span class="count">2</span>' in html and 'Unsure <span class="count">1</span>' in html
    assert 'Mine <span class="count">1</span>' in html and "Disputed" not in html.split("Pairs where")[0]
    mine = read(mara, f"{QUEUE}?assigned=me")
    assert at(pair(one, third)) in mine and at(pair(other, third)) not in mine


def test_people_who_differ_are_shown_and_a_lead_steward_settles(mara: Client) -> None:
    chosen = pair(*family())
    judging.decide(pair=chosen, judgement="different", by=actor("anna", "steward"))
    mara.post(at(chosen, "duplicate-decide"), {"judgement": "same", "seen": chosen.evidence_hash})
    html = read(mara, at(chosen) + "?dispute=any&state=")
    assert "Stewards disagree" in html and "Anna: different; Mara: the same" in html and 'name="settle"' not in html
    assert at(chosen) in read(mara, f"{QUEUE}?dispute=any&state=")
    lena = browser("lena", "lead_steward")
    assert 'name="settle"' in read(lena, at(chosen))
    lena.post(at(chosen, "duplicate-decide"), {"judgement": "same", "settle": "on", "reason": "One register entry"})
    chosen.refresh_from_db()
    assert (chosen.state, chosen.dispute) == ("same", "")
    assert "which settled the dispute" in read(lena, at(chosen))


def test_a_relation_is_said_with_its_request(mara: Client) -> None:
    chosen = pair(*family())
    mara.post(at(chosen, "duplicate-decide"), {"judgement": "related:parent"})
    change = ChangeRequest.objects.get(state="in_review")
    html = read(mara, at(chosen))
    assert "judged them of the same group" in html and change.number in html
    back = mara.post(at(chosen, "duplicate-undo"))
    assert back.status_code == 302
    change.refresh_from_db()
    assert change.state == "withdrawn"


def test_what_follows_names_the_judgements_it_follows_from(mara: Client) -> None:
    one, other, third = family(3)
    judging.decide(pair=pair(one, other), judgement="same", by=actor("mara", "steward"))
    judging.decide(pair=pair(other, third), judgement="different", by=actor("mara", "steward"))
    html = read(mara, at(pair(one, third)))
    assert "Nobody needs to judge this: they differ" in html and "It follows from" in html
    assert at(pair(one, other)) in html and at(pair(other, third)) in html
    assert at(pair(one, third)) not in read(mara, QUEUE)


def test_a_contradiction_shows_all_its_judgements(mara: Client) -> None:
    one, other, third = family(3)
    for sides, judgement in (((one, other), "same"), ((other, third), "same"), ((one, third), "different")):
        judging.decide(pair=pair(*sides), judgement=judgement, by=actor("mara", "steward"))
    html = read(mara, at(pair(one, other)))
    assert "Judgements contradict one another" in html
    assert at(pair(other, third)) in html and at(pair(one, third)) in html


def test_why_it_came_back(mara: Client) -> None:
    phone = {"contacts": [{"role": "primary", "phone": "+49 431 998877"}]}
    one, other = family(**phone)
    judging.decide(pair=pair(one, other), judgement="different", by=actor("anna", "steward"))
    auto_approve("web")
    row = other["contacts"][0]["uid"]
    propose(other, actor("rita", "requester"), contacts=[{"uid": row, "phone": "+49 431 112233"}])
    html = read(mara, at(pair(one, other)))
    assert "It came back on" in html and "Phone changed since anna said different" in html
    assert at(pair(one, other)) in read(mara, f"{QUEUE}?reopened=yes")


def test_one_account_two_names_is_no_merge_and_not_for_everybody(mara: Client) -> None:
    account = {"bank_accounts": [{"iban": IBAN}]}
    one = supplier(legal_name="Alpenblick Catering GmbH", **account)
    other = supplier(legal_name="Zylinder Motoren SARL", country="FR", **account)
    warning = pair(one, other)
    html = read(mara, at(warning))
    assert "Why do these share a bank account?" in html and "Preview merge" not in html and IBAN not in html
    assert at(warning) in read(mara, f"{QUEUE}?kind=account")
    nora = browser("nora", "requester")
    assert at(warning) not in read(nora, f"{QUEUE}?kind=account")
    read(nora, at(warning), 404)
    assert at(warning) in read(browser("tom", "treasury"), QUEUE)


def test_other_letters_are_read_in_latin_ones(mara: Client) -> None:
    one, other = (
        supplier(legal_name=name, country="BG", addresses=[STREET])
        for name in ("Ромашка Логистика", "Romashka Logistika")
    )
    html = read(mara, at(pair(one, other)))
    assert "Show in Latin letters" in html and '<span class="latin">Romashka Logistika</span>' not in html
    assert '<span class="latin">Romashka Logistika</span>' in read(mara, at(pair(one, other)) + "?latin=1")


@pytest.mark.parametrize(
    ("text", "latin"),
    [
        ("ООО Ромашка", "OOO Romashka"),
        ("Müller & Søn", "Müller & Søn"),
        ("ΑΦΟΙ Παπαδόπουλοι", "AFOI Papadopouloi"),
        ("", ""),
    ],
)
def test_romanising(text: str, latin: str) -> None:
    assert romanise(text) == latin and is_latin(latin)


def test_a_pair_is_given_and_given_back(mara: Client) -> None:
    chosen = pair(*family())
    person("anna", "steward")
    assert mara.post(at(chosen, "duplicate-assign"), {"to": "anna"}).status_code == 302
    chosen.refresh_from_db()
    assert chosen.assigned_to == person("anna") and "Anna looks at this pair" in read(mara, at(chosen))
    assert mara.post(at(chosen, "duplicate-assign"), {"to": "nobody-here"}).status_code == 422
    mara.post(at(chosen, "duplicate-assign"), {"to": ""})
    chosen.refresh_from_db()
    assert chosen.assigned_to is None
    assert browser("nora", "requester").post(at(chosen, "duplicate-assign"), {"to": "anna"}).status_code == 403


# --- any records side by side -----------------------------------------------------------------------------------------


def test_any_two_are_compared_and_nothing_is_stored(mara: Client) -> None:
    one = supplier(legal_name="Förde Feinkost GmbH", addresses=[STREET])
    other = supplier(legal_name="Quarz Optik Ltd", country="GB")
    html = read(mara, compare_url(one, other))
    assert "Why the score is 0.0" in html and "points short of being shown to a person" in html
    assert html.count("short of") == 1
    assert "This pair is not in the queue" in html and not DuplicatePair.objects.exists()
    assert compare_url(one).replace("&", "&amp;") in read(mara, f"/records/suppliers/{one['uid']}/")


def test_up_to_five_stand_side_by_side_with_every_two_scored(mara: Client) -> None:
    made = [*family(4), supplier(legal_name="Quarz Optik Ltd", country="GB")]
    html = read(mara, compare_url(*made))
    assert html.count('<tr><th scope="row"><a href') == 10 and '<mark class="same">' in html
    assert "Add a record" not in html
    read(mara, compare_url(*made, supplier()), 422)
    read(mara, compare_url({"uid": "00000000-0000-0000-0000-000000000000"}), 404)
    read(mara, "/records/suppliers/compare/?uid=x", 404)


def test_a_record_is_added_by_code_or_name(mara: Client) -> None:
    one, other = family()
    html = read(mara, f"{compare_url(one)}&add={other['code'].lower()}")
    assert "Why the score is" in html
    supplier(legal_name="Förde Fisch AG")
    offered = read(mara, f"{compare_url(one)}&add=förde")
    assert "Förde Fisch AG" in offered and other["code"] in offered
    assert "No record fits" in read(mara, f"{compare_url(one)}&add=zzz")


def test_types_that_are_not_matched_have_nothing_to_compare(mara: Client) -> None:
    assert registry.get("payment_term").match is None
    read(mara, "/records/payment-terms/compare/", 404)


# --- clusters ---------------------------------------------------------------------------------------------------------


def cluster_url(document: Document, part: str = "") -> str:
    return f"/records/suppliers/{document['uid']}/cluster/{part}"


def test_a_cluster_shows_graph_table_and_what_could_be_merged(mara: Client) -> None:
    one, other, third = family(3)
    judging.decide(pair=pair(one, third), judgement="different", by=actor("mara", "steward"))
    html = read(mara, cluster_url(one))
    wide, narrow = html.split('<svg class="graph')[1:]
    for drawn in (wide, narrow):
        assert drawn.count('class="graph-edge"') == 3 and drawn.count("graph-mark") == 3
    assert narrow.startswith(" graph--narrow") and 'viewBox="0 0 320' in narrow
    assert "Group 1" in html and "1 stands alone" in html and "Pairs of this cluster" in html


def test_a_large_cluster_is_a_table_only(mara: Client) -> None:
    made = [supplier(legal_name=f"Förde Feinkost {'GmbH' * (n % 2)}".strip(), addresses=[STREET]) for n in range(32)]
    html = read(mara, cluster_url(made[0]))
    assert "a graph could not be read" in html and '<svg class="graph' not in html and made[-1]["code"] in html


def test_several_pairs_are_judged_together(mara: Client) -> None:
    made = family(3)
    chosen = [document["uid"] for document in made[:2]]
    url = cluster_url(made[0], "judge/")
    answer = mara.post(url, {"uid": chosen, "judgement": "different", "reason": "Two shops"})
    assert answer.status_code == 302
    assert MatchDecision.objects.get().pair == pair(*made[:2])
    assert mara.post(url, {"uid": chosen[:1], "judgement": "different"}).status_code == 422
    assert mara.post(url, {"uid": chosen, "judgement": "related"}).status_code == 422
    assert browser("nora", "requester").post(url, {"uid": chosen, "judgement": "same"}).status_code == 403
    assert MatchDecision.objects.count() == 1


def test_two_of_a_cluster_go_on_to_the_merge(mara: Client) -> None:
    made = family(3)
    url = cluster_url(made[0], "merge/")
    two = f"?uid={made[0]['uid']}&uid={made[1]['uid']}"
    assert mara.get(url + two).headers["Location"] == at(pair(*made[:2]), "merge")
    assert mara.get(f"{url}{two}&uid={made[2]['uid']}").status_code == 422


# --- candidates elsewhere ---------------------------------------------------------------------------------------------


def test_a_request_shows_what_the_record_as_proposed_may_be(mara: Client) -> None:
    known, _ = family()
    other = supplier(legal_name="Ganz Anders AG", country="DE")
    change = propose(other, actor("rita", "requester"), legal_name="Förde Feinkost GmbH", addresses=[{**STREET}])
    html = read(mara, page_of(change))
    assert known["code"] in html and "not judged" in html


def test_the_form_names_country_status_and_systems_and_asks_before_it_discards() -> None:
    known, _ = family()
    nora = browser("nora", "requester")
    answer = nora.post("/records/suppliers/similar/", {"legal_name": "Förde Feinkost", "country": "DE"})
    html = answer.content.decode()
    assert f"{known['code']}, active, DE, at no system." in html and "names are" in html.lower(), html
    assert "Discard and open it" in html and "What you typed is thrown away" in html
    url = f"/records/suppliers/{known['uid']}/"
    opened = nora.post("/records/suppliers/new/", {"action": "discard", "next": url})
    assert opened.headers["Location"] == url and not ChangeRequest.objects.filter(requester=person("nora")).exists()


def test_a_draft_discarded_for_the_existing_record_is_brought_back_with_everything_typed() -> None:
    known, _ = family()
    nora, new = browser("nora", "requester"), "/records/suppliers/new/"
    typed = {
        "legal_name": "Förde Feinkost", "country": "DE", "reason": "new shop", "trade_names": "One\nTwo",
        "addresses-0-uid": "", "addresses-0-kind": "registered", "addresses-0-city": "Kiel",
        "bank_accounts-0-uid": "", "bank_accounts-0-iban": IBAN, "bank_accounts-0-holder": "Ada",
    }  # fmt: skip
    panel = nora.post("/records/suppliers/similar/", typed).content.decode()
    button = re.search(r'form="propose" formaction="([^"]+)" formnovalidate name="action" value="discard"', panel)
    assert button is not None and known["uid"] in button[1], panel
    opened = nora.post(button[1], typed | {"action": "discard"})
    assert opened.headers["Location"] == f"/records/suppliers/{known['uid']}/"
    sealed = str(dict(nora.session.items()))
    assert "Feinkost" not in sealed and IBAN not in sealed
    html = read(nora, opened.headers["Location"])
    assert "What you typed is discarded." in html and f'action="{new}?back=1"' in html
    again = nora.post(f"{new}?back=1").content.decode()
    shown = fields(again)
    assert {name: shown[name] for name in typed if name in shown and not name.endswith("-uid")} == {
        name: value for name, value in typed.items() if not name.endswith("-uid")
    }
    assert "Bring it back" in read(nora, new) and "Bring it back" not in read(nora, "/records/payment-terms/new/")
    nora.post(new, typed | {"action": "save"})
    assert "Bring it back" not in read(nora, new)


def test_what_was_discarded_is_gone_after_half_an_hour_and_nobody_elses(monkeypatch: pytest.MonkeyPatch) -> None:
    nora, new = browser("nora", "requester"), "/records/suppliers/new/"
    nora.post(new, {"legal_name": "Förde Feinkost", "action": "discard"})
    assert "Förde Feinkost" not in browser("rita", "requester").get(f"{new}?back=1", follow=True).content.decode()
    monkeypatch.setattr(kept_forms, "ASIDE_S", -1)
    answer = nora.get(f"{new}?back=1", follow=True).content.decode()
    assert "It is gone now." in answer and "Förde Feinkost" not in answer


def test_a_kept_draft_that_is_discarded_comes_back_as_a_new_one() -> None:
    nora, new = browser("nora", "requester"), "/records/suppliers/new/"
    nora.post(new, {"legal_name": "Förde Feinkost", "country": "DE", "action": "save"})
    draft = ChangeRequest.objects.get()
    url = f"{new}?request={draft.number[3:]}"
    nora.post(url, fields(read(nora, url)) | {"legal_name": "Förde Feinkost AG", "action": "discard"})
    draft.refresh_from_db()
    assert draft.state == "withdrawn"
    shown = fields(nora.post(f"{new}?back=1").content.decode())
    assert shown["legal_name"] == "Förde Feinkost AG" and "content_hash" not in shown


# --- speed ------------------------------------------------------------------------------------------------------------


def test_queries_do_not_grow(mara: Client) -> None:
    made = family(2)
    few = queries(mara, cluster_url(made[0]))
    side = queries(mara, compare_url(*made))
    made = [*made, *[supplier(legal_name=name, addresses=[STREET]) for name in NAMES[2:]]]
    assert queries(mara, cluster_url(made[0])) == few <= CLUSTER_QUERIES
    with CaptureQueriesContext(connection) as caught:
        read(mara, compare_url(*made))
    assert len(caught) <= COMPARE_QUERIES and side <= COMPARE_QUERIES + 12
