"""A checked coding as pages show it: what is wrong, what each code stands for, the rules and the mapping row that decided."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.utils import timezone

from dimensions.models import CodingRule
from dimensions.selectors import coding_findings
from dimensions.services import coding, coding_rules
from dimensions.services.coded_lines import Checked
from dimensions.services.coding import Answer
from dimensions.services.mappings import Pair
from dimensions.web.coding_texts import Typed
from mdm import registry
from mdm.mapping.tracing import Step
from mdm.models import System
from mdm.selectors import event_watch
from mdm.selectors.visibility import Entities
from mdm.web.browsing import plural
from mdm.web.page import Badge, Callout, Fact, Part, Rich, Tone
from mdm.web.tables import Cell, Column, Row, Table
from mdm.web.values import day
from mdm.web.visitor import link, record_url

CODES = (
    Column(label="Field"),
    Column(label="Sent"),
    Column(label="Golden record"),
    Column(label="In the system"),
    Column(label="What is wrong"),
)
RULES = (Column(label="Rule"), Column(label="What it asks"), Column(label="This line", tight=True))
STEPS = (Column(label="Row"), Column(label="Says"), Column(label="Why"))
MANY = (
    Column(label="Line", numeric=True, tight=True),
    Column(label="Account"),
    Column(label="Cost center", priority=1),
    Column(label="Posting date", priority=2),
    Column(label="In the system"),
    Column(label="What is wrong"),
)
FINDINGS = (Column(label="Finding", tight=True), Column(label="Rule"), Column(label="What"))
TONES: dict[str, Tone] = {"error": "red", "warning": "amber", "note": "grey"}
_SHOWN = 50
_STEPS = 20


# --- one line ---------------------------------------------------------------------------------------------------------


def shown(answer: Answer, system: str, own: Mapping[str, str]) -> dict[str, Any]:
    """`own`: {code: name} of the group's own dimensions."""
    one = answer.lines[0]
    title = System.objects.filter(code=system).values_list("title", flat=True).first() if system else ""
    return {
        "outcome": _outcome(one),
        "codes": _codes(one, title or "the hub", own),
        "tax": _tax(one),
        "rules": _rules(answer, one),
        "steps": _steps(answer, one),
        "trace_of": f"{one.charts[0]} → {one.charts[1]}" if one.account is not None else "",
    }


def _outcome(one: Checked) -> Callout:
    when = day(one.line.posting_date)
    if one.errors:
        title = f"It may not be posted on {when}"
        return Callout(title=title, body=" ".join(issue.message for issue in one.errors), tone="red", icon="alert")
    warned = " ".join(issue.message for issue in one.warnings)
    return Callout(title=f"It may be posted on {when}", body=warned, tone="amber" if warned else "green", icon="ok")


def _codes(one: Checked, system: str, own: Mapping[str, str]) -> Table:
    rows = []
    for path, held in one.held.items():
        name = path.removeprefix("dimensions/")
        kind = registry.find("dimension_value" if path != name else name)
        record = held.record
        wrong = [issue.message for issue in one.errors if issue.path == path]
        sent = one.line.dimensions.get(name) if path != name else getattr(one.line, name)
        rows.append(
            Row(
                title=name,
                cells=[
                    Cell(value=own.get(name, name) if path != name else name.replace("gl_", "GL ").replace("_", " ").capitalize()
                         if name != "gl_account" else "GL account"),
                    Cell(value=sent, kind="mono") if sent else Cell(note="not given"),
                    Cell(value=record.code, kind="id", url=record_url(kind, record.uid) if kind else "")
                    if record else Cell(note="not known"),
                    _target(one.target(path), system),
                    Cell(value=" ".join(wrong), loud=True) if wrong else Cell(),
                ],
            )
        )  # fmt: skip
    return Table(caption="What each code stands for", columns=CODES, rows=rows)


def _target(target: Mapping[str, Any] | None, system: str) -> Cell:
    if target is None:
        return Cell(note="unmapped")
    note = ""
    if target.get("mapped") is False:
        note = f"{system} has no key of its own"
    elif target.get("sign") == -1:
        note = "the amount turns its sign"
    return Cell(value=target["code"], kind="mono", note=note)


def _tax(one: Checked) -> list[Fact]:
    if one.tax is None:
        return []
    facts = [
        Fact(label="Rate of the day", value=f"{one.tax.rate} %"),
        Fact(label="Deductible", value=f"{one.tax.deductible} %"),
    ]
    if one.tax.amount is not None:
        facts.append(Fact(label="Tax", value=f"{one.tax.amount} {one.tax.currency}"))
        facts.append(Fact(label="Of it deductible", value=f"{one.tax.deductible_amount} {one.tax.currency}"))
    return facts


