"""Rows that wait, as a grid to correct in place: which columns it shows, which cells are wrong, what was typed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django.http import HttpRequest, QueryDict

from mdm import registry
from mdm.errors import CorrectInput, HubError
from mdm.models import ImportJob, QuarantinedRow
from mdm.reading.columns import ColumnMap
from mdm.reading.spec import key_columns
from mdm.selectors import imports
from mdm.selectors.keyset import Slice
from mdm.services import quarantine
from mdm.services.loading import RAW
from mdm.web import browsing, import_words
from mdm.web.page import Link
from mdm.web.tables import Pager
from mdm.web.visitor import link

COLUMNS = 14  # more would be a page of boxes; the page of the row has them all
PAGE = 25
Typed = Mapping[str, Mapping[str, str]]  # row uid -> column -> what was typed
_PREFIX, _UID = "cell-", 36


def typed_in(posted: QueryDict) -> dict[str, dict[str, str]]:
    """Every cell of the grid as it came back."""
    found: dict[str, dict[str, str]] = {}
    for name, value in posted.items():
        if name.startswith(_PREFIX) and len(name) > len(_PREFIX) + _UID:
            uid, column = name[len(_PREFIX) :][:_UID], name[len(_PREFIX) + _UID + 1 :]
            found.setdefault(uid, {})[column] = str(value)
    return found


def changed(row: QuarantinedRow, typed: Mapping[str, str]) -> dict[str, str]:
    """Only what is not as it was shown."""
    shown = quarantine.shown(row)
    return {column: value for column, value in typed.items() if value != shown.get(column, "")}


class Columns:
    """Which columns of the file stand behind a problem, and which ones the grid shows."""

    def __init__(self, job: ImportJob) -> None:
        self._keys = key_columns(job.mapping)
        self._fed = import_words.columns_of(registry.get(job.type), job.mapping)
        self._mapper: ColumnMap | None = None
        try:
            self._mapper = ColumnMap(job.mapping, registry.get(job.type))
        except CorrectInput:
            pass  # the type changed since: the grid marks nothing, and works all the same

    def behind(self, row: QuarantinedRow, problems: Sequence[Mapping[str, str]]) -> set[str]:
        if self._mapper is None:
            return set()
        return {name for problem in problems for name in self._mapper.columns_for(problem["path"])}

    def shown(self, wrong: Sequence[str]) -> list[str]:
        return list(dict.fromkeys([*self._keys, *wrong, *self._fed]))[:COLUMNS]

    def all(self, values: Mapping[str, str]) -> list[str]:
        return list(dict.fromkeys([*self._fed, *values]))


def build(
    request: HttpRequest,
    job: ImportJob,
    *,
    typed: Typed | None = None,
    refused: Mapping[str, HubError] | None = None,
) -> dict[str, Any] | None:
    """None when nothing waits. `typed` and `refused` bring a form back with everything that was in it."""
    causes = imports.causes(job)
    if not causes:
        return None
    cause = request.GET.get("cause", "")
    rows = job.quarantine.filter(state="open").select_related("job")
    if any(cause == code for code, _ in causes):
        rows = rows.filter(cause=cause)
    part = _part(request, rows, typed)
    columns = Columns(job)
    listed = [
        _Listed(row, columns, (typed or {}).get(str(row.uid), {}), (refused or {}).get(str(row.uid)))
        for row in part.rows
    ]
    wrong = list(dict.fromkeys(name for one in listed for name in sorted(one.bad)))
    names = columns.shown(wrong)
    widths = {name: _width([one.values.get(name, "") for one in listed]) for name in names}
    return {
        "note": "Edit in place; a row leaves this list when it is accepted",
        "causes": _causes(causes, cause),
        "columns": names,
        "rows": [one.as_row(names, widths) for one in listed],
        "url": link("web:import-problems", job.uid) + (f"?cause={cause}" if cause else ""),
        "pager": _pager(request, part, causes, cause),
        "errors": [
            {"id": f"error-{one.row.uid}", "text": f"Row {one.row.row}: {one.why}"}
            for one in listed
            if str(one.row.uid) in (refused or {})
        ],
    }


def _part(request: HttpRequest, rows: Any, typed: Typed | None) -> Slice:
    """A form that comes back shows the rows that were in it, whatever was settled meanwhile."""
    if typed:
        return Slice(list(rows.filter(uid__in=typed).order_by("row")))
    return browsing.cut(request, rows, order=("row",), size=PAGE)


def _causes(causes: Sequence[tuple[str, int]], current: str) -> list[Link]:
    total = sum(count for _, count in causes)
    links = [Link("All", "?#quarantine", total, current=not current)]
    for code, count in causes[:6]:
        links.append(Link(import_words.cause(code), f"?cause={code}#quarantine", count, current=code == current))
    return links


def _pager(request: HttpRequest, part: Slice, causes: Sequence[tuple[str, int]], cause: str) -> Pager | None:
    total = dict(causes).get(cause) or sum(count for _, count in causes)
    if not part.next and not part.previous:
        return None
    made = browsing.pager(request, part, "rows")
    assert made is not None
    anchored = {name: url and f"{url}#quarantine" for name, url in (("previous", made.previous), ("next", made.next))}
    return Pager(summary=f"{len(part.rows)} of {browsing.plural(total, 'row')}", **anchored)


class _Listed:
    """One row with what it holds now: as received, or as somebody typed it before the form came back."""

    def __init__(self, row: QuarantinedRow, columns: Columns, typed: Mapping[str, str], error: HubError | None) -> None:
        self.row = row
        received = quarantine.shown(row)
        self.broken = RAW in received
        self.values = {**received, **typed}
        self.fixed = {name for name, value in typed.items() if value != received.get(name, "")}
        problems = [p.as_json() for p in error.problems] if error else row.problems
        self.bad = columns.behind(row, problems)
        self.why = " ".join(problem["message"] for problem in problems) or (error.message if error else "")
        self.error = import_words.cause(problems[0]["code"]) if problems else self.why
        if len(problems) > 1:
            self.error += f", {len(problems) - 1} more"

    def as_row(self, names: Sequence[str], widths: Mapping[str, str]) -> dict[str, Any]:
        return {
            "uid": str(self.row.uid),
            "number": self.row.row,
            "error": self.error,
            "why": self.why,
            "raw_url": link("web:import-row", self.row.job.uid, self.row.uid),
            "cells": [
                {
                    "name": name, "label": name, "value": self.values.get(name, ""), "width": widths[name],
                    "bad": name in self.bad and name not in self.fixed, "fixed": name in self.fixed,
                }
                for name in names
            ],
        }  # fmt: skip


def _width(values: Sequence[str]) -> str:
    longest = max((len(value) for value in values), default=0)
    return "wide" if longest > 22 else "slim" if longest < 9 else "mid"


def row_form(
    row: QuarantinedRow, *, typed: Mapping[str, str] | None = None, error: HubError | None = None
) -> dict[str, Any]:
    """Every column of one row, and the line as received where it could not be split."""
    columns = Columns(row.job)
    received = quarantine.shown(row)
    raw = received.pop(RAW, "")
    values = {**received, **(typed or {})}
    problems = [p.as_json() for p in error.problems] if error and error.problems else row.problems
    bad = columns.behind(row, problems)
    said = {name: p["message"] for p in reversed(problems) for name in columns.behind(row, [p])}
    prefix = f"{_PREFIX}{row.uid}-"
    secret = quarantine.secret_columns(row.job)
    return {
        "prefix": prefix,
        "raw": (typed or {}).get(RAW, raw),
        "raw_name": f"{prefix}{RAW}",
        "raw_editable": row.job.format == "ndjson",
        "problems": problems,
        "cells": [
            {
                "name": f"{prefix}{name}", "id": f"cell-{index}", "label": name, "value": values.get(name, ""),
                "error": said.get(name, "") if name in bad else "",
                "help": "Shown masked; left as it is, it stays unchanged." if name in secret and values.get(name) else "",
            }
            for index, name in enumerate(name for name in columns.all(values) if name != RAW)
        ],
    }  # fmt: skip
