"""Webhooks: judged by the reference library of Standard Webhooks; rotation, answers, size, and through the whole engine."""

from __future__ import annotations

import base64
import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from mdm.models import Crosswalk
from sync import signing
from sync.connectors.webhook import message
from sync.connectors.webhook.connector import WebhookConnector
from sync.connectors.webhook.sandbox import WebhookSandbox
from sync.connectors.webhook.shape import flatten, nest
from sync.errors import Ambiguous, Gone, NotSent, Refused, Throttled, Unauthorised
from sync.models import Delivery, Lane, Subscription, Target, TargetAlert
from sync.protocol import Config
from sync.services import targets
from tests.sync import world
from tests.sync.sandboxes import REFERENCE, Platform, platform, supplier
from tests.sync.world import Side

NEW = "whsec_" + base64.b64encode(b"n" * 32).decode()
OLD = "whsec_" + base64.b64encode(b"o" * 24).decode()


class Listener(ThreadingHTTPServer):
    """A server that keeps what it was sent and answers as it is told."""

    def __init__(self) -> None:
        self.got: list[tuple[dict[str, str], bytes]] = []
        self.answer: tuple[int, dict[str, str], bytes] = (204, {}, b"")
        super().__init__(("127.0.0.1", 0), _Handler)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/hooks/mdm?tenant=7"


class _Handler(BaseHTTPRequestHandler):
    server: Listener

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.got.append(({**self.headers, "path": self.path}, body))
        status, headers, answer = self.server.answer
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(answer))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture
def listener() -> Iterator[Listener]:
    server = Listener()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def subscriber(tmp_path) -> Iterator[Platform]:
    with platform("webhook", tmp_path / "state.sqlite") as running:
        yield running


def connector(listener: Listener, secret: str = NEW, previous: str = "") -> WebhookConnector:
    return WebhookConnector(Config(listener.url, secret=secret, previous_secret=previous, timeout=5.0))


def push(subscriber: Platform, document: dict[str, Any] | None = None, **changes: Any) -> Any:
    given = {"version": 3, "at": "2026-03-02T09:30:00+00:00", **changes}
    return subscriber.push(document or supplier(code="S-1", bank_accounts=[]), **given)


# The signature


def test_what_was_taken_is_not_refused_afterwards(subscriber: Platform) -> None:
    subscriber.fail("reset_after")
    with pytest.raises(Ambiguous):
        subscriber.connector().push(push(subscriber))
    subscriber.fail("refuse")
    assert subscriber.connector().push(push(subscriber)).effect == "told" and len(subscriber.effects()) == 1
    subscriber.fail("refuse")
    with pytest.raises(Refused):
        subscriber.connector().push(push(subscriber, idempotency_key="1:x:2"))


def test_the_published_vector() -> None:
    """Standard Webhooks, libraries/javascript/src/webhook.test.ts, “sign function works”."""
    key = signing.key_of("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    signature = signing.sign([key], "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}')
    assert signature == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_the_reference_library_verifies_what_is_sent(listener, subscriber) -> None:
    connector(listener).push(push(subscriber))
    ((headers, body),) = listener.got
    assert Webhook(NEW).verify(body, headers)["type"] == "mdm.supplier.upserted.v1"
    assert headers["webhook-id"] == push(subscriber).idempotency_key and headers["path"] == "/hooks/mdm?tenant=7"
    assert headers["content-type"] == "application/json"
    for spoilt, given in ((body + b" ", headers), (body, {**headers, "webhook-id": "another"})):
        with pytest.raises(WebhookVerificationError):
            Webhook(NEW).verify(spoilt, given)
    with pytest.raises(WebhookVerificationError):
        Webhook(OLD).verify(body, headers)


def test_rotation_loses_nothing(listener, subscriber, tmp_path) -> None:
    """Both sign while the subscriber changes over; each of the two alone is enough for it."""
    connector(listener, NEW, OLD).push(push(subscriber))
    ((headers, body),) = listener.got
    for known in (NEW, OLD):
        assert Webhook(known).verify(body, headers)
    running = subscriber.running
    assert running is not None
    for theirs in (OLD, f"{OLD} {NEW}", NEW):
        running.sandbox.secret = theirs
        ours = WebhookConnector(Config(subscriber.url, secret=NEW, previous_secret=OLD, timeout=5.0))
        assert ours.check().ok, theirs
    running.sandbox.secret = NEW
    assert not WebhookConnector(Config(subscriber.url, secret=OLD, timeout=5.0)).check().ok


def test_the_id_stays_and_the_timestamp_is_of_the_try(listener, subscriber, monkeypatch) -> None:
    for second in (1_800_000_000, 1_800_000_900):
        monkeypatch.setattr("sync.connectors.webhook.connector._now", lambda second=second: second)
        connector(listener).push(push(subscriber))
    (first, body), (again, same) = listener.got
    assert first["webhook-id"] == again["webhook-id"] and body == same
    assert (first["webhook-timestamp"], again["webhook-timestamp"]) == ("1800000000", "1800000900")
    assert first["webhook-signature"] != again["webhook-signature"]


