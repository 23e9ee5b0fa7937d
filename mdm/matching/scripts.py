"""Letters: folds any script to plain lower-case Latin where that is possible, and words to how they sound."""

import unicodedata
from functools import lru_cache

_CYRILLIC = {
    "а": "a", "б": "b", "в": "v", "г": "g", "д": "d", "е": "e", "ж": "zh", "з": "z", "и": "i", "й": "i",
    "к": "k", "л": "l", "м": "m", "н": "n", "о": "o", "п": "p", "р": "r", "с": "s", "т": "t", "у": "u",
    "ф": "f", "х": "kh", "ц": "ts", "ч": "ch", "ш": "sh", "щ": "shch", "ъ": "", "ы": "y", "ь": "",
    "э": "e", "ю": "yu", "я": "ya", "і": "i", "є": "ye", "ґ": "g", "ђ": "dj", "ј": "j", "љ": "lj",
    "њ": "nj", "ћ": "c", "џ": "dz", "ў": "u", "ѓ": "g", "ќ": "k",
}  # fmt: skip
_GREEK = {
    "α": "a", "β": "v", "γ": "g", "δ": "d", "ε": "e", "ζ": "z", "η": "i", "θ": "th", "ι": "i", "κ": "k",
    "λ": "l", "μ": "m", "ν": "n", "ξ": "x", "ο": "o", "π": "p", "ρ": "r", "σ": "s", "ς": "s", "τ": "t",
    "υ": "y", "φ": "f", "χ": "ch", "ψ": "ps", "ω": "o",
}  # fmt: skip
_LATIN = {"ß": "ss", "ø": "o", "æ": "ae", "œ": "oe", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "ı": "i"}
# Greek letter pairs that are one sound; without this «ου» would read "oy" where people write "ou".
_GREEK_PAIRS = (("ου", "ou"), ("μπ", "b"), ("ντ", "d"), ("γκ", "g"), ("αυ", "av"), ("ευ", "ev"))
_INVISIBLE = [0x00AD, 0xFEFF, *range(0x200B, 0x2010), *range(0x202A, 0x202F), *range(0x2060, 0x206A)]
_TABLE: dict[int, str | None] = {
    **{ord(k): v for t in (_CYRILLIC, _GREEK, _LATIN) for k, v in t.items()},
    **dict.fromkeys(range(0x0300, 0x0370), None),
    **dict.fromkeys(_INVISIBLE, None),
    **dict.fromkeys(map(ord, "«»“”„‟‹›"), " "),
    **dict.fromkeys(map(ord, "’‘ʼ`´"), "'"),
    ord("–"): "-",
    ord("—"): "-",
}


def fold(text: str) -> str:
    """Lower-case Latin without accents; CJK and other scripts we hold no table for stay as they are."""
    if text.isascii():
        return text.lower()
    if "Ã" in text or "Ð" in text or "Å" in text:
        text = _repair(text)
    text = unicodedata.normalize("NFKD", text.lower())
    if any("α" <= c <= "ω" for c in text):
        text = text.translate(dict.fromkeys(range(0x0300, 0x0370)))
        for pair, sound in _GREEK_PAIRS:
            text = text.replace(pair, sound)
    text = text.translate(_TABLE)
    # NFKD takes Hangul apart into letters; put it together again so that one syllable stays one character.
    return text if text.isascii() else unicodedata.normalize("NFC", text)


def _repair(text: str) -> str:
    """UTF-8 once read as Windows-1252 ("MÃ¼ller"), the most common damage in exported lists."""
    try:
        return text.encode("cp1252").decode("utf-8")
    except UnicodeError:
        return text


_SOUNDS = (
    ("shch", "s"), ("tsch", "s"), ("sch", "s"), ("tch", "s"), ("kh", "h"), ("ch", "h"), ("sh", "s"),
    ("zh", "s"), ("dj", "g"), ("tz", "s"), ("ts", "s"), ("dz", "s"), ("ph", "f"), ("th", "t"), ("gh", "g"),
    ("ck", "k"), ("qu", "kv"), ("ou", "u"), ("ue", "u"), ("oe", "o"), ("ae", "a"), ("aa", "o"), ("yu", "iu"),
    ("ya", "ia"), ("ye", "e"), ("ie", "i"), ("yi", "i"), ("iy", "i"), ("ij", "i"),
)  # fmt: skip
_LETTERS = str.maketrans({"y": "i", "j": "i", "w": "v", "c": "k", "q": "k", "z": "s", "x": "ks"})


@lru_cache(maxsize=200_000)
def skeleton(word: str) -> str:
    """A lossy sound of one folded word, in which spellings and romanisations of one word meet.

    Müller, Mueller and Muller become one; so do Yuliya and Iulia. Short words and codes are left
    alone: there the letters are the information.
    """
    if len(word) < 4 or not word.isascii() or not word.isalpha():
        return word
    for spelling, sound in _SOUNDS:
        if spelling in word:
            word = word.replace(spelling, sound)
    word = word.translate(_LETTERS)
    out = [word[0]]
    for letter in word[1:]:
        if letter != out[-1]:
            out.append(letter)
    return "".join(out)
