"""Judging pairs: same, different, related, unsure; by several people, taken back, settled. Every judgement is kept."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import Q

from mdm import registry
from mdm.errors import AlreadyDone, CorrectInput, NotAllowed, NotNow
from mdm.models import DuplicatePair, MatchDecision
from mdm.permissions import may, scopes_of
from mdm.services import (
    audit,
    changes,
    comparisons,
    confirmations,
    evidence,
    indexing,
    inference,
    merge_blocks,
    rebuilding,
    relating,
    verdicts,
)
from mdm.types import Actor

JUDGEMENTS = ("same", "different", "related", "unsure")
MOST = 200  # pairs judged together


@transaction.atomic
def decide(
    *,
    pair: DuplicatePair,
    judgement: str,
    by: Actor,
    reason: str = "",
    relation: str = "",
    settle: bool = False,
    seen: str = "",
    origin: str = "web",
) -> MatchDecision:
    """Keep one person's judgement; what follows from it is derived in the same transaction. Merging is a request of its own.

    related: `relation` says what the left record is to the right (parent, child, sibling), and a change request asks to
    write it into the records. settle: a lead steward ends a dispute, and all other judgements lapse.
    seen: the evidence hash the person saw; refused when it has changed since.
    """
    _check(judgement, relation, settle, by)
    if judgement == "related":  # its request may be applied at once: golden records are locked before pairs
        rebuilding.lock(registry.get(pair.type), [pair.left, pair.right])
    pair = _locked(pair)
    if pair.state in ("merged", "gone"):
        raise NotNow("One of these records is merged or retired: there is nothing left to judge.")
    if seen and seen != pair.evidence_hash:
        raise NotNow("The records have changed since you opened this pair. Look at it again, then judge.")
    if settle and not pair.dispute:
        raise NotNow("Nobody disagrees about this pair: there is nothing to settle.")
    change = None
    if judgement == "related":
        kind = registry.get(pair.type)
        change = relating.propose(
            kind=kind, left=str(pair.left), right=str(pair.right), relation=relation, reason=reason, by=by,
            origin=origin,
        )  # fmt: skip
    decision = MatchDecision.objects.create(
        pair=pair,
        judgement=judgement,
        relation=relation,
        reason=reason,
        evidence_hash=pair.evidence_hash,
        evidence=evidence.sealed(pair.explanation),
        settles=settle,
        change=change,
        decided_by=by.user,
        decided_by_name=by.name,
    )
    _log(pair, judgement, by, reason=reason, relation=relation, settles=settle)
    _conclude(pair)
    return decision


def _check(judgement: str, relation: str, settle: bool, by: Actor) -> None:
    if judgement not in JUDGEMENTS:
        raise CorrectInput("Judge the pair same, different, related or unsure.")
    if (judgement == "related") != bool(relation) or relation not in ("", *relating.RELATIONS):
        raise CorrectInput("A related pair needs its relation: parent, child or sibling. No other judgement has one.")
    if settle and not may(by, "settle"):
        raise NotAllowed("Only a lead steward settles a dispute. A governance lead can give that role.")


@transaction.atomic
def decide_many(*, pairs: Sequence[DuplicatePair], judgement: str, by: Actor, reason: str = "") -> list[MatchDecision]:
    """The same judgement for several pairs, all or none. A relation is said pair by pair."""
    if judgement == "related":
        raise CorrectInput("Say for each pair which one is the parent: judge related pairs one by one.")
    if not 0 < len(pairs) <= MOST:
        raise CorrectInput(f"Judge between 1 and {MOST} pairs at a time.")
    ordered = sorted(pairs, key=lambda pair: pair.pk)  # locked in one order, so that two people never wait in a ring
    return [decide(pair=pair, judgement=judgement, reason=reason, by=by) for pair in ordered]


@transaction.atomic
def take_back(*, pair: DuplicatePair, by: Actor) -> DuplicatePair:
    """Take one's own judgement back. It stays on record; a request it made is withdrawn while it is open."""
    pair = _locked(pair)
    if pair.state == "merged":
        raise CorrectInput("These records were merged; a merge is undone by its own request.")
    if merge_blocks.held([(pair.left, pair.right)]):
        raise CorrectInput("A merge of these records was undone: lift that block, saying why, and the pair returns.")
    mine = [one for one in verdicts.read(_decisions(pair)).standing if by.user and one.decided_by_id == by.user.pk]
    if not mine:
        who = ", ".join(one.decided_by_name for one in verdicts.read(_decisions(pair)).standing) or "Nobody"
        raise NotNow(f"You have not judged this pair. {who} did; judge it yourself if you see it differently.")
    MatchDecision.objects.create(
        pair=pair,
        judgement="open",
        evidence_hash=pair.evidence_hash,
        decided_by=by.user,
        decided_by_name=by.name,
    )
    change = mine[0].change
    if change is not None and change.is_open and change.requester_id == getattr(by.user, "pk", None):
        changes.withdraw(change=change, by=by, comment="The judgement it came from was taken back.")
    _log(pair, "reopened", by)
    _conclude(pair)
    return pair


