"""Other scripts in Latin letters, for people who cannot read them; the same tables that matching compares by."""

from __future__ import annotations

import re

from mdm.matching.scripts import fold

_WORD = re.compile(r"\w+", re.UNICODE)


def is_latin(text: str) -> bool:
    """True when every letter is Latin, with or without accents."""
    return all(char < "\u0250" or not char.isalpha() for char in text)


def romanise(text: str) -> str:
    """«ООО Ромашка» reads “OOO Romashka”; Latin words stay as they are, scripts without a table too."""
    return _WORD.sub(lambda found: _word(found[0]), text)


def _word(word: str) -> str:
    if is_latin(word):
        return word
    plain = fold(word)
    if word.isupper() and len(word) > 1:
        return plain.upper()
    return plain[:1].upper() + plain[1:] if word[:1].isupper() else plain
