"""What can be asked about one record: its versions, where its values come from, its keys, who refers to it, deliveries."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import ConfigDict, Field
from rest_framework.request import Request
from rest_framework.response import Response

from mdm import crypto, ports
from mdm.api import crosswalks, documents, record_shapes
from mdm.api.change_shapes import PathDiff
from mdm.api.crosswalks import CrosswalkBody
from mdm.api.operations import Answer, Moment, Page, PageQuery, Query, Shown, operation
from mdm.api.records import RecordView
from mdm.models import Crosswalk, RecordVersion
from mdm.selectors import provenance, references, visibility
from mdm.types import Document, diff


class RequestOfVersion(Shown):
    uid: UUID
    number: str
    title: str


class VersionBody(Shown):
    version: int
    status: record_shapes.Status
    at: datetime
    by: str
    change_request: RequestOfVersion
    diff: list[PathDiff]


class HistoryQuery(PageQuery):
    page_size: int = Field(50, ge=1, le=200, description="How many results at most.")
    known_at: Moment | None = Field(None, description="Only what the hub knew then.")


class History(RecordView):
    @operation(
        "List the versions of a {type}",
        scope="read:{type}",
        query=HistoryQuery,
        answers={200: Page[VersionBody]},
        id="{type}_history",
        notes="Newest first; `diff` is what each version changed.",
    )
    def get(self, request: Request, uid: str) -> Response:
        found = documents.find_uid(self.kind, uid, self.entities)
        rows = RecordVersion.objects.filter(type=self.kind.key, uid=found).select_related("change")
        rows = visibility.known(self.kind, rows, self.entities)
        if self.query.known_at:
            rows = rows.filter(created_at__lte=self.query.known_at)
        return self.page(rows, present_all=self._present_all, key="version", falling=True)

    def _present_all(self, rows: list[RecordVersion]) -> list[dict[str, Any]]:
        if not rows:
            return []
        seen = {row.version: row.document for row in rows}
        before = min(seen) - 1
        seen |= dict(RecordVersion.objects.filter(uid=rows[0].uid, version=before).values_list("version", "document"))
        return [self._present(row, seen.get(row.version - 1)) for row in rows]

    def _present(self, row: RecordVersion, before: Document | None) -> dict[str, Any]:
        own = visibility.strip(self.kind, row.document, self.entities)
        old = visibility.strip(self.kind, before, self.entities) if before else {}
        theirs = visibility.sees_today(self.kind, row.document, self.entities)
        title = row.change.title if theirs else "A request of another company"
        return {
            "version": row.version,
            "status": row.status,
            "at": row.created_at,
            "by": row.actor_name,
            "change_request": {"uid": row.change.uid, "number": row.change.number, "title": title},
            "diff": [crypto.mask_tree(change.as_json()) for change in diff(old, own)],
        }


class Losing(Shown):
    system: str
    key: str
    value: Any


class OfferPart(Shown):
    """One source's share of a value that several sources make together."""

    value: Any
    system: str
    key: str
    since: datetime | None


class SourceOffer(Shown):
    system: str = Field(description="`hub` for what people entered here.")
    key: str
    value: Any
    since: datetime | None = Field(description="When it was received.")
    winner: bool = Field(description="The value that holds came from here.")
    same: bool = Field(description="It says what holds.")
    left: bool = Field(description="The system no longer has its record: it speaks only where nobody else does.")
    waiting: bool = Field(description="It comes from a load that nobody has approved yet.")


class PinBody(Shown):
    uid: UUID
    path: str = Field(description="A field, a row, or the fields that survive together: `first+second`.")
    value: Any
    reason: str
    by: str
    at: datetime
    until: Any = Field(json_schema_extra={"type": ["string", "null"], "format": "date"})
    differs: bool = Field(
        description="The sources say something else; once they say the same again, the pin is dropped."
    )


