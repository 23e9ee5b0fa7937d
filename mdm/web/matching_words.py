"""Words for how duplicates are judged: hard rules, thresholds, bands, what is being done."""

from __future__ import annotations

from typing import Any

from mdm.matching.config import NUMBER_CONFLICT, OTHER_NAME, SHARED_BANK, SIBLING, TAX_ID_CONFLICT
from mdm.matching.model import Model

# rule -> (title, what it does, what holds without it)
RULES: dict[str, tuple[str, str, str]] = {
    TAX_ID_CONFLICT: (
        "Tax numbers that differ",
        "Two valid, different tax numbers of one country: never linked unasked.",
        "Tax numbers that differ only cost points.",
    ),
    NUMBER_CONFLICT: (
        "Numbers and directions in names",
        "Fund II and Fund IV, North and South: never linked unasked.",
        "Another number in the name only costs points.",
    ),
    OTHER_NAME: (
        "Same number, another name",
        "An identifier agrees and the names do not: never linked unasked.",
        "A tax number or identifier that agrees may link records of different names.",
    ),
    SIBLING: (
        "Companies of one group",
        "It looks like a sister, a branch or a parent: never linked unasked.",
        "Companies of one group may be linked when enough else agrees.",
    ),
    SHARED_BANK: (
        "One account, two names",
        "A bank account under two names is a warning and adds no points.",
        "A shared bank account counts like the same account, whatever the names.",
    ),
}
BANDS = {"link": "linked", "review": "shown", "none": "not shown"}
ORIGINS = {"queue": "waits in the queue", "decided": "judged by people", "sample": "in no queue"}
THRESHOLDS = {
    "review": ("Shown to a person from", "Pairs below are distinct to the hub."),
    "link": ("Linked unasked from", "Unless a hard rule forbids it."),
    "confirmed_review": ("Shown from, once a person confirmed something", "About either of the two records."),
    "confirmed_link": ("Linked from, once a person confirmed something", "Stricter: nobody likes to be overruled."),
}


def points(value: float) -> str:
    return f"{value:+.2f}".rstrip("0").rstrip(".") if value else "0"


def plain(value: float) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".")


def percent(share: float | None) -> str:
    """“97%”; “–” where there is nothing to divide by."""
    if share is None:
        return "–"
    return f"{share:.1%}" if 0.9 < share < 1 else f"{share:.0%}"


def chance(model: Model, value: float) -> str:
    """What a score means: “a chance of 95%”."""
    return f"a chance of {percent(model.probability(value))}"


def band_change(before: str, after: str) -> str:
    return f"{BANDS.get(before, before)} → {BANDS.get(after, after)}"


def version(row: Any) -> str:
    return f"Version {row.number}" if row else "As shipped"
