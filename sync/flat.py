"""Owns the flat form of a payload: `Part.Field` and `Part[row].Field` names, and how they group into rows."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

_NAME = re.compile(r"^(?P<part>[^.\[\]]+)(?:\[(?P<row>[^\]]*)\])?(?:\.(?P<leaf>.+))?$")


def split_name(name: str) -> tuple[str, str | None, str]:
    """`Bank[0001].IBAN` -> (Bank, 0001, IBAN); `Head.Name` -> (Head, None, Name); `n` -> ("", None, n)."""
    found = _NAME.match(name)
    if not found:
        raise ValueError(f"“{name}” is no name of a field.")
    part, row, leaf = found["part"], found["row"], found["leaf"]
    if row is None and leaf is None:
        return "", None, part
    return part, row, leaf or ""


def join_name(part: str, row: str | None, leaf: str) -> str:
    head = part if row is None else f"{part}[{row}]"
    return f"{head}.{leaf}" if head and leaf else head or leaf


def generic_name(name: str) -> str:
    """The name with every row replaced by `*`: `Bank[0001].IBAN` -> `Bank[*].IBAN`."""
    return re.sub(r"\[[^\]]*\]", "[*]", name)


def part_of(name: str) -> str:
    return split_name(name)[0]


def head(payload: Mapping[str, Any], part: str = "") -> dict[str, Any]:
    """The single fields of one part, leaf -> value (`part` "" for names without a part)."""
    if not part:
        return {name: value for name, value in payload.items() if "." not in name and "[" not in name}
    start = f"{part}."
    return {name[len(start) :]: value for name, value in payload.items() if name.startswith(start)}


def rows(payload: Mapping[str, Any], part: str) -> dict[str, dict[str, Any]]:
    """The rows of one repeated part: row id -> {leaf: value}, in the order they came."""
    found: dict[str, dict[str, Any]] = {}
    start = f"{part}["
    for name, value in payload.items():
        if name.startswith(start):  # read by hand: this runs for every field of every record of a drift run
            row, _, leaf = name[len(start) :].partition("]")
            if leaf.startswith("."):
                found.setdefault(row, {})[leaf[1:]] = value
    return found


def from_rows(part: str, found: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """The reverse of `rows`."""
    return {join_name(part, row, leaf): value for row, leaves in found.items() for leaf, value in leaves.items()}
