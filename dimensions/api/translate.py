"""Translating for transaction systems: what up to a thousand values of one chart or system are called in another."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from datetime import date
from functools import partial
from typing import Annotated, Any
from uuid import UUID

from django.utils import timezone
from pydantic import Field
from rest_framework.request import Request
from rest_framework.response import Response

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
ForChart = Annotated[str | None, Field(max_length=40, description="Code of a chart of accounts; for GL accounts.")]
ForSystem = Annotated[str | None, Field(max_length=40, description="Code of a system. Absent: the hub's own codes.")]
Member = Annotated[str | None, Field(max_length=100)]


class ContextInput(Body):
    """Codes of other dimensions, which conditions of mapping rows ask for; one that is absent fulfils no condition."""

    legal_entity: Member = None
    cost_center: Member = None
    profit_center: Member = None
    project: Member = None
    tax_code: Member = None


class TranslateInput(Body):
    type: str = Field(max_length=60, description="Record type: `gl_account`, `cost_center`, or as its path is called.")
    values: list[Annotated[str, Field(min_length=1, max_length=100)]] = Field(min_length=1, max_length=1000)
    from_chart: ForChart = None
    to_chart: ForChart = None
    from_system: ForSystem = None
    to_system: ForSystem = None
    on_date: date | None = Field(None, description="The day whose mapping holds; absent: today.")
    context: ContextInput = Field(default_factory=ContextInput)
    trace: bool = Field(False, description=f"Also say why every row considered won or lost; at most {TRACED} values.")


class RuleShown(Shown):
    uid: UUID = Field(description="Of the GL mapping, or of the golden record whose keys were used.")
    code: str
    words: str


class RecordShown(Shown):
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
    record: RecordShown | None = Field(description="The golden record of that code; null when the hub has none.")
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
        "codes are meant. Besides `read:<type>` charts need `read:gl-mappings`.",
    )
    def post(self, request: Request) -> Response:
        kind = self._kind()
        on = self.body.on_date or timezone.localdate()
        found = self._by_rows(on) if self._asks_for_charts(kind) else self._by_keys(kind)
        unmapped = dict.fromkeys(one.value for one in found if one.code is None)
        self._note(kind, on, unmapped)
        results = [_present(one) for one in found]
        return Response({"type": kind.key, "on_date": on, "results": results, "unmapped": list(unmapped)})

    def _kind(self) -> RecordType:
        kind = registry.find(self.body.type)
        if kind is None:
            raise correct([Problem("type", "unknown_type", f"There is no record type “{self.body.type}”.")])
        self.require_scope(f"read:{kind.path}")
        return kind

    def _asks_for_charts(self, kind: RecordType) -> bool:
        """Whether it goes from chart to chart; refuses what is neither that nor from system to system."""
        wrong = list(_wrong(self.body, kind))
        if wrong:
            raise correct(wrong)
        return bool(self.body.to_chart)

    def _by_rows(self, on: date) -> list[Translation]:
        self.require_scope("read:gl-mappings")
        body = self.body
        context = body.context.model_dump(exclude_none=True)
        return translating.accounts(
            body.values, from_chart=body.from_chart, to_chart=body.to_chart, on=on, context=context, trace=body.trace
        )

    def _note(self, kind: RecordType, on: date, unmapped: Collection[str]) -> None:
        """What was asked for, for rehearsals; and what has no target, for stewards. Whoever sees some companies only may
        miss what is there, so that is no gap."""
        token = auth.token_of(self.request)
        by = token.name if token else self.actor.name
        body, context = self.body, self.body.context.model_dump(exclude_none=True)
        if body.to_chart:
            asked = partial(Asked, "gl_mapping", body.from_chart, body.to_chart, context=context, on=on)
            asking.note(uses=map(asked, body.values), gaps=map(asked, unmapped), by=by)
        elif self.entities is None:
            asked = partial(Asked, kind.key, body.from_system or "", body.to_system or "", context={}, on=on)
            asking.note(gaps=map(asked, unmapped), by=by)

    def _by_keys(self, kind: RecordType) -> list[Translation]:
        body = self.body
        return translating.keys(
            kind, body.values, from_system=body.from_system, to_system=body.to_system, entities=self.entities
        )


def _wrong(body: TranslateInput, kind: RecordType) -> Iterator[Problem]:
    charts = {"from_chart": body.from_chart, "to_chart": body.to_chart}
    systems = {"from_system": body.from_system, "to_system": body.to_system}
    if any(charts.values()):
        if kind.key != ACCOUNT:
            words = f"Only GL accounts are in charts; name systems for {kind.plural[0].lower()}{kind.plural[1:]}."
            yield from (Problem(path, "not_for_type", words) for path, code in charts.items() if code)
            return
        yield from (Problem(path, "missing", "Name both charts.") for path, code in charts.items() if not code)
        words = "Name either charts or systems: they are two ways."
        yield from (Problem(path, "two_ways", words) for path, code in systems.items() if code)
        if body.trace and len(body.values) > TRACED:
            yield Problem(
                "trace", "too_many", f"Ask for traces of at most {TRACED} values; these are {len(body.values)}."
            )
    elif not any(systems.values()):
        paths = ("to_chart", "to_system") if kind.key == ACCOUNT else ("to_system",)
        yield from (Problem(path, "missing", "Say where to: name a chart or a system.") for path in paths)
    elif body.trace:
        yield Problem("trace", "not_for_type", "There are traces of mapping rows only, between charts.")


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
