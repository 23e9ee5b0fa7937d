"""Legal forms: how each is written, its family, and splitting it off a name."""

from mdm.matching.tables import read_lines, read_words

FORMS: dict[str, str] = {}
FAMILY: dict[str, str] = {}
for _line in read_lines("legal_forms"):
    _code, _family, _spellings = (part.strip() for part in _line.split("|"))
    FAMILY[_code] = _family
    for _spelling in filter(None, (part.strip() for part in _spellings.split(","))):
        FORMS.setdefault(_spelling, _code)
# Forms of public lists: {spelling: {country, or * for anywhere: code}}; and ISO 20275 codes in our own.
_LISTED: dict[str, dict[str, str]] = {}
_ISO_CODES: dict[str, str] = {}
for _line in read_lines("listed_forms"):
    _code, _family, _where, _spellings = (part.strip() for part in _line.split("|"))
    if _where == "=":
        for _iso in _spellings.split():
            _ISO_CODES[_iso] = _code if _code != "=" else _iso
            FAMILY.setdefault(_ISO_CODES[_iso], _family)
        continue
    FAMILY.setdefault(_code, _family)
    for _spelling in _spellings.split(", "):
        _LISTED.setdefault(_spelling, {}).update(dict.fromkeys(_where.split(), _code))


def _longest(words: list[tuple[str, int]]) -> dict[str, int]:
    out: dict[str, int] = {}
    for word, size in words:
        out[word] = max(size, out.get(word, 0))
    return out


# The most words of any form that ends (begins) with a word: how far back (ahead) to look.
_TAILS = _longest([(s.split()[-1], s.count(" ") + 1) for s in (*FORMS, *_LISTED)])
_HEADS = _longest([(s.split()[0], s.count(" ") + 1) for s in (*FORMS, *_LISTED)])
# Systems cut names at 30 or 35 characters, often inside a written-out form: «… Gesellschaft mit besc».
TRUNCATED = {
    spelling[:cut]: code
    for spelling, code in FORMS.items()
    if len(spelling) > 12 and " " in spelling
    for cut in range(max(8, spelling.index(" ") + 2), len(spelling))
}
_LONGEST_CUT = max(spelling.count(" ") for spelling in TRUNCATED) + 1
# Written in front in some countries (ООО «…», SCI …); the rest only counts at the end of a name.
LEADING = frozenset(read_words("leading_forms")) | frozenset(
    spelling for spelling in FORMS if " " in spelling and len(spelling) > 12
)
_CLEAR_LEADING = frozenset(("ooo", "oao", "zao", "pao", "ojsc", "cjsc", "pjsc", "jsc", "tov", "tzov"))
# Clear enough to be recognised in the middle («Acme GmbH Niederlassung Nord»).
ANYWHERE = frozenset(("gmbh", "ltd", "llc", "inc", "srl", "sarl", "plc", "limited", "incorporated", "kft", "spzoo"))
# One-word forms whose beginning is still recognised when a field's width cut them.
_CUT_WORDS = (
    "limited",
    "gmbh",
    "incorporated",
    "corporation",
    "aktiengesellschaft",
    "osakeyhtio",
    "limitada",
    "private",
)


def stated_form(text: str) -> str:
    """The code of a form given as its ISO 20275 code, "" when the text is none."""
    return _ISO_CODES.get(text.strip().upper(), "")


def split_form(words: list[str], cut_off: bool = False, country: str = "") -> tuple[list[str], str]:
    """Words of a name without its legal form, and the form's code ("" when it states none).

    A name is never emptied: «Limited Ltd» keeps one word. `cut_off`: the text is as long as a field is wide.
    `country`: of the organisation, where known; abbreviations of the public lists count only at home.
    """
    words, code = _strip_end(words, cut_off, country)
    words, leading = _strip_start(words, bool(code), country)
    code = leading if leading and code in ("", "corp", "co") else code
    if not code:
        for place, word in enumerate(words):
            if place and word in ANYWHERE:
                return words[:place] + words[place + 1 :], FORMS[word]
    return words, code


def _code_of(spelling: str, country: str) -> str:
    code = FORMS.get(spelling)
    if code is None:
        listed = _LISTED.get(spelling)
        return (listed.get(country) or listed.get("*") or "") if listed else ""
    return code


def _strip_end(words: list[str], cut_off: bool, country: str) -> tuple[list[str], str]:
    code = ""
    while len(words) > 1 and words[-1] in _TAILS:
        size, found = _at_end(words, country)
        if not found:
            break
        words = words[:-size]
        code = code if code and found == "co" else (code or found)
    if code or len(words) < 2:
        return words, code
    for size in range(min(_LONGEST_CUT, len(words) - 1), 1, -1):
        last_words = " ".join(words[-size:])
        if last_words in TRUNCATED:
            return words[:-size], TRUNCATED[last_words]
    if cut_off and len(words[-1]) < 8:
        for form in _CUT_WORDS:
            if form.startswith(words[-1]):
                return words[:-1], FORMS.get(form, "")
    return words, ""


def _at_end(words: list[str], country: str) -> tuple[int, str]:
    for size in range(min(_TAILS[words[-1]], len(words) - 1), 1, -1):
        code = _code_of(" ".join(words[-size:]), country)
        if code:
            return size, code
    return 1, _code_of(words[-1], country)


def _strip_start(words: list[str], only_clear: bool, country: str) -> tuple[list[str], str]:
    if len(words) < 2 or words[0] not in _HEADS:
        return words, ""
    for size in range(min(_HEADS[words[0]], len(words) - 1), 0, -1):
        spelling = " ".join(words[:size])
        if only_clear and spelling not in _CLEAR_LEADING:
            continue
        if spelling in LEADING:
            return words[size:], FORMS[spelling]
        if size > 1 and spelling in _LISTED and len(spelling) > 13:
            code = _code_of(spelling, country)
            if code:
                return words[size:], code
    return words, ""
