"""Words of our own: abbreviations, words that carry little, noise people type, numbers, directions."""

import re

from mdm.matching.scripts import skeleton
from mdm.matching.tables import read_map, read_words

ABBREVIATIONS = read_map("abbreviations")
# Words seen in company names everywhere: agreeing on them says little, differing in them says something.
COMMON = frozenset(skeleton(ABBREVIATIONS.get(word, word)) for word in read_words("common_words"))
CONJUNCTIONS = frozenset(
    [
        "and",
        "und",
        "et",
        "en",
        "of",
        "for",
        "the",
        "die",
        "das",
        "de",
        "la",
        "le",
        "les",
        "du",
        "des",
        "del",
        "della",
        "di",
        "do",
        "da",
    ]
)
# Single letters that mean "and" between two names (Pérez y Hijos, Bianchi e Figli, Kowalski i Syn).
SINGLE_AND = frozenset(["y", "e", "i", "u", "a"])
NOISE = re.compile(
    r"\*+|\bdo not use\b|\bdont use\b|\bnicht (?:mehr )?(?:verwenden|benutzen)\b|\bne pas utiliser\b"
    r"|\bblocked\b|\bgesperrt\b"
    r"|\(?\b(?:duplicate|duplikat|dup|inactive|obsolete)\b\)?"
    r"|\((?:old|alt|neu|new)\)|[-–] (?:old|alt|neu|new)$"
    r"|,? ?\baccounts? (?:dept|department|payable|receivable)\b\.?|\bc/o\b.*$|#\s*\d+$|[-–]\s*werk \d+$"
    r"|^(?:fa\.|firma|fa|m/s\.?|messrs\.?|the)\s+"
)
ALIAS_MARK = re.compile(
    r"\s+[(\[]?(?:d\s?/\s?b\s?/\s?a|dba|t\s?/\s?a|trading as|doing business as"
    r"|a\.?k\.?a\.?|f/?k/?a|formerly(?: known as)?"
    r"|vormals|anciennement)\b[.:)\]]?\s+",
    re.IGNORECASE,
)
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
_ORDINALS = """first: 1st erste erster erstes
second: 2nd zweite zweiter zweites
third: 3rd dritte dritter drittes
fourth: 4th vierte
fifth: 5th funfte
sixth: 6th
seventh: 7th
eighth: 8th
ninth: 9th
tenth: 10th"""
ORDINALS = {
    short: skeleton(line.split(":")[0]) for line in _ORDINALS.splitlines() for short in line.split(":")[1].split()
}
FREE_MAIL = frozenset(read_words("free_mail"))
