"""What a judgement rests on: the values that were compared, never their weights. It lapses only when these change."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from mdm.crypto import blind_index
from mdm.types import digest

# Features that show a value of the records. All others (how rare a word is, the pattern of it all) are made from these
# and from the weights: a better model must not bring back what people have decided.
VALUES = (
    "name", "form", "country", "street", "postcode", "city", "tax", "identifier", "phone", "domain", "mail", "bank",
)  # fmt: skip

Part = Mapping[str, Any]


@dataclass(frozen=True)
class Changed:
    """A feature whose values are not those a judgement rested on. how: changed, new, gone."""

    feature: str
    how: str


def compared(parts: Iterable[Part]) -> dict[str, str]:
    """{feature: both values, in an order that does not depend on which record is left}; spelling details left out."""
    found = {}
    for part in parts:
        if part["feature"] in VALUES:
            found[str(part["feature"])] = " | ".join(sorted(_plain(str(part[side])) for side in ("left", "right")))
    return found


def _plain(text: str) -> str:
    return "".join(char for char in text.casefold() if char.isalnum())


def hash_of(parts: Iterable[Part]) -> str:
    """SHA-256 of the compared values."""
    return digest(compared(parts))


def sealed(parts: Iterable[Part]) -> dict[str, str]:
    """{feature: blind index of its values}: tells later which one changed, and holds no phone or mail address."""
    return {feature: blind_index(f"evidence {feature} {text}") for feature, text in compared(parts).items()}


def changes(before: Mapping[str, str], parts: Iterable[Part]) -> list[Changed]:
    """How the compared values of now differ from those kept with a judgement, in the order of VALUES."""
    now = sealed(parts)
    return [
        Changed(feature, "new" if feature not in before else "gone" if feature not in now else "changed")
        for feature in VALUES
        if before.get(feature) != now.get(feature)
    ]


def in_words(changed: Iterable[Changed]) -> str:
    """“phone changed, tax is new”: what made a pair come back."""
    words = {"changed": "changed", "new": "is new", "gone": "is gone"}
    return ", ".join(f"{one.feature} {words[one.how]}" for one in changed)
