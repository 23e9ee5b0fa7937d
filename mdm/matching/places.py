"""Addresses: street, house number, postcode and city in a form two systems would agree on."""

import re
from functools import lru_cache
from typing import TypedDict

from mdm.matching.countries import CITY_ALIASES
from mdm.matching.scripts import fold, skeleton, visible
from mdm.matching.tables import read_words


class Place(TypedDict):
    """One address as compared. `show` is what a person reads."""

    street: str
    number: str
    side: str
    postcode: str
    city: str
    show: str


_BOX = re.compile(
    r"\b(?:p\.?\s?o\.?\s*box|post\s?box|postfach|boite postale|bp|casella postale|apartado|postbus|cp)\s*\d+",
    re.I,
)
_EXTRA = re.compile(
    r"[,/]?\s*\b(?:(?:suite|ste|unit|apt|room|rm|floor|fl|bldg|building|gebaude|gebaeude|haus|office|level|piso|etage|stock|og)\b\.?"
    r"\s*#?\s*[\w-]*|\d+(?:st|nd|rd|th|e|er|\.)?\s*(?:floor|fl|og|etage|stock|piso)\b).*$|#.*$"
)
_TOKEN = re.compile(r"[^\W_]+")
_STREET_WORDS = frozenset(read_words("street_words"))
_SUFFIX = re.compile(
    r"(?:strasse|strase|straase|straat|stras|str|gasse|platz|allee|laan|gatan|gata|gade|vej|vagen|vaegen|katu|utca|weg|tie)$"
)
_SIDES = {"n": "n", "north": "n", "s": "s", "south": "s", "e": "e", "east": "e", "w": "w", "west": "w"}
_CEDEX = re.compile(r"\bcedex\b|\d+|\(.*?\)")


def build_place(lines: str, postcode: str, city: str, country: str) -> Place:
    lines, postcode, city = visible(lines, 200), postcode[:20], visible(city, 80)  # what is longer is no address
    street, number, side = split_street(lines)
    show = ", ".join(part for part in (lines.strip(), " ".join((postcode, city)).strip()) if part)
    return {
        "street": street,
        "number": number,
        "side": side,
        "postcode": clean_postcode(postcode, country),
        "city": clean_city(city),
        "show": show[:120],
    }


@lru_cache(maxsize=50_000)
def split_street(lines: str) -> tuple[str, str, str]:
    """Street name (sound spelling, without "street"), house number, side of the grid (n, s, e, w)."""
    text = fold(lines)
    if not text or _BOX.search(text):
        return "", "", ""
    stripped = _EXTRA.sub("", text).strip(" ,/")
    words = _TOKEN.findall(stripped or text)
    number, words = _take_number(words)
    side = ""
    out = []
    for word in words:
        if word in _SIDES and not side:
            side = _SIDES[word]
        elif word not in _STREET_WORDS:
            if len(word) > 7:
                word = _SUFFIX.sub("", word)
            out.append(skeleton(word))
    if not out:
        out = [skeleton(word) for word in words]
    return " ".join(out), number, side


def _take_number(words: list[str]) -> tuple[str, list[str]]:
    """The house number: the first word when it is a number (12 Main St), else the last (Hauptstr. 12a)."""
    if words and words[0][0].isdigit() and words[0].rstrip("abcdefgh").isdigit():
        return words[0].rstrip("abcdefgh").lstrip("0") or "0", words[1:]
    for place in range(len(words) - 1, 0, -1):
        word = words[place]
        if word[0].isdigit():
            digits = word.rstrip("abcdefghijkl")
            if digits.isdigit():
                return digits.lstrip("0") or "0", words[:place] + words[place + 1 :]
    return "", words


def clean_postcode(postcode: str, country: str) -> str:
    text = "".join(c for c in postcode.upper() if c.isalnum())
    if country and len(text) > 4 and text.startswith(country) and text[len(country)].isdigit():
        text = text[len(country) :]
    elif len(text) > 4 and text[0] in "DFIAL" and text[1:].isdigit():
        text = text[1:]
    if len(text) == 9 and text.isdigit() and country in ("US", ""):
        text = text[:5]  # ZIP+4 names a delivery point, not a place
    return text


@lru_cache(maxsize=50_000)
def clean_city(city: str) -> str:
    text = _CEDEX.sub(" ", fold(city))
    words = _TOKEN.findall(text)
    joined = " ".join(words)
    joined = CITY_ALIASES.get(joined, joined)
    return " ".join(skeleton(word) for word in joined.split())
