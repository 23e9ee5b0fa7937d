"""Mapping rules without a database: which row wins for a code in a context on a day, why, and what is wrong with the rows."""

from dimensions.mapping.checking import Finding, Members, check
from dimensions.mapping.compiled import Compiled, Resolution, compile
from dimensions.mapping.expressions import Between, Equals, In, Like, MappingError
from dimensions.mapping.proposing import Proposal, proposals
from dimensions.mapping.rehearsing import Difference, Use, rehearse
from dimensions.mapping.rows import Row, when

__all__ = [
    "Between",
    "Compiled",
    "Difference",
    "Equals",
    "Finding",
    "In",
    "Like",
    "MappingError",
    "Members",
    "Proposal",
    "Resolution",
    "Row",
    "Use",
    "check",
    "compile",
    "proposals",
    "rehearse",
    "when",
]
