"""Reading golden records: current documents, versions as of a known time, and what people may see of them."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from django.db import connection
from django.db.models import F, QuerySet

from mdm import registry
from mdm.errors import NotFound
from mdm.models import RecordVersion
from mdm.registry import RecordType
from mdm.types import Document


def current_documents(type_key: str, uids: Iterable[str | UUID]) -> dict[str, Document]:
    """{uid: canonical document, sealed} of the current version of each record that exists; two queries."""
    kind = registry.get(type_key)
    wanted = list(uids)
    versions = dict(kind.model._default_manager.filter(uid__in=wanted).values_list("uid", "version"))
    rows = RecordVersion.objects.filter(uid__in=versions).values_list("uid", "version", "document")
    if len(versions) > 1:
        # Only the current version of each: a record with a long past must not be read whole.
        rows = rows.filter(version__in=set(versions.values()))
    elif versions:
        rows = rows.filter(version=next(iter(versions.values())))
    return {str(uid): document for uid, version, document in rows if versions[uid] == version}


def current_document(type_key: str, uid: str | UUID) -> Document:
    """The canonical document, sealed; NotFound when there is no such record."""
    documents = current_documents(type_key, [uid])
    if not documents:
        raise NotFound("There is no such record.")
    return next(iter(documents.values()))


def document_at(type_key: str, uid: str | UUID, known_at: datetime) -> Document:
    """What the hub believed of the record at that time."""
    row = RecordVersion.objects.filter(type=type_key, uid=uid, created_at__lte=known_at).order_by("-version").first()
    if row is None:
        raise NotFound("The hub did not know this record at that time.")
    document: Document = row.document
    return document


def versions(type_key: str, uid: str | UUID) -> QuerySet[RecordVersion]:
    return (
        RecordVersion.objects.filter(type=type_key, uid=uid)
        .select_related("change")
        .defer("document")
        .order_by("-version")
    )


def with_documents(kind: RecordType, queryset: QuerySet[Any]) -> list[Document]:
    """The documents of a page of records, in its order; two queries whatever the size of the page."""
    order = [str(uid) for uid in queryset.values_list("uid", flat=True)]
    documents = current_documents(kind.key, order)
    return [documents[uid] for uid in order]


def by_reference(kind: RecordType, reference: str) -> Any:
    """A golden row by uid or `code:<code>`; NotFound otherwise."""
    lookup: dict[str, Any]
    if reference.startswith("code:"):
        lookup = {"code": reference.removeprefix("code:")}
    else:
        try:
            lookup = {"uid": UUID(reference)}
        except ValueError:
            raise NotFound("Give a uid, or code:<code>.") from None
    row = kind.model._default_manager.filter(**lookup).first()
    if row is None:
        raise NotFound(f"There is no such {kind.noun}.")
    return row


def survivor_uid(kind: RecordType, uid: str | UUID) -> str:
    """Where a merged record's uid leads now, following chained merges."""
    found = survivors(kind, "uid", [uid]).get(str(uid))
    return str(found.uid) if found else str(uid)


class Survivor(NamedTuple):
    uid: UUID
    code: str
    status: str


def survivors(kind: RecordType, column: str, values: Iterable[str | UUID]) -> dict[str, Survivor]:
    """{uid or code (`column`): the golden record now}, following chained merges; unknown ones are left out. One query."""
    wanted = list(map(str, values))
    if not wanted:
        return {}
    table, cast = kind.model._meta.db_table, {"uid": "uuid", "code": "text"}[column]
    statement = (
        "WITH RECURSIVE chain AS ("
        f'SELECT {column}::text AS asked, uid, code, status, merged_into FROM "{table}" WHERE {column} = ANY(%s::{cast}[])'
        f' UNION SELECT chain.asked, r.uid, r.code, r.status, r.merged_into FROM chain JOIN "{table}" r'
        " ON r.uid = chain.merged_into) SELECT asked, uid, code, status FROM chain WHERE merged_into IS NULL"
    )
    with connection.cursor() as cursor:
        cursor.execute(statement, [wanted])
        return {asked: Survivor(uid, code, status) for asked, uid, code, status in cursor.fetchall()}


def names(type_key: str, uids: Iterable[str | UUID]) -> dict[str, tuple[str, str]]:
    """{uid: (code, name)} for links and labels; one query."""
    kind = registry.get(type_key)
    rows = kind.model._default_manager.filter(uid__in=list(uids)).values_list("uid", "code", F(kind.name_field))
    return {str(uid): (code, name) for uid, code, name in rows}
