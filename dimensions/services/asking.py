"""Owns what mappings were asked: which codes are in use and how often, and which had no target and wait for somebody.

Whoever translates calls `note` once with all of its codes. Uses are put down as one row and counted later, beside; gaps
are counted at once, because somebody may be waiting to close them. They close by themselves when the mapping answers.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date, timedelta
from typing import Any, NamedTuple

from django.db import connection, transaction
from django.utils import timezone

from dimensions.mapping_rows import MAPPINGS
from dimensions.models import AskedCode, MappingGap
from dimensions.services import mappings, translating
from dimensions.services.mappings import Pair
from mdm import registry, statements
from mdm.errors import HubError, NotNow
from mdm.selectors import event_watch
from mdm.selectors.event_watch import Look
from mdm.types import Actor

KEPT = timedelta(days=400)
"""How long it is known that a code was asked for; a gap that was dismissed is known for good."""
_COUNTED_AT_ONCE = 500  # batches
_JUDGED_AT_ONCE = 1000  # gaps
_KEYS_JUDGED_EVERY_S = 60.0
_FORGOTTEN_AT_ONCE = 5000


class Asked(NamedTuple):
    """Codes that the mapping `kind` (record type of its rows: gl_mapping, tax_code_mapping) was asked for in a context on
    a day, each with how often. `source`, `target`: chart or system, "" the hub's own codes."""

    kind: str
    source: str
    target: str
    context: Mapping[str, str]
    on: date
    codes: Mapping[str, int]


def note(
    *,
    uses: Iterable[Asked] = (),
    gaps: Iterable[Asked] = (),
    by: str = "",
    meanwhile: Callable[[], object] = lambda: None,
) -> None:
    """Put down which codes were asked for (`uses`: all of them) and which of them had no target (`gaps`). At most one
    statement, in the caller's transaction. `by`: who asked, in words people know. `meanwhile`: done while the database is
    at it; may not ask it anything.

    A gap that was answered is open again; one that was dismissed stays so and is only counted.
    """
    batch = [[*one[:3], one.context, str(one.on), one.codes] for one in uses if one.codes]
    counted = _counted(gaps)
    if batch or counted:
        given = [json.dumps(batch), by or "somebody", json.dumps(counted)]
        statements.run(_NOTE, given, meanwhile=meanwhile)
    else:
        meanwhile()


def _counted(gaps: Iterable[Asked]) -> list[dict[str, object]]:
    """One per code, in the order of the key: two calls at once never wait for each other in a circle."""
    found: dict[tuple[str, str, str, str], tuple[Asked, int]] = {}
    for one in gaps:
        for code, times in one.codes.items():
            key = (one.kind, one.source, one.target, code)
            found[key] = one, found.get(key, (one, 0))[1] + times
    return [
        {"mapping": kind, "source": source, "target": target, "code": code, "context": dict(one.context),
         "on": str(one.on), "times": times}
        for (kind, source, target, code), (one, times) in sorted(found.items())
    ]  # fmt: skip


_NOTE = """
WITH batch AS (
  INSERT INTO dimensions_askedbatch (uses)
  SELECT uses FROM (SELECT %s::jsonb) AS asked (uses) WHERE jsonb_array_length(uses) > 0
)
INSERT INTO dimensions_mappinggap AS gap (mapping, source, target, code, context, "on", times, asked_by, first_asked,
                                          last_asked, state, reason)
SELECT mapping, source, target, code, context, "on", times, jsonb_build_object(%s::text, current_date), now(), now(),
       'open', ''
FROM jsonb_to_recordset(%s::jsonb) AS asked (mapping text, source text, target text, code text, context jsonb, "on" date,
                                             times bigint)
ON CONFLICT (mapping, source, target, code) DO UPDATE SET
  times = gap.times + excluded.times, last_asked = excluded.last_asked, context = excluded.context, "on" = excluded."on",
  asked_by = gap.asked_by || excluded.asked_by,
  state = CASE gap.state WHEN 'answered' THEN 'open' ELSE gap.state END
"""

_COUNT = """
WITH taken AS (
  DELETE FROM dimensions_askedbatch WHERE id IN (
    SELECT id FROM dimensions_askedbatch ORDER BY id LIMIT %s FOR UPDATE SKIP LOCKED)
  RETURNING at, uses
), asked AS (
  SELECT used ->> 0 AS mapping, used ->> 1 AS source, used ->> 2 AS target, used -> 3 AS context,
         date_trunc('month', at AT TIME ZONE 'UTC')::date AS month, (used ->> 4)::date AS last_on,
         code.key AS code, code.value::bigint AS times
  FROM taken, jsonb_array_elements(uses) AS used, jsonb_each_text(used -> 5) AS code
), summed AS (
  SELECT mapping, source, target, month, code, context, md5(context::text) AS context_digest, sum(times) AS times,
         max(last_on) AS last_on
  FROM asked GROUP BY mapping, source, target, month, code, context
), added AS (
  INSERT INTO dimensions_askedcode AS held
    (mapping, source, target, month, code, context, context_digest, times, last_on)
  SELECT mapping, source, target, month, code, context, context_digest, times, last_on FROM summed
  ORDER BY mapping, source, target, month, code, context_digest
  ON CONFLICT (mapping, source, target, month, code, context_digest) DO UPDATE SET
    times = held.times + excluded.times, last_on = greatest(held.last_on, excluded.last_on)
)
SELECT count(*) FROM taken
"""