def _rules(answer: Answer, one: Checked) -> Table | None:
    broken = {issue.rule for issue in one.errors if issue.rule}
    rows = [
        Row(
            title=rule.name,
            cells=[
                Cell(value=[Part(text=rule.code, url=_rule_url(rule.uid), mono=True), f" {rule.name}"], kind="rich"),
                Cell(value=rule.words()),
                Cell(kind="badges", badges=[Badge(label="Breaks it", tone="red") if rule.code in broken
                                            else Badge(label="Keeps it", tone="green")]),
            ],
        )
        for rule in answer.rules.named(one.applying)
    ]  # fmt: skip
    return Table(caption="Coding rules that apply", columns=RULES, rows=rows) if rows else None


def _rule_url(uid: UUID) -> str:
    return record_url(registry.get("coding_rule"), uid)


def _steps(answer: Answer, one: Checked) -> Table | None:
    """Every row of the account's mapping that was considered."""
    if one.account is None:
        return None
    rows = answer.answers[Pair("gl_mapping", *one.charts)]
    traced = rows.resolve(one.account.value, one.facts, one.line.posting_date, trace=True).trace[:_STEPS]
    kind = registry.get("gl_mapping")
    codes = dict(
        kind.model._default_manager.filter(uid__in=[step.row.uid for step in traced]).values_list("uid", "code")
    )
    listed = [_step(step, codes) for step in traced]
    return Table(caption="Rows of the mapping that were considered", columns=STEPS, rows=listed) if listed else None


def _step(step: Step, codes: Mapping[UUID, str]) -> Row:
    uid = step.row.uid
    return Row(
        title=step.row.words(),
        current=step.won,
        cells=[
            Cell(value=codes.get(uid, ""), kind="id", url=record_url(registry.get("gl_mapping"), uid)),
            Cell(value=f"{step.row.words()} → {step.row.target}"),
            Cell(value=step.reason, muted=not step.won),
        ],
    )


# --- many lines -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Outcome:
    """`errors`: in words, each with its field. `target`: account, chart, sign, tax code, rate and tax, as the file has them."""

    typed: Typed
    errors: Sequence[str]
    target: Sequence[Any]


def checked(lines: Sequence[Typed], system: str, entities: Entities) -> list[Outcome]:
    """In the order given; lines that cannot be read are told as such."""
    readable = [one.line for one in lines if one.line is not None]
    done = iter(coding.check(readable, system=system, entities=entities).lines if readable else [])
    found = []
    for one in lines:
        if one.line is None:
            found.append(Outcome(one, [f"{name}: {words}" for name, words in one.errors.items()], ("",) * 6))
        else:
            found.append(_outcome_of(one, next(done)))
    return found


def _outcome_of(typed: Typed, one: Checked) -> Outcome:
    account, tax = one.target("gl_account") or {}, one.target("tax_code") or {}
    target = (account.get("code", ""), account.get("chart", ""), account.get("sign", ""), tax.get("code", ""))
    reckoned = (one.tax.rate, one.tax.amount or "") if one.tax else ("", "")
    return Outcome(typed, [issue.message for issue in one.errors], (*target, *reckoned))


def outcome_table(done: Sequence[Outcome]) -> Table:
    rows = [
        Row(
            title=f"Line {number}",
            tone="red" if one.errors else "",
            cells=[
                Cell(value=number, kind="number"),
                Cell(value=one.typed.texts.get("gl_account"), kind="mono"),
                Cell(value=one.typed.texts.get("cost_center"), kind="mono"),
                Cell(value=one.typed.texts.get("posting_date")),
                Cell(value=one.target[0], kind="mono") if one.target[0] else Cell(),
                Cell(value=" ".join(one.errors), loud=True) if one.errors else Cell(note="nothing"),
            ],
        )
        for number, one in enumerate(done, 1)
    ]
    return Table(caption="Lines", columns=MANY, rows=rows)


# --- the rules themselves ---------------------------------------------------------------------------------------------


def findings() -> dict[str, Any]:
    """What is wrong with the rules."""
    rules = coding_rules.read(event_watch.look(coding_rules.KEY, coding_rules.last_look()))().rules
    found = coding_findings.of(rules, timezone.localdate())
    rows_found = CodingRule.objects.filter(uid__in=[one.rule for one in found])
    codes: dict[UUID, str] = dict(rows_found.values_list("uid", "code"))

    def named(uids: Sequence[UUID]) -> Rich:
        return [Part(text=codes.get(uid, ""), url=_rule_url(uid), mono=True) for uid in uids]

    rows = [
        Row(
            title=one.message,
            cells=[
                Cell(kind="badges", badges=[Badge(label=one.kind.replace("_", " ").capitalize(), tone=TONES[one.severity])]),
                Cell(value=named([one.rule]), kind="rich"),
                Cell(value=one.message),
            ],
        )
        for one in found[:_SHOWN]
    ]  # fmt: skip
    return {
        "findings": Table(caption="What is wrong with the rules", columns=FINDINGS, rows=rows) if rows else None,
        "findings_more": max(0, len(found) - _SHOWN),
        "rules_note": f"{plural(len(rules), 'rule')} in force",
        "rules_url": link("web:records", "coding-rules"),
    }
