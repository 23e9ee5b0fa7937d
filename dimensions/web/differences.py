"""What rows would change for the codes in use, as pages and files show it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from dimensions.services.rehearsing import MONTHS, MOST_USES, Rehearsal
from mdm.mapping import Difference, Resolution
from mdm.web.browsing import plural
from mdm.web.page import Badge, Tone
from mdm.web.tables import Cell, Column, Field, Option, Row, Table
from mdm.web.values import day

COLUMNS = (
    Column(label="Code"),
    Column(label="Asked", numeric=True),
    Column(label="Becomes", tight=True),
    Column(label="Now"),
    Column(label="Then"),
)
KINDS: dict[str, tuple[str, Tone]] = {
    "mapped": ("Mapped", "green"),
    "unmapped": ("Unmapped", "red"),
    "target": ("Another code", "amber"),
    "sign": ("Another sign", "amber"),
}
HEADINGS = ("Code", "Context", "Times asked", "Change", "Target now", "Sign now", "Target then", "Sign then")


def months_of(values: Mapping[str, Any]) -> int:
    asked = str(values.get("months", ""))
    return int(asked) if asked in map(str, MONTHS) else MONTHS[1]


def months_field(chosen: int) -> Field:
    options = [
        Option(value=str(one), label=f"the last {plural(one, 'month')}", selected=one == chosen) for one in MONTHS
    ]
    return Field(name="months", label="Codes used in", kind="select", id="beside-months", options=options)


def words(found: Rehearsal) -> str:
    used = plural(found.uses, "code in its context", "codes in their contexts")
    more = f", the {MOST_USES:,} most used" if found.more else ""
    if not found.uses:
        return f"No code that these rows match was asked for in {_since(found.months)}."
    if not found.differences:
        return f"Nothing would change for {used} asked for in {_since(found.months)}{more}, tried for {day(found.on)}."
    changed = f"{len(found.differences):,} of {used} asked for in {_since(found.months)}{more}"
    return f"{changed} would become something else, tried for {day(found.on)}."


def _since(months: int) -> str:
    return f"the last {plural(months, 'month')}" if months > 1 else "the last month"


def table(differences: Sequence[Difference]) -> Table | None:
    rows = [_row(one) for one in differences]
    return (
        Table(caption="Codes that would become something else", columns=COLUMNS, rows=rows, plain=True)
        if rows
        else None
    )


def _row(one: Difference) -> Row:
    label, tone = KINDS[one.kind]
    return Row(
        title=one.use.value,
        cells=[
            Cell(value=one.use.value, kind="mono", sub=context_words(one.use.context)),
            Cell(value=one.use.count, kind="number"),
            Cell(kind="badges", badges=[Badge(label=label, tone=tone)]),
            _result(one.before),
            _result(one.after),
        ],
    )


def _result(one: Resolution) -> Cell:
    if one.target is None:
        return Cell(note="nothing")
    return Cell(value=f"{'−' if one.sign < 0 else ''}{one.target}", kind="mono", sub=one.row.words() if one.row else "")


def context_words(context: Mapping[str, str]) -> str:
    return ", ".join(f"{name.replace('_', ' ')} {code}" for name, code in sorted(context.items()))


def file_rows(found: Rehearsal) -> Iterator[tuple[Any, ...]]:
    for one in found.differences:
        before, after = one.before, one.after
        given = (one.use.value, context_words(one.use.context), one.use.count, KINDS[one.kind][0])
        yield (*given, before.target, before.sign, after.target, after.sign)
