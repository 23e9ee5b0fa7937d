"""Golden documents as the API shows them: current or as known at a time, masked, and cut to what the caller may see."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from functools import lru_cache
from typing import Any

from django.db import connection
from django.db.models import OuterRef, QuerySet, Subquery, TextField
from django.db.models.functions import Cast
from pydantic_core import from_json, to_json

from mdm import crypto, dating
from mdm.errors import CorrectInput, NotFound
from mdm.models import RecordVersion
from mdm.registry import ChildType, RecordType
from mdm.selectors import records, visibility
from mdm.selectors.visibility import Entities
from mdm.types import Document, Problem

HEADER = ("uid", "code", "status", "version", "schema", "updated_at")


def rows(kind: RecordType, entities: Entities) -> QuerySet[Any]:
    """Records a list shows the caller."""
    return visibility.visible(kind, kind.model._default_manager.all(), entities)


def with_document(found: QuerySet[Any], *more: str) -> QuerySet[Any]:
    """The same rows, as plain values with their stored document as text: one query whatever their number."""
    version = RecordVersion.objects.filter(uid=OuterRef("uid"), version=OuterRef("version"))
    text = Subquery(version.values(text=Cast("document", TextField()))[:1])
    return found.annotate(text=text).values(*dict.fromkeys(("pk", "updated_at", "merged_into", "text", *more)))


def lookup(kind: RecordType, reference: str) -> dict[str, Any]:
    """`<uid>` or `code:<code>` as a filter."""
    if reference.startswith("code:"):
        return {"code": reference.removeprefix("code:")}
    try:
        return {"uid": uuid.UUID(reference)}
    except ValueError:
        raise NotFound("Give a uid, or code:<code>.") from None


def lookup_uid(text: str, path: str = "") -> dict[str, Any]:
    """A uid of the address as a filter; of a parameter (`path`) it is the caller's mistake when it is none."""
    try:
        return {"uid": uuid.UUID(text)}
    except ValueError:
        if path:
            raise CorrectInput(
                "This must be a uid.", problems=[Problem(path, "uuid_parsing", "This must be a uid.")]
            ) from None
        raise NotFound("There is no such thing.") from None


@dataclass(frozen=True, slots=True)
class Found:
    """One golden record as reading needs it: its row's header and its stored document."""

    uid: uuid.UUID
    code: str
    status: str
    version: int
    updated_at: datetime
    merged_into: uuid.UUID | str | None
    document: Document


@lru_cache(maxsize=64)
def _statement(kind: RecordType, column: str) -> str:
    """Written once per type: putting this together anew would cost more than running it."""
    return (
        "SELECT r.uid, r.code, r.status, r.version, r.updated_at, r.merged_into, v.document::text "
        f'FROM "{kind.model._meta.db_table}" r '
        f'JOIN "{RecordVersion._meta.db_table}" v ON v.uid = r.uid AND v.version = r.version WHERE r."{column}" = %s'
    )


def find(kind: RecordType, reference: str, entities: Entities) -> Found:
    """The golden record with its document, by uid or code; NotFound also when it is not for the caller."""
    [(column, value)] = lookup(kind, reference).items()
    with connection.cursor() as cursor:
        cursor.execute(_statement(kind, column), [value])
        row = cursor.fetchone()
    document = from_json(row[6]) if row else {}
    if row is None or not visibility.sees(kind, document, entities):
        raise NotFound(f"There is no such {kind.noun}.")
    uid, code, status, version, updated_at, merged_into, _ = row
    return Found(uid, code, status, version, updated_at, merged_into, document)


def find_uid(kind: RecordType, reference: str, entities: Entities) -> uuid.UUID:
    rows_ = visibility.reachable(kind, kind.model._default_manager.all(), entities)
    uid = rows_.filter(**lookup(kind, reference)).values_list("uid", flat=True).first()
    if uid is None:
        raise NotFound(f"There is no such {kind.noun}.")
    return uid


