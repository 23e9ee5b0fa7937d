"""Where each value of a record comes from: winning source and rule, what other sources said, and a steward's override."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from django.db.models import Q
from django.utils import timezone

from mdm.models import Pin, Provenance, SourceRecord
from mdm.registry import ChildType, RecordType
from mdm.types import Document, comparable, same

_EMPTY: tuple[Any, ...] = (None, "", [])


def of(kind: RecordType, document: Document) -> list[dict[str, Any]]:
    """One entry per filled field and per row of a list; sealed values stay sealed. Three queries."""
    uid = document["uid"]
    fields = Provenance.objects.filter(uid=uid).values_list("fields", flat=True).first() or {}
    pins = {pin.path: pin for pin in _pins(uid)}
    sources = list(SourceRecord.objects.filter(golden_uid=uid, active=True, type=kind.key).select_related("system"))
    children = {child.name: child for child in kind.children}
    found = []
    for name in kind.document.model_fields:
        value = document.get(name)
        if name in children:
            for row in value or []:
                path = f"{name}/{row['uid']}"
                losing = _losing_rows(children[name], row, sources, fields.get(path) or {})
                found.append(_entry(path, row, fields.get(path), losing, pins.get(path)))
        elif value not in _EMPTY:
            losing = _losing_values(name, value, sources, fields.get(name) or {})
            found.append(_entry(name, value, fields.get(name), losing, pins.get(name)))
    return found


def _pins(uid: str) -> Iterable[Pin]:
    holds = Q(until=None) | Q(until__gte=timezone.localdate())
    return Pin.objects.filter(holds, uid=uid).select_related("pinned_by")


def _entry(path: str, value: Any, origin: Any, losing: list[dict[str, Any]], pin: Pin | None) -> dict[str, Any]:
    known: defaultdict[str, Any] = defaultdict(lambda: None, origin or {})
    override = None
    if pin:
        who = pin.pinned_by.get_full_name() or pin.pinned_by.get_username()
        override = {"reason": pin.reason, "by": who, "until": pin.until}
    return {
        "path": path,
        "value": value,
        "system": known["system"],
        "key": known["key"],
        "rule": known["rule"],
        "since": known["since"],
        "losing": losing,
        "override": override,
    }


def _losing_values(name: str, value: Any, sources: list[SourceRecord], origin: Document) -> list[dict[str, Any]]:
    return [
        {"system": source.system.code, "key": source.key, "value": source.document[name]}
        for source in sources
        if not _won(source, origin)
        and source.document.get(name) not in _EMPTY
        and not same(source.document[name], value)
    ]


def _losing_rows(
    child: ChildType, row: Document, sources: list[SourceRecord], origin: Document
) -> list[dict[str, Any]]:
    """Rows of other sources with the same identity that say something else."""
    mine = _identity(child, row)
    plain = {name: value for name, value in row.items() if name != "uid"}
    return [
        {"system": source.system.code, "key": source.key, "value": theirs}
        for source in sources
        if not _won(source, origin)
        for theirs in source.document.get(child.name) or []
        if _identity(child, theirs) == mine and not same({k: v for k, v in theirs.items() if k != "uid"}, plain)
    ]


def _identity(child: ChildType, row: Document) -> str:
    return repr([comparable(row.get(name)) or "" for name in child.identity]).casefold()


def _won(source: SourceRecord, origin: Document) -> bool:
    return source.system.code == origin.get("system") and source.key == origin.get("key")
