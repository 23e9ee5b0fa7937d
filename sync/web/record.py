"""The sync tab of a record: how it stands at every target, what differs there, push now, and everything sent so far."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_POST

from mdm.crypto import mask_tree
from mdm.errors import CorrectInput
from mdm.web import browsing, record_frame, record_sync, visitor
from mdm.web.page import Action, Empty
from mdm.web.record_frame import Frame
from mdm.web.tables import Cell, Column, Row, Table
from sync import platforms
from sync.models import Delivery, DriftFinding, Target
from sync.selectors import drift_views, ledger, sight
from sync.services import drift
from sync.web import doors
from sync.web.delivery_page import ASKED, REASONS
from sync.web.findings import is_uid

FIELDS = 6  # differences shown of one target; the rest is on the drift page
STATUS = {
    "pending": "Pending",
    "retried": "Retried",
    "failed": "Failed",
    "corrected": "Corrected",
    "posted": "Posted",
}
COLUMNS = (
    Column(label="To"),
    Column(label="Asked to", priority=2),
    Column(label="State"),
    Column(label="Version", numeric=True, priority=1),
    Column(label="Reason", priority=2),
    Column(label="Asked for by", priority=3),
    Column(label="When", priority=1),
)


@require_GET
@visitor.page
def tab(request: HttpRequest, type_path: str, uid: UUID) -> HttpResponse:
    doors.require_read(request)
    frame = record_frame.load(request, type_path, uid)
    part = browsing.cut(request, ledger.deliveries(None).filter(record=uid), size=25)
    context = {
        "rows": _rows(frame),
        "deliveries": _deliveries(part.rows) if part.rows else None,
        "pager": browsing.pager(request, part, "deliveries"),
        "empty": Empty(
            title=f"No target takes {frame.kind.nouns} yet",
            text="A governance lead connects targets and says which records each of them gets.",
            icon="target",
        ),
    }
    return render(request, "sync/record_sync.html", frame.context("sync") | context)


def _rows(frame: Frame) -> list[dict[str, Any]]:
    targets = {target.code: target for target in Target.objects.select_related("system")}
    found = DriftFinding.objects.filter(record=frame.row.uid, state="open").exclude(field="").order_by("pk")
    differences: dict[tuple[int, str], list[DriftFinding]] = {}
    for finding in found:
        differences.setdefault((finding.target_id, finding.target_key), []).append(finding)
    seen = drift_views.sight_of(found, visitor.entities(frame.request))
    rows = []
    for line in frame.targets:
        row = record_sync.row_of(line) | {"golden_version": frame.row.version, "status": _status(line)}
        if line.get("correlation_id"):
            row["correlation_id"] = line["correlation_id"]
            row["chain"] = reverse("sync:chain", args=[line["correlation_id"]])
        if target := targets.get(line["target"]):
            row["source"] = doors.source(target.system)
            here = differences.get((target.pk, line.get("target_key") or ""), [])
            row["fields"] = [_difference(one, drift_views.hides(one, seen)) for one in here[:FIELDS]]
            row["actions"] = [] if line["state"] == "not_pushable" else _actions(frame, target, line)
        rows.append(row)
    return rows


def _status(line: dict[str, Any]) -> str:
    """The business word, and of what was posted whether anybody looked; a receiver that shows nothing has a note."""
    word = "Refused" if line["state"] == "refused" else STATUS.get(line.get("status") or "", "")
    if line.get("status") in ("posted", "corrected") and line.get("readable"):
        return f"{word}, {'read back and the same' if line.get('verified') else 'not read back'}"
    return word


def _difference(finding: DriftFinding, hidden: bool) -> dict[str, Any]:
    return {
        "label": drift_views.field_words(finding.type, finding.path, finding.kind),
        "ours": sight.HIDDEN if hidden else mask_tree(finding.golden),
        "theirs": "hidden" if hidden else mask_tree(finding.target_value),
    }


def _actions(frame: Frame, target: Target, line: dict[str, Any]) -> list[Action]:
    fields = {"type": frame.kind.key, "record": str(frame.row.uid)}

    def action(label: str, name: str, view: str, icon: str, **more: Any) -> Action:
        url = reverse(view, args=[target.code])
        return doors.action(
            frame.request, label=label, name=f"{name}-{target.code}", url=url, icon=icon, fields=fields, **more
        )

    gone = frame.row.status == "merged"
    first = line["state"] == "not_sent"
    return [
        action(
            "Send now" if first else "Send again now", "push", "sync:target-push", "send",
            allowed=not gone, why_not="This record was merged.",
        ),
        action(
            "Look what it holds", "look", "sync:target-look", "drift",
            allowed=platforms.readable(target.connector), why_not=doors.UNREADABLE,
        ),
        Action(
            label="Its differences",
            url=f"{reverse('sync:drift')}?record={frame.row.uid}&target={target.code}#findings",
            icon="filter",
        ),
    ]  # fmt: skip


def _deliveries(rows: list[Delivery]) -> Table:
    def cells(row: Delivery) -> list[Cell]:
        state = ledger.shown_state(row)
        return [
            Cell(
                value=row.target.title, kind="title", url=reverse("sync:delivery", args=[row.uid]), sub=row.target_key
            ),
            Cell(value=ASKED.get(row.action, row.action)),
            Cell(value=state, kind="state", domain="delivery", loud=state in ("rejected", "failed", "poison")),
            Cell(value=row.version, kind="number"),
            Cell(value=REASONS[row.reason]),
            Cell(value=row.requested_by or None, kind="person" if row.requested_by else ""),
            Cell(value=row.changed_at, kind="time"),
        ]  # fmt: skip

    return Table(caption="Deliveries of this record", columns=COLUMNS, rows=[Row(cells=cells(row)) for row in rows])


@require_POST
@visitor.page
def look(request: HttpRequest, code: str) -> HttpResponse:
    """Look at one record at one target."""
    target = get_object_or_404(Target, code=code)
    record, type_key = request.POST.get("record", ""), request.POST.get("type", "")

    def do() -> str:
        if not is_uid(record) or not record:
            raise CorrectInput("Name the record to look at.")
        drift.request(target, by=visitor.actor(request), type=type_key, record=UUID(record))
        return f"Looking at what {target.title} holds of this record"

    return doors.act(request, do, reverse("sync:drift"))