def test_a_replayed_webhook_is_refused_by_the_sandbox(subscriber, monkeypatch) -> None:
    late = int(time.time()) - 400
    monkeypatch.setattr("sync.connectors.webhook.connector._now", lambda: late)
    with pytest.raises(Refused, match="too far from now"):
        subscriber.connector().push(push(subscriber))


@pytest.mark.parametrize("secret", ["", "wrong", "whsec_", "whsec_!!!!", "whsec_" + "QUFB" * 5, "whsec_" + "QUFB" * 40])
def test_no_secret_is_no_secret(listener, subscriber, secret) -> None:
    """Told as a setting to be put right, without showing it, and nothing is sent."""
    with pytest.raises(Unauthorised) as caught:
        connector(listener, secret).push(push(subscriber))
    assert listener.got == [] and (len(secret) < 8 or secret not in caught.value.message)
    assert not connector(listener, secret).check().ok
    with pytest.raises(Unauthorised):
        connector(listener, f"{NEW} {OLD}").push(push(subscriber))
    with pytest.raises(Unauthorised):
        connector(listener, secret, OLD).push(push(subscriber))
    assert listener.got == []


# The body


def test_the_body(listener, subscriber) -> None:
    connector(listener).push(push(subscriber))
    event = json.loads(listener.got[0][1])
    data = event["data"]
    assert set(event) == {"type", "timestamp", "data"} and event["timestamp"] == "2026-03-02T09:30:00+00:00"
    assert (data["uid"], data["code"], data["version"], data["status"]) == (REFERENCE, "S-1", 3, "active")
    assert data["document"]["addresses"][0] == {
        "uid": "a1", "kind": "registered", "lines": ["Hauptstrasse 12"], "city": "Köln", "region": "NW",
        "postal_code": "50667", "country": "DE",
    }  # fmt: skip
    assert data["document"]["tax_registrations"] == [
        {"uid": "t1", "country": "DE", "scheme": "VAT", "number": "DE129273398"}
    ]


def test_no_bank_number_leaves_the_hub(listener, subscriber) -> None:
    document = supplier()
    assert document["bank_accounts"]
    connector(listener).push(push(subscriber, document))
    body = listener.got[0][1].decode()
    assert "bank" not in body and "DE8937" not in body and "0532013000" not in body and "COBADE" not in body


def test_a_sealed_field_is_left_out_even_when_it_was_rendered(subscriber) -> None:
    """Should the mapping ever render one: it is taken out once more where the body is made."""
    given = push(subscriber)
    given.payload["bank_accounts[b1].iban"] = "DE89370400440532013000"
    assert b"DE89370400440532013000" not in message.of_push(given, subscriber.mapping)


def test_a_record_too_large_goes_thin(listener, subscriber) -> None:
    many = [{"uid": f"a{n}", "kind": "remit_to", "lines": ["x" * 200], "city": "Köln"} for n in range(100)]
    connector(listener).push(push(subscriber, supplier(code="S-1", addresses=many)))
    body = listener.got[0][1]
    assert len(body) < 20_000
    data = json.loads(body)["data"]
    assert (data["uid"], data["version"], data["document"]) == (REFERENCE, 3, None)


def test_a_block_names_the_survivor_of_a_merge(listener, subscriber) -> None:
    gone = "0190b5a0-0000-7cc4-9e0f-000000000000"
    connector(listener).push(push(subscriber, key=gone, action="block"))
    connector(listener).push(push(subscriber, key=REFERENCE, action="block"))
    merged, blocked = (json.loads(body) for _, body in listener.got)
    assert merged["type"] == "mdm.supplier.blocked.v1" and "document" not in merged["data"]
    assert (merged["data"]["uid"], merged["data"]["survivor"]) == (gone, REFERENCE)
    assert (blocked["data"]["uid"], blocked["data"]["survivor"]) == (REFERENCE, None)


def test_shapes_lead_back() -> None:
    document = {"legal_name": "A", "trade_names": ["B"], "addresses": [{"uid": "1", "city": "C"}]}
    assert nest(flatten(document), ["addresses"]) == document


# Answers


@pytest.mark.parametrize(
    ("status", "error"),
    [(301, NotSent), (307, NotSent), (404, NotSent), (405, NotSent), (410, Gone), (400, Refused), (422, Refused),
     (401, Unauthorised), (403, Unauthorised), (429, Throttled), (500, Ambiguous), (502, Ambiguous), (504, Ambiguous)],
)  # fmt: skip
def test_what_an_answer_means(listener, subscriber, status, error) -> None:
    listener.answer = (status, {"Location": f"{listener.url}&moved=1"}, b'{"detail": "Their own words."}')
    with pytest.raises(error) as caught:
        connector(listener).push(push(subscriber))
    assert caught.value.status == status
    assert len(listener.got) == 1, "never followed, never repeated by the connector itself"
    if error in (Refused, Ambiguous):
        assert caught.value.message == "Their own words."


