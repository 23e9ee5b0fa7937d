"""Names: takes an organisation's name apart into core words, legal form, numbers and places."""

import re
from dataclasses import dataclass
from functools import lru_cache

from mdm.matching import cjk
from mdm.matching.countries import DOTTED_COUNTRIES, GEO_WORDS, PLACE_PAIRS
from mdm.matching.legal_forms import FORMS, split_form
from mdm.matching.scripts import composed, fold, skeleton, sound, visible
from mdm.matching.words import (
    ABBREVIATIONS,
    ALIAS_MARK,
    AND_WORDS,
    BOTH_NAMES,
    CARDINALS,
    CONJUNCTIONS,
    DIRECTIONS,
    NOISE,
    NOISE_HINTS,
    NUMBER_SIGNS,
    ORDINAL_OF,
    ORDINALS,
    ORDINALS_IN_WORDS,
    ROMAN,
    SINGLE_AND,
)

LONGEST_NAME = 300  # characters looked at; a longer "name" is a pasted document, and time must stay bounded
MOST_WORDS = 24
_WORD = re.compile(r"[^\W_]+")
_GLUED = re.compile(r"(?<=[a-zäöüß])(?=(?:GmbH|AG|SARL|SAS|SRL|LLC|Ltd|Inc|BV|Oy|AB)$)")
# «Canal+» is Canal Plus; «Co-operation» one word; «3%ers» three percenters.
_PLUS = re.compile(r"(?<=\w)\+(?!\w)")
_DOUBLE = re.compile(r"([a-z])\1+")
_NUMERALS = NUMBER_SIGNS | CARDINALS.keys()
_CO = re.compile(r"\bco-(?=op|ord)")
_ACRONYM = re.compile(r"^(.+\S)\s*[(\[]([A-Z]{3,6})[)\]]\s*$")
# Field widths that systems cut names at; only there may a form be the beginning of a longer one.
_CUT_AT = frozenset((25, 30, 35, 40))


@dataclass(frozen=True, slots=True)
class NameParts:
    core: tuple[str, ...]  # words that identify, in sound spelling, in order
    words: tuple[str, ...]  # the same words as a person reads them
    form: str
    numbers: tuple[str, ...]  # designators: 4 (also IV), b, north
    places: tuple[str, ...]  # country codes and regions named
    joined: str  # the core as one word, in sound spelling: Good Will and Goodwill meet
    initials: tuple[str, ...]  # without and with small words: Bayerische Motoren Werke → bmw


def split_aliases(raw: str) -> list[str]:
    """«Acme Ltd t/a Quick Print» is two names; so is «International Business Machines (IBM)».

    Of «Bank of Montreal / Banque de Montréal» the whole stays the first name: other systems may hold it too.
    """
    text = visible(raw, LONGEST_NAME)
    parts = [part for part in ALIAS_MARK.split(text) if part.strip()] or [text]
    if "/" in text or "|" in text:
        parts = [name for part in parts for name in (part, *_halves(part))]
    if text.endswith((")", "]")):
        found = _ACRONYM.match(parts[0])
        if found and found[2].lower() in parse_name(found[1]).initials:
            parts[:1] = [found[1], found[2]]
    return parts


def _halves(text: str) -> list[str]:
    """Both sides of a slash when each is a name of several words; «Import / Export» is not two names."""
    halves = BOTH_NAMES.split(text)
    if 1 < len(halves) < 4 and all(len(_WORD.findall(half)) > 1 for half in halves):
        return halves
    return []


def parse_name(raw: str, own_cities: frozenset[str] = frozenset(), country: str = "") -> NameParts:
    """A name in parts.

    own_cities: sound spellings of the record's own cities, which say nothing new; country: the record's own,
    for legal forms that only mean something there.
    """
    text = visible(raw, LONGEST_NAME)
    cut_off = len(raw) in _CUT_AT or len(raw) + 1 in _CUT_AT
    cjk_form = ""
    if not text.isascii():
        text = composed(text)
        if cjk.has_cjk(text):
            text, cjk_form = cjk.cut(text)
        text = _GLUED.sub(" ", text)
    elif text[-1:].isalpha():
        text = _GLUED.sub(" ", text)
    text = fold(text)
    cleaned = NOISE.sub(" ", text) if NOISE_HINTS.search(text) else text
    cleaned = cleaned.replace("'", "")
    if "%" in cleaned or "+" in cleaned:
        cleaned = _PLUS.sub(" plus", cleaned).replace("%", " percent ")
    if "-" in cleaned:
        cleaned = _CO.sub("co", cleaned)
    words = _words(cleaned) or _words(text.replace("'", ""))
    while len(words) > 1 and own_cities and skeleton(words[-1]) in own_cities:
        words.pop()
    words, form = split_form(words, cut_off, country)
    return _sort_words(_numbers_in_words(words[:MOST_WORDS]), form or cjk_form, own_cities)


