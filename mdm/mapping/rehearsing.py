"""Owns what other rows would change for the codes in use, before anybody saves them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

from mdm.mapping.compiled import Compiled, Resolution, compile
from mdm.mapping.rows import Context, Row


@dataclass(frozen=True, slots=True)
class Use:
    """A code as it was used `count` times in a context on a day."""

    value: str
    context: Context
    on: date
    count: int = 1


@dataclass(frozen=True, slots=True)
class Difference:
    """`kind`: mapped, unmapped, target or sign. A use that another row gives the same target and sign is no difference."""

    use: Use
    kind: str
    before: Resolution
    after: Resolution


def rehearse(
    before: Iterable[Row] | Compiled, after: Iterable[Row] | Compiled, uses: Iterable[Use], *, dimension: str = ""
) -> list[Difference]:
    """Every use that would become something else, what is used most first."""
    old, new = (one if isinstance(one, Compiled) else compile(one, dimension) for one in (before, after))
    found = []
    for use in uses:
        was, becomes = (one.resolve(use.value, use.context, use.on) for one in (old, new))
        if (was.target, was.sign) != (becomes.target, becomes.sign):
            found.append(Difference(use, _kind(was, becomes), was, becomes))
    return sorted(found, key=lambda one: (-one.use.count, one.use.value, one.use.on))


def _kind(was: Resolution, becomes: Resolution) -> str:
    if was.target is None:
        return "mapped"
    if becomes.target is None:
        return "unmapped"
    return "target" if was.target != becomes.target else "sign"
