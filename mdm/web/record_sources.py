"""Where a record's values come from and who names it: the tabs of its sources and of its use."""

from __future__ import annotations

from collections import Counter
from typing import Any
from urllib.parse import urlencode

from django.http import StreamingHttpResponse
from django.urls import reverse
from django.utils import timezone

from mdm import permissions, ports, registry
from mdm.errors import NotFound
from mdm.models import SourceRecord
from mdm.reading import exports
from mdm.selectors import provenance as sources_of
from mdm.selectors import references, request_items
from mdm.services import taking_out
from mdm.services.taking_out import Brought
from mdm.web import provenance, record_overview, visitor
from mdm.web.page import Action, Confirm, Empty, Link, Source
from mdm.web.provenance import Marks
from mdm.web.record_frame import Frame
from mdm.web.tables import Cell, Column, Field, Row, Table

REFERRERS = 100


def sources(frame: Frame) -> dict[str, Any]:
    """The grid field × source. `?show=differing`: only where sources disagree; `?why=path`: the panel of one value."""
    if not frame.whole:
        text = "It also belongs to companies that are not yours, and sources do not say of which period they speak."
        return {"systems": [], "rows": [], "views": [], "empty": Empty(title="Hidden", text=text, icon="lock")}
    found = sources_of.of(frame.kind, frame.row.uid)
    marks = Marks(frame.kind, frame.document, found)
    heads = provenance.columns(marks)
    differing = frame.request.GET.get("show") == "differing"
    why = frame.request.GET.get("why", "")
    empty = None
    if not found.records:
        text = "No platform has sent this record. Every value was entered in the hub."
        empty = Empty(title="No sources", text=text, icon="upload")
    rows = provenance.grid(marks, lambda path: _url(frame, differing, path), differing=differing, current=why)
    several = len(heads) > 1
    return {
        "systems": [_head(marks, code, key) for code, key in heads],
        "rows": rows if heads else [],
        "agreed": bool(heads) and differing and not rows,
        "views": _views(frame, marks, differing) if several else [],
        "csv_url": frame.url("sources-csv") if heads else "",
        "provenance": record_overview.panel(frame, marks, why, tab="sources") if why else None,
        "keys": _keys_table(frame),
        "source_records": _records_table(frame, marks) if found.records else None,
        "empty": empty,
    }


def _url(frame: Frame, differing: bool, path: str = "") -> str:
    asked = {**({"show": "differing"} if differing else {}), **({"why": path} if path else {})}
    return f"{frame.url('sources')}{'?' + urlencode(asked) if asked else ''}{'#provenance' if path else ''}"


def _views(frame: Frame, marks: Marks, differing: bool) -> list[Link]:
    paths = marks.paths()
    count = sum(marks.differs(path) for path in paths)
    return [
        Link("All values", _url(frame, False), len(paths), not differing),
        Link("Only where sources differ", _url(frame, True), count, differing),
    ]


