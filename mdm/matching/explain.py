"""Explaining: what each feature saw on either side, and sentences a person can read and disagree with."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from mdm.matching.levels import FEATURES, LEVELS
from mdm.matching.score import Contribution, Score

Features = dict[str, Any]

_NOTES: dict[str, dict[str, str]] = {
    "name": {
        "different": "names differ", "faint": "names hardly agree", "weak": "names agree a little",
        "partial": "names agree in part", "close": "names are close", "very_close": "names are very close",
        "nearly_equal": "names agree but for a detail", "equal": "names are equal",
    },
    "rarity": {
        "common": "what they share is common", "usual": "what they share is not rare",
        "uncommon": "what they share is uncommon", "rare": "what they share is rare",
        "very_rare": "what they share is very rare", "unique": "what they share is nearly unique",
    },
    "other_words": {
        "none": "no word contradicts another", "common": "each has a different common word",
        "usual": "each has a different word", "rare": "each has a different rare word",
    },
    "extra_words": {
        "none": "neither has words more", "common": "one has a common word more",
        "usual": "one has a word more", "rare": "one has a rare word more",
    },
    "spelling": {
        "different": "spelt differently", "loose": "spelt loosely alike", "similar": "spelt similarly",
        "close": "spelt closely", "very_close": "spelt nearly the same", "equal": "spelt the same",
    },
    "via": {"alias": "agrees through another name", "initials": "one is the other's initials"},
    "form": {
        "same": "same legal form", "alike": "legal forms of one kind",
        "different": "different kinds of legal form",
    },
    "number": {
        "same": "same number or direction", "one_side": "only one has a number or direction",
        "different": "different numbers or directions, or only one full name has one",
        "different_bare": "different numbers or directions, and nothing but names to go by",
    },
    "region": {
        "same": "names name the same country", "one_side": "only one names a country",
        "different": "names name different countries",
    },
    "country": {"same": "same country", "different": "different countries"},
    "street": {
        "same": "same street and number", "same_shared": "same street and number, shared by many records",
        "close": "street nearly the same, same number", "no_number": "same street, a number is missing",
        "other_number": "same street, another number or side", "number_only": "only the house number agrees",
        "different": "different streets",
    },
    "postcode": {
        "same": "same postcode", "typo": "postcodes one slip apart", "area": "postcodes of one area",
        "different": "different postcodes",
    },
    "city": {"same": "same city", "close": "cities spelt alike", "different": "different cities"},
    "tax": {
        "same": "same tax id", "same_unchecked": "same tax id, but its check digits are wrong",
        "typo": "tax ids one slip apart, one of them invalid",
        "different": "tax ids differ, one cannot be checked", "conflict": "valid tax ids differ",
    },
    "identifier": {"same": "same registered identifier", "different": "registered identifiers differ"},
    "phone": {
        "same": "same phone", "same_shared": "same phone, shared by many records",
        "extension": "phones differ in the extension only", "different": "different phones",
    },
    "domain": {
        "same": "same internet domain", "same_shared": "same internet domain, shared by many records",
        "close": "same domain name under another ending", "different": "different internet domains",
    },
    "mail": {"same": "same mail address", "different": "different mail addresses"},
    "bank": {
        "same": "same bank account",
        "shared": "same bank account under different names: check for fraud or factoring",
        "different": "different bank accounts",
    },
    "pattern": {
        "relative": "other words in the name, a shared place or contact: looks like a relative",
        "relative_strong": "other rare words in the name, shared places and contacts: looks like a relative",
        "namesake": "the name agrees and nothing around it: looks like a namesake",
        "moved": "the name agrees, some of its surroundings changed: looks like a move",
        "agreeing": "name and surroundings agree throughout",
    },
}  # fmt: skip


def note_of(feature: str, level: str) -> str:
    """What a level says, in words: “same street and number”."""
    return _NOTES[feature][level]


@dataclass(frozen=True, slots=True)
class Seen:
    """What one comparison looked at: which name and address of each side, and the words only one side has."""

    names: tuple[int, int]
    places: tuple[int, int]
    only_left: Sequence[str] = ()
    only_right: Sequence[str] = ()


def build_explanation(
    left: Features, right: Features, levels: Sequence[int], seen: Seen, weights: Sequence[float]
) -> tuple[Contribution, ...]:
    """One contribution per feature that says anything, in the fixed order of features."""
    out = []
    for place, (feature, level) in enumerate(zip(FEATURES, levels, strict=True)):
        if level:
            shown_left, shown_right = _SHOWN[feature](feature, left, right, seen)
            out.append(
                Contribution(feature, shown_left, shown_right, float(weights[place]), _NOTES_BY_LEVEL[place][level])
            )
    return tuple(out)


_NOTES_BY_LEVEL = [("", *(_NOTES[feature][level] for level in LEVELS[feature][1:])) for feature in FEATURES]


def _shown_words(feature: str, left: Features, right: Features, seen: Seen) -> tuple[str, str]:
    return _words(left, seen.names[0], seen.only_left), _words(right, seen.names[1], seen.only_right)


def _shown_name(feature: str, left: Features, right: Features, seen: Seen) -> tuple[str, str]:
    return _item(left["names"], seen.names[0]), _item(right["names"], seen.names[1])


def _shown_place(feature: str, left: Features, right: Features, seen: Seen) -> tuple[str, str]:
    return _item(left["places"], seen.places[0]), _item(right["places"], seen.places[1])


def _shown_value(feature: str, left: Features, right: Features, seen: Seen) -> tuple[str, str]:
    value = _VALUE[feature]
    return value(left), value(right)


def _words(features: Features, place: int, sounds: Sequence[str]) -> str:
    """Words as they were written, of which the comparison knows the sound."""
    if place < 0 or not sounds:
        return ""
    name = features["names"][place]
    written = dict(zip(name["core"], name["words"], strict=True))
    return " ".join(written.get(sound, sound) for sound in sounds)


def _item(items: Sequence[Any], place: int) -> str:
    return str(items[place]["show"]) if 0 <= place < len(items) else ""


def _listed(name: str) -> Callable[[Features], str]:
    return lambda features: ", ".join(str(value).lstrip("~") for value in features[name])


_VALUE: dict[str, Callable[[Features], str]] = {
    # Never more than the last four: whoever reads an explanation need not be allowed to read accounts.
    "bank": lambda features: ", ".join(f"…{last}" for _index, last in features["banks"]),
    "tax": lambda features: ", ".join(f"{country}{number}" for country, number, _valid in features["tax"]),
    "identifier": lambda features: ", ".join(f"{scheme} {value}" for scheme, value, _valid in features["ids"]),
    "form": lambda features: str(features["form"]),
    "country": lambda features: str(features["country"]),
    "number": _listed("numbers"), "region": _listed("regions"), "phone": _listed("phones"),
    "domain": _listed("domains"), "mail": _listed("mails"),
}  # fmt: skip
_SHOWN: dict[str, Callable[[str, Features, Features, Seen], tuple[str, str]]] = {
    **dict.fromkeys(_VALUE, _shown_value),
    **dict.fromkeys(("name", "rarity", "spelling", "via", "pattern"), _shown_name),
    **dict.fromkeys(("other_words", "extra_words"), _shown_words),
    **dict.fromkeys(("street", "postcode", "city"), _shown_place),
}


def sentence(part: Contribution) -> str:
    """«same phone (30123456): +1.9»"""
    if part.left == part.right:
        shown = f" ({part.left})" if part.left else ""
    else:
        shown = f" ({part.left or '–'} / {part.right or '–'})"
    return f"{part.note}{shown}: {part.weight:+.1f}"


def why(score: Score, most: int = 5) -> list[str]:
    """What speaks for it, strongest first."""
    return [sentence(p) for p in _sorted(p for p in score.explanation if p.weight > 0)[:most]]


def why_not(score: Score, most: int = 5) -> list[str]:
    """What speaks against it, strongest first."""
    return [sentence(p) for p in _sorted(p for p in score.explanation if p.weight < 0)[:most]]


def _sorted(parts: Iterable[Contribution]) -> list[Contribution]:
    return sorted(parts, key=lambda part: (-abs(part.weight), part.feature))


def what_would_help(score: Score, threshold: float, weights: dict[str, float]) -> list[str]:
    """For a pair below a threshold: single changes of evidence that would lift it there.

    `weights`: the best reachable weight per feature (Engine.best_weights).
    """
    missing = threshold - score.value
    if missing <= 0:
        return []
    have = {part.feature: part.weight for part in score.explanation}
    gains = {feature: best - have.get(feature, 0.0) for feature, best in weights.items()}
    enough = sorted((f for f, gain in gains.items() if gain >= missing), key=lambda f: -gains[f])[:3]
    first = f"{missing:.1f} short of {threshold:g}"
    return [first, *(f"agreement in {feature} would add {gains[feature]:.1f}" for feature in enough)]
