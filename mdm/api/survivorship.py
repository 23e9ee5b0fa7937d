"""Survivorship over the API: pins of a record, taking a source off it, rules in force and changes of rules with rehearsal."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any, Literal
from uuid import UUID

from django.db.models import QuerySet
from pydantic import Field
from rest_framework.request import Request
from rest_framework.response import Response

from mdm import crypto, permissions, registry
from mdm.api import change_presenting, problems
from mdm.api.change_shapes import ChangeRequestBody
from mdm.api.operations import Answer, Body, Page, PageQuery, Query, Shown, operation
from mdm.api.record_reads import PinBody
from mdm.api.records import RecordView
from mdm.api.view import HubView
from mdm.errors import CorrectInput, NotFound
from mdm.models import ChangeRequest, Pin, RuleChange, RuleEffect
from mdm.selectors import provenance, visibility
from mdm.services import detaching, pins, rule_changes, survivorship
from mdm.survival.rules import Rule
from mdm.types import Document, Problem, value_at

_REQUEST = Answer(ChangeRequestBody, "Proposed: the change request waits for approval.", headers=("Location",))


# --- pins ---------------------------------------------------------------------------------------------------------


class PinsBody(Shown):
    results: list[PinBody]


class SourceInput(Body):
    system: str = Field(max_length=40)
    key: str = Field(max_length=100)


class PinInput(Body):
    path: str = Field(min_length=1, max_length=200, description="A field, or a row of a list: `addresses/<uid>`.")
    reason: str = Field(min_length=1, max_length=1000)
    until: date | None = Field(None, description="The last day it holds; without one until it is lifted.")
    source: SourceInput | None = Field(None, description="Keep what this source says, instead of what holds now.")
    value: Any = Field(None, description="Keep this value of a field. Left out: what holds now; null: nothing.")


class LiftInput(Body):
    reason: str = Field(min_length=1, max_length=1000)


class LiftedBody(Shown):
    came: Literal["changed", "unchanged", "asked", "refused"] = Field(
        description="What the sources made of the record: another value, the same, one that waits for approval, or one "
        "that would break a rule of the record."
    )
    version: int = Field(description="Of the record now.")


class PinView(RecordView):
    def pins(self, document: Document) -> list[Pin]:
        """Those on values the caller sees."""
        return [pin for pin in provenance.pins_of(document["uid"]) if _is_seen(document, pin.path)]

    def document(self, uid: str) -> Document:
        row = self.find(uid)
        return visibility.strip(self.kind, row.document, self.entities)


def _is_seen(document: Document, path: str) -> bool:
    return "/" not in path or value_at(document, path) is not None


class Pins(PinView):
    @operation(
        "List the pins of a {type}", scope="read:{type}", answers={200: PinsBody}, id="{type}_pins",
        notes="Values that a steward holds, whatever the sources say.",
    )  # fmt: skip
    def get(self, request: Request, uid: str) -> Response:
        found = self.pins(self.document(uid))
        return Response({"results": [crypto.mask_tree(provenance.pin_as_json(pin)) for pin in found]})

    @operation(
        "Pin a value of a {type}",
        scope="steward",
        body=PinInput,
        answers={201: Answer(PinBody, "The value that holds is pinned."), 202: _REQUEST},
        id="{type}_pin",
        notes="Another value than the one that holds is a change, so it is proposed: 202. Fields that survive together are "
        "pinned together.",
    )
    def post(self, request: Request, uid: str) -> Response:
        document = self.document(uid)
        if not _is_seen(document, self.body.path):
            raise problems.correct([Problem("path", "unknown_path", "This record has no such row.")])
        given = self.body.model_fields_set
        if "value" in given and self.body.source is not None:
            raise problems.correct([Problem("value", "one_of_two", "Give a value or a source, not both.")])
        source = self.body.source
        done = pins.pin(
            kind=self.kind,
            uid=document["uid"],
            path=self.body.path,
            reason=self.body.reason,
            until=self.body.until,
            by=self.actor,
            value=self.body.value if "value" in given else pins.KEEP,
            source=(source.system, source.key) if source else None,
            origin="api",
        )
        if isinstance(done, ChangeRequest):
            return answer_request(self, done)
        return Response(crypto.mask_tree(provenance.pin_as_json(done)), status=201)


class LiftPin(PinView):
    @operation(
        "Lift a pin of a {type}",
        scope="steward",
        body=LiftInput,
        answers={200: LiftedBody},
        id="{type}_lift_pin",
        notes="The sources decide again at once.",
    )
    def post(self, request: Request, uid: str, pin_uid: str) -> Response:
        document = self.document(uid)
        found = next((pin for pin in self.pins(document) if str(pin.pin_uid) == pin_uid), None)
        if found is None:
            raise NotFound("This record has no such pin.")
        came = pins.unpin(kind=self.kind, uid=document["uid"], path=found.path, reason=self.body.reason, by=self.actor)
        word = next((name for name in ("changed", "asked", "refused") if came[name]), "unchanged")
        return Response({"came": word, "version": self.find(document["uid"]).version})


# --- taking a source off ------------------------------------------------------------------------------------------


class DetachInput(SourceInput):
    reason: str = Field(min_length=1, max_length=2000)
    to: UUID | None = Field(None, description="The record it belongs to; without one it becomes a record of its own.")


class Detach(RecordView):
    @operation(
        "Propose to take a source record off a {type}",
        scope="propose:{type}",
        body=DetachInput,
        answers={202: _REQUEST},
        id="{type}_detach",
        notes="For a source record that was linked to the wrong record: its values and its key go with it, and the two "
        "records are remembered to be different.",
    )
    def post(self, request: Request, uid: str) -> Response:
        row = self.find(uid)
        to = self.find(str(self.body.to)).uid if self.body.to else None
        change = detaching.propose(
            kind=self.kind,
            uid=str(row.uid),
            sources=[(self.body.system, self.body.key)],
            reason=self.body.reason,
            by=self.actor,
            to=to,
            origin="api",
        )
        return answer_request(self, change)


def answer_request(view: HubView, change: ChangeRequest) -> Response:
    location = view.request.build_absolute_uri(change_presenting.address(change))
    shown = change_presenting.present(change, by=view.actor, entities=view.entities)
    return Response(shown, status=202, headers={"Location": location})


# --- rules --------------------------------------------------------------------------------------------------------


class RuleBody(Shown):
    path: str = Field(description="Field or list; empty for every field without a rule of its own.")
    order: list[str] = Field(description="Tests one after the other until one value is left, or a single aggregate.")
    ranks: dict[str, int] = Field(description="Trust in systems for this path, 1 is believed first.")
    together: list[str] = Field(description="Further fields that always come from the same source.")
    keep_last: bool = Field(description="What only a source gave that is gone stays until another gives a value.")


class TypeRules(Shown):
    type: str
    rules: list[RuleBody]


class RulesBody(Shown):
    results: list[TypeRules]


class RulesQuery(Query):
    type: str | None = Field(None, max_length=60)


class RuleInput(Body):
    path: str = Field("", max_length=100)
    order: list[str] = Field(max_length=10)
    ranks: dict[str, int] = Field(default_factory=dict, max_length=100)
    together: list[str] = Field(default_factory=list, max_length=20)
    keep_last: bool = True


class RuleChangeInput(Body):
    type: str = Field(max_length=60)
    reason: str = Field(min_length=1, max_length=2000)
    rules: list[RuleInput] = Field(max_length=200, description="All rules of the type as they shall be.")


class RuleCounts(Shown):
    records: int
    changed: int = Field(description="Records whose values change.")
    unchanged: int
    asked: int = Field(description="Records whose change a policy leaves to people, each by a request of its own.")
    refused: int = Field(description="Records that stay, because the result would break one of their rules.")
    fields: dict[str, int] = Field(description="How many records change in each field.")


class RuleChangeBody(Shown):
    uid: UUID
    type: str
    state: Literal["rehearsing", "ready", "applying", "applied", "closed", "failed"]
    reason: str
    by: str
    created_at: datetime
    rehearsed_at: datetime | None
    finished_at: datetime | None
    progress: float = Field(description="0 to 1, of the rehearsal or of its application.")
    rules: list[RuleBody]
    base: list[RuleBody] = Field(description="The rules it was rehearsed against.")
    rehearsal: RuleCounts
    applied: RuleCounts
    change_request: UUID | None = Field(description="What a second person approves; there once it is rehearsed.")
    error: str


class EffectBody(Shown):
    uid: UUID
    code: str
    name: str
    path: str
    before: Any
    after: Any
    rule: str
    verdict: Literal["changed", "asked", "refused"]
    note: str


class RuleChangesQuery(PageQuery):
    type: str | None = Field(None, max_length=60)
    state: str | None = Field(None, max_length=20)


def present(row: RuleChange) -> dict[str, Any]:
    return {
        "uid": row.uid,
        "type": row.type,
        "state": row.state,
        "reason": row.reason,
        "by": row.proposed_by.get_full_name() or row.proposed_by.get_username(),
        "created_at": row.created_at,
        "rehearsed_at": row.rehearsed_at,
        "finished_at": row.finished_at,
        "progress": rule_changes.progress(row),
        "rules": row.rules,
        "base": row.base,
        "rehearsal": _counts(row.counts),
        "applied": _counts(row.done),
        "change_request": row.change.uid if row.change else None,
        "error": row.error,
    }


def _counts(given: dict[str, Any]) -> dict[str, Any]:
    names = ("records", "changed", "unchanged", "asked", "refused")
    return {**{name: given.get(name, 0) for name in names}, "fields": given.get("fields") or {}}


class RuleView(HubView):
    def readable(self) -> list[registry.RecordType]:
        return [k for k in registry.all_types() if permissions.allows(self.scopes, f"read:{k.path}")]

    def visible(self) -> QuerySet[RuleChange]:
        mine = [kind.key for kind in self.readable()]
        return RuleChange.objects.filter(type__in=mine).select_related("proposed_by", "change")

    def find(self, uid: str) -> RuleChange:
        try:
            return self.visible().get(uid=UUID(uid))
        except (ValueError, RuleChange.DoesNotExist):
            raise NotFound("There is no such change of rules.") from None


class SurvivorshipRules(RuleView):
    @operation(
        "Show the survivorship rules in force", scope="read", query=RulesQuery, answers={200: RulesBody},
        notes="See docs/survivorship.md. They change by `POST /rule-changes/`.",
    )  # fmt: skip
    def get(self, request: Request) -> Response:
        wanted = registry.find(self.query.type) if self.query.type else None
        kinds = [k for k in self.readable() if not self.query.type or k is wanted]
        results = [{"type": k.key, "rules": rule_changes.as_json(survivorship.stored(k))} for k in kinds]
        return Response({"results": results})


class RuleChanges(RuleView):
    @operation("List changes of survivorship rules", scope="read", query=RuleChangesQuery,
               answers={200: Page[RuleChangeBody]}, notes="Newest first.")  # fmt: skip
    def get(self, request: Request) -> Response:
        rows = self.visible()
        if self.query.type:
            kind = registry.find(self.query.type)
            rows = rows.filter(type=kind.key) if kind else rows.none()
        if self.query.state:
            rows = rows.filter(state=self.query.state)
        return self.page(rows, present=present, falling=True)

    @operation(
        "Propose other survivorship rules",
        scope="admin",
        body=RuleChangeInput,
        answers={202: Answer(RuleChangeBody, "It is being rehearsed.")},
        notes="Rehearsed on every record, then approved by somebody else as a change request, then applied.",
    )
    def post(self, request: Request) -> Response:
        kind = registry.find(self.body.type)
        if kind is None:
            raise problems.correct([Problem("type", "unknown_type", "There is no such record type.")])
        rules = [Rule.of(given.model_dump()) for given in self.body.rules]
        try:
            row = rule_changes.propose(kind=kind, rules=rules, reason=self.body.reason, by=self.actor)
        except CorrectInput as error:
            found = [Problem(f"rules/{p.path}", p.code, p.message) for p in error.problems]
            raise (problems.correct(found) if found else error) from None
        return Response(present(row), status=202)


class OneRuleChange(RuleView):
    @operation("Show a change of survivorship rules", scope="read", answers={200: RuleChangeBody})
    def get(self, request: Request, uid: str) -> Response:
        return Response(present(self.find(uid)))


class RuleEffects(RuleView):
    @operation(
        "List what a change of rules would change", scope="read", query=PageQuery, answers={200: Page[EffectBody]},
        notes="As its rehearsal found it; values of rows the caller may not see are left out.",
    )  # fmt: skip
    def get(self, request: Request, uid: str) -> Response:
        row = self.find(uid)
        rows = row.effects.all()
        if self.entities is not None:
            kind = registry.get(row.type)
            hidden = [child.name for child in kind.children if child.entity_field or child.sealed]
            for name in hidden:
                rows = rows.exclude(path__startswith=f"{name}/")
        return self.page(rows, present=effect)


def effect(row: RuleEffect) -> dict[str, Any]:
    return {
        "uid": row.uid,
        "code": row.code,
        "name": row.label,
        "path": row.path,
        "before": crypto.mask_tree(row.before),
        "after": crypto.mask_tree(row.after),
        "rule": row.rule,
        "verdict": row.verdict,
        "note": row.note,
    }
