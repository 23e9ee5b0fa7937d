"""What people have confirmed about a record: judged the same as another, or merged. Stricter thresholds hold from then on.

A pair that somebody judged keeps the plain thresholds: its own judgement is no reason to doubt it, and match quality is
measured by what the model says alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import numpy as np
import numpy.typing as npt
from django.db import connection

from mdm.matching.engine import Engine
from mdm.matching.score import Score
from mdm.models import DuplicatePair, MatchDecision
from mdm.services import inference

UNJUDGED = ("open", "follows", "gone")  # states of a pair that nobody judged
Partners = Mapping[str, set[str]]


@dataclass(frozen=True)
class Confirmation:
    """Who said that these two are the same, and when."""

    uid: str
    other: str
    by: str
    at: datetime


def partners(uids: Iterable[Any]) -> dict[str, set[str]]:
    """{uid: records that people said it is the same as} of those that have any; one query."""
    wanted = {str(uid) for uid in uids}
    if not wanted:
        return {}
    with connection.cursor() as cursor:
        cursor.execute(
            f"""SELECT q.uid::text, w.other::text FROM unnest(%s::uuid[]) AS q(uid) CROSS JOIN LATERAL (
                SELECT p.right AS other FROM mdm_duplicatepair p WHERE p.left = q.uid AND {inference.SAID_SAME}
                UNION ALL
                SELECT p.left FROM mdm_duplicatepair p WHERE p.right = q.uid AND {inference.SAID_SAME}
            ) w""",
            [sorted(wanted)],
        )
        found: dict[str, set[str]] = {}
        for uid, other in cursor.fetchall():
            found.setdefault(uid, set()).add(other)
    return found


def strict(left: str, right: str, known: Partners) -> bool:
    """Whether somebody confirmed something about either record, this very pair aside."""
    return bool(known.get(left, set()) - {right} or known.get(right, set()) - {left})


def held(matcher: Engine, score: Score, confirmed: bool) -> Score:
    """The score with the band of these thresholds."""
    band = matcher.band(score, confirmed=confirmed)
    return score if band == score.band else replace(score, band=band)


def limits(matcher: Engine, confirmed: bool) -> tuple[float, float]:
    """(shown from, linked from) in points."""
    found = matcher.model.thresholds
    return (found.confirmed_review, found.confirmed_link) if confirmed else (found.review, found.link)


def bands(
    matcher: Engine, levels: npt.NDArray[np.int8], confirmed: npt.NDArray[np.bool_]
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int8]]:
    """(score, place in BANDS) of comparison vectors; `confirmed` says for which the stricter thresholds hold."""
    values, flags = matcher.scorer.values(levels), matcher.scorer.flags(levels)
    plain, stricter = (matcher.scorer.bands(values, flags, way) for way in (False, True))
    return values, np.where(confirmed, stricter, plain)


def mask(pairs: Sequence[tuple[str, str, bool]]) -> npt.NDArray[np.bool_]:
    """For (left, right, judged): whether the stricter thresholds hold; one query for all."""
    known = partners({uid for left, right, judged in pairs if not judged for uid in (left, right)})
    return np.array([not judged and strict(left, right, known) for left, right, judged in pairs], dtype=bool)


def of_pair(left: Any, right: Any) -> list[Confirmation]:
    """Why the stricter thresholds hold for these two, the newest first; nothing where the plain ones do."""
    one, other = sorted((str(left), str(right)))
    known = DuplicatePair.objects.filter(left=one, right=other).first()
    return holds_for(known or DuplicatePair(left=one, right=other))


def holds_for(pair: DuplicatePair) -> list[Confirmation]:
    """The same of a pair that was read, as it stands now; an unsaved one is any two records."""
    if pair.pk is not None and pair.state not in UNJUDGED:
        return []
    both = {str(pair.left), str(pair.right)}
    known = partners(both)
    told = []
    for uid, name in ((mine, other) for mine in sorted(both) for other in sorted(known.get(mine, set()) - both)):
        rows = MatchDecision.objects.filter(pair__left=min(uid, name), pair__right=max(uid, name), judgement="same")
        if said := rows.first():
            told.append(Confirmation(uid, name, said.decided_by_name, said.at))
    return sorted(told, key=lambda confirmation: confirmation.at, reverse=True)
