"""The page of a target in the admin: its credentials go in and never come out, are tried, replaced and brought back."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib.messages import get_messages
from django.test import Client
from django.urls import reverse
from django.utils.html import escape

from mdm.models import AuditEntry
from sync.models import Target
from sync.sandbox import SECRET
from sync.services import connections
from tests.api.callers import person
from tests.sync import world
from tests.sync.postbox import Receiver, running
from tests.sync.sandboxes import Platform, platform
from tests.sync.test_admin import form_of

pytestmark = pytest.mark.django_db
NEW = "a-brand-new-secret"


def signed_in(role: str, **values: Any) -> Client:
    user = person(role, name=f"the-{role}")
    user.is_staff = True
    for name, value in values.items():
        setattr(user, name, value)
    user.save()
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture
def admin() -> Client:
    return signed_in("governance")


@pytest.fixture
def coupa(tmp_path) -> Iterator[Platform]:
    with platform("coupa", tmp_path / "coupa.sqlite") as served:
        yield served


@pytest.fixture
def target(coupa) -> Target:
    return world.target("coupa", coupa.url)


def address(name: str, target: Target | None = None) -> str:
    return reverse(f"admin:sync_target_{name}", args=[target.pk] if target else [])


def told(answer: Any) -> str:
    return " ".join(str(message) for message in get_messages(answer.wsgi_request))


def row() -> dict[str, Any]:
    """Of the one target, without what a try may leave behind in its own columns."""
    return Target.objects.values().get()


# --- testing ------------------------------------------------------------------------------------------------------


def test_what_is_typed_is_tried_and_nothing_of_it_is_kept_or_shown(admin, target, coupa):
    values, before = form_of(admin, address("change", target)), row()
    answer = admin.post(address("try", target), {**values, "secret": NEW, "title": "Another name"})
    page = answer.content.decode()
    assert answer.status_code == 200 and "It does not work." in page and NEW not in page and SECRET not in page
    coupa.sandbox.secret = NEW
    page = admin.post(address("try", target), {**values, "secret": NEW}).content.decode()
    assert "It works." in page and "<html" not in page and "Can be written: the record itself" in page
    assert "Cannot be written: bank accounts" in page
    assert row() == before and NEW not in str(list(AuditEntry.objects.values()))
    assert list(AuditEntry.objects.values_list("action", flat=True)) == ["target.tried"] * 2


def test_what_is_stored_is_tried_when_nothing_is_typed_and_the_result_is_on_the_page(admin, target, coupa):
    page = admin.get(address("change", target)).content.decode()
    assert "Never tested" in page and SECRET not in page
    assert "It works." in admin.post(address("try", target), form_of(admin, address("change", target))).content.decode()
    page = admin.get(address("change", target)).content.decode()
    assert "Never tested" not in page and escape(Target.objects.get().check_message) in page
    assert AuditEntry.objects.get().action == "target.checked"


def test_a_target_is_tried_before_there_is_one(admin, coupa):
    values = {
        "code": "new", "connector": "coupa", "base_url": coupa.url, "client_id": "mdm", "secret": SECRET, "options": "{}",
        "timeout_s": 5,
    }  # fmt: skip
    assert "It works." in admin.post(address("try_new"), values).content.decode()
    page = admin.post(address("try_new"), {**values, "secret": "", "timeout_s": 0}).content.decode()
    assert "Nothing was tried." in page and "above nought" in page
    assert "It does not work." in admin.post(address("try_new"), {**values, "secret": ""}).content.decode()
    assert not Target.objects.exists()


def test_a_mistake_in_the_connection_is_told_and_nobody_is_called(admin, target):
    values = form_of(admin, address("change", target))
    with running(Receiver()) as server:
        page = admin.post(address("try", target), {**values, "base_url": server.url}).content.decode()
        assert "Nothing was tried." in page and "another server" in page
        page = admin.post(address("try", target), {**values, "base_url": "https://169.254.169.254/"}).content.decode()
        assert "no public address" in page
        assert server.calls == []


def test_an_address_inside_that_only_a_name_leads_to_is_refused_when_it_is_called(admin, target, settings):
    """The form asks no name server; the connection does, and checks what it is told."""
    settings.PRIVATE_TARGETS = ()
    values = {**form_of(admin, address("change", target)), "secret": NEW}
    for name in ("base_url", "token_url"):
        page = admin.post(
            address("try", target), {**values, "base_url": "https://localhost:9", name: "https://localhost:9"}
        )
        assert "which is no public address" in page.content.decode()


# --- saving -------------------------------------------------------------------------------------------------------


def test_the_secret_is_never_shown_and_kept_when_left_empty(admin, target):
    url = address("change", target)
    page = admin.get(url).content.decode()
    assert SECRET not in page and 'name="secret"' in page
    values = form_of(admin, url)
    saved = admin.post(url, {**values, "title": "Coupa EU"})
    assert saved.status_code == 302, saved.context["adminform"].form.errors
    target.refresh_from_db()
    assert (target.title, target.secret, target.sealed_previous) == ("Coupa EU", SECRET, None)


def test_a_new_secret_replaces_the_old_one_when_it_works(admin, target, coupa):
    url = address("change", target)
    values, before = form_of(admin, url), row()
    refused = admin.post(url, {**values, "secret": NEW, "title": "Coupa EU"})
    page = refused.content.decode()
    assert refused.status_code == 200 and "Nothing was saved" in page and NEW not in page
    refused = admin.post(url, {**values, "secret": NEW, "use_anyway": "on", "reason": " "})
    assert refused.status_code == 200 and "Say why" in refused.content.decode()
    assert row() == before and not AuditEntry.objects.exists()

    coupa.sandbox.secret = NEW
    saved = admin.post(url, {**values, "secret": NEW, "title": "Coupa EU", "keep_h": "48"})
    assert saved.status_code == 302 and "Credentials stored." in told(saved)
    target.refresh_from_db()
    assert (target.secret, target.previous_secret, target.title) == (NEW, SECRET, "Coupa EU")
    page = admin.get(url).content.decode()
    assert "by the-governance" in page and "Go back to the previous credentials" in page
    assert NEW not in page and SECRET not in page
    assert "the-governance" in str(AuditEntry.objects.get(action="target.credentials_replaced").actor_name)
    assert NEW not in str(list(AuditEntry.objects.values()))
    assert f"since {target.secret_set_at:%d %b %Y}" in admin.get(address("changelist")).content.decode()


def test_one_that_does_not_work_is_used_anyway_for_a_reason(admin, target):
    url = address("change", target)
    values = {**form_of(admin, url), "secret": NEW, "use_anyway": "on", "reason": "Coupa switches at midnight."}
    saved = admin.post(url, values)
    assert saved.status_code == 302 and "Credentials stored." in told(saved)
    target.refresh_from_db()
    assert (target.secret, target.previous_secret, target.check_ok) == (NEW, SECRET, False)
    detail = AuditEntry.objects.get(action="target.credentials_replaced").detail
    assert detail["used_anyway"] == "Coupa switches at midnight."


def test_a_new_target_is_stored_when_it_works(admin, coupa, target):
    values = form_of(admin, address("add"))
    values |= {
        "code": "second", "title": "Second", "connector": "coupa", "system": target.system_id, "base_url": coupa.url,
        "client_id": "mdm", "active": "on",
    }  # fmt: skip
    refused = admin.post(address("add"), {**values, "secret": "wrong"})
    assert refused.status_code == 200 and "Nothing was saved" in refused.content.decode()
    assert not Target.objects.filter(code="second").exists()
    assert admin.post(address("add"), {**values, "secret": SECRET}).status_code == 302
    made = Target.objects.get(code="second")
    assert (made.secret, made.check_ok, made.secret_set_by) == (SECRET, True, "the-governance")
    assert AuditEntry.objects.filter(action="configuration.added", object_label="Second").exists()


def test_another_server_needs_the_credentials_again_and_gets_nothing_without(admin, target, coupa, tmp_path):
    url, before = address("change", target), row()
    values = form_of(admin, url)
    with running(Receiver()) as server:
        refused = admin.post(url, {**values, "base_url": server.url, "use_anyway": "on", "reason": "I want to."})
        assert refused.status_code == 200 and "another server" in refused.content.decode() and server.calls == []
    assert row() == before
    with platform("coupa", tmp_path / "other.sqlite") as other:
        assert admin.post(url, {**values, "base_url": other.url, "secret": SECRET}).status_code == 302
        assert Target.objects.get().base_url == other.url


# --- credentials among the options --------------------------------------------------------------------------------


def test_credentials_among_the_options_are_sealed_replaced_and_forgotten(admin, tmp_path):
    with platform("concur", tmp_path / "concur.sqlite") as concur:
        nonce = concur.sandbox._refresh_token()  # type: ignore[attr-defined]
        target = world.target("concur", concur.sandbox.address(concur.url), secret=concur.secret)
        url = address("change", target)
        values = {**form_of(admin, url), "options": '{"page_size": 50}'}
        refused = admin.post(url, {**values, "refresh_token": "no-token-of-theirs"})
        assert refused.status_code == 200 and "no-token-of-theirs" not in refused.content.decode()
        saved = admin.post(url, {**values, "refresh_token": nonce})
        assert saved.status_code == 302, saved.context["adminform"].form.errors
        stored = Target.objects.get()
        assert (stored.options, stored.secret_options) == ({"page_size": 50}, {"refresh_token": nonce})
        page = admin.get(url).content.decode()
        assert nonce not in page and "Secret, refresh token, stored sealed" in page
        assert nonce not in str(list(AuditEntry.objects.values()))

        assert admin.post(url, {**values, "options": '{"page_size": 60}'}).status_code == 302
        assert Target.objects.get().all_options == {"page_size": 60, "refresh_token": nonce}, "left empty, it stays"
        assert admin.post(url, {**values, "forget": "refresh_token"}).status_code == 302
        stored.refresh_from_db()
        assert (stored.secret_options, stored.previous["options"]) == ({}, {"refresh_token": nonce})


@pytest.mark.parametrize("options", ['{"page_size": 7, "private_key": "BEGIN-KEY"}', '{"private_key": "BEGIN-KEY"'])
def test_a_credential_typed_among_the_options_is_refused_and_not_drawn_again(admin, target, options):
    url, before = address("change", target), row()
    refused = admin.post(url, {**form_of(admin, url), "options": options, "private_key": "SECOND-KEY\nof two lines"})
    page = refused.content.decode()
    assert (
        refused.status_code == 200
        and "BEGIN-KEY" not in page
        and "SECOND-KEY" not in page
        and "Enter these below" in page
    )
    assert row() == before
    if json.dumps({"page_size": 7})[1:-1] in options:
        assert "page_size" in page, "the rest of what was typed is still there"


# --- going back ---------------------------------------------------------------------------------------------------


def test_one_click_goes_back_and_tells_whether_it_works(admin, target, coupa):
    url = address("change", target)
    admin.post(url, {**form_of(admin, url), "secret": NEW, "use_anyway": "on", "reason": "A mistake."})
    target.refresh_from_db()
    seen = {"seen": connections.state_of(target)}
    answer = admin.post(address("go_back", target), seen)
    assert answer.status_code == 302 and "in use again. Signed in" in told(answer)
    target.refresh_from_db()
    assert (target.secret, target.check_ok) == (SECRET, True)
    assert "changed meanwhile" in told(admin.post(address("go_back", target), seen)), "a second click does not undo it"
    assert "are wiped" in told(admin.post(address("wipe", target)))
    assert "not kept any more" in told(admin.post(address("wipe", target)))
    target.refresh_from_db()
    assert (target.secret, target.sealed_previous) == (SECRET, None)
    assert "Go back" not in admin.get(url).content.decode()


def test_only_governance_comes_in_and_only_by_post(target, admin):
    before = row()
    operator, root = signed_in("operator"), signed_in("nothing", is_superuser=True)
    for name in ("try", "go_back", "wipe"):
        assert operator.post(address(name, target), {}).status_code == 403
        assert admin.get(address(name, target)).status_code == 405
    assert operator.post(address("try_new"), {}).status_code == 403
    assert row() == before
    assert "It works." in root.post(address("try", target), form_of(root, address("change", target))).content.decode()
    for name in ("try", "go_back", "wipe"):
        assert admin.post(reverse(f"admin:sync_target_{name}", args=[0]), {}).status_code == 404
    strict = Client(enforce_csrf_checks=True)
    strict.cookies = admin.cookies
    assert strict.post(address("wipe", target)).status_code == 403


def test_the_page_opens_in_a_fixed_number_of_queries(admin, target, django_assert_max_num_queries):
    url = address("change", target)
    admin.get(url)
    with django_assert_max_num_queries(12):
        assert admin.get(url).status_code == 200
