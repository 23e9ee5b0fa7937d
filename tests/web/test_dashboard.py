"""The dashboard: on an empty hub, with work on it, and always with the same number of queries."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.core.cache import cache
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from mdm import registry
from mdm.models import ChangeRequest
from mdm.selectors import metrics
from mdm.services import changes
from mdm.web import dashboard_parts
from tests.people import SETUP, actor, make, person, propose, supplier

pytestmark = pytest.mark.django_db

QUERIES = 44


def signed_in(name: str, *roles: str) -> Client:
    client = Client()
    client.force_login(person(name, *roles))
    return client


def look(client: Client) -> tuple[str, int]:
    cache.clear()
    with CaptureQueriesContext(connection) as caught:
        answer = client.get(reverse("web:dashboard"))
    assert answer.status_code == 200
    return answer.content.decode(), len(caught)


def work() -> list[ChangeRequest]:
    """Records of which some are whole, and requests that wait."""
    make("payment_term", code="NET30", name="30 days", net_days=30)
    nora = actor("nora", "requester")
    return [propose(supplier(payment_terms="NET30"), nora, website=f"https://{n}.example") for n in range(4)]


def test_empty_hub_says_so() -> None:
    html, _ = look(signed_in("mara", "steward"))
    for words in ("Nothing waits for you", "Nothing is stuck", "Nothing has been sent yet", "Nothing has changed yet"):
        assert words in html


def test_queries_do_not_grow_with_the_work() -> None:
    mara = signed_in("mara", "steward")
    look(mara)
    _, empty = look(mara)
    work()
    html, full = look(mara)
    assert "4 wait for you" in html
    assert full <= QUERIES, f"{full} queries"
    work_more = [propose(supplier(), actor("nora", "requester"), website="https://x.example") for _ in range(3)]
    assert work_more and look(mara)[1] == full
    assert empty <= full


def test_late_requests_are_told() -> None:
    late = work()[0]
    ChangeRequest.objects.filter(pk=late.pk).update(due_at=timezone.now() - timedelta(days=1))
    html, _ = look(signed_in("mara", "steward"))
    assert "1 late" in html and "1 request is late" in html


def test_people_without_sync_see_their_own_work_only() -> None:
    work()
    html, _ = look(signed_in("nora", "requester"))
    assert "Refused by a platform" not in html and "Nothing waits for you" in html


def test_quality_counts_parts_that_are_filled_and_hold() -> None:
    kind = registry.get("supplier")
    make("payment_term", code="NET30", name="30 days", net_days=30)
    whole: dict[str, Any] = {
        "payment_terms": "NET30",
        "group": "north",
        "addresses": [{"kind": "registered", "city": "Bonn"}],
    }
    supplier(**whole)
    half = supplier(payment_terms="NET30")
    names = metrics.parts(kind)
    assert set(names) == {"country", "group", "payment_terms", *(child.name for child in kind.children)}
    found = metrics.quality(kind)
    assert (found.records, sum(found.holds.values())) == (2, 4 + 2)
    assert found.score == round(100 * 6 / (len(names) * 2), 1)
    assert found.days[-1] == (timezone.localdate(), found.score) and found.days[0][1] is None
    term = registry.get("payment_term").model._default_manager.get(code="NET30")
    retire = changes.ProposedItem(type="payment_term", action="retire", uid=str(term.uid), plan={"keep": "They end."})
    changes.propose(items=[retire], by=SETUP, origin="system")
    assert metrics.quality(kind).holds["payment_terms"] == 0
    assert half["uid"]


def test_cycle_time_is_the_median_of_what_people_decided() -> None:
    mara = actor("mara", "steward")
    for change, hours in zip(work()[:3], (1, 2, 30), strict=True):
        changes.approve(change=change, by=mara, content_hash=change.content_hash)
        sent = timezone.now() - timedelta(hours=hours)
        ChangeRequest.objects.filter(pk=change.pk).update(submitted_at=sent, applied_at=timezone.now())
    now = timezone.now()
    found = metrics.cycle_times(now - timedelta(days=1), now + timedelta(minutes=1))
    assert set(found) == {"change"} and abs(found["change"] - 7200) < 60
    assert [dashboard_parts.duration(seconds) for seconds in (4, 720, 27_000, 111_600)] == [
        "4 s",
        "12 min",
        "7.5 h",
        "31 h",
    ]


def test_who_may_not_see_what_is_sent_is_told_nothing_about_it() -> None:
    html, _ = look(signed_in("rita", "requester"))
    for words in ("Deliveries per day", "Drift by field", "Audit log"):
        assert words not in html
    html, _ = look(signed_in("jonas", "auditor"))
    for words in ("Deliveries per day", "Drift by field", "Audit log"):
        assert words in html
