"""The matrix: codes of the group by everything they lead to, gaps coloured; and why a code becomes what it becomes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_GET

from dimensions.mapping_rows import BUILT_IN, MAPPINGS
from dimensions.selectors import coverage, matrix
from dimensions.selectors.matrix import Spot
from dimensions.services import mappings
from dimensions.services.mappings import Pair
from dimensions.web.pairs import action, form_url, links, nothing, pair_of, query
from mdm import permissions, registry
from mdm.mapping import Resolution
from mdm.registry import RecordType
from mdm.web import browsing, visitor
from mdm.web.browsing import Filter, plural
from mdm.web.page import Badge, Callout, Empty, Link, Page, Part, Rich, Tone
from mdm.web.tables import Cell, Column, Row, Table
from mdm.web.values import day

SIZE = 50
STEPS = 50
LOOKS: dict[str, tuple[str, Tone]] = {
    "gap": ("gap", "amber"),
    "astray": ("not in use", "red"),
    "key": ("by its key", "grey"),
}


@require_GET
@visitor.page
def index(request: HttpRequest) -> HttpResponse:
    pair, filters = pair_of(request)
    kind = visitor.kind_at(request, MAPPINGS[pair.kind].record_type.path)
    filters = [one for one in filters if one.name != "to"] + _asked_filters(pair)
    known = coverage.systems() if not MAPPINGS[pair.kind].source else coverage.charts()
    listed = matrix.targets(pair.kind, pair.source, [code for code, _title in known])
    context: dict[str, Any] = {
        "page": _page("Mapping matrix", pair, "Every code by everything it leads to"),
        "filters": browsing.bar(request, "Matrix where", filters, placeholder="Number or name"),
        "empty": _empty(pair, listed),
    }
    if context["empty"] is None:
        context |= _shown(request, pair, listed)
    return render(request, "dimensions/matrix.html", context | {"kind": kind})


def _page(title: str, pair: Pair, note: str) -> Page:
    crumbs = [Link("Mappings", reverse("dimensions:mappings") + query(pair)), Link(title, "")]
    return Page(title=title, note=note, crumbs=crumbs)


def _asked_filters(pair: Pair) -> list[Filter]:
    """The day and the context things are tried in."""
    dimensions = [one for one in BUILT_IN if one != MAPPINGS[pair.kind].dimension]
    words = {one: one.replace("_", " ") for one in dimensions}
    return [
        Filter(name="on", words="on", label="On the day", kind="date"),
        *(Filter(name=one, words=words[one], label=words[one].capitalize(), kind="text") for one in dimensions),
    ]


def _asked(request: HttpRequest, pair: Pair) -> tuple[date, dict[str, str]]:
    held = browsing.values_of(request, _asked_filters(pair))
    on = browsing.day(held.pop("on")) or timezone.localdate()
    return on, {name: value for name, value in held.items() if value}


def _empty(pair: Pair, listed: Sequence[str]) -> Empty | None:
    if MAPPINGS[pair.kind].source and not pair.source:
        return Empty(title="Choose a chart", text="Choose the chart the accounts come from.", icon="mapping")
    if not listed:
        text = "There is nothing else that these codes could lead to yet."
        return Empty(title="There are no targets", text=text, icon="mapping")
    return None


def _shown(request: HttpRequest, pair: Pair, listed: Sequence[str]) -> dict[str, Any]:
    on, context = _asked(request, pair)
    rows = matrix.members(pair.kind, pair.source, request.GET.get("q", "").strip()[:200])
    part = browsing.cut(request, rows, order=("above", "within", "number", "pk"), size=SIZE)
    codes = [one.number for one in part.rows]
    found = matrix.spots(pair.kind, pair.source, listed, codes, on=on, context=context)
    gaps = {target: sum(spot.state in ("gap", "astray") for spot in found[target].values()) for target in listed}
    columns = [
        Column(label="Code", tight=True), Column(label="Name", priority=1),
        *(Column(label=f"{target} · {gaps[target]} open" if gaps[target] else target) for target in listed),
    ]  # fmt: skip
    shown: list[Row] = []
    heading = ""
    for one in part.rows:
        group = " · ".join(filter(None, (one.above.replace("_", " "), one.within)))
        if group != heading:
            heading = group
            shown.append(Row(cells=[], group=group[0].upper() + group[1:]))
        code = one.number
        cells = [Cell(value=code, kind="id", url=_record_url(pair, one)), Cell(value=one.name)]
        cells += [_cell(pair._replace(target=target), found[target][code], on, context) for target in listed]
        shown.append(Row(title=code, cells=cells))
    table = Table(caption="What each code becomes in each target", columns=columns, rows=shown, data=True)
    where = ", ".join([f"on {day(on)}", *(f"{name.replace('_', ' ')} {code}" for name, code in context.items())])
    return {
        "table": table if shown else None,
        "pager": browsing.pager(request, part, "codes", ends=f"{plural(len(part.rows), 'code')}, all of them"),
        "where": where[0].upper() + where[1:],
        "none": Empty(title="No code is like that", text="Take a filter away to see more.", icon="filter"),
    }


def _record_url(pair: Pair, one: Any) -> str:
    return visitor.record_url(registry.get(MAPPINGS[pair.kind].dimension), one.uid)


def _cell(pair: Pair, spot: Spot, on: date, context: Mapping[str, str]) -> Cell:
    url = trace_url(pair, spot.found.value, on, context)
    if spot.state == "gap":
        return Cell(kind="badges", badges=[Badge(label="gap", tone="amber", url=url)], label=True)
    sign = "−" if spot.found.sign < 0 else ""
    if spot.state == "mapped":
        return Cell(value=f"{sign}{spot.code}", kind="id", url=url, label=True)
    label, tone = LOOKS[spot.state]
    return Cell(kind="badges", badges=[Badge(label=f"{sign}{spot.code} {label}", tone=tone, url=url)], label=True)


def trace_url(pair: Pair, code: str, on: date, context: Mapping[str, str]) -> str:
    return reverse("dimensions:mapping-trace") + query(pair, q=code, on=on.isoformat(), **context)


# --- why ----------------------------------------------------------------------------------------------------------------


@require_GET
@visitor.page
def trace(request: HttpRequest) -> HttpResponse:
    """Why a code becomes what it becomes, row by row, on a day in a context."""
    pair, filters = pair_of(request)
    kind = visitor.kind_at(request, MAPPINGS[pair.kind].record_type.path)
    may = permissions.may(visitor.actor(request), f"propose:{kind.path}")
    code, empty = request.GET.get("q", "").strip()[:200], nothing(kind, pair, may)
    context: dict[str, Any] = {
        "page": _page(
            "Why a code becomes what", pair, f"{pair.source or 'The hub'} to {pair.target}" if pair.target else ""
        ),
        "filters": browsing.bar(request, "Tried", [*filters, *_asked_filters(pair)], placeholder="A code"),
        "empty": empty,
    }
    if empty is None and code:
        on, where = _asked(request, pair)
        found = mappings.answers(*pair, [code]).resolve(code, where, on, trace=True)
        context |= _traced(kind, pair, found, may)
    elif empty is None:
        context["empty"] = Empty(
            title="Type a code", text="Every row that is considered for it is told here.", icon="search"
        )
    return render(request, "dimensions/trace.html", context)


def _traced(kind: RecordType, pair: Pair, found: Resolution, may: bool) -> dict[str, Any]:
    uids = {step.row.uid for step in found.trace[:STEPS]} | {row.uid for row in found.nearest}
    codes = coverage.codes_of(pair.kind, uids)
    rows = [
        Row(
            title=step.row.words(),
            tone="green" if step.won else "",
            cells=[
                Cell(kind="badges", badges=[Badge(label="wins" if step.won else "loses", tone="green" if step.won else "grey")]),
                Cell(value=links(kind, [step.row.uid], codes), kind="rich"),
                Cell(value=step.row.target, kind="mono"),
                Cell(value=step.reason),
            ],
        )
        for step in found.trace[:STEPS]
    ]  # fmt: skip
    columns = (
        Column(label="", hidden_label=True, tight=True),
        Column(label="Row"),
        Column(label="Target"),
        Column(label="Why"),
    )
    return {
        "verdict": _verdict(kind, pair, found, codes, may),
        "table": Table(caption="Rows considered, the best first", columns=columns, rows=rows) if rows else None,
        "more": max(0, len(found.trace) - STEPS),
    }


def _verdict(kind: RecordType, pair: Pair, found: Resolution, codes: Any, may: bool) -> Callout:
    if found.target is not None:
        sign = ", with its sign turned" if found.sign < 0 else ""
        body: Rich = ["By ", *links(kind, [found.row.uid] if found.row else [], codes)]
        return Callout(title=f"{found.value} becomes {found.target}{sign}", body=body, tone="green", icon="ok")
    body = "No row that holds is for it."
    if found.nearest:
        near: list[Part | str] = ["No row is for it. Nearest are "]
        body = [*near, *links(kind, [row.uid for row in found.nearest], codes), "."]
    propose = action("Propose a row", form_url(pair, code=found.value), may, icon="plus")
    return Callout(title=f"{found.value} becomes nothing", body=body, tone="amber", icon="alert", action=propose)
