"""Charts of lines, bars and shares as pure functions: numbers in, geometry out; templates/charts draws them.

Every chart carries the rows of the table behind it, so no number is only a picture.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mdm.web.values import number

LEFT, TOP, BOTTOM = 34.0, 8.0, 20.0  # room for the axis labels


@dataclass(frozen=True)
class Tick:
    at: float
    label: str
    anchor: str = ""  # "" start · "t-mid" · "t-end"


@dataclass(frozen=True)
class Behind:
    """The table of the numbers."""

    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class Spark:
    points: str
    label: str


@dataclass(frozen=True)
class LineChart:
    title: str
    width: float
    height: float
    base: float  # y of the axis
    points: str
    area: str
    y_ticks: tuple[Tick, ...]
    x_ticks: tuple[Tick, ...]
    goal: Tick | None
    last: tuple[float, float] | None
    last_label: str
    behind: Behind
    left: float = LEFT


@dataclass(frozen=True)
class Series:
    key: str
    label: str
    tone: str


@dataclass(frozen=True)
class Bar:
    x: float
    y: float
    width: float
    height: float
    tone: str


@dataclass(frozen=True)
class StackedBars:
    title: str
    width: float
    height: float
    base: float
    bars: tuple[Bar, ...]
    y_ticks: tuple[Tick, ...]
    x_ticks: tuple[Tick, ...]
    series: tuple[Series, ...]
    behind: Behind
    left: float = LEFT


@dataclass(frozen=True)
class HBarRow:
    label: str
    value: float
    before: float | None = None
    text: str = ""  # what stands at the bar; the number when empty


@dataclass(frozen=True)
class HBar:
    label: str
    y: float
    width: float
    before_width: float
    text: str
    text_x: float


@dataclass(frozen=True)
class HBars:
    title: str
    width: float
    height: float
    left: float
    bars: tuple[HBar, ...]
    value_name: str
    before_name: str
    behind: Behind


@dataclass(frozen=True)
class Proportion:
    label: str
    value: int
    tone: str


@dataclass(frozen=True)
class Proportions:
    title: str
    bars: tuple[Bar, ...]
    width: float


def r1(value: float) -> float:
    """One decimal: a tenth of a pixel is more than anyone sees, and keeps the page small."""
    return round(value, 1)


def nice_scale(low: float, high: float, steps: int = 5) -> list[float]:
    """Round numbers that cover low…high with about `steps` intervals of 1, 2, 2.5 or 5 × 10ⁿ."""
    if high <= low:
        high = low + 1
    raw = (high - low) / steps
    magnitude = 10.0 ** math.floor(math.log10(raw))
    step = next(m * magnitude for m in (1, 2, 2.5, 5, 10) if m * magnitude >= raw - 1e-9)
    first = math.floor(low / step + 1e-9)
    last = math.ceil(high / step - 1e-9)
    return [round(i * step, 10) for i in range(first, last + 1)]


def spark(values: Sequence[float], label: str = "") -> Spark | None:
    """72 × 20 pixels of shape. Fewer than two values have no shape: None."""
    if len(values) < 2:
        return None
    low, high = min(values), max(values)
    span = (high - low) or 1
    flat = high == low
    dots = (
        f"{r1(i * 72 / (len(values) - 1))},{10.0 if flat else r1(18 - 16 * (value - low) / span)}"
        for i, value in enumerate(values)
    )
    return Spark(" ".join(dots), label or f"{number(values[0])} to {number(values[-1])}")


def spread(labels: Sequence[str], xs: Sequence[float], ticks: Sequence[int] | None) -> tuple[Tick, ...]:
    """A few labels under the axis: the first starts, the last ends, none runs into its neighbour."""
    count = len(labels)
    if ticks is None:
        shown = min(count, 4)
        ticks = sorted({round(i * (count - 1) / max(shown - 1, 1)) for i in range(shown)})
    anchor = {0: "", count - 1: "t-end" if count > 1 else ""}
    return tuple(Tick(xs[i], labels[i], anchor.get(i, "t-mid")) for i in ticks)


def _y_ticks(scale: Sequence[float], top: float, base: float) -> tuple[Tick, ...]:
    low, high = scale[0], scale[-1]
    return tuple(Tick(r1(base - (base - top) * (v - low) / (high - low)), number(v)) for v in scale)


def line(
    points: Sequence[tuple[str, float | None]],
    *,
    title: str,
    value_name: str = "Value",
    label_name: str = "Day",
    goal: float | None = None,
    unit: str = "",
    width: float = 560,
    height: float = 170,
    ticks: Sequence[int] | None = None,
    floor_zero: bool = True,
) -> LineChart | None:
    """A line with its area, and perhaps a goal. Days without a value are bridged; no value at all: None."""
    known = [(i, value) for i, (_, value) in enumerate(points) if value is not None]
    if not known:
        return None
    values = [value for _, value in known] + ([goal] if goal is not None else [])
    low = min(0, *values) if floor_zero else min(values)
    scale = nice_scale(low, max(values))
    base = height - BOTTOM
    right = width - 10
    xs = [r1(LEFT + (right - LEFT) * (i / max(len(points) - 1, 1))) for i in range(len(points))]

    def y(value: float) -> float:
        return r1(base - (base - TOP) * (value - scale[0]) / (scale[-1] - scale[0]))

    dots = [f"{xs[i]},{y(value)}" for i, value in known]
    first_x, last_x = xs[known[0][0]], xs[known[-1][0]]
    last_value = known[-1][1]
    return LineChart(
        title=title, width=width, height=height, base=base,
        points=" ".join(dots),
        area=" ".join([f"{first_x},{base}", *dots, f"{last_x},{base}"]),
        y_ticks=_y_ticks(scale, TOP, base),
        x_ticks=spread([label for label, _ in points], xs, ticks),
        goal=Tick(y(goal), f"goal {number(goal)}{unit}") if goal is not None else None,
        last=(last_x, y(last_value)), last_label=f"{number(last_value)}{unit}",
        behind=Behind(
            (label_name, value_name),
            tuple((label, "" if value is None else f"{number(value)}{unit}") for label, value in points),
        ),
    )  # fmt: skip


def stacked(
    days: Sequence[tuple[str, Mapping[str, float]]],
    series: Sequence[Series],
    *,
    title: str,
    label_name: str = "Day",
    width: float = 560,
    height: float = 170,
) -> StackedBars | None:
    """One bar per day, its outcomes on top of one another. No day at all: None."""
    if not days:
        return None
    totals = [sum(counts.get(s.key, 0) for s in series) for _, counts in days]
    scale = nice_scale(0, max(*totals, 1), 4)
    base = height - BOTTOM
    slot = (width - LEFT) / len(days)
    bar_width = r1(min(slot * 0.64, 40))
    bars, ticks = [], []
    every = max(1, math.ceil(len(days) / 16))
    for index, (label, counts) in enumerate(days):
        x = LEFT + slot * index + (slot - bar_width) / 2
        y = base
        for one in series:
            share = (base - TOP) * counts.get(one.key, 0) / scale[-1]
            if share > 0:
                y -= share
                bars.append(Bar(r1(x), r1(y), bar_width, r1(share), one.tone))
        if index % every == 0:
            ticks.append(Tick(r1(x + bar_width / 2), label, "t-mid"))
    rows = tuple((label, *(number(counts.get(s.key, 0)) for s in series)) for label, counts in days)
    return StackedBars(
        title=title, width=width, height=height, base=base, bars=tuple(bars),
        y_ticks=_y_ticks(scale, TOP, base), x_ticks=tuple(ticks), series=tuple(series),
        behind=Behind((label_name, *(s.label for s in series)), rows),
    )  # fmt: skip


def hbars(
    rows: Sequence[HBarRow],
    *,
    title: str,
    value_name: str,
    before_name: str = "",
    row_name: str = "Kind",
    width: float = 560,
) -> HBars | None:
    """Bars to the right, the value of before as a wider quiet bar behind each."""
    if not rows:
        return None
    left = r1(14 + 8.6 * max(len(row.label) for row in rows))  # wide enough for the larger letters of narrow screens
    most = max(max(row.value, row.before or 0) for row in rows) or 1
    room = width - left - 80
    bars = []
    for index, row in enumerate(rows):
        now, then = room * row.value / most, room * (row.before or 0) / most
        text = row.text or number(row.value)
        bars.append(HBar(row.label, 8 + 29.0 * index, r1(now), r1(then), text, r1(left + max(now, then) + 8)))
    head = (row_name, value_name, *([before_name] if before_name else []))
    table = [(row.label, row.text or number(row.value), number(row.before)) for row in rows]
    behind = Behind(head, tuple(cells[: len(head)] for cells in table))
    return HBars(title, width, 29.0 * len(rows) + 6, left, tuple(bars), value_name, before_name, behind)


def proportions(parts: Sequence[Proportion], *, width: float = 1100, height: float = 10) -> Proportions | None:
    """One bar cut by shares. A part that is not empty stays visible however small it is."""
    shown = [part for part in parts if part.value > 0]
    if not shown:
        return None
    room = width - 2.0 * (len(shown) - 1)
    total = sum(part.value for part in shown)
    floors = [max(4.0, room * part.value / total) for part in shown]
    shrink = room / sum(floors)
    bars, x = [], 0.0
    for part, size in zip(shown, floors, strict=True):
        bars.append(Bar(r1(x), 0, r1(size * shrink), height, part.tone))
        x += size * shrink + 2
    title = ", ".join(f"{part.value:,} {part.label.lower()}" for part in shown)
    return Proportions(title, tuple(bars), width)
