"""Owns lanes: queueing reasons to send, claiming work under a lease, holding and releasing. All times are the database's."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID

from django.db import connection, transaction
from django.db.models import Q
from django.db.models.functions import Now

from mdm import correlation
from mdm.models import Crosswalk
from sync.models import Delivery, ExceptionItem, Lane, Target
from sync.models.states import DEAD, UNSENT
from sync.selectors import awaiting
from sync.services import dependencies

_ENQUEUE_LOCK = 7_100  # lanes are made by one transaction at a time, so that one key never gets two
NEVER_SENT = ("pending", "retrying", "held")
URGENT, NORMAL, BULK = 1, 5, 8


@dataclass(frozen=True)
class Want:
    """One reason to send: this version of this record to this key (empty: the target has none yet)."""

    target_id: int
    type: str
    uid: str
    key: str
    action: str
    version: int
    reason: str
    generation: int = 1
    label: str = ""
    correlation_id: str = ""
    event_id: int | None = None
    requested_by: str = ""
    as_of: date | None = None
    priority: int = NORMAL
    entities: tuple[str, ...] = ()
    refers: tuple[dependencies.Reference, ...] = ()


def lock() -> None:
    """For whoever looks at what waits before queueing: nobody else queues before the end of this transaction."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_ENQUEUE_LOCK])


@transaction.atomic
def enqueue(wants: Sequence[Want]) -> list[Delivery]:
    """One delivery per want, in order; older ones that were never sent are superseded, dead ones are followed up."""
    if not wants:
        return []
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s), now()::date", [_ENQUEUE_LOCK])
        today = cursor.fetchone()[1]
    lanes = _Lanes(wants)
    known = dependencies.uids_of({reference for want in wants for reference in want.refers})
    deliveries = []
    for want in wants:
        lane = lanes.of(want)
        lane.seq += 1
        lane.priority = min(want.priority, lane.priority) if lane.open else want.priority
        lane.open, lane.entities = True, list(want.entities)
        lane.awaits = [UUID(known[reference]) for reference in want.refers if reference in known]
        deliveries.append(_delivery(lane, want, today))
    used = list(dict.fromkeys(delivery.lane for delivery in deliveries))
    Delivery.objects.bulk_create(deliveries, batch_size=1000)
    _store(used)
    _wake([lane.pk for lane in used])
    _supersede({delivery.lane_id: delivery for delivery in deliveries}.values())
    _follow_up(deliveries)
    held = [lane.pk for lane in used if lane.hold_reason]
    if held:
        Delivery.objects.filter(lane__in=held, state="pending").update(state="held", changed_at=Now())
    if lanes.needless:
        cancel_unsent(lanes.needless, "The record got a key there before it was made.")
    return deliveries


