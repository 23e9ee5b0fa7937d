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
from dimensions.services.coded_values import Held, Issue
from dimensions.services.mappings import Pair
from mdm.mapping import Compiled, Resolution

TAX = "tax_code_mapping"
NAMED = ("legal_entity", "cost_center", "profit_center", "project", "tax_code", "supplier")
"""Fields of a line that name a record by a key of the system or by the hub's code."""
PLACES = {
    **dict.fromkeys(("CLP", "ISK", "JPY", "KRW", "PYG", "UGX", "VND", "XAF", "XOF", "XPF"), 0),
    **dict.fromkeys(("BHD", "JOD", "KWD", "LYD", "OMR", "TND"), 3),
}
"""Decimal places of amounts, where they are not two (ISO 4217)."""


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

    def named(self) -> tuple[str | None, ...]:
        """The codes of NAMED."""
        return (self.legal_entity, self.cost_center, self.profit_center, self.project, self.tax_code, self.supplier)


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
    that is booked in; `account`: what it becomes, None where that needs no mapping."""

    line: Line
    held: dict[str, Held] = field(default_factory=dict)
    errors: list[Issue] = field(default_factory=list)
    warnings: list[Issue] = field(default_factory=list)
    golden: dict[str, Any] = field(default_factory=dict)
    target: dict[str, Any] = field(default_factory=dict)
    tax: Tax | None = None
    facts: dict[str, str] = field(default_factory=dict)
    unknown: list[str] = field(default_factory=list)
    applying: int = 0
    charts: tuple[str, str] = ("", "")
    account: Resolution | None = None


def judge(done: Checked, rules: Rules, answers: Mapping[Pair, Compiled], system: tuple[str, str]) -> None:
    """Fills in what is left. `system`: (code, title), ("", …) the hub itself."""
    day = done.line.posting_date
    done.applying, broken = rules.judge(done.facts, day.toordinal(), done.unknown)
    if broken:
        for rule in rules.named(broken):
            done.errors += _broken(rules, rule, done.facts)
    held = done.held
    account = held["gl_account"]
    if account.meaning is not None:
        _account(done, account, answers, day, system)
        kept = account.meaning.values[1] if account.meaning.values else None
        if kept and done.line.currency and kept != done.line.currency:
            words = f"{account.shown} is kept in {kept}, not in {done.line.currency}."
            done.errors.append(Issue("currency", "wrong_currency", words))
    tax = held.get("tax_code")
    if tax is not None and tax.meaning is not None:
        if system[0]:
            _tax_code(done, tax, answers, day, system)
        if tax.meaning.values:
            done.tax = _tax(done, tax.meaning.values)


def _broken(rules: Rules, rule: Rule, facts: Mapping[str, str]) -> Iterator[Issue]:
    """What a rule that the line breaks says, at each field that does not meet it."""
    if not rule.then:
        yield Issue(line_field(rule.about), "not_allowed", rule.message, rule.code)
    for test, missing in rules.failed(rule, facts):
        yield Issue(line_field(test.dimension), "missing" if missing else "not_allowed", rule.message, rule.code)


def _account(
    done: Checked, account: Held, answers: Mapping[Pair, Compiled], day: date, system: tuple[str, str]
) -> None:
    source, target = done.charts
    assert account.meaning is not None
    code = account.meaning.code
    if not target:
        words = f"Which chart {system[1]} books in is not known; a governance lead can say so."
        done.errors.append(Issue("gl_account", "unmapped", words))
    elif source == target:
        done.target["gl_account"] = {"code": code, "chart": target, "sign": 1, "row": None}
    else:
        rows = answers[Pair("gl_mapping", source, target)]
        found = done.account = rows.resolve(code, done.facts, day)
        if found.target is None:
            words = f"{account.shown} has no account in {target} on {day.isoformat()}."
            done.errors.append(Issue("gl_account", "unmapped", words))
        else:
            row = rows.table.uid(found.number)
            done.target["gl_account"] = {"code": found.target, "chart": target, "sign": found.sign, "row": row}


def _tax_code(done: Checked, tax: Held, answers: Mapping[Pair, Compiled], day: date, system: tuple[str, str]) -> None:
    """By the mapping of tax codes, where it says something; else by the key in the system; else not at all."""
    assert tax.meaning is not None and tax.target is not None
    rows = answers.get(Pair(TAX, "", system[0]))
    found = rows.resolve(tax.meaning.code, done.facts, day) if rows is not None and len(rows.table) else None
    if found is not None and found.target is not None:
        done.target["tax_code"] = {"code": found.target, "mapped": True}
    elif not tax.target["mapped"]:
        del done.target["tax_code"]
        words = f"{tax.shown} has no code in {system[1]} on {day.isoformat()}."
        done.errors.append(Issue("tax_code", "unmapped", words))


def _tax(done: Checked, values: tuple[str | None, ...]) -> Tax:
    line, company = done.line, done.held["legal_entity"].meaning
    rate, share = values[2] or "0", values[3] or "100"
    currency = line.currency or (company.values[1] if company and company.values else None) or ""
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
