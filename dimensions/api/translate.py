"""Translating for transaction systems: what up to a thousand values of one chart or system are called in another."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import date, datetime
from typing import Annotated, Any
from uuid import UUID

from django.utils import timezone
from pydantic import ConfigDict, Field
from rest_framework.request import Request
from rest_framework.response import Response

from dimensions import mapping_rows
from dimensions.services import asking, translating
from dimensions.services.asking import Asked
from dimensions.services.translating import Translation
from mdm import registry
from mdm.api import auth
from mdm.api.operations import Body, Shown, operation
from mdm.api.problems import correct
from mdm.api.view import HubView
from mdm.registry import RecordType
from mdm.types import Problem

TRACED = 100  # values at most of a call that asks for traces
ACCOUNT = "gl_account"
ACCOUNTS, TAX_CODES = "gl_mapping", "tax_code_mapping"
ForChart = Annotated[str | None, Field(max_length=40, description="Code of a chart of accounts; for GL accounts.")]
ForSystem = Annotated[str | None, Field(max_length=40, description="Code of a system. Absent: the hub's own codes.")]
Member = Annotated[str | None, Field(max_length=100)]


class ContextInput(Body):
    """Codes of other dimensions, which conditions of mapping rows ask for; one that is absent fulfils no condition.
    Besides those named here custom dimensions, by their code."""

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, Member] = Field(init=False)
    legal_entity: Member = None
    cost_center: Member = None
    profit_center: Member = None
    project: Member = None
    tax_code: Member = None
    gl_account: Member = None
    country: Member = None


class TranslateInput(Body):
    type: str = Field(max_length=60, description="Record type: `gl_account`, `cost_center`, or as its path is called.")
    values: list[Annotated[str, Field(min_length=1, max_length=100)]] = Field(min_length=1, max_length=1000)
    from_chart: ForChart = None
    to_chart: ForChart = None
    from_system: ForSystem = None
    to_system: ForSystem = None
    on_date: date | None = Field(None, description="The day whose mapping holds; absent: today.")
    known_at: datetime | None = Field(
        None,
        description="By the rows as they were in force at that moment; between charts. Records are shown as they are now.",
    )
    context: ContextInput = Field(default_factory=ContextInput)
    trace: bool = Field(False, description=f"Also say why every row considered won or lost; at most {TRACED} values.")


class RuleShown(Shown):
    uid: UUID = Field(description="Of the mapping row, or of the golden record whose keys were used.")
    code: str
    words: str


class RecordOfCode(Shown):
    uid: UUID
    code: str
    status: str


class StepShown(Shown):
    rule: RuleShown
    won: bool
    reason: str


class Translated(Shown):
    value: str
    code: str | None = Field(description="What the value becomes; null when nothing says so.")
    sign: int = Field(description="-1 where amounts change their sign.")
    record: RecordOfCode | None = Field(description="The golden record of that code; null when the hub has none.")
    rule: RuleShown | None = Field(description="What decided; null when the value is unmapped.")
    why: str | None = Field(description="Why the value is unmapped.")
    trace: list[StepShown] | None = Field(None, description="With `trace`: the rows considered, the best first.")


class TranslatedBody(Shown):
    type: str
    on_date: date
    results: list[Translated] = Field(description="In the order of the values sent.")
    unmapped: list[str] = Field(
        description="Values that nothing maps, each once: never a guess. Stewards find them on the page Mappings."
    )


class Translate(HubView):
    @operation(
        "Translate codes",
        scope="read",
        body=TranslateInput,
        answers={200: TranslatedBody},
        id="translate",
        notes="GL accounts go from `from_chart` to `to_chart` by the GL mappings that hold on the day. Records of any "
        "type go from `from_system` to `to_system` by their keys there, following merges; without one of them the hub's own "
        "codes are meant. Tax codes go to a system by the tax-code mappings first, by their keys there when no row is for "
        "them. Besides `read:<type>` charts need `read:gl-mappings`, tax codes to a system `read:tax-code-mappings`.",
    )
    def post(self, request: Request) -> Response:
        kind = self._kind()
        on = self.body.on_date or timezone.localdate()
        self._check(kind)
        found = self._found(kind, on)
        unmapped = dict.fromkeys(one.value for one in found if one.code is None)
        self._note(kind, on, found)
        results = [_present(one) for one in found]
        return Response({"type": kind.key, "on_date": on, "results": results, "unmapped": list(unmapped)})

    def _kind(self) -> RecordType:
        kind = registry.find(self.body.type)
        if kind is None:
            raise correct([Problem("type", "unknown_type", f"There is no record type “{self.body.type}”.")])
        self.require_scope(f"read:{kind.path}")
        return kind

    def _check(self, kind: RecordType) -> None:
        wrong = list(_wrong(self.body, kind))
        if wrong:
            raise correct(wrong)
        by_rows = _mapping(self.body, kind)
        if by_rows:
            self.require_scope(f"read:{registry.get(by_rows).path}")

    def _found(self, kind: RecordType, on: date) -> list[Translation]:
        body = self.body
        systems = {"from_system": body.from_system, "to_system": body.to_system}
        by_rows = {"on": on, "context": body.context.model_dump(exclude_none=True), "trace": body.trace}
        if body.to_chart:
            charts = {"from_chart": body.from_chart, "to_chart": body.to_chart}
            return translating.accounts(body.values, **charts, **by_rows, known_at=body.known_at)
        if _mapping(body, kind):
            return translating.tax_codes(body.values, **systems, **by_rows, entities=self.entities)
        return translating.keys(kind, body.values, **systems, entities=self.entities)

    def _note(self, kind: RecordType, on: date, found: Sequence[Translation]) -> None:
        """What was asked for, for rehearsals; and what has no target, for stewards. Whoever sees some companies only may
        miss what is there, so that a missing key is no gap; what was known before is no use of today's rows."""
        token = auth.token_of(self.request)
        by = token.name if token else self.actor.name
        body, context = self.body, self.body.context.model_dump(exclude_none=True)
        mapping = _mapping(body, kind)
        if body.known_at or (not mapping and self.entities is not None):
            return
        source, target = body.from_chart or body.from_system or "", body.to_chart or body.to_system or ""
        uses, unmapped, keyless = Counter[str](), Counter[str](), Counter[str]()
        for one in found:
            by_rows, code = bool(mapping), one.value
            if mapping == TAX_CODES:  # rows are for the hub's codes
                by_rows, code = bool(one.record or not source), one.record.code if one.record else one.value
            if by_rows:
                uses[code] += 1
            if one.code is None:
                (unmapped if by_rows else keyless)[code] += 1
        rows = (mapping, "" if mapping == TAX_CODES else source, target, context, on)
        gaps = [Asked(*rows, unmapped), Asked(kind.key, source, target, {}, on, keyless)]
        asking.note(uses=[Asked(*rows, uses)], gaps=gaps, by=by)


