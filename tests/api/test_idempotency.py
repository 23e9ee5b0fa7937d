"""Idempotency-Key: one effect per key, whatever happens to the caller."""

from __future__ import annotations

import json
import threading
from datetime import timedelta

import pytest
from django.db import connection, transaction
from django.test import RequestFactory
from django.utils import timezone
from rest_framework.request import Request
from rest_framework.response import Response

from mdm.api import idempotency
from mdm.models import ApiToken, ChangeRequest, IdempotencyKey
from mdm.services import background
from tests.api.callers import IBAN, caller

pytestmark = pytest.mark.django_db
BODY = {"legal_name": "Neu GmbH", "bank_accounts": [{"iban": IBAN}]}


def test_the_first_answer_is_replayed(requester):
    first = requester.post_json("suppliers/", BODY, Idempotency_Key="k1")
    again = requester.post_json("suppliers/", BODY, Idempotency_Key="k1")
    assert (first.status_code, again.status_code) == (202, 202)
    assert again["Idempotent-Replayed"] == "true" and "Idempotent-Replayed" not in first
    assert again.json() == first.json() and again["Location"] == first["Location"]
    assert ChangeRequest.objects.count() == 1
    assert IBAN not in json.dumps(list(IdempotencyKey.objects.values("body", "headers")))


def test_another_body_or_address_under_the_key_is_422(requester):
    requester.post_json("suppliers/", BODY, Idempotency_Key="k1")
    for answer in (
        requester.post_json("suppliers/", {"legal_name": "Other"}, Idempotency_Key="k1"),
        requester.post_json("payment-terms/", BODY, Idempotency_Key="k1"),
    ):
        assert answer.status_code == 422 and answer.json()["code"] == "idempotency_key_reused"


def test_a_key_belongs_to_its_caller(requester):
    requester.post_json("suppliers/", BODY, Idempotency_Key="k1")
    assert caller("requester").post_json("suppliers/", {"legal_name": "Other"}, Idempotency_Key="k1").status_code == 202


def test_a_call_that_failed_leaves_its_key_free(requester):
    refused = requester.post_json("suppliers/", {"country": "DE"}, Idempotency_Key="k1")
    assert refused.status_code == 400 and not IdempotencyKey.objects.exists()
    assert requester.post_json("suppliers/", BODY, Idempotency_Key="k1").status_code == 202


@pytest.mark.parametrize("key", ["x" * 256, "\u00e9"])
def test_a_key_that_is_none(requester, key):
    assert requester.post_json("suppliers/", BODY, Idempotency_Key=key).status_code == 400


def test_a_stored_secret_is_sealed(steward):
    body = {"name": "t", "scopes": ["read:suppliers"]}
    first = steward.post_json("tokens/", body, Idempotency_Key="k1").json()
    again = steward.post_json("tokens/", body, Idempotency_Key="k1").json()
    assert first["token"] == again["token"]
    assert first["token"] not in json.dumps(list(IdempotencyKey.objects.values("body")))
    assert ApiToken.objects.filter(name="t").count() == 1


def test_answers_are_forgotten_by_themselves_when_their_time_is_over(requester):
    for key in ("old", "older", "new"):
        requester.post_json("suppliers/", BODY, Idempotency_Key=key)
    assert background.tick()["forgotten"] == 0
    for key, days in (("old", 36), ("older", 90), ("new", 34)):
        IdempotencyKey.objects.filter(key=key).update(created_at=timezone.now() - timedelta(days=days))
    assert background.tick()["forgotten"] == 2
    assert IdempotencyKey.objects.get().key == "new"


@pytest.mark.django_db(transaction=True)
def test_while_the_first_call_runs_the_second_is_told(transactional_db):
    requester = caller("requester")
    held, release = threading.Event(), threading.Event()

    def hold() -> None:
        with transaction.atomic():
            client = f"token:{ApiToken.objects.get().pk}"
            assert idempotency._lock(client, "k1", "pg_try_advisory_xact_lock")
            held.set()
            release.wait(10)
        connection.close()

    thread = threading.Thread(target=hold)
    thread.start()
    try:
        held.wait(10)
        answer = requester.post_json("suppliers/", BODY, Idempotency_Key="k1")
        assert answer.status_code == 409 and answer.json()["code"] == "still_running" and answer["Retry-After"] == "1"
    finally:
        release.set()
        thread.join()
    assert requester.post_json("suppliers/", BODY, Idempotency_Key="k1").status_code == 202


def test_a_call_that_talks_to_others_holds_no_transaction_and_is_replayed(steward):
    """Only its answer is stored, and the key is free again when it fails."""
    answers = iter([Response({"n": 1}), Response({"n": 2})])
    request = asked(steward)
    first = idempotency.once(request, lambda: next(answers), detached=True)
    again = idempotency.once(request, lambda: next(answers), detached=True)
    assert first.data == again.data == {"n": 1} and again["Idempotent-Replayed"] == "true"
    with pytest.raises(ZeroDivisionError):
        idempotency.once(asked(steward, "k2"), lambda: 1 / 0, detached=True)
    assert idempotency.once(asked(steward, "k2"), lambda: Response({"n": 3}), detached=True).data == {"n": 3}


def asked(by, key: str = "k1") -> Request:
    headers = {"HTTP_IDEMPOTENCY_KEY": key}
    request = Request(RequestFactory().post("/api/v1/x/", b"{}", content_type="application/json", **headers))
    request.user, request.auth = by.user, None
    return request
