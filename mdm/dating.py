"""Documents with periods: a proposal's values put on the timeline, and what the periods say on a day shown at the top."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import date
from typing import Any

from mdm import periods
from mdm.registry import RecordType
from mdm.types import Document, Problem, same


def on_timeline(
    kind: RecordType,
    current: Document,
    patch: Document,
    result: Document,
    *,
    today: str,
    new_uid: Callable[[], str],
) -> list[Problem]:
    """Values that a patch gives at the top, into the periods of `result`; what is wrong with it.

    From `valid_from` on (absent: from today on; of a record sent back as it was shown: in the period shown). `valid_to`
    alone closes the record on that day, or lets it go on.
    """
    rows = result.get(kind.periods) or []
    given = {name: patch[name] for name in kind.dated if name in patch}
    if patch.get("validity") not in (None, current.get("validity")):
        return [Problem("validity", "read_only", "This field is given by the hub and cannot be sent.")]
    bounds = {name: patch[name] or None for name in periods.BOUNDS if name in patch}
    wrong = [p for name, value in bounds.items() if (p := _no_day(name, value))]
    if wrong or not _are_periods(rows):
        return wrong
    if not current:
        if rows:
            return _contradictions(kind, rows, {**given, **bounds}, today)
        result[kind.periods] = [{**given, **bounds}]
        return []
    then = current
    if bounds.get("valid_from") != current.get("valid_from") and "valid_from" in bounds:
        then = periods.on(rows, bounds["valid_from"] or periods.FIRST) or {}
    changed = {name: value for name, value in given.items() if not then or not same_value(value, then.get(name))}
    moved = {name for name, value in bounds.items() if value != current.get(name)}
    if len(bounds) == 1 and _begins_from(rows, bounds.get("valid_to")):
        moved.add("valid_to")  # on the very day of a planned change: what would begin then does not
    try:
        result[kind.periods] = _moved(rows, current, changed, bounds, moved, today, new_uid)
    except _Nothing as error:
        return [Problem("valid_to", "never_valid", str(error))]
    return []


def _contradictions(kind: RecordType, rows: list[Document], given: Document, today: str) -> list[Problem]:
    """A new record with periods and with values at the top: they may say what the periods say of today, nothing else."""
    period, _ = periods.shown(periods.in_order(rows), today)
    fields = kind.child(kind.periods).document.model_fields
    text = f"The periods say something else of today. Give {kind.periods} or the values at the top, not both."
    return [
        Problem(name, "contradicts_periods", text)
        for name, value in given.items()
        if not same_value(value, period.get(name, fields[name].default))
    ]


def _begins_from(rows: list[Document], day: str | None) -> bool:
    return day is not None and any(periods.start_of(row) >= day for row in rows)


class _Nothing(Exception):
    pass


def _moved(
    rows: list[Document],
    current: Document,
    changed: Document,
    bounds: Document,
    moved: set[str],
    today: str,
    new_uid: Callable[[], str],
) -> list[Document]:
    if changed:
        start, end = bounds.get("valid_from", today), bounds["valid_to"] if "valid_to" in moved else None
        if len(bounds) == 2 and not moved:  # sent back as it was shown: this very period is put right
            end = current.get("valid_to")
        if start and end and start >= end:
            raise _Nothing("It would end before it begins.")
        return periods.change(rows, changed, start, end, new_uid=new_uid)
    if "valid_to" in moved:
        end = bounds["valid_to"]
        last = max((periods.end_of(row) for row in rows), default=periods.LAST)
        if end is None or end > last:
            return periods.reopen(rows, end)
        left = periods.close(rows, end)
        if not left:
            raise _Nothing("Nothing of it would ever have held: retire it instead.")
        return left
    return rows


def _no_day(name: str, value: Any) -> Problem | None:
    try:
        if value is not None:
            date.fromisoformat(value)
    except (TypeError, ValueError):
        return Problem(name, "date_parsing", "This must be a date such as 2026-01-31.")
    return None


def _are_periods(rows: Any) -> bool:
    """Whether their days can be compared; what is wrong with them is told by the schema."""
    return isinstance(rows, list) and all(
        isinstance(row, dict) and not any(_no_day(name, row.get(name)) for name in periods.BOUNDS) for row in rows
    )


def same_value(value: Any, now: Any) -> bool:
    """Nothing and an empty text are the same."""
    return same(value, now) or (value in (None, "", []) and now in (None, "", []))


# --- what is shown at the top -----------------------------------------------------------------------------------------


def shown(kind: RecordType, body: Document, day: str) -> Document:
    """The body with what its periods say on a day at the top. Without periods its values are one that always holds."""
    rows = body.get(kind.periods)
    if rows is None or rows == []:
        rows = [{name: body[name] for name in (*kind.dated, *periods.BOUNDS) if body.get(name) is not None}]
    if not _are_periods(rows):
        return {**body, kind.periods: rows}
    rows = periods.in_order(rows)
    rest = {name: value for name, value in body.items() if name not in kind.derived}
    return {**rest, **periods.at_top(rows, kind.dated, day), kind.periods: rows}


def as_of(kind: RecordType, document: Document, day: date) -> Document:
    """A stored document, or one put together from changes, as it reads on a day."""
    return shown(kind, document, day.isoformat()) if kind.periods and document.get(kind.periods) else document


def settled(kind: RecordType, body: Document) -> tuple[Document, list[Problem]]:
    """A valid body with its periods in order and joined where they say the same; what is wrong with them."""
    rows = body[kind.periods]
    wrong = periods.problems(rows, kind.periods, gapless=kind.gapless)
    return (body if wrong else {**body, kind.periods: periods.absorbed(rows)}), wrong


def each(kind: RecordType, body: Document) -> Iterable[tuple[str, Document]]:
    """(path of the period, the body as it reads then): what rules about the values are asked of."""
    for row in body[kind.periods]:
        yield f"{kind.periods}/{row.get('uid')}", {**body, **periods.values_of(row), **_bounds(row)}


def _bounds(row: Document) -> Document:
    return {name: row.get(name) for name in periods.BOUNDS}


def placed(kind: RecordType, body: Document, problems: Iterable[Problem], *, own: bool = True) -> list[Problem]:
    """Problems where a person looks for them: at the field itself while there is one period, else in the period. `own`:
    they are of the record's values by themselves; each period's are told there already, not again for what holds today."""
    rows = body.get(kind.periods)
    single = isinstance(rows, list) and len(rows) == 1
    found: dict[tuple[str, str], Problem] = {}
    for problem in problems:
        name, _, rest = problem.path.partition("/")
        field = rest.partition("/")[2]
        if single and name == kind.periods and field:
            problem = replace(problem, path=field)
        elif own and not single and name in kind.derived:
            continue
        found.setdefault((problem.path, problem.code), problem)
    return list(found.values())


def as_given(kind: RecordType, body: Document, given: Document, problems: Iterable[Problem]) -> list[Problem]:
    """Problems of values that somebody gave at the top, told there: which periods they were put into is our affair."""
    rows = {str(row.get("uid") or place): row for place, row in enumerate(body.get(kind.periods) or [])}
    found: dict[tuple[str, str], Problem] = {}
    for problem in problems:
        name, _, rest = problem.path.partition("/")
        uid, _, field = rest.partition("/")
        if name == kind.periods and field in given and same_value(rows.get(uid, {}).get(field), given[field]):
            problem = replace(problem, path=field)
        found.setdefault((problem.path, problem.code), problem)
    return list(found.values())
