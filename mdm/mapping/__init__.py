"""Mapping rules without a database: which row wins for a code in a context on a day, why, and what is wrong with the rows."""

from mdm.mapping.checking import Finding, Members, check
from mdm.mapping.compiled import Compiled, Resolution, compile
from mdm.mapping.expressions import Between, Equals, In, Like, MappingError
from mdm.mapping.proposing import Proposal, proposals
from mdm.mapping.rehearsing import Difference, Use, rehearse
from mdm.mapping.rows import Row, when

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
