"""Change requests: lists and inbox, single ones, proposals of several items, and edits."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from django.db.models import QuerySet
from rest_framework.request import Request
from rest_framework.response import Response

from mdm import registry
from mdm.api import auth, change_presenting, change_shapes, documents, etag
from mdm.api.operations import Answer, Page, operation
from mdm.api.view import HubView
from mdm.errors import CorrectInput, NotFound
from mdm.models import ChangeItem, ChangeRequest
from mdm.models.change import STATES
from mdm.selectors import request_items, visibility, worklist
from mdm.services import changes
from mdm.services.proposing import ProposedItem
from mdm.types import Problem

_NUMBER = re.compile(r"CR-(\d{5,12})")


class ChangeView(HubView):
    """Finds and shows requests as the caller may see them."""

    def visible(self) -> QuerySet[ChangeRequest]:
        return request_items.seen_by(self.actor, self.entities)

    def find(self, reference: str) -> ChangeRequest:
        """By uid or by number (CR-10001)."""
        rows = self.visible()
        if match := _NUMBER.fullmatch(reference):
            found = rows.filter(pk=int(match[1]) - 10000)
        else:
            found = rows.filter(**documents.lookup_uid(reference))
        change = request_items.full(found).first()
        if change is None:
            raise NotFound("There is no such change request.")
        return change

    def present(self, change: ChangeRequest) -> dict[str, Any]:
        return change_presenting.present(change, by=self.actor, entities=self.entities)

    def show(self, change: ChangeRequest, status: int = 200) -> Response:
        """Read afresh, because a decision may have applied the request."""
        fresh = self.find(str(change.uid))
        headers = {"Location": self.address(fresh)} if status in (201, 202) else {}
        return self.tagged(self.present(fresh), version_of(fresh), status=status, headers=headers)

    def address(self, change: ChangeRequest) -> str:
        return str(self.request.build_absolute_uri(change_presenting.address(change)))

    def page_of(self, rows: QuerySet[ChangeRequest], order: tuple[str, ...] = ("-created_at",)) -> Response:
        return self.page(
            request_items.full(rows),
            present_all=lambda found: change_presenting.present_all(found, by=self.actor, entities=self.entities),
            order=order,
        )


def version_of(change: ChangeRequest) -> str:
    """Moves with content, state, votes and comments: whatever the shown request moves with."""
    votes = len(change.approvals.all())
    return f"{change.edits}-{change.state}-{votes}-{len(change.comments.all())}-{change.content_hash[:8]}"


class ChangeRequests(ChangeView):
    @operation(
        "List change requests",
        scope="read",
        query=change_shapes.ChangeRequestQuery,
        answers={200: Page[change_shapes.ChangeRequestBody]},
    )
    def get(self, request: Request) -> Response:
        return self.page_of(self._filtered(self.visible()), (self.query.ordering,))

    def _filtered(self, rows: QuerySet[ChangeRequest]) -> QuerySet[ChangeRequest]:
        query = self.query
        for name in ("state", "kind", "origin", "correlation_id", "created_at__gte", "created_at__lte"):
            if (value := getattr(query, name)) is not None:
                rows = rows.filter(**{name: value})
        if query.state__in:
            rows = rows.filter(state__in=_states(query.state__in))
        if query.requester:
            rows = rows.filter(requester=auth.user_of(self.request))
        if query.number:
            match = _NUMBER.fullmatch(query.number)
            rows = rows.filter(pk=int(match[1]) - 10000) if match else rows.none()
        items = ChangeItem.objects.all()
        if query.type:
            kind = registry.find(query.type)
            items = items.filter(type=kind.key) if kind else items.none()
        if query.record:
            items = items.filter(**documents.lookup_uid(query.record, "record"))
        return rows.filter(pk__in=items.values("request")) if query.type or query.record else rows

    @operation(
        "Propose changes of several records as one request",
        scope="propose",
        body=change_shapes.ChangeRequestInput,
        answers={202: Answer(change_shapes.ChangeRequestBody, headers=("Location", "ETag"))},
    )
    def post(self, request: Request) -> Response:
        change = changes.propose(
            items=proposed(self, self.body.items),
            by=self.actor,
            title=self.body.title,
            reason=self.body.reason,
            origin="api",
            effective_on=self.body.effective_on,
            priority=self.body.priority,
            submit=not self.body.draft,
        )
        return self.show(change, 202)


def _states(text: str) -> list[str]:
    states = [part.strip() for part in text.split(",") if part.strip()]
    unknown = [state for state in states if state not in (*STATES, "submitted")]
    if unknown:
        raise CorrectInput(
            "There is no such state.",
            problems=[Problem("state__in", "unknown_state", f"No state “{s[:40]}”.") for s in unknown],
        )
    return states


def proposed(view: HubView, items: Iterable[change_shapes.ItemInput]) -> list[ProposedItem]:
    """Items of a body as services take them; records of others, and rows for others, are refused here."""
    return [_proposed(view, index, item) for index, item in enumerate(items)]


def _proposed(view: HubView, index: int, item: change_shapes.ItemInput) -> ProposedItem:
    def refuse(path: str, code: str, text: str) -> CorrectInput:
        return CorrectInput(text, problems=[Problem(f"items/{index}/{path}", code, text)])

    kind = registry.find(item.type)
    if kind is None:
        raise refuse("type", "unknown_type", "There is no such record type.")
    body = item.document if item.document is not None else item.changes
    if item.action in ("create", "update") and body is None:
        raise refuse("changes", "missing", "Say what the record should be: `document` or `changes`.")
    if body is not None and (foreign := visibility.outside(kind, body, view.entities)):
        raise refuse(foreign[0], "foreign_entity", "This legal entity is not one of yours.")
    if item.action == "create":
        if item.uid:
            raise refuse("uid", "not_for_new", "A new record gets its uid from the hub.")
        documents.check_code(body or {}, f"items/{index}/")
        return ProposedItem(type=kind.key, action="create", patch=body)
    if not item.uid:
        raise refuse("uid", "missing", "Name the record.")
    try:
        uid = documents.find_uid(kind, item.uid, view.entities)
    except NotFound as error:
        raise refuse("uid", "unknown_record", error.message) from None
    return ProposedItem(
        type=kind.key,
        action=item.action,
        uid=str(uid),
        patch=body if item.action == "update" else None,
        base_version=item.base_version,
        plan=item.plan.as_plan() if item.plan else None,
    )


class ChangeRequestView(ChangeView):
    @operation(
        "Show a change request",
        scope="read",
        answers={200: change_shapes.ChangeRequestBody},
        tagged=True,
        notes="`uid` may also be the number, such as CR-10001.",
    )
    def get(self, request: Request, uid: str) -> Response:
        change = self.find(uid)
        return self.tagged(self.present(change), version_of(change))

    @operation(
        "Edit a change request",
        scope="propose",
        body=change_shapes.ChangeRequestEdit,
        answers={200: change_shapes.ChangeRequestBody},
        if_match=True,
        tagged=True,
        notes="Whoever edits becomes a maker; approvals of the old content lapse and review starts again.",
    )
    def patch(self, request: Request, uid: str) -> Response:
        change = self.find(uid)
        etag.require(request, version_of(change))
        body = self.body
        items = proposed(self, body.items) if body.items is not None else None
        changes.edit(
            change=change,
            by=self.actor,
            items=items,
            title=body.title,
            reason=body.reason,
            effective_on=body.effective_on if "effective_on" in body.model_fields_set else changes.KEEP,
        )
        return self.show(change)


class ChangeRequestItems(ChangeView):
    @operation(
        "List all items of a change request",
        scope="read",
        query=change_shapes.PageQuery,
        answers={200: Page[change_shapes.ChangeItemBody]},
    )
    def get(self, request: Request, uid: str) -> Response:
        change = self.find(uid)
        return self.page(
            ChangeItem.objects.filter(request=change),
            present_all=lambda items: change_presenting.present_items(change, items, self.entities),
            order=() if change.kind == "load" else ("position",),
        )


class Inbox(ChangeView):
    @operation(
        "What waits for me",
        scope="read",
        query=change_shapes.InboxQuery,
        answers={200: Page[change_shapes.ChangeRequestBody]},
        notes="`mine`: I can act on it now. `team`: whatever waits for a person. `sent`: I asked for it. `all`: everything.",
    )
    def get(self, request: Request) -> Response:
        wanted = worklist.TABS[self.query.tab](self.actor).order_by().values("pk")
        return self.page_of(self.visible().filter(pk__in=wanted))
