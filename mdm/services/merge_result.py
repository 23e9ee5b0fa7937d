"""What becomes of several documents in one: who stays, which value of each field and which rows survive."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any
from uuid import UUID

from mdm.errors import CorrectInput
from mdm.registry import ChildType, RecordType
from mdm.services import documents
from mdm.types import Document


def survivor_of(kind: RecordType, uids: Iterable[str | UUID]) -> str:
    """The record that stays unless a person names another: the one created first, then the lowest code.

    Of one file the row that came first.
    Whoever asks, and in whatever order, gets the same answer. "" when none of them exists.
    """
    rows = kind.model._default_manager.filter(uid__in=list(uids)).order_by("created_at", "code")
    found = rows.values_list("uid", flat=True).first()
    return str(found) if found else ""


def result(
    kind: RecordType,
    survivor: Document,
    losers: Sequence[Document],
    choices: Mapping[str, str] | None = None,
    drops: Collection[str] = (),
) -> Document:
    """The surviving document: the survivor's values, gaps filled from the losers, `choices` {field: uid} win.

    Lists of children are the union by identity, the survivor's rows first; `drops` names rows ("addresses/<uid>", of
    any of the records) that do not survive. Rows taken over get a uid of their own.
    """
    sources = [survivor, *losers]
    by_uid = {document["uid"]: document for document in sources}
    choices = choices or {}
    if any(uid not in by_uid for uid in choices.values()):
        raise CorrectInput("A choice names a record that is not part of this merge.")
    children = {child.name: child for child in kind.children}
    merged = dict(survivor)
    for name in kind.document.model_fields:
        if name in children:
            merged[name] = _union(children[name], sources, choices.get(name), drops)
        elif name in choices:
            merged[name] = by_uid[choices[name]].get(name)
        elif isinstance(survivor.get(name), list):
            merged[name] = list(dict.fromkeys(v for d in sources for v in d.get(name) or []))
        elif survivor.get(name) in (None, ""):
            merged[name] = next((d[name] for d in losers if d.get(name) not in (None, "")), None)
    for name in own_references(kind):
        if merged.get(name) in by_uid:  # the survivor cannot refer to itself, nor to what becomes part of it
            merged[name] = next((d[name] for d in sources if d.get(name) and d[name] not in by_uid), None)
    body = documents.adopt_uids(kind, documents.body_of(kind, merged), survivor)
    return {**survivor, **body}


def own_references(kind: RecordType) -> list[str]:
    """Plain fields that name another record of the same type by its uid."""
    return [path for path, key in kind.references.items() if key == kind.key and is_uid_field(kind, path)]


def is_uid_field(kind: RecordType, path: str) -> bool:
    return "." not in path and kind.model._meta.get_field(path).get_internal_type() == "UUIDField"


def _union(child: ChildType, sources: Sequence[Document], only: str | None, drops: Collection[str]) -> list[Document]:
    rows: dict[str, Document] = {}
    for index, document in enumerate(sources):
        if only and document["uid"] != only:
            continue
        for row in document.get(child.name) or []:
            if f"{child.name}/{row['uid']}" in drops:
                continue
            taken = dict(row) if index == 0 else {**row, "uid": None}
            rows.setdefault(documents.identity(child, row), taken)
    return list(rows.values())


def content(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row without its uid: what two records can both say."""
    return {name: value for name, value in row.items() if name != "uid"}
