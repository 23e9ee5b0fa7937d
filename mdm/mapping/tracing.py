"""Owns the words of why a row won or lost for a code in a context on a day."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass
from datetime import date
from os.path import commonprefix
from typing import TYPE_CHECKING

from mdm.mapping.expressions import Between, Expression, In, Like
from mdm.mapping.rows import Conditions, Context, Row, named

if TYPE_CHECKING:
    from mdm.mapping.compiled import Compiled, Resolution

_NEAREST = 3


@dataclass(frozen=True, slots=True)
class Step:
    """One row that was considered, whether it won, and why in words."""

    row: Row
    won: bool
    reason: str


def explain(compiled: Compiled, resolution: Resolution, context: Context, on: date) -> None:
    """Fills in `trace` and `nearest`."""
    winner = resolution.row
    steps: list[Step] = []
    for number in compiled.candidates(resolution.value):
        row = compiled.table.row(number)
        unmet = _unmet(row.conditions, context)
        if row.source is None and len(unmet) == len(row.conditions):
            continue  # a multi row of which nothing fits was no candidate
        if number == resolution.number:
            steps.append(Step(row, True, f"{row.words()} wins"))
        else:
            steps.append(Step(row, False, _failure(row, unmet, context, on) or _loses(row, winner)))
    resolution.trace = tuple(steps)
    if not steps:
        resolution.nearest = tuple(_nearest(compiled, resolution.value))


def _failure(row: Row, unmet: Conditions, context: Context, on: date) -> str:
    if not row.active:
        return "not active"
    if (row.valid_from and on < row.valid_from) or (row.valid_to and on >= row.valid_to):
        return f"not valid on {on.isoformat()}, but {_period(row)}"
    return "; ".join(
        f"condition {named(dimension)} {test.words()} not met: {_given(context.get(dimension))}"
        for dimension, test in unmet
    )


def _period(row: Row) -> str:
    """Both ends in, as people say it."""
    words = f"from {row.valid_from.isoformat()} on" if row.valid_from else ""
    return " ".join(filter(None, (words, f"before {row.valid_to.isoformat()}" if row.valid_to else "")))


def _given(code: str | None) -> str:
    return f"it is {code}" if code else "there is none"


def _unmet(conditions: Conditions, context: Context) -> Conditions:
    return tuple(
        (dimension, test)
        for dimension, test in conditions
        if not context.get(dimension) or not test.matches(context[dimension])
    )


def _loses(row: Row, winner: Row | None) -> str:
    assert winner is not None  # a row without a failure holds, so there is a winner
    return f"{row.words()} loses to {winner.words()}{why_better(winner, row)}"


def why_better(winner: Row, loser: Row) -> str:
    """What decides between two rows, as the end of a sentence; nothing to say when the kinds differ."""
    if winner.kind != loser.kind:
        return f": {winner.kind} goes before {loser.kind}"
    if len(winner.conditions) != len(loser.conditions):
        return f": {len(winner.conditions)} conditions go before {len(loser.conditions)}"
    better, worse = winner.standing()[2], loser.standing()[2]
    if better != worse:
        return ", " + {
            "between": "the narrower range",
            "in": "the shorter list",
            "like": "the narrower pattern",
        }.get(winner.kind, "")
    if winner.order != loser.order:
        return f": order {winner.order} goes before {loser.order}"
    return ": equal in everything else, the lower uid goes first"


def _nearest(compiled: Compiled, value: str) -> list[Row]:
    """Rows that name the codes with the longest common beginning, the better row first."""
    place = bisect_left(compiled.codes, value)
    neighbours = compiled.codes[max(0, place - _NEAREST) : place + _NEAREST]
    named: list[tuple[int, tuple[str, ...]]]
    named = [(number, (code,)) for code in neighbours for number in compiled.naming(code)]
    named += [(number, _ends(row.source)) for number, row in enumerate(compiled.rules, compiled.first_rule)]
    common = {number: max((len(commonprefix((end, value))) for end in ends), default=0) for number, ends in named}
    best = sorted((number for number in common if common[number]), key=lambda number: (-common[number], number))
    return compiled.table.rows(best[:_NEAREST])


def _ends(source: Expression | None) -> tuple[str, ...]:
    if isinstance(source, Between):
        return (source.first, source.last)
    if isinstance(source, In):
        return source.codes
    return (source.prefix,) if isinstance(source, Like) else ()
