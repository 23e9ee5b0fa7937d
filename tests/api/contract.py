"""Every answer a test gets is held against the OpenAPI document: status, media type, headers and body."""

from __future__ import annotations

import json
import os
import re
from functools import lru_cache
from typing import Any

from jsonschema import Draft202012Validator

from mdm.api import docs
from tests import database


@lru_cache(maxsize=1)
def document() -> dict[str, Any]:
    """Made once in a run: it takes seconds, and every process of the run asks for it."""
    run = os.environ.get("PYTEST_XDIST_TESTRUNUID")
    if run is None:
        return dict(json.loads(docs.openapi()))
    with database.locked("openapi.lock"):
        file = database.VAR / "openapi.json"
        held = json.loads(file.read_text()) if file.exists() else {}
        if held.get("run") != run:
            held = {"run": run, "document": json.loads(docs.openapi())}
            file.write_text(json.dumps(held))
    return dict(held["document"])


@lru_cache(maxsize=1)
def _routes() -> list[tuple[re.Pattern[str], str]]:
    paths = sorted(document()["paths"], key=lambda p: (p.count("{"), p))
    return [(re.compile(re.sub(r"\\{\w+\\}", "[^/]+", re.escape(path))), path) for path in paths]


def operation_for(method: str, path: str) -> dict[str, Any] | None:
    """The operation that serves this address; addresses without variables go first, as in the hub itself."""
    for pattern, template in _routes():
        if pattern.fullmatch(path):
            found: dict[str, Any] | None = document()["paths"][template].get(method.lower())
            return found
    return None


def _resolve(part: dict[str, Any]) -> dict[str, Any]:
    if "$ref" in part:
        here: Any = document()
        for step in part["$ref"].removeprefix("#/").split("/"):
            here = here[step]
        return here  # type: ignore[no-any-return]
    return part


def check(method: str, path: str, answer: Any) -> None:
    """AssertionError when the answer is not one the document describes."""
    path = path.partition("?")[0]
    if not path.startswith("/api/v1/") or path in ("/api/v1/schema/", "/api/v1/docs/"):
        return
    assert answer.headers.get("X-Correlation-ID"), "no correlation id"
    described = operation_for(method, path)
    if described is None:
        assert answer.status_code in (401, 404, 405), (method, path, answer.status_code)
        assert answer["Content-Type"] == "application/problem+json"
        return
    responses = described["responses"]
    assert str(answer.status_code) in responses, (
        f"{method} {path} answers {answer.status_code}: {answer.content[:300]!r}"
    )
    response = _resolve(responses[str(answer.status_code)])
    for name in answer.headers:
        if name in document()["components"]["headers"]:
            assert name in response["headers"], f"{method} {path} {answer.status_code} does not describe {name}"
    content = response.get("content", {})
    if not content:
        assert getattr(answer, "streaming", False) or not answer.content
        return
    media = answer["Content-Type"].partition(";")[0]
    assert media in content, f"{method} {path} answers {media}"
    if media.endswith("json") and not getattr(answer, "streaming", False):
        _validate(content[media]["schema"], json.loads(answer.content), f"{method} {path}")


def _validate(schema: dict[str, Any], body: Any, where: str) -> None:
    validator = Draft202012Validator({**schema, "components": document()["components"]})
    errors = [f"{list(error.absolute_path)}: {error.message[:300]}" for error in validator.iter_errors(body)]
    assert not errors, f"{where}: {errors[:5]}"
