"""Owns checking how lines of bookings are coded: what is wrong with each, what its codes stand for, what the target calls them.

The number of queries is fixed whatever the lines say. What nothing maps is said and put down for stewards, never guessed.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from typing import Any, NamedTuple

from dimensions.coding import Compiled as Rules
from dimensions.coding import line_field
from dimensions.selectors import coded
from dimensions.selectors.coded import Ground, Records
from dimensions.services import coding_rules, mappings
from dimensions.services.coded_values import Held, Issue, read, unknown
from mdm.errors import CorrectInput
from mdm.mapping import Compiled, Resolution
from mdm.selectors.visibility import Entities
from mdm.types import Problem

NAMED = ("legal_entity", "cost_center", "profit_center", "project", "tax_code", "supplier")
"""Fields of a line that name a record by a key of the system or by the hub's code."""
MINOR = {"JPY": 0, "KRW": 0, "CLP": 0, "VND": 0, "ISK": 0, "BHD": 3, "KWD": 3, "OMR": 3, "JOD": 3, "TND": 3, "LYD": 3}
"""Decimal places of amounts, where they are not two."""
_DERIVED = {
    "cost_center": ("cost_center_category",),
    "gl_account": ("account_kind",),
    "tax_code": ("tax_kind",),
    "legal_entity": ("country",),
}


class Line(NamedTuple):
    """One line as it was coded. `amount` is net of tax; `dimensions`: {code of a dimension of one's own: value}."""

    legal_entity: str
    posting_date: date
    gl_account: str
    cost_center: str | None = None
    profit_center: str | None = None
    project: str | None = None
    tax_code: str | None = None
    supplier: str | None = None
    amount: Decimal | None = None
    currency: str | None = None
    dimensions: Mapping[str, str] = {}


class Tax(NamedTuple):
    """`rate`, `deductible`: percent, as texts. Amounts only of a line that has one, in its currency or the company's."""

    rate: str
    deductible: str
    currency: str
    amount: Decimal | None
    deductible_amount: Decimal | None


@dataclass(slots=True)
class Checked:
    """`held`: what is known of each field's code; `facts`: what rules and mappings were asked with; `applying`: bits of
    the rules that apply. `account`: what the account becomes, None where no chart is known or it is the same."""

    line: Line
    held: dict[str, Held] = field(default_factory=dict)
    errors: list[Issue] = field(default_factory=list)
    warnings: list[Issue] = field(default_factory=list)
    golden: dict[str, Any] = field(default_factory=dict)
    target: dict[str, Any] = field(default_factory=dict)
    tax: Tax | None = None
    facts: dict[str, str | None] = field(default_factory=dict)
    unknown: set[str] = field(default_factory=set)
    applying: int = 0
    charts: tuple[str, str] = ("", "")
    account: Resolution | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    lines: list[Checked]
    rules: Rules
    answers: Mapping[mappings.Pair, Compiled]


def check(
    lines: Sequence[Line],
    *,
    system: str = "",
    chart: str = "",
    entities: Entities = None,
    by: str = "",
) -> Answer:
    """What is wrong with each line, in the order given. `system`: whose keys come first and whose codes come out, "" the
    hub itself. `chart`: that account numbers are of; "" the one the group books in. `entities`: as visibility has it.
    `by`: who asks, put down with what was asked and what has no target; "" puts nothing down. CorrectInput when there
    is no such system. At most nine queries, eight when the rules are at hand.
    """
    call = _Call(lines, system, chart, entities)
    done = [call.read(line) for line in lines]
    answers = mappings.answers_of(call.wanted)
    for one in done:
        call.finish(one, answers)
    if by:
        call.note(done, answers, by)
    return Answer(done, call.rules, answers)


