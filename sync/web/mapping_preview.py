"""A record as it would be sent to a target: its payload, with the problems that would keep it here; bank numbers masked."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.http import require_GET

from mdm import permissions, registry
from mdm.crypto import mask_tree, open_tree
from mdm.errors import NotFound
from mdm.folding import fold
from mdm.selectors import search_records, visibility
from mdm.selectors.records import current_document
from mdm.web import visitor
from mdm.web.page import Callout, Link
from mdm.web.tables import Cell, Column, Row, Table
from sync import flat
from sync.models import Target
from sync.payloads import Renderer, conceal, renderer
from sync.redact import mask_number
from sync.rules import Rule
from sync.web import doors, field_words, mapping_words
from sync.web.findings import is_uid
from sync.web.mappings import head, types_of

PREVIEW_COLUMNS = (
    Column(label="Field there"),
    Column(label="Would be sent"),
    Column(label="Made of", priority=1),
    Column(label="Problem"),
)
FOUND = 8  # records a search shows


@require_GET
@visitor.page
def preview(request: HttpRequest, code: str) -> HttpResponse:
    doors.require_read(request)
    target = get_object_or_404(Target, code=code)
    kinds = [kind for kind in types_of(target) if _may_read(request, kind)]
    kind = next((kind for kind in kinds if kind.key == request.GET.get("type")), kinds[0] if kinds else None)
    if kind is None:
        raise NotFound("There is no record you may see that this target takes.")
    context = head(request, target, f"Try a record at {target.title}", "preview", note="Nothing is sent by looking") | {
        "search": {"q": request.GET.get("q", ""), "type": kind.key},
        "kinds": [Link(one.plural, f"?type={one.key}", current=one == kind) for one in kinds] if len(kinds) > 1 else [],
        "found": _found(request, kind),
        **(_rendered(request, target, kind, request.GET["record"]) if request.GET.get("record") else {}),
    }
    return render(request, "sync/mapping_preview.html", context)


def _may_read(request: HttpRequest, kind: registry.RecordType) -> bool:
    return permissions.may(visitor.actor(request), f"read:{kind.path}")


def _found(request: HttpRequest, kind: registry.RecordType) -> list[Link]:
    """Records by words or code, newest ones when nothing was asked for."""
    asked = request.GET.get("q", "").strip()
    rows = visibility.visible(kind, kind.model._default_manager.exclude(status="merged"), visitor.entities(request))
    if asked:
        rows = search_records.found_by(rows, fold(asked).split()) | rows.filter(code__iexact=asked)
    return [
        Link(
            f"{row.code} {getattr(row, kind.name_field)}",
            visitor.changed_query(request, record=str(row.uid), type=kind.key),
        )
        for row in rows.order_by("-pk")[:FOUND]
    ]


def _rendered(request: HttpRequest, target: Target, kind: registry.RecordType, uid: str) -> dict[str, Any]:
    if not is_uid(uid):
        raise NotFound("There is no such record.")
    document = current_document(kind.key, visitor.record_at(request, kind, uid).uid)
    if not visibility.sees_whole(kind, document, visitor.entities(request)):
        return {"record": Callout(title="Hidden", body="This record carries data of companies that are not yours.")}
    render_ = renderer(target, kind.key)
    found = render_.mapping.collect(open_tree(document), render_.values)
    hidden = render_.mapping.sealed_values(found.payload)
    problems: dict[str, list[str]] = {}
    for problem in found.problems:
        problems.setdefault(problem.field, []).append(conceal(problem.message, hidden))
    rows = list(_grouped(kind, render_, found.payload, document, problems))
    name = f"{document.get('code', '')} {kind.name_of(document)}".strip()
    verdict = Callout(
        title=f"{name} fits {target.title}",
        body="Lengths, needed fields and value maps are in order.",
        tone="green",
        icon="ok",
    )
    if problems:
        words = " ".join(text for texts in problems.values() for text in texts)
        title = f"{name} would be refused before it is sent"
        verdict = Callout(title=title, body=words, tone="red", icon="alert")
    said = any(row.cells and row.cells[3].value for row in rows)
    columns = PREVIEW_COLUMNS if said else PREVIEW_COLUMNS[:3]
    cut = [replace(row, cells=row.cells[: len(columns)]) for row in rows]
    return {"record": verdict, "table": Table(caption="Payload", columns=columns, rows=cut, plain=True)}


def _grouped(
    kind: registry.RecordType,
    render_: Renderer,
    payload: Mapping[str, Any],
    document: Mapping[str, Any],
    problems: dict[str, list[str]],
) -> Iterator[Row]:
    """The payload under a heading for each part there, and for each row of ours that becomes a row there."""
    collections = {rows.part: rows.collection for rows in render_.mapping.rules.rows}
    last: tuple[str, str | None] = ("", None)
    for name, value in payload.items():
        if (shown := _row(kind, render_, name, value, problems)) is None:
            continue
        part, row, _ = flat.split_name(name)
        if (part, row) != last and part:
            which = field_words.row_name(kind, collections.get(part, ""), row, document) if row else ""
            yield Row(cells=(), group=part, group_note=which or row or "")
        last = (part, row)
        yield shown


def _row(
    kind: registry.RecordType, render_: Renderer, name: str, value: Any, problems: dict[str, list[str]]
) -> Row | None:
    rule, _ = render_.mapping.rule(name)
    if rule.derived:
        return None
    words = " ".join(_problems_of(rule, name, problems)) if value is None else ""
    can = render_.target.pushable.get(flat.part_of(name), True)
    shown = mask_number(str(value)) if value and render_.mapping.is_sealed(name) else mask_tree(value)
    return Row(
        tone="red" if words else "",
        cells=[
            Cell(value=flat.split_name(name)[2], kind="mono"),
            Cell(value=shown, kind="mono"),
            Cell(value=mapping_words.sources(kind, rule), muted=True),
            Cell(value=words or ("" if can else "Not pushable here: neither sent nor compared"), muted=not words),
        ],
    )


def _problems_of(rule: Rule, name: str, problems: dict[str, list[str]]) -> list[str]:
    """The problems whose path ends in what this field is made of, in the row this field belongs to."""
    _, row, _ = flat.split_name(name)
    own = [source.text.removeprefix("$.") for source in rule.sources] or [rule.names[0]]
    paths = [f"/{row}/{text}" for text in own] if row is not None else own
    return [
        text
        for path, texts in problems.items()
        for text in texts
        if path in own or any(f"/{path}".endswith(wanted) for wanted in paths if row is not None)
    ]
