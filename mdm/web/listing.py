"""The list of a record type: what the address asks for, the rows it finds, and the table they become."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial
from typing import Any

from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse

from mdm import registry
from mdm.folding import fold
from mdm.models.record import RecordStatus
from mdm.registry import Column as RecordColumn
from mdm.registry import RecordType
from mdm.selectors import keyset, search_records, visibility
from mdm.selectors.visibility import Entities
from mdm.services import preferences
from mdm.web import browsing, memory, visitor
from mdm.web.browsing import Filter
from mdm.web.page import Badge
from mdm.web.tables import Cell, Column, Row, Table

SIZE = 50
KEEP_CHOICES = 300  # seconds the values of a filter are kept: new ones appear a little later in the list of choices
_HAS = (("request", "an open request"), ("pair", "a possible duplicate"), ("pin", "a pinned value"))
_KINDS: dict[str, Any] = {"code": "id", "date": "time", "status": "state", "number": "number"}


# --- what is asked for ----------------------------------------------------------------------------------------


def filters(kind: RecordType, entities: Entities) -> list[Filter]:
    """The filters of the type, with their choices where there are few enough to choose from."""
    found = [_filter(kind, name, entities) for name in kind.filters if name not in (kind.name_field, "code")]
    paths = [(name, kind.label(name)) for name in kind.document.model_fields if name != kind.name_field]
    return [
        *found,
        Filter(name="missing", words="without", label="Without", options=paths, any_label="Whatever is filled"),
        Filter(name="has", words="with", label="With", options=_HAS, any_label="Anything"),
    ]


def _filter(kind: RecordType, name: str, entities: Entities) -> Filter:
    words = f"{kind.label(name)[0].lower()}{kind.label(name)[1:]} is"
    if name == "status":
        return Filter(name=name, words=words, label="Status", options=list(RecordStatus.choices))
    if name in kind.references:
        other = kind.references[name]
        key = f"choices:{kind.key}:{name}:{visibility.kept_for(registry.get(other), entities)}"
        choose = partial(search_records.choices_of, other, entities=entities)
        options = memory.remember(key, KEEP_CHOICES, choose)
        options = [(code, f"{code} · {title}") for code, title in options]
    else:
        key = f"choices:{kind.key}:{name}:{visibility.kept_for(kind, entities)}"
        values = memory.remember(key, KEEP_CHOICES, lambda: search_records.values_of(kind, name, entities))
        options = [(value, value) for value in values]
    return Filter(name=name, words=words, label=kind.label(name), kind="select" if options else "text", options=options)


def rows(request: HttpRequest, kind: RecordType, held: dict[str, str]) -> QuerySet[Any]:
    """The records the address asks for, among those the person may see."""
    found = visibility.visible(kind, kind.model._default_manager.all(), visitor.entities(request))
    plain = {name: value for name, value in held.items() if value and name in kind.filters}
    found = search_records.where(kind, found, plain)
    if held.get("missing"):
        found = search_records.without(kind, found, held["missing"])
    if held.get("has"):
        found = search_records.having(kind, found, held["has"])
    typed = request.GET.get("q", "").strip()[:200]
    return search_records.found_by(found, fold(typed).split()) if typed else found


def order(request: HttpRequest, kind: RecordType) -> str:
    """The column to sort by; only such that an index serves."""
    wanted = request.GET.get("sort", "")
    return wanted if wanted.lstrip("-") in sortable(kind) else kind.name_field


def sortable(kind: RecordType) -> tuple[str, ...]:
    return (kind.name_field, "code", "updated_at")


def columns(request: HttpRequest, kind: RecordType) -> list[RecordColumn]:
    """The person's choice, else the defaults; the name always comes first."""
    chosen = preferences.of(user=request.user, name=f"columns:{kind.key}").get("columns") or [
        column.name for column in kind.columns if column.default
    ]
    first = [column for column in kind.columns if column.name == kind.name_field]
    return [*first, *(c for c in kind.columns if c.name in chosen and c.name != kind.name_field)]


def page(request: HttpRequest, kind: RecordType, found: QuerySet[Any], shown: Sequence[RecordColumn]) -> keyset.Slice:
    names = dict.fromkeys(("pk", "uid", "code", "status", kind.name_field, "updated_at", *(c.name for c in shown)))
    cursor = request.GET.get("cursor", "")[:2000]
    return keyset.cut(found.values(*names), order=(order(request, kind),), size=SIZE, cursor=cursor)


# --- the table ------------------------------------------------------------------------------------------------


def table(
    request: HttpRequest, kind: RecordType, listed: Iterable[dict[str, Any]], shown: Sequence[RecordColumn]
) -> Table:
    found = list(listed)
    open_, twins = search_records.about(kind, [row["uid"] for row in found])
    return Table(
        caption=kind.plural,
        columns=[_head(request, kind, column, place) for place, column in enumerate(shown)],
        rows=[_row(kind, row, shown, open_.get(str(row["uid"]), ""), str(row["uid"]) in twins) for row in found],
        selectable=True,
        form_id="bulk",
        data=True,
    )


def _head(request: HttpRequest, kind: RecordType, column: RecordColumn, place: int) -> Column:
    now = order(request, kind)
    sort, url = "", ""
    if column.name in sortable(kind):
        falling = now == column.name
        url = visitor.changed_query(request, sort=f"-{column.name}" if falling else column.name)
        sort = {column.name: "ascending", f"-{column.name}": "descending"}.get(now, "")
    priority = 0 if place == 0 or column.name == "status" else 1 if place < 3 else 2 if column.default else 3
    return Column(
        label=column.title,
        key=column.name,
        priority=priority,
        numeric=column.kind in ("number", "date"),
        sort_url=url,
        sort=sort,  # type: ignore[arg-type]
    )


def _row(kind: RecordType, row: dict[str, Any], shown: Sequence[RecordColumn], request: str, twin: bool) -> Row:
    badges = []
    if request:
        open_url = reverse("web:request", args=[int(request)])
        badges.append(Badge(label="Open request", tone="amber", icon="half", url=open_url, outline=True))
    if twin:
        badges.append(Badge(label="Duplicate?", tone="amber", icon="duplicate", outline=True))
    name = str(row[kind.name_field])
    first = Cell(value=name, kind="title", url=visitor.record_url(kind, row["uid"]), badges=badges)
    return Row(cells=[first, *(_cell(column, row) for column in shown[1:])], uid=str(row["uid"]), title=name)


def _cell(column: RecordColumn, row: dict[str, Any]) -> Cell:
    kind = _KINDS.get(column.kind, "")
    return Cell(
        value=row[column.name], kind=kind, domain="record" if column.kind == "status" else "", muted=kind == "time"
    )


def held(request: HttpRequest, offered: Sequence[Filter]) -> dict[str, str]:
    return browsing.values_of(request, offered)
