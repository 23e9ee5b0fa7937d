"""Owns a value map: what a value of ours becomes there and back, and what is wrong with its rows. Pure.

Rows are {ours: theirs}. `ours` is written as in every mapping (`mdm.mapping.notation`): one value `A`, a range `A..B`, a list
`A, B`, a pattern `A*`, a backslash before what means itself; which row wins is told by the engine. Most rows name one value
and are found by hash, without the engine. `theirs` is taken as it is.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from typing import Any
from uuid import UUID

from mdm.mapping import Compiled, Equals, MappingError, Row, check, compile, notation
from mdm.mapping.expressions import Expression

NONE: Any = object()  # no row says
MOST_JUDGED = 1_000  # ranges, lists and patterns; more are not held against one another while a page is drawn
_SPECIAL = re.compile(r"[\\*?,]|\.\.")
_DAY = date(2000, 1, 1)  # rows hold on every day


class Default(str):
    """`theirs` of the row that is meant when theirs is read back and several rows lead to it."""

    __slots__ = ()


def find(table: Mapping[str, Any], value: str) -> Any:
    """What a value becomes, NONE when no row is for it."""
    if not _SPECIAL.search(value) and value in table:
        return table[value]  # a row for one value wins over every other kind
    keys = tuple(sorted(ours for ours in table if _SPECIAL.search(ours)))
    if not keys:
        return NONE
    won = _compiled(keys).resolve(value, {}, _DAY).row
    return table[keys[won.uid.int - 1]] if won else NONE


def back(table: Mapping[str, Any], is_theirs: Any) -> list[str]:
    """Values of ours whose counterpart fulfils `is_theirs`, the marked ones first, then in the order of the rows.

    Only rows that name one value: of a range, a list or a pattern nobody knows which was meant.
    """
    found = [(isinstance(theirs, Default), code_of(ours)) for ours, theirs in table.items() if is_theirs(theirs)]
    codes = [(marked, code) for marked, code in found if code is not None]
    return [code for marked, code in codes if marked] + [code for marked, code in codes if not marked]


def code_of(ours: str) -> str | None:
    """The one value a row names; None of a range, a list or a pattern."""
    if not _SPECIAL.search(ours):
        return ours
    source = _source(ours)
    return source.code if isinstance(source, Equals) else None


def row_for(value: str) -> str:
    """How the row for this one value is written."""
    return notation.escape(value) if _SPECIAL.search(value) else value


def problem(ours: str) -> str:
    """Why this cannot be read, "" when it can."""
    try:
        notation.read(ours)
    except MappingError as error:
        return str(error)
    return ""


@dataclass(frozen=True)
class Finding:
    """`severity`: error, warning, note; as `mdm.mapping.check` gives them."""

    ours: str
    severity: str
    message: str


def findings(table: Mapping[str, Any]) -> list[Finding]:
    """What is wrong with the rows, whatever values may come; nothing for rows of one value each."""
    special = [ours for ours in table if _SPECIAL.search(ours)]
    if not special or len(special) > MOST_JUDGED:
        return []
    keys = tuple(sorted(table))
    found = check(_compiled(keys))
    return [Finding(keys[one.row.int - 1], one.severity, one.message) for one in found if one.row]


@lru_cache(maxsize=256)
def _compiled(keys: tuple[str, ...]) -> Compiled:
    """The row of a key is known by its place, which is its uid."""
    read = ((place, _source(key)) for place, key in enumerate(keys, 1))
    return compile([Row(uid=UUID(int=place), source=source, target="-") for place, source in read if source])


def _source(ours: str) -> Expression | None:
    """What nobody can read means itself, as a file of a connector may have it; None of what is no code at all."""
    for read in (notation.read, Equals):
        try:
            return read(ours)
        except MappingError:
            continue
    return None
