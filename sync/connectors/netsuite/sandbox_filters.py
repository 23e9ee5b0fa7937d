"""Owns how the sandbox of NetSuite reads a query string: numbers of paging, and the filter `q`.

docs.oracle.com NetSuite help, “Collection Paging” and “Record Collection Filtering”.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from sync.connectors.netsuite import sandbox_rules as rules
from sync.sandbox import Fail
from sync.sandbox_query import Condition

MAX_PAGE = 1000
QUERY = ("limit", "offset", "q", "replace")  # errors in these name a query parameter
_AND = re.compile(r'\s+AND\s+(?=(?:[^"]*"[^"]*")*[^"]*$)')  # outside of quotes
_FILTER = re.compile(r'^(?P<field>[A-Za-z.]+)\s+(?P<operator>[A-Z_]+)(?:\s+(?P<value>"[^"]*"|\S+))?$')
_OPERATORS = {"IS": "eq", "EQUAL": "eq", "IS_NOT": "not_eq", "START_WITH": "starts_with", "CONTAIN": "contains"}
_OPERATORS |= {"EMPTY": "blank", "EMPTY_NOT": "blank"}


def number(query: Mapping[str, str], name: str, default: int) -> int:
    text = query.get(name, str(default))
    if not text.isdigit() or (name == "limit" and not 1 <= int(text) <= MAX_PAGE):
        raise rules.Complaints(
            [(name, f"Invalid value {text} for the query parameter {name}.")], code="INVALID_PARAMETER"
        )
    return int(text)


def read_filter(record: str, text: str) -> list[Condition]:
    """`q`: conditions joined by AND. OR and brackets are NetSuite's too, and not here."""
    return [_condition(record, piece.strip()) for piece in _AND.split(text) if text]


def _condition(record: str, text: str) -> Condition:
    found = _FILTER.match(text)
    known = rules.RECORDS[record].fields
    field = (found["field"] if found["field"] in known else f"{found['field']}.id") if found else ""
    if not found or field not in known or found["operator"] not in _OPERATORS:
        raise Fail(400, f"Invalid query filter: {text}.", code="INVALID_PARAMETER", field="q")
    operator, value = _OPERATORS[found["operator"]], (found["value"] or "").strip('"')
    if operator == "blank":
        return Condition(field, operator, found["operator"] == "EMPTY")
    return Condition(field, operator, value.lower() == "true" if known[field] == rules.FLAG else value)
