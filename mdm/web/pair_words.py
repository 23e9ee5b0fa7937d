"""Words for the evidence of a pair: its features, its warnings, and how common what the two share is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mdm.matching.config import NUMBER_CONFLICT, OTHER_NAME, SHARED_BANK, SIBLING, TAX_ID_CONFLICT
from mdm.models import DuplicatePair, MatchDecision
from mdm.selectors import duplicates
from mdm.services import indexing
from mdm.web import browsing
from mdm.web.page import Due, Event, Part
from mdm.web.values import number

FEATURES = {
    "name": "Name",
    "rarity": "How rare the shared words are",
    "other_words": "Words that contradict",
    "extra_words": "Words on one side only",
    "spelling": "Spelling",
    "via": "By which name",
    "form": "Legal form",
    "number": "Number in the name",
    "region": "Country in the name",
    "country": "Country",
    "street": "Street",
    "postcode": "Postal code",
    "city": "City",
    "tax": "Tax number",
    "identifier": "Identifier",
    "phone": "Phone",
    "domain": "Internet domain",
    "mail": "E-mail",
    "bank": "Bank account",
    "pattern": "All in all",
}
# flag -> (short, for the queue; a sentence; how loud)
FLAGS: dict[str, tuple[str, str, Any]] = {
    SHARED_BANK: ("one account, two names", "One bank account stands under two different names.", "red"),
    TAX_ID_CONFLICT: ("tax numbers differ", "Both have a valid tax number, and they differ.", "amber"),
    NUMBER_CONFLICT: ("numbers differ", "The numbers in their names differ.", "amber"),
    OTHER_NAME: ("names differ", "An identifier is the same, and the names are not.", "amber"),
    SIBLING: ("perhaps a sister", "It looks like another company of the same group.", "amber"),
}
JUDGED = {
    "same": ("judged them the same", "ok", "green"),
    "different": ("judged them different", "no", "grey"),
    "unsure": ("was unsure", "info", "amber"),
    "open": ("took the judgement back", "undo", "grey"),
}
# Which hashed keys stand behind a feature.
_KEYS = {
    "tax": "tax", "identifier": "id", "bank": "bank", "phone": "phone", "mail": "mail", "domain": "domain", "street": "street",
    "name": "name",
}  # fmt: skip
_SMALL = 0.05  # points that change nothing


def label(feature: str) -> str:
    return FEATURES.get(feature) or feature.replace("_", " ").capitalize()


def warning(pair: DuplicatePair) -> Due | None:
    """The loudest flag, for the row in the queue."""
    flag = next((flag for flag in FLAGS if flag in pair.flags), None)
    return Due(text=FLAGS[flag][0], tone=FLAGS[flag][2]) if flag else None


def parts(pair: DuplicatePair) -> list[dict[str, Any]]:
    """The evidence, strongest first."""
    return sorted(pair.explanation, key=lambda part: -abs(part["weight"]))


def reasons(pair: DuplicatePair, most: int = 2, *, against: bool = False) -> list[str]:
    """Notes that speak for it (or against it), strongest first; what only counts words is left to the waterfall."""
    quiet = ("rarity", "other_words", "extra_words", "spelling", "pattern")
    chosen = [
        part["note"]
        for part in parts(pair)
        if (part["weight"] < -_SMALL if against else part["weight"] > _SMALL) and part["feature"] not in quiet
    ]
    return chosen[:most]


def verdict(part: Mapping[str, Any] | None, texts: Sequence[str] = ("", "-")) -> str:
    """How a pair of values reads beside them; `texts` as they are shown."""
    if part is None:
        return "unknown"
    if part["weight"] <= -_SMALL:
        return "conflicts"
    same = part["left"].casefold() == part["right"].casefold() or texts[0].casefold() == texts[1].casefold()
    if part["weight"] > _SMALL:
        return "agrees" if same else "nearly"
    return "common" if same and part["feature"] != "bank" else ""  # a shared account is never a matter of course


@dataclass(frozen=True)
class Commonness:
    """How many records hold what the two share."""

    total: int
    words: Mapping[str, int]  # as spelt -> records that have the word
    only: Mapping[str, int]
    kinds: Mapping[str, int]  # kind of key -> records that hold the rarest shared one

    def why(self, part: Mapping[str, Any]) -> str:
        feature = part["feature"]
        if feature == "rarity" and self.words:
            return self._counted(self.words)
        if feature in ("extra_words", "other_words") and self.only:
            return self._counted(self.only)
        note = str(part["note"])
        held = self.kinds.get(_KEYS.get(feature, ""), 0)
        if held > 1 and part["weight"] > _SMALL:
            note += f", held by {browsing.plural(held, 'record')}"
        return note

    def _counted(self, words: Mapping[str, int]) -> str:
        rarest = sorted(words, key=lambda word: (words[word], -len(word)))[:3]
        shown = [f"“{word}” in {number(words[word])}" for word in rarest]
        return f"{', '.join(shown)} of {number(self.total)}"


def commonness(pair: DuplicatePair, features: duplicates.Features | None) -> Commonness:
    """As the snapshot of the hub counts them."""
    if features is None:
        return Commonness(0, {}, {}, {})
    left, right = _words(features.left), _words(features.right)
    mine, theirs = indexing.engine(pair.type).keys([features.left, features.right])
    shared = {key.hash: key.kind for key in mine}.items() & {key.hash: key.kind for key in theirs}.items()
    rarity = indexing.StoredKeys(pair.type).rarity
    counts = indexing.counts_of(pair.type, "token", [*{**left, **right}])
    kinds: dict[str, int] = {}
    for (_, kind), held in zip(shared, rarity.counts(np.array([h for h, _ in shared], dtype=np.int64)), strict=True):
        kinds[kind] = min(kinds.get(kind, 10**9), int(held))
    spelt = {**right, **left}

    def counted(sounds: Sequence[str]) -> dict[str, int]:
        return {spelt[sound].lower(): counts.get(sound, 0) for sound in sounds}

    both = [sound for sound in left if sound in right]
    one = [sound for sound in spelt if sound not in left or sound not in right]
    return Commonness(features.total, counted(both), counted(one), kinds)


def _words(features: Mapping[str, Any]) -> dict[str, str]:
    """{sound of a word: the word as written} of all names of a record."""
    return {sound: word for name in features["names"] for sound, word in zip(name["core"], name["words"], strict=False)}


def history(pair: DuplicatePair) -> list[Event]:
    rows: list[MatchDecision] = list(pair.decisions.select_related("decided_by")[:20])
    found = []
    for row in rows:
        words, icon, tone = JUDGED[row.judgement]
        said: list[str | Part] = [words]
        if row.reason:
            said.append(f": {row.reason}")
        if row.evidence_hash != pair.evidence_hash:
            said.append(" (the evidence has changed since)")
        found.append(Event(at=row.at, text=said, who=row.decided_by or row.decided_by_name, icon=icon, tone=tone))  # type: ignore[arg-type]
    return found
