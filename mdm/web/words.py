"""Which words of two texts differ: for the diff of a request and for two records side by side."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

_WORD = re.compile(r"\s+|[^\W_]+|[\W_]", re.UNICODE)


@dataclass(frozen=True)
class Word:
    """`extra`: the other side has nothing in its place, so it adds and does not contradict."""

    text: str
    changed: bool = False
    extra: bool = False


def word_diff(before: str, after: str) -> tuple[list[Word], list[Word]]:
    """Both texts cut into stretches that stayed and stretches that changed; words, not characters.

    When nearly nothing is shared, marking islands of equality would only be noise: all of it changed.
    """
    old, new = _WORD.findall(before), _WORD.findall(after)
    matcher = SequenceMatcher(None, old, new, autojunk=False)
    shared = sum(len("".join(old[a : a + n]).strip()) for a, _, n in matcher.get_matching_blocks())
    if not before or not after or shared * 3 < min(len(before), len(after)):
        return ([Word(before, True)] if before else [], [Word(after, True)] if after else [])
    left: list[Word] = []
    right: list[Word] = []
    for tag, a1, a2, b1, b2 in matcher.get_opcodes():
        for side, words in ((left, old[a1:a2]), (right, new[b1:b2])):
            side += _stretch("".join(words), changed=tag != "equal")
    return left, right


def _stretch(text: str, *, changed: bool, extra: bool = False) -> list[Word]:
    """Blanks at the edges of a change are not part of it: the mark hugs the words."""
    if not changed or not text.strip():
        return [Word(text)] if text else []
    core = text.strip()
    before, after = text[: text.index(core)], text[text.index(core) + len(core) :]
    return [word for word in (Word(before), Word(core, True, extra), Word(after)) if word.text]


def equal_parts(left: str, right: str) -> tuple[list[Word], list[Word]]:
    """Two values of a pair: what contradicts and what is extra is marked, whatever the case; nearly equal words by letters."""
    old, new = _WORD.findall(left), _WORD.findall(right)
    matcher = SequenceMatcher(None, [w.casefold() for w in old], [w.casefold() for w in new], autojunk=False)
    sides: tuple[list[Word], list[Word]] = ([], [])
    for tag, a1, a2, b1, b2 in matcher.get_opcodes():
        texts = "".join(old[a1:a2]), "".join(new[b1:b2])
        letters = SequenceMatcher(None, texts[0].casefold(), texts[1].casefold(), autojunk=False)
        near = tag == "replace" and letters.ratio() >= 0.6
        for kind, c1, c2, d1, d2 in letters.get_opcodes() if near else [(tag, 0, None, 0, None)]:
            for side, text in zip(sides, (texts[0][c1:c2], texts[1][d1:d2]), strict=True):
                side += _stretch(text, changed=kind != "equal", extra=kind in ("insert", "delete") and not near)
    return joined(sides[0]), joined(sides[1])


def joined(words: Sequence[Word]) -> list[Word]:
    """Neighbours that are marked alike become one stretch."""
    result: list[Word] = []
    for word in words:
        if result and (result[-1].changed, result[-1].extra) == (word.changed, word.extra):
            result[-1] = Word(result[-1].text + word.text, word.changed, word.extra)
        else:
            result.append(word)
    return result
