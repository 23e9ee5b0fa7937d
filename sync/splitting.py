"""Owns how one value is cut over several target fields and put together again."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from sync.transforms import Unfit

_STREET = re.compile(r"^(?P<street>.*\D)\s+(?P<number>\d+\s?[a-zA-Z]?(?:\s?[-/+]\s?\d+\s?[a-zA-Z]?)?)$")


def cut(kind: str, value: Any, lengths: Sequence[int]) -> list[str | None]:
    text = " ".join(str(value).split()) if value is not None else ""
    pieces = _cut_street(text, lengths) if kind == "house_number" else cut_words(text, lengths)
    return [piece or None for piece in pieces]


def put_together(kind: str, pieces: Sequence[Any], lengths: Sequence[int]) -> str | None:
    texts = [str(piece or "").strip() for piece in pieces]
    if kind == "house_number":
        return " ".join(text for text in texts if text) or None
    return join_words(texts, lengths) or None


def cut_words(text: str, lengths: Sequence[int]) -> list[str]:
    """Cut between words, so that `join_words` finds the very same text again.

    Targets drop blanks at the end of a field, so a cut inside a word has to be told from a cut between two:
    only a part cut inside a word is ever full to the last character while more follows.
    """
    pieces: list[str] = []
    left = text.split(" ") if text else []
    while left:
        width = lengths[len(pieces)] if len(pieces) < len(lengths) else 0
        if not width:
            room = sum(lengths)
            raise Unfit("too_long", f"“{text}” does not fit the {room} characters of {len(lengths)} fields.")
        taken, left = _fill(left, width)
        pieces.append(taken)
    return pieces + [""] * (len(lengths) - len(pieces))


def _fill(words: list[str], width: int) -> tuple[str, list[str]]:
    if words[0] == "":  # the mark of a cut between words after a full part
        return "", words[1:]
    if len(words[0]) > width:
        return words[0][:width], [words[0][width:], *words[1:]]
    count = 1
    while count < len(words) and len(" ".join(words[: count + 1])) <= width:
        count += 1
    taken, rest = " ".join(words[:count]), words[count:]
    if len(taken) < width or not rest:
        return taken, rest
    if count > 1:
        return " ".join(words[: count - 1]), words[count - 1 :]
    return taken, ["", *rest]  # one word fills the part: an empty part says that the word ended there


def join_words(pieces: Sequence[str], lengths: Sequence[int]) -> str:
    text, glue = "", ""
    for piece, width in zip(pieces, lengths, strict=False):
        if piece:
            text += glue + piece if text else piece
        glue = "" if piece and len(piece) == width else " "
    return text


def _cut_street(text: str, lengths: Sequence[int]) -> list[str]:
    street, number = text, ""
    if (found := _STREET.match(text)) and len(found["number"]) <= lengths[1]:
        street, number = found["street"].strip(), found["number"]
    if len(street) > lengths[0]:
        raise Unfit("too_long", f"“{street}” is longer than the {lengths[0]} characters of a street.")
    return [street, number] + [""] * (len(lengths) - 2)
