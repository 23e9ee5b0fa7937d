"""Whatever goes wrong is a problem document: never HTML, never a stack trace, always with the correlation id."""

from __future__ import annotations

import json

import pytest
from django.db import OperationalError
from django.test import Client

from tests.api.callers import IBAN, Caller, caller, make_record

pytestmark = pytest.mark.django_db
MEMBERS = {"type", "title", "status", "detail", "instance", "code", "errors", "correlation_id"}


def check(answer, status: int, code: str) -> dict:
    assert answer.status_code == status, answer.content
    assert answer["Content-Type"] == "application/problem+json"
    body = answer.json()
    assert set(body) >= MEMBERS and body["status"] == status and body["code"] == code, body
    assert body["correlation_id"] == answer["X-Correlation-ID"]
    return body


def test_without_a_token(db):
    answer = Caller().read("suppliers/")
    check(answer, 401, "not_authenticated")
    assert answer["WWW-Authenticate"] == 'Bearer realm="mdm"'


@pytest.mark.parametrize("header", ["Bearer", "Bearer ", "Bearer nonsense", "Basic YTpi", "Bearer mdm_\u00e9", "mdm_x"])
def test_a_token_that_is_none(db, header):
    answer = Client().get("/api/v1/suppliers/", headers={"Authorization": header})
    check(answer, 401, "not_authenticated")


@pytest.mark.parametrize(
    "path", ["/api/v1/planets/", "/api/v1/", "/api/", "/api/v2/suppliers/", "/api/v1/suppliers/x/y/z/"]
)
@pytest.mark.parametrize("method", ["GET", "POST", "OPTIONS"])
def test_an_address_that_leads_nowhere(steward, path, method):
    check(steward.generic(method, path), 404, "no_such_call")


def test_an_address_without_its_slash_says_so(steward):
    assert "slash" in check(steward.generic("GET", "/api/v1/suppliers"), 404, "no_such_call")["detail"]


@pytest.mark.parametrize("method", ["PUT", "DELETE", "OPTIONS", "TRACE", "PATCH", "NONSENSE"])
def test_a_method_the_address_does_not_know(steward, method):
    answer = steward.generic(method, "/api/v1/suppliers/")
    check(answer, 405, "method_not_allowed")
    assert "GET" in answer["Allow"] and "POST" in answer["Allow"]


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"[1, 2",
        b"\xff\xfe{}",
        b'{"a": NaN}',
        b'{"a": 1e999}',
        b'{"a": 123456789012345678901234567890}',
        b'{"a": ' + b"1" * 5000 + b"}",
        b'{"legal_name": "a\\u0000b"}',
        b'{"legal_name": "\\ud800"}',
        b'{"\\u0000": 1}',
        b"[" * 5000 + b"]" * 5000,
        b'{"a":' * 50 + b"1" + b"}" * 50,
        b"[]",
        b'"text"',
        b"null",
        b"",
    ],
)
def test_bodies_that_are_no_usable_json(requester, body):
    answer = requester.generic("POST", "/api/v1/suppliers/", body, content_type="application/json")
    check(answer, 400, "malformed")


@pytest.mark.parametrize(
    "media",
    ["text/plain", "application/xml", "multipart/form-data; boundary=x", "application/x-www-form-urlencoded", ""],
)
def test_a_body_in_another_media_type(requester, media):
    answer = requester.generic("POST", "/api/v1/suppliers/", b'{"legal_name": "A"}', content_type=media)
    check(answer, 415, "unsupported_media_type")


def test_a_body_that_is_too_large(requester, settings):
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 1000
    body = json.dumps({"legal_name": "A" * 2000})
    check(requester.generic("POST", "/api/v1/suppliers/", body, content_type="application/json"), 413, "too_large")


def test_a_body_with_too_many_values(requester, monkeypatch):
    monkeypatch.setattr("mdm.api.bodies.ITEMS", 100)
    check(requester.post_json("suppliers/", {"tags": ["x"] * 200}), 413, "too_large")


def test_a_length_that_is_no_number(steward):
    answer = steward.generic("GET", "/api/v1/suppliers/", CONTENT_LENGTH="many")
    check(answer, 400, "malformed")


def test_a_database_that_is_down_is_503(steward, monkeypatch):
    def fail(*args, **kwargs):
        raise OperationalError("could not connect")

    monkeypatch.setattr("mdm.api.documents.find", fail)
    answer = steward.read("suppliers/code:x/")
    check(answer, 503, "unavailable")
    assert answer["Retry-After"]


def test_a_mistake_of_ours_shows_nothing_of_itself(steward, monkeypatch):
    def fail(*args, **kwargs):
        raise ZeroDivisionError(f"secret {IBAN}")

    monkeypatch.setattr("mdm.api.documents.find", fail)
    answer = steward.generic("GET", "/api/v1/suppliers/code:x/")
    body = check(answer, 500, "internal")
    assert "secret" not in str(body) and "Traceback" not in str(body)


def test_the_correlation_id_is_echoed_and_carried(requester):
    answer = requester.post_json("suppliers/", {"legal_name": "A"}, X_Correlation_ID="order-66")
    assert answer["X-Correlation-ID"] == "order-66" and answer.json()["correlation_id"] == "order-66"
    replaced = requester.read("suppliers/", X_Correlation_ID="a b\u00e9")
    assert replaced["X-Correlation-ID"] != "a b\u00e9"


def test_a_session_needs_its_csrf_token(db):
    made = caller("requester")
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(made.user)
    assert browser.get("/api/v1/suppliers/").status_code == 200
    refused = browser.post("/api/v1/suppliers/", json.dumps({"legal_name": "A"}), content_type="application/json")
    assert refused.status_code == 403 and refused["Content-Type"] == "application/problem+json"
    browser.cookies["csrftoken"] = "a" * 32
    headers = {"X-CSRFToken": "a" * 32}
    accepted = browser.post(
        "/api/v1/suppliers/", json.dumps({"legal_name": "A"}), content_type="application/json", headers=headers
    )
    assert accepted.status_code == 202, accepted.content


def test_a_disabled_person_is_out(steward):
    make_record("supplier")
    steward.user.is_active = False
    steward.user.save()
    check(steward.read("suppliers/"), 401, "not_authenticated")


def test_the_answer_ignores_what_accept_says(steward):
    assert steward.read("suppliers/", Accept="text/html").json()["results"] == []
