"""Owns how the sandbox of Oracle Fusion reads a query: `q` of each framework version, finders, limit and offset.

docs.oracle.com, “Set the REST Framework Version” (version 1 takes query by example, later ones expressions) and the
query parameters of every collection (limit, offset, hasMore, totalResults, orderBy, expand, fields, onlyData, links).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sync.connectors.oracle_fusion.sandbox_schema import RESOURCES
from sync.sandbox import Fail

DEFAULT, MOST = 25, 500
FINDERS = {
    "externalBankAccounts": {"SearchExternalBankAccount"},
    "paymentsExternalPayees": {"ExternalPayeeSearch"},
    "taxRegistrations": {"ManageTaxRegistrationsRF"},
}
_LITERAL = r"'(?:[^']|'')*'|-?\d+"
_TERM = re.compile(
    rf"\s*(?P<name>\w+)\s*(?:(?P<op>>=|<=|!=|=|>|<)\s*(?P<value>{_LITERAL})|in\s*\((?P<list>[^()]*)\))\s*", re.I
)


@dataclass(frozen=True)
class Term:
    name: str
    operator: str  # =, !=, <, <=, >, >=, in
    values: tuple[Any, ...]

    def holds(self, leaves: Mapping[str, Any]) -> bool:
        value = leaves.get(self.name)
        if self.operator == "in":
            return any(_same(value, wanted) for wanted in self.values)
        wanted = self.values[0]
        if self.operator in ("=", "!="):
            return _same(value, wanted) == (self.operator == "=")
        if value is None:
            return False
        numbers = isinstance(wanted, int) and isinstance(value, int)
        order = _compare(value, wanted) if numbers else _compare(str(value), str(wanted))
        return {"<": order < 0, "<=": order <= 0, ">": order > 0, ">=": order >= 0}[self.operator]


def read_terms(resource: str, query: Mapping[str, str], framework: int) -> list[Term]:
    """Everything an item must meet: `q`, and the variables of a finder."""
    text = query.get("q", "")
    terms = _by_example(text) if framework < 2 else _expression(text)
    finder, _, rest = query.get("finder", "").partition(";")
    if finder and finder not in FINDERS.get(resource, set()):
        raise Fail(400, f"The finder {finder} is not defined for {resource}.")
    terms += [Term(*_pair(piece, "finder")) for piece in rest.split(",") if piece]
    for term in terms:
        if term.name not in RESOURCES[resource].attributes:
            raise Fail(400, f"The attribute {term.name} in the query is not defined for {resource}.", field=term.name)
    return terms


def window(query: Mapping[str, str]) -> tuple[int, int]:
    """(offset, limit); never more than 500 at once."""
    return _number(query, "offset", 0), min(_number(query, "limit", DEFAULT), MOST)


def envelope(items: list[dict[str, Any]], total: int, query: Mapping[str, str]) -> dict[str, Any]:
    offset, limit = window(query)
    more = offset + len(items) < total
    body = {"items": items, "count": len(items), "hasMore": more, "limit": limit, "offset": offset}
    return {**body, **({"totalResults": total} if query.get("totalResults") == "true" else {})}


def _expression(text: str) -> list[Term]:
    found: list[Term] = []
    position = 0
    while position < len(text):
        if found:
            glue = re.compile(r"and\b", re.I).match(text, position)
            if not glue:
                raise Fail(400, f"The query {text} is not valid near “{text[position:][:20]}”.")
            position = glue.end()
        term = _TERM.match(text, position)
        if not term:
            raise Fail(400, f"The query {text} is not valid near “{text[position:][:20]}”.")
        if term["list"] is not None:
            values = tuple(_literal(piece) for piece in re.findall(_LITERAL, term["list"]))
            found.append(Term(term["name"], "in", values))
        else:
            found.append(Term(term["name"], term["op"], (_literal(term["value"]),)))
        position = term.end()
    return found


def _by_example(text: str) -> list[Term]:
    if " and " in text.lower():
        raise Fail(400, f"The query {text} is not valid: version 1 separates conditions by semicolons.")
    return [Term(*_pair(piece, "query")) for piece in text.split(";") if piece]


def _pair(piece: str, where: str) -> tuple[str, str, tuple[Any, ...]]:
    name, equals, value = piece.partition("=")
    if not equals:
        raise Fail(400, f"The {where} {piece} is not valid.")
    return name.strip(), "=", (_literal(value.strip()),)


def _literal(text: str) -> Any:
    if text.startswith("'"):
        return text[1:-1].replace("''", "'")
    return int(text) if re.fullmatch(r"-?\d+", text) else text


def _compare(left: Any, right: Any) -> int:
    return (left > right) - (left < right)


def _same(value: Any, wanted: Any) -> bool:
    return value is not None and str(value) == str(wanted)


def _number(query: Mapping[str, str], name: str, default: int) -> int:
    text = query.get(name, str(default))
    if not text.isdigit():
        raise Fail(400, f"The value {text} of {name} is not valid.")
    return int(text)
