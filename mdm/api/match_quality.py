"""Match quality over REST: figures on decisions, the queue, what is in force, versions of the model and their flips."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from django.db.models import QuerySet
from pydantic import Field
from rest_framework.request import Request
from rest_framework.response import Response

from mdm import permissions
from mdm.api.operations import Page, PageQuery, Query, Shown, operation
from mdm.api.view import HubView
from mdm.errors import NotFound
from mdm.models import KeySnapshot, MatchFlip, MatchJob, MatchModel
from mdm.registry import RecordType
from mdm.selectors import match_quality
from mdm.services import models

Band = Literal["link", "review", "none"]
Share = float | None


class TypeQuery(Query):
    type: str | None = Field(None, max_length=60, description="A record type; without one all that are matched.")


class TypePageQuery(PageQuery):
    type: str | None = Field(None, max_length=60)


class ModelsQuery(TypePageQuery):
    state: Literal["draft", "rehearsed", "active", "retired", "rejected"] | None = None


class FlipsQuery(PageQuery):
    contradicts: bool | None = Field(None, description="Only pairs where it goes against people's judgement (or not).")


class ThresholdsBody(Shown):
    """Scores, in nats of log-odds."""

    review: float
    link: float
    confirmed_review: float
    confirmed_link: float


class InForceBody(Shown):
    version: int = Field(description="Number of the version in force; 0 for the model the hub is shipped with.")
    uid: UUID | None
    thresholds: ThresholdsBody
    rules: list[str] = Field(description="Hard rules that are on.")


class MeasuresBody(Shown):
    """On pairs people judged, by the scores in force. What the queue never showed is in no figure."""

    judged: int
    same: int
    shown: int
    linked: int
    precision: Share
    recall: Share
    link_precision: Share


class QueueBody(Shown):
    size: int
    bands: dict[Band, int]
    ages: dict[str, int]
    oldest: datetime | None


class DisagreementBody(Shown):
    people: int
    tax_said_same: int
    tax_said_different: int
    model_missed: int
    model_linked: int


class JobBody(Shown):
    task: Literal["train", "rehearse", "rescore", "snapshot"]
    phase: str
    done: int
    total: int
    started_at: datetime


class QualityBody(Shown):
    type: str
    in_force: InForceBody
    decisions: MeasuresBody
    queue: QueueBody
    disagreement: DisagreementBody
    running: list[JobBody]


class QualitiesBody(Shown):
    results: list[QualityBody]


class ModelBody(Shown):
    uid: UUID
    type: str
    number: int
    kind: str
    state: str
    origin: Literal["trained", "edited", "restored"]
    reason: str
    rules: list[str]
    thresholds: ThresholdsBody
    created_by: str
    created_at: datetime
    approved_by: str | None
    approved_at: datetime | None
    ended_at: datetime | None
    comment: str
    rehearsed_at: datetime | None
    report: dict[str, Any] = Field(description="Of its training: labels, before and after, weights moved, calibration.")
    rehearsal: dict[str, Any] = Field(description="How many pairs it would judge otherwise, by where they are.")


class OneModelBody(ModelBody):
    model: dict[str, Any] = Field(description="Weights, thresholds and calibration.")


class WeighedEvidence(Shown):
    feature: str
    left: str
    right: str
    note: str
    before: float
    after: float


class FlipBody(Shown):
    left: UUID
    right: UUID
    origin: Literal["queue", "decided", "sample"]
    said: str
    contradicts: bool
    before_band: Band
    after_band: Band
    before: float
    after: float
    flags: list[str]
    evidence: list[WeighedEvidence]


class SnapshotBody(Shown):
    type: str
    taken_at: datetime
    cause: str
    records: int
    report: dict[str, Any] = Field(description="What these counts flipped among the pairs of the queue.")


def _name(user: Any) -> str | None:
    return (user.get_full_name() or user.get_username()) if user else None


def present(row: MatchModel) -> dict[str, Any]:
    return {
        "uid": row.uid,
        "type": row.type,
        "number": row.number,
        "kind": row.kind,
        "state": row.state,
        "origin": row.origin,
        "reason": row.reason,
        "rules": row.rules,
        "thresholds": row.data["thresholds"],
        "created_by": _name(row.created_by),
        "created_at": row.created_at,
        "approved_by": _name(row.approved_by),
        "approved_at": row.approved_at,
        "ended_at": row.ended_at,
        "comment": row.comment,
        "rehearsed_at": row.rehearsed_at,
        "report": row.report,
        "rehearsal": row.rehearsal,
    }


def _flip(row: MatchFlip) -> dict[str, Any]:
    return {name: getattr(row, name) for name in FlipBody.model_fields}


def _snapshot(row: KeySnapshot) -> dict[str, Any]:
    return {"type": row.type, "taken_at": row.taken_at, "cause": row.cause, "records": row.total, "report": row.report}


class QualityView(HubView):
    def readable(self, wanted: str | None = None) -> list[RecordType]:
        kinds = [k for k in models.kinds() if permissions.allows(self.scopes, f"read:{k.path}")]
        return [k for k in kinds if wanted in (None, k.key, k.path)]

    def visible(self) -> QuerySet[MatchModel]:
        mine = [kind.key for kind in self.readable()]
        return MatchModel.objects.filter(type__in=mine).select_related("created_by", "approved_by")

    def find(self, uid: str) -> MatchModel:
        try:
            return self.visible().get(uid=UUID(uid))
        except (ValueError, MatchModel.DoesNotExist):
            raise NotFound("There is no such version of the matching model.") from None


class Quality(QualityView):
    @operation("Show how well duplicates are found", scope="read", query=TypeQuery, answers={200: QualitiesBody})
    def get(self, request: Request) -> Response:
        return Response({"results": [self._quality(kind) for kind in self.readable(self.query.type)]})

    def _quality(self, kind: RecordType) -> dict[str, Any]:
        now, found, queue = models.in_force(kind), match_quality.measures(kind.key), match_quality.queue(kind.key)
        limits = now.model.thresholds
        jobs = MatchJob.objects.filter(type=kind.key, state__in=MatchJob.LIVE)
        return {
            "type": kind.key,
            "in_force": {
                "version": now.number,
                "uid": now.row.uid if now.row else None,
                "thresholds": {name: getattr(limits, name) for name in ThresholdsBody.model_fields},
                "rules": sorted(now.rules),
            },
            "decisions": {name: getattr(found, name) for name in MeasuresBody.model_fields},
            "queue": {"size": queue.size, "bands": queue.bands, "ages": dict(queue.ages), "oldest": queue.oldest},
            "disagreement": vars(match_quality.disagreement(kind.key, found)),
            "running": [
                {"task": j.task, "phase": j.phase, "done": j.done, "total": j.total, "started_at": j.created_at}
                for j in jobs.order_by("pk")
            ],
        }


class Models(QualityView):
    @operation(
        "List versions of the matching model", scope="read", query=ModelsQuery, answers={200: Page[ModelBody]},
        notes="Newest first. They are proposed and signed in the browser, by two people.",
    )  # fmt: skip
    def get(self, request: Request) -> Response:
        rows = self.visible()
        if self.query.type:
            rows = rows.filter(type__in=[kind.key for kind in self.readable(self.query.type)])
        if self.query.state:
            rows = rows.filter(state=self.query.state)
        return self.page(rows, present=present, falling=True)


class OneModel(QualityView):
    @operation("Show a version of the matching model", scope="read", answers={200: OneModelBody})
    def get(self, request: Request, uid: str) -> Response:
        row = self.find(uid)
        return Response({**present(row), "model": row.data})


class Flips(QualityView):
    @operation(
        "List pairs a version would judge otherwise", scope="read", query=FlipsQuery, answers={200: Page[FlipBody]},
        notes="As its rehearsal found them, against the version then in force.",
    )  # fmt: skip
    def get(self, request: Request, uid: str) -> Response:
        rows = self.find(uid).flips.all()
        if self.query.contradicts is not None:
            rows = rows.filter(contradicts=self.query.contradicts)
        return self.page(rows, present=_flip)


class Snapshots(QualityView):
    @operation(
        "List counts of keys and words", scope="read", query=TypePageQuery, answers={200: Page[SnapshotBody]},
        notes="Newest first; the newest of each type is in force.",
    )  # fmt: skip
    def get(self, request: Request) -> Response:
        mine = [kind.key for kind in self.readable(self.query.type)]
        return self.page(
            KeySnapshot.objects.filter(type__in=mine).defer("hashes", "held"), present=_snapshot, falling=True
        )
