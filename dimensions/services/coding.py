"""Owns checking how lines of bookings are coded: what is wrong with each, what its codes stand for, what the target calls them.

The number of queries is fixed whatever the lines say. What nothing maps is said and put down for stewards, never guessed.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from typing import Any, NamedTuple

from dimensions.coding import Compiled as Rules
from dimensions.coding import Rule, line_field
from dimensions.selectors import coded
from dimensions.selectors.coded import Found, Records
from dimensions.services import asking, coding_rules, mappings
from dimensions.services.asking import Asked
from dimensions.services.coded_values import Held, Issue, read
from dimensions.services.mappings import Pair
from mdm.errors import CorrectInput
from mdm.mapping import Compiled, Resolution
from mdm.selectors import event_watch
from mdm.selectors.visibility import Entities
from mdm.types import Problem

NAMED = ("legal_entity", "cost_center", "profit_center", "project", "tax_code", "supplier")
"""Fields of a line that name a record by a key of the system or by the hub's code."""
MINOR = {"JPY": 0, "KRW": 0, "CLP": 0, "VND": 0, "ISK": 0, "BHD": 3, "KWD": 3, "OMR": 3, "JOD": 3, "TND": 3, "LYD": 3}
"""Decimal places of amounts, where they are not two."""
READ_OFF = {
    "legal_entity": ("country", 0),
    "cost_center": ("cost_center_category", 2),
    "gl_account": ("account_kind", 0),
    "tax_code": ("tax_kind", 1),
}
"""{field: (the dimension read off its record, its place among the values)}"""
OWN = "dimension_value"
TAX = "tax_code_mapping"
NOTED = ("legal_entity", "country")
"""Dimensions that are put down with every use of a mapping."""


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
    facts: dict[str, str] = field(default_factory=dict)
    applying: int = 0
    charts: tuple[str, str] = ("", "")
    account: Resolution | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    lines: list[Checked]
    rules: Rules
    answers: Mapping[mappings.Pair, Compiled]


def check(
    lines: Sequence[Line], *, system: str = "", chart: str = "", entities: Entities = None, by: str = ""
) -> Answer:
    """What is wrong with each line, in the order given. `system`: whose keys come first and whose codes come out, "" the
    hub itself. `chart`: that account numbers are of, "" the one the group books in. `entities`: as visibility has it.
    `by`: who asks, put down with what was asked and what has no target; "" puts nothing down. CorrectInput when there
    is no such system. At most seven queries, five of them when rules and mappings are at hand.
    """
    call = _Call(lines, system, chart, entities)
    done = [call.read(line) for line in lines]
    looked = event_watch.looks({coding_rules.KEY: coding_rules.last_look(), **mappings.last_looks()})
    rules = coding_rules.compiled(looked[coding_rules.KEY])
    answers = mappings.answers_of(call.wanted, looked)
    for one in done:
        call.finish(one, rules, answers)
    if by:
        _note(done, answers, system, by)
    return Answer(done, rules, answers)


