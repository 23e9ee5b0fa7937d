"""Charts that are tables at heart, as pure functions: heat map, score waterfall, lanes of what held when."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from mdm.web.charts import Behind, Tick, r1
from mdm.web.values import day


@dataclass(frozen=True)
class HeatCell:
    """`value` None: the field is not sent to that target."""

    value: int | None
    url: str = ""


@dataclass(frozen=True)
class HeatSquare:
    value: int | None
    url: str
    level: int
    label: str


@dataclass(frozen=True)
class HeatRow:
    label: str
    squares: tuple[HeatSquare, ...]


@dataclass(frozen=True)
class HeatMap:
    title: str
    row_name: str
    columns: tuple[str, ...]
    rows: tuple[HeatRow, ...]


@dataclass(frozen=True)
class WaterfallPart:
    label: str
    weight: float
    why: str = ""


@dataclass(frozen=True)
class WaterfallBar:
    label: str
    why: str
    text: str
    x: float
    width: float
    tone: str  # "" for the sum
    join: float  # x at which the next bar goes on
    total: bool = False


@dataclass(frozen=True)
class Waterfall:
    bars: tuple[WaterfallBar, ...]
    zero: float
    threshold: float | None
    width: float = 480.0


@dataclass(frozen=True)
class Span:
    """What held from `start` up to, not including, `end`; None is open."""

    text: str
    start: date
    end: date | None = None
    tone: str = "green"
    url: str = ""


@dataclass(frozen=True)
class Lane:
    label: str
    spans: Sequence[Span]


@dataclass(frozen=True)
class LaneBar:
    x: float
    width: float
    tone: str
    text: str  # shortened to what fits
    full: str


@dataclass(frozen=True)
class LaneRow:
    label: str
    y: float
    label_y: float
    bars: tuple[LaneBar, ...]


@dataclass(frozen=True)
class Lanes:
    title: str
    width: float
    height: float
    rows: tuple[LaneRow, ...]
    years: tuple[Tick, ...]
    now: Tick
    as_of: Tick | None
    behind: Behind
    first_day: int  # days since 1970: the ends of the slider under the lanes
    last_day: int
    day: int
    narrow: bool = False


def heat(
    rows: Sequence[str],
    columns: Sequence[str],
    cells: Mapping[tuple[str, str], HeatCell],
    *,
    title: str,
    row_name: str = "Field",
    unit: str = "differences",
) -> HeatMap | None:
    """Six steps by share of the largest cell; one difference is never the colour of none."""
    if not rows or not columns:
        return None
    most = max((cell.value or 0 for cell in cells.values()), default=0)

    def square(row: str, column: str) -> HeatSquare:
        cell = cells.get((row, column), HeatCell(None))
        value = cell.value
        level = 0 if not value or not most else min(5, 1 + int(4.999 * (value - 1) / max(most - 1, 1)))
        words = unit.removesuffix("s") if value == 1 else unit
        return HeatSquare(value, cell.url, level, f"{value} {words}, {row.lower()}, {column}")

    return HeatMap(
        title, row_name, tuple(columns), tuple(HeatRow(r, tuple(square(r, c) for c in columns)) for r in rows)
    )


def signed(value: float) -> str:
    """+4.6, −1.3, 0.0 with a true minus sign, as the points of a score stand."""
    text = f"{abs(value):.1f}"
    return text if text == "0.0" else f"{'+' if value > 0 else '−'}{text}"


def waterfall(
    base: float,
    parts: Sequence[WaterfallPart],
    *,
    threshold: float | None = None,
    base_label: str = "Starting point",
    base_why: str = "",
    total_label: str = "Sum",
    total_why: str = "",
    width: float = 480,
) -> Waterfall:
    """Each piece of evidence starts where the one before ended; the sum is drawn from zero."""
    steps = [0.0, base]
    for part in parts:
        steps.append(steps[-1] + part.weight)
    reach = [*steps, *([threshold] if threshold is not None else [])]
    low, high = min(reach), max(reach)
    pad = (high - low or 1) * 0.06
    scale = width / (high - low + 2 * pad)

    def x(value: float) -> float:
        return r1((value - low + pad) * scale)

    def bar(label: str, why: str, start: float, end: float, tone: str, total: bool = False) -> WaterfallBar:
        left, right = sorted((x(start), x(end)))
        return WaterfallBar(label, why, signed(end - start), left, r1(right - left), tone, x(end), total)

    bars = [bar(base_label, base_why, 0, base, "grey")]
    for part, start in zip(parts, steps[1:], strict=False):
        tone = "grey" if abs(part.weight) < 0.05 else "green" if part.weight > 0 else "red"
        bars.append(bar(part.label, part.why, start, start + part.weight, tone))
    bars.append(bar(total_label, total_why, 0, steps[-1], "", total=True))
    return Waterfall(tuple(bars), x(0), x(threshold) if threshold is not None else None, width)


def lanes(
    rows: Sequence[Lane], *, today: date, title: str, as_of: date | None = None, narrow: bool = False
) -> Lanes | None:
    """One lane per attribute, bars from when to when. What starts after today is drawn as future. `narrow`: as wide as a
    phone, the names above their lanes."""
    spans = [span for lane in rows for span in lane.spans]
    if not spans:
        return None
    first = min(min(span.start for span in spans), today - timedelta(days=60))
    last = max(max((span.end or span.start) for span in spans), today)
    planned = any(span.start > today and span.end is None for span in spans)  # is given room to be read
    last += timedelta(days=max(30, (last - first).days // (7 if planned else 24)))
    width, left, step, top = (342.0, 0.0, 46.0, 42.0) if narrow else (1120.0, 104.0, 31.0, 26.0)
    per_day = (width - 10 - left) / max((last - first).days, 1)

    def x(when: date) -> float:
        return r1(left + per_day * (min(max(when, first), last) - first).days)

    drawn = tuple(_lane_row(lane, top + step * i, x, last, -5.0 if narrow else 15.0) for i, lane in enumerate(rows))
    now = Tick(x(today), f"Today, {day(today)}", _anchor(x(today), width))
    marker = None
    if as_of and as_of != today:
        marker = Tick(x(as_of), f"As of {day(as_of)}", _anchor(x(as_of), width))
    first_day, last_day, chosen = (_since_1970(when) for when in (first, last, as_of or today))
    years = _years(first, last, x)
    years = years[:: len(years) // 5 + 1] if narrow else years
    height = step * len(rows) + top + 16
    return Lanes(
        title, width, height, drawn, years, now, marker, _behind(rows), first_day, last_day, chosen, narrow=narrow
    )  # fmt: skip


def _since_1970(when: date) -> int:
    return (when - date(1970, 1, 1)).days


def _anchor(x: float, width: float) -> str:
    return "t-end" if x > width / 2 else ""


def _behind(rows: Sequence[Lane]) -> Behind:
    """The spans as a table, each with its last day rather than the first day after it."""
    table = []
    for lane in rows:
        for span in lane.spans:
            end = "open" if span.end is None else day(span.end - timedelta(days=1))
            table.append((lane.label, span.text, day(span.start), end))
    return Behind(("Attribute", "Value", "From", "To"), tuple(table))


def _lane_row(lane: Lane, y: float, x: Callable[[date], float], last: date, label: float) -> LaneRow:
    bars = []
    for span in lane.spans:
        start, end = x(span.start), x(span.end or last)
        size = max(r1(end - start - 2), 2.0)
        room = int((size - 12) / 6.2)
        shortened = f"{span.text[: room - 1].rstrip()}…" if room > 4 else ""
        text = span.text if len(span.text) <= room else shortened
        bars.append(LaneBar(start, size, span.tone, text, span.text))
    return LaneRow(lane.label, y, y + label, tuple(bars))


def _years(first: date, last: date, x: Callable[[date], float]) -> tuple[Tick, ...]:
    """A line per year, thinned to what can be read; within less than two years a line per quarter."""
    if (last - first).days > 730:
        step = max(1, (last.year - first.year) // 10 + 1)
        years = [year for year in range(first.year + 1, last.year + 1) if year % step == 0]
        return tuple(Tick(x(date(year, 1, 1)), str(year)) for year in years)
    quarters = [date(y, m, 1) for y in range(first.year, last.year + 1) for m in (1, 4, 7, 10)]
    return tuple(Tick(x(q), f"{q:%b %Y}") for q in quarters if first < q < last)
