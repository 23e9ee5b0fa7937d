"""Letters: folds any script to plain lower-case Latin, and words to how they sound."""

import re
import unicodedata
from functools import lru_cache
from itertools import islice

from anyascii import anyascii

_CYRILLIC = {
    "а": "a", "б": "b", "в": "v", "г": "g", "д": "d", "е": "e", "ж": "zh", "з": "z", "и": "i", "й": "i",
    "к": "k", "л": "l", "м": "m", "н": "n", "о": "o", "п": "p", "р": "r", "с": "s", "т": "t", "у": "u",
    "ф": "f", "х": "kh", "ц": "ts", "ч": "ch", "ш": "sh", "щ": "shch", "ъ": "", "ы": "y", "ь": "",
    "э": "e", "ю": "yu", "я": "ya", "і": "i", "є": "ye", "ґ": "g", "ђ": "dj", "ј": "j", "љ": "lj",
    "њ": "nj", "ћ": "c", "џ": "dz", "ў": "u", "ѓ": "g", "ќ": "k", "ѕ": "dz", "қ": "k", "ң": "n", "ғ": "g",
    "ү": "u", "ұ": "u", "ә": "a", "ө": "o", "һ": "h",
}  # fmt: skip
_GREEK = {
    "α": "a", "β": "v", "γ": "g", "δ": "d", "ε": "e", "ζ": "z", "η": "i", "θ": "th", "ι": "i", "κ": "k",
    "λ": "l", "μ": "m", "ν": "n", "ξ": "x", "ο": "o", "π": "p", "ρ": "r", "σ": "s", "ς": "s", "τ": "t",
    "υ": "y", "φ": "f", "χ": "ch", "ψ": "ps", "ω": "o",
}  # fmt: skip
# Arabic and Hebrew write no short vowels: what stands for a long one is read as it, so that أرامكو meets Aramco.
_ARABIC = {
    "ا": "a", "أ": "a", "إ": "i", "آ": "a", "ٱ": "a", "ب": "b", "ت": "t", "ث": "th", "ج": "j", "ح": "h",
    "خ": "kh", "د": "d", "ذ": "dh", "ر": "r", "ز": "z", "س": "s", "ش": "sh", "ص": "s", "ض": "d", "ط": "t",
    "ظ": "z", "ع": "a", "غ": "gh", "ف": "f", "ق": "q", "ك": "k", "ک": "k", "ل": "l", "م": "m", "ن": "n",
    "ه": "h", "ة": "a", "و": "o", "ؤ": "o", "ي": "i", "ی": "i", "ى": "a", "ئ": "i", "ء": "", "پ": "p",
    "چ": "ch", "ژ": "zh", "گ": "g", "ڤ": "v",
}  # fmt: skip
_HEBREW = {
    "א": "a", "ב": "b", "ג": "g", "ד": "d", "ה": "h", "ו": "o", "ז": "z", "ח": "h", "ט": "t", "י": "i",
    "כ": "k", "ך": "k", "ל": "l", "מ": "m", "ם": "m", "נ": "n", "ן": "n", "ס": "s", "ע": "a", "פ": "p",
    "ף": "f", "צ": "ts", "ץ": "ts", "ק": "k", "ר": "r", "ש": "sh", "ת": "t",
}  # fmt: skip
_LATIN = {"ß": "ss", "ø": "o", "æ": "ae", "œ": "oe", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "ı": "i", "ə": "a"}
_QUOTES = {**dict.fromkeys("«»“”„‟‹›", " "), **dict.fromkeys("’‘ʼ`´′׳", "'"), **dict.fromkeys("–—‐‑−ー", "-")}
_OWN = {**_CYRILLIC, **_GREEK, **_ARABIC, **_HEBREW, **_LATIN, **_QUOTES, "ー": "", "״": ""}
# Greek letter pairs that are one sound; without this «ου» would read "oy" where people write "ou".
_GREEK_PAIRS = (("ου", "ou"), ("μπ", "b"), ("ντ", "d"), ("γκ", "g"), ("αυ", "av"), ("ευ", "ev"))
# Bulgarian writes ъ for a vowel; Russian only between a prefix and a soft vowel, where it is silent.
_BULGARIAN = re.compile("ъ(?![еёюя])")
# Marks over and under letters, vowel points of Arabic and Hebrew included: most people leave them out.
_MARKS = re.compile(
    "[\u0300-\u036f\u0483-\u0489\u0591-\u05c7\u0610-\u061a\u064b-\u065f\u0670\u1ab0-\u1aff\u1dc0-\u1dff]"
)
_ARABIC_ARTICLE = re.compile(r"\bال(?=\w{3})")
_KANA = re.compile("[\u3041-\u30ff]")
_SMALL_KANA = re.compile("(.)([ゃゅょぁぃぅぇぉャュョァィゥェォ])")
_SILENT_KANA = str.maketrans({"っ": "", "ッ": "", "ー": ""})
# Nothing a person sees: bidirectional marks, zero widths, tags, controls, unassigned and private characters.
_UNSEEN = frozenset(("Cf", "Cc", "Cs", "Co", "Cn"))


