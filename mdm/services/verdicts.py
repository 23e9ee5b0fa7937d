"""What several people's judgements of one pair amount to. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from mdm.models import MatchDecision

NEGATIVE = ("different", "related")


@dataclass(frozen=True)
class Verdict:
    """What the judgements that stand amount to. “Not the same” wins over “same”, both win over “unsure”."""

    state: str
    disputed: bool
    standing: tuple[MatchDecision, ...]  # the newest of each person, oldest first


def read(decisions: Iterable[MatchDecision]) -> Verdict:
    """Read from all decisions of one pair, oldest first. Pure."""
    standing: dict[str, MatchDecision] = {}
    for decision in decisions:
        who = str(decision.decided_by_id or decision.decided_by_name)
        if decision.settles or (decision.judgement == "open" and decision.decided_by_id is None):
            standing.clear()
        standing.pop(who, None)
        if decision.judgement != "open":
            standing[who] = decision
    held = tuple(standing.values())
    said = {(decision.judgement, decision.relation) for decision in held if decision.judgement != "unsure"}
    negative = [decision.judgement for decision in held if decision.judgement in NEGATIVE]
    state = negative[-1] if negative else "same" if said else "unsure" if held else "open"
    return Verdict(state, len(said) > 1, held)