class _Lanes:
    """The lanes of a batch, locked, found by key or by record, made when there is none."""

    def __init__(self, wants: Sequence[Want]) -> None:
        keys = {want.key for want in wants if want.key}
        rows = (
            Lane.objects.select_for_update()
            .filter(target__in={want.target_id for want in wants})
            .filter(Q(uid__in={want.uid for want in wants}) | Q(target_key__in=keys))
            .order_by("pk")
        )
        self.needless: set[int] = set()  # lanes that wait to make a record which a merge gave a key meanwhile
        self._by_key: dict[tuple[int, str, str], Lane] = {}
        self._keyless: dict[tuple[int, str, str], Lane] = {}
        for lane in rows:
            self._file(lane)
        self._gained = self._keys_gained(wants)
        Lane.objects.bulk_create(self._new(wants), batch_size=1000)

    def of(self, want: Want) -> Lane:
        """After a merge the lane of a key follows it to the surviving record."""
        lane = self._find(want)
        assert lane is not None
        lane.uid = UUID(want.uid)
        keyless = self._keyless.get((want.target_id, want.type, want.uid))
        if want.key and want.action == "upsert" and keyless is not None and keyless.pk != lane.pk:
            self.needless.add(keyless.pk)
        return lane

    def _find(self, want: Want) -> Lane | None:
        keyless = self._keyless.get((want.target_id, want.type, want.uid))
        if not want.key:
            return keyless or self._gained.get((want.target_id, want.type, want.uid))
        lane = self._by_key.get((want.target_id, want.type, want.key))
        if lane is None and keyless is not None and want.action == "upsert":
            # The record got its key by another way (an import) while this lane waited to create it.
            del self._keyless[(want.target_id, want.type, want.uid)]
            keyless.target_key = want.key
            self._file(keyless)
            lane = keyless
        return lane

    def _keys_gained(self, wants: Sequence[Want]) -> dict[tuple[int, str, str], Lane]:
        """Lanes whose record was made at its target between the look for its key and the lock on the lane.

        A second lane for it would send its versions side by side, the older ones after the newer.
        """
        late = {want.uid for want in wants if not want.key}
        owners = [lane for lane in self._by_key.values() if str(lane.uid) in late]
        if not owners:
            return {}
        systems = dict(Target.objects.filter(pk__in={lane.target_id for lane in owners}).values_list("pk", "system"))
        linked = set(
            Crosswalk.objects.filter(uid__in=late, primary=True, active=True).values_list("system", "type", "key")
        )
        return {
            (lane.target_id, lane.type, str(lane.uid)): lane
            for lane in owners
            if (systems[lane.target_id], lane.type, lane.target_key) in linked
        }

    def _new(self, wants: Sequence[Want]) -> list[Lane]:
        made = []
        for want in wants:
            if self._find(want) is None:
                lane = Lane(
                    target_id=want.target_id,
                    type=want.type,
                    uid=UUID(want.uid),
                    target_key=want.key,
                    next_at=Now(),
                )
                self._file(lane)
                made.append(lane)
        return made

    def _file(self, lane: Lane) -> None:
        if lane.target_key:
            self._by_key[(lane.target_id, lane.type, lane.target_key)] = lane
        else:
            self._keyless[(lane.target_id, lane.type, str(lane.uid))] = lane


def _delivery(lane: Lane, want: Want, today: date) -> Delivery:
    return Delivery(
        lane=lane,
        target_id=want.target_id,
        type=want.type,
        record=UUID(want.uid),
        label=want.label[:300],
        target_key=lane.target_key,
        action=want.action,
        generation=want.generation,
        seq=lane.seq,
        reason=want.reason,
        version=want.version,
        as_of=want.as_of or today,
        correlation_id=want.correlation_id or correlation.current(),
        event_id=want.event_id,
        requested_by=want.requested_by,
        created_at=Now(),
        changed_at=Now(),
    )


def _store(lanes: Sequence[Lane]) -> None:
    rows = (
        (lane.pk, lane.seq, lane.priority, lane.uid, lane.target_key, "\n".join(lane.entities),
         "\n".join(map(str, lane.awaits)))
        for lane in lanes
    )  # fmt: skip
    columns = zip(*rows, strict=True)
    with connection.cursor() as cursor:
        cursor.execute(
            """UPDATE sync_lane l SET seq = v.seq, priority = v.priority, uid = v.uid, target_key = v.key, open = true,
                      entities = string_to_array(v.entities, chr(10)),
                      awaits = string_to_array(v.awaits, chr(10))::uuid[]
                 FROM unnest(%s::bigint[], %s::int[], %s::smallint[], %s::uuid[], %s::text[], %s::text[], %s::text[])
                      AS v(id, seq, priority, uid, key, entities, awaits)
                WHERE l.id = v.id""",
            [list(column) for column in columns],
        )


def _wake(lane_ids: list[int]) -> None:
    """Ready now, unless the lane waits for the end of an ambiguity: that wait is never cut short."""
    with connection.cursor() as cursor:
        cursor.execute(
            """UPDATE sync_lane l SET next_at = greatest(now(), l.ambiguous_until)
                WHERE id = ANY(%s) AND NOT EXISTS (
                  SELECT 1 FROM sync_delivery d WHERE d.lane_id = l.id AND d.state = 'unknown')""",
            [lane_ids],
        )


def _supersede(newest: Iterable[Delivery]) -> None:
    rows = [(delivery.lane_id, delivery.pk, delivery.seq) for delivery in newest]
    with connection.cursor() as cursor:
        cursor.execute(
            """UPDATE sync_delivery d SET state = 'superseded', superseded_by_id = n.id, changed_at = now()
                 FROM unnest(%s::bigint[], %s::bigint[], %s::int[]) AS n(lane_id, id, seq)
                WHERE d.lane_id = n.lane_id AND d.seq < n.seq AND d.state = ANY(%s)""",
            [*(list(column) for column in zip(*rows, strict=True)), list(NEVER_SENT)],
        )