@transaction.atomic
def count() -> int:
    """Add the oldest batches to the counts by month; how many. One statement: a batch is gone exactly when it is counted,
    and whoever counts beside takes others."""
    with connection.cursor() as cursor:
        cursor.execute(_COUNT, [_COUNTED_AT_ONCE])
        return int(cursor.fetchone()[0])


# --- gaps that close ----------------------------------------------------------------------------------------------------


def work() -> dict[str, int]:
    """One round beside: count what was asked, close gaps that are answered, forget what is old."""
    return {"asked": count(), "answered_gaps": _WATCH.answer(), "forgotten_codes": forget()}


class _Watch:
    """Gaps are judged when the rows of their mapping may have changed since this process judged them last, and on a new
    day; those of keys, of which no event tells, every minute."""

    def __init__(self) -> None:
        self._looks: dict[str, tuple[Look, date]] = {}
        self._keys_at = float("-inf")

    def answer(self) -> int:
        """How many were closed. Safe to run anywhere, any number at once: a gap closes once, and opens when asked again."""
        rows = MappingGap.objects.filter(state="open").order_by()
        pairs = [Pair(*pair) for pair in rows.values_list("mapping", "source", "target").distinct()]
        return sum(
            self._of_kind(kind, [p for p in pairs if p.kind == kind]) for kind in sorted({p.kind for p in pairs})
        )

    def _of_kind(self, kind: str, pairs: Sequence[Pair]) -> int:
        if kind not in MAPPINGS:
            if time.monotonic() - self._keys_at < _KEYS_JUDGED_EVERY_S:
                return 0
            self._keys_at = time.monotonic()
            return sum(answer(pair)[0] for pair in pairs)
        seen, day = self._looks.get(kind, (None, None))
        now, changed = event_watch.look(kind, seen)
        if not changed and day == timezone.localdate():
            return 0
        done = [answer(pair) for pair in pairs]
        if all(complete for _closed, complete in done):
            self._looks[kind] = now, timezone.localdate()  # only now: what is broken off begins anew
        return sum(closed for closed, _complete in done)


_WATCH = _Watch()


def answer(pair: Pair) -> tuple[int, bool]:
    """Close the open gaps of a pair that have a target now, for the day and context they were asked for last: (how many,
    whether that were all). One that is asked for again meanwhile is left to the next round, and nobody waits for another."""
    closed, complete, after = 0, True, 0
    while True:
        open_gaps = MappingGap.objects.filter(mapping=pair.kind, source=pair.source, target=pair.target, state="open")
        gaps = list(open_gaps.filter(pk__gt=after).order_by("pk")[:_JUDGED_AT_ONCE])
        if not gaps:
            return closed, complete
        after = gaps[-1].pk
        answered = _answered(pair, gaps)
        found = {gap.pk: gap.last_asked for gap in gaps if gap.code in answered}
        with transaction.atomic():
            still = open_gaps.filter(pk__in=found).select_for_update(skip_locked=True)
            same = [gap.pk for gap in still if gap.last_asked == found[gap.pk]]
            closed += _decide(same, state="answered")
        complete = complete and len(same) == len(found)


def _decide(gaps: Sequence[int], **values: Any) -> int:
    return MappingGap.objects.filter(pk__in=gaps).update(**{"decided_at": timezone.now(), "decided_by": None, **values})


def _answered(pair: Pair, gaps: Sequence[MappingGap]) -> set[str]:
    if pair.kind in MAPPINGS:
        try:
            built = mappings.answers(*pair, [gap.code for gap in gaps])
        except NotNow:
            return set()  # a row that cannot be read: whoever translates is told so
        return {gap.code for gap in gaps if built.resolve(gap.code, gap.context, gap.on).target is not None}
    kind, named = registry.find(pair.kind), (pair.source or None, pair.target or None)
    try:
        found = (
            translating.keys(kind, [gap.code for gap in gaps], from_system=named[0], to_system=named[1], entities=None)
            if kind
            else []
        )
    except HubError:
        return set()  # of a system that is gone
    return {one.value for one in found if one.code is not None}


@transaction.atomic
def dismiss(*, gaps: Iterable[int], reason: str, by: Actor) -> int:
    """Say that these (ids) need no target; how many. They are counted on, and stay dismissed until that is undone."""
    return _decide(_locked(gaps, "open"), state="dismissed", reason=reason, decided_by=by.user)


@transaction.atomic
def undo(*, gaps: Iterable[int]) -> int:
    """Dismissed gaps wait for somebody again; how many."""
    return _decide(_locked(gaps, "dismissed"), state="open", reason="", decided_at=None)


def _locked(gaps: Iterable[int], state: str) -> list[int]:
    """Those in the state; not one that is asked for at this very moment: two would wait for each other in a circle."""
    rows = MappingGap.objects.filter(pk__in=list(gaps), state=state)
    return list(rows.select_for_update(skip_locked=True).values_list("pk", flat=True))


def forget() -> int:
    """Remove what was asked for so long ago that no rehearsal reads it, so many rows at once; how many."""
    before = timezone.localdate() - KEPT
    old = AskedCode.objects.filter(month__lt=before).order_by("month").values("pk")[:_FORGOTTEN_AT_ONCE]
    gaps = MappingGap.objects.filter(last_asked__lt=timezone.now() - KEPT).exclude(state="dismissed")
    return AskedCode.objects.filter(pk__in=old).delete()[0] + gaps.delete()[0]