def words_of(text: str) -> list[str]:
    """The folded words of a text: what spellings in our tables are written in."""
    return _words(fold(text).replace("'", ""))


def _words(text: str) -> list[str]:
    """Words with runs of single letters joined: «S.A. de C.V.» → sa de cv; A.B.C. → abc."""
    found = _WORD.findall(text)
    if PLACE_PAIRS.keys() & set(found):
        found = _join_places(found)
    if not any(len(word) == 1 for word in found):
        return found
    out: list[str] = []
    run: list[str] = []
    last = len(found) - 1
    for place, word in enumerate(found):
        if len(word) == 1 and word.isalpha() and word.isascii():
            run.append(word)
            continue
        if run:
            if word in AND_WORDS and place < last and len(found[place + 1]) == 1 and len(run) == 1:
                continue
            out += _join_run(run)
            run = []
        out.append(word)
    if run:
        out += _join_run(run)
    return out


def _join_places(words: list[str]) -> list[str]:
    """«United States of America» in one word."""
    out: list[str] = []
    place = 0
    while place < len(words):
        for rest, one in PLACE_PAIRS.get(words[place], ()):
            if tuple(words[place + 1 : place + 1 + len(rest)]) == rest:
                out.append(one)
                place += len(rest)
                break
        else:
            out.append(words[place])
        place += 1
    return out


def _join_run(run: list[str]) -> list[str]:
    """A run of single letters is one word, but «Fund V L.P.» ends in a number and a form."""
    joined = "".join(run)
    if len(run) > 2 and joined not in FORMS and joined[1:] in FORMS:
        return [run[0], joined[1:]]
    return [DOTTED_COUNTRIES.get(joined, joined)]


def _numbers_in_words(words: list[str]) -> list[str]:
    """Forty-Four, Forty 4 and 44 are one number, Twenty-First is 21st; the sign in front of a number goes."""
    if _NUMERALS.isdisjoint(words):
        return words
    out: list[str] = []
    open_tens = 0  # the twenty of twenty-one
    for place, word in enumerate(words):
        if word in NUMBER_SIGNS and words[place + 1 : place + 2] and words[place + 1][0].isdigit():
            continue
        value = CARDINALS.get(word) or (int(word) if len(word) == 1 and word in "123456789" else 0)
        ordinal = ORDINAL_OF.get(ORDINALS_IN_WORDS.get(word, word), 0)
        if open_tens and 0 < value < 10:
            out[-1] = str(open_tens + value)
        elif open_tens and 0 < ordinal < 10:
            out[-1] = f"{open_tens + ordinal}{('th', 'st', 'nd', 'rd')[ordinal if ordinal < 4 else 0]}"
        elif word == "hundred" and out and out[-1] in "123456789":
            out[-1] += "00"
        else:
            out.append(str(value) if word in CARDINALS else word)
        open_tens = value if word in CARDINALS and value > 19 else 0
    return out


def _sort_words(words: list[str], form: str, own_cities: frozenset[str]) -> NameParts:
    core: dict[str, str] = {}
    numbers: list[str] = []
    places: list[str] = []
    towns: dict[str, str] = {}
    letters = small = ""
    last = len(words) - 1
    for place, word in enumerate(words):
        kind, value = _classify(word)
        if kind == "core":
            small += word[0]
            letters += word[0]
            if len(word) == 1 and word.isalpha() and word.isascii():
                if word in SINGLE_AND and 0 < place < last:
                    continue
                if place == last and last > 0:
                    numbers.append(ROMAN.get(word, word))
                    continue
            (towns if value in own_cities else core).setdefault(value, word)
        elif kind == "skip":
            small += word[0]
        elif kind == "number":
            if not value.isdigit():
                small += word[0]
                letters += word[0]
            if value.isdigit() or place > 0:
                numbers.append(value)
            else:
                core.setdefault(word, word)
        else:
            small += word[0]
            letters += word[0]
            places.append(value)
    if not core:
        core = towns or {skeleton(word): word for word in words if _classify(word)[0] != "skip"}
    return NameParts(
        core=tuple(core),
        words=tuple(core.values()),
        form=form,
        numbers=tuple(sorted(set(numbers))),
        places=tuple(sorted(set(places))),
        joined=_joined(core),
        initials=tuple([text for text in dict.fromkeys((letters, small)) if 2 < len(text) < 8]),
    )


def _joined(core: dict[str, str]) -> str:
    """The sound of all words as one. Words too short to have a sound of their own get one from their neighbours."""
    if min(map(len, core), default=0) > 3:
        return _DOUBLE.sub(r"\1", "".join(core))
    return sound("".join([ORDINALS_IN_WORDS.get(word) or ABBREVIATIONS.get(word, word) for word in core.values()]))


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