def _follow_up(deliveries: Sequence[Delivery]) -> None:
    """A rejected or failed delivery is followed by the next one of its record; its exception waits for what comes of it."""
    newest = {(d.target_id, d.record): d.pk for d in deliveries if d.action == "upsert"}
    if not newest:
        return
    dead = Delivery.objects.filter(
        state__in=DEAD,
        corrected_by=None,
        target__in={t for t, _ in newest},
        record__in={uid for _, uid in newest},
    ).exclude(state="poison")
    corrected = [row for row in dead if (row.target_id, row.record) in newest]
    for row in corrected:
        row.corrected_by_id = newest[(row.target_id, row.record)]
    Delivery.objects.bulk_update(corrected, ["corrected_by"], batch_size=1000)
    ExceptionItem.objects.filter(delivery__in=corrected, state="open").update(state="retrying")


@transaction.atomic
def hold(lane: Lane, reason: str) -> None:
    """Nothing leaves this lane until it is released; what is under way ends first."""
    locked = Lane.objects.select_for_update().get(pk=lane.pk)
    locked.hold_reason = reason[:100]
    locked.save(update_fields=["hold_reason"])
    Delivery.objects.filter(lane=lane, state__in=("pending", "retrying")).update(state="held", changed_at=Now())


@transaction.atomic
def release(lane: Lane) -> None:
    locked = Lane.objects.select_for_update().get(pk=lane.pk)
    locked.hold_reason = ""
    locked.save(update_fields=["hold_reason"])
    Delivery.objects.filter(lane=lane, state="held").update(state="pending", changed_at=Now())
    reopen([lane.pk])


@transaction.atomic
def cancel_unsent(lane_ids: Iterable[int], why: str) -> int:
    """Give up what was never sent, such as creating a record that has been merged into another."""
    ids = list(lane_ids)
    cancelled = Delivery.objects.filter(lane__in=ids, state__in=NEVER_SENT).update(
        state="cancelled", error_code="cancelled", error_text=why, changed_at=Now()
    )
    reopen(ids, wake=False)
    return cancelled


def reopen(lane_ids: Iterable[int], *, wake: bool = True) -> None:
    """Recompute whether lanes have work; every service that moves deliveries by hand ends with this."""
    ids = list(lane_ids)
    with transaction.atomic(), connection.cursor() as cursor:
        # Locked first: a statement that waits for the row does not see what was queued meanwhile.
        cursor.execute("SELECT 1 FROM sync_lane WHERE id = ANY(%s) ORDER BY id FOR UPDATE", [ids])
        cursor.execute(
            """UPDATE sync_lane l SET open = EXISTS (
                 SELECT 1 FROM sync_delivery d WHERE d.lane_id = l.id
                    AND d.state IN ('pending', 'in_flight', 'unknown', 'retrying'))
                WHERE id = ANY(%s)""",
            [ids],
        )
    if wake:
        _wake(ids)


def keyless_unsent(target_ids: Iterable[int], uids: Iterable[Any]) -> list[int]:
    """Lanes that still wait to create one of these records."""
    return list(
        Lane.objects.filter(target__in=list(target_ids), uid__in=list(uids), target_key="", open=True)
        .filter(deliveries__state__in=UNSENT)
        .values_list("pk", flat=True)
        .distinct()
    )


def ready_targets() -> list[tuple[int, int, float]]:
    """(target id, lanes ready, seconds the oldest is overdue) of every target that may be sent to now."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"""SELECT l.target_id, count(*), extract(epoch FROM max(now() - l.next_at))::float
                 FROM sync_lane l JOIN sync_target t ON t.id = l.target_id
                WHERE l.open AND l.hold_reason = '' AND l.next_at <= now()
                  AND (l.lease_until IS NULL OR l.lease_until < now()) AND {awaiting.NOTHING_AWAITED}
                  AND t.active AND t.paused_at IS NULL AND (t.not_before IS NULL OR t.not_before <= now())
                  AND (t.breaker <> 'open' OR t.breaker_probe_at <= now())
                GROUP BY l.target_id ORDER BY 3 DESC"""
        )
        return [(int(target), int(count), float(overdue)) for target, count, overdue in cursor.fetchall()]


def targets_with_work() -> list[Target]:
    return list(Target.objects.filter(pk__in=[target for target, _, _ in ready_targets()]))
