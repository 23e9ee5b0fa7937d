"""Owns the part of OData V2 `$filter` the sandbox understands: comparisons, and, or, brackets."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping
from typing import Any

from sync.sandbox import Fail

Test = Callable[[Mapping[str, Any]], bool]
_TOKEN = re.compile(
    r"\s*(?:(?P<open>\()|(?P<close>\))|(?P<literal>(?:datetime(?:offset)?)?'(?:[^']|'')*')|(?P<word>[^\s()']+))"
)
_COMPARE = {
    "eq": operator.eq,
    "ne": operator.ne,
    "gt": operator.gt,
    "ge": operator.ge,
    "lt": operator.lt,
    "le": operator.le,
}


def compile_filter(text: str, properties: Mapping[str, Any]) -> Test:
    """A test for one entity; an unknown property or operator is refused as Gateway refuses it."""
    tokens, position = [], 0
    while position < len(text.rstrip()):
        found = _TOKEN.match(text, position)
        if not found:
            raise _wrong(text)
        kind = found.lastgroup or ""
        tokens.append((kind, found[kind]))
        position = found.end()
    test, rest = _either(tokens, text, properties)
    if rest:
        raise _wrong(text)
    return test


def equalities(text: str) -> dict[str, str]:
    """`Property eq 'value'` where the whole filter is nothing but that: what an index can answer."""
    found = re.fullmatch(r"\s*(\w+) eq '((?:[^']|'')*)'\s*", text)
    return {found[1]: found[2].replace("''", "'")} if found else {}


def literals(text: str) -> list[str]:
    return [found.replace("''", "'") for found in re.findall(r"eq '((?:[^']|'')*)'", text)]


def after_key(text: str, key: str) -> str:
    """The key a page starts after, from `key gt 'value'`."""
    found = re.search(rf"\b{key} gt '((?:[^']|'')*)'", text)
    return found[1] if found else ""


def _either(tokens: list[tuple[str, str]], text: str, properties: Mapping[str, Any]) -> tuple[Test, list[Any]]:
    left, tokens = _both(tokens, text, properties)
    while tokens and tokens[0] == ("word", "or"):
        right, tokens = _both(tokens[1:], text, properties)
        left = _or(left, right)
    return left, tokens


def _both(tokens: list[tuple[str, str]], text: str, properties: Mapping[str, Any]) -> tuple[Test, list[Any]]:
    left, tokens = _one(tokens, text, properties)
    while tokens and tokens[0] == ("word", "and"):
        right, tokens = _one(tokens[1:], text, properties)
        left = _and(left, right)
    return left, tokens


def _one(tokens: list[tuple[str, str]], text: str, properties: Mapping[str, Any]) -> tuple[Test, list[Any]]:
    if tokens and tokens[0][0] == "open":
        test, tokens = _either(tokens[1:], text, properties)
        if not tokens or tokens[0][0] != "close":
            raise _wrong(text)
        return test, tokens[1:]
    if len(tokens) < 3 or tokens[1][1] not in _COMPARE:
        raise _wrong(text)
    (_, name), (_, sign), (kind, raw) = tokens[:3]
    if name not in properties:
        raise Fail(400, f"Property {name} not found in the entity type.", code="/IWBEP/CX_MGW_BUSI_EXCEPTION")
    return _comparison(name, _COMPARE[sign], _value(kind, raw)), tokens[3:]


def _comparison(name: str, compare: Callable[[Any, Any], bool], wanted: Any) -> Test:
    def test(entity: Mapping[str, Any]) -> bool:
        held = entity.get(name)
        held = "" if held is None and isinstance(wanted, str) else bool(held) if isinstance(wanted, bool) else held
        return bool(compare(held, wanted))

    return test


def _value(kind: str, raw: str) -> Any:
    if kind == "literal":
        inner = raw[raw.index("'") + 1 : -1].replace("''", "'")
        return inner[:10] if raw.startswith("datetime") else inner
    return {"true": True, "false": False, "null": ""}.get(raw, raw)


def _or(left: Test, right: Test) -> Test:
    return lambda entity: left(entity) or right(entity)


def _and(left: Test, right: Test) -> Test:
    return lambda entity: left(entity) and right(entity)


def _wrong(text: str) -> Fail:
    return Fail(400, f"Invalid filter expression: {text}", code="/IWBEP/CM_MGW_RT/021")
