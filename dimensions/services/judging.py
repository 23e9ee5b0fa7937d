"""Owns what the engine says of one mapping row while it is typed: against the rows in force and the codes in use."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from dimensions import mapping_rows
from dimensions.mapping_rows import MAPPINGS
from dimensions.services import mappings, rehearsing
from dimensions.services.mappings import Pair
from dimensions.services.rehearsing import Rehearsal
from mdm.mapping import Compiled, Equals, Finding, In, MappingError, Row, check, compile
from mdm.types import Document, Problem

NEW = UUID(int=2**128 - 1)
"""Stands for a row without a uid: of two rows of equal rank the one on file is better, so the clash is found."""
_MOST_NEAR = 300  # rows among which those are looked for that the typed one would leave nothing
_ORDER = {"error": 0, "warning": 1, "note": 2}


@dataclass(frozen=True, slots=True)
class Judgement:
    """`row` None: `problems` say what cannot be read, or there are none and something is missing still. `findings` about
    the row, the worst first; `beaten`: rows that would never win any more. `partly`: a mapping so large that only rules
    and rows of the same codes were held against it."""

    pair: Pair | None
    row: Row | None = None
    problems: tuple[Problem, ...] = ()
    findings: tuple[Finding, ...] = ()
    beaten: tuple[Finding, ...] = ()
    partly: bool = False
    rehearsal: Rehearsal | None = None


def judge(kind: str, document: Document, *, months: int) -> Judgement:
    """`document`: what is typed so far, whatever is missing; with `uid` it takes the place of that row. At most five
    queries and a few tenths of a second, whatever the number of rows."""
    pair = rehearsing.pair_of(kind, document)
    if not document.get("kind") or not document.get("target"):
        return Judgement(pair)
    whole = dict.fromkeys(mapping_rows.RowDocument.model_fields) | {"conditions": []} | document
    problems = tuple(mapping_rows.check_row(whole))
    try:
        row = mapping_rows.read_document({"uid": str(NEW), **document})
    except MappingError:
        return Judgement(pair, problems=problems)
    if problems or pair is None:
        return Judgement(pair, problems=problems)
    built = mappings.answers(*pair, _codes(row))
    near = [one for one in built.near(row) if one.uid != row.uid]
    dimension = MAPPINGS[kind].dimension
    before, after = compile(near, dimension), compile([*near, row], dimension)
    findings = sorted(check(after, about=[row.uid]), key=lambda one: _ORDER[one.severity])
    old = mappings.row(kind, row.uid) if row.uid != NEW else None
    return Judgement(
        pair,
        row,
        findings=tuple(findings),
        beaten=tuple(_beaten(before, after, near, row)),
        partly=not isinstance(row.source, Equals | In) and not mappings.is_whole(pair, built),
        rehearsal=rehearsing.rehearse_rows(pair, {row.uid: (old, row)}, months=months),
    )


def _codes(row: Row) -> tuple[str, ...]:
    if isinstance(row.source, Equals):
        return (row.source.code,)
    return row.source.codes if isinstance(row.source, In) else ()


def _beaten(before: Compiled, after: Compiled, near: list[Row], row: Row) -> list[Finding]:
    """Rows that won somewhere until now and would nowhere with the typed one; not looked for among too many."""
    worse = [one for one in near if one.active and one.rank() > row.rank()]
    if len(near) > _MOST_NEAR:
        return []
    never = [one for one in check(after, about=[one.uid for one in worse]) if one.kind == "unreachable"]
    already = {
        one.row for one in check(before, about=[one.row for one in never if one.row]) if one.kind == "unreachable"
    }
    return [one for one in never if one.row not in already]