def as_csv(frame: Frame) -> StreamingHttpResponse:
    """The grid as a file, one line per value and source."""
    if not frame.whole:
        raise NotFound("Its sources are hidden: it also belongs to companies that are not yours.")
    marks = Marks(frame.kind, frame.document, sources_of.of(frame.kind, frame.row.uid))
    name = f"{frame.document['code']}-sources-{timezone.localdate():%Y-%m-%d}.csv"
    headers = {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"}
    chunks = exports.csv_chunks(list(provenance.CSV_HEADINGS), provenance.csv_rows(marks))
    return StreamingHttpResponse(chunks, content_type=exports.CSV_TYPE, headers=headers)


def _head(marks: Marks, code: str, key: str) -> Source:
    source = marks.source(code)
    return Source(mark=source.mark, slot=source.slot, title=f"{source.title} {key}".strip())


def _keys_table(frame: Frame) -> Table | None:
    keys = sources_of.keys_of(frame.kind, frame.row.uid)
    if not keys:
        return None
    columns = [Column(label="System"), Column(label="Key"), Column(label="Use"), Column(label="Since", numeric=True)]
    rows = [
        Row(
            cells=[
                Cell(value=key.system.title),
                Cell(value=key.key, kind="mono"),
                Cell(
                    value=("updated" if key.primary else "second key, blocked there")
                    if key.active
                    else "no longer used"
                ),
                Cell(value=timezone.localtime(key.since).date(), kind="date", muted=True),
            ]
        )
        for key in keys
    ]
    return Table(caption="Keys in other systems", columns=columns, rows=rows, plain=True)


def _records_table(frame: Frame, marks: Marks) -> Table:
    columns = [
        Column(label="Source"), Column(label="Key"), Column(label="State"), Column(label="Received", numeric=True),
        Column(label="Import"), Column(label="Row", numeric=True, priority=1), Column(label="Detach", hidden_label=True),
    ]  # fmt: skip
    brought = taking_out.brought(frame.kind, str(frame.row.uid))
    with_it = Counter(one.member for one in brought.values())
    rows = [
        Row(
            title=f"{record.system.title} {record.key}",
            cells=[
                Cell(kind="source", sources=[marks.source(record.system.code)], value=record.system.title),
                Cell(value=record.key, kind="mono"),
                Cell(value=_state(record), muted=record.active),
                Cell(value=record.received_at, kind="time", muted=True),
                Cell(
                    value=record.job.file_name if record.job else None,
                    url=visitor.link("web:import", record.job.uid) if record.job else "",
                ),
                Cell(value=record.row, kind="number"),
                Cell(kind="actions", actions=_ways_out(frame, record, brought.get(record.pk), with_it)),
            ],
        )
        for record in marks.sources.records
    ]
    return Table(caption="Source records", columns=columns, rows=rows, plain=True)


def _state(record: SourceRecord) -> str:
    if not record.active:
        when = f" since {timezone.localtime(record.left_at):%d %b %Y}" if record.left_at else ""
        return f"{SourceRecord.LEFT.get(record.left_why, 'gone')}{when}, trusted last"
    return "waits for approval" if record.outcome == "staged" else "takes part"


def _ways_out(frame: Frame, record: SourceRecord, came: Brought | None, with_it: Counter[str]) -> list[Action]:
    """A source record that a merge brought goes back by undoing it; alone it is detached where others came with it."""
    if came is None:
        return [_detach(frame, record)]
    allowed, why_not = _may_detach(frame)
    url = reverse("web:unmerge", args=[request_items.number_of(came.merge)])
    undo = Action(
        label=f"Undo {came.merge.number}", url=f"{url}?member={came.member}", icon="undo", allowed=allowed,
        why_not=why_not, style="quiet",
    )  # fmt: skip
    return [undo, _detach(frame, record)] if with_it[came.member] > 1 else [undo]


def _detach(frame: Frame, record: SourceRecord) -> Action:
    allowed, why_not = _may_detach(frame)
    ask = Confirm(
        title=f"Take {record.system.title} {record.key} off this record?",
        body="For a source record that was linked to the wrong record. Once approved, its values go with it, its key leads to "
        "the other record, and the two are not proposed as duplicates again.",
        button="Propose to detach",
        reason_label="What shows that it is something else?",
        fields=[
            Field(
                name="to",
                label=f"Code of the {frame.kind.noun} it belongs to",
                optional=True,
                mono=True,
                id=f"to-{record.pk}",
                help="Left empty, it becomes a record of its own.",
            )
        ],
    )
    return Action(
        label="Detach",
        name=f"detach-{record.pk}",
        url=visitor.link("web:record-detach", frame.kind.path, frame.row.uid),
        icon="undo",
        method="post",
        fields={"system": record.system.code, "key": record.key},
        confirm=ask,
        allowed=allowed,
        why_not=why_not,
        style="quiet",
    )


def _may_detach(frame: Frame) -> tuple[bool, str]:
    if frame.row.status not in ("active", "blocked"):
        return False, f"This record is {frame.row.status}: its sources stay where they are."
    if not permissions.may(visitor.actor(frame.request), f"propose:{frame.kind.path}"):
        return False, "Your role may read these records only."
    return True, ""


# --- use ----------------------------------------------------------------------------------------------------


def where_used(frame: Frame) -> dict[str, Any]:
    found = references.to(
        frame.kind,
        uid=frame.row.uid,
        code=frame.document["code"],
        entities=visitor.entities(frame.request),
        limit=REFERRERS,
    )
    groups: dict[str, list[dict[str, Any]]] = {}
    for ref in found:
        kind = registry.get(ref.type)
        label = kind.label(ref.path.replace(".", "/-/", 1))
        groups.setdefault(f"{kind.plural} by {label[0].lower()}{label[1:]}", []).append(
            {"title": ref.name, "url": visitor.record_url(kind, ref.uid), "note": ref.code, "badge": None}
        )
    for used in ports.collect(ports.where_used, frame.kind.key, frame.row.uid):
        item = {"title": used["title"], "url": used.get("url") or "", "note": used.get("note") or "", "badge": None}
        groups.setdefault(str(used["kind"]), []).append(item)
    listed = [{"title": title, "items": items} for title, items in groups.items()]
    if len(found) >= REFERRERS:
        listed[0]["title"] = f"{listed[0]['title']}, the first {REFERRERS}"
    text = f"No other record names {frame.kind.name_of(frame.document)}."
    return {"groups": listed, "empty": None if listed else Empty(title="Nothing refers to it", text=text, icon="link")}
