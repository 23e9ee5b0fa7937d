"""The rule that really decided, in words people use: “most recent of 3”, “only source”, “pinned until …”."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

_OF = {
    "source_rank": "most trusted",
    "recency": "most recent",
    "oldest": "oldest",
    "completeness": "fullest",
    "min": "lowest",
    "max": "highest",
    "sum": "sum",
}


def explain(
    origin: Mapping[str, Any] | None, *, title: Callable[[str], str], label: Callable[[str], str], pinned: str = ""
) -> str:
    """`title`: words for a system's code; `label`: words for a field; `pinned`: “by Mara until 3 May”, of the pin."""
    if pinned:
        return f"pinned {pinned}"
    if not origin:
        return ""
    words = _one(origin, title)
    others = [label(name).lower() for name in str(origin.get("group") or "").split("+") if name]
    return f"{words}; one block: {', '.join(others)}" if others and words else words


def _one(origin: Mapping[str, Any], title: Callable[[str], str]) -> str:
    rule, of, votes = str(origin.get("rule") or ""), int(origin.get("of") or 0), int(origin.get("votes") or 1)
    system = str(origin.get("system") or "")
    if rule == "last_known":
        return f"last known: {title(system)} no longer gives it" if system else "last known: its sources are gone"
    if rule == "only" or (of == 1 and rule in (*_OF, "frequency")):
        return "only source"
    if rule == "agreed":
        return f"all {of} agree" if of else "all agree"
    if rule == "frequency":
        return f"{votes} of {of} agree" if of else "most sources agree"
    if rule == "union":
        return f"all values of {of} sources" if of > 1 else "all values of the only source"
    if rule in _OF:
        return f"{_OF[rule]} of {of}" if of else _OF[rule]
    return {
        "first_key": "lowest key, as nothing else decides",
        "entered": "entered in the hub",
        "pinned": "pinned by a steward",
    }.get(rule, "")