def last_of(by: Actor) -> DuplicatePair | None:
    """The pair the person judged last and could take back now; None when the newest was taken back already."""
    last = MatchDecision.objects.filter(decided_by=by.user).select_related("pair").order_by("-pk").first()
    if last is None or last.judgement == "open" or last.pair.state in ("merged", "gone"):
        return None
    standing = verdicts.read(_decisions(last.pair)).standing
    return last.pair if any(one.pk == last.pk for one in standing) else None


@transaction.atomic
def assign(*, pair: DuplicatePair, to: User | None, by: Actor) -> DuplicatePair:
    """Give the pair to a steward, or to nobody."""
    if to is not None and "steward" not in scopes_of(to):
        raise CorrectInput(f"{to.get_full_name() or to.get_username()} is no data steward and could not judge it.")
    pair = DuplicatePair.objects.select_for_update().get(pk=pair.pk)
    if pair.assigned_to_id == getattr(to, "pk", None):
        raise AlreadyDone("The pair is assigned like that already.")
    pair.assigned_to = to
    pair.save(update_fields=["assigned_to"])
    _log(pair, "assigned", by, to=to.get_username() if to else "")
    return pair


def _locked(pair: DuplicatePair) -> DuplicatePair:
    """The pair, locked with those around its records, which may follow: in one order, as imports lock them."""
    inference.lock()
    sides = (pair.left, pair.right)
    comparisons.catch_up(kind=registry.get(pair.type), uids=sides)
    around = DuplicatePair.objects.filter(Q(left__in=sides) | Q(right__in=sides)).order_by("pk")
    return next(row for row in around.select_for_update() if row.pk == pair.pk)


def _decisions(pair: DuplicatePair) -> list[MatchDecision]:
    return list(pair.decisions.select_related("change").order_by("pk"))


def _conclude(pair: DuplicatePair) -> None:
    """The pair's state from its judgements, then what follows for the pairs around it.

    A record that became confirmed by it, or is so no more, has its other pairs held against the thresholds of that.
    """
    before = set(confirmations.partners([pair.left, pair.right]))
    found = verdicts.read(_decisions(pair))
    pair.state, pair.follows = found.state, ""
    pair.dispute = "people" if found.disputed else ""
    pair.band = _band(pair)
    pair.save(update_fields=["state", "follows", "dispute", "band"])
    inference.settle([pair.left, pair.right])
    if turned := before ^ set(confirmations.partners([pair.left, pair.right])):
        comparisons.recompare(kind=registry.get(pair.type), uids=sorted(turned), besides=pair)
    pair.refresh_from_db()


def _band(pair: DuplicatePair) -> str:
    """Judged pairs are measured by the plain thresholds, open ones of a confirmed record by the stricter ones."""
    matcher = indexing.engine(pair.type)
    return matcher.scorer.band(pair.score, tuple(pair.flags), bool(confirmations.holds_for(pair)))


def _log(pair: DuplicatePair, what: str, by: Actor, **detail: Any) -> None:
    audit.record(
        action=f"pair.{what}",
        by=by,
        object_type="duplicate_pair",
        object_uid=pair.uid,
        object_label=f"{pair.left} ~ {pair.right}",
        detail={name: value for name, value in {**detail, "score": pair.score}.items() if value not in ("", False)},
    )
