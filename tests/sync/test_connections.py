"""Credentials of targets: tried before they are stored, replaced, brought back, wiped, and never told to anybody."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from copy import copy
from datetime import timedelta
from urllib.parse import parse_qsl

import asyncssh
import pytest
from django.db import IntegrityError, connection, transaction
from django.db.models.functions import Now
from django.utils import timezone
from standardwebhooks import Webhook, WebhookVerificationError

from mdm.errors import CorrectInput, NotAllowed, NotNow, Reload
from mdm.models import AuditEntry
from mdm.permissions import ROLES
from mdm.types import Actor
from sync import platforms, redact, signing
from sync.models import Target, TargetAlert
from sync.models.target import SECRET_OPTIONS
from sync.sandbox import SECRET
from sync.services import alerts, connections, rounds, targets
from sync.services.connections import Given
from tests.people import actor
from tests.sync import world
from tests.sync.postbox import Receiver, running
from tests.sync.sandboxes import Platform, platform

pytestmark = pytest.mark.django_db
NEW = "a-brand-new-secret"
OLD_HOOK, NEW_HOOK = signing.new_secret(), signing.new_secret()


@pytest.fixture
def governance() -> Actor:
    return actor("gita", "governance")


@pytest.fixture
def coupa(tmp_path) -> Iterator[Platform]:
    with platform("coupa", tmp_path / "coupa.sqlite") as served:
        yield served


@pytest.fixture
def target(coupa) -> Target:
    return world.target("coupa", coupa.url)


@pytest.fixture
def subscriber(tmp_path) -> Iterator[Platform]:
    with platform("webhook", tmp_path / "webhook.sqlite") as served:
        served.sandbox.secret = OLD_HOOK
        yield served


@pytest.fixture
def hook(subscriber) -> Target:
    return world.target("webhook", f"{subscriber.url}/hooks", secret=OLD_HOOK)


def entered(target: Target, given: Given, *, keep_h: float = 24, **fields) -> tuple[Target, Target]:
    """(what was typed, what is stored): the row of a form and the one beside it."""
    stored = Target.objects.get(pk=target.pk)
    typed = copy(stored)
    for name, value in fields.items():
        setattr(typed, name, value)
    assert connections.enter(typed, stored, given, keep_h=keep_h)
    return typed, stored


def replaced(target: Target, given: Given, by: Actor, *, keep_h: float = 24, reason: str = "", **fields) -> Target:
    typed, stored = entered(target, given, keep_h=keep_h, **fields)
    connections.store(typed, stored, health=connections.try_out(typed), keep_h=keep_h, reason=reason, by=by)
    return Target.objects.get(pk=target.pk)


def everything_told() -> str:
    """All that people are shown of targets, alerts and what was done."""
    rows = [*AuditEntry.objects.values(), *TargetAlert.objects.values()]
    shown = [
        {**row, "sealed_secret": "", "sealed_options": "", "sealed_previous": ""} for row in Target.objects.values()
    ]
    return str(rows) + str(shown)


# --- trying -------------------------------------------------------------------------------------------------------


def test_what_is_typed_is_tried_and_changes_nothing(target, coupa, governance):
    before = Target.objects.values().get()
    typed, stored = entered(target, Given(NEW))
    health = connections.check_typed(typed, stored, by=governance)
    assert not health.ok and coupa.effects() == []
    coupa.sandbox.secret = NEW
    assert connections.check_typed(typed, stored, by=governance).ok
    assert Target.objects.values().get() == before and not TargetAlert.objects.exists()
    first, second = AuditEntry.objects.filter(action="target.tried").order_by("pk")
    assert (first.detail["ok"], second.detail["ok"], first.detail["address"]) == (False, True, coupa.url)
    assert first.actor_name == governance.name and NEW not in everything_told()


def test_what_is_stored_is_tried_and_the_result_is_kept(target, governance):
    stored = Target.objects.get()
    assert connections.check_typed(copy(stored), stored, by=governance).ok
    stored.refresh_from_db()
    assert stored.check_ok and stored.checked_at and True in stored.pushable.values()
    assert AuditEntry.objects.get(action="target.checked").detail["ok"] is True


def test_a_secret_that_was_taken_back_is_found_out_although_a_token_is_in_hand(target, coupa):
    """Tokens live for a day; what is tried are the credentials."""
    operator = actor("otto", "operator")
    assert targets.check(target, by=operator).ok
    coupa.sandbox.secret = NEW
    assert not targets.check(target, by=operator).ok
    target.refresh_from_db()
    assert target.check_ok is False and TargetAlert.objects.get().code == "check_failed"


def test_a_connector_that_breaks_is_told_by_its_kind_alone(target, governance):
    typed, stored = entered(target, Given(NEW), options={"ca_file": "/nowhere/at-all.pem"})
    health = connections.check_typed(typed, stored, by=governance)
    assert (health.ok, health.message) == (False, "The connector broke: FileNotFoundError.")


@pytest.mark.parametrize("role", [name for name, (_, scopes) in ROLES.items() if "admin" not in scopes])
def test_only_who_may_administer_has_to_do_with_credentials(target, coupa, role):
    by = actor("nora", role)
    typed, stored = entered(target, Given(SECRET + "x"))
    before = Target.objects.values().get()
    health = connections.try_out(stored)
    for act in (
        lambda: connections.check_typed(typed, stored, by=by),
        lambda: connections.store(typed, stored, health=health, by=by),
        lambda: connections.go_back(target, seen="", by=by),
        lambda: connections.wipe_previous(target, by=by),
    ):
        with pytest.raises(NotAllowed):
            act()
    assert (
        Target.objects.values().get() == before and not AuditEntry.objects.filter(action__startswith="target.").exists()
    )


# --- never told ---------------------------------------------------------------------------------------------------


def test_a_server_that_repeats_what_it_was_sent_gives_no_secret_away(governance):
    """Whatever the words of a refusal hold, they are kept and shown without the credentials."""
    with running(Receiver()) as server:
        server.answers, server.says = [401] * 9, _repeat
        target = world.target("concur", server.url)
        target.set_secret_options({"refresh_token": "refresh-me-please"})
        target.save()
        health = connections.try_out(entered(target, Given("hush & hush/ü"))[0])
        assert "… mdm …" in health.message
        with pytest.raises(CorrectInput):
            replaced(target, Given("hush & hush/ü"), governance)
        replaced(target, Given("hush & hush/ü"), governance, reason="It comes up tomorrow.")
    assert server.calls and "hush" not in everything_told() and "refresh-me" not in everything_told()


def _repeat(sent: bytes) -> bytes:
    values = " ".join(value for _, value in parse_qsl(sent.decode()))
    return json.dumps({"error_description": f"Nobody signs in with {values}."}).encode()


@pytest.mark.parametrize(
    "text",
    ["no secret=s3cr%26t+one", "basic bWRtOnMzY3ImdCBvbmU=", '{"password": "s3cr&t one"}', "s3cr%26t%20one"],
)
def test_every_spelling_of_a_secret_is_taken_out_of_words(text):
    shown = redact.without(text, ["s3cr&t one", "abc"], "mdm")
    assert "s3cr" not in shown and "bWRt" not in shown and "…" in shown
    assert redact.without("an abc of words", ["abc"]) == "an abc of words", "nothing so short is one"


def test_no_representation_shows_a_credential(target):
    target.set_secret_options({"private_key": "-----BEGIN"})
    said = (
        repr(platforms.config_of(target)) + repr(connections.credential_of(target)) + repr(Given(NEW, {"api_key": NEW}))
    )
    assert SECRET not in said and NEW not in said and "BEGIN" not in said


# --- replacing ----------------------------------------------------------------------------------------------------


def test_a_secret_that_does_not_work_replaces_nothing(target, governance):
    before = Target.objects.values().get()
    with pytest.raises(CorrectInput, match="say why"):
        replaced(target, Given(NEW), governance)
    with pytest.raises(CorrectInput, match="say why"):
        replaced(target, Given(NEW), governance, reason="   ")
    assert Target.objects.values().get() == before and not AuditEntry.objects.exists()


def test_one_that_works_replaces_it_and_the_one_before_is_kept(target, coupa, governance):
    Target.objects.update(breaker="open", secret_expires_on=timezone.now() + timedelta(days=3))
    coupa.sandbox.secret = NEW
    after = replaced(target, Given(NEW), governance, keep_h=24)
    assert (after.secret, after.previous_secret, after.secret_set_by) == (NEW, SECRET, governance.name)
    assert NEW.encode() not in bytes(after.sealed_secret) and SECRET.encode() not in bytes(after.sealed_previous)
    assert after.previous_until - after.secret_set_at == timedelta(hours=24)
    just_now = {"secret_set_at__lte": Now(), "secret_set_at__gt": Now() - timedelta(seconds=60)}
    assert Target.objects.filter(**just_now, breaker_probe_at__lte=Now()).exists(), "an open breaker tries at once"
    assert after.check_ok and after.secret_expires_on is None, "that was the end of the one before"
    entry = AuditEntry.objects.get(action="target.credentials_replaced")
    assert (entry.actor_name, entry.object_uid) == (governance.name, "coupa")
    assert entry.detail == {"names": ["secret"], "ok": True, "message": after.check_message, "previous_kept_h": 24}
    assert NEW not in everything_told() and SECRET not in everything_told()


def test_one_that_does_not_work_is_used_for_a_reason(target, governance):
    after = replaced(target, Given(NEW), governance, reason="Coupa switches over at midnight.")
    assert (after.secret, after.previous_secret, after.check_ok) == (NEW, SECRET, False)
    detail = AuditEntry.objects.get(action="target.credentials_replaced").detail
    assert (detail["ok"], detail["used_anyway"]) == (False, "Coupa switches over at midnight.")
    assert TargetAlert.objects.get().code == "check_failed"


def test_one_that_others_know_is_not_kept(target, coupa, governance):
    coupa.sandbox.secret = NEW
    after = replaced(target, Given(NEW), governance, keep_h=0)
    assert (after.secret, after.sealed_previous, after.previous_until) == (NEW, None, None)


def test_the_same_form_sent_twice_loses_nothing(target, coupa, governance):
    coupa.sandbox.secret = NEW
    typed, stored = entered(target, Given(NEW))
    again = copy(typed)
    health = connections.try_out(typed)
    for row in (typed, again):
        connections.store(row, stored, health=health, keep_h=24, by=governance)
    after = Target.objects.get()
    assert (after.secret, after.previous_secret) == (NEW, SECRET)
    assert AuditEntry.objects.filter(action="target.credentials_replaced").count() == 1
    assert not connections.enter(copy(after), after, Given(NEW), keep_h=24), "nor does it count as another one later"


def test_of_two_people_the_second_has_to_look_again(target, coupa, governance):
    coupa.sandbox.secret = NEW
    typed, stored = entered(target, Given(NEW))
    health = connections.try_out(typed)
    replaced(target, Given("meanwhile"), governance, reason="Told by phone.")
    with pytest.raises(Reload):
        connections.store(typed, stored, health=health, keep_h=24, by=governance)
    after = Target.objects.get()
    assert (after.secret, after.previous_secret) == ("meanwhile", SECRET)


def test_nothing_is_written_but_the_credentials(target, coupa, governance):
    """What the engine moves while the form is open stays as the engine left it."""
    coupa.sandbox.secret = NEW
    typed, stored = entered(target, Given(NEW))
    health = connections.try_out(typed)
    Target.objects.update(breaker="open", breaker_reason="down", paused_by="Otto", rate_per_s=3)
    connections.store(typed, stored, health=health, by=governance)
    after = Target.objects.get()
    assert (after.breaker, after.breaker_reason, after.paused_by, after.rate_per_s) == ("open", "down", "Otto", 3)


def test_a_first_credential_is_tried_as_well(coupa, governance):
    template = world.target("other", coupa.url, connector="coupa")
    made = Target(code="first", title="First", connector="coupa", system=template.system, base_url=coupa.url)
    made.client_id = "mdm"
    assert connections.enter(made, None, Given("wrong"), keep_h=24)
    with pytest.raises(CorrectInput):
        connections.store(made, None, health=connections.try_out(made), by=governance)
    assert not Target.objects.filter(code="first").exists()
    made.set_secret(SECRET)
    connections.store(made, None, health=connections.try_out(made), by=governance)
    stored = Target.objects.get(code="first")
    assert (stored.secret, stored.secret_set_by, stored.previous_until) == (SECRET, governance.name, None)
    assert AuditEntry.objects.get(action="target.credentials_set").object_uid == "first"


def test_sessions_of_the_credential_before_are_let_go(target, coupa, governance):
    with platforms.session(target) as connector:
        assert connector.check().ok
    coupa.sandbox.secret = NEW
    after = replaced(target, Given(NEW), governance)
    with platforms.session(after) as other:
        assert other is not connector
    kept = [key for key in platforms._idle if key[0] == "coupa"]
    assert len(kept) == 1


# --- options that are credentials ---------------------------------------------------------------------------------


def test_the_form_and_the_database_know_every_credential_a_connector_names():
    named = {name for connector in platforms.names() for name in platforms.credential_options(connector)}
    assert named - set(SECRET_OPTIONS) == {"certificate_id"}, "a key's id is no secret; anything else is sealed"


def test_a_private_key_is_replaced_tried_and_brought_back_with_its_passphrase(tmp_path, governance):
    with platform("sftp_csv", tmp_path / "files.sqlite") as files:
        options = files.control("GET", "options")["options"]
        target = world.target("sftp_csv", files.sandbox.address(files.url), secret=files.secret, options=options)
        own = asyncssh.generate_private_key("ssh-ed25519")
        with pytest.raises(CorrectInput):
            replaced(target, Given(options={"private_key": "no key"}), governance)
        assert Target.objects.get().secret_options == {}
        key = own.export_private_key("pkcs8-pem", passphrase="only mine").decode()
        after = replaced(target, Given("only mine", {"private_key": key}), governance, reason="Not entered there yet.")
        assert (after.secret, after.secret_options) == ("only mine", {"private_key": key})
        assert key[30:60].encode() not in bytes(after.sealed_options) and key[30:60] not in everything_told()
        assert set(after.options) == set(options)
        back = connections.go_back(after, seen=connections.state_of(after), by=governance)
        assert (back.secret, back.secret_options, back.options) == (files.secret, {}, options)
        assert connections.try_out(back).ok


def test_a_key_goes_with_its_id_and_what_is_ticked_is_forgotten(governance):
    target = world.target("netsuite", "http://127.0.0.1:9", options={"certificate_id": "one", "page_size": 50})
    target.set_secret_options({"access_token": "id:secret", "private_key": "the first"})
    target.save()
    given = Given(options={"private_key": "the second"}, forget=frozenset({"access_token", "secret"}))
    moved = {"certificate_id": "two", "page_size": 70}
    after = replaced(target, given, governance, reason="Offline.", options=moved)
    assert after.secret_options == {"private_key": "the second"} and after.options == moved and after.secret == ""
    back = connections.go_back(after, seen=connections.state_of(after), by=governance)
    assert back.secret_options == {"access_token": "id:secret", "private_key": "the first"} and back.secret == SECRET
    assert back.options == {"certificate_id": "one", "page_size": 70}, "a page is no part of a credential"


# --- another server -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("field", ["base_url", "token_url", "connector"])
def test_stored_credentials_are_not_sent_to_another_server(target, governance, field):
    with running(Receiver()) as other:
        elsewhere = {"base_url": other.url, "token_url": other.url, "connector": "concur"}[field]
        with pytest.raises(CorrectInput, match="another server.*: secret"):
            entered(target, Given(), **{field: elsewhere})
        with pytest.raises(CorrectInput, match="private_key"):
            target.set_secret_options({"private_key": "a key"})
            target.save()
            entered(target, Given(NEW), **{field: elsewhere})
        typed, _ = entered(target, Given(NEW, forget=frozenset({"private_key"})), **{field: elsewhere})
        assert (typed.secret, typed.secret_options, typed.sealed_previous) == (NEW, {}, None)
        assert other.calls == []


@pytest.mark.parametrize(
    ("before", "after", "moved"),
    [
        ("https://coupa.example/api", "https://COUPA.example:443/other?x=1", False),
        ("https://coupa.example", "https://coupa.example.", False),
        ("https://coupa.example", "http://coupa.example", True),
        ("https://coupa.example", "https://coupa.example:8443", True),
        ("https://coupa.example", "https://coupa.example.evil.example", True),
        ("sftp://files.example/in", "sftp://files.example:22/out", False),
        ("sftp://files.example/in", "sftp://files.example:2222/in", True),
    ],
)
def test_what_another_server_is(before, after, moved):
    stored = world.target("coupa", before)
    typed = copy(stored)
    typed.base_url = after
    if moved:
        with pytest.raises(CorrectInput):
            connections.enter(typed, stored, Given(), keep_h=24)
    else:
        assert not connections.enter(typed, stored, Given(), keep_h=24)


def test_a_target_that_moved_keeps_nothing_of_the_server_before(target, coupa, governance, tmp_path):
    coupa.sandbox.secret = NEW
    replaced(target, Given(NEW), governance)
    with platform("coupa", tmp_path / "second.sqlite") as second:
        after = replaced(target, Given(SECRET), governance, base_url=second.url)
    assert (after.base_url, after.secret, after.sealed_previous) == (second.url, SECRET, None)


# --- webhooks: both sign ------------------------------------------------------------------------------------------


def test_a_webhook_is_signed_with_both_until_the_previous_one_is_wiped(hook, subscriber, governance):
    typed, _ = entered(hook, Given(NEW_HOOK))
    health = connections.try_out(typed)
    assert health.ok and "the new secret alone is not taken yet" in health.message
    after = replaced(hook, Given(NEW_HOOK), governance)
    for known in (OLD_HOOK, NEW_HOOK):
        subscriber.sandbox.secret = known
        assert targets.check(after, by=actor("otto", "operator")).ok
    assert "not taken yet" not in Target.objects.get().check_message, "the subscriber knows the new one by now"
    with running(Receiver()) as server:
        Target.objects.update(base_url=server.url)
        assert connections.try_out(Target.objects.get()).ok
        connector = platforms.connector_class("webhook")(platforms.config_of(Target.objects.get()))
        assert connector.check().ok
        headers, body = server.calls[-1]
        assert Webhook(OLD_HOOK).verify(body, headers) and Webhook(NEW_HOOK).verify(body, headers)
        connections.wipe_previous(after, by=governance)
        assert platforms.connector_class("webhook")(platforms.config_of(Target.objects.get())).check().ok
        headers, body = server.calls[-1]
        assert Webhook(NEW_HOOK).verify(body, headers)
        with pytest.raises(WebhookVerificationError):
            Webhook(OLD_HOOK).verify(body, headers)


def test_a_webhook_whose_old_secret_is_known_to_others_must_do_with_the_new_one(hook, subscriber, governance):
    with pytest.raises(CorrectInput):
        replaced(hook, Given(NEW_HOOK), governance, keep_h=0)
    subscriber.sandbox.secret = NEW_HOOK
    assert replaced(hook, Given(NEW_HOOK), governance, keep_h=0).previous_until is None


@pytest.mark.parametrize("secret", ["whsec_short", f"{NEW_HOOK} {OLD_HOOK}"])
def test_what_is_no_secret_of_a_webhook_replaces_nothing(hook, governance, secret):
    with pytest.raises(CorrectInput):
        replaced(hook, Given(secret), governance)
    assert Target.objects.get().secret == OLD_HOOK


def test_others_never_see_the_previous_secret(target, coupa, governance):
    coupa.sandbox.secret = NEW
    after = replaced(target, Given(NEW), governance)
    assert platforms.config_of(after).previous_secret == "" and after.previous_secret == SECRET


# --- going back, wiping -------------------------------------------------------------------------------------------


def test_one_click_brings_the_previous_one_back_and_a_second_does_not_undo_it(target, coupa, governance):
    ends = (timezone.now() + timedelta(days=40)).date()
    Target.objects.update(secret_expires_on=ends)
    after = replaced(target, Given(NEW), governance, reason="A mistake.", client_id="another")
    until, seen = after.previous_until, connections.state_of(after)
    with pytest.raises(Reload):
        connections.go_back(target, seen="2020-01-01", by=governance)
    back = connections.go_back(target, seen=seen, by=governance)
    assert (back.secret, back.client_id, back.secret_expires_on) == (SECRET, target.client_id, ends)
    assert (back.previous["secret"], back.previous_until) == (NEW, until), "the way forward is open for the same time"
    assert connections.try_out(back).ok
    with pytest.raises(Reload):
        connections.go_back(target, seen=seen, by=governance)
    assert Target.objects.get().secret == SECRET
    assert AuditEntry.objects.filter(action="target.credentials_restored").count() == 1
    assert SECRET not in everything_told() and NEW not in everything_told()


@pytest.mark.django_db(transaction=True)
def test_of_two_clicks_at_once_one_counts(target, governance):
    after = replaced(target, Given(NEW), governance, reason="A mistake.")
    seen, together = connections.state_of(after), threading.Barrier(4)

    def click(_: int) -> str:
        together.wait()
        try:
            return connections.go_back(target, seen=seen, by=governance).secret
        except Reload:
            return "look again"
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as pool:
        said = sorted(pool.map(click, range(4)))
    assert said == sorted([SECRET, "look again", "look again", "look again"])
    final = Target.objects.get()
    assert (final.secret, final.previous_secret) == (SECRET, NEW)
    assert AuditEntry.objects.filter(action="target.credentials_restored").count() == 1


def test_after_its_end_it_is_wiped_and_nobody_goes_back(target, coupa, governance, monkeypatch):
    coupa.sandbox.secret = NEW
    after = replaced(target, Given(NEW), governance)
    assert connections.wipe_overdue() == 0
    Target.objects.update(previous_until=Now())
    with pytest.raises(NotNow, match="not kept any more"):
        connections.go_back(after, seen=connections.state_of(after), by=governance)
    monkeypatch.setattr(rounds, "_looked_at", float("-inf"))
    rounds.dispatch_round()
    after.refresh_from_db()
    assert (after.secret, after.sealed_previous, after.previous_until) == (NEW, None, None)
    assert AuditEntry.objects.get(action="target.previous_wiped").actor_name == "dispatcher"
    assert connections.wipe_overdue() == 0
    for act in (
        lambda: connections.wipe_previous(after, by=governance),
        lambda: connections.go_back(after, seen=connections.state_of(after), by=governance),
    ):
        with pytest.raises(NotNow):
            act()


def test_the_database_keeps_no_previous_one_for_ever(target):
    target.set_previous({"secret": SECRET})
    with pytest.raises(IntegrityError, match="comes_to_an_end"), transaction.atomic():
        target.save()


# --- age ----------------------------------------------------------------------------------------------------------


def test_old_credentials_and_those_that_end_are_warned_about(target, settings):
    settings.CREDENTIAL_MAX_AGE_DAYS = 90
    now = timezone.now()
    assert connections.warnings(target) == [], "nobody knows how old they are"
    target.secret_set_at = now - timedelta(days=89)
    assert connections.warnings(target) == []
    target.secret_set_at = now - timedelta(days=91)
    assert connections.warnings(target) == ["The credentials are 91 days old. Replace them."]
    target.secret_set_at = now
    for days, words in ((31, None), (30, "end on"), (0, "end on"), (-1, "ended on")):
        target.secret_expires_on = (now + timedelta(days=days)).date()
        (found,) = connections.warnings(target) or [None]
        assert found is None if words is None else words in found, days


def test_an_alert_says_that_credentials_come_to_their_end_until_they_are_replaced(target, coupa, governance):
    Target.objects.update(secret_expires_on=timezone.now() + timedelta(days=40))
    alerts.look_around()
    assert not TargetAlert.objects.exists()
    Target.objects.update(secret_expires_on=timezone.now() + timedelta(days=20))
    alerts.look_around()
    alerts.look_around()
    assert TargetAlert.objects.get(closed_at=None).code == "credentials_end"
    coupa.sandbox.secret = NEW
    replaced(target, Given(NEW), governance)
    alerts.look_around()
    assert not TargetAlert.objects.filter(closed_at=None).exists()
