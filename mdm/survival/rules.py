"""Rules of survivorship as data: the tests of each path, fields that survive together, ranks; and what is wrong with them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from functools import lru_cache
from typing import Any

from mdm.reading.paths import field_type
from mdm.registry import RecordType
from mdm.types import Problem

HUB = "hub"
TESTS = {
    "source_rank": "the most trusted source",
    "recency": "the newest value",
    "oldest": "the oldest value",
    "frequency": "the value most systems give",
    "completeness": "the fullest value",
}
AGGREGATES = {
    "union": "all values of all sources",
    "min": "the lowest value",
    "max": "the highest value",
    "sum": "the sum of all values",
}
DEFAULT_ORDER = ("source_rank", "recency", "completeness")
LOWEST = 99  # rank of a system nobody ranked


@dataclass(frozen=True)
class Rule:
    """How one path survives. `path` "" speaks for every path without a rule of its own.

    `order`: tests applied one after the other until one value is left, or a single aggregate.
    `together`: further fields that always come from the same source as `path`.
    `ranks`: {system: rank}, 1 is believed first; systems not named keep their own rank.
    `keep_last`: when only sources that are gone gave a value, it stays until somebody offers another.
    """

    path: str = ""
    order: tuple[str, ...] = DEFAULT_ORDER
    ranks: Mapping[str, int] = field(default_factory=dict)
    together: tuple[str, ...] = ()
    keep_last: bool = True

    @classmethod
    def of(cls, given: Mapping[str, Any]) -> Rule:
        """From JSON; `check` says what is wrong with it."""
        return cls(
            path=str(given.get("path") or ""),
            order=tuple(given.get("order") or ()),
            ranks=dict(given.get("ranks") or {}),
            together=tuple(given.get("together") or ()),
            keep_last=bool(given.get("keep_last", True)),
        )

    def as_json(self) -> dict[str, Any]:
        return {
            "path": self.path,
            "order": list(self.order),
            "ranks": dict(sorted(self.ranks.items())),
            "together": list(self.together),
            "keep_last": self.keep_last,
        }

    @property
    def aggregate(self) -> str:
        """The aggregate of this rule, "" when it chooses one value."""
        return self.order[0] if len(self.order) == 1 and self.order[0] in AGGREGATES else ""


class Rules:
    """The rules of one record type, looked up by path. `ranks`: {system: rank} of the systems themselves."""

    def __init__(self, rules: Iterable[Rule], ranks: Mapping[str, int]) -> None:
        self.rules = tuple(sorted(rules, key=lambda rule: rule.path))
        self._by_path = {rule.path: rule for rule in self.rules}
        # People's own entries are believed first unless governance gives the hub another rank.
        self._ranks = {HUB: 1, **ranks}
        self._groups = {name: rule for rule in self.rules if rule.together for name in (rule.path, *rule.together)}

    def rule(self, path: str) -> Rule:
        """Of a path or of the list it leads into."""
        name = path.partition("/")[0]
        default = self._by_path.get("") or Rule()
        return self._groups.get(name) or self._by_path.get(name) or default

    def order(self, path: str) -> tuple[str, ...]:
        return self.rule(path).order or DEFAULT_ORDER

    def rank(self, path: str, system: str) -> int:
        """Trust in a system for a path: the path's own rank, else the type's, else the system's."""
        default = self._by_path.get("")
        for ranks in (self.rule(path).ranks, default.ranks if default else {}, self._ranks):
            if system in ranks:
                return ranks[system]
        return LOWEST

    def group(self, name: str) -> tuple[str, ...]:
        """The fields that survive together with this one, itself among them; () when it stands alone."""
        rule = self._groups.get(name)
        return (rule.path, *rule.together) if rule else ()

    def block(self, path: str) -> str:
        """What survives as one: the field, the row of a list, or the group, written `first+second`."""
        name = path.partition("/")[0]
        members = self.group(name)
        return "+".join(members) if members and "/" not in path else path


def members(block: str) -> tuple[str, ...]:
    """The fields of a block; one for a field alone."""
    return tuple(block.split("+"))


def check(kind: RecordType, rules: Sequence[Rule], *, systems: Iterable[str]) -> list[Problem]:
    """Everything that is wrong with a set of rules; paths of problems are `<rule's path or *>/<part>`."""
    problems: list[Problem] = []
    known = {HUB, *systems}
    owners: dict[str, str] = {}
    for rule in rules:
        problems += _check_one(kind, rule, known)
        for name in (rule.path, *rule.together):
            if name in owners:
                where = rule.path or "*"
                other = owners[name] or "every other field"
                problems.append(Problem(f"{where}/path", "twice", f"“{name or '*'}” has a rule already: {other}."))
            owners[name] = rule.path
    return problems


