"""Comparing what was written with all other records: a few at once, many afterwards, so that no transaction waits for it.

Many records are compared outside any transaction. What comes of it is written in a short one that checks first whether the
records still are what was compared; those that were written again meanwhile stay pending, or were compared by their writer.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from django.db import connection, transaction
from django.db.models import Q

from mdm import registry
from mdm.matching.score import Score
from mdm.models import DuplicatePair, MatchProfile, PendingComparison
from mdm.registry import RecordType
from mdm.services import indexing, inference, matching
from mdm.types import Document

AT_ONCE = (
    50  # records compared in the transaction that writes them: a person's change is in the queue when it is applied
)
BATCH = 250  # records compared together afterwards: bounds memory, and what a crash costs
_MOST = 20  # likely pairs of one record
_STALE_S = 60  # whoever took a record and is gone this long has left it behind
Scored = tuple[str, str, Score]
Profiles = dict[str, int | None]  # uid -> profile that was read; None: it had none


def touched(written: Iterable[tuple[Document | None, Document]], *, kind: RecordType) -> list[str]:
    """uids of records that match differently now (document before, after): only these need to be compared again."""
    if kind.match is None:
        return []
    matcher = indexing.engine(kind.key)

    def seen(document: Document | None) -> Any:
        return matcher.features(document) if document and indexing.is_matched(document) else None

    return [after["uid"] for before, after in written if before is None or seen(before) != seen(after)]


def follow(*, kind: RecordType, uids: Sequence[str | UUID]) -> None:
    """After records were written, in their transaction. Many are put down and compared once it is committed."""
    if kind.match is None:
        return
    if len(uids) <= AT_ONCE:
        recompare(kind=kind, uids=uids)
        return
    put_down(kind, uids)
    _ring()


@transaction.atomic
def recompare(*, kind: RecordType, uids: Sequence[str | UUID], besides: DuplicatePair | None = None) -> int:
    """In the transaction that wrote the records: score their known pairs anew, find new ones, close those of records
    that are gone. How many pairs were new or came back. `besides`: a pair to be left as it is.
    """
    if kind.match is None or not uids:
        return 0
    found = _look(kind, uids, besides)
    inference.lock_if_judged(found.profiles)
    DuplicatePair.objects.filter(pk__in=[pk for pk, *_ in found.gone]).update(state="gone", follows="", dispute="")
    return matching.record_pairs(kind=kind, scored=found.scored)


@transaction.atomic
def find_pairs(*, kind: RecordType, uids: Sequence[str | UUID], job: Any = None) -> int:
    """Compare these records with all others and put likely pairs into the queue; how many are new or reopened."""
    return matching.record_pairs(kind=kind, scored=_near(kind, uids, {}), job=job) if kind.match else 0


# --- comparing ----------------------------------------------------------------------------------------------------


@dataclass
class _Found:
    scored: list[Scored]
    gone: list[tuple[int, str, str]]  # pairs a record of which is matched no more
    profiles: Profiles = field(default_factory=dict)  # of every record that was looked at


def _look(kind: RecordType, uids: Sequence[str | UUID], besides: DuplicatePair | None = None) -> _Found:
    profiles: Profiles = {str(uid): None for uid in uids}
    rows = DuplicatePair.objects.filter(Q(left__in=uids) | Q(right__in=uids)).exclude(state="merged")
    aside = {str(besides.left), str(besides.right)} if besides else None
    pairs = [(pk, str(left), str(right)) for pk, left, right in rows.values_list("pk", "left", "right")]
    pairs = [pair for pair in pairs if {*pair[1:]} != aside]
    profiles |= dict.fromkeys((uid for pair in pairs for uid in pair[1:]), None)
    known = {}
    stored = MatchProfile.objects.filter(uid__in=list(profiles), type=kind.key)
    for pk, uid, features in stored.values_list("pk", "uid", "features"):
        known[str(uid)], profiles[str(uid)] = features, pk
    matcher, rarity = indexing.in_force(kind.key)
    still = [(left, right) for _, left, right in pairs if left in known and right in known]
    scores = matcher.compare_all([(known[left], known[right]) for left, right in still], rarity)
    scored = [(left, right, score) for (left, right), score in zip(still, scores, strict=True)]
    near = [one for one in _near(kind, uids, profiles) if {*one[:2]} != aside]
    gone = [pair for pair in pairs if pair[1] not in known or pair[2] not in known]
    return _Found([*scored, *near], gone, profiles)


def _near(kind: RecordType, uids: Sequence[str | UUID], profiles: Profiles) -> list[Scored]:
    """Likely pairs of these records, and every account they share with a record of another name; profiles are noted."""
    matcher, rarity = indexing.in_force(kind.key)
    store = indexing.StoredKeys(kind.key)
    rows = list(MatchProfile.objects.filter(uid__in=uids, type=kind.key).values_list("pk", "uid", "features"))
    near = store.profiles_near([features for _, _, features in rows], rarity=rarity)
    profiles.update({str(uid): pk for pk, uid, _ in rows})
    for around in near:
        for pk, uid, _ in around:
            profiles.setdefault(uid, pk)
    others = [
        [(other, theirs) for _, other, theirs in around if other != str(uid)]
        for (_, uid, _), around in zip(rows, near, strict=True)
    ]
    ranked = matcher.rank_all([mine for _, _, mine in rows], others, limit=_MOST, rarity=rarity)
    scored = []
    for (_, one, mine), candidates, best in zip(rows, others, ranked, strict=True):
        warned = matcher.bank_warnings(mine, candidates, rarity)
        scored += [(str(one), other, score) for other, score in (*warned, *best)]
    return scored


# --- afterwards ---------------------------------------------------------------------------------------------------


def work_off(most: int = BATCH) -> int:
    """Compare records that wait for it, in batches; how many were. Safe anywhere, any number of times at once."""
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE mdm_pendingcomparison SET taken_at = now() WHERE id IN (SELECT id FROM mdm_pendingcomparison "
            "WHERE taken_at IS NULL OR taken_at < now() - make_interval(secs => %s) ORDER BY id LIMIT %s "
            "FOR UPDATE SKIP LOCKED) RETURNING type, uid::text",
            [_STALE_S, most],
        )
        taken = cursor.fetchall()
    done = 0
    for key in sorted({type_key for type_key, _ in taken}):
        done += _settle(registry.get(key), sorted(uid for type_key, uid in taken if type_key == key))
    return done


def catch_up(*, kind: RecordType, uids: Sequence[str | UUID]) -> None:
    """Compare these now if they wait for it, in the caller's transaction: somebody is about to judge them."""
    late = PendingComparison.objects.filter(uid__in=list(uids)).values_list("uid", flat=True)
    if mine := [str(uid) for uid in late]:
        recompare(kind=kind, uids=mine)
        PendingComparison.objects.filter(uid__in=mine).delete()


