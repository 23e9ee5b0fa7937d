"""What a person may see of records: rows, periods and records of other legal entities are left out, bank data with them.

`entities` is always what `permissions.entities_of` answers: codes of legal entities, or None for all of them. Limited are
the legal entities themselves and types whose records belong to one (`RecordType.entity_field`); a record that belongs to
none is everybody's. Of a dated record each period belongs to its company. A list shows a record to those whose company it
is of on the day of the list; the record itself is found by people of any of its periods, and has only theirs.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from functools import lru_cache
from typing import Any

from django.db.models import BooleanField, F, Func, Q, QuerySet, TextField, Value
from django.db.models.fields.json import KT
from django.utils import timezone

from mdm import periods, registry
from mdm.registry import ChildType, RecordType
from mdm.types import HEADER, Document

Entities = frozenset[str] | None
_SHELL = (*HEADER, "code", "status")  # what is left of a document nothing of which may be seen


@lru_cache(maxsize=1)
def _entity_types(_declared: int) -> frozenset[str]:
    return frozenset(
        kind.references[f"{child.name}.{child.entity_field}"]
        for kind in registry.all_types()
        for child in kind.children
        if child.entity_field and f"{child.name}.{child.entity_field}" in kind.references
    )


def is_entity_type(kind: RecordType) -> bool:
    """True for the record type whose codes are what people's scopes name."""
    return kind.key in _entity_types(len(list(registry.all_types())))


def is_limited(kind: RecordType) -> bool:
    """True when not everybody who reads the type sees every record of it."""
    return bool(kind.entity_field) or is_entity_type(kind)


def kept_for(kind: RecordType, entities: Entities) -> str:
    """What tells apart values kept in the cache that people of different companies do not share; "" when all do."""
    return ",".join(sorted(entities)) if entities is not None and is_limited(kind) else ""


# --- rows of tables ---------------------------------------------------------------------------------------------------


def visible(kind: RecordType, rows: QuerySet[Any], entities: Entities) -> QuerySet[Any]:
    """What a list shows: records whose values, as they hold today, are of the person's companies or of none."""
    if entities is None:
        return rows
    if is_entity_type(kind):
        return rows.filter(code__in=entities)
    return rows.filter(of_entities(kind, entities)) if kind.entity_field else rows


def reachable(kind: RecordType, rows: QuerySet[Any], entities: Entities) -> QuerySet[Any]:
    """Records of which the person may see something: of a dated record one period is enough."""
    if entities is None or not (kind.entity_field and kind.periods):
        return visible(kind, rows, entities)
    held = kind.child(kind.periods).model._default_manager.filter(of_entities(kind, entities))
    return rows.filter(pk__in=held.values("record_id"))


def of_entities(kind: RecordType, entities: frozenset[str], prefix: str = "") -> Q:
    """The condition on a row of a limited type, or on a row of its periods. `prefix`: the way there, `period__`."""
    field = prefix + kind.entity_field
    return Q(**{f"{field}__in": entities}) | Q(**{f"{field}__isnull": True}) | Q(**{field: ""})


def of_rows(child: ChildType, entities: frozenset[str]) -> Q:
    """The condition on rows of a list inside a record, such as the extensions of a supplier."""
    return Q(**{f"{child.entity_field}__in": entities}) | Q(**{f"{child.entity_field}__isnull": True})


class _PathExists(Func):
    """jsonb_path_exists(document, path, variables)"""

    function = "jsonb_path_exists"
    output_field = BooleanField()

    def __init__(self, document: Any, path: str, mine: frozenset[str]) -> None:
        variables = json.dumps({"mine": sorted(mine)})
        super().__init__(
            document,
            Func(Value(path), template="%(expressions)s::jsonpath", output_field=TextField()),
            Func(Value(variables), template="%(expressions)s::jsonb", output_field=TextField()),
        )


def known(kind: RecordType, rows: QuerySet[Any], entities: Entities) -> QuerySet[Any]:
    """Of the versions of records (RecordVersion) those of which the person may see something."""
    if entities is None:
        return rows
    if is_entity_type(kind):
        return rows.alias(own_code=KT("document__code")).filter(own_code__in=entities)
    if not kind.entity_field:
        return rows
    where, field = f"$.{kind.periods}[*]" if kind.periods else "$", f"@.{kind.entity_field}"
    none = f'!exists({field}) || {field} == null || {field} == ""'
    return rows.filter(_PathExists(F("document"), f"{where} ? ({none} || {field} == $mine[*])", entities))


def foreign_items(entities: frozenset[str]) -> Q:
    """The condition on items of requests (ChangeItem) that are about records which are of other companies today.

    A record that is still only proposed is of the companies the proposal names.
    """
    condition = Q(pk__in=[])
    for kind in registry.all_types():
        if not is_limited(kind):
            continue
        rows = kind.model._default_manager.all()
        known_ = ~Q(action="create") | Q(uid__in=rows.values("uid"))
        outside_ = known_ & ~Q(uid__in=visible(kind, rows, entities).values("uid"))
        condition |= Q(type=kind.key) & (outside_ | (~known_ & _proposed_elsewhere(kind, entities)))
    return condition


