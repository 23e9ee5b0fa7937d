"""Records side by side as a page shows them: attributes as rows, what another column also says marked, each pair's score."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any

from django.http import QueryDict

from mdm.errors import NotFound
from mdm.models import DuplicatePair
from mdm.registry import RecordType
from mdm.selectors import duplicates, records, visibility
from mdm.selectors.visibility import Entities
from mdm.services import confirmations, indexing, matching
from mdm.types import Document
from mdm.web import pair_page
from mdm.web.page import Badge
from mdm.web.visitor import link
from mdm.web.words import Word, joined

MOST = 5
_WORD = re.compile(r"\w+", re.UNICODE)
_PIECE = re.compile(r"\w+|\W+", re.UNICODE)


def url(kind: RecordType, uids: Sequence[str]) -> str:
    query = QueryDict(mutable=True)
    query.setlist("uid", [str(uid) for uid in uids])
    return f"{link('web:compare', kind.path)}?{query.urlencode()}"


def documents(kind: RecordType, uids: Sequence[str], entities: Entities) -> list[Document]:
    """The documents in the order asked for; NotFound when one is not there, or not for this person."""
    found = records.current_documents(kind.key, uids) if uids else {}
    if any(uid not in found or not visibility.sees(kind, found[uid], entities) for uid in uids):
        raise NotFound(f"One of these {kind.nouns} does not exist.")
    return [visibility.strip(kind, found[uid], entities) for uid in uids]


def build(
    kind: RecordType,
    shown: Sequence[Document],
    *,
    entities: Entities,
    pairs: Mapping[tuple[str, str], DuplicatePair],
) -> dict[str, Any]:
    """Columns, rows and scores; of exactly two also everything a pair's page says, judged or not."""
    uids = [str(document["uid"]) for document in shown]
    keys = duplicates.keys(uids)
    scores = _scores(kind, uids, pairs) if len(uids) > 1 else {}
    codes = {str(document["uid"]): str(document["code"]) for document in shown}
    return {
        "columns": [
            {
                **pair_page.side(kind, document, keys[document["uid"]]),
                "name": kind.name_of(document),
                "without_url": url(kind, [uid for uid in uids if uid != document["uid"]]),
            }
            for document in shown
        ],
        "rows": _rows(kind, shown) if len(shown) > 2 else [],
        "scores": [_score(kind, codes, sides, pair) for sides, pair in scores.items()],
        "pair": pair_page.build(next(iter(scores.values())), entities=entities) if len(uids) == 2 else None,
        "pair_url": link("web:duplicate", pair.uid)
        if len(uids) == 2 and (pair := next(iter(pairs.values()), None))
        else "",
    }


def _scores(
    kind: RecordType, uids: Sequence[str], known: Mapping[tuple[str, str], DuplicatePair]
) -> dict[tuple[str, str], DuplicatePair]:
    """Every two of them, best first: pairs as they are known, and others scored now and stored nowhere."""
    wanted = [(min(two), max(two)) for two in combinations(uids, 2)]
    found = {sides: known[sides] for sides in wanted if sides in known}
    if missing := [sides for sides in wanted if sides not in known]:
        features = matching.features_of(kind, uids)
        matcher, rarity = indexing.engine(kind.key), indexing.StoredKeys(kind.key).rarity
        scores = matcher.compare_all([(features[left], features[right]) for left, right in missing], rarity)
        confirmed = confirmations.mask([(left, right, False) for left, right in missing])
        for (left, right), plain, stricter in zip(missing, scores, confirmed, strict=True):
            score = confirmations.held(matcher, plain, bool(stricter))
            found[left, right] = DuplicatePair(
                type=kind.key, left=left, right=right, state="none", score=score.value, band=score.band,
                probability=score.probability, flags=list(score.flags),
                explanation=[part._asdict() for part in score.explanation],
            )  # fmt: skip
    return dict(sorted(found.items(), key=lambda item: -item[1].score))


def _score(kind: RecordType, codes: Mapping[str, str], sides: tuple[str, str], pair: DuplicatePair) -> dict[str, Any]:
    return {
        "title": f"{codes[sides[0]]} and {codes[sides[1]]}",
        "score": f"{pair.probability:.2f}",
        "why": pair_page.in_short(pair),
        "state": Badge(state=pair.state if pair.pk else pair.band, domain="pair"),
        "url": link("web:duplicate", pair.uid) if pair.pk else url(kind, sides),
    }


def _rows(kind: RecordType, shown: Sequence[Document]) -> list[dict[str, Any]]:
    """Words that another record has as well are marked, whatever their case."""
    assert kind.match is not None
    found = []
    for label, _, values, _ in pair_page.attributes(kind, kind.match):
        lists = [values(document) for document in shown]
        if any(lists):
            held = [{word.casefold() for value in one for word in _WORD.findall(value)} for one in lists]
            cells = []
            for i, one in enumerate(lists):
                others: set[str] = set().union(*(words for j, words in enumerate(held) if j != i))
                cells.append([joined([_marked(text, others) for text in _PIECE.findall(value)]) for value in one])
            found.append({"label": label, "cells": cells})
    return found


def _marked(text: str, others: set[str]) -> Word:
    """`changed` marks what another record has as well; blanks and commas between marked words go with neither."""
    return Word(text, changed=text.casefold() in others)
