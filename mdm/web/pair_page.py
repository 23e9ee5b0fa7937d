"""A pair as its page shows it: two records side by side, the score as a sum, what a merge would mean."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from mdm import registry
from mdm.crypto import mask
from mdm.errors import HubError
from mdm.matching.config import MatchConfig, collect
from mdm.models import Crosswalk, DuplicatePair
from mdm.registry import RecordType
from mdm.selectors import duplicates, records, visibility
from mdm.selectors.visibility import Entities
from mdm.services import confirmations, indexing, key_moves, merging, verdicts
from mdm.types import Document
from mdm.web import grids, pair_story, pair_words
from mdm.web.browsing import plural
from mdm.web.latin import is_latin, romanise
from mdm.web.page import Badge, Fact, Item, Part, Rich
from mdm.web.pointers import record, request_url, source
from mdm.web.values import is_empty, show
from mdm.web.visitor import link
from mdm.web.words import equal_parts

_Values = Callable[[Document], list[str]]


def items(pairs: Sequence[DuplicatePair], url_of: Callable[[DuplicatePair], str], current: str = "") -> list[Item]:
    """Rows of the queue: the name, why in few words, and the loudest warning."""
    names: dict[str, tuple[str, str]] = {}
    for key in {pair.type for pair in pairs}:
        uids = {uid for pair in pairs if pair.type == key for uid in (pair.left, pair.right)}
        names |= records.names(key, uids)
    return [
        Item(
            url=url_of(pair),
            title=_title(names, pair),
            meta=in_short(pair),
            sub=pair.ranking.get("used", ""),
            score=f"{pair.probability:.2f}",
            due=pair_words.warning(pair),
            current=str(pair.uid) == current,
        )
        for pair in pairs
    ]


def _title(names: Mapping[str, tuple[str, str]], pair: DuplicatePair) -> str:
    """The name; both of them where a shared account makes two names the point."""
    sides = [names.get(str(uid), ("", "A record that is gone"))[1] for uid in (pair.left, pair.right)]
    return " · ".join(sides) if pair.kind == "account" else sides[0]


def in_short(pair: DuplicatePair) -> str:
    """Why, in a few words."""
    if pair.kind == "account":
        return "One bank account under two names"
    return _sentence(pair_words.reasons(pair)) or "Weak evidence only"


def _sentence(notes: Sequence[str]) -> str:
    text = ", ".join(notes)
    return f"{text[:1].upper()}{text[1:]}"


def build(pair: DuplicatePair, *, entities: Entities, latin: bool = False) -> dict[str, Any]:
    """Everything about the pair that does not depend on who may do what; an unsaved pair shows any two records.

    `latin`: other scripts are shown in Latin letters as well.
    """
    kind = registry.get(pair.type)
    found = records.current_documents(kind.key, [pair.left, pair.right])
    left, right = (visibility.strip(kind, found[str(uid)], entities) for uid in (pair.left, pair.right))
    keys = duplicates.keys([pair.left, pair.right])
    features = duplicates.features(pair)
    common = pair_words.commonness(pair, features)
    rows = list(_rows(kind, pair, left, right, keys, features, latin=latin))
    decisions = list(pair.decisions.select_related("decided_by", "change").order_by("pk")) if pair.pk else []
    confirmed = confirmations.holds_for(pair)
    limits = confirmations.limits(indexing.engine(pair.type), bool(confirmed))
    return {
        "title": _TITLES.get(pair.kind, "Are these the same {}?").format(kind.noun),
        "state": pair.state,
        "kind": pair.kind,
        "text": _text(pair),
        "callouts": pair_story.callouts(pair, decisions),
        "rank": pair_words.rank(pair),
        "sides": [side(kind, document, keys[document["uid"]]) for document in (left, right)],
        "codes": [left["code"], right["code"]],
        "relations": _relations(kind, left, right),
        "rows": rows,
        "foreign": any(row["foreign"] for row in rows),
        "latin": latin,
        "score": f"{pair.probability:.2f}",
        "waterfall": _waterfall(pair, common, limits[1]),
        "score_note": f"Shown to you from {limits[0]:g} points; linked without asking from {limits[1]:g}",
        "stricter": pair_story.stricter(kind, pair, confirmed),
        "what_if": pair_words.what_if(pair, limits),
        "consequences": _consequences(kind, left, right) if _might_merge(pair) else [],
        "history": pair_words.history(pair, decisions),
        "standing": verdicts.read(decisions).standing,
        "decided": None if pair.state == "open" else Badge(state=pair.state, domain="pair"),
    }


_TITLES = {"account": "Why do these share a bank account?"}


def _might_merge(pair: DuplicatePair) -> bool:
    return pair.pk is not None and pair.kind == "duplicate" and pair.state not in ("merged", "gone")


def _relations(kind: RecordType, left: Document, right: Document) -> list[tuple[str, str]]:
    """What the left record may be to the right one, in words; nothing where the type keeps no relation."""
    found = []
    if kind.parent_field:
        found += [
            ("parent", f"{left['code']} is the parent of {right['code']}"),
            ("child", f"{right['code']} is the parent of {left['code']}"),
        ]
    if kind.sibling_field or kind.parent_field:
        found.append(("sibling", "They are sister companies"))
    return found


def _text(pair: DuplicatePair) -> Rich:
    pro, contra = pair_words.reasons(pair, 3), pair_words.reasons(pair, 2, against=True)
    said: list[str | Part] = [f"{_likely(pair.probability)}: {pair.probability:.2f}."]
    if pro:
        said.append(f" {_sentence(pro)}.")
    if contra:
        said.append(f" But {', '.join(contra)}.")
    for flag in pair.flags:
        if flag in pair_words.FLAGS:
            said += [" ", Part(text=pair_words.FLAGS[flag][1], strong=True)]
    if pair.state in ("open", "same"):
        for change in duplicates.merges_of([pair.left, pair.right])[:2]:
            said += [" A merge is proposed: ", Part(text=change.number, url=request_url(change)), "."]
    return said


def _likely(probability: float) -> str:
    for limit, words in ((0.98, "Nearly certain"), (0.85, "Probably"), (0.5, "Perhaps")):
        if probability >= limit:
            return words
    return "Hardly"


def side(kind: RecordType, document: Document, keys: Sequence[Crosswalk]) -> dict[str, Any]:
    systems = {row.system_id: row.system for row in keys}
    note = [f"version {document['version']}"]
    if keys:
        note.append(f"{plural(len(keys), 'key')} at {plural(len(systems), 'system')}")
    if document["status"] != "active":
        note.append(document["status"])
    return {
        "source": source(keys[0].system) if keys else None,
        "title": document["code"],
        "url": record(kind.key, document["uid"]),
        "note": " · ".join(note),
    }


# --- attribute by attribute ------------------------------------------------------------------------------------------


def _rows(
    kind: RecordType,
    pair: DuplicatePair,
    left: Document,
    right: Document,
    keys: Mapping[str, list[Crosswalk]],
    features: duplicates.Features | None,
    *,
    latin: bool = False,
) -> Iterable[dict[str, Any]]:
    said = {part["feature"]: part for part in pair.explanation}
    config = kind.match
    assert config is not None
    for label, feature, values, norm in attributes(kind, config):
        part = next((said[name] for name in feature.split() if name in said), None)
        texts = ["; ".join(values(document)) for document in (left, right)]
        if not any(texts):
            continue
        if feature == "street" and part:
            texts = [part["left"] or texts[0], part["right"] or texts[1]]  # the two addresses that were compared
        notes = [_normalised(norm, side) for side in (features.left, features.right)] if features else ["", ""]
        yield _row(label, texts, _verdict(feature, part, texts), notes, part, latin=latin)
    for child in kind.children:
        if child.entity_field:
            texts = [", ".join(_fields(document, child.name, child.entity_field)) for document in (left, right)]
            if any(texts):
                yield _row("Used by", texts, "", ["", ""], None, words="")
    yield _row("Keys", [_keys(keys[document["uid"]]) for document in (left, right)], "", ["", ""], None, words="")


def _verdict(feature: str, part: Mapping[str, Any] | None, texts: Sequence[str]) -> str:
    if not feature:
        return ""
    return pair_words.verdict(part, texts) if all(texts) else "unknown"


def _row(
    label: str,
    texts: Sequence[str],
    verdict: str,
    notes: Sequence[str],
    part: Mapping[str, Any] | None,
    *,
    words: str | None = None,
    latin: bool = False,
) -> dict[str, Any]:
    foreign = not all(is_latin(text) for text in texts)
    romans = [romanise(text) if latin and not is_latin(text) else "" for text in texts]
    left, right = equal_parts(texts[0], texts[1]) if all(texts) and verdict else (texts[0], texts[1])
    said = words if words is not None else (part["note"].capitalize() if part and not verdict else "")
    return {
        "label": label, "left": left, "right": right, "left_note": notes[0], "right_note": notes[1], "verdict": verdict,
        "words": said, "foreign": foreign, "left_latin": romans[0], "right_latin": romans[1],
    }  # fmt: skip


def attributes(kind: RecordType, config: MatchConfig) -> Iterable[tuple[str, str, _Values, str]]:
    """(label, feature, values of a document, list of the normalised features)."""
    yield kind.label(config.name), "name", _at(config.name), "names"
    if config.aliases:
        yield "Other names", "", _at(*config.aliases), ""
    if config.legal_form:
        yield kind.label(config.legal_form), "form", _at(config.legal_form), ""
    if fields := config.addresses:
        list_ = fields.items.removesuffix("[]")
        yield "Address", "street", _at(f"{list_}[].{fields.lines}"), "places"
        yield "Postal code", "postcode", _at(f"{list_}[].{fields.postcode}"), ""
        yield "City", "city", _at(f"{list_}[].{fields.city}"), ""
    if config.country:
        yield kind.label(config.country), "country", _at(config.country), ""
    if config.tax_ids:
        yield "Tax number", "tax", _numbered(config.tax_ids), "tax"
    if config.identifiers:
        yield "Identifier", "identifier", _numbered(config.identifiers), "ids"
    yield "Phone", "phone", _at(*config.phones), "phones"
    yield "E-mail", "mail domain", _at(*config.emails), ""
    yield "Website", "domain", _at(*config.websites), "domains"
    yield "Bank account", "bank", _at(*config.banks), ""


def _at(*paths: str) -> _Values:
    return lambda document: list(
        dict.fromkeys(show(mask(v)) for path in paths for v in collect(document, path) if not is_empty(v))
    )


def _numbered(fields: Any) -> _Values:
    def values(document: Document) -> list[str]:
        return [
            f"{row.get(fields.scheme) or ''} {row.get(fields.value) or ''}".strip()
            for row in collect(document, fields.items)
        ]

    return values


def _fields(document: Document, child: str, name: str) -> list[str]:
    return [str(row[name]) for row in document.get(child) or [] if row.get(name)]


def _keys(rows: Sequence[Crosswalk]) -> str:
    return ", ".join(f"{row.system.mark} {row.key}" for row in rows)


def _normalised(name: str, features: Mapping[str, Any]) -> str:
    """How the value is compared, for whoever hovers over it."""
    if not name or not features.get(name):
        return ""
    values = features[name]
    if name == "names":
        texts = [" ".join(value["core"]) for value in values]
    elif name == "places":
        texts = [" ".join(filter(None, [value["street"], value["number"]])) for value in values]
    elif name in ("tax", "ids"):
        texts = [str(value[1]) for value in values]
    else:
        texts = [str(value) for value in values]
    return f"compared as: {'; '.join(texts[:3])}"


# --- the score, what follows, what was said before -------------------------------------------------------------------


def _waterfall(pair: DuplicatePair, common: pair_words.Commonness, linked: float) -> grids.Waterfall:
    parts = [part for part in pair.explanation if part["weight"]]
    return grids.waterfall(
        pair.score - sum(part["weight"] for part in pair.explanation),
        [grids.WaterfallPart(pair_words.label(part["feature"]), part["weight"], common.why(part)) for part in parts],
        threshold=linked,
        base_why="before anything is compared",
        total_why=f"a probability of {pair.probability:.2f}",
    )


def _consequences(kind: RecordType, left: Document, right: Document) -> list[Fact]:
    try:
        seen = merging.preview(kind=kind, losers=[left["uid"], right["uid"]])
    except HubError as error:
        return [Fact(label="Not now", value=error.message)]
    stays = seen["survivor"]
    facts = [Fact(label="Stays", value=stays["code"], note="the older one; choose the other in the preview")]
    if seen["references"]:
        facts.append(Fact(label="Refer to it", value=plural(len(seen["references"]), "record"), note="they follow"))
    for effect in seen["targets"]:
        said = [f"{word} {', '.join(effect[word])}" for word in key_moves.WORDS if effect[word]]
        facts.append(Fact(label=effect["title"], value=", ".join(said)))
    for block in seen["blocks"]:
        facts.append(
            Fact(label="Kept apart", value=f"by {block['change_request']}", note="a steward lifts that in the preview")
        )
    return facts


def undo_url(pair: DuplicatePair) -> str:
    return link("web:duplicate-undo", pair.uid)