def _settle(kind: RecordType, uids: Sequence[str]) -> int:
    found = _look(kind, uids)  # outside any transaction, however long it takes
    with transaction.atomic():
        _, late = record_if_same(kind=kind, scored=found.scored, profiles=found.profiles)
        gone = [pk for pk, left, right in found.gone if not late & {left, right}]
        DuplicatePair.objects.filter(pk__in=gone).update(state="gone", follows="", dispute="")
        sides = [{left, right} for left, right, _ in found.scored] + [{left, right} for _, left, right in found.gone]
        again = late.union(*(both for both in sides if both & late))
        PendingComparison.objects.filter(uid__in=set(uids) - again).delete()
        PendingComparison.objects.filter(uid__in=set(uids) & again).update(taken_at=None)
    return len(set(uids) - again)


@transaction.atomic
def record_if_same(
    *, kind: RecordType, scored: Sequence[Scored], profiles: Mapping[str, int | None]
) -> tuple[int, set[str]]:
    """Store scores of records that are still what was compared: (pairs new or back, records that are not).

    Nobody can write those records before the end of the transaction, which is to be short. Nothing here waits for somebody
    who writes one right now, so that nobody waits in a ring: pairs with that record are left out.
    """
    inference.lock_if_judged(profiles)
    now = _held(kind, list(profiles))
    late = {uid for uid, pk in profiles.items() if now.get(uid) != pk}
    kept = [(left, right, score) for left, right, score in scored if not late & {left, right}]
    return matching.record_pairs(kind=kind, scored=kept), late


def put_down(kind: RecordType, uids: Iterable[str | UUID]) -> None:
    """Have these compared soon; asking twice is asking once."""
    rows = [PendingComparison(type=kind.key, uid=uid) for uid in sorted({str(uid) for uid in uids})]
    PendingComparison.objects.bulk_create(rows, ignore_conflicts=True, batch_size=1000)


def _held(kind: RecordType, uids: Sequence[str]) -> dict[str, int]:
    """{uid: profile} of those nobody writes right now; until the end of the transaction nobody can."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT uid::text, id FROM mdm_matchprofile WHERE uid = ANY(%s::uuid[]) AND type = %s "
            "ORDER BY id FOR KEY SHARE SKIP LOCKED",
            [list(uids), kind.key],
        )
        return dict(cursor.fetchall())


def _ring() -> None:
    """Wake a worker after commit; without a broker the next tick finds the work by itself."""
    from mdm.tasks import compare_pending

    def call() -> None:
        with contextlib.suppress(Exception):
            compare_pending.delay()

    transaction.on_commit(call, robust=True)