class _Call:
    """Everything that is asked once for all lines of a call."""

    def __init__(self, lines: Sequence[Line], system: str, chart: str, entities: Entities) -> None:
        self.system, self.chart, self.entities = system, chart, entities
        named = [(name, {getattr(line, name) for line in lines} - {None, ""}) for name in NAMED]
        values = {pair for line in lines for pair in line.dimensions.items()}
        keys = [(name, text) for name, texts in named for text in texts]
        self.ground = coded.ground(system, [*keys, *(("dimension_value", value) for _code, value in values)])
        if system and self.ground.system is None:
            words = f"There is no system “{system}”."
            raise CorrectInput(words, problems=[Problem("system", "unknown_system", words)])
        self.records = self._records(lines, keys, values)
        self.rules = coding_rules.compiled()
        self.wanted: dict[mappings.Pair, set[str]] = {}
        self._held: dict[tuple[str, str, str, int], Held] = {}
        self._charts: dict[str, tuple[str, str]] = {}

    def _records(
        self, lines: Sequence[Line], keys: Sequence[tuple[str, str]], values: Collection[tuple[str, str]]
    ) -> Mapping[str, Records]:
        ground, asked = self.ground, {name: coded.Asked() for name in (*NAMED, "gl_account", "dimension_value")}
        for kind, text in keys:
            if (uid := ground.keys.get((kind, text))) is not None:
                asked[kind].uids.add(uid)
            else:
                asked[kind].names.add((text,))
        for pair in values:
            asked["dimension_value"].names.add(pair)
            if (uid := ground.keys.get(("dimension_value", pair[1]))) is not None:
                asked["dimension_value"].uids.add(uid)
        accounts = {(line.legal_entity, line.gl_account) for line in lines}
        for entity, number in accounts:
            asked["gl_account"].names.update((chart, number) for chart in self._maybe(entity))
        return coded.records(
            {kind: one for kind, one in asked.items() if one.uids or one.names},
            ground.system[0] if ground.system else None,
        )

    def _maybe(self, entity: str) -> Collection[str]:
        """Charts an account number may be of, before the company's own code is known."""
        if self.chart:
            return (self.chart,)
        if ("legal_entity", entity) in self.ground.keys:
            return {chart for (system, _entity), chart in self.ground.charts.items() if not system}
        return (self.ground.chart("", entity),)

    # --- what codes stand for -------------------------------------------------------------------------------------------

    def held(self, kind: str, path: str, text: str, day: int) -> Held:
        key = (kind, path, text, day)
        found = self._held.get(key)
        if found is None:
            found = self._held[key] = self._find(kind, path, text, day)
        return found

    def _find(self, kind: str, path: str, text: str, day: int) -> Held:
        records = self.records.get(kind)
        names = (path.removeprefix("dimensions/"), text) if kind == "dimension_value" else (text,)
        found = None
        if records is not None:
            uid = self.ground.keys.get((kind, text))
            found = records.by_uid.get((uid,)) if uid else None
            if kind == "dimension_value" and (found is None or found.names[0] != names[0]):
                found = records.by_names.get(names)
            elif uid is None:
                found = records.by_names.get(names)
        return read(kind, path, text, found, day, self.system, self.entities)

    def account(self, chart: str, number: str, day: int) -> Held:
        key = ("gl_account", chart, number, day)
        held = self._held.get(key)
        if held is None:
            records = self.records.get("gl_account")
            found = records.by_names.get((chart, number)) if records else None
            held = self._held[key] = read("gl_account", "gl_account", number, found, day, self.system, self.entities)
        return held

    def charts(self, entity: str) -> tuple[str, str]:
        """(the chart account numbers are of, the chart that is booked in)"""
        found = self._charts.get(entity)
        if found is None:
            source = self.chart or self.ground.chart("", entity)
            target = self.ground.chart(self.system, entity) if self.system else source
            found = self._charts[entity] = (source, target)
        return found

    # --- one line -------------------------------------------------------------------------------------------------------

    def read(self, line: Line) -> Checked:
        """What its codes stand for, and which codes of mappings that needs."""
        done = Checked(line)
        day = line.posting_date.toordinal()
        held, facts = done.held, done.facts
        company = held["legal_entity"] = self.held("legal_entity", "legal_entity", line.legal_entity, day)
        source, target = done.charts = self.charts(company.code)
        if line.cost_center:
            held["cost_center"] = self.held("cost_center", "cost_center", line.cost_center, day)
        if line.project:
            held["project"] = self.held("project", "project", line.project, day)
        center = line.profit_center or _dependent(held)
        if line.profit_center:
            held["profit_center"] = self.held("profit_center", "profit_center", line.profit_center, day)
        elif center:
            held["profit_center"] = self._dependent(center, day)
        if line.tax_code:
            held["tax_code"] = self.held("tax_code", "tax_code", line.tax_code, day)
        if line.supplier:
            held["supplier"] = self.held("supplier", "supplier", line.supplier, day)
        account = held["gl_account"] = self.account(source, line.gl_account, day)
        for name, one in held.items():
            facts[name] = one.code or getattr(line, name)
            if one.golden is None:
                done.unknown.add(name)
        for code, value in line.dimensions.items():
            one = held[f"dimensions/{code}"] = self.held("dimension_value", f"dimensions/{code}", value, day)
            facts[code] = one.code
            if one.golden is None:
                done.unknown.add(code)
        for name, derived in _DERIVED.items():
            if name in held:
                values = held[name].values
                for place, other in enumerate(derived):
                    facts[other] = values[place] if values else None
                    if not values:
                        done.unknown.add(other)
        if account.golden is not None and source != target and target:
            self._want("gl_mapping", source, target, account.code)
        if self.system and (tax := held.get("tax_code")) and tax.golden is not None:
            self._want(mappings.TAX_CODES, "", self.system, tax.code)
        return done
