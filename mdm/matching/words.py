"""Words of our own: abbreviations, words that carry little, noise people type, numbers, directions."""

import re

from mdm.matching.scripts import fold, skeleton
from mdm.matching.tables import read_map, read_words

ABBREVIATIONS = {fold(spelling): word for spelling, word in read_map("abbreviations").items()}
# Words seen in company names everywhere: agreeing on them says little, differing in them says something.
COMMON = frozenset(skeleton(ABBREVIATIONS.get(word, word)) for word in read_words("common_words"))
CONJUNCTIONS = frozenset(read_words("conjunctions"))
# "And" in words, which a sign or nothing may stand for: H and M, H & M, HM.
AND_WORDS = frozenset(["and", "und", "et"])
# Single letters that mean "and" between two names (Pérez y Hijos, Bianchi e Figli, Rock 'n' Roll).
SINGLE_AND = frozenset(["y", "e", "i", "u", "a", "n"])
NOISE = re.compile(
    r"\*+|\bdo not use\b|\bdont use\b|\bnicht (?:mehr )?(?:verwenden|benutzen)\b|\bne pas utiliser\b"
    r"|\bno (?:usar|utilizar)\b|\bnon usare\b"
    r"|\bblocked\b|\bgesperrt\b"
    r"|\(?\b(?:duplicate|duplikat|dup|inactive|obsolete)\b\)?"
    r"|\((?:old|alt|neu|new)\)|[-–] (?:old|alt|neu|new)$"
    r"|,? ?\baccounts? (?:dept|department|payable|receivable)\b\.?|\bc/o\b.*$|#\s*\d+$|[-–]\s*werk \d+$"
    r"|^(?:fa\.|firma|fa|m/s\.?|messrs\.?|the)\s+"
)
# One of these stands in every text that NOISE finds something in; looking for them first is several times faster.
NOISE_HINTS = re.compile(
    r"\*|use|utili|usa|verw|benut|block|gesp|dup|activ|obso|\((?:old|alt|neu|new)|[-#]|acc|c/o|^f|^m|^the"
)
ALIAS_MARK = re.compile(
    r"\s+[(\[]?(?:d\s?[/.]?\s?b\s?[/.]?\s?a|t\s?/\s?as?|o\s?/\s?a|trading as|doing business as|operating as"
    r"|a\.?\s?/?k\.?\s?/?a\.?|f\.?\s?/?k\.?\s?/?a|n\.?\s?/?k\.?\s?/?a|also known as|now known as"
    r"|formerly(?: known as)?|previously(?: known as)?"
    r"|vormals|vorm\.|firmierend als|anciennement|nom commercial|enseigne|nombre comercial|nome fantasia"
    r"|già|voorheen|handelend onder de naam)(?![^\W\d_])[.:)\]]*\s+",
    re.IGNORECASE,
)
# Two names side by side, each a name of its own: «Bank of Montreal / Banque de Montréal».
BOTH_NAMES = re.compile(r"\s*[/|]\s*")
_DIRECTION = """north: nord norte noord nordlicher settentrionale
south: sud sued sur zuid sul meridionale
east: ost est este oost
west: ouest oeste ovest"""
DIRECTIONS = {
    word: line.split(":")[0]
    for line in _DIRECTION.splitlines()
    for word in [line.split(":")[0], *line.split(":")[1].split()]
}
ROMAN = {numeral: str(value) for value, numeral in enumerate(read_words("roman"), start=1)}
# "1st International Bank" is "First International Bank": ordinals are words, in one spelling.
ORDINALS_IN_WORDS = read_map("ordinals")
ORDINALS = {short: skeleton(word) for short, word in ORDINALS_IN_WORDS.items()}
ORDINAL_OF = {word: number for number, word in enumerate(dict.fromkeys(ORDINALS_IN_WORDS.values()), start=1)}
# Numbers in words: a designator however it is written (Forty-Four, Forty 4, 44).
CARDINALS = {word: int(value) for word, value in read_map("cardinals").items()}
# "No. 5", "Nr 5": the word in front of a number says only that a number follows.
NUMBER_SIGNS = frozenset(["no", "nr", "num", "number", "nummer", "numero"])
FREE_MAIL = frozenset(read_words("free_mail"))
