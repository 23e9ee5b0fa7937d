"""Owns how a rule's pattern is held against words: no regular expressions, so that no pattern can take long."""

from __future__ import annotations

LONGEST = 2000  # characters of the words that are looked at
STARS = 10  # of one pattern


def fits(match: str, pattern: str, *, code: str, words: str) -> bool:
    """`match` is one of `sync.models.rule.MATCHES`. Time grows with the words, never with tricks in the pattern."""
    wanted = _plain(pattern)
    if not wanted.strip("*"):
        return False
    if match == "code":
        return _plain(code) == wanted
    said = _plain(words[:LONGEST])
    if match == "contains":
        return wanted in said
    if match == "starts":
        return said.startswith(wanted)
    return _like(wanted, said)


def _plain(text: str) -> str:
    return " ".join(text.casefold().split())


def _like(pattern: str, said: str) -> bool:
    """Anchored at both ends, `*` stands for anything: every piece is looked for once, behind the one before it."""
    first, *middle = pattern.split("*")
    if not middle:
        return said == first
    last = middle.pop()
    if not (said.startswith(first) and said.endswith(last) and len(said) >= len(first) + len(last)):
        return False
    place, end = len(first), len(said) - len(last)
    for piece in middle:
        found = said.find(piece, place, end)
        if found < 0:
            return False
        place = found + len(piece)
    return True
