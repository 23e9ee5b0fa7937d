"""What API.md asks of every endpoint, held against every operation of the OpenAPI document and every record type."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.urls import get_resolver

from mdm import permissions, registry
from mdm.api import operations
from mdm.api.view import HubView
from tests.api import contract
from tests.api.callers import EXAMPLES, Caller, caller, make_record, make_referred, person, token_for

pytestmark = pytest.mark.django_db
NOBODY = "00000000-0000-4000-8000-000000000000"
TYPES = [kind.key for kind in registry.all_types()]


def all_operations() -> list[tuple[str, str]]:
    return [(method.upper(), path) for path, item in contract.document()["paths"].items() for method in item]


ASKED = ("supplier", "cost_center", "payment_term")
"""Every type has the same operations, made by the same views: those of three (with children and sealed numbers, with
periods, plain) are asked one by one below, those of all types by the tests at the end."""


def asked_one_by_one(path: str) -> bool:
    kind = registry.find(path.split("/")[3])
    return kind is None or kind.key in ASKED


OPERATIONS = [(method, path) for method, path in all_operations() if asked_one_by_one(path)]


def with_body() -> list[tuple[str, str]]:
    return [(m, p) for m, p in OPERATIONS if "requestBody" in contract.document()["paths"][p][m.lower()]]


def described(method: str, path: str) -> dict[str, Any]:
    found: dict[str, Any] = contract.document()["paths"][path][method.lower()]
    return found


def media(method: str, path: str) -> list[str]:
    return list(described(method, path)["requestBody"]["content"])


def fill(path: str) -> str:
    return re.sub(r"{\w+}", NOBODY, path)


def call(by: Caller, method: str, path: str, body: bytes | None = None, kind: str = "application/json", **headers: str):
    data = {} if body is None else {"data": body, "content_type": kind}
    answer = by.generic(method, path, headers=headers, **data)
    contract.check(method, path, answer)
    return answer


@pytest.fixture
def everybody(db) -> Caller:
    """A caller with every scope there is."""
    user = person(*permissions.ROLES)
    return Caller(token_for(user, permissions.known_scopes()), user)


@pytest.mark.parametrize(("method", "path"), OPERATIONS)
def test_without_a_token_is_401(db, method, path):
    answer = call(Caller(), method, fill(path))
    assert answer.status_code == 401 and answer.json()["code"] == "not_authenticated"
    assert answer["WWW-Authenticate"].startswith("Bearer")


@pytest.mark.parametrize(("method", "path"), [o for o in OPERATIONS if "Needs" in described(*o).get("description", "")])
def test_without_the_scope_is_403(db, method, path):
    answer = call(caller(scopes=[]), method, fill(path))
    assert answer.status_code == 403 and answer.json()["code"] == "missing_scope"
    assert answer.json()["scope"]


def test_calls_without_a_scope_are_known():
    """Whatever is added here is open to everybody with a token: think twice."""
    free = {path for method, path in all_operations() if "Needs" not in described(method, path).get("description", "")}
    assert {path.split("/")[3] for path in free} == {"tokens"}


@pytest.mark.parametrize(("method", "path"), OPERATIONS)
def test_an_unknown_parameter_is_400(everybody, method, path):
    body = b"{}" if (method, path) in with_body() and media(method, path)[0] == "application/json" else None
    answer = call(everybody, method, fill(path) + "?nonsense=1", body)
    assert answer.status_code == 400
    assert {"nonsense": "unknown_parameter"}.items() <= {e["path"]: e["code"] for e in answer.json()["errors"]}.items()


NASTY = [
    "%00",
    "%F0%9F%92%A9'%22--",
    "-1",
    "9" * 40,
    "1e999",
    "0001-01-01T00:00:00%2B15:59",
    "9999-12-31T23:59:59-17:00",
]


@pytest.mark.parametrize("path", [p for m, p in OPERATIONS if m == "GET" and "wait" not in str(described(m, p))])
def test_nasty_values_of_every_parameter_are_answered_as_described(everybody, path):
    """`call` holds every answer against the document: none is a server error, none is a surprise."""
    for parameter in described("GET", path).get("parameters", []):
        if parameter["in"] == "query":
            for value in NASTY:
                call(everybody, "GET", f"{fill(path)}?{parameter['name']}={value}")


@pytest.mark.parametrize(("method", "path"), [o for o in with_body() if media(*o)[0] == "application/json"])
def test_an_unknown_field_is_refused(everybody, method, path):
    """At the latest when the thing itself was found: what is not there is 404 before its body is looked at."""
    answer = call(everybody, method, fill(path), b'{"no_such_field": 1}')
    assert answer.status_code in (400, 404, 428)
    if answer.status_code == 400:
        assert "no_such_field" in str(answer.json()["errors"])
    else:
        assert path.endswith("/{uid}/") and method == "PATCH"


@pytest.mark.parametrize(("method", "path"), with_body())
def test_a_body_in_a_wrong_form_is_refused(everybody, method, path):
    assert call(everybody, method, fill(path), b"<a/>", "application/xml").status_code == 415
    if media(method, path)[0] == "application/json":
        assert call(everybody, method, fill(path), b"{").json()["code"] == "malformed"
        assert call(everybody, method, fill(path), b"[" * 100_000).json()["code"] == "malformed"
    needed = described(method, path)["requestBody"]["required"]
    empty = call(everybody, method, fill(path)).status_code
    assert empty in ((400, 415) if needed else (400, 404, 409))


@pytest.mark.parametrize(("method", "path"), [(m, p) for m, p in OPERATIONS if m == "GET" and "{" in p])
@pytest.mark.parametrize("uid", [NOBODY, "nonsense", "code:nothing", "%00"])
def test_what_is_not_there_is_404(everybody, method, path, uid):
    answer = call(everybody, method, re.sub(r"{\w+}", uid, path))
    assert answer.status_code == 404 and answer["Content-Type"] == "application/problem+json"


@pytest.mark.parametrize(("method", "path"), OPERATIONS)
def test_every_answer_carries_the_correlation_id(everybody, method, path):
    answer = call(everybody, method, fill(path), **{"X-Correlation-ID": "follow-me"})
    assert answer["X-Correlation-ID"] == "follow-me"
    assert answer["RateLimit"] and answer["RateLimit-Policy"]


@pytest.mark.parametrize("path", sorted({path for _, path in OPERATIONS}))
def test_other_methods_are_405(everybody, path):
    for method in {"GET", "POST", "PUT", "PATCH", "DELETE"} - {m for m, p in OPERATIONS if p == path}:
        answer = call(everybody, method, fill(path))
        assert answer.status_code == 405 and answer["Allow"]


@pytest.mark.parametrize(
    "path", [p for m, p in OPERATIONS if m == "GET" and "{" not in p and "page_size" in str(described(m, p))]
)
def test_lists_have_their_shape(everybody, path):
    body = call(everybody, "GET", path).json()
    assert {"results", "next", "previous"} <= set(body) and isinstance(body["results"], list)
    assert call(everybody, "GET", f"{path}?page_size=1001").status_code == 400
    assert "count" in call(everybody, "GET", f"{path}?count=true").json()


def test_every_address_of_the_api_is_in_the_document():
    """No view beside the document: what is served is described."""

    def views(patterns: Any, prefix: str = "") -> Any:
        for pattern in patterns:
            if hasattr(pattern, "url_patterns"):
                yield from views(pattern.url_patterns, prefix + str(pattern.pattern))
            elif (prefix + str(pattern.pattern)).startswith("api/v1/"):
                yield prefix + str(pattern.pattern), getattr(pattern.callback, "cls", None)

    served = dict(views(get_resolver().url_patterns))
    assert len(served) > 40
    for address, view in served.items():
        if address in ("api/v1/schema/", "api/v1/docs/"):
            continue
        assert view and issubclass(view, HubView), address
        for method in ("get", "post", "patch", "delete"):
            if hasattr(view, method):
                assert operations.of(view, method), f"{method} {address} declares no operation"


# --- every record type --------------------------------------------------------------------------------------------


def test_every_type_has_an_example():
    assert set(EXAMPLES) == set(TYPES)


@pytest.mark.parametrize("key", TYPES)
def test_a_record_of_every_type_from_proposal_to_retirement(everybody, key):
    kind = registry.get(key)
    root = f"{kind.path}/"
    decider = caller("steward", "approver")

    def approved(answer: Any) -> dict[str, Any]:
        assert answer.status_code == 202, answer.content
        body = {"content_hash": answer.json()["content_hash"]}
        done = decider.post_json(f"change-requests/{answer.json()['uid']}/approve/", body).json()
        assert done["state"] == "applied", done
        return everybody.read(f"{root}{done['items'][0]['uid']}/").json()

    make_referred(key)
    made = approved(everybody.post_json(root, EXAMPLES[key]))
    assert made["status"] == "active" and made["version"] == 1 and made["schema"] == kind.schema
    one = f"{root}{made['uid']}/"
    field = "name" if "name" in kind.document.model_fields else kind.name_field
    changed = approved(everybody.patch_json(one, {field: "Another name"}, If_Match='"1"'))
    assert changed[field] == "Another name" and changed["version"] == 2
    for action, status in (("block", "blocked"), ("unblock", "active"), ("retire", "retired")):
        assert approved(everybody.post_json(f"{one}{action}/"))["status"] == status
    assert everybody.post_json(f"{one}block/").status_code == 409
    history = everybody.read(f"{one}history/").json()["results"]
    assert [row["version"] for row in history] == [5, 4, 3, 2, 1]


@pytest.mark.parametrize("key", TYPES)
def test_every_type_answers_the_same_questions(everybody, key):
    kind = registry.get(key)
    version = make_record(key)
    one = f"{kind.path}/{version.uid}/"
    for part in ("", "history/", "provenance/", "crosswalk/", "where-used/", "deliveries/"):
        answer = everybody.read(one + part)
        assert answer.status_code == 200, answer.content
    assert everybody.read(f"{kind.path}/?code={version.document['code']}").json()["results"][0]["uid"] == str(
        version.uid
    )
    assert everybody.read(f"{kind.path}/schema/").json()["title"] == kind.schema
    for form in ("csv", "xlsx", "ndjson"):
        assert b"".join(everybody.read(f"{kind.path}/export/?format={form}").streaming_content)


@pytest.mark.parametrize("key", TYPES)
def test_every_type_refuses_what_it_does_not_know(everybody, key):
    kind = registry.get(key)
    version = make_record(key)
    unknown = everybody.post_json(f"{kind.path}/", {**EXAMPLES[key], "no_such_field": 1})
    assert unknown.status_code == 400 and unknown.json()["errors"][0]["path"] == "no_such_field"
    one = f"{kind.path}/{version.uid}/"
    patched = everybody.patch_json(one, {"no_such_field": 1}, If_Match='"1"')
    assert patched.status_code == 400 and patched.json()["errors"][0]["path"] == "no_such_field"
    assert everybody.patch_json(one, {}, If_Match='"1"').status_code == 400
    assert everybody.patch_json(one, {}).status_code == 428
    assert everybody.patch_json(one, {}, If_Match='"9"').status_code == 412


@pytest.mark.parametrize("key", TYPES)
def test_every_filter_of_every_type_is_answered(everybody, key):
    """Typed values of the right kind are taken, whatever the lookup; nothing is a server error."""
    kind = registry.get(key)
    make_record(key)
    address = f"/api/v1/{kind.path}/"
    samples = {
        "integer": "1",
        "number": "1",
        "boolean": "true",
        "uuid": NOBODY,
        "date-time": "2026-01-01T00:00:00Z",
        "date": "2026-01-01",
    }
    for parameter in described("GET", address)["parameters"]:
        schema = parameter["schema"]
        item = schema.get("items", schema)
        value = (item.get("enum") or [samples.get(item.get("format") or item.get("type"), "x")])[0]
        if parameter["in"] == "query" and parameter["name"] not in ("cursor", "fields", "known_at"):
            answer = everybody.read(f"{address}?{parameter['name']}={value}")
            assert answer.status_code == 200, (parameter["name"], answer.content)
