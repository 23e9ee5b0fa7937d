"""Owns what became of a change since it was proposed: what it makes of the record as it is, and where others changed the same."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence
from typing import Any

from mdm.merging_periods import Clash, Settle, bring_together
from mdm.registry import RecordType
from mdm.types import Change, Document, apply_changes, conflicts


def together(
    kind: RecordType, changes: Sequence[Change], base: Document | None, now: Document, *, settle: Settle | None = None
) -> tuple[Document, list[dict[str, Any]]]:
    """(the record with the changes, conflicts as {path, base, proposed, current}).

    `base`: the document the changes were made on, None where it is `now`. Periods are compared by what they say of each
    day, so that a change of one value never takes back what somebody said of another; the path of such a conflict is
    `slices/<from>..<to>/<field>`.
    """
    if not kind.periods or base is None or base["version"] == now["version"] or not _moves_periods(kind, changes):
        return apply_changes(now, changes), conflicts(changes, now)
    plain = [change for change in changes if not _is_of_periods(kind, change)]
    rows, clashes = bring_together(
        base[kind.periods],
        apply_changes(base, changes)[kind.periods],
        now[kind.periods],
        new_uid=lambda: str(uuid.uuid4()),
        settle=settle or _nobody,
    )
    after = {**apply_changes(now, plain), kind.periods: rows}
    return after, [*conflicts(plain, now), *(_as_json(kind, clash) for clash in clashes)]


def _nobody(start: str, end: str, field: str) -> None:
    return None


def _moves_periods(kind: RecordType, changes: Iterable[Change]) -> bool:
    return any(_is_of_periods(kind, change) for change in changes)


def _is_of_periods(kind: RecordType, change: Change) -> bool:
    return change.path.partition("/")[0] == kind.periods


def _as_json(kind: RecordType, clash: Clash) -> dict[str, Any]:
    path = f"{kind.periods}/{clash.path}"
    return {"path": path, "base": clash.base, "proposed": clash.wanted, "current": clash.now}


def settled_by(kind: RecordType, choices: Iterable[tuple[str, str]]) -> Settle:
    """`choices`: (path of a conflict about periods, proposed or current)."""
    told = []
    for path, choice in choices:
        name, _, rest = path.partition("/")
        days, _, field = rest.partition("/")
        start, dots, end = days.partition("..")
        if name == kind.periods and dots:
            told.append((field, start, end or "9999-99", choice))

    def settle(start: str, end: str, field: str) -> Any:
        return next((c for name, first, last, c in told if name == field and first <= start and end <= last), None)

    return settle