class _Call:
    """Everything that is asked once for all lines of a call."""

    def __init__(self, lines: Sequence[Line], system: str, chart: str, entities: Entities) -> None:
        self.system, self.chart, self.entities = system, chart, entities
        keys = [
            (name, text) for name in NAMED for text in {getattr(line, name) for line in lines} if text is not None
        ]  # fmt: skip
        values = {pair for line in lines for pair in line.dimensions.items()}
        self.ground = coded.ground(system, [*keys, *((OWN, value) for _code, value in values)])
        if system and self.ground.system is None:
            words = f"There is no system “{system}”."
            raise CorrectInput(words, problems=[Problem("system", "unknown_system", words)])
        self.records = self._records(lines, keys, values)
        self.wanted: dict[Pair, set[str]] = {}
        self._held: dict[tuple[str, str, str, int], Held] = {}
        self._charts: dict[str, tuple[str, str]] = {}

    def _records(
        self, lines: Sequence[Line], keys: Iterable[tuple[str, str]], values: Iterable[tuple[str, str]]
    ) -> Mapping[str, Records]:
        known, asked = self.ground.keys, {kind: coded.Asked() for kind in coded.KINDS}
        for kind, text in keys:
            if (kind, text) in known:
                asked[kind].uids.add(known[kind, text])
            else:
                asked[kind].names.add((text,))
        for pair in values:
            asked[OWN].names.add(pair)
            if (OWN, pair[1]) in known:
                asked[OWN].uids.add(known[OWN, pair[1]])
        for entity, number in {(line.legal_entity, line.gl_account) for line in lines}:
            asked["gl_account"].names.update((chart, number) for chart in self._maybe(entity))
        return coded.records(asked, self.ground.system and self.ground.system[0])

    def _maybe(self, entity: str) -> Collection[str]:
        """Charts an account number may be of, before the company's own code is known."""
        if self.chart:
            return (self.chart,)
        if ("legal_entity", entity) in self.ground.keys:
            return {chart for (system, _entity), chart in self.ground.charts.items() if not system}
        return (self.ground.chart("", entity),)

    # --- what codes stand for -----------------------------------------------------------------------------------------

    def held(self, kind: str, path: str, text: str, day: int, chart: str = "") -> Held:
        """`chart`: of an account number."""
        key = (path, text, chart, day)
        found = self._held.get(key)
        if found is None:
            record = self._record(kind, path, text, chart)
            found = self._held[key] = read(
                kind, path, text, record, day, system=self.system, chart=chart, entities=self.entities
            )
        return found

    def _record(self, kind: str, path: str, text: str, chart: str) -> Found | None:
        by_uid, by_names = self.records.get(kind) or Records({}, {})
        if kind == "gl_account":
            return by_names.get((chart, text))
        uid = self.ground.keys.get((kind, text))
        if kind == OWN:
            code = path.removeprefix("dimensions/")
            keyed = by_uid.get((uid,)) if uid else None
            return keyed if keyed and keyed.names[0] == code else by_names.get((code, text))
        return by_names.get((text,)) if uid is None else by_uid.get((uid,))

    def _dependent(self, held: Mapping[str, Held], day: int) -> Held | None:
        """The profit center of the cost center, else of the project: by its code, whatever a system calls so."""
        for name, place in (("cost_center", 3), ("project", 2)):
            values = held[name].values if name in held else ()
            code = values[place] if values else None
            if code:
                key = ("", code, "", day)
                found = self._held.get(key)
                if found is None:
                    record = self.records["profit_center"].by_names.get((code,))
                    found = self._held[key] = read(
                        "profit_center", "profit_center", code, record, day, system=self.system, chart="",
                        entities=self.entities,
                    )  # fmt: skip
                return found
        return None

    def charts(self, entity: str) -> tuple[str, str]:
        """(the chart account numbers are of, the chart that is booked in)"""
        found = self._charts.get(entity)
        if found is None:
            source = self.chart or self.ground.chart("", entity)
            target = self.ground.chart(self.system, entity) if self.system else source
            found = self._charts[entity] = (source, target)
        return found

    # --- one line -----------------------------------------------------------------------------------------------------

    def read(self, line: Line) -> Checked:
        """What its codes stand for, and which codes mappings are asked for."""
        done = Checked(line)
        day = line.posting_date.toordinal()
        held = done.held
        for name, text in (
            ("legal_entity", line.legal_entity),
            ("cost_center", line.cost_center),
            ("project", line.project),
            ("profit_center", line.profit_center),
            ("tax_code", line.tax_code),
            ("supplier", line.supplier),
        ):
            if text:
                held[name] = self.held(name, name, text, day)
        if not line.profit_center and (center := self._dependent(held, day)):
            held["profit_center"] = center
        source, target = done.charts = self.charts(held["legal_entity"].code)
        account = held["gl_account"] = self.held("gl_account", "gl_account", line.gl_account, day, source)
        for code, value in line.dimensions.items():
            held[f"dimensions/{code}"] = self.held(OWN, f"dimensions/{code}", value, day)
        if account.code and target and source != target:
            self._want(Pair("gl_mapping", source, target), account.code)
        tax = held.get("tax_code")
        if tax and tax.code and self.system and TAX in mappings.MAPPINGS:
            self._want(Pair(TAX, "", self.system), tax.code)
        return done

    def _want(self, pair: Pair, code: str) -> None:
        self.wanted.setdefault(pair, set()).add(code)

    def finish(self, done: Checked, rules: Rules, answers: Mapping[Pair, Compiled]) -> None:
        """Everything that is said of a line whose codes are read."""
        held, facts, unknown = done.held, done.facts, set[str]()
        company = held["legal_entity"].code
        for path, one in held.items():
            name = path.removeprefix("dimensions/")  # the same text where there is no prefix
            facts[name] = one.code
            if one.issues:
                done.errors += one.issues
            if one.warnings:
                done.warnings += one.warnings
            if one.golden is None:
                unknown.add(name)
            elif one.entity and one.entity != company and company:
                words = f"{one.shown} belongs to {one.entity}, not to {company}."
                done.errors.append(Issue(path, "wrong_entity", words))
            if path in READ_OFF:
                other, place = READ_OFF[path]
                if one.values:
                    facts[other] = one.values[place] or ""
                else:
                    unknown.add(other)
            if one.golden is not None:
                _put(done.golden, path, name, one.golden)
            if one.target is not None:
                _put(done.target, path, name, one.target)
        day = done.line.posting_date
        done.applying, broken = rules.judge(facts, day.toordinal(), unknown)
        for rule in rules.named(broken):
            done.errors += _broken(rules, rule, facts)
        self._map_account(done, answers, day)
        self._map_tax(done, answers, day)
        self._currency(done)
        done.tax = _tax(done)

    def _map_account(self, done: Checked, answers: Mapping[Pair, Compiled], day: date) -> None:
        account, (source, target) = done.held["gl_account"], done.charts
        if account.golden is None:
            return
        if not target:
            words = f"Which chart {self.system or 'the hub'} books in is not known; a governance lead can say so."
            done.errors.append(Issue("gl_account", "unmapped", words))
        elif source == target:
            done.target["gl_account"] = {"code": account.code, "chart": target, "sign": 1, "row": None}
        else:
            rows = answers[Pair("gl_mapping", source, target)]
            found = done.account = rows.resolve(account.code, done.facts, day)
            if found.target is None:
                words = f"{account.shown} has no account in {target} on {day.isoformat()}; stewards were told."
                done.errors.append(Issue("gl_account", "unmapped", words))
            else:
                done.target["gl_account"] = {
                    "code": found.target, "chart": target, "sign": found.sign, "row": str(rows.table.uid(found.number)),
                }  # fmt: skip

    def _map_tax(self, done: Checked, answers: Mapping[Pair, Compiled], day: date) -> None:
        """By the mapping of tax codes, where the system has one; else by its key; else not at all."""
        tax = done.held.get("tax_code")
        if tax is None or tax.golden is None or not self.system:
            return
        rows = answers.get(Pair(TAX, "", self.system))
        found = rows.resolve(tax.code, done.facts, day) if rows is not None and len(rows.table) else None
        if found is not None and found.target is not None:
            done.target["tax_code"] = {"code": found.target, "mapped": True}
        elif not tax.target or not tax.target["mapped"]:
            done.target.pop("tax_code", None)
            words = f"{tax.shown} has no code in {self.ground.title}; stewards were told."
            done.errors.append(Issue("tax_code", "unmapped", words))

    def _currency(self, done: Checked) -> None:
        values, given = done.held["gl_account"].values, done.line.currency
        if values and values[1] and given and values[1] != given:
            words = f"{done.held['gl_account'].shown} is kept in {values[1]}, not in {given}."
            done.errors.append(Issue("currency", "wrong_currency", words))


