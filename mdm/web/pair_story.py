"""What has to be said of a pair before its evidence: why it came back, who disagrees, what follows from what."""

from __future__ import annotations

from collections.abc import Sequence

from mdm import registry
from mdm.models import DuplicatePair, MatchDecision
from mdm.registry import RecordType
from mdm.selectors import duplicates, records
from mdm.services import inference, verdicts
from mdm.services.confirmations import Confirmation
from mdm.services.inference import Edge
from mdm.web.browsing import plural
from mdm.web.page import Callout, Part, Rich
from mdm.web.values import day
from mdm.web.visitor import link

_BETWEEN = {"same": " is the same as ", "different": " is not ", "related": " is of the same group as "}
_SAID = {"same": "the same", "different": "different", "related": "the same group", "unsure": "unsure"}


def callouts(pair: DuplicatePair, decisions: Sequence[MatchDecision]) -> list[Callout]:
    found = []
    if pair.state == "open" and pair.reopened_at and (back := _last_return(decisions)):
        found.append(
            Callout(
                title=f"It came back on {day(pair.reopened_at)}",
                body=f"{back.reason}.".capitalize(),
                icon="refresh",
                tone="amber",
            )
        )
    if pair.state == "follows":
        found += _follows(pair)
    if pair.dispute == "people":
        found.append(_people(verdicts.read(decisions).standing))
    if pair.dispute == "logic":
        found += _clash(pair)
    if pair.assigned_to:
        name = pair.assigned_to.get_full_name() or pair.assigned_to.username
        found.append(Callout(title=f"{name} looks at this pair", icon="user"))
    return found


def _last_return(decisions: Sequence[MatchDecision]) -> MatchDecision | None:
    back = (one for one in reversed(decisions) if one.judgement == "open" and one.decided_by_id is None)
    return next(back, None)


def _follows(pair: DuplicatePair) -> list[Callout]:
    """Derived now, not when the pair was put aside: the way that leads from one record to the other."""
    inferred = inference.around([pair.left, pair.right]).infer(str(pair.left), str(pair.right))
    if inferred is None:
        return []
    title = (
        "Nobody needs to judge this: they are the same"
        if inferred.verdict == "same"
        else "Nobody needs to judge this: they differ"
    )
    return [Callout(title=title, body=["It follows from: ", *_way(pair, inferred.via), "."], icon="link")]


def _people(standing: Sequence[MatchDecision]) -> Callout:
    said = "; ".join(f"{one.decided_by_name}: {_SAID[one.judgement]}" for one in standing)
    text = f"{said}. Until a lead steward settles it, “not the same” holds."
    return Callout(title="Stewards disagree", body=text, tone="red", icon="alert")


def _clash(pair: DuplicatePair) -> list[Callout]:
    """The contradiction this pair is part of, as the judgements that make it."""
    sides = {str(pair.left), str(pair.right)}
    for way in inference.around(sides).contradictions():
        if any({edge.left, edge.right} == sides for edge in way):
            body: list[Part | str] = ["All of these stand: ", *_way(pair, way)]
            body.append(". One must be wrong. Until a lead steward settles it, “not the same” holds.")
            return [Callout(title="Judgements contradict one another", body=body, tone="red", icon="alert")]
    return []


def stricter(kind: RecordType, pair: DuplicatePair, confirmed: Sequence[Confirmation]) -> Rich:
    """Why more points are needed here than elsewhere; nothing where the plain thresholds hold."""
    if not confirmed:
        return []
    said = confirmed[0]
    names = records.names(kind.key, [said.uid, said.other])
    one, other = (names.get(uid, (uid[:8], ""))[0] for uid in (said.uid, said.other))
    known = duplicates.between(kind.key, {said.uid, said.other})
    words = f"{one} and {other} are the same"
    more = f", and {plural(len(confirmed) - 1, 'more judgement')} like it" if len(confirmed) > 1 else ""
    link_ = Part(text=words, url=link("web:duplicate", known[0].uid) if known else "")
    return ["Stricter here than elsewhere, because ", f"{said.by} said on {day(said.at)} that ", link_, f"{more}."]


def _way(pair: DuplicatePair, way: Sequence[Edge]) -> list[Part | str]:
    uids = {uid for edge in way for uid in (edge.left, edge.right)}
    names = records.names(registry.get(pair.type).key, uids)
    pairs = {(str(one.left), str(one.right)): one for one in duplicates.between(pair.type, uids)}
    said: list[Part | str] = []
    for edge in way:
        known = pairs.get((edge.left, edge.right))
        words = _BETWEEN[edge.verdict].join(names.get(uid, (uid[:8], ""))[0] for uid in (edge.left, edge.right))
        said += ["; "] * bool(said) + [Part(text=words, url=link("web:duplicate", known.uid) if known else "")]
    return said
