"""Charts tell the truth: geometry that follows from the numbers, and the numbers beside it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta

import pytest

from mdm.web import charts, grids
from mdm.web.family_chart import FamilyLane, FamilyTurn, family_down


def test_scale_covers_the_values_with_round_numbers() -> None:
    assert charts.nice_scale(0, 143) == [0, 50, 100, 150]
    assert charts.nice_scale(88.1, 91.6) == [88, 89, 90, 91, 92]
    assert charts.nice_scale(5, 5) == [5, 5.2, 5.4, 5.6, 5.8, 6]


def numbers(text: str) -> Iterator[tuple[float, float]]:
    for pair in text.split():
        x, y = pair.split(",")
        yield float(x), float(y)


def test_line_keeps_order_stays_inside_and_tells_its_numbers() -> None:
    chart = charts.line([("1 Nov", 3), ("2 Nov", None), ("3 Nov", 7)], title="Waiting", goal=5)
    assert chart is not None
    dots = list(numbers(chart.points))
    assert len(dots) == 2 and dots[0][0] < dots[1][0] and dots[0][1] > dots[1][1]
    assert all(0 <= x <= chart.width and 0 <= y <= chart.base for x, y in dots)
    assert chart.behind.rows == (("1 Nov", "3"), ("2 Nov", ""), ("3 Nov", "7"))
    assert charts.line([("1 Nov", None)], title="Nothing") is None


def test_stacked_bars_touch_and_sum_up() -> None:
    series = [charts.Series("ok", "Posted", "green"), charts.Series("no", "Refused", "red")]
    chart = charts.stacked([("6", {"ok": 30, "no": 10}), ("7", {})], series, title="Deliveries")
    assert chart is not None and len(chart.bars) == 2
    lower, upper = chart.bars
    assert lower.y == pytest.approx(upper.y + upper.height, abs=0.2)
    assert lower.height == pytest.approx(3 * upper.height, abs=0.3)
    assert lower.y + lower.height == pytest.approx(chart.base, abs=0.2)


def test_proportions_keep_small_parts_visible_and_fill_the_bar() -> None:
    chart = charts.proportions([charts.Proportion("Same", 99_999, "grey"), charts.Proportion("Refused", 1, "red")])
    assert chart is not None and chart.bars[1].width >= 3.5
    assert chart.bars[1].x + chart.bars[1].width == pytest.approx(chart.width, abs=0.5)
    assert charts.proportions([charts.Proportion("None", 0, "grey")]) is None


def test_heat_uses_six_steps_and_says_what_is_not_sent() -> None:
    cells = {
        ("Terms", "A"): grids.HeatCell(14),
        ("Terms", "B"): grids.HeatCell(1),
        ("Name", "A"): grids.HeatCell(0),
    }
    chart = grids.heat(["Terms", "Name"], ["A", "B"], cells, title="Drift")
    assert chart is not None
    levels = [[square.level for square in row.squares] for row in chart.rows]
    assert levels == [[5, 1], [0, 0]] and chart.rows[1].squares[1].value is None
    assert chart.rows[0].squares[1].label == "1 difference, terms, B"


def test_waterfall_adds_up_to_its_sum() -> None:
    parts = [
        grids.WaterfallPart("Name", 4.6),
        grids.WaterfallPart("Phone", -0.6),
        grids.WaterfallPart("Tax", 0.0),
    ]
    chart = grids.waterfall(-4.2, parts, threshold=4.6)
    assert [bar.text for bar in chart.bars] == ["−4.2", "+4.6", "−0.6", "0.0", "−0.2"]
    assert [bar.tone for bar in chart.bars] == ["grey", "green", "red", "grey", ""]
    assert chart.bars[-2].join == pytest.approx(chart.bars[-1].join, abs=0.2)
    assert all(bar.x >= 0 and bar.x + bar.width <= chart.width for bar in chart.bars)


def test_lanes_are_half_open_and_tell_the_last_day() -> None:
    spans = [
        grids.Span("NET45", date(2024, 1, 1), date(2026, 1, 1), "grey"),
        grids.Span("NET30", date(2026, 1, 1)),
    ]
    chart = grids.lanes([grids.Lane("Terms", spans)], today=date(2026, 11, 22), title="Held", as_of=date(2025, 6, 1))
    assert chart is not None
    first, second = chart.rows[0].bars
    assert first.x + first.width < second.x
    assert chart.behind.rows[0][3] == "31 Dec 2025" and chart.behind.rows[1][3] == "open"
    assert chart.as_of is not None and chart.as_of.at < chart.now.at
    assert (date(1970, 1, 1) + timedelta(days=chart.day)) == date(2025, 6, 1)


def test_lanes_that_go_down_fit_a_phone_whatever_happened() -> None:
    lanes = [
        FamilyLane(
            uid=str(n), code=f"S-{n}", label="A rather long name of a company", url="/", starts=n % 3, own=n == 0
        )
        for n in range(9)
    ]
    turns = [
        FamilyTurn("0", ("3",), True, "1 Jan 2026", "CR-1", "/", "3 became part of 0"),
        FamilyTurn("0", ("3",), False, "2 Jan 2026", "CR-2", "/", "3 came back out of 0"),
        FamilyTurn("0", ("1", "2"), True, "3 Jan 2026", "CR-3", "/", "1 and 2 became part of 0"),
    ]
    drawn = family_down(lanes, turns, title="T")
    assert len(drawn.names) == 9 and len(drawn.nodes) == 3 and len(drawn.bends) == 4
    assert [bend.joins for bend in drawn.bends] == [True, False, True, True]
    assert all(0 < node.x < drawn.names[0].x < drawn.width for node in drawn.nodes)
    ys = [*(name.y for name in drawn.names), *(node.y for node in drawn.nodes), drawn.today]
    assert len(set(ys)) == len(ys) and max(ys) == drawn.today < drawn.height
    assert all(line.y1 < line.y2 for line in drawn.stretches), "time goes down"
    assert sum(line.open for line in drawn.stretches) == 7, "all but the two that are merged live today"
    assert [name.y for name in drawn.names if name.code == "S-1"] > [drawn.nodes[0].y], (
        "it was made after the first merge"
    )