def _mapping(body: TranslateInput, kind: RecordType) -> str:
    """The record type of the rows that decide, "" when keys do."""
    if body.to_chart:
        return ACCOUNTS
    return TAX_CODES if kind.key == "tax_code" and body.to_system else ""


def _wrong(body: TranslateInput, kind: RecordType) -> Iterator[Problem]:
    charts = {"from_chart": body.from_chart, "to_chart": body.to_chart}
    systems = {"from_system": body.from_system, "to_system": body.to_system}
    if any(charts.values()):
        if kind.key != ACCOUNT:
            words = f"Only GL accounts are in charts; name systems for {kind.nouns}."
            yield from (Problem(path, "not_for_type", words) for path, code in charts.items() if code)
            return
        yield from (Problem(path, "missing", "Name both charts.") for path, code in charts.items() if not code)
        words = "Name either charts or systems: they are two ways."
        yield from (Problem(path, "two_ways", words) for path, code in systems.items() if code)
    elif not any(systems.values()):
        paths = ("to_chart", "to_system") if kind.key == ACCOUNT else ("to_system",)
        yield from (Problem(path, "missing", "Say where to: name a chart or a system.") for path in paths)
    elif body.trace and not _mapping(body, kind):
        words = "There are traces of mapping rows only: between charts, and of tax codes to a system."
        yield Problem("trace", "not_for_type", words)
        return
    if body.known_at and not body.to_chart:
        yield Problem("known_at", "not_for_type", "What was known before is kept of mapping rows between charts only.")
    if body.known_at and body.known_at.tzinfo is None:
        yield Problem("known_at", "no_time_zone", "Say the time zone too: 2026-02-05T12:00:00Z.")
    if body.trace and len(body.values) > TRACED:
        yield Problem("trace", "too_many", f"Ask for traces of at most {TRACED} values; these are {len(body.values)}.")
    for dimension in body.context.model_extra or ():
        if not mapping_rows.known(dimension):
            words = f"There is no dimension “{dimension}”; there are {', '.join(mapping_rows.BUILT_IN)} and the custom ones."
            yield Problem(f"context/{dimension}", "unknown_dimension", words)


def _present(one: Translation) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "value": one.value,
        "code": one.code,
        "sign": one.sign,
        "record": one.record and one.record._asdict(),
        "rule": one.rule and _rule(one.rule),
        "why": one.why,
    }
    if one.trace is not None:
        shown["trace"] = [{"rule": _rule(step.rule), "won": step.won, "reason": step.reason} for step in one.trace]
    return shown


def _rule(rule: translating.Rule) -> dict[str, Any]:
    return {"uid": rule.uid, "code": rule.code, "words": rule.words}
