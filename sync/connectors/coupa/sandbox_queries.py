"""Owns how the sandbox of Coupa reads a query: filters with operators, offset, and the `fields` parameter.

compass.coupa.com, “Querying Options”, “API Operators”, “Arguments”, “API Return Formats”.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping
from datetime import UTC, datetime
from typing import Any

from sync.connectors.coupa import sandbox_rules as rules
from sync.sandbox import Fail, Request
from sync.sandbox_query import OPERATORS, Condition

_FILTER = re.compile(r"^(?P<name>[A-Za-z0-9_-]+)(?P<rest>(?:\[[A-Za-z0-9_-]+\])*)$")

NO_FILTER = {"offset", "limit", "order_by", "dir", "fields", "return_object", "exported"}
SUPPLIER = frozenset({*rules.SCALARS, *rules.OBJECTS, *rules.OUT_ONLY})


def body_of(request: Request) -> dict[str, Any]:
    body = request.json()
    if not isinstance(body, dict):
        raise Fail(400, "The request body must be one object")
    return body


def number(query: Mapping[str, str], name: str, default: int) -> int:
    text = query.get(name, str(default))
    if not text.isdigit():
        raise Fail(400, f"{name} is invalid")
    return int(text)


def field(name: str) -> str:
    """`updated_at` and `updated-at` are one element."""
    dashed = name.replace("_", "-")
    return {"created-at": "@created", "updated-at": "@changed"}.get(dashed, dashed)


def condition(name: str, value: str, known: Collection[str] = SUPPLIER) -> Condition:
    """One filter of a query; `known` are the elements there are to filter by."""
    found = _FILTER.match(name)
    steps = (
        [step.replace("_", "-") for step in [found["name"], *re.findall(r"\[([^\]]+)\]", found["rest"])]]
        if found
        else []
    )
    operator = "eq"
    if len(steps) > 1 and steps[-1].replace("-", "_") in OPERATORS:
        operator = steps.pop().replace("-", "_")
    if not steps or steps[0] not in known:
        raise Fail(400, f"Unknown search criterion {name}")
    element = field(".".join(steps))
    if operator in ("in", "not_in"):
        return Condition(element, operator, [_typed(element, item) for item in value.split(",")])
    return Condition(element, operator, value == "true" if operator == "blank" else _typed(element, value))


def _typed(element: str, value: str) -> Any:
    if element == "id":
        if not value.isdigit():
            raise Fail(400, "id is invalid")
        return int(value)
    if element in rules.BOOLEANS or element == "active":
        return value == "true"
    if element.startswith("@"):
        try:
            moment = datetime.fromisoformat(value.replace("Z", "+00:00"))
        except ValueError:
            raise Fail(400, f"{value} is not a date") from None
        moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    return value


def wanted(text: str) -> list[Any]:
    try:
        asked = json.loads(text)
    except ValueError:
        asked = None
    if not isinstance(asked, list):
        raise Fail(400, "fields is invalid")
    return asked


def projected(value: Any, wanted: list[Any]) -> Any:
    if isinstance(value, list):
        return [projected(item, wanted) for item in value]
    if not isinstance(value, Mapping):
        return value
    found: dict[str, Any] = {}
    for item in wanted:
        for name, below in item.items() if isinstance(item, dict) else ((item, None),):
            dashed = str(name).replace("_", "-")
            if dashed in value:
                found[dashed] = value[dashed] if below is None else projected(value[dashed], below)
    return found
