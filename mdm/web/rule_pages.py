"""Survivorship rules as pages show them: in force, proposed beside those in force, and what a rehearsal found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mdm import registry
from mdm.models import RuleChange, RuleEffect
from mdm.permissions import may
from mdm.registry import RecordType
from mdm.selectors import records
from mdm.services import rule_changes
from mdm.survival.rules import AGGREGATES, TESTS, Rule
from mdm.types import Actor
from mdm.web import visitor
from mdm.web.page import Action, Badge, Callout, Confirm, Link, Meta, Page, Tile, Tone
from mdm.web.pointers import request_url
from mdm.web.tables import Cell, Column, Row, Table
from mdm.web.values import number, show

VERDICTS: dict[str, tuple[str, str, Tone]] = {
    "changed": ("Change", "records get other values", "blue"),
    "asked": ("Ask people", "a policy leaves them to people", "amber"),
    "refused": ("Cannot follow", "the result would break a rule of the record", "red"),
    "unchanged": ("Stay the same", "nothing is written", "grey"),
}


def words_of(kind: RecordType, rule: Rule, titles: Mapping[str, str]) -> str:
    """A rule as a sentence: “the most trusted source (Coupa before SAP), then the newest value”."""
    parts = [(TESTS | AGGREGATES).get(name, name) for name in rule.order]
    words = ", then ".join(parts)
    if rule.ranks:
        ranked = sorted(rule.ranks, key=lambda code: (rule.ranks[code], code))
        words += "; trust here: " + ", ".join(f"{titles.get(code, code)} {rule.ranks[code]}" for code in ranked)
    if rule.together:
        words += f"; one block with {', '.join(kind.label(name).lower() for name in rule.together)}"
    return words if rule.keep_last else f"{words}; goes with its source"


def label_of(kind: RecordType, path: str, *, alone: bool = False) -> str:
    if path:
        return kind.label(path)
    return "Every field" if alone else "Every other field"


def in_force(kind: RecordType, rules: Sequence[Rule], titles: Mapping[str, str]) -> Table:
    # The particular ones first: "every other" is said of what stands above it.
    listed = sorted(rules or [Rule()], key=lambda rule: not rule.path)
    rows = [
        Row(
            cells=[
                Cell(value=label_of(kind, rule.path, alone=len(listed) == 1), kind="title"),
                Cell(value=words_of(kind, rule, titles)),
            ]
        )
        for rule in listed
    ]
    columns = [Column(label="Field"), Column(label="What survives")]
    return Table(caption=f"Rules of {kind.nouns}", columns=columns, rows=rows, plain=True)


def compared(kind: RecordType, row: RuleChange, titles: Mapping[str, str]) -> Table:
    """What changes in the rules: now and proposed, only where they differ."""
    base = {given["path"]: Rule.of(given) for given in row.base}
    wanted = {given["path"]: Rule.of(given) for given in row.rules}
    rows = []
    for path in sorted({*base, *wanted}):
        old, new = base.get(path), wanted.get(path)
        if old != new:
            cells = [
                Cell(value=label_of(kind, path), kind="title"),
                Cell(
                    value=words_of(kind, old, titles) if old else "",
                    note="" if old else "no rule of its own",
                    muted=True,
                ),
                Cell(value=words_of(kind, new, titles) if new else "", note="" if new else "no rule of its own"),
            ]
            rows.append(Row(cells=cells))
    columns = [
        Column(label="Field"),
        Column(label="Now" if row.state != "applied" else "Before"),
        Column(label="Proposed"),
    ]
    return Table(caption="Rules that change", columns=columns, rows=rows, plain=True)


def changes_table(rows: Sequence[RuleChange]) -> Table:
    columns = [
        Column(label="Rules of"), Column(label="State"), Column(label="Records", numeric=True, priority=1),
        Column(label="Change", numeric=True), Column(label="By", priority=2), Column(label="Proposed", numeric=True),
    ]  # fmt: skip
    return Table(caption="Changes of rules", columns=columns, rows=[_change_row(row) for row in rows])


def _change_row(row: RuleChange) -> Row:
    state, domain = state_of(row)
    return Row(
        cells=[
            Cell(
                value=registry.get(row.type).plural,
                kind="title",
                url=visitor.link("web:rule-change", row.uid),
                sub=row.reason,
            ),
            Cell(value=state, kind="state", domain=domain),
            Cell(value=row.counts.get("records", 0), kind="number"),
            Cell(value=_moving(row.counts), kind="number"),
            Cell(value=row.proposed_by, kind="person"),
            Cell(value=row.created_at, kind="time", muted=True),
        ]
    )


def _moving(counts: Mapping[str, Any]) -> int:
    return int(counts.get("changed", 0)) + int(counts.get("asked", 0))


def state_of(row: RuleChange) -> tuple[str, str]:
    if row.state == "ready" and row.change:
        return row.change.state, "request"
    return row.state, "rules"


def page(row: RuleChange, by: Actor) -> Page:
    kind = registry.get(row.type)
    state, domain = state_of(row)
    menu = [
        Action(label="Download what would change", url=visitor.link("web:rule-change-csv", row.uid), icon="download")
    ]
    if row.state in ("rehearsing", "ready") and (by.user == row.proposed_by or may(by, "admin")):
        ask = Confirm(
            title="Withdraw this proposal?",
            body="The rules in force stay as they are. What the rehearsal found stays readable.",
            button="Withdraw it",
            reason_label="Why?",
            reason_required=False,
            danger=True,
        )
        url = visitor.link("web:rule-change-withdraw", row.uid)
        menu.append(
            Action(label="Withdraw", name="withdraw", url=url, method="post", icon="no", style="danger", confirm=ask)
        )
    meta = [Meta(kind="person", text=str(by_words(row)), at=row.created_at)]
    if row.change:
        meta.append(Meta(kind="link", text=row.change.number, url=request_url(row.change)))
    return Page(
        title=f"Survivorship rules of {kind.nouns}",
        crumbs=[Link("Survivorship", visitor.link("web:survivorship")), Link("Change", "")],
        badges=[Badge(state=state, domain=domain)],
        meta=meta,
        note=row.reason,
        menu=menu,
        primary=_primary(row),
    )


def by_words(row: RuleChange) -> str:
    return row.proposed_by.get_full_name() or row.proposed_by.get_username()


def _primary(row: RuleChange) -> Action | None:
    if row.state == "ready" and row.change and row.change.state == "in_review":
        return Action(label="Review and sign", url=request_url(row.change), icon="half")
    return None


def run(row: RuleChange) -> dict[str, Any]:
    """How far it is and what was found; polled while work goes on."""
    applying = row.state in ("applying", "applied")
    counts = row.done if applying else row.counts
    live = row.state in ("rehearsing", "applying")
    signed = row.state in ("applying", "applied")
    steps = [
        ("Propose", "done"),
        ("Rehearse", "now" if row.state == "rehearsing" else "done" if row.rehearsed_at else "open"),
        ("Sign", "done" if signed else "now" if row.state == "ready" else "open"),
        ("Apply", "done" if row.state == "applied" else "now" if row.state == "applying" else "open"),
    ]
    return {
        "live": live,
        "done": counts.get("records", 0),
        "total": row.total,
        "what": "rebuilt" if applying else "rehearsed",
        "percent": rule_changes.progress(row),
        "steps": [{"label": label, "state": state} for label, state in steps],
        "error": row.error,
        "heading": "What became of the records" if applying else "What would become of the records",
        "balance": f"{number(counts.get('records', 0))} of {number(row.total)} records",
        "tiles": [
            Tile(label=label, value=counts.get(name, 0), note=note, tone=tone)
            for name, (label, note, tone) in VERDICTS.items()
        ],
        "fields": _fields(registry.get(row.type), row.counts.get("fields") or {}),
    }


def _fields(kind: RecordType, fields: Mapping[str, int]) -> Table | None:
    if not fields:
        return None
    rows = [
        Row(cells=[Cell(value=kind.label(name)), Cell(value=count, kind="number")])
        for name, count in sorted(fields.items(), key=lambda item: (-item[1], item[0]))
    ]
    return Table(
        caption="Records that change, by field",
        columns=[Column(label="Field"), Column(label="Records", numeric=True)],
        rows=rows,
        plain=True,
    )


def effects_table(kind: RecordType, rows: Sequence[RuleEffect]) -> Table:
    names = records.names(kind.key, {row.uid for row in rows})
    columns = [
        Column(label="Record"), Column(label="Field"), Column(label="Now"), Column(label="Afterwards"),
        Column(label="", hidden_label=True, priority=1),
    ]  # fmt: skip
    return Table(
        caption="What would change", columns=columns, rows=[_effect(kind, row, names) for row in rows], plain=True
    )


def _effect(kind: RecordType, row: RuleEffect, names: Mapping[str, tuple[str, str]]) -> Row:
    name = names.get(str(row.uid), ("", row.label))[1]
    words = VERDICTS[row.verdict][0] if row.verdict != "changed" else ""
    return Row(
        title=name,
        cells=[
            Cell(value=name, kind="title", url=visitor.record_url(kind, row.uid, "sources"), sub=row.code),
            Cell(value=kind.label(row.path.partition("/")[0])),
            Cell(value=_short(row.before), muted=True),
            Cell(value=_short(row.after)),
            Cell(value=words, sub=row.note),
        ],
    )


def _short(value: Any) -> str:
    text = show(value)
    return text if len(text) <= 90 else f"{text[:89]}…"


def callouts(row: RuleChange) -> list[Callout]:
    if row.state == "ready" and row.change and row.change.state == "in_review":
        see = Action(label=f"Review {row.change.number}", url=request_url(row.change))
        body = "Nothing changed yet. Somebody other than the proposer signs it; then the records follow."
        return [Callout(title="Rehearsed, waits for a second person", body=body, tone="amber", icon="half", action=see)]
    if row.state == "failed":
        return [Callout(title="The rehearsal stopped", body=row.error, tone="red", icon="alert")]
    if row.state == "closed":
        return [Callout(title="This change was not applied", body="The rules in force stayed as they were.")]
    return []


CSV_HEADINGS = ("Code", "Name", "Field", "Path", "Now", "Afterwards", "Rule", "Verdict", "Note")


def csv_rows(kind: RecordType, rows: Any) -> Any:
    for row in rows:
        yield (
            row.code, row.label, kind.label(row.path.partition("/")[0]), row.path, show(row.before), show(row.after),
            row.rule, row.verdict, row.note,
        )  # fmt: skip
