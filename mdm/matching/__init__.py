"""Matching: finds records that name the same thing, and says why. Pure Python; knows no database."""

from mdm.matching.config import AddressFields, IdentifierFields, MatchConfig, Thresholds
from mdm.matching.engine import Engine
from mdm.matching.keys import Key
from mdm.matching.rarity import Rarity
from mdm.matching.score import Contribution, Score
from mdm.matching.store import MemoryKeyStore

__all__ = [
    "AddressFields",
    "Contribution",
    "Engine",
    "IdentifierFields",
    "Key",
    "MatchConfig",
    "MemoryKeyStore",
    "Rarity",
    "Score",
    "Thresholds",
]
