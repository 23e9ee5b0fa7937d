"""Words for the evidence of a pair: its features, its warnings, and how common what the two share is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mdm import registry
from mdm.matching.config import NUMBER_CONFLICT, OTHER_NAME, SHARED_BANK, SIBLING, TAX_ID_CONFLICT
from mdm.matching.keys import KINDS
from mdm.matching.score import Contribution, Score
from mdm.models import DuplicatePair, MatchDecision
from mdm.selectors import duplicates
from mdm.services import indexing
from mdm.web import browsing
from mdm.web.grids import signed
from mdm.web.page import Due, Event, Part
from mdm.web.pointers import request_url
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
    "related": ("judged them of the same group", "tree", "grey"),
    "unsure": ("was unsure", "info", "amber"),
    "open": ("took the judgement back", "undo", "grey"),
}
RELATIONS = {"parent": "parent and child", "child": "child and parent", "sibling": "sister companies"}
_SAID = {
    "same": "Judged the same. A merge is the next step",
    "different": "Judged different",
    "unsure": "Kept as unsure",
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
    """The loudest thing about it, for the row in the queue."""
    if pair.dispute:
        return Due(text="disputed" if pair.dispute == "people" else "judgements clash", tone="red")
    if pair.state == "open" and pair.reopened_at:
        return Due(text="came back", tone="amber")
    flag = next((flag for flag in FLAGS if flag in pair.flags), None)
    return Due(text=FLAGS[flag][0], tone=FLAGS[flag][2]) if flag and pair.kind == "duplicate" else None


def rank(pair: DuplicatePair) -> str:
    """Why it stands where it does in the queue: the parts of its rank, which are multiplied."""
    told = pair.ranking
    if not told:
        return ""
    product = f"risk {told['risk']:.2f} × confidence {told['confidence']:.2f} × use {told['use']:.2f}"
    return f"Ranked {pair.rank:.2f} = {product}: {'; '.join(told['why'])}."


def said_of(decision: MatchDecision) -> str:
    """What a toast says after a judgement."""
    if decision.judgement != "related":
        return _SAID[decision.judgement]
    words = f"Same group: {RELATIONS[decision.relation]}"
    return (
        f"{words}. Proposed as {decision.change.number}" if decision.change else f"{words}. The records say so already"
    )


def what_if(pair: DuplicatePair, limits: tuple[float, float]) -> list[str]:
    """What would have to differ for another outcome; each line is one sentence. `limits`: shown from, linked from."""
    engine = indexing.engine(pair.type)
    shown, linked = limits
    if pair.score < shown:
        missing = engine.why_not(_score_of(pair))
        # The engine says the distance too, in its own words: once is enough.
        helps = [line for line in missing if " short of " not in line]
        return [f"It is {shown - pair.score:.1f} points short of being shown to a person.", *helps[-3:]]
    floor, name = (linked, "being linked unasked") if pair.band == "link" else (shown, "being shown at all")
    spare = pair.score - floor
    strong = sorted((part for part in pair.explanation if part["weight"] > _SMALL), key=lambda part: -part["weight"])
    alone = [part for part in strong if part["weight"] > spare]
    said = [f"It stands {spare:.1f} points above {name}."]
    if alone:
        said += [
            f"Without “{part['note']}” alone ({signed(part['weight'])}) it would fall below." for part in alone[:3]
        ]
    else:
        lost, taken = 0.0, []
        for part in strong:
            lost += part["weight"]
            taken.append(f"“{part['note']}”")
            if lost > spare:
                said.append(f"Only without {', '.join(taken[:-1])} and {taken[-1]} together would it fall below.")
                break
    vetoes = [FLAGS[flag][1] for flag in pair.flags if flag in FLAGS and flag != SHARED_BANK]
    if vetoes and pair.score >= linked and pair.band == "review":
        said.append(f"It would be linked unasked, were it not for this: {' '.join(vetoes)}")
    plain = engine.model.thresholds.link
    if not vetoes and plain <= pair.score < linked:
        said.append(f"It would be linked unasked from {plain:g} points, had nobody confirmed one of the records.")
    return said


def _score_of(pair: DuplicatePair) -> Score:
    parts = tuple(Contribution(**part) for part in pair.explanation)
    base = pair.score - sum(part.weight for part in parts)
    return Score(pair.score, pair.probability, pair.band, base, parts, tuple(pair.flags))  # type: ignore[arg-type]


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
    one: str = "record"
    many: str = "records"

    def why(self, part: Mapping[str, Any]) -> str:
        feature = part["feature"]
        if feature == "rarity" and self.words:
            return self._counted(self.words)
        if feature in ("extra_words", "other_words") and self.only:
            return self._counted(self.only)
        note = str(part["note"])
        held = self.kinds.get(_KEYS.get(feature, ""), 0)
        if held > 1 and part["weight"] > _SMALL:
            note += f", shared by {browsing.plural(held, self.one, self.many)}"
        return note

    def _counted(self, words: Mapping[str, int]) -> str:
        rarest = sorted(words, key=lambda word: (words[word], -len(word)))[:3]
        shown = [f"“{word}” in {number(words[word])}" for word in rarest]
        return f"{', '.join(shown)} of {number(self.total)}"


def commonness(pair: DuplicatePair, features: duplicates.Features | None) -> Commonness:
    """Words as the snapshot of the hub counts them, shared phones, addresses, accounts as they are held now."""
    if features is None:
        return Commonness(0, {}, {}, {})
    left, right = _words(features.left), _words(features.right)
    counts = indexing.counts_of(pair.type, "token", [*{**left, **right}])
    kinds = {KINDS[kind]: held for kind, held in duplicates.shared_keys(pair).items()}
    spelt = {**right, **left}

    def counted(sounds: Sequence[str]) -> dict[str, int]:
        return {spelt[sound].lower(): counts.get(sound, 0) for sound in sounds}

    both = [sound for sound in left if sound in right]
    one = [sound for sound in spelt if sound not in left or sound not in right]
    sort = registry.get(pair.type)
    return Commonness(features.total, counted(both), counted(one), kinds, sort.noun, sort.nouns)


def _words(features: Mapping[str, Any]) -> dict[str, str]:
    """{sound of a word: the word as written} of all names of a record."""
    return {sound: word for name in features["names"] for sound, word in zip(name["core"], name["words"], strict=False)}


def history(pair: DuplicatePair, decisions: Sequence[MatchDecision]) -> list[Event]:
    """Every judgement, the newest first."""
    found = []
    for row in reversed(decisions[-20:]):
        words, icon, tone = JUDGED[row.judgement]
        if row.judgement == "open" and row.decided_by_id is None:
            words, icon = f"came back: {row.reason}", "refresh"
        said: list[str | Part] = [words]
        if row.relation:
            said.append(f" ({RELATIONS[row.relation]})")
        if row.settles:
            said.append(", which settled the dispute")
        if row.reason and row.decided_by_id:
            said.append(f": {row.reason}")
        if row.change:
            said += [", proposed as ", Part(text=row.change.number, url=request_url(row.change))]
        if row.evidence_hash != pair.evidence_hash:
            said.append(" (the evidence has changed since)")
        who: Any = row.decided_by or row.decided_by_name
        found.append(Event(at=row.at, text=said, who=who, icon=icon, tone=tone))  # type: ignore[arg-type]
    return found
