"""Owns what differs between two trees: two days of a hierarchy, or two hierarchies over the same records."""

from __future__ import annotations

from dataclasses import dataclass

from dimensions.selectors.trees import Standing, Tree


@dataclass(frozen=True, slots=True)
class Shift:
    """A node that stands elsewhere, or is called something else, in the second tree. None: it does not stand there."""

    node: str
    kind: str
    verb: str  # added · gone · moved · renamed
    before: Standing | None
    after: Standing | None


def compare(before: Tree, after: Tree) -> list[Shift]:
    """What differs between two trees, by code of the node."""
    left, right = ({one.node: one for one in tree.all()} for tree in (before, after))
    found = [
        Shift(code, (here or there).kind, verb, there, here)  # type: ignore[union-attr]
        for code in sorted(left.keys() | right.keys())
        if (verb := _verb(there := left.get(code), here := right.get(code)))
    ]
    return found


def _verb(before: Standing | None, after: Standing | None) -> str:
    if before is None or after is None:
        return "added" if before is None else "gone"
    if before.parent != after.parent:
        return "moved"
    return "renamed" if (before.name or "") != (after.name or "") else ""
