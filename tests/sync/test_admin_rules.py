"""Governance of rules, owners, alert routes and freeze windows in the admin: wrong ones are refused in words."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from mdm.models import AuditEntry
from sync.models import AlertRoute, ExceptionOwner, FreezeWindow, OutcomeRule, Target
from tests.api.callers import person
from tests.sync import world

pytestmark = pytest.mark.django_db
INLINE = {"owners-TOTAL_FORMS": 0, "owners-INITIAL_FORMS": 0}
RULE = {
    "name": "Closed period", "active": "on", "position": 10, "match": "contains", "pattern": "period is closed",
    "category": "business", "hint": "Wait for the next period.", "tries": 0, "min_wait_s": 30, "max_wait_s": 60, **INLINE,
}  # fmt: skip


@pytest.fixture
def admin() -> Client:
    user = person("governance")
    user.is_staff = True
    user.save()
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture
def target() -> Target:
    return world.target("coupa", "http://127.0.0.1:9")


def test_a_rule_is_made_with_its_owner_and_is_on_record(admin):
    owner = {
        "owners-TOTAL_FORMS": 1, "owners-0-legal_entity": "NH10", "owners-0-type": "supplier", "owners-0-role": "operator",
        "owners-0-sla_hours": 4,
    }  # fmt: skip
    saved = admin.post(reverse("admin:sync_outcomerule_add"), {**RULE, **owner})
    assert saved.status_code == 302, saved.context["adminform"].form.errors
    made = OutcomeRule.objects.get(name="Closed period")
    assert (made.owners.get().role, made.owners.get().sla_hours) == ("operator", 4)
    assert AuditEntry.objects.filter(action="configuration.added", object_label="Closed period").exists()


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"match": "like", "pattern": "***"}, "would fit everything"),
        ({"match": "like", "pattern": "*a" * 11}, "At most 10 stars"),
        ({"pattern": "a*b"}, "only where the words are like"),
        ({"category": "self_healing"}, "before a steward is asked"),
        ({"max_wait_s": 5}, "not shorter than the shortest"),
        ({"tries": 51}, "At most 50"),
    ],
)
def test_a_rule_that_makes_no_sense_is_refused(admin, wrong, words):
    answer = admin.post(reverse("admin:sync_outcomerule_add"), {**RULE, **wrong})
    assert answer.status_code == 200 and words in answer.content.decode()
    assert not OutcomeRule.objects.filter(name="Closed period").exists()


def test_an_owner_is_somebody_who_may_act(admin):
    auditor, steward = person("auditor"), person("steward")
    add = reverse("admin:sync_exceptionowner_add")
    assert "Name a role or a person" in admin.post(add, {"type": "supplier"}).content.decode()
    assert admin.post(add, {"type": "supplier", "person": auditor.pk}).status_code == 200
    assert admin.post(add, {"type": "supplier", "person": steward.pk, "sla_hours": 4}).status_code == 302
    assert ExceptionOwner.objects.get(type="supplier").person == steward


def test_the_secret_of_a_webhook_is_shown_once_and_kept_sealed(admin):
    add = reverse("admin:sync_alertroute_add")
    offered = admin.get(add).context["adminform"].form["secret"].value()
    values = {"channel": "webhook", "url": "https://duty.example/hook", "active": "on"}
    assert admin.post(add, values).status_code == 200, "never unsigned"
    answer = admin.post(add, {**values, "secret": offered})
    assert answer.status_code == 302, answer.context["adminform"].form.errors
    route = AlertRoute.objects.get()
    assert offered.startswith("whsec_") and route.secret == offered
    change = reverse("admin:sync_alertroute_change", args=[route.pk])
    html = admin.get(change).content.decode()
    assert route.secret not in html
    values = {"channel": "webhook", "url": "https://duty.example/other", "active": "on"}
    assert admin.post(change, values).status_code == 302
    kept = AlertRoute.objects.get()
    assert (kept.secret, kept.url) == (route.secret, "https://duty.example/other")
    assert route.secret.encode() not in bytes(kept.sealed_secret)
    assert route.secret not in str(list(AuditEntry.objects.values("detail", "object_label")))
    for wrong in ("whsec_short", "whsec_YQ=="):
        assert admin.post(change, {**values, "secret": wrong}).status_code == 200


@pytest.mark.parametrize(
    "wrong",
    [
        {"channel": "webhook"}, {"channel": "email"}, {"channel": "email", "role": "operator", "url": "https://a.example"},
        {"channel": "webhook", "url": "https://a.example", "role": "operator"},
        {"channel": "webhook", "url": "ftp://a.example", "secret": "whsec_" + "A" * 40},
        {"channel": "webhook", "url": "https://169.254.169.254/", "secret": "whsec_" + "A" * 40},
        {"channel": "email", "address": "nobody"},
    ],
)  # fmt: skip
def test_a_route_that_leads_nowhere_is_refused(admin, wrong):
    assert admin.post(reverse("admin:sync_alertroute_add"), {**wrong, "active": "on"}).status_code == 200
    assert not AlertRoute.objects.exists()


def test_a_window_is_made_by_whoever_is_signed_in_and_lifted_but_never_changed(admin, target):
    now = timezone.now()
    add = reverse("admin:sync_freezewindow_add")

    def at(when) -> dict[str, str]:
        return {"0": f"{when:%Y-%m-%d}", "1": f"{when:%H:%M:%S}"}

    begins, ends = at(now + timedelta(hours=1)), at(now + timedelta(hours=9))
    values = {
        "target": target.pk, "type": "", "entities": "NH10, NH20", "blocks_flow": "on", "reason": "Quarter close",
        **{f"starts_at_{n}": value for n, value in begins.items()}, **{f"ends_at_{n}": value for n, value in ends.items()},
    }  # fmt: skip
    backwards = {**values, "ends_at_0": f"{now - timedelta(days=2):%Y-%m-%d}"}
    refused = admin.post(add, backwards)
    assert refused.status_code == 200 and "ends after it begins" in refused.content.decode()
    saved = admin.post(add, values)
    assert saved.status_code == 302, saved.context["adminform"].form.errors
    window = FreezeWindow.objects.get()
    assert (window.entities, window.reason) == (["NH10", "NH20"], "Quarter close") and window.made_by
    change = reverse("admin:sync_freezewindow_change", args=[window.pk])
    assert admin.get(change).status_code == 200 and admin.post(change, {**values, "reason": "x"}).status_code == 403
    assert admin.post(reverse("admin:sync_freezewindow_delete", args=[window.pk])).status_code == 403
    lift = {"action": "lift", "_selected_action": [window.pk]}
    assert admin.post(reverse("admin:sync_freezewindow_changelist"), lift).status_code == 302
    window.refresh_from_db()
    assert window.lifted_at and AuditEntry.objects.filter(action="freeze.lifted").exists()


def test_only_governance_comes_in(target):
    user = person("operator")
    user.is_staff = True
    user.save()
    client = Client()
    client.force_login(user)
    for name in ("outcomerule", "exceptionowner", "alertroute", "freezewindow"):
        assert client.get(reverse(f"admin:sync_{name}_changelist")).status_code == 403
