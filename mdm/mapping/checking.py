"""Owns what is wrong with a set of rows: overlaps, rows that win never or not everywhere, empty ranges, gaps, bad targets."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date
from uuid import UUID

from mdm.mapping.compiled import Compiled, compile
from mdm.mapping.coverage import Coverage, Example
from mdm.mapping.expressions import Between
from mdm.mapping.languages import TooMany
from mdm.mapping.rows import Context, Row, named
from mdm.mapping.tracing import why_better

SEVERITY = {
    "overlap": "warning",
    "shadowed": "note",
    "unreachable": "error",
    "undecided": "note",
    "empty_range": "error",
    "empty_period": "error",
    "unmapped": "warning",
    "target_not_valid": "error",
}
_SHOWN = 10  # other rows that a finding names
_COUNTED = 100  # and counts


@dataclass(frozen=True, slots=True)
class Finding:
    """`kind`: one of SEVERITY. `row` None: of a member without a row. `others`: at most ten rows, the best first.

    `example`: a code, context and day where it can be seen.
    """

    kind: str
    row: UUID | None
    message: str
    others: tuple[UUID, ...] = ()
    example: Example | None = None
    member: str | None = None

    @property
    def severity(self) -> str:
        return SEVERITY[self.kind]


@dataclass(frozen=True, slots=True)
class Members:
    """Codes that need a target, in each of these contexts, on a day."""

    codes: Collection[str]
    on: date
    contexts: Sequence[Context] = field(default=({},))


def check(
    rows: Iterable[Row] | Compiled,
    *,
    dimension: str = "",
    members: Members | None = None,
    targets: Collection[str] | None = None,
    about: Collection[UUID] | None = None,
) -> list[Finding]:
    """Everything wrong with the active rows, whatever codes may come. `dimension`: as for `compile`. `targets`: the
    codes that are valid in the target. `about`: only these rows (as one is typed), still judged against all.

    A context may leave out any dimension, so a row is never beaten everywhere by rows with conditions it lacks.
    Takes time with the square of the rows that are neither explicit nor lists.
    """
    built = rows if isinstance(rows, Compiled) else compile(rows, dimension)
    numbers = range(len(built.table)) if about is None else built.table.numbers(about)
    coverage = Coverage(built)
    findings: list[Finding] = []
    for number in numbers:
        if not _alone(built, number):
            findings += _judged(coverage, number)
        target = built.table.targets[number]
        if targets is not None and isinstance(target, str) and target not in targets and built.table.active(number):
            message = f"{target} is no valid code of the target."
            findings.append(Finding("target_not_valid", built.table.uid(number), message))
    if members is not None:
        findings += _members(built, members, targets, None if about is None else frozenset(numbers))
    return findings


def _alone(built: Compiled, number: int) -> bool:
    """An explicit row without conditions that has its code to itself and a day to be valid on: most rows of any mapping."""
    table = built.table
    code = table.code(number)
    return (
        code is not None
        and isinstance(built.explicit[code], int)
        and not table.conditions[number]
        and table.starts[number] < table.ends[number]
    )


def _empty(row: Row) -> Iterator[Finding]:
    if row.valid_from and row.valid_to and row.valid_from >= row.valid_to:
        message = f"Its period begins on {row.valid_from} and ends before {row.valid_to}: no day is in it."
        yield Finding("empty_period", row.uid, message)
    for what, test in (("Its range", row.source), *((f"Its range for {named(d)}", test) for d, test in row.conditions)):
        if isinstance(test, Between) and test.empty():
            yield Finding("empty_range", row.uid, f"{what} begins with {test.first} after its end {test.last}.")


def _judged(coverage: Coverage, number: int) -> Iterator[Finding]:
    row = coverage.row(number)
    if not row.active:
        return
    empty = list(_empty(row))
    if empty:
        yield from empty
        return
    try:
        verdict = coverage.verdict(number)
        if not isinstance(verdict, Example):
            yield _unreachable(coverage, row, verdict)
            return
        met = list(zip(range(_COUNTED + 1), coverage.meeting(number), strict=False))
    except TooMany:
        yield Finding("undecided", row.uid, "Too many rows overlap here to say whether this one ever wins.")
        return
    others = [(other, example) for _count, (other, example) in met]
    for other, example in others:
        if coverage.row(other).standing() == row.standing():
            message = (
                f"{row.words()} and {coverage.row(other).words()} are equal in rank and both match {example.value}."
            )
            yield Finding("overlap", row.uid, message, (coverage.row(other).uid,), example)
    if others:
        yield _shadowed(coverage, row, others)


def _unreachable(coverage: Coverage, row: Row, beaten_by: Sequence[int]) -> Finding:
    beaters = [coverage.row(number) for number in beaten_by[:_SHOWN]]
    if not beaters:
        return Finding("unreachable", row.uid, f"{row.words()} matches no code: its parts contradict one another.")
    words = ", ".join(beater.words() for beater in beaters[:3]) + (" and others" if len(beaten_by) > 3 else "")
    message = f"{row.words()} never wins: {words} always goes before it{why_better(beaters[0], row)}."
    return Finding("unreachable", row.uid, message, tuple(beater.uid for beater in beaters))


def _shadowed(coverage: Coverage, row: Row, others: Sequence[tuple[int, Example]]) -> Finding:
    first, example = coverage.row(others[0][0]), others[0][1]
    count = f"more than {_COUNTED}" if len(others) > _COUNTED else str(len(others))
    rest = f" ({count} rows in all)" if len(others) > 1 else ""
    message = f"{row.words()} loses {example.value} to {first.words()}{why_better(first, row)}{rest}."
    return Finding("shadowed", row.uid, message, tuple(coverage.row(n).uid for n, _example in others[:_SHOWN]), example)


def _members(
    built: Compiled, members: Members, targets: Collection[str] | None, about: Collection[int] | None
) -> Iterator[Finding]:
    """Members without a target, and those whose target is made of their code and is no valid one."""
    unmapped: dict[str, list[Context]] = {}
    wrong: dict[tuple[int, str], Finding] = {}
    for context in members.contexts:
        for found in built.resolve_many(sorted(members.codes), context, members.on):
            if found.target is None:
                unmapped.setdefault(found.value, []).append(context)
            elif targets is not None and found.target not in targets and found.made and _asked(found.number, about):
                message = f"{found.value} becomes {found.target}, which is no valid code of the target."
                example = Example(found.value, context, members.on)
                finding = Finding("target_not_valid", built.table.uid(found.number), message, (), example, found.value)
                wrong.setdefault((found.number, found.value), finding)
    for code, contexts in unmapped.items():
        where = f" in {len(contexts)} of {len(members.contexts)} contexts" if len(members.contexts) > 1 else ""
        example = Example(code, contexts[0], members.on)
        yield Finding("unmapped", None, f"{code} has no target{where}.", example=example, member=code)
    yield from wrong.values()


def _asked(number: int, about: Collection[int] | None) -> bool:
    return about is None or number in about
