"""The mapping that made a delivery, value by value: golden field, what it holds, field there, what is sent. Masked."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from mdm import registry
from mdm.crypto import mask_tree
from mdm.models import RecordVersion
from mdm.selectors.visibility import Entities
from mdm.types import Document
from mdm.web.diffs import child_name
from mdm.web.tables import Cell, Column, Row, Table
from mdm.web.values import is_empty
from sync import flat, paths
from sync.errors import SyncError
from sync.models import Delivery
from sync.payloads import Renderer, renderer
from sync.redact import mask_number
from sync.rules import Rows, Rule
from sync.selectors import sight

COLUMNS = (
    Column(label="Golden field"),
    Column(label="Value"),
    Column(label="Field there", priority=1),
    Column(label="Sent as"),
)


def build(delivery: Delivery, *, entities: Entities) -> tuple[Table | None, str]:
    """(table, words about the mapping); rendered again from the version that was sent, nothing of it is kept."""
    document = (
        RecordVersion.objects.filter(type=delivery.type, uid=delivery.record, version=delivery.version)
        .values_list("document", flat=True)
        .first()
    )
    if document is None or delivery.action == "block":
        return None, ""
    kind = registry.get(delivery.type)
    try:
        render = renderer(delivery.target, delivery.type)
    except SyncError:
        return None, ""
    if sight.hidden_deliveries([delivery], entities):
        return None, sight.HIDDEN
    try:
        payload = render.render(document)
    except SyncError as error:
        return None, f"Nothing can be made of it: {error.message}"
    same = delivery.mapping_version in ("", render.version)
    note = "as it is sent now" if same else "as mapped today; it was sent with an older mapping"
    rows = list(_lines(kind, render, document, payload))
    return (Table(caption="Mapping", columns=COLUMNS, rows=rows, plain=True) if rows else None), note


def _lines(
    kind: registry.RecordType, render: Renderer, document: Document, payload: Mapping[str, Any]
) -> Iterator[Row]:
    rules = render.mapping.rules
    for rule in rules.fields:
        yield from _line(kind, render, rule, rule.names, document, None, payload)
    for rows in rules.rows:
        children = {
            str(child.get(rows.key) or place): child
            for place, child in enumerate(paths.children_at(rows.each, document))
        }
        for name in flat.rows(payload, rows.part):
            child = children.get(name)
            yield _heading(kind, rows, child)
            for rule in rows.fields:
                names = tuple(flat.join_name(rows.part, name, leaf) for leaf in rule.leaves)
                yield from _line(kind, render, rule, names, document, child, payload)


def _heading(kind: registry.RecordType, rows: Rows, child: Mapping[str, Any] | None) -> Row:
    known = next((one for one in kind.children if one.name == rows.collection), None)
    return Row(cells=(), group=child_name(known, child) if known and child else rows.part)


def _line(
    kind: registry.RecordType,
    render: Renderer,
    rule: Rule,
    names: tuple[str, ...],
    document: Document,
    child: Mapping[str, Any] | None,
    payload: Mapping[str, Any],
) -> Iterator[Row]:
    """Fields the platform makes itself, and values nobody has, are left out."""
    sent = {name: payload[name] for name in names if name in payload and not is_empty(payload[name])}
    if rule.derived or not sent:
        return
    sealed = render.mapping.is_sealed(names[0])
    ours = [mask_tree(paths.value_at(source, document, child)) for source in rule.sources]
    held = [value for value in ours if not is_empty(value)]
    label = ", ".join(dict.fromkeys(_label(kind, source.text) for source in rule.sources)) or "fixed by the mapping"
    for place, (name, value) in enumerate(sent.items()):
        yield Row(
            cells=[
                Cell(value=label if not place else "", muted=not rule.sources),
                Cell(value=(held[0] if len(held) == 1 else held) if not place else ""),
                Cell(value=flat.generic_name(name).replace("[*]", ""), kind="mono"),
                Cell(value=mask_number(str(value)) if sealed else value, kind="mono"),
            ]
        )


def _label(kind: registry.RecordType, text: str) -> str:
    """`addresses[registered|0].city` as people name it."""
    name, _, rest = text.partition("[")
    leaf = rest.partition("]")[2].lstrip(".").partition("[")[0]
    return kind.label(f"{name}/x/{leaf}") if leaf else kind.label(name)
