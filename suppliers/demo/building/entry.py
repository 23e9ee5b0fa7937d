"""Entry: one supplier as one platform holds it, before it is written in that platform's columns."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TypeVar

T = TypeVar("T")

S4HANA, COUPA, CONCUR = "s4hana", "coupa", "concur"
SYSTEMS = (S4HANA, COUPA, CONCUR)


@dataclass
class Entry:
    """Neutral between the sources (real and invented) and the platforms' columns."""

    system: str
    entity: str  # the true supplier; two entries with one entity are duplicates
    group: str  # chicago | treasury | nordhaven
    name: str
    country: str
    family: str = ""  # suppliers of one corporate group: siblings, not duplicates
    trade_name: str = ""
    street: str = ""
    house: str = ""
    line: str = ""  # street and house as written locally, for platforms that keep one line
    line2: str = ""
    city: str = ""
    region: str = ""
    postal_code: str = ""
    phone: str = ""
    email: str = ""
    website: str = ""
    vat: str = ""
    duns: str = ""
    parent_duns: str = ""
    parent_name: str = ""
    iban: str = ""
    contact: str = ""
    programme: str = ""  # what tells apart entries of one name where a platform wants names unique
    upper: bool = False
    cut: int = 0  # migrated long ago from a field of that length: the rest of the name is lost
    key: str = ""
    cells: dict[str, object] = field(default_factory=dict)  # the row in the platform's columns

    @property
    def hub_key(self) -> str:
        """The key under which the hub knows the record: Concur's has two parts, vendor and address code."""
        return f"{self.key}/001" if self.system == "concur" else self.key


def number(*parts: str) -> int:
    """A stable pseudo-random number: the same on every machine, unlike hash()."""
    return zlib.crc32("|".join(parts).encode())


def pick(options: Sequence[T], *parts: str) -> T:
    return options[number(*parts) % len(options)]


def chance(share: float, *parts: str) -> bool:
    return number(*parts) % 10_000 < share * 10_000


def cut_words(text: str, length: int) -> tuple[str, str]:
    """Splits at the last blank that fits, as an ERP user fills name line 1 and name line 2."""
    if len(text) <= length:
        return text, ""
    at = text.rfind(" ", 0, length + 1)
    if at <= 0:
        at = length
    return text[:at].strip(), text[at:].strip()
