"""Owns drift findings: kept from run to run while they last, settled when they are gone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.db.models.functions import Now

from mdm.models.change import OPEN_STATES
from sync.models import DriftFinding, DriftRun, Target
from sync.models.drift import LIVE
from sync.models.states import OPEN
from sync.payloads import fingerprint

if TYPE_CHECKING:
    from sync.services.comparing import Scope

Identity = tuple[str, str, str, str]  # key, record, kind, field


@dataclass(frozen=True)
class Found:
    """One disagreement as a run saw it; values sealed already where they have to be."""

    kind: str
    shape: str
    cause: str
    target_key: str = ""
    record: UUID | None = None
    label: str = ""
    field: str = ""
    path: str = ""
    golden: Any = None
    target_value: Any = None

    @property
    def identity(self) -> Identity:
        return (self.target_key, str(self.record or ""), self.kind, self.field[:200])


def keep(
    run: DriftRun, target: Target, type: str, found: Mapping[str, Sequence[Found]], *, settle: bool = True
) -> Counter[str]:
    """Insert what is new, refresh what lasts; with `settle`, what these keys no longer show is resolved."""
    live = _live(target, type, found)
    fresh: list[DriftFinding] = []
    lasting: list[DriftFinding] = []
    for one in {one.identity: one for rows in found.values() for one in rows}.values():
        row = live.pop(one.identity, None)
        if row is None:
            fresh.append(_new(run, target, type, one))
        else:
            _refresh(row, run, one)
            lasting.append(row)
    DriftFinding.objects.bulk_create(fresh, batch_size=500)
    DriftFinding.objects.bulk_update(
        lasting,
        ["last_run", "last_seen_at", "golden", "target_value", "cause", "state", "label", "path", "shape"],
        batch_size=200,
    )
    gone = [row.pk for row in live.values()] if settle else []
    return Counter(new_findings=len(fresh), resolved=_resolve(gone))


def _live(target: Target, type: str, found: Mapping[str, Sequence[Found]]) -> dict[Identity, DriftFinding]:
    rows = DriftFinding.objects.select_related("delivery", "change").filter(
        target=target, type=type, target_key__in=list(found), state__in=LIVE
    )
    if "" in found:  # records without a key: only these ones, not every other that waits for its key
        rows = rows.filter(record__in=[one.record for one in found[""]])
    return {(row.target_key, str(row.record or ""), row.kind, row.field): row for row in rows}


def _new(run: DriftRun, target: Target, type: str, one: Found) -> DriftFinding:
    return DriftFinding(
        target=target,
        type=type,
        record=one.record,
        label=one.label[:300],
        target_key=one.target_key,
        kind=one.kind,
        shape=one.shape,
        field=one.field[:200],
        path=one.path[:200],
        golden=one.golden,
        target_value=one.target_value,
        cause=one.cause,
        first_run=run,
        last_run=run,
        first_seen_at=Now(),
        last_seen_at=Now(),
    )


def _refresh(row: DriftFinding, run: DriftRun, one: Found) -> None:
    row.last_run, row.last_seen_at = run, Now()
    row.golden, row.target_value, row.cause = one.golden, one.target_value, one.cause
    row.label, row.path, row.shape = one.label[:300], one.path[:200], one.shape
    if _has_lapsed(row, run):
        row.state = "open"


def _has_lapsed(row: DriftFinding, run: DriftRun) -> bool:
    """A decision that did not help, was turned down, or is over: the finding is open again."""
    if row.state == "ignored":
        today = (run.started_at or run.created_at).date()
        return row.ignored_until is not None and row.ignored_until < today
    if row.state == "pushed":
        return row.delivery is None or row.delivery.state not in (*OPEN, "held")
    if row.state == "adopting":
        return row.change is None or row.change.state not in (*OPEN_STATES, "applied")
    return False


def _resolve(pks: list[int]) -> int:
    if not pks:
        return 0
    return DriftFinding.objects.filter(pk__in=pks, state__in=LIVE).update(state="resolved", resolved_at=Now())


def settle_untouched(scope: Scope, *, record: Any = None) -> int:
    """At the end of a whole look: live findings this run did not see again are gone. Clean keys have none."""
    rows = DriftFinding.objects.filter(target=scope.target, type=scope.type, state__in=LIVE).exclude(last_run=scope.run)
    if record is not None:
        rows = rows.filter(record=record)
    return rows.update(state="resolved", resolved_at=Now())


def report_hash(run: DriftRun) -> str:
    """Fingerprint of everything a run found, so that an exported report can be recognised."""
    rows = DriftFinding.objects.filter(last_run=run).order_by("target_key", "record", "kind", "field")
    return fingerprint(
        [
            [str(part) for part in row]
            for row in rows.values_list("target_key", "record", "kind", "field", "cause", "state")
        ]
    )
