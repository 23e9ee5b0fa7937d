"""Owns what is said of one line whose codes are known: rules that it breaks, what account and tax code become, its tax."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from functools import lru_cache
from typing import Any, NamedTuple

from dimensions.coding import Compiled as Rules
from dimensions.coding import Rule, line_field
from dimensions.services.coded_values import OWN_PATH, READ_OFF, Held, Issue
from dimensions.services.mappings import Pair
from mdm.iso import PLACES
from mdm.mapping import Compiled, Resolution

ACCOUNTS, TAX = "gl_mapping", "tax_code_mapping"
NAMED = ("legal_entity", "cost_center", "profit_center", "project", "tax_code", "supplier")
"""Fields of a line that name a record by a key of the system or by the hub's code."""


class Line(NamedTuple):
    """One line as it was coded, the codes of NAMED first. `amount` is net of tax; `dimensions`: {code of a dimension of
    one's own: value}."""

    legal_entity: str
    cost_center: str | None
    profit_center: str | None
    project: str | None
    tax_code: str | None
    supplier: str | None
    posting_date: date
    gl_account: str
    amount: Decimal | None = None
    currency: str | None = None
    dimensions: Mapping[str, str] = {}

    def named(self) -> tuple[str | None, ...]:
        """The codes of NAMED."""
        return self[:6]


class Tax(NamedTuple):
    """`rate`, `deductible`: percent. Amounts only of a line that has one, in its currency or the company's."""

    rate: str
    deductible: str
    currency: str
    amount: str | None
    deductible_amount: str | None


@dataclass(slots=True)
class Checked:
    """`held`: what is made of each field's code; `facts`: {dimension: code} as rules and mappings were asked, `unknown`:
    dimensions whose code is not known; `applying`: bits of the rules that apply. `charts`: that the account is of, and
    that is booked in; `account`: what it becomes, None where that needs no mapping. `mapped`: what rows of mappings say
    that the target is, of fields that go by them; None for none."""

    line: Line
    held: dict[str, Held] = field(default_factory=dict)
    errors: list[Issue] = field(default_factory=list)
    warnings: list[Issue] = field(default_factory=list)
    mapped: dict[str, dict[str, Any] | None] = field(default_factory=dict)
    tax: Tax | None = None
    facts: dict[str, str] = field(default_factory=dict)
    unknown: list[str] = field(default_factory=list)
    applying: int = 0
    charts: tuple[str, str] = ("", "")
    account: Resolution | None = None

    def target(self, path: str) -> dict[str, Any] | None:
        """What the system calls the code of a field; None when nothing says."""
        if path in self.mapped:
            return self.mapped[path]
        held = self.held.get(path)
        return {"code": held.called, "mapped": held.mapped} if held and held.called else None


def take(done: Checked) -> None:
    """What is wrong with each code by itself and with its company, and what all of them say to rules and mappings."""
    facts, held = done.facts, done.held
    company = held["legal_entity"].code
    for path, one in held.items():
        if not one.plain:
            done.errors += one.issues
            done.warnings += one.warnings
            if one.record is None:
                name = path.removeprefix(OWN_PATH)
                done.unknown += (name, READ_OFF[name][0]) if name in READ_OFF else (name,)
                continue
            done.unknown += one.unsaid
        facts.update(one.facts)
        if one.entity and company and one.entity != company:
            words = f"{one.shown} belongs to {one.entity}, not to {company}."
            done.errors.append(Issue(path, "wrong_entity", words))


class Judge:
    """Says of every line of a call what rules and mappings say. `system`: (code, title), ("", …) the hub itself."""

    def __init__(self, rules: Rules, answers: Mapping[Pair, Compiled], system: tuple[str, str]) -> None:
        self.rules, (self.system, self.title) = rules, system
        self.accounts = {(pair.source, pair.target): rows for pair, rows in answers.items() if pair.kind == ACCOUNTS}
        taxes = answers.get(Pair(TAX, "", self.system))
        self.taxes = taxes if taxes is not None and len(taxes.table) else None

    def judge(self, done: Checked) -> None:
        """Fills in what is left."""
        day, held, rules = done.line.posting_date, done.held, self.rules
        done.applying, broken = rules.judge(done.facts, day.toordinal(), done.unknown)
        if broken:
            for rule in rules.named(broken):
                done.errors += _broken(rules, rule, done.facts)
        account = held["gl_account"]
        if account.record is not None:
            self._account(done, account, account.code, day)
            kept = account.values[1] if account.values else None
            if kept and done.line.currency and kept != done.line.currency:
                words = f"{account.shown} is kept in {kept}, not in {done.line.currency}."
                done.errors.append(Issue("currency", "wrong_currency", words))
        tax = held.get("tax_code")
        if tax is not None and tax.record is not None:
            if self.system:
                self._tax_code(done, tax, tax.code, day)
            if tax.values:
                done.tax = _tax(done, tax.values)

    def _account(self, done: Checked, account: Held, code: str, day: date) -> None:
        source, target = done.charts
        if not target:
            words = f"Which chart {self.title} books in is not known; a governance lead can say so."
            done.errors.append(Issue("gl_account", "unmapped", words))
        elif source == target:
            done.mapped["gl_account"] = {"code": code, "chart": target, "sign": 1, "row": None}
        else:
            rows = self.accounts[done.charts]
            found = done.account = rows.resolve(code, done.facts, day)
            if found.target is None:
                words = f"{account.shown} has no account in {target} on {day.isoformat()}."
                done.errors.append(Issue("gl_account", "unmapped", words))
            else:
                row = rows.table.uid_text(found.number)
                done.mapped["gl_account"] = {"code": found.target, "chart": target, "sign": found.sign, "row": row}

    def _tax_code(self, done: Checked, tax: Held, code: str, day: date) -> None:
        """By the mapping of tax codes, where it says something; else by the key in the system; else not at all."""
        found = self.taxes.resolve(code, done.facts, day) if self.taxes is not None else None
        if found is not None and found.target is not None:
            done.mapped["tax_code"] = {"code": found.target, "mapped": True}
        elif not tax.mapped:
            done.mapped["tax_code"] = None
            words = f"{tax.shown} has no code in {self.title} on {day.isoformat()}."
            done.errors.append(Issue("tax_code", "unmapped", words))


def _broken(rules: Rules, rule: Rule, facts: Mapping[str, str]) -> Iterator[Issue]:
    """What a rule that the line breaks says, at each field that does not meet it."""
    if not rule.then:
        yield Issue(line_field(rule.about), "not_allowed", rule.message, rule.code)
    for test, missing in rules.failed(rule, facts):
        yield Issue(line_field(test.dimension), "missing" if missing else "not_allowed", rule.message, rule.code)


def _tax(done: Checked, values: tuple[str | None, ...]) -> Tax:
    line, company = done.line, done.held["legal_entity"].values
    rate, share = values[2] or "0", values[3] or "100"
    currency = line.currency or (company[1] if company else None) or ""
    if line.amount is None:
        return Tax(rate, share, currency, None, None)
    part, deductible, unit = _factors(rate, share, currency)
    amount = (line.amount * part).quantize(unit, ROUND_HALF_UP)
    return Tax(
        rate, share, currency, format(amount, "f"),
        format(amount if deductible == 1 else (amount * deductible).quantize(unit, ROUND_HALF_UP), "f"),
    )  # fmt: skip


@lru_cache(maxsize=2000)
def _factors(rate: str, share: str, currency: str) -> tuple[Decimal, Decimal, Decimal]:
    return Decimal(rate) / 100, Decimal(share) / 100, Decimal(1).scaleb(-PLACES.get(currency, 2))
