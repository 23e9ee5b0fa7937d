"""The sealer of the event log: gives committed events a gap-free order in which every consumer reads them."""

from __future__ import annotations

import contextlib

from django.db import connection, transaction

from mdm import ports

_LOCK = 7_000  # advisory lock of the one event sealer


def seal(*, limit: int = 10_000) -> int:
    """Number whatever committed events have no number yet; how many. Others sealing at this moment: 0.

    Only one sealer runs at a time and it only sees committed rows, so a number once given is never overtaken by a
    transaction that started earlier and commits later: that one is simply numbered in the next round.
    """
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [_LOCK])
        if not cursor.fetchone()[0]:
            return 0
        cursor.execute(
            """
            WITH next AS (SELECT id, row_number() OVER (ORDER BY id) AS n FROM mdm_event WHERE seq IS NULL ORDER BY id LIMIT %s),
                 last AS (SELECT coalesce(max(seq), 0) AS seq FROM mdm_event)
            UPDATE mdm_event e SET seq = last.seq + next.n FROM next, last WHERE e.id = next.id
            """,
            [limit],
        )
        return int(cursor.rowcount)


def ring() -> None:
    """After this transaction commits, wake whoever waits for events; a lost ring only costs seconds."""

    def call() -> None:
        for bell in ports.after_commit:
            with contextlib.suppress(Exception):  # a broker that is down must never undo a committed change
                bell()

    transaction.on_commit(call, robust=True)