def present(
    kind: RecordType,
    document: Document,
    *,
    updated_at: datetime,
    entities: Entities,
    fields: Iterable[str] | None = None,
    merged_into: Any = None,
    as_of: date | None = None,
) -> Document:
    """What leaves the hub: numbers masked, rows of other legal entities left out, the header first.

    `as_of`: of a dated record, the values of that day instead of those of today.
    """
    seen = visibility.strip(kind, document, entities)
    if as_of is not None:
        seen = dating.as_of(kind, seen, as_of)
    shown: Document = {
        "uid": seen["uid"],
        "code": seen["code"],
        "status": seen["status"],
        "version": seen["version"],
        "schema": seen.get("schema", kind.schema),
        "updated_at": updated_at,
    }
    if merged_into:
        shown["merged_into"] = str(merged_into)
    shown |= {name: seen[name] for name in kind.document.model_fields if name in seen}
    for child in kind.children:
        if child.sealed and shown.get(child.name):
            shown[child.name] = [_masked(child, row) for row in shown[child.name]]
    if fields is not None:
        shown = {name: value for name, value in shown.items() if name in fields or name == "uid"}
    return shown


def _masked(child: ChildType, row: Document) -> Document:
    return {**row, **{name: crypto.mask(row.get(name)) for name in child.sealed}}


def present_row(
    kind: RecordType,
    row: dict[str, Any],
    entities: Entities,
    fields: Iterable[str] | None = None,
    as_of: date | None = None,
) -> Document:
    """A row of `with_document`."""
    return present(
        kind,
        from_json(row["text"]),
        updated_at=row["updated_at"],
        entities=entities,
        fields=fields,
        merged_into=row["merged_into"],
        as_of=as_of,
    )


_SEALED = re.compile(r'\{"ct": "[^"]*", "bix": "[^"]*", "kid": "[^"]*", "head": "([^"]*)", "last4": "([^"]*)"\}')


def present_text(kind: RecordType, row: dict[str, Any]) -> str:
    """A row of `with_document` as JSON text, for callers who may see all of it, without reading it into values first.

    Sealed values are found by their shape, which no text can imitate: quotation marks inside texts are escaped. Should
    one ever look different, the slow way decides.
    """
    text = _SEALED.sub(r'"\1…\2"', row["text"])
    if '"bix"' in text:
        return to_json(present_row(kind, row, None)).decode()
    merged = f', "merged_into": "{row["merged_into"]}"' if row["merged_into"] else ""
    moment = row["updated_at"].isoformat().replace("+00:00", "Z")
    return f'{text[:-1]}, "updated_at": "{moment}"{merged}}}'


def present_version(
    kind: RecordType,
    version: RecordVersion,
    entities: Entities,
    fields: Iterable[str] | None = None,
    as_of: date | None = None,
) -> Document:
    """What the hub knew, with the time it learned it."""
    return present(kind, version.document, updated_at=version.created_at, entities=entities, fields=fields, as_of=as_of)


def fields_of(kind: RecordType, text: str | None) -> frozenset[str] | None:
    """`?fields=a,b` checked; the uid is always shown."""
    if not text:
        return None
    known = {*HEADER, "merged_into", *kind.document.model_fields}
    wanted = [name.strip() for name in text.split(",") if name.strip()]
    problems = [
        Problem("fields", "unknown_field", f"There is no field “{name[:60]}”.") for name in wanted if name not in known
    ]
    if problems:
        raise CorrectInput(problems[0].message, problems=problems)
    return frozenset(wanted)


def survivor(kind: RecordType, row: Any) -> str | None:
    """Where a merged record leads now, following chained merges."""
    return records.survivor_uid(kind, row.uid) if row.status == "merged" and row.merged_into else None


def known_at(kind: RecordType, uid: uuid.UUID, moment: datetime, entities: Entities) -> RecordVersion:
    """The version the hub held at that time; NotFound also when it was of other companies then."""
    version = RecordVersion.objects.filter(type=kind.key, uid=uid, created_at__lte=moment).order_by("-version").first()
    if version is None or not visibility.sees(kind, version.document, entities):
        raise NotFound("The hub did not know this record at that time.")
    return version


def check_code(body: Document, path: str = "") -> None:
    """A code is text; everything else about it is checked where it is given."""
    if not isinstance(body.get("code"), str | None):
        text = "A code is text."
        raise CorrectInput(text, problems=[Problem(f"{path}code", "string_type", text)])
