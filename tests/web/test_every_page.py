"""Every page without arguments: opens on an empty hub and on one with data, in a fixed number of queries, for its roles."""

from __future__ import annotations

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from mdm import registry
from mdm.permissions import ROLES
from mdm.services import changes
from tests.people import actor, make_together, person, propose, supplier

pytestmark = pytest.mark.django_db

LISTS = [
    *((reverse("web:records", args=[kind.path]), 22) for kind in registry.all_types()),
    (reverse("web:inbox"), 40),
    (reverse("web:duplicates"), 22),
    (reverse("web:imports"), 16),
    (reverse("web:matching"), 26),
    (reverse("dimensions:hierarchies"), 13),
    (reverse("dimensions:mappings"), 16),
    (reverse("dimensions:codings"), 24),
    (reverse("dimensions:codings-table"), 16),
    (reverse("web:search") + "?q=supplier", 17 + 2 * len(list(registry.all_types()))),
    (reverse("sync:targets"), 24),
    (reverse("sync:deliveries"), 22),
    (reverse("sync:exceptions"), 20),
    (reverse("sync:drift"), 24),
    (reverse("sync:alerts"), 20),
    (reverse("sync:rules"), 20),
    (reverse("sync:dead-letters"), 22),
    (reverse("sync:jobs"), 18),
]
FORMS = [reverse("web:import-new"), *(reverse("web:record-new", args=[kind.path]) for kind in registry.all_types())]
FOR_AUDITORS = reverse("web:audit")


def opened(client, url):
    with CaptureQueriesContext(connection) as queries:
        answer = client.get(url)
    return answer, len(queries)


@pytest.mark.parametrize(("url", "most"), LISTS)
def test_a_list_opens_empty_and_full_in_few_queries(client, url, most):
    client.force_login(person("stan", "steward"))
    answer, _ = opened(client, url)
    assert answer.status_code == 200
    patches = [{"legal_name": f"Supplier number {number} GmbH", "country": "DE"} for number in range(12)]
    for document in make_together("supplier", patches):
        propose(document, actor("rita", "requester"), currency="EUR")
    answer, queries = opened(client, url)
    assert (answer.status_code, queries <= most) == (200, True), queries


@pytest.mark.parametrize("url", FORMS)
def test_a_form_opens(client, url):
    client.force_login(person("stan", "steward"))
    assert client.get(url).status_code == 200


@pytest.mark.parametrize("url", [url for url, _ in LISTS] + FORMS + [FOR_AUDITORS])
def test_nobody_sees_a_page_without_signing_in_or_without_a_role(client, url):
    answer = client.get(url)
    assert (answer.status_code, answer.url.startswith("/login/?next=")) == (302, True)
    client.force_login(person("nobody"))
    assert client.get(url).status_code == 403


@pytest.mark.parametrize("role", ROLES)
def test_the_audit_log_is_for_auditors_and_governance(client, role):
    client.force_login(person(f"a-{role}", role))
    assert client.get(FOR_AUDITORS).status_code == (200 if role in ("auditor", "governance") else 403)


def test_the_audit_log_proves_itself_and_names_what_was_changed(client):
    document = supplier()
    change = propose(document, actor("rita", "requester"), legal_name="Renamed Company")
    changes.approve(change=change, by=actor("stan", "steward"), content_hash=change.content_hash)
    client.force_login(person("jonas", "auditor"))
    page = client.post(FOR_AUDITORS).content.decode()
    assert "The log is whole" in page
    assert "record updated" in page
    found = client.get(FOR_AUDITORS + "?actor=Stan").content.decode()
    assert "request approved" in found and "record updated" not in found


@pytest.mark.parametrize("words", ["renamed comp", "CR-", "code"])
def test_search_finds_records_by_word_beginnings_and_code_and_requests_by_number(client, words):
    document = supplier(legal_name="Renamed Company")
    change = propose(document, actor("rita", "requester"), currency="EUR")
    client.force_login(person("stan", "steward"))
    asked = {"renamed comp": "renamed comp", "CR-": change.number, "code": document["code"]}[words]
    page = client.get(reverse("web:search"), {"q": asked}).content.decode()
    wanted = reverse("web:request", args=[10_000 + change.pk]) if words == "CR-" else document["uid"]
    assert wanted in page


def test_every_page_keeps_the_strict_content_policy(client):
    client.force_login(person("stan", "steward"))
    for url, _ in LISTS:
        answer = client.get(url)
        assert "unsafe-inline" not in answer["Content-Security-Policy"]
        assert b" style=" not in answer.content and b"<script>" not in answer.content


@pytest.mark.parametrize("name", ["target-pause", "target-push", "target-resume", "target-check", "target-drift"])
def test_who_may_only_read_moves_no_target(client, name):
    from mdm.models import System
    from sync.models import Delivery, DriftRun, Target

    system = System.objects.create(code="erp", title="ERP", mark="ER")
    Target.objects.create(code="erp", title="ERP", connector="s4hana", system=system, base_url="http://127.0.0.1:9")
    client.force_login(person("jonas", "auditor"))
    client.post(reverse(f"sync:{name}", args=["erp"]), {"reason": "x"})
    target = Target.objects.get()
    assert (target.paused_at, target.checked_at) == (None, None)
    assert not Delivery.objects.exists() and not DriftRun.objects.exists()
