"""Names: takes an organisation's name apart into core words, legal form, numbers and places."""

import re
from dataclasses import dataclass
from functools import lru_cache

from mdm.matching.countries import COUNTRY_PAIRS, GEO_WORDS, TWO_WORDS
from mdm.matching.legal_forms import CJK, FORMS, split_form
from mdm.matching.scripts import fold, skeleton
from mdm.matching.words import (
    ABBREVIATIONS,
    ALIAS_MARK,
    CONJUNCTIONS,
    DIRECTIONS,
    NOISE,
    ORDINALS,
    ROMAN,
    SINGLE_AND,
)

LONGEST_NAME = 300  # characters looked at; a longer "name" is a pasted document, and time must stay bounded
MOST_WORDS = 24
_WORD = re.compile(r"[^\W_]+")
_GLUED = re.compile(r"(?<=[a-zäöüß])(?=(?:GmbH|AG|SARL|SAS|SRL|LLC|Ltd|Inc|BV|Oy|AB)$)")
_CJK = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")
# Field widths that systems cut names at; only there may a form be the beginning of a longer one.
_CUT_AT = frozenset((25, 30, 35, 40))


@dataclass(frozen=True, slots=True)
class NameParts:
    core: tuple[str, ...]  # words that identify, in sound spelling, in order
    words: tuple[str, ...]  # the same words as a person reads them
    form: str
    numbers: tuple[str, ...]  # designators: 4 (also IV), b, north
    places: tuple[str, ...]  # country codes and regions named


def split_aliases(raw: str) -> list[str]:
    """«Acme Ltd t/a Quick Print» is two names."""
    text = raw[:LONGEST_NAME]
    return [part for part in ALIAS_MARK.split(text) if part.strip()] or [text]


def parse_name(raw: str, own_cities: frozenset[str] = frozenset()) -> NameParts:
    """A name in parts. own_cities: sound spellings of the record's own cities, which say nothing new."""
    text = raw[:LONGEST_NAME]
    cut_off = len(raw) in _CUT_AT or len(raw) + 1 in _CUT_AT
    if not text.isascii() or text[-1:].isalpha():
        text = _GLUED.sub(" ", text)
    text = fold(text)
    cleaned = NOISE.sub(" ", text).replace("'", "")
    cleaned = TWO_WORDS.sub(lambda found: COUNTRY_PAIRS[found[0]], cleaned)
    words = _words(cleaned) or _words(text)
    cjk_form = ""
    if not text.isascii() and _CJK.search(text):
        words, cjk_form = _split_cjk(words)
    while len(words) > 1 and skeleton(words[-1]) in own_cities:
        words = words[:-1]
    words, form = split_form(words, cut_off)
    return _sort_words(words[:MOST_WORDS], form or cjk_form, own_cities)


def _words(text: str) -> list[str]:
    """Words with runs of single letters joined: «S.A. de C.V.» → sa de cv; A.B.C. → abc."""
    found = _WORD.findall(text)
    if not any(len(word) == 1 for word in found):
        return found
    out: list[str] = []
    run: list[str] = []
    for word in found:
        if len(word) == 1 and word.isalpha() and word.isascii():
            run.append(word)
            continue
        if run:
            out += _join_run(run)
            run = []
        out.append(word)
    if run:
        out += _join_run(run)
    return out


def _join_run(run: list[str]) -> list[str]:
    """A run of single letters is one word, but «Fund V L.P.» ends in a number and a form."""
    joined = "".join(run)
    if len(run) > 2 and joined not in FORMS and joined[1:] in FORMS:
        return [run[0], joined[1:]]
    return [joined]


def _split_cjk(words: list[str]) -> tuple[list[str], str]:
    form = ""
    out = []
    for word in words:
        for ending, code, _family in CJK:
            if ending in word and (word != ending or len(words) > 1):
                word, form = word.replace(ending, ""), form or code
                break
        if word:
            out.append(word)
    return out or words, form


def _sort_words(words: list[str], form: str, own_cities: frozenset[str]) -> NameParts:
    core: dict[str, str] = {}
    numbers: list[str] = []
    places: list[str] = []
    towns: dict[str, str] = {}
    last = len(words) - 1
    for place, word in enumerate(words):
        kind, value = _classify(word)
        if len(word) == 1 and word.isalpha() and word.isascii():
            if word in SINGLE_AND and 0 < place < last:
                continue
            if place == last and last > 0:
                numbers.append(ROMAN.get(word, word))
                continue
        if kind == "core":
            (towns if value in own_cities else core).setdefault(value, word)
        elif kind == "number":
            if value.isdigit() or place > 0:
                numbers.append(value)
            else:
                core.setdefault(word, word)
        elif kind == "place":
            places.append(value)
    if not core:
        core = towns or {skeleton(word): word for word in words if _classify(word)[0] != "skip"}
    return NameParts(tuple(core), tuple(core.values()), form, tuple(sorted(set(numbers))), tuple(sorted(set(places))))


@lru_cache(maxsize=200_000)
def _classify(word: str) -> tuple[str, str]:
    if word in CONJUNCTIONS:
        return "skip", ""
    if word.isdigit():
        return ("number", word.lstrip("0") or "0") if len(word) < 5 else ("core", word)
    if word in ORDINALS:
        return "core", ORDINALS[word]
    if word in DIRECTIONS:
        return "number", DIRECTIONS[word]
    if word in ROMAN and word not in ("v", "x", "i"):
        return "number", ROMAN[word]
    if word in GEO_WORDS:
        return "place", GEO_WORDS[word]
    return "core", skeleton(ABBREVIATIONS.get(word, word))
