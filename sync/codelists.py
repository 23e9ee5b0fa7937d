"""Owns which list of a platform takes the values of which of our types, and how the key of a value is written.

Platforms keep dimensions as values of lists that somebody set up there (lookups, lists, value sets). The mapping names a
list by our word, and the target says what the platform calls it. A type that is a word itself has one list, and its keys
are plain codes. The values of any other type name their list, and their keys say which: `REGION/NORTH`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Codelists:
    """own: our word -> the platform's usual name, for types with one list. named: what the target says of any word."""

    own: Mapping[str, str]
    named: Mapping[str, str]

    def words(self, type: str) -> list[str]:
        """The lists in which values of a type can stand."""
        return [type] if type in self.own else [word for word in self.named if word not in self.own]

    def name(self, word: str) -> str:
        """What the platform calls a list; one that nobody named is called by our word."""
        return str(self.named.get(word) or self.own.get(word) or word)

    def word(self, type: str, name: str) -> str:
        """The way back: our word for a list of a type."""
        return next((word for word in self.words(type) if self.name(word) == name), name)

    def key(self, type: str, word: str, code: str) -> str:
        return code if type in self.own else f"{word}/{code}"

    def split(self, type: str, key: str) -> tuple[str, str]:
        """Word and code of a key; no code when the key has none."""
        if type in self.own:
            return type, key
        word, _, code = key.partition("/")
        return word, code