def test_refused_field_by_field(listener, subscriber) -> None:
    answer = {
        "title": "No",
        "errors": [{"field": "currency", "code": "unknown", "message": "Not one of ours."}, "Also."],
    }
    listener.answer = (422, {}, json.dumps(answer).encode())
    with pytest.raises(Refused) as caught:
        connector(listener).push(push(subscriber))
    assert [(p.field, p.code, p.message) for p in caught.value.problems] == [
        ("currency", "unknown", "Not one of ours."),
        ("", "refused", "Also."),
    ]


def test_a_plain_text_is_their_words_too(listener, subscriber) -> None:
    listener.answer = (400, {}, b"Out of order\nstack trace")
    with pytest.raises(Refused, match="^Out of order$"):
        connector(listener).push(push(subscriber))


def test_the_health_check_is_an_event_of_its_own(listener) -> None:
    health = connector(listener).check()
    assert health.ok and health.pushable["addresses"] and health.pushable["bank_accounts"] is False
    headers, body = listener.got[0]
    assert Webhook(NEW).verify(body, headers)["type"] == "mdm.ping.v1"


# Through the engine


@pytest.fixture
def hub(sandbox, transactional_db) -> tuple[Target, Side]:
    started = sandbox("webhook")
    world.allow_everything()
    return world.target("webhook", started.url, secret=WebhookSandbox.default_secret), Side(started.control)


def test_a_record_is_told_changed_blocked_and_merged(hub) -> None:
    target, side = hub
    uid = world.supplier()
    assert world.send_now() == {"posted": 1}
    delivery = Delivery.objects.get()
    assert (delivery.effect, delivery.verified, delivery.target_key) == ("told", False, uid)
    assert Crosswalk.objects.get(system=target.system).key == uid == Lane.objects.get().target_key
    world.propose("supplier", {"legal_name": "Nordlicht Papier SE"}, uid=uid)
    world.send_now()
    assert (side.records()[uid]["legal_name"], side.records()[uid]["version"]) == ("Nordlicht Papier SE", 2)
    world.propose("supplier", {}, uid=uid, action="block")
    world.send_now()
    assert side.records()[uid]["status"] == "blocked"
    world.propose("supplier", {}, uid=uid, action="unblock")
    world.send_now()
    assert side.records()[uid]["status"] == "active"
    assert [effect["idempotency_key"].rpartition(":")[2] for effect in side.effects()] == ["1", "2", "3", "4"]


@pytest.mark.parametrize("fault", ["timeout_before", "timeout_after", "reset_before", "reset_after", "500"])
def test_one_effect_and_in_order_whatever_is_lost(hub, fault) -> None:
    target, side = hub
    Target.objects.update(timeout_s=1, max_inflight_s=1)
    uid = world.supplier()
    side.fault(fault, "^POST")
    assert world.send_now() == {"unknown": 1}
    world.propose("supplier", {"legal_name": "Nordlicht Papier SE"}, uid=uid)
    world.send_until_settled()
    assert [effect["kind"] for effect in side.effects()] == ["created", "updated"]
    assert side.records()[uid]["legal_name"] == "Nordlicht Papier SE"
    assert list(Delivery.objects.order_by("seq").values_list("state", "attempts")) == [("posted", 2), ("posted", 1)]


def test_all_types(hub) -> None:
    target, side = hub
    for type in ("payment_term", "legal_entity", "cost_center"):
        Subscription.objects.create(target=target, type=type)
    world.propose("payment_term", {"code": "NET37", "name": "37 days", "net_days": 37})
    world.propose("legal_entity", {"code": "NH77", "name": "Nordhaven Test", "country": "DE", "currency": "EUR"})
    center = {"code": "DE-1", "name": "Foundry", "legal_entity": "NH77", "category": "production"}
    world.propose("cost_center", {**center, "valid_from": "2020-01-01"})
    world.send_until_settled()
    told = {effect["type"] for effect in side.effects()}
    assert told == {"payment_term", "legal_entity", "cost_center"}
    assert set(Delivery.objects.values_list("state", flat=True)) == {"posted"}


def test_gone(hub) -> None:
    target, side = hub
    world.supplier()
    side.fault("status:410", "^POST")
    assert world.send_now() == {"pending": 1}
    target.refresh_from_db()
    assert target.paused_at and TargetAlert.objects.get().code == "gone" and side.effects() == []
    assert not world.send_now()


def test_a_subscriber_in_our_own_network_has_to_be_named(hub, settings) -> None:
    """Whoever may set an address cannot make the hub call what only the hub reaches."""
    target, side = hub
    settings.PRIVATE_TARGETS = ("10.0.0.0/8",)
    Target.objects.update(probe_every_s=0.2)
    world.supplier()
    assert world.send_now() == {"pending": 1}
    target.refresh_from_db()
    assert target.breaker == "open" and "no public address" in target.breaker_reason and side.effects() == []
    settings.PRIVATE_TARGETS = ("127.0.0.0/8",)
    targets.resume(target, by=world.ROBOT)
    assert world.send_until_settled()["posted"] == 1
