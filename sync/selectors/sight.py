"""Owns what people of some companies may see of deliveries, plans, drift and exceptions: all of it is made of records.

What is about a record of other companies is not there for them. What is about a record that carries data of others beside
their own is there, without values: what was sent or is held cannot be cut to theirs any more. `entities` as everywhere.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, TypeVar

from django.db.models import Q, QuerySet

from mdm import registry
from mdm.errors import NotAllowed
from mdm.models import RecordVersion
from mdm.selectors import visibility
from mdm.selectors.records import current_documents
from mdm.selectors.visibility import Entities
from mdm.types import Document
from sync import flat
from sync.models import Delivery

Row = TypeVar("Row")
HIDDEN = "Hidden: it carries data of companies that are not yours"


def seen(rows: QuerySet[Any], entities: Entities, record: str = "record") -> QuerySet[Any]:
    """Rows with a `type` and a record, without those about records of other companies."""
    if entities is None:
        return rows
    for kind in registry.all_types():
        if visibility.is_limited(kind):
            mine = visibility.visible(kind, kind.model._default_manager.all(), entities)
            rows = rows.exclude(Q(type=kind.key) & ~Q(**{f"{record}__in": mine.values("uid")}))
    return rows


def _rows_of(document: Document) -> set[str]:
    lists = (value for value in document.values() if isinstance(value, list))
    return {str(row["uid"]) for rows in lists for row in rows if isinstance(row, dict) and row.get("uid")}


@dataclass(frozen=True)
class Sight:
    """What of a page of rows is hidden; made by `over`. For people of all companies nothing is, and nothing was read."""

    entities: Entities
    documents: dict[str, Document] = field(default_factory=dict)

    def hides(self, type: str, record: Any, path: str = "", field: str = "") -> bool:
        """Whether values of this record are hidden: it is not wholly theirs, or nobody knows whose it is.

        `path`, `field`: what the value is about, here and there. A row of a list in which companies have their own rows,
        or that holds sealed numbers, may be of another company even where the record of the hub has no such row.
        """
        if self.entities is None:
            return False
        kind, document = registry.find(type), self.documents.get(str(record))
        if kind is None or document is None or not visibility.sees_whole(kind, document, self.entities):
            return True
        if not path and field and (row := flat.split_name(field)[1]) is not None:
            return row not in _rows_of(document)
        name, _, rest = path.partition("/") if "/" in path else re.split(r"([\[.])", f"{path}[", maxsplit=1)
        child = next((one for one in kind.children if one.name == name), None)
        if child is None or not (child.entity_field or child.sealed):
            return False
        return rest.partition("/")[0] not in {row.get("uid") for row in document.get(name) or ()}


def over(records: Iterable[tuple[str, Any]], entities: Entities) -> Sight:
    """Of the rows of a page, given as (type, record): two queries for each type, none for people of all companies."""
    if entities is None:
        return Sight(None)
    named: dict[str, set[str]] = {}
    for type, uid in records:
        if uid is not None and registry.find(type):
            named.setdefault(type, set()).add(str(uid))
    found = {uid: document for type, uids in named.items() for uid, document in current_documents(type, uids).items()}
    return Sight(entities, found)


def parts(rows: Iterable[Row], size: int = 1000) -> Iterator[list[Row]]:
    """A long list in parts, for each of which `over` is asked once."""
    left = iter(rows)
    while some := list(islice(left, size)):
        yield some


def hidden_deliveries(rows: Iterable[Delivery], entities: Entities) -> frozenset[int]:
    """Row ids of deliveries whose values are hidden: by the version that was sent, or by what the record is now."""
    if entities is None:
        return frozenset()
    listed = list(rows)
    now = over(((row.type, row.record) for row in listed), entities)
    uids, versions = {row.record for row in listed}, {row.version for row in listed}
    found = RecordVersion.objects.filter(uid__in=uids, version__in=versions).values_list("uid", "version", "document")
    sent = {(uid, version): document for uid, version, document in found}
    return frozenset(
        row.pk
        for row in listed
        if now.hides(row.type, row.record) or _hides(row.type, sent.get((row.record, row.version)), entities)
    )


def _hides(type: str, document: Document | None, entities: Entities) -> bool:
    return document is None or not visibility.sees_whole(registry.get(type), document, entities)


def require(hidden: bool) -> None:
    """Nobody decides on what they cannot see."""
    if hidden:
        raise NotAllowed("It carries data of companies that are not yours, so somebody who may see them decides.")