def _put(shown: dict[str, Any], path: str, name: str, value: Any) -> None:
    if path == name:
        shown[path] = value
    else:
        shown.setdefault("dimensions", {})[name] = value


def _broken(rules: Rules, rule: Rule, facts: Mapping[str, str]) -> Iterator[Issue]:
    """What a rule that the line breaks says, at each field that does not meet it."""
    if not rule.then:
        yield Issue(line_field(rule.about), "not_allowed", rule.message, rule.code)
    for test, missing in rules.failed(rule, facts):
        yield Issue(line_field(test.dimension), "missing" if missing else "not_allowed", rule.message, rule.code)


def _tax(done: Checked) -> Tax | None:
    values, line = (done.held["tax_code"].values if "tax_code" in done.held else ()), done.line
    if not values:
        return None
    rate, share = Decimal(values[2] or 0), Decimal(values[3] or 100)
    company = done.held["legal_entity"].values
    currency = line.currency or (company[1] if company else None) or ""
    if line.amount is None:
        return Tax(values[2] or "0", str(share), currency, None, None)
    unit = Decimal(1).scaleb(-MINOR.get(currency, 2))
    amount = (line.amount * rate / 100).quantize(unit, ROUND_HALF_UP)
    return Tax(values[2] or "0", str(share), currency, amount, (amount * share / 100).quantize(unit, ROUND_HALF_UP))


def _note(done: Sequence[Checked], answers: Mapping[Pair, Compiled], system: str, by: str) -> None:
    """Uses of mappings and what has no target. Of the context only what stays few: a count is kept for each."""
    uses, gaps = [], []
    for one in done:
        facts, day = one.facts, one.line.posting_date
        here = {name: facts[name] for name in NOTED if facts.get(name)}
        tax = one.held.get("tax_code")
        if one.account is not None:
            context = {**here, "tax_code": tax.code} if tax and tax.code else here
            asked = Asked("gl_mapping", *one.charts, one.account.value, context, day)
            uses.append(asked)
            if one.account.target is None:
                gaps.append(asked)
        if tax and tax.golden and system:
            asked = Asked(TAX, "", system, tax.code, here, day)
            if Pair(TAX, "", system) in answers:
                uses.append(asked)
            if "tax_code" not in one.target:
                gaps.append(asked)
    asking.note(uses=uses, gaps=gaps, by=by)