class OriginBody(Shown):
    path: str
    value: Any
    system: str | None = Field(description="Where the value comes from; null when that is not known.")
    key: str | None
    rule: str | None = Field(description="The test that really decided, such as `recency`; see docs/survivorship.md.")
    rule_text: str = Field(description="The same in words: “most recent of 3”.")
    since: datetime | None
    together: list[str] = Field(description="Fields that always come from one source, this one among them.")
    parts: list[OfferPart] = Field(description="Of an aggregate: which source gave what.")
    offers: list[SourceOffer] = Field(description="What every source gives.")
    losing: list[Losing]
    override: PinBody | None


class OriginsBody(Shown):
    results: list[OriginBody]


class ProvenanceView(RecordView):
    @operation(
        "Show where the values of a {type} come from",
        scope="read:{type}",
        answers={200: OriginsBody},
        id="{type}_provenance",
    )
    def get(self, request: Request, uid: str) -> Response:
        row = self.find(uid)
        if self.kind.entity_field and not visibility.sees_whole(self.kind, row.document, self.entities):
            return Response({"results": []})  # sources do not say of which period they speak
        document = visibility.strip(self.kind, row.document, self.entities)
        return Response({"results": crypto.mask_tree(provenance.results(self.kind, document))})


class RecordCrosswalk(RecordView):
    @operation(
        "List the local keys of a {type}",
        scope="read:{type}",
        query=PageQuery,
        answers={200: Page[CrosswalkBody]},
        id="{type}_crosswalk",
    )
    def get(self, request: Request, uid: str) -> Response:
        found = documents.find_uid(self.kind, uid, self.entities)
        rows = Crosswalk.objects.filter(type=self.kind.key, uid=found).select_related("system")
        return self.page(rows, present=crosswalks.present)


class ReferenceBody(Shown):
    type: str
    uid: UUID
    code: str
    name: str
    path: str = Field(description="The field that names this record.")


class UsedElsewhere(Shown):
    """What other parts of the hub say about their use of the record."""

    model_config = ConfigDict(extra="allow")

    kind: str
    title: str


class WhereUsedBody(Shown):
    results: list[ReferenceBody]
    more: bool = Field(description="There are more than are listed.")
    elsewhere: list[UsedElsewhere]


class WhereUsedQuery(Query):
    limit: int = Field(100, ge=1, le=1000)


class WhereUsed(RecordView):
    @operation(
        "List who refers to a {type}",
        scope="read:{type}",
        query=WhereUsedQuery,
        answers={200: WhereUsedBody},
        id="{type}_where_used",
    )
    def get(self, request: Request, uid: str) -> Response:
        row = self.find(uid)
        found = references.to(self.kind, uid=row.uid, code=row.code, entities=self.entities, limit=self.query.limit + 1)
        elsewhere = ports.collect(ports.where_used, self.kind.key, row.uid)
        return Response(
            {
                "results": [reference.as_json() for reference in found[: self.query.limit]],
                "more": len(found) > self.query.limit,
                "elsewhere": elsewhere,
            }
        )


class DeliveryStatusBody(Shown):
    """Where the record stands at one target."""

    model_config = ConfigDict(extra="allow")

    target: str
    state: str


class DeliveryStatuses(Shown):
    results: list[DeliveryStatusBody]


class Deliveries(RecordView):
    @operation(
        "Show where a {type} stands at every target",
        scope="read:{type}",
        answers={200: Answer(DeliveryStatuses)},
        id="{type}_deliveries",
    )
    def get(self, request: Request, uid: str) -> Response:
        row = self.find(uid)
        found = ports.collect(ports.delivery_status, self.kind.key, row.uid)
        if not visibility.sees_whole(self.kind, row.document, self.entities):
            found = [{**line, "message": ""} for line in found]  # a target may have named a value of others
        return Response({"results": found})


class DocumentSchema(RecordView):
    @operation(
        "Show the JSON Schema of a {type} document",
        scope="read:{type}",
        answers={200: Answer(record_shapes.JsonSchema)},
        id="{type}_schema",
    )
    def get(self, request: Request) -> Response:
        schema = self.kind.document.model_json_schema(mode="validation")
        identifier = {
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "$id": f"urn:mdm:schema:{self.kind.schema}",
        }
        return Response({**identifier, **schema, "title": self.kind.schema})
