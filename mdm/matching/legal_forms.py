"""Legal forms: how each is written, its family, and splitting it off a name."""

from mdm.matching.tables import read_lines, read_words

FORMS: dict[str, str] = {}
FAMILY: dict[str, str] = {}
for _line in read_lines("legal_forms"):
    _code, _family, _spellings = (part.strip() for part in _line.split("|"))
    FAMILY[_code] = _family
    for _spelling in _spellings.split(","):
        FORMS.setdefault(_spelling.strip(), _code)
LONGEST = max(len(spelling.split()) for spelling in FORMS)
_HEADS = frozenset(spelling.split()[0] for spelling in FORMS)
_TAILS = frozenset(spelling.split()[-1] for spelling in FORMS)
# Systems cut names at 30 or 35 characters, often inside a written-out form: «… Gesellschaft mit besc».
TRUNCATED = {
    spelling[:cut]: code
    for spelling, code in FORMS.items()
    if len(spelling) > 12 and " " in spelling
    for cut in range(max(8, spelling.index(" ") + 2), len(spelling))
}
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
CJK = (
    ("股份有限公司", "plccn", "plc"), ("有限责任公司", "ltdcn", "ltd"), ("有限責任公司", "ltdcn", "ltd"),
    ("有限公司", "ltdcn", "ltd"), ("株式会社", "kk", "plc"), ("合同会社", "gk", "ltd"),
    ("有限会社", "yk", "ltd"),
    ("주식회사", "kkkr", "plc"), ("公司", "ltdcn", "ltd"),
)  # fmt: skip
FAMILY.update({code: family for _, code, family in CJK})


def split_form(words: list[str], cut_off: bool = False) -> tuple[list[str], str]:
    """Words of a name without its legal form, and the form's code ("" when it states none).

    A name is never emptied: «Limited Ltd» keeps one word. `cut_off`: the text is as long as a field is wide.
    """
    words, code = _strip_end(words, cut_off)
    words, leading = _strip_start(words, only_clear=bool(code))
    code = leading if leading and code in ("", "corp", "co") else code
    if not code:
        for place, word in enumerate(words):
            if place and word in ANYWHERE:
                return words[:place] + words[place + 1 :], FORMS[word]
    return words, code


def _strip_end(words: list[str], cut_off: bool) -> tuple[list[str], str]:
    code = ""
    for _ in range(2):
        found = _at_end(words)
        if not found:
            break
        words, last = words[: found[0]], found[1]
        code = code if code and last == "co" else (code or last)
    if code or len(words) < 2:
        return words, code
    for size in range(min(LONGEST, len(words) - 1), 1, -1):
        last_words = " ".join(words[-size:])
        if last_words in TRUNCATED:
            return words[:-size], TRUNCATED[last_words]
    if cut_off and len(words[-1]) < 8:
        for form in _CUT_WORDS:
            if form.startswith(words[-1]):
                return words[:-1], FORMS.get(form, "")
    return words, ""


def _strip_start(words: list[str], only_clear: bool) -> tuple[list[str], str]:
    if len(words) < 2 or words[0] not in _HEADS:
        return words, ""
    for size in range(min(LONGEST, len(words) - 1), 0, -1):
        spelling = " ".join(words[:size])
        if spelling in LEADING and not (only_clear and spelling not in _CLEAR_LEADING):
            return words[size:], FORMS[spelling]
    return words, ""


def _at_end(words: list[str]) -> tuple[int, str] | None:
    if len(words) < 2 or words[-1] not in _TAILS:
        return None
    for size in range(min(LONGEST, len(words) - 1), 0, -1):
        code = FORMS.get(" ".join(words[-size:]))
        if code:
            return len(words) - size, code
    return None
