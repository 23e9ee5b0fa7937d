"""Where a record's values come from and who names it: the tabs of its sources and of its use."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from django.utils import timezone

from mdm import ports, registry
from mdm.selectors import provenance as sources_of
from mdm.selectors import references
from mdm.web import provenance, visitor
from mdm.web.page import Empty, Source
from mdm.web.provenance import Marks
from mdm.web.record_frame import Frame
from mdm.web.tables import Cell, Column, Row, Table

REFERRERS = 100


def sources(frame: Frame) -> dict[str, Any]:
    found = sources_of.of(frame.kind, frame.row.uid)
    marks = Marks(frame.kind, frame.document, found)
    heads = provenance.columns(marks)
    empty = None
    if not found.records:
        text = "No platform has sent this record. Every value was entered in the hub."
        empty = Empty(title="No sources", text=text, icon="upload")
    return {
        "systems": [_head(marks, code, key) for code, key in heads],
        "rows": provenance.grid(marks, lambda path: f"{frame.url()}?{urlencode({'why': path})}") if heads else [],
        "keys": _keys_table(frame),
        "source_records": _records_table(marks) if found.records else None,
        "empty": empty,
    }


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


def _records_table(marks: Marks) -> Table:
    columns = [
        Column(label="Source"), Column(label="Key"), Column(label="Received", numeric=True), Column(label="Import"),
        Column(label="Row", numeric=True, priority=1),
    ]  # fmt: skip
    rows = [
        Row(
            cells=[
                Cell(kind="source", sources=[marks.source(record.system.code)], value=record.system.title),
                Cell(value=record.key, kind="mono"),
                Cell(value=record.received_at, kind="time", muted=True),
                Cell(
                    value=record.job.file_name if record.job else None,
                    url=visitor.link("web:import", record.job.uid) if record.job else "",
                ),
                Cell(value=record.row, kind="number"),
            ]
        )
        for record in marks.sources.records
    ]
    return Table(caption="Source records", columns=columns, rows=rows, plain=True)


# --- use ----------------------------------------------------------------------------------------------------


def where_used(frame: Frame) -> dict[str, Any]:
    found = references.to(frame.kind, uid=frame.row.uid, code=frame.document["code"], limit=REFERRERS)
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
