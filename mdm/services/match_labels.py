"""What people said about pairs, as labels: same or different, where they disagree, and the records as they judged them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from mdm.models import DuplicatePair, MatchDecision, MatchProfile, RecordVersion
from mdm.services import indexing, verdicts

JUDGED = ("same", "different", "related", "merged")  # states of a pair that carry an answer
NEGATIVE = ("different", "related")
CHUNK = 500
Features = dict[str, Any]
Both = tuple[Features, Features]


@dataclass(frozen=True)
class Label:
    """One judged pair. `disputed`: people said different things; then “not the same” counts."""

    pk: int
    left: str
    right: str
    same: bool
    disputed: bool
    at: datetime | None  # of the last judgement; None when the records were merged without one
    merged: bool


def chunks(type_key: str) -> Iterator[list[Label]]:
    """Labels of a record type, by pair, a few hundred at a time."""
    last = 0
    while True:
        rows = DuplicatePair.objects.filter(type=type_key, kind="duplicate", state__in=JUDGED, pk__gt=last).order_by(
            "pk"
        )
        pairs = list(rows.only("pk", "left", "right", "state")[:CHUNK])
        if not pairs:
            return
        last = pairs[-1].pk
        yield labels_of(pairs)


def labels_of(pairs: Sequence[DuplicatePair]) -> list[Label]:
    """One query for all judgements of these pairs; pairs without an answer are left out."""
    said: defaultdict[int, list[MatchDecision]] = defaultdict(list)
    for decision in MatchDecision.objects.filter(pair__in=[pair.pk for pair in pairs]).order_by("pk"):
        said[decision.pair_id].append(decision)
    found = []
    for pair in pairs:
        held = [one for one in verdicts.read(said[pair.pk]).standing if one.judgement != "unsure"]
        answers = {one.judgement not in NEGATIVE for one in held}
        if pair.state == "merged":
            answers.add(True)  # an approved merge says so, with or without a judgement before it
        if answers and pair.state in JUDGED:
            same = pair.state == "merged" or answers == {True}
            at = max((one.at for one in held), default=None)
            found.append(
                Label(pair.pk, str(pair.left), str(pair.right), same, len(answers) > 1, at, pair.state == "merged")
            )
    return found


def current_features(type_key: str, pairs: Sequence[tuple[int, str, str]]) -> dict[int, Both]:
    """{key: features of both records} of pairs (key, left, right) whose records are both matched."""
    sides = {uid for _, left, right in pairs for uid in (left, right)}
    rows = MatchProfile.objects.filter(type=type_key, uid__in=sides).values_list("uid", "features")
    known = {str(uid): features for uid, features in rows}
    return {key: (known[left], known[right]) for key, left, right in pairs if left in known and right in known}


def features_of(type_key: str, labels: Sequence[Label]) -> dict[int, Both]:
    """{pair: features of both records}, as they were when they were judged where one of them is matched no more.

    A merged record's survivor holds the values of both: such pairs are read from the versions before the judgement.
    """
    found = current_features(type_key, [(one.pk, one.left, one.right) for one in labels if not one.merged])
    for label in labels:
        if label.pk not in found and (then := _as_judged(type_key, label)):
            found[label.pk] = then
    return found


def _as_judged(type_key: str, label: Label) -> Both | None:
    matcher = indexing.engine_of(type_key)
    both = []
    for uid in (label.left, label.right):
        versions = RecordVersion.objects.filter(uid=uid, type=type_key).exclude(status__in=("merged", "retired"))
        before = versions.filter(created_at__lte=label.at) if label.at else versions.none()
        document = (
            before.order_by("-version").values_list("document", flat=True).first()
            or versions.order_by("version").values_list("document", flat=True).first()
        )
        if document is None:
            return None
        both.append(matcher.features(document))
    return both[0], both[1]
