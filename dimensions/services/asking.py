"""Owns what mappings were asked: which codes are in use and how often, and which had no target and wait for somebody.

Whoever translates calls `note` once with all of its codes. Uses are put down as one row and counted later, beside; gaps
are counted at once, because somebody may be waiting to close them.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date

from django.db import connection, transaction

from dimensions.models import AskedBatch

MONTHS_KEPT = 13
_COUNTED_AT_ONCE = 500  # batches


@dataclass(frozen=True, slots=True)
class Asked:
    """A code that the mapping `kind` (record type of its rows: gl_mapping, tax_code_mapping) was asked for in a context
    on a day. `source`, `target`: chart or system, "" the hub's own codes. `times` from 1."""

    kind: str
    source: str
    target: str
    code: str
    context: Mapping[str, str]
    on: date
    times: int = 1


def note(*, uses: Iterable[Asked] = (), gaps: Iterable[Asked] = (), by: str = "") -> None:
    """Put down which codes were asked for (`uses`: all of them) and which of them had no target (`gaps`). At most two
    statements, in the caller's transaction. `by`: who asked, in words people know.

    A gap that was answered is open again; one that was dismissed stays so and is only counted.
    """
    batch = _grouped(uses)
    if batch:
        AskedBatch.objects.create(uses=batch)
    counted = _counted(gaps)
    if counted:
        with connection.cursor() as cursor:
            cursor.execute(_NOTE_GAPS, [by or "somebody", json.dumps(counted)])


def _grouped(uses: Iterable[Asked]) -> list[list[object]]:
    """[[kind, source, target, context, day, {code: times}], …]"""
    found: dict[tuple[object, ...], dict[str, int]] = {}
    contexts: dict[tuple[object, ...], Mapping[str, str]] = {}
    for one in uses:
        key = (one.kind, one.source, one.target, tuple(sorted(one.context.items())), one.on)
        contexts.setdefault(key, one.context)
        codes = found.setdefault(key, {})
        codes[one.code] = codes.get(one.code, 0) + one.times
    return [[*key[:3], dict(contexts[key]), str(key[4]), codes] for key, codes in found.items()]


def _counted(gaps: Iterable[Asked]) -> list[dict[str, object]]:
    """One per code, in the order of the key: two calls at once never wait for each other in a circle."""
    found: dict[tuple[str, str, str, str], tuple[Asked, int]] = {}
    for one in gaps:
        key = (one.kind, one.source, one.target, one.code)
        found[key] = one, found.get(key, (one, 0))[1] + one.times
    return [
        {"mapping": kind, "source": source, "target": target, "code": code, "context": dict(one.context),
         "on": str(one.on), "times": times}
        for (kind, source, target, code), (one, times) in sorted(found.items())
    ]  # fmt: skip


_NOTE_GAPS = """
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
