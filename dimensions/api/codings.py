"""Checking codings for transaction systems: up to a thousand lines, what is wrong with each, and what its codes are elsewhere."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from decimal import Decimal
from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field
from pydantic_core import to_json
from rest_framework.request import Request
from rest_framework.response import Response

from dimensions.services import coding
from dimensions.services.coded_lines import NAMED, Checked, Line, Tax
from dimensions.services.coded_values import OWN_PATH, Held, Issue
from dimensions.services.coding import OWN
from mdm import registry
from mdm.api import auth
from mdm.api.operations import Body, Shown, operation
from mdm.api.view import HubView, Rendered

MOST = 1000
Given = Annotated[str, Field(min_length=1, max_length=100)]
Amount = Annotated[Decimal, Field(max_digits=20, decimal_places=6, allow_inf_nan=False)]
Percent = Annotated[str, Field(description="Percent.")]
ErrorCode = Literal[
    "unknown", "not_valid_on", "blocked", "retired", "closed_project", "not_released", "wrong_entity", "wrong_currency",
    "not_allowed", "missing", "unmapped",
]  # fmt: skip


class LineInput(Body):
    """One line. A code is what `system` calls the record, else the hub's own."""

    gl_account: Given = Field(description="Account number in `chart`.")
    legal_entity: Given | None = Field(None, description="Absent: that of the call.")
    posting_date: date | None = Field(None, description="Absent: that of the call.")
    cost_center: Given | None = None
    profit_center: Given | None = Field(None, description="Absent: that of the cost center, else of the project.")
    project: Given | None = None
    tax_code: Given | None = None
    supplier: Given | None = None
    amount: Amount | None = Field(None, description="Net of tax; then the tax is reckoned.")
    currency: Annotated[str, Field(pattern="^[A-Z]{3}$")] | None = Field(
        None, description="Of the amount; absent: that of the company."
    )
    dimensions: dict[Given, Given] = Field(
        default_factory=dict, max_length=20, description="Dimensions of the group's own: {code: value}."
    )


class CodingsInput(Body):
    closed = True
    system: Annotated[str, Field(min_length=1, max_length=40)] | None = Field(
        None, description="Code of the system that asks. Absent: the hub's own codes, and no target but these."
    )
    legal_entity: Given
    posting_date: date
    chart: Annotated[str, Field(min_length=1, max_length=40)] | None = Field(
        None, description="Chart that account numbers are of. Absent: the one the group books in."
    )
    lines: list[LineInput] = Field(min_length=1, max_length=MOST)


class IssueShown(Shown):
    path: str = Field(description="Field of the line: `cost_center`, `dimensions/REGION`.")
    code: ErrorCode
    message: str
    rule: str | None = Field(None, description="Code of the coding rule that says so.")


class WarningShown(Shown):
    path: str
    code: Literal["merged"]
    message: str


class RecordShown(Shown):
    code: str
    uid: UUID


class AccountShown(RecordShown):
    chart: str
    number: str


class ValueShown(RecordShown):
    value: str


class GoldenShown(Shown):
    """The golden records meant, on fields that are given and known."""

    legal_entity: RecordShown | None = None
    cost_center: RecordShown | None = None
    profit_center: RecordShown | None = None
    project: RecordShown | None = None
    gl_account: AccountShown | None = None
    tax_code: RecordShown | None = None
    supplier: RecordShown | None = None
    dimensions: dict[str, ValueShown] | None = None


class NameShown(Shown):
    code: str
    mapped: bool = Field(description="False: the system has no key of its own for it, this is the hub's code.")


class TargetAccountShown(Shown):
    code: str
    chart: str
    sign: int = Field(description="-1 where amounts change their sign.")
    row: UUID | None = Field(description="The GL mapping that decided; null where both charts are the same.")


class TargetShown(Shown):
    """What the system calls them. An account or a tax code that nothing maps is not there."""

    legal_entity: NameShown | None = None
    cost_center: NameShown | None = None
    profit_center: NameShown | None = None
    project: NameShown | None = None
    gl_account: TargetAccountShown | None = None
    tax_code: NameShown | None = None
    supplier: NameShown | None = None
    dimensions: dict[str, NameShown] | None = None


class TaxShown(Shown):
    rate: Percent
    deductible: Percent
    currency: str
    amount: str | None = Field(description="Of the line's amount, rounded half up; null when it gives none.")
    deductible_amount: str | None


