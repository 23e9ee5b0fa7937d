"""Golden records: lists, single documents, and the proposals that create, change, block, unblock and retire them."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime
from typing import Any

from django.db.models import QuerySet
from django.db.models.fields.json import KT
from django.urls import reverse
from pydantic import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from mdm.api import change_presenting, documents, etag, filters, problems, record_shapes
from mdm.api.change_shapes import ChangeRequestBody
from mdm.api.operations import Answer, RawBody, operation
from mdm.api.view import HubView
from mdm.errors import CorrectInput
from mdm.models import ChangeRequest, RecordVersion
from mdm.registry import RecordType
from mdm.selectors import visibility
from mdm.services import changes
from mdm.services.proposing import ProposedItem
from mdm.types import Document, Problem

_REQUEST = Answer(ChangeRequestBody, "Proposed: the change request waits for approval.", headers=("Location",))
_KNOWN_BY = {"uid", "code", "status"}


class RecordView(HubView):
    """A view of one record type; `kind` comes from as_view()."""

    kind: RecordType

    def find(self, reference: str) -> documents.Found:
        return documents.find(self.kind, reference, self.entities)

    def present(self, found: documents.Found, fields: Any = None, as_of: date | None = None) -> Document:
        return documents.present(
            self.kind,
            found.document,
            updated_at=found.updated_at,
            entities=self.entities,
            fields=fields,
            merged_into=found.merged_into,
            as_of=as_of,
        )

    def proposal(self) -> record_shapes.Proposal:
        """The `_reason`, `_effective_on` … of a body, taken out of it."""
        own = {name[1:]: self.body.pop(name) for name in list(self.body) if name.startswith("_")}
        try:
            return record_shapes.Proposal.model_validate(own)
        except ValidationError as error:
            found = problems.problems_of(error)
            raise problems.correct([Problem(f"_{p.path}", p.code, p.message) for p in found]) from None

    def propose(self, item: ProposedItem, words: Any) -> ChangeRequest:
        item.plan = words.plan.as_plan() if words.plan else None
        return changes.propose(
            items=[item],
            by=self.actor,
            title=words.title,
            reason=words.reason,
            origin="api",
            effective_on=words.effective_on,
            priority=words.priority,
        )

    def refuse_foreign(self, body: Document) -> None:
        """Nobody proposes rows for legal entities they may not see."""
        found = visibility.outside(self.kind, body, self.entities)
        if found:
            text = "This legal entity is not one of yours."
            raise CorrectInput(text, problems=[Problem(path, "foreign_entity", text) for path in found])

    def answer_change(self, change: ChangeRequest, *, applied: int) -> Response:
        """202 with the request, or the record itself when policy let it be applied at once."""
        shown = change_presenting.present(change, by=self.actor, entities=self.entities)
        location = change_presenting.address(change)
        if change.state != "applied":
            return Response(shown, status=202, headers={"Location": self.request.build_absolute_uri(location)})
        item = change.items.first()
        assert item is not None
        row = self.find(str(item.uid))
        headers = {"ETag": etag.quote(row.version)}
        if applied == 201:
            own = reverse(f"api:{self.kind.path}-record", args=[row.uid])
            headers["Location"] = self.request.build_absolute_uri(own)
        return Response({**self.present(row), "change_request": shown}, status=applied, headers=headers)


class Records(RecordView):
    @operation(
        "List {type}",
        scope="read:{type}",
        query=filters.query_shape,
        answers={200: record_shapes.page},
        id="{type}_list",
    )
    def get(self, request: Request) -> Response:
        fields = documents.fields_of(self.kind, self.query.fields)
        if self.query.known_at:
            return self._known(fields)
        rows = filters.apply(self.kind, self.query, self.entities)
        order = filters.order_of(self.kind, self.query)
        found = documents.with_document(rows, *(name.lstrip("-") for name in order))
        day = self.query.as_of if self.kind.periods else None
        if fields is None and self.entities is None and day is None:
            return self.page_of_texts(found, present=lambda row: documents.present_text(self.kind, row), order=order)
        return self.page(
            found, present=lambda row: documents.present_row(self.kind, row, self.entities, fields, day), order=order
        )

    def _known(self, fields: Any) -> Response:
        """The list as the hub knew it at a time: the last version of each record until then."""
        asked = filters.given(self.kind, self.query)
        rows = versions_at(self.kind, self.query.known_at, asked, self.query, self.entities)
        return self.page(
            rows,
            present=lambda row: documents.present_version(self.kind, row, self.entities, fields, self.query.as_of),
            key="uid",
        )

    @operation(
        "Propose a new {type}",
        scope="propose:{type}",
        body=RawBody(record_shapes.create_schema),
        answers={
            201: Answer(
                record_shapes.in_force, "In force at once: policy approves this by itself.", ("Location", "ETag")
            ),
            202: _REQUEST,
        },
        id="{type}_create",
    )
    def post(self, request: Request) -> Response:
        words = self.proposal()
        documents.check_code(self.body)
        self.refuse_foreign(self.body)
        change = self.propose(ProposedItem(type=self.kind.key, action="create", patch=self.body), words)
        return self.answer_change(change, applied=201)


def versions_at(
    kind: RecordType, moment: datetime, asked: dict[str, Any], query: Any, entities: visibility.Entities
) -> QuerySet[RecordVersion]:
    """The last version of each record until then; filters on anything but its identity would need every version."""
    refused = sorted({name for name in asked if name.partition("__")[0] not in _KNOWN_BY})
    refused += [name for name in ("q", "ordering") if getattr(query, name, None)]
    if refused:
        text = "With known_at records are filtered by uid, code and status only."
        raise CorrectInput(text, problems=[Problem(name, "not_with_known_at", text) for name in refused])
    known = RecordVersion.objects.filter(type=kind.key, created_at__lte=moment)
    latest = known.order_by("uid", "-version").distinct("uid").values("pk")
    rows = RecordVersion.objects.filter(pk__in=latest).annotate(code=KT("document__code")).filter(**asked)
    return visibility.known(kind, rows, entities)


class Record(RecordView):
    @operation(
        "Show a {type}",
        scope="read:{type}",
        query=filters.OneRecordQuery,
        answers={200: Answer(record_shapes.shown, headers=("Link",))},
        tagged=True,
        id="{type}_show",
        notes="A merged record answers with `merged_into` and a Link to the record that goes on.",
    )
    def get(self, request: Request, uid: str) -> Response:
        row = self.find(uid)
        fields = documents.fields_of(self.kind, self.query.fields)
        if self.query.known_at:
            version = documents.known_at(self.kind, row.uid, self.query.known_at, self.entities)
            shown = documents.present_version(self.kind, version, self.entities, fields, self.query.as_of)
            return self.tagged(shown, version.version)
        headers = {}
        if survivor := documents.survivor(self.kind, row):
            row = replace(row, merged_into=survivor)
            onward = request.build_absolute_uri(reverse(f"api:{self.kind.path}-record", args=[survivor]))
            headers["Link"] = f'<{onward}>; rel="successor-version"'
        return self.tagged(self.present(row, fields, self.query.as_of), row.version, headers=headers)

    @operation(
        "Propose a change of a {type}",
        scope="propose:{type}",
        body=RawBody(record_shapes.patch_schema),
        answers={
            200: Answer(record_shapes.in_force, "In force at once: policy approves this by itself.", ("ETag",)),
            202: _REQUEST,
        },
        if_match=True,
        id="{type}_change",
        notes="A merge-patch. Rows of lists: with their uid they change, without one they are added, "
        "`{uid, _end: true}` ends them, rows not listed stay. A masked number sent back as it came means unchanged.",
    )
    def patch(self, request: Request, uid: str) -> Response:
        row = self.find(uid)
        etag.require(request, row.version)
        words = self.proposal()
        self.refuse_foreign(self.body)
        self._refuse_hidden_rows(row)
        item = ProposedItem(type=self.kind.key, uid=str(row.uid), patch=self.body, base_version=row.version)
        return self.answer_change(self.propose(item, words), applied=200)

    def _refuse_hidden_rows(self, row: Any) -> None:
        """A row the caller cannot see is to them as if it were not there."""
        seen = visibility.strip(self.kind, row.document, self.entities)
        found = []
        for child in self.kind.children:
            shown = {item["uid"] for item in seen.get(child.name) or []}
            there = {item["uid"] for item in row.document.get(child.name) or []}
            listed = self.body.get(child.name)
            for item in listed if isinstance(listed, list) else []:
                if isinstance(item, dict) and item.get("uid") in there - shown:
                    found.append(
                        Problem(f"{child.name}/{item['uid']}", "unknown_child", "This record has no such row.")
                    )
        if found:
            raise problems.correct(found)


def action_view(action: str) -> type[RecordView]:
    """`POST …/{uid}/block/` and its like."""

    class RecordAction(RecordView):
        @operation(
            f"Propose to {action} a {{type}}",
            scope="propose:{type}",
            body=record_shapes.Proposal,
            body_required=False,
            answers={
                200: Answer(record_shapes.in_force, "In force at once: policy approves this by itself.", ("ETag",)),
                202: _REQUEST,
            },
            id=f"{{type}}_{action}",
        )
        def post(self, request: Request, uid: str) -> Response:
            row = self.find(uid)
            if request.headers.get("If-Match"):
                etag.require(request, row.version)
            item = ProposedItem(type=self.kind.key, action=action, uid=str(row.uid), base_version=row.version)
            return self.answer_change(self.propose(item, self.body), applied=200)

    RecordAction.__name__ = f"Record{action.capitalize()}"
    return RecordAction
