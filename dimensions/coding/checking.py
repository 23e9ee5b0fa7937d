"""Owns what is wrong with coding rules: those that can never apply, that nothing can satisfy, that say the same as another."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Literal
from uuid import UUID

from dimensions.coding.compiled import meets
from dimensions.coding.rules import ABSENT, ALWAYS, BUILT_IN, CODES, Rule, Test, named
from mdm.mapping.expressions import Between, Equals, In
from mdm.mapping.languages import specimen

Kind = Literal["never_applies", "always_refuses", "never_refuses", "twice", "unknown_code", "unknown_dimension", "over"]
SEVERITY: dict[Kind, Literal["error", "warning", "note"]] = {
    "never_applies": "error",
    "unknown_dimension": "error",
    "always_refuses": "warning",
    "never_refuses": "warning",
    "twice": "warning",
    "unknown_code": "warning",
    "over": "note",
}
DERIVED = {"cost_center_category": "cost_center", "account_kind": "gl_account", "tax_kind": "tax_code"}
"""Dimensions that are read off another one: without that one there is none of them."""


@dataclass(frozen=True, slots=True)
class Finding:
    """`others`: rules it has to do with."""

    kind: Kind
    rule: UUID
    message: str
    others: tuple[UUID, ...] = ()

    @property
    def severity(self) -> str:
        return SEVERITY[self.kind]


def check(
    rules: Iterable[Rule],
    *,
    today: date,
    closed: Mapping[str, Collection[str]] | None = None,
    dimensions: Collection[str] = (),
    unknown: Mapping[str, Collection[str]] | None = None,
) -> list[Finding]:
    """Findings of every rule, in the order of the rules; at most one that says a rule never applies.

    `closed`: every code there may be of a dimension, of those whose codes are few (kinds, categories). `dimensions`: names
    of one's own. `unknown`: {dimension: codes that rules name one by one and no record has}.
    """
    listed = list(rules)
    seen: dict[object, Rule] = {}
    found: list[Finding] = []
    for rule in listed:
        mine = list(_of_rule(rule, today, closed or {}, dimensions, unknown or {}))
        same = seen.setdefault((frozenset(rule.when), frozenset(rule.then)), rule)
        if same is not rule and _meet(same, rule):
            words = f"It says the same as {same.code} {same.name}, while both hold."
            mine.append(Finding("twice", rule.uid, words, (same.uid,)))
        found += mine
    return found


def _of_rule(
    rule: Rule,
    today: date,
    closed: Mapping[str, Collection[str]],
    dimensions: Collection[str],
    unknown: Mapping[str, Collection[str]],
) -> Iterator[Finding]:
    for test in (*rule.when, *rule.then):
        if test.dimension not in BUILT_IN and test.dimension not in dimensions:
            words = f"There is no dimension {test.dimension}; no line says anything about it."
            yield Finding("unknown_dimension", rule.uid, words)
            return
    why = _never(rule, closed, unknown)
    if why:
        yield Finding("never_applies", rule.uid, f"It never applies: {why}.")
        return
    if rule.valid_to and rule.valid_to <= today:
        yield Finding("over", rule.uid, f"It held before {rule.valid_to.isoformat()} and applies to no line of today.")
    yield from _demands(rule, closed)
    for test in (*rule.when, *rule.then):
        missing = sorted(_named(test) & set(unknown.get(test.dimension, ())))
        if missing:
            listed = ", ".join(missing[:5]) + (f" and {len(missing) - 5} more" if len(missing) > 5 else "")
            yield Finding("unknown_code", rule.uid, f"No {named(test.dimension)} of the hub is called {listed}.")


def _never(rule: Rule, closed: Mapping[str, Collection[str]], unknown: Mapping[str, Collection[str]]) -> str:
    """Why no line can meet every `when`, "" when one can."""
    if rule.valid_from and rule.valid_to and rule.valid_from >= rule.valid_to:
        return f"it begins on {rule.valid_from.isoformat()} and ends before {rule.valid_to.isoformat()}"
    absent = {test.dimension for test in rule.when if test.what == ABSENT}
    for test in rule.when:
        if test.what == ABSENT and test.dimension in ALWAYS:
            return f"every line has a {named(test.dimension)}"
        source = DERIVED.get(test.dimension)
        if source in absent and test.what != ABSENT:
            return f"a line without {named(source)} has no {named(test.dimension)}"
        if test.what != CODES:
            continue
        if isinstance(test.codes, Between) and test.codes.empty():
            return (
                f"the range for {named(test.dimension)} begins with {test.codes.first} after its end {test.codes.last}"
            )
        codes = closed.get(test.dimension)
        if codes is not None and not any(meets(test, code) for code in codes):
            return f"it is for {test.words()}, and there is only {', '.join(sorted(codes)[:8])}"
        mine = _named(test)
        if mine and mine <= set(unknown.get(test.dimension, ())):
            return f"the hub has no {named(test.dimension)} {', '.join(sorted(mine)[:5])}"
    return ""


def _demands(rule: Rule, closed: Mapping[str, Collection[str]]) -> Iterator[Finding]:
    """Demands that contradict what the rule applies to, and those that it meets by itself."""
    given = {test.dimension: test for test in rule.when}
    trivial = bool(rule.then)
    for test in rule.then:
        other = given.get(test.dimension)
        if not _possible(test, other, closed):
            words = f"It refuses every line it applies to: {test.words()} can never be met there."
            yield Finding("always_refuses", rule.uid, f"{words} A rule that is to refuse has no “then”.")
            return
        trivial = trivial and _follows(test, other)
    if trivial:
        yield Finding("never_refuses", rule.uid, "It refuses nothing: what it asks for is what it applies to.")


def _possible(test: Test, other: Test | None, closed: Mapping[str, Collection[str]]) -> bool:
    """Whether a line that meets `other` may meet `test`, both about one dimension."""
    if test.what == ABSENT:
        return test.dimension not in ALWAYS and (other is None or other.what == ABSENT)
    if other is not None and other.what == ABSENT:
        return False
    codes = closed.get(test.dimension)
    if codes is not None and test.what == CODES:
        return any(meets(test, code) and (other is None or meets(other, code)) for code in codes)
    if test.codes is None:
        return True
    both = [test.codes] if other is None or other.codes is None else [test.codes, other.codes]
    return specimen(*both) is not None


def _follows(test: Test, other: Test | None) -> bool:
    if other is None:
        return test.what != CODES and test.dimension in ALWAYS and test.what != ABSENT
    if test.what == CODES:
        mine = _named(other)
        return test == other or bool(mine) and all(meets(test, code) for code in mine)
    return (test.what == ABSENT) == (other.what == ABSENT)


def _named(test: Test) -> frozenset[str]:
    """The codes a condition names one by one."""
    if isinstance(test.codes, Equals):
        return frozenset({test.codes.code})
    return frozenset(test.codes.codes) if isinstance(test.codes, In) else frozenset()


def _meet(one: Rule, other: Rule) -> bool:
    """Whether there is a day on which both hold."""
    starts = max(one.valid_from or date.min, other.valid_from or date.min)
    ends = min(one.valid_to or date.max, other.valid_to or date.max)
    return starts < ends
