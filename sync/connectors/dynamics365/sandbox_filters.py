"""Owns the part of OData V4 `$filter` the sandbox understands, with Finance's ways.

[odata] learn.microsoft.com, fin-ops-core, data-entities/odata: eq ne gt ge lt le and or not; no `has`, no `in`; an
asterisk in a value is a wildcard; enums are written `Microsoft.Dynamics.DataEntities.NoYes'Yes'`.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from sync.sandbox import Fail

_TOKEN = re.compile(r"\s*(?:(?P<mark>[()])|(?P<literal>(?:[\w.]+)?'(?:[^']|'')*')|(?P<word>[^\s()']+))")
_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "eq": operator.eq,
    "ne": operator.ne,
    "gt": operator.gt,
    "ge": operator.ge,
    "lt": operator.lt,
    "le": operator.le,
}


@dataclass(frozen=True)
class Node:
    """`kind` is and, or, not, or a comparison of `name` with `value`."""

    kind: str
    parts: tuple[Node, ...] = ()
    name: str = ""
    value: Any = None

    def holds(self, entity: Mapping[str, Any]) -> bool:
        if self.kind == "and":
            return all(part.holds(entity) for part in self.parts)
        if self.kind == "or":
            return any(part.holds(entity) for part in self.parts)
        if self.kind == "not":
            return not self.parts[0].holds(entity)
        held = entity.get(self.name)
        if isinstance(self.value, str) and self.kind in ("eq", "ne"):
            ours, theirs = self.value.casefold(), str(held or "").casefold()
            same = fnmatchcase(theirs, re.sub(r"([\[?])", r"[\1]", ours)) if "*" in ours else ours == theirs
            return same == (self.kind == "eq")
        return _COMPARE[self.kind](held, self.value)

    def equalities(self, indexed: Collection[str]) -> list[tuple[str, str]] | None:
        """Fields and values an index can answer this by; None when it cannot."""
        if self.kind == "and":
            return next((found for part in self.parts if (found := part.equalities(indexed)) is not None), None)
        if self.kind == "or":
            either = [part.equalities(indexed) for part in self.parts]
            return None if None in either else [pair for pairs in either for pair in pairs or []]
        if self.kind == "eq" and self.name in indexed and "*" not in str(self.value):
            return [(self.name, str(self.value))]
        return None


class _Reader:
    def __init__(self, text: str, names: Collection[str], type: str) -> None:
        self.text, self.names, self.type = text, names, type
        self.tokens: list[tuple[str, str]] = []
        position = 0
        while position < len(text.rstrip()):
            found = _TOKEN.match(text, position)
            if not found:
                raise self.wrong()
            self.tokens.append((str(found.lastgroup), found[str(found.lastgroup)]))
            position = found.end()

    def wrong(self) -> Fail:
        return Fail(400, f"Syntax error in the filter '{self.text}'.", code="odata")

    def joined(self, word: str, below: Callable[[], Node]) -> Node:
        parts = [below()]
        while self.tokens and self.tokens[0] == ("word", word):
            self.tokens.pop(0)
            parts.append(below())
        return parts[0] if len(parts) == 1 else Node(word, tuple(parts))

    def either(self) -> Node:
        return self.joined("or", self.both)

    def both(self) -> Node:
        return self.joined("and", self.one)

    def one(self) -> Node:
        if self.tokens and self.tokens[0] == ("word", "not"):
            self.tokens.pop(0)
            return Node("not", (self.one(),))
        if self.tokens and self.tokens[0] == ("mark", "("):
            self.tokens.pop(0)
            node = self.either()
            if not self.tokens or self.tokens.pop(0) != ("mark", ")"):
                raise self.wrong()
            return node
        if len(self.tokens) < 3 or self.tokens[1][1] not in _COMPARE:
            raise self.wrong()
        (_, name), (_, sign), (kind, raw) = (self.tokens.pop(0) for _ in range(3))
        if name not in self.names:
            raise no_property(name, self.type)
        return Node(sign, name=name, value=_value(kind, raw))


def read_filter(text: str, names: Collection[str], type: str) -> Node | None:
    """The condition, None when there is none; an unknown property is refused as OData refuses it."""
    if not text:
        return None
    reader = _Reader(text, names, type)
    node = reader.either()
    if reader.tokens:
        raise reader.wrong()
    return node


def no_property(name: str, type: str) -> Fail:
    return Fail(400, f"Could not find a property named '{name}' on type '{type}'.", code="odata")


def _value(kind: str, raw: str) -> Any:
    if kind == "literal":
        return raw[raw.index("'") + 1 : -1].replace("''", "'")
    return int(raw) if re.fullmatch(r"-?\d+", raw) else raw
