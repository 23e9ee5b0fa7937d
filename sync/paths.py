"""Owns path expressions over a document: `addresses[registered|remit_to].city`, `bank_accounts[*].iban`.

A selector picks children of a list: `*` all, a number by position, `last`, `attr=value`, or a bare word that is the
child's kind, scheme, role, legal entity or uid. `[a|b]` takes the first child that exists, `path or path` the
first that has a value. In a repeated part a path is relative to the child; `$.` leads back to the document.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from sync.errors import NotSupported
from sync.normalise import is_empty

KINDS = ("kind", "scheme", "role", "legal_entity", "uid")
_STEP = re.compile(r"^(?P<name>[a-z_][a-z0-9_]*)(?:\[(?P<select>[^\]]+)\])?$")


@dataclass(frozen=True)
class Step:
    name: str
    select: str | None = None


@dataclass(frozen=True)
class Path:
    text: str
    steps: tuple[Step, ...]
    from_root: bool = False
    otherwise: Path | None = None

    @property
    def repeats(self) -> bool:
        return any(step.select == "*" for step in self.steps)


@dataclass(frozen=True)
class Place:
    """Where a path ends in one document: its address there, or the child that would have to be added."""

    address: str  # `addresses/<uid>/city`
    value: Any = None
    new_child: Mapping[str, Any] | None = None  # what the new child needs besides the value
    leaf: str = ""


def parse(text: str) -> Path:
    """Read a path; ValueError when it is none."""
    first, either, rest = text.partition(" or ")
    if either:
        return replace(parse(first), otherwise=parse(rest))
    from_root = text.startswith("$.")
    steps = []
    for piece in re.split(r"\.(?![^\[]*\])", text[2:] if from_root else text):
        found = _STEP.match(piece)
        if not found:
            raise ValueError(f"“{text}” is no path: “{piece}” cannot be read.")
        steps.append(Step(found["name"], found["select"]))
    return Path(text, tuple(steps), from_root)


def value_at(path: Path, document: Mapping[str, Any], child: Mapping[str, Any] | None = None) -> Any:
    """The value, None when there is none; a list when the path has `[*]`."""
    value = _value_at(path, document, child)
    if is_empty(value) and path.otherwise is not None:
        return value_at(path.otherwise, document, child)
    return value


def _value_at(path: Path, document: Mapping[str, Any], child: Mapping[str, Any] | None) -> Any:
    found: list[Any] = [document if path.from_root or child is None else child]
    for step in path.steps:
        found = [value for holder in found for value in _take(holder, step)]
    if path.repeats:
        return [value for value in found if value is not None]
    return found[0] if found else None


def children_at(path: Path, document: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The children a repeated part is made of; `_end`ed ones are gone."""
    found: list[Any] = [document]
    for step in path.steps:
        found = [value for holder in found for value in _take(holder, step)]
        found = [item for value in found for item in (value if isinstance(value, list) else [value])]
    return [item for item in found if isinstance(item, Mapping) and not item.get("_end")]


def locate(path: Path, document: Mapping[str, Any], child_kinds: Mapping[str, str], prefix: str = "") -> Place:
    """Where to write a value of this path, for a change request."""
    holder: Any = document
    address = prefix
    for position, step in enumerate(path.steps):
        last = position == len(path.steps) - 1
        address = f"{address}/{step.name}" if address else step.name
        if step.select is None:
            holder = holder.get(step.name) if isinstance(holder, Mapping) else None
            continue
        if step.select == "*":
            if not last:
                raise NotSupported("A value taken from several children cannot be taken over.")
            return Place(address)
        if last and step.select.isdigit():  # one of a list of plain values: the list changes as a whole
            plain = holder.get(step.name) if isinstance(holder, Mapping) else None
            return Place(address, list(plain or []), None, step.select)
        matches = _take(holder, step) if isinstance(holder, Mapping) else []
        if not matches:
            rest = path.steps[position + 1 :]
            return Place(f"{address}/-", None, _new_child(step, child_kinds), rest[0].name if rest else "")
        holder = matches[0]
        mark = holder.get("uid") or step.select if isinstance(holder, Mapping) else step.select
        address = f"{address}/{mark}"
    return Place(address, holder)


def _take(holder: Any, step: Step) -> list[Any]:
    value = holder.get(step.name) if isinstance(holder, Mapping) else None
    if step.select is None:
        return [] if value is None else [value]
    items = value if isinstance(value, list) else []
    if step.select == "*":
        return list(items)
    for wanted in step.select.split("|"):
        if wanted.isdigit() and len(items) > int(wanted):
            return [items[int(wanted)]]
        if wanted == "last" and items:
            return items[-1:]
        found = [item for item in items if isinstance(item, Mapping) and is_kind(item, wanted)]
        if found:
            return found[:1]
    return []


def is_kind(child: Mapping[str, Any], wanted: str) -> bool:
    name, equals, value = wanted.partition("=")
    if equals:
        return str(child.get(name, "")).lower() == value.lower()
    return any(str(child.get(kind, "")).lower() == wanted.lower() for kind in KINDS)


def _new_child(step: Step, child_kinds: Mapping[str, str]) -> dict[str, Any]:
    wanted = (step.select or "").split("|")[0]
    name, equals, value = wanted.partition("=")
    if equals:
        return {name: value}
    if wanted.isdigit() or step.name not in child_kinds:
        return {}
    return {child_kinds[step.name]: wanted}
