"""Looking through all records for duplicates over REST: asking for it, and how far it is."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from django.db.models import QuerySet
from django.urls import reverse
from pydantic import Field
from rest_framework.request import Request
from rest_framework.response import Response

from mdm import permissions, registry
from mdm.api import documents, imports
from mdm.api.import_shapes import Recount
from mdm.api.operations import Answer, Body, Page, PageQuery, Shown, operation
from mdm.api.view import HubView
from mdm.errors import CorrectInput, NotFound
from mdm.models import MatchRun
from mdm.services import match_runs
from mdm.types import Problem

_NO_TYPE = "There is no such record type."


class MatchRunInput(Body):
    type: str = Field(description="Record type, such as supplier.")


class MatchRunBody(Shown):
    """`found`: pairs that are new in the queue, or back in it.

    `recount`: what was counted for it and which known pairs that judges otherwise; null until it is told, and nobody looks
    before.
    """

    uid: UUID
    type: str
    state: Literal["running", "done", "cancelled"]
    records: int
    records_done: int
    compared: int = Field(description="Pairs compared so far.")
    found: int
    asked_by: str
    started_at: datetime
    ended_at: datetime | None
    recount: Recount | None


def present(run: MatchRun) -> dict[str, Any]:
    far = match_runs.progress(run)
    return {
        "uid": run.uid,
        "type": run.type,
        "state": run.state,
        "records": far.records,
        "records_done": far.done,
        "compared": far.compared,
        "found": far.found,
        "asked_by": run.asked_by_name,
        "started_at": run.started_at,
        "ended_at": run.ended_at,
        "recount": imports.recount(run.snapshot) if run.snapshot else None,
    }


class MatchRunView(HubView):
    def visible(self) -> QuerySet[MatchRun]:
        readable = [kind.key for kind in registry.all_types() if permissions.allows(self.scopes, f"read:{kind.path}")]
        rows = MatchRun.objects.filter(type__in=readable)
        return rows.select_related("snapshot").defer("snapshot__hashes", "snapshot__held")

    def find(self, uid: str) -> MatchRun:
        run = self.visible().filter(**documents.lookup_uid(uid)).first()
        if run is None:
            raise NotFound("There is no such look for duplicates.")
        return run


class MatchRuns(MatchRunView):
    @operation("List looks for duplicates", scope="read", query=PageQuery, answers={200: Page[MatchRunBody]})
    def get(self, request: Request) -> Response:
        return self.page(self.visible(), present=present, order=("-pk",))

    @operation(
        "Look through all records for duplicates",
        scope="steward",
        body=MatchRunInput,
        answers={202: Answer(MatchRunBody, "Under way.", headers=("Location",))},
        notes="Workers take it part by part; likely pairs come into the queue. Nothing is merged.",
    )
    def post(self, request: Request) -> Response:
        kind = registry.find(self.body.type)
        if kind is None:
            raise CorrectInput(_NO_TYPE, problems=[Problem("type", "unknown", _NO_TYPE)])
        run = match_runs.start(kind=kind, by=self.actor)
        location = request.build_absolute_uri(reverse("api:match-run", args=[run.uid]))
        return Response(present(run), status=202, headers={"Location": location})


class OneMatchRun(MatchRunView):
    @operation("Show a look for duplicates with its progress", scope="read", answers={200: MatchRunBody})
    def get(self, request: Request, uid: str) -> Response:
        return Response(present(self.find(uid)))


class CancelMatchRun(MatchRunView):
    @operation(
        "Stop a look for duplicates",
        scope="steward",
        answers={200: MatchRunBody},
        notes="What it found stays in the queue.",
    )
    def post(self, request: Request, uid: str) -> Response:
        match_runs.cancel(run=self.find(uid), by=self.actor)
        return Response(present(self.find(uid)))
