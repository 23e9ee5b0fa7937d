"""Governance of targets in the admin: wrong settings are refused in words. Credentials: test_admin_targets.py."""

from __future__ import annotations

import pytest
from django.db import IntegrityError
from django.test import Client
from django.urls import reverse

from mdm.models import System
from sync.models import Subscription, Target, ValueMapRow
from tests.api.callers import person

pytestmark = pytest.mark.django_db


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
    system = System.objects.create(code="coupa", title="Coupa", mark="CP")
    made = Target(code="coupa", title="Coupa", connector="coupa", system=system, base_url="https://coupa.example")
    made.set_secret("hush-hush")
    made.save()
    return made


def form_of(client: Client, url: str) -> dict[str, str]:
    page = client.get(url)
    form = page.context["adminform"].form
    values = {name: form[name].value() for name in form.fields}
    values["options"] = "{}"
    for inline in page.context["inline_admin_formsets"]:
        values |= {
            f"{inline.formset.prefix}-{name}": number for name, number in (("TOTAL_FORMS", 0), ("INITIAL_FORMS", 0))
        }
    return {name: value for name, value in values.items() if value is not None and value is not False}


def test_wrong_settings_are_refused(admin, target):
    url = reverse("admin:sync_target_change", args=[target.pk])
    answer = admin.post(url, {**form_of(admin, url), "rate_per_s": "0"})
    assert answer.status_code == 200 and "above nought" in answer.content.decode()
    add = reverse("admin:sync_subscription_add")
    base = {"target": target.pk, "from_seq": 0, "creates": "on", "active": "on"}
    for more, words in (
        ({"type": "payment_term", "filter": "{}"}, "takes no payment term"),
        ({"type": "supplier", "filter": '["DE"]'}, "such as"),
    ):
        answer = admin.post(add, {**base, **more})
        assert answer.status_code == 200 and words in answer.content.decode(), more
    assert admin.post(add, {**base, "type": "supplier", "filter": '{"country": ["DE"]}'}).status_code == 302
    assert Subscription.objects.get().filter == {"country": ["DE"]}


def test_a_value_map_row_names_who_changed_it(admin, target):
    values = {"target": target.pk, "table": "payment_terms", "ours": "NET37", "theirs": "Net 30"}
    assert admin.post(reverse("admin:sync_valuemaprow_add"), values).status_code == 302
    assert ValueMapRow.objects.get().updated_by


def test_only_governance_comes_in(target):
    user = person("operator")
    user.is_staff = True
    user.save()
    client = Client()
    client.force_login(user)
    assert client.get(reverse("admin:sync_target_change", args=[target.pk])).status_code == 403


def test_the_database_refuses_a_credential_in_plain(target):
    with pytest.raises(IntegrityError, match="no_credential_in_options"):
        Target.objects.update(options={"refresh_token": "let-me-in"})


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("sftp://coupa.example:2222/inbox", "another server"),
        ("https://coupa.example/api?tenant=7", ""),
        ("ftp://files.example", "valid URL"),
        ("file:///etc", "valid URL"),
        ("http://coupa.example", "Give an https address"),
        ("https://10.0.0.1/", "no public address"),
        ("https://mdm:pass@coupa.example/", "credentials have fields"),
    ],
)
def test_an_address_is_one_a_connector_can_speak_to(admin, target, address, words):
    url = reverse("admin:sync_target_change", args=[target.pk])
    saved = admin.post(url, {**form_of(admin, url), "base_url": address})
    assert (saved.status_code == 302) is not bool(words) and words in saved.content.decode()
    target.refresh_from_db()
    assert (target.base_url == address) is not bool(words)
