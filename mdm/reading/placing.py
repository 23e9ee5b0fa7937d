"""Where a mapped value goes in the document: fields, places of lists, rows of children. A child nobody
fills is dropped.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from mdm.reading.paths import Path
from mdm.types import Document

_UNNUMBERED = 1_000  # texts without a place of their own stand behind those with one


class Child(dict[str, Any]):
    """A child in the making; `alive` once a column has given it a value that makes it worth having."""

    __slots__ = ("alive",)

    def __init__(self) -> None:
        self.alive = False


Children = list[Child | None]
Put = Callable[[Document, Children, Any], None]


@dataclass
class _Slot:
    """One child of the document, by list and selector."""

    name: str
    position: int
    order: int
    selects: dict[str, str]
    consts: dict[str, Any] = field(default_factory=dict)
    columns: int = 0


class Placing:
    """Made once per mapping: `begin`, any of the functions made by `place`, `finish` for each row."""

    def __init__(self, consts: Iterable[tuple[Path, Any]]) -> None:
        self._slots: dict[tuple[str, str], _Slot] = {}
        self._ordered: list[_Slot] = []
        self._consts: Document = {}
        self._lists: set[str] = set()
        for path, value in consts:
            owner = self._slot(path).consts if path.child else self._consts
            if path.is_list:
                self._lists.add(path.field)
                _put_listed(owner, path, value)
            else:
                owner[path.field] = value

    def place(self, path: Path) -> Put:
        """The function that puts a value of this path."""
        name = path.field
        if path.is_list:
            self._lists.add(name)
        if path.child:
            slot = self._slot(path)
            slot.columns += 1
            return _child_put(path, slot.position)
        if path.is_list:
            return lambda document, children, value: _put_listed(document, path, value)
        return lambda document, children, value: document.__setitem__(name, value)

    def begin(self) -> tuple[Document, Children]:
        consts = self._consts
        if not consts:
            return {}, [None] * len(self._slots)
        document = {name: dict(value) if isinstance(value, dict) else value for name, value in consts.items()}
        return document, [None] * len(self._slots)

    def finish(self, document: Document, children: Children) -> None:
        for slot in self._ordered:
            child = children[slot.position]
            if child is None:
                if slot.columns:
                    continue
                child = Child()
            elif not child.alive:
                continue
            row = {**slot.selects, **slot.consts, **child}
            _compact(row, self._lists)
            document.setdefault(slot.name, []).append(row)
        _compact(document, self._lists)

    def _slot(self, path: Path) -> _Slot:
        slot = self._slots.get((path.child, path.selector))
        if slot is None:
            order = -1 if path.selector_field else int(path.selector)
            selects = {path.selector_field: path.selector} if path.selector_field else {}
            slot = _Slot(path.child, len(self._slots), order, selects)
            self._slots[path.child, path.selector] = slot
            self._ordered = sorted(self._slots.values(), key=lambda slot: (slot.order, slot.position))
        return slot


def _child_put(path: Path, position: int) -> Put:
    name, is_list = path.field, path.is_list

    def put(document: Document, children: Children, value: Any) -> None:
        child = children[position]
        if child is None:
            child = children[position] = Child()
        if value is not False:  # “no block” alone makes no row: there is nothing to block
            child.alive = True
        if is_list:
            _put_listed(child, path, value)
        else:
            child[name] = value

    return put


def _put_listed(owner: dict[str, Any], path: Path, value: Any) -> None:
    """Texts of a list by place; `_compact` makes a list of them once all are there."""
    listed = owner.setdefault(path.field, {})
    for item in value if isinstance(value, list) else (value,):
        listed[path.place if path.place is not None else _UNNUMBERED + len(listed)] = item


def _compact(owner: dict[str, Any], lists: set[str]) -> None:
    """In order of place, without the gaps that empty cells leave."""
    for name in lists:
        listed = owner.get(name)
        if isinstance(listed, dict):
            owner[name] = [listed[place] for place in sorted(listed)]