class CheckedLine(Shown):
    valid: bool
    errors: list[IssueShown]
    warnings: list[WarningShown]
    golden: GoldenShown
    target: TargetShown
    tax: TaxShown | None = Field(description="On the posting date; null without a known tax code.")


class CheckedBody(Shown):
    valid: bool = Field(description="Whether all lines are.")
    results: list[CheckedLine] = Field(description="In the order of the lines sent.")


class ValidateCodings(HubView):
    @operation(
        "Validate codings",
        scope="read",
        body=CodingsInput,
        answers={200: CheckedBody},
        id="codings_validate",
        tag="codings",
        notes="Per line: whether its records are known, hold on the posting date, are open and of the company; whether "
        "combination rules allow it; the tax of that day; the golden records and what `system` calls them. What has no "
        "target is said and put down for stewards. Needs `read:<type>` of every type the lines name.",
    )
    def post(self, request: Request) -> Response:
        body: CodingsInput = self.body
        lines = list(_lines(body))
        self._require_scopes(lines)
        token = auth.token_of(request)
        texts: list[str] = []
        answer = coding.check(
            lines,
            system=body.system or "",
            chart=body.chart or "",
            entities=self.entities,
            by=token.name if token else self.actor.name,
            meanwhile=lambda done: texts.extend(map(_text, done)),
        )
        valid = not any(one.errors for one in answer.lines)
        return Response(Rendered(f'{{"valid":{_TRUTH[valid]},"results":[{",".join(texts)}]}}'.encode()))

    def _require_scopes(self, lines: list[Line]) -> None:
        columns = zip(*(line.named() for line in lines), strict=True)
        used = {name for name, texts in zip(NAMED, columns, strict=True) if any(texts)} | {"gl_account"}
        if any(line.dimensions for line in lines):
            used.add(OWN)
        for key in sorted(used):
            kind = registry.find(key)
            if kind is not None:
                self.require_scope(f"read:{kind.path}")


def _lines(body: CodingsInput) -> Iterator[Line]:
    for line in body.lines:
        yield Line(
            line.legal_entity or body.legal_entity,
            line.cost_center,
            line.profit_center,
            line.project,
            line.tax_code,
            line.supplier,
            line.posting_date or body.posting_date,
            line.gl_account,
            line.amount,
            line.currency,
            line.dimensions,
        )


_TRUTH = {True: "true", False: "false"}


def _text(one: Checked) -> str:
    """A `CheckedLine` as JSON, of members that are written once for all lines of a code: most of the time of a call would
    else go into writing the same again."""
    mapped, here = one.mapped, one.held
    own: dict[str, Held] = {}
    if one.line.dimensions:
        own = {path: held for path, held in here.items() if path.startswith(OWN_PATH)}
        here = {path: held for path, held in here.items() if path not in own}
    golden = [held.golden for held in here.values() if held.golden]
    target = [held.target for path, held in here.items() if held.target and path not in mapped]
    target += [f'"{path}":{to_json(said).decode()}' for path, said in mapped.items() if said]
    if own:
        golden += _own(held.golden for held in own.values())
        target += _own(held.target for held in own.values())
    return (
        f'{{"valid":{_TRUTH[not one.errors]},"errors":{_issues(one.errors)},"warnings":{_issues(one.warnings)},'
        f'"golden":{{{",".join(golden)}}},"target":{{{",".join(target)}}},'
        f'"tax":{_tax(one.tax)}}}'
    )


_TEXT = json.encoder.encode_basestring_ascii


def _tax(tax: Tax | None) -> str:
    if tax is None:
        return "null"
    amount, deductible = tax.amount, tax.deductible_amount
    return (
        f'{{"rate":"{tax.rate}","deductible":"{tax.deductible}","currency":{_TEXT(tax.currency)},'
        f'"amount":{_number(amount)},"deductible_amount":{_number(deductible)}}}'
    )


def _number(text: str | None) -> str:
    return f'"{text}"' if text else "null"


def _own(texts: Iterable[str]) -> list[str]:
    """Dimensions of the group's own stand in an object of their own."""
    members = ",".join(filter(None, texts))
    return [f'"dimensions":{{{members}}}'] if members else []


def _issues(issues: Sequence[Issue]) -> str:
    return to_json([_issue(issue) for issue in issues]).decode() if issues else "[]"


def _issue(issue: Issue) -> dict[str, str]:
    shown = {"path": issue.path, "code": issue.code, "message": issue.message}
    return {**shown, "rule": issue.rule} if issue.rule else shown
