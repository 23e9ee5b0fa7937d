"""A dated record over valid time: lanes of what holds when, planned periods among them, and what differs between two days."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

from mdm import dating, periods
from mdm.periods import Period
from mdm.registry import RecordType
from mdm.types import Document, diff
from mdm.web import diffs, grids
from mdm.web.values import day, is_empty, show

BEFORE = timedelta(days=180)  # how much is drawn of a period that has no beginning


def _day(text: str | None) -> date | None:
    return date.fromisoformat(text) if text else None


def lanes(kind: RecordType, document: Document, today: date) -> list[grids.Lane]:
    """One lane per value: those that change first, each drawn from when it holds to when."""
    rows = periods.in_order(document[kind.periods])
    bounds = [bound for row in rows for name in periods.BOUNDS if (bound := _day(row.get(name)))]
    first = min([*bounds, today]) - BEFORE
    made = [(name, _spans(rows, name, first, today)) for name in kind.dated]
    told = sorted((one for one in made if one[1]), key=lambda one: (len(one[1]) < 2, one[0] != kind.name_field))
    return [grids.Lane(kind.label(name), spans) for name, spans in told]


def _spans(rows: list[Period], name: str, first: date, today: date) -> list[grids.Span]:
    found: list[grids.Span] = []
    for row in rows:
        value = row.get(name)
        if is_empty(value) or value is False:
            continue
        start, end = _day(row.get("valid_from")) or first, _day(row.get("valid_to"))
        text = "yes" if value is True else show(value)
        if found and found[-1].text == text and found[-1].end == start:
            start = found.pop().start
        tone = "purple" if start > today else "grey" if end is not None and end <= today else "green"
        found.append(grids.Span(text, start, end, tone))
    return found


def between(kind: RecordType, document: Document, one: date, other: date) -> dict[str, Any]:
    """What holds on one day and no more, or not yet, on the other: {title, diff}."""
    before, after = (dating.as_of(kind, document, when) for when in sorted((one, other)))
    left, right = (
        {**document, **{name: doc.get(name) for name in (*kind.dated, "validity")}} for doc in (before, after)
    )
    title = f"From {day(min(one, other))} to {day(max(one, other))}"
    return {"title": title, "diff": diffs.arrange(kind, diff(left, right), before=left, after=right)}
