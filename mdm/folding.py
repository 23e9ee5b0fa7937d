"""The text a record is found by: folded to plain lower-case words, numbers without separators."""

from __future__ import annotations

import re
import unicodedata
from typing import Any

from mdm.crypto import is_sealed
from mdm.registry import RecordType
from mdm.types import Document

_SPECIAL = str.maketrans({"ß": "ss", "ø": "o", "ł": "l", "đ": "d", "æ": "ae", "œ": "oe", "þ": "th", "ð": "d", "ı": "i"})


def fold(text: str) -> str:
    """Lower case, without accents; punctuation becomes blanks."""
    plain = unicodedata.normalize("NFKD", text.lower().translate(_SPECIAL))
    return " ".join(re.sub(r"[^\w]+", " ", "".join(c for c in plain if not unicodedata.combining(c))).split())


def search_text(kind: RecordType, document: Document) -> str:
    """Everything people search this record by, as folded words; secrets and uids are left out."""
    words: dict[str, None] = {}
    for name in kind.search:
        rows = document.get(kind.periods, ()) if name in kind.dated else ()  # also by what it was, and will be, called
        for text in _texts([document.get(name), *(row.get(name) for row in rows)]):
            for word in fold(text).split():
                words[word] = None
            if any(c.isdigit() for c in text):
                words[re.sub(r"\W", "", text.lower())] = None
    return " ".join(words)


def _texts(value: Any) -> list[str]:
    if value is None or is_sealed(value):
        return []
    if isinstance(value, dict):
        return [text for key, item in value.items() if key != "uid" for text in _texts(item)]
    if isinstance(value, list):
        return [text for item in value for text in _texts(item)]
    return [str(value)]
