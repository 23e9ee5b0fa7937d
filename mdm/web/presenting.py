"""A canonical document as sections of a page: facts with marks of their source, and tables of its lists. Masked."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.utils import timezone
from django.utils.dateparse import parse_date

from mdm import crypto
from mdm.crypto import is_sealed
from mdm.registry import ChildType, RecordType
from mdm.types import Document
from mdm.web.diffs import ICONS
from mdm.web.page import Action, Badge, Fact, Part, Source
from mdm.web.provenance import Marks
from mdm.web.references import Names
from mdm.web.tables import Cell, Column, Row, Table
from mdm.web.values import day, is_empty


@dataclass(frozen=True)
class Showing:
    """How a document is shown. Without `marks` (an earlier state) nothing says where values came from.

    `revealed`: sealed numbers in plain, for the one answer to a logged reveal.
    """

    kind: RecordType
    document: Document
    names: Names
    marks: Marks | None = None
    pending: frozenset[str] = frozenset()
    why_url: Callable[[str], str] | None = None
    current: str = ""
    revealed: bool = False
    actions: dict[str, Action] = field(default_factory=dict)  # by name of the list


def sections(show: Showing) -> list[dict[str, Any]]:
    found = [_facts_section(show, place) for place in range(len(show.kind.sections))]
    return [*found, *(_child_section(show, child) for child in show.kind.children)]


def facts(show: Showing) -> list[Fact]:
    """All plain fields that have a value: what held at a time."""
    names = [name for section in show.kind.sections for name in section.fields]
    return [_fact(show, name) for name in names if not is_empty(show.document.get(name))]


def _facts_section(show: Showing, place: int) -> dict[str, Any]:
    section = show.kind.sections[place]
    note = "A mark shows who supplied the value; select it for the reason" if show.marks and not place else ""
    return {
        "title": section.title,
        "id": f"part-{place}",
        "note": note,
        "facts": [_fact(show, name) for name in section.fields],
        "action": None,
    }


def _fact(show: Showing, name: str) -> Fact:
    value = show.document.get(name)
    if isinstance(value, list) and (listed := [found for uid in value if (found := show.names.of(name, uid))]):
        said: list[Part | str] = []
        for one in listed:
            said += [", "] * bool(said) + [Part(text=one.name, url=one.url)]
        return Fact(label=show.kind.label(name), value=said, kind="rich", changed=name in show.pending)
    named = show.names.of(name, value)
    marks = show.marks
    website = isinstance(value, str) and value.startswith(("http://", "https://"))
    return Fact(
        label=show.kind.label(name),
        value=named.name if named and named.code != value else value,
        url=named.url if named else str(value) if website else "",
        note=(named.name if named.code == value else named.code) if named else "",
        sources=tuple(marks.of(name)) if marks and not is_empty(value) else (),
        pinned=bool(marks and marks.is_pinned(name)),
        provenance_url=show.why_url(name) if show.why_url else "",
        current=show.current == name,
        changed=name in show.pending,
    )


# --- lists ----------------------------------------------------------------------------------------------------


def _child_section(show: Showing, child: ChildType) -> dict[str, Any]:
    rows = show.document.get(child.name) or []
    touched = {path.split("/")[1] for path in show.pending if path.startswith(f"{child.name}/")}
    return {
        "title": child.title,
        "id": child.name,
        "note": f"{len(touched)} changed by an open request" if touched else "",
        "facts": None,
        "table": _table(show, child, rows) if rows else None,
        "empty": f"No {child.title.lower()} recorded.",
        "action": show.actions.get(child.name) if rows else None,
        "icon": ICONS.get(child.name, show.kind.icon),
    }


def _table(show: Showing, child: ChildType, rows: Sequence[Document]) -> Table:
    """Columns that no row fills are left out."""
    names = [name for name in child.columns if any(not is_empty(row.get(name)) for row in rows)]
    heads = [
        Column(label=_label(show.kind, child, name), priority=0 if place < 3 else 1) for place, name in enumerate(names)
    ]
    if show.marks:
        heads.append(Column(label="From", tight=True))
    return Table(
        caption=child.title,
        columns=heads,
        rows=[
            Row(
                cells=[
                    *(_cell(show, child, name, row) for name in names),
                    *([_from(show, f"{child.name}/{row['uid']}")] if show.marks else []),
                ],
                current=show.current == f"{child.name}/{row['uid']}",
            )
            for row in rows
        ],
        plain=True,
    )


def _label(kind: RecordType, child: ChildType, name: str) -> str:
    return kind.labels.get(f"{child.name}.{name}") or kind.labels.get(name) or name.replace("_", " ").capitalize()


def _from(show: Showing, path: str) -> Cell:
    sources: list[Source] = show.marks.of(path) if show.marks else []
    return Cell(kind="source", sources=sources, url=show.why_url(path) if show.why_url and sources else "")


def _cell(show: Showing, child: ChildType, name: str, row: Document) -> Cell:
    value = row.get(name)
    named = show.names.of(f"{child.name}.{name}", value)
    if named:
        return Cell(value=value, url=named.url, note="" if named.name == value else named.name)
    if is_sealed(value):
        return Cell(value=crypto.open_sealed(value) if show.revealed else value, kind="mono")
    if name == "verification" and value:
        return Cell(value=value, kind="state", domain="verification")
    if name in ("valid_from", "valid_to") and value:
        return _day_cell(name, str(value))
    if name in ("number", "value", "bic", "bank_code", "reconciliation_account"):
        return Cell(value=value, kind="mono")
    if name in ("kind", "role") and isinstance(value, str):
        return Cell(value=value.replace("_", " ").capitalize())
    return Cell(value=value)


def _day_cell(name: str, text: str) -> Cell:
    """What holds only later, or no longer, stands out."""
    when = parse_date(text)
    if when and name == "valid_from" and when > timezone.localdate():
        return Cell(kind="badges", badges=[Badge(label=f"from {day(when)}", tone="purple", icon="future")])
    if when and name == "valid_to" and when < timezone.localdate():
        return Cell(kind="badges", badges=[Badge(label=f"ended {day(when)}", tone="grey", icon="minus")])
    return Cell(value=when, kind="date")


def has_sealed(kind: RecordType, document: Document) -> bool:
    return any(
        is_sealed(row.get(name))
        for child in kind.children
        for name in child.sealed
        for row in document.get(child.name) or []
    )
