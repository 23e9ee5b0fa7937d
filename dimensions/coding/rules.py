"""Owns the coding rule: what it asks of a line, and how that reads in words."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Literal, NamedTuple
from uuid import UUID

from mdm.mapping.expressions import Expression

Side = Literal["when", "then"]
CODES, GIVEN, ABSENT = "codes", "given", "not_given"
"""What a condition asks: that the code is one of some, that there is one at all, that there is none."""

BUILT_IN = {
    "legal_entity": "legal_entity",
    "country": "legal_entity",
    "cost_center": "cost_center",
    "cost_center_category": "cost_center",
    "profit_center": "profit_center",
    "gl_account": "gl_account",
    "account_kind": "gl_account",
    "project": "project",
    "tax_code": "tax_code",
    "tax_kind": "tax_code",
    "supplier": "supplier",
}
"""Dimensions every hub has, and the field of a line that says them; any other name is a dimension of one's own."""
ALWAYS = frozenset({"legal_entity", "country", "gl_account", "account_kind"})
"""Dimensions that no line is without."""


def line_field(dimension: str) -> str:
    """The field of a line that decides about a dimension: what a message points at."""
    return BUILT_IN.get(dimension) or f"dimensions/{dimension}"


def named(dimension: str) -> str:
    words = {"gl_account": "GL account", "supplier": "supplier"}
    return words.get(dimension) or (dimension.replace("_", " ") if dimension in BUILT_IN else dimension)


@dataclass(frozen=True, slots=True)
class Test:
    """One condition. `codes`: only for CODES."""

    __test__ = False  # pytest collects what is called so

    dimension: str
    what: str = CODES
    codes: Expression | None = None

    def words(self) -> str:
        if self.what == CODES:
            assert self.codes is not None
            return f"{named(self.dimension)} {self.codes.words()}"
        return f"{named(self.dimension)} {'given' if self.what == GIVEN else 'not given'}"


class Rule(NamedTuple):
    """A line that meets every `when` must meet every `then`; without a `then` it is refused.

    Holds from `valid_from` until the day before `valid_to`, None is open. On each side a dimension stands at most once.
    """

    uid: UUID
    code: str
    name: str
    message: str
    when: tuple[Test, ...] = ()
    then: tuple[Test, ...] = ()
    valid_from: date | None = None
    valid_to: date | None = None

    @property
    def about(self) -> str:
        """The dimension a refusal points at: the last of those that are not the company's."""
        names = [test.dimension for test in self.when]
        return next((name for name in reversed(names) if BUILT_IN.get(name) != "legal_entity"), "legal_entity")

    def words(self) -> str:
        when = " and ".join(test.words() for test in self.when) or "every line"
        then = " and ".join(test.words() for test in self.then)
        return f"{when}: {then}" if then else f"{when}: refused"
