"""A record at every target, as whoever delivers says: the panel beside the overview, and the tab."""

from __future__ import annotations

from typing import Any

from django.utils.dateparse import parse_datetime

from mdm import permissions
from mdm.models import System
from mdm.web import visitor
from mdm.web.page import Empty, Link, Source
from mdm.web.record_frame import Frame


def panel(frame: Frame) -> dict[str, Any] | None:
    if not permissions.may(visitor.actor(frame.request), "sync:read"):
        return None
    lines = [row_of(line) for line in frame.targets]
    words = next((line for line in frame.targets if line.get("message")), None)
    note = [f"{words['title']}: “{words['message']}”"] if words else ""
    return {"rows": lines, "link": Link("All deliveries", frame.url("sync")), "note": note}


def row_of(line: dict[str, Any]) -> dict[str, Any]:
    """One line of the port, as the panel and the tab show it."""
    since = line.get("since")
    return {
        "title": line["title"],
        "url": line.get("url") or "",
        "source": None,
        "key": line.get("target_key") or "",
        "state": line["state"],
        "version": line.get("version"),
        "seq": line.get("seq"),
        "at": parse_datetime(since) if isinstance(since, str) else since,
        "at_prefix": "refused" if line["state"] == "refused" else "",
        "answer": line.get("message") or line.get("note") or "",
        "message": line.get("message") or "",
        "push": line.get("push"),
        "fields": line.get("fields") or [],
        "actions": line.get("actions") or ([line["push"]] if line.get("push") else []),
    }


def tab(frame: Frame) -> dict[str, Any]:
    systems = {system.code: system for system in System.objects.all()}
    rows = []
    for line in frame.targets:
        row = row_of(line) | {"golden_version": frame.row.version}
        if system := systems.get(line["target"]):
            row["source"] = Source(mark=system.mark, slot=system.tone, title=system.title)
        rows.append(row)
    empty = None
    if not rows:
        text = "A governance lead connects targets and says which records each of them gets."
        empty = Empty(title=f"No target takes {frame.kind.nouns} yet", text=text, icon="target")
    return {"rows": rows, "deliveries": None, "pager": None, "empty": empty}