def _check_one(kind: RecordType, rule: Rule, systems: set[str]) -> list[Problem]:
    where = rule.path or "*"

    def wrong(part: str, code: str, text: str) -> Problem:
        return Problem(f"{where}/{part}", code, text)

    fields, children = kind.document.model_fields, {child.name for child in kind.children}
    if rule.path and rule.path not in fields:
        return [wrong("path", "unknown_path", f"A {kind.noun} has no field “{rule.path}”.")]
    problems = [wrong("order", code, text) for code, text in _check_order(kind, rule, children)]
    problems += [wrong("together", code, text) for code, text in _check_group(kind, rule, children)]
    for system, rank in rule.ranks.items():
        if system not in systems:
            problems.append(wrong("ranks", "unknown_system", f"There is no system “{system}”."))
        if not isinstance(rank, int) or isinstance(rank, bool) or not 1 <= rank <= 999:
            text = f"The rank of “{system}” must be a whole number from 1 (believed first) to 999."
            problems.append(wrong("ranks", "invalid_rank", text))
    return problems


def _check_order(kind: RecordType, rule: Rule, children: set[str]) -> Iterable[tuple[str, str]]:
    if not rule.order:
        yield "missing", f"Name at least one of {', '.join([*TESTS, *AGGREGATES])}."
        return
    for name in rule.order:
        if name not in TESTS and name not in AGGREGATES:
            yield "unknown_test", f"“{name}” is none of {', '.join([*TESTS, *AGGREGATES])}."
    if len(set(rule.order)) < len(rule.order):
        yield "repeated", "Name each test once."
    used = [name for name in rule.order if name in AGGREGATES]
    if used and len(rule.order) > 1:
        yield "aggregate_alone", f"“{used[0]}” takes all values: no other test can follow or precede it."
    elif used and not rule.path:
        yield "aggregate_path", f"“{used[0]}” must name its field: it does not fit every kind of value."
    elif used and (words := _misfit(kind, rule.path, used[0], children)):
        yield "aggregate_type", words


def _misfit(kind: RecordType, name: str, aggregate: str, children: set[str]) -> str:
    """Why an aggregate makes no sense for a field; "" when it does."""
    label = kind.label(name)
    if name in children:
        return f"{label} is a list of rows: each row survives by itself, from one source. Name tests instead."
    is_list, type_ = field_type(kind.document.model_fields[name])
    if aggregate == "union":
        return "" if is_list else f"{label} holds one value: only a list can be the union of several."
    if is_list:
        return f"{label} is a list: only “union” can put lists together."
    if aggregate == "sum":
        if type_ not in (int, Decimal):
            return f"{label} is no number and cannot be summed."
        return f"{label} has an upper limit that a sum could pass." if has_limit(kind, name) else ""
    return (
        "" if type_ in (int, Decimal, date) else f"{label} is neither a number nor a date: “{aggregate}” fits neither."
    )


def has_limit(kind: RecordType, name: str) -> bool:
    text = json.dumps(_properties(kind).get(name, {}))
    return '"maximum"' in text or '"exclusiveMaximum"' in text


def most_items(kind: RecordType, name: str) -> int:
    """How many values a list may hold."""
    return int(_properties(kind).get(name, {}).get("maxItems") or 1_000_000)


@lru_cache(maxsize=64)
def _properties(kind: RecordType) -> Mapping[str, Any]:
    """The fields of a document by JSON Schema; made once, because a walk over all records asks for each."""
    found: Mapping[str, Any] = kind.document.model_json_schema(mode="validation")["properties"]
    return found


def _check_group(kind: RecordType, rule: Rule, children: set[str]) -> Iterable[tuple[str, str]]:
    if not rule.together:
        return
    if not rule.path:
        yield "group_path", "A group needs a first field: give the rule a path."
    if rule.aggregate:
        yield "group_aggregate", "Fields that survive together come from one source: an aggregate has several."
    for name in (rule.path, *rule.together):
        if name in children:
            yield "group_rows", f"{kind.label(name)} is a list of rows: each row is a block already."
        elif name not in kind.document.model_fields and name in rule.together:
            yield "unknown_path", f"A {kind.noun} has no field “{name}”."
    if len({rule.path, *rule.together}) < 1 + len(rule.together):
        yield "repeated", "Name each field of a group once."
