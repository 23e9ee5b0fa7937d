"""The table of drift findings: grouped by probable cause, golden beside target, with what can be done."""

from __future__ import annotations

from typing import Any

from django.db.models import Case, IntegerField, QuerySet, Value, When
from django.http import HttpRequest
from django.urls import reverse

from mdm.crypto import mask_tree
from mdm.web import browsing
from mdm.web.page import Action, Badge
from mdm.web.tables import Cell, Column, Row, Table
from sync.models import DriftFinding
from sync.selectors import drift_views
from sync.web import doors

# cause → (words, what it means for the reader); in the order a steward should look at them
CAUSES: dict[str, tuple[str, str]] = {
    "changed_in_target": ("Changed at the platform", "Somebody changed the value there after we sent ours."),
    "rejected_delivery": ("Refused by the platform", "Our value never got there; see the exception."),
    "mapping_gap": ("No counterpart", "The value map of the platform lacks a row."),
    "not_ours": ("Not ours", "The platform holds a record no key of ours leads to."),
    "several_keys": ("Several keys for one record", "Only one key should be open; the others should be blocked."),
    "pending": ("On its way", "A delivery of this record is under way."),
    "within_grace": ("Just sent", "The platform may still show the old value."),
    "never_pushed": ("Different before we ever sent", "The platform's own value from before; nothing was sent yet."),
}
KINDS = {
    "different": "Different",
    "missing": "Missing there",
    "extra": "Extra there",
    "duplicate_key": "Several keys",
    "unmapped": "No counterpart",
}
COLUMNS = (
    Column(label="Record"),
    Column(label="Field"),
    Column(label="Target", priority=1),
    Column(label="Ours"),
    Column(label="There"),
    Column(label="Since", priority=2),
    Column(label="Actions", hidden_label=True, tight=True),
)
_ORDER = Case(
    *(When(cause=cause, then=Value(place)) for place, cause in enumerate(CAUSES)),
    default=Value(99),
    output_field=IntegerField(),
)


def findings_of(request: HttpRequest, rows: QuerySet[DriftFinding], bulk: list[Action]) -> dict[str, Any]:
    """A page of findings as the template takes it; headings where the cause changes."""
    part = browsing.cut(request, rows.annotate(place=_ORDER), order=("place", "-pk"), size=50)
    shown: list[Row] = []
    last = ""
    for finding in part.rows:
        if finding.cause != last:
            last = finding.cause
            words, meaning = CAUSES[last]
            shown.append(Row(cells=(), group=f"{words}. {meaning}"))
        shown.append(_row(request, finding))
    table = Table(
        caption="Findings",
        columns=COLUMNS,
        rows=shown,
        selectable=bool(bulk) and doors.may_act(request),
        form_id="findings-form",
    )
    return {
        "table": table,
        "pager": browsing.pager(request, part, "findings"),
        "bulk": bulk if doors.may_act(request) else [],
        "url": reverse("sync:findings-decide"),
    }


def _row(request: HttpRequest, finding: DriftFinding) -> Row:
    badges = [Badge(label=finding.state, tone="blue")] if finding.state != "open" else []
    return Row(
        uid=str(finding.uid),
        title=finding.label or finding.target_key,
        cells=[
            Cell(
                value=finding.label or f"Key {finding.target_key}",
                kind="title",
                url=doors.record_link(finding.type, finding.record),
                sub=finding.target_key if finding.label else "",
            ),
            Cell(value=drift_views.field_words(finding.path, finding.kind) if finding.field else KINDS[finding.kind]),
            Cell(value=finding.target.title),
            Cell(value=_plain(finding.golden)),
            Cell(value=_plain(finding.target_value), kind="differs"),
            Cell(value=finding.first_seen_at, kind="time", badges=badges),
            Cell(kind="actions", actions=_actions(request, finding)),
        ],
    )


def _plain(value: Any) -> Any:
    """A short word for a value; whole records and rows are summed up, bank numbers masked."""
    value = mask_tree(value)
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, dict):
        said = [str(v) for v in _leaves(value) if v not in (None, "", False)]
        return ", ".join(said[:4])[:120] or None
    return str(value)[:160]


def _leaves(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return [leaf for item in value.values() for leaf in _leaves(item)]
    if isinstance(value, list):
        return [leaf for item in value for leaf in _leaves(item)]
    return [value]


def _actions(request: HttpRequest, finding: DriftFinding) -> list[Action]:
    if finding.state != "open":
        return []
    url = reverse("sync:findings-decide")

    def action(what: str, label: str, icon: str) -> Action:
        fields = {"do": what, "uid": str(finding.uid)}
        return doors.action(request, label=label, name=f"{what}-{finding.pk}", url=url, icon=icon, fields=fields)

    return [action("push", "Push ours", "send"), action("adopt", "Adopt theirs", "pencil")]
