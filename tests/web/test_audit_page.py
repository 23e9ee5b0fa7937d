"""The audit log in the browser: filters that find, labels that lead somewhere, a proof that sees a forged entry."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from mdm.models import AuditEntry
from mdm.services import audit, judging
from tests.people import SETUP, actor, supplier
from tests.web.test_duplicate_pages import twins
from tests.web.test_import_pages import signed_in

pytestmark = pytest.mark.django_db

URL = "web:audit"
QUERIES = 14


@pytest.fixture
def jonas() -> Client:
    return signed_in("jonas", "auditor")


def look(client: Client, **query: str) -> str:
    answer = client.get(reverse(URL), query)
    assert answer.status_code == 200
    return answer.content.decode()


def test_filters_by_area_day_object_and_correlation(jonas: Client) -> None:
    document = supplier(legal_name="Bergbau Nord GmbH")
    entry = AuditEntry.objects.filter(object_uid=document["uid"]).latest("pk")
    today, before = timezone.localdate(), timezone.localdate() - timedelta(days=2)
    assert "Bergbau Nord GmbH" in look(jonas, area="record.")
    assert "No entry fits" in look(jonas, area="token.")
    assert "Bergbau Nord GmbH" in look(jonas, **{"from": str(today), "to": str(today)})
    assert "No entry fits" in look(jonas, to=str(before))
    assert "Bergbau Nord GmbH" in look(jonas, **{"from": "no day"})  # what is no day filters nothing
    assert document["uid"] in look(jonas, object=document["uid"])
    assert "Bergbau Nord GmbH" in look(jonas, correlation=entry.correlation_id)
    assert "No entry fits" in look(jonas, correlation="another")


def test_pairs_are_named_and_lead_to_their_page(jonas: Client) -> None:
    pair, *_ = twins()
    judging.decide(pair=pair, judgement="different", reason="Other town", by=actor("mara", "steward"))
    html = look(jonas, area="pair.")
    assert "judged different" in html and "Nordlicht Papier 1 GmbH" in html and "NORDLICHT-PAPIER 1 Gmbh" in html
    assert reverse("web:duplicate", args=[pair.uid]) in html


def test_bank_numbers_in_details_are_masked(jonas: Client) -> None:
    sealed = {"ct": "c2VjcmV0", "kid": "k1", "bix": "ab12", "head": "DE89", "last4": "3000"}
    audit.record(action="test.kept", by=SETUP, object_type="test", detail={"iban": sealed})
    html = look(jonas, action="test kept")
    assert "DE89…3000" in html and "c2VjcmV0" not in html


def test_the_proof_says_whether_the_log_is_whole(jonas: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    supplier()
    assert "The log is whole" in jonas.post(reverse(URL)).content.decode()
    found = [{"seq": 3, "what": "the entry was changed after it was sealed"}]
    monkeypatch.setattr(audit, "verify", lambda: found)
    html = jonas.post(reverse(URL)).content.decode()
    assert "The chain is broken at 1 place" in html and "At number 3, the entry was changed" in html


def test_pages_go_on_without_counting(jonas: Client) -> None:
    audit_entries = [
        audit.entry(action="test.many", by=SETUP, object_type="test", object_label=f"Entry {n}") for n in range(60)
    ]
    AuditEntry.objects.bulk_create(audit_entries)
    with CaptureQueriesContext(connection) as caught:
        first = look(jonas, action="test.many")
    assert len(caught) <= QUERIES and "Entry 59" in first and "Entry 0<" not in first
    older = first.split('rel="next"')[0].rsplit('href="', 1)[1].split('"')[0].replace("&amp;", "&")
    second = jonas.get(reverse(URL) + older).content.decode()
    assert "Entry 0<" in second and "Entry 59" not in second