class _Letters(dict[int, str]):
    """What each character is in Latin; worked out at its first sight and remembered (there are finitely many)."""

    def __missing__(self, code: int) -> str:
        if code < 128:
            latin = chr(code)
        else:
            latin = _latin(chr(code))
        self[code] = latin
        return latin


def _latin(letter: str) -> str:
    if letter in _OWN:
        return _OWN[letter]
    kind = unicodedata.category(letter)
    if kind in _UNSEEN or _MARKS.match(letter):
        return " " if letter in "\u0085\u009f" else ""
    if kind[0] in "PSZ":
        return " "
    if kind == "Nd":
        return str(unicodedata.decimal(letter))
    parts = unicodedata.normalize("NFD", letter)
    if parts != letter and (parts[0].isascii() or parts[0] in _OWN):
        return "".join(part if part.isascii() else _latin(part) for part in parts)
    latin = "".join(c for c in anyascii(letter).lower() if c.isalnum())
    return _hangul(latin) if "가" <= letter <= "힣" else latin


def _hangul(syllable: str) -> str:
    """As companies write themselves (Samsung, Hyundai), not as the official romanisation does (samseong, hyeondae)."""
    for official, usual in (("yeo", "yu"), ("eo", "u"), ("eu", "u")):
        syllable = syllable.replace(official, usual)
    if len(syllable) > 1 and not syllable.endswith("ng"):
        syllable = syllable[:-1] + _HARDENED.get(syllable[-1], syllable[-1])
    return syllable


_HARDENED = {"g": "k", "b": "p", "d": "t"}
_LETTERS_OF_THE_WORLD = _Letters()


def visible(text: str, length: int) -> str:
    """At most so many characters, blanks single; marks and what nobody sees use up no room of what people read."""
    if len(text) > length or "  " in text:
        text = " ".join(text[: 20 * length].split())
    if len(text) <= length or text.isascii():
        return text[:length]
    seen = (c for c in text if unicodedata.category(c) not in _UNSEEN and not _MARKS.match(c))
    return "".join(islice(seen, length))


def composed(text: str) -> str:
    """The text with its letters whole and in one width, damage repaired; still in its own script."""
    if "Ã" in text or "Ð" in text or "Å" in text:
        text = _repair(text)
    text = text.replace("™", " ").replace("№", " ")  # would become the letters TM and No
    return unicodedata.normalize("NFKC", text)


def fold(text: str) -> str:
    """Lower-case Latin without accents, whatever the script: Москва → moskva, 深圳 → shenzhen, 삼성 → samseong."""
    if text.isascii():
        return text.lower()
    text = composed(text).lower()
    if any("ͱ" <= c <= "ӿ" for c in text):
        text = _greek_and_cyrillic(text)
    if "ال" in text:
        text = _ARABIC_ARTICLE.sub("ال ", text)
    if _KANA.search(text):
        text = _SMALL_KANA.sub(_small_kana, text.translate(_SILENT_KANA))
    return text.translate(_LETTERS_OF_THE_WORLD)


def _greek_and_cyrillic(text: str) -> str:
    if "ъ" in text and _BULGARIAN.search(text):
        text = _BULGARIAN.sub("а", text).replace("щ", "шт")
    if any("ά" <= c <= "ώ" for c in text):
        text = _MARKS.sub("", unicodedata.normalize("NFD", text))
        for pair, sound in _GREEK_PAIRS:
            text = text.replace(pair, sound)
    return text


def _small_kana(found: re.Match[str]) -> str:
    """き and a small ょ are one syllable, kyo; テ and a small ィ are ti."""
    start, vowel = anyascii(found[1]), anyascii(found[2])
    if not start.isascii() or not start[-1:].isalpha() or not vowel:
        return found[0]
    glide = vowel if start[-2:-1] != "h" and start[:-1] != "j" else vowel.removeprefix("y")
    return start[:-1] + glide


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
    ("eye", "eie"), ("aye", "aie"), ("ya", "ia"), ("ye", "e"), ("ie", "i"), ("yi", "i"), ("iy", "i"), ("ij", "i"),
    ("ce", "se"), ("ci", "si"), ("cy", "si"),
)  # fmt: skip
_LETTERS = str.maketrans({"y": "i", "j": "i", "w": "v", "c": "k", "q": "k", "z": "s", "x": "ks"})


def sound(word: str) -> str:
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


# Words come again and again; whole names, which go through `sound` too, do not.
skeleton = lru_cache(maxsize=200_000)(sound)