def _proposed_elsewhere(kind: RecordType, entities: frozenset[str]) -> Q:
    if not kind.entity_field:
        return ~Q(detail__code__in=entities)
    field = kind.entity_field
    named = f'$[*] ? (@.path == "{field}" && @.after != null || @.after.{field} != null)'
    mine = f'$[*] ? (@.path == "{field}" && @.after == $mine[*] || @.after.{field} == $mine[*])'
    changes = F("changes")
    return Q(_PathExists(changes, named, entities)) & ~Q(_PathExists(changes, mine, entities))


# --- documents --------------------------------------------------------------------------------------------------------


def sees(kind: RecordType, document: Document, entities: Entities) -> bool:
    """Whether the person may see anything of this document."""
    if entities is None:
        return True
    if is_entity_type(kind):
        return document.get("code") in entities
    if not kind.entity_field:
        return True
    held = (document.get(kind.periods) if kind.periods else None) or [document]
    return any(_is_own(row.get(kind.entity_field), entities) for row in held)


def sees_today(kind: RecordType, document: Document, entities: Entities) -> bool:
    """Whether what is shown at the top, which holds today, is theirs: what `visible` asks of the row."""
    if entities is None or not kind.entity_field:
        return sees(kind, document, entities)
    return _is_own(document.get(kind.entity_field), entities)


def sees_whole(kind: RecordType, document: Document, entities: Entities) -> bool:
    """Whether nothing of it is hidden: what was made of a document is shown only to those."""
    return strip(kind, document, entities) == document


def _is_own(value: Any, entities: frozenset[str]) -> bool:
    return not value or (isinstance(value, str) and value in entities)


def strip(kind: RecordType, document: Document, entities: Entities) -> Document:
    """The document without rows of other legal entities; sealed rows only where one of the person's uses the record.

    Of a dated record the top shows what is left of its periods. A document that is not theirs is an empty shell.
    """
    if entities is None:
        return document
    if not sees(kind, document, entities):
        return {name: document[name] for name in _SHELL if name in document}
    hidden = _hidden_rows(kind, document, entities)
    if not hidden:
        return document
    left = {
        name: [row for row in value if f"{name}/{row['uid']}" not in hidden] if kind_has(kind, name) else value
        for name, value in document.items()
    }
    if not kind.entity_field or not left.get(kind.periods):
        return left
    rest = {name: value for name, value in left.items() if name not in kind.derived}
    return {**rest, **periods.at_top(left[kind.periods], kind.dated, timezone.localdate().isoformat())}


def kind_has(kind: RecordType, name: str) -> bool:
    return any(child.name == name for child in kind.children)


def _hidden_rows(kind: RecordType, document: Document, entities: frozenset[str]) -> frozenset[str]:
    hidden: set[str] = set()
    scoped = [child for child in kind.children if child.entity_field]
    mine = False
    for child in scoped:
        everybodys = child.name == kind.periods  # a period that names no company, as a record that names none
        for row in document.get(child.name) or []:
            value = row.get(child.entity_field)
            if value in entities:
                mine = True
            elif value or not everybodys:
                hidden.add(f"{child.name}/{row['uid']}")
    if scoped and not mine:
        hidden |= {f"{c.name}/{row['uid']}" for c in kind.children if c.sealed for row in document.get(c.name) or []}
    return frozenset(hidden)


def hidden_paths(
    kind: RecordType,
    changes: Iterable[dict[str, Any]],
    documents: Iterable[Document | None],
    entities: Entities,
) -> frozenset[str]:
    """Paths of a diff ({path, before, after} rows) the person may not see; `documents`: the record before and after.

    Whoever may not see a path may not approve it either. The record's own fields are hidden while it is of others.
    """
    if entities is None:
        return frozenset()
    shown = [document for document in documents if document]
    hidden = frozenset().union(*(_hidden_rows(kind, document, entities) for document in shown))
    top = not all(sees_today(kind, document, entities) for document in shown)
    return frozenset(
        c["path"]
        for c in changes
        if "/".join(c["path"].split("/")[:2]) in hidden or (top and not kind_has(kind, c["path"].partition("/")[0]))
    )


def outside(kind: RecordType, body: Document, entities: Entities) -> list[str]:
    """Paths in a body sent by the person that name a legal entity of others."""
    if entities is None:
        return []
    own = [kind.entity_field] if kind.entity_field and not _is_own(body.get(kind.entity_field), entities) else []
    return own + [
        f"{child.name}/{row.get('uid') or index}/{child.entity_field}"
        for child in kind.children
        if child.entity_field
        for index, row in enumerate(_listed(body.get(child.name)))
        if isinstance(row, dict) and row.get(child.entity_field) not in (None, *entities)
    ]


def _listed(value: Any) -> list[Any]:
    """What is no list is told by the schema."""
    return value if isinstance(value, list) else []
