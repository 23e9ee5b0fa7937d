"""Rules of what may be coded together, without a database: which of them a line breaks, and what is wrong with them."""

from dimensions.coding.checking import Finding, check
from dimensions.coding.compiled import Compiled, Verdict
from dimensions.coding.rules import ABSENT, BUILT_IN, CODES, GIVEN, Rule, Test, line_field

__all__ = [
    "ABSENT",
    "BUILT_IN",
    "CODES",
    "Compiled",
    "Finding",
    "GIVEN",
    "Rule",
    "Test",
    "Verdict",
    "check",
    "line_field",
]
