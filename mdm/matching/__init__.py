"""Matching: finds records that name the same thing, and says why. Pure Python; knows no database."""

from mdm.matching.config import AddressFields, IdentifierFields, MatchConfig
from mdm.matching.engine import Engine
from mdm.matching.keys import Key
from mdm.matching.model import Model, Thresholds, shipped
from mdm.matching.rarity import Rarity, Snapshot
from mdm.matching.score import Contribution, Score
from mdm.matching.store import KeyStore, MemoryKeyStore

__all__ = [
    "AddressFields",
    "Contribution",
    "Engine",
    "IdentifierFields",
    "Key",
    "KeyStore",
    "MatchConfig",
    "MemoryKeyStore",
    "Model",
    "Rarity",
    "Score",
    "Snapshot",
    "Thresholds",
    "shipped",
]
