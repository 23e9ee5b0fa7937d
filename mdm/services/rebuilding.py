"""Rebuilding: golden records made again from their sources, written only where something changes, through the one writer.

Needed when something else than an import moves: a pin goes, a source record leaves or is detached, a rule changes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from mdm import registry
from mdm.errors import CorrectInput
from mdm.models import ApprovalPolicy, ChangeItem, ChangeRequest, PendingRebuild, Provenance, System
from mdm.permissions import may
from mdm.registry import RecordType
from mdm.selectors import records
from mdm.services import bulk, comparisons, documents, pin_upkeep, policy, retiring, survivorship, unasked
from mdm.services.policy import Facts
from mdm.services.proposing import ProposedItem
from mdm.services.records import Write, entered_after
from mdm.services.survivorship import Known
from mdm.survival.composing import Survived
from mdm.survival.rules import Rules
from mdm.types import Actor, Change, Document, diff, digest

ALIVE = ("active", "blocked")
BATCH = 100  # records of one transaction
ORIGIN = "survivorship"


@dataclass
class Outlook:
    """What a rebuild would make of one record. `verdict`: unchanged, changed, asked or refused (`note` says why)."""

    before: Document
    after: Document
    survived: Survived
    known: Known
    changes: list[Change] = field(default_factory=list)
    verdict: str = "unchanged"
    note: str = ""


def foresee(
    *, kind: RecordType, rules: Rules, current: dict[str, Document], policies: list[ApprovalPolicy], **gathered: Any
) -> dict[str, Outlook]:
    """{uid: outlook} of records that are alive; writes nothing."""
    alive = {uid: document for uid, document in current.items() if document["status"] in ALIVE}
    found: dict[str, Outlook] = {}
    for uid, known in survivorship.gather(kind, alive, **gathered).items():
        found[uid] = _outlook(kind, rules, alive[uid], known, policies)
    return found


def look(kind: RecordType, rules: Rules, before: Document, known: Known) -> Outlook:
    """What the sources make of a record, and what that changes; whether it may is not asked yet."""
    survived = survivorship.compute(kind=kind, rules=rules, known=known, current=before)
    dropped = pin_upkeep.agreed(known.pins, survived, rules)
    if dropped:  # without the pins that the sources agree with now: who gives the value is again a question of the rule
        survived = survivorship.compute(kind=kind, rules=rules, known=known, current=before, lifted=dropped)
    after = {**before, **survived.body}
    return Outlook(before, after, survived, known, changes=diff(before, after))


def _outlook(kind: RecordType, rules: Rules, before: Document, known: Known, policies: list[ApprovalPolicy]) -> Outlook:
    found = look(kind, rules, before, known)
    if not found.changes:
        return found
    try:
        documents.validate(kind, documents.body_of(kind, found.after))
    except CorrectInput as error:
        problem = error.problems[0]
        found.verdict, found.note = "refused", f"{kind.label(problem.path)}: {problem.message}"
        return found
    found.verdict = "changed" if flows(kind, before, found.after, found.changes, policies) else "asked"
    return found


def flows(
    kind: RecordType, before: Document, after: Document, changes: Sequence[Change], policies: list[ApprovalPolicy]
) -> bool:
    """Whether policy lets what the sources say come into force by itself; a record that others use is closed by people."""
    if retiring.needs_people(kind, before, after):
        return False
    flags: list[str] = []
    if any(rule.risk_flags for rule in policies):
        flags = [flag["code"] for rule in kind.risks for flag in rule(before["uid"], before, after)]
    facts = Facts(
        type=kind.key,
        action="update",
        paths=tuple(change.path for change in changes),
        origin=ORIGIN,
        countries=frozenset(filter(None, [before.get("country"), after.get("country")])),
        risk_flags=frozenset(flags),
    )
    return policy.decide([facts], policies=policies).auto


def lock(kind: RecordType, uids: Iterable[Any]) -> dict[str, Document]:
    """The golden rows locked in uid order, as imports and requests do, and their documents."""
    wanted = sorted({str(uid) for uid in uids})
    model = kind.model
    list(model._default_manager.select_for_update().filter(uid__in=wanted).order_by("uid").values_list("pk"))
    return records.current_documents(kind.key, wanted)


@transaction.atomic
def rebuild(
    *, kind: RecordType, uids: Iterable[Any], by: Actor, reason: str, change: ChangeRequest | None = None
) -> Counter[str]:
    """Make these records again from their sources; how many came to which verdict. At most `BATCH` at a time.

    `change`: the approved request to write under; without one a request of its own is made where there is something to
    write. What policy leaves to people becomes a request for each record.
    """
    current = lock(kind, uids)
    rules, policies = survivorship.load(kind), policy.load()
    codes = dict(System.objects.values_list("pk", "code"))
    outlooks = foresee(kind=kind, rules=rules, current=current, policies=policies, systems=codes)
    writes = [
        Write(kind=kind, action="update", before=one.before, after=one.after, provenance=one.survived.where)
        for one in outlooks.values()
        if one.verdict == "changed"
    ]
    if writes:
        own = change or _open(kind, len(writes), by, reason)
        unasked.write(writes, own, by)
        moved = comparisons.touched([(item.before, item.after) for item in writes], kind=kind)
        comparisons.follow(kind=kind, uids=moved)
        if change is None:
            unasked.close(own, by)
    for one in outlooks.values():
        if one.verdict == "asked":
            ask(kind=kind, one=one, by=by, reason=reason)
    keep_origins(kind, {uid: one for uid, one in outlooks.items() if one.verdict == "unchanged"})
    pin_upkeep.settle(
        kind, {uid: one for uid, one in outlooks.items() if one.verdict in ("unchanged", "changed")}, rules
    )
    return Counter(one.verdict for one in outlooks.values())


def _open(kind: RecordType, count: int, by: Actor, reason: str) -> ChangeRequest:
    names = policy.decide([Facts(type=kind.key, action="update", paths=(), origin=ORIGIN)]).names
    title = f"What the sources say of {count} {(kind.plural if count > 1 else kind.title).lower()}"
    return unasked.open_request("sources", title, by=by, reason=reason, origin=ORIGIN, policies=names)


def ask(*, kind: RecordType, one: Outlook, by: Actor, reason: str, system: str = "") -> bool:
    """A change that policy leaves to people becomes a request of its own; whether one was made.

    The same question is asked once; a newer answer of the sources takes the place of one that still waits.
    """
    from mdm.services import changes as door  # the one door to requests stands above this module

    if one.before["status"] not in ALIVE:
        return False
    uid, wanted = one.before["uid"], digest([change.as_json() for change in one.changes])
    waiting = ChangeItem.objects.filter(uid=uid, request__origin=ORIGIN, request__state="in_review")
    for item in waiting.select_related("request"):
        if digest(item.changes) == wanted:
            return False
        door.withdraw(change=item.request, by=pin_upkeep.SYSTEM, comment="The sources say something else by now.")
    blocks = {"/".join(change.path.split("/")[:2]) for change in one.changes}
    origins = {path: origin for path, origin in one.survived.where.items() if path in blocks}
    proposed = ProposedItem(
        type=kind.key, uid=uid, changes=one.changes, base_version=one.before["version"], detail={"origins": origins}
    )
    if retiring.needs_people(kind, one.before, one.after):
        proposed.plan = {"keep": f"The sources close it. {reason}"[:1000]}
    asker = by if may(by, f"propose:{kind.path}") else pin_upkeep.SYSTEM  # who changes rules need not know suppliers
    door.propose(items=[proposed], by=asker, reason=reason, origin=ORIGIN, system=system)
    return True


def keep_origins(kind: RecordType, outlooks: dict[str, Outlook]) -> None:
    """Same values, but another source or rule gives them now: that is kept without a new version."""
    moved = {uid: one for uid, one in outlooks.items() if one.survived.where != one.known.provenance}
    rows = {str(row.uid): row for row in Provenance.objects.select_for_update().filter(uid__in=list(moved))}
    for uid, row in rows.items():
        row.entered = entered_after(row.entered, row.fields, moved[uid].survived.where, moved[uid].before)
        row.fields, row.updated_at = moved[uid].survived.where, timezone.now()
    bulk.update(list(rows.values()), ["fields", "entered", "updated_at"])


def queue(*, kind: RecordType, uids: Iterable[str | UUID], reason: str) -> None:
    """Have records rebuilt by the background, in the caller's transaction; asking twice is asking once."""
    rows = [PendingRebuild(type=kind.key, uid=uid, reason=reason[:300]) for uid in {str(uid) for uid in uids}]
    PendingRebuild.objects.bulk_create(rows, ignore_conflicts=True)


def work_off(*, by: Actor, most: int = BATCH) -> int:
    """Rebuild what is queued; how many records. Others who do the same take other records."""
    done = 0
    with transaction.atomic():
        rows = list(PendingRebuild.objects.select_for_update(skip_locked=True)[:most])
        for type_key, reason in sorted({(row.type, row.reason) for row in rows}):
            mine = [row for row in rows if (row.type, row.reason) == (type_key, reason)]
            rebuild(kind=registry.get(type_key), uids=[row.uid for row in mine], by=by, reason=reason)
            done += len(mine)
        PendingRebuild.objects.filter(pk__in=[row.pk for row in rows]).delete()
    return done
