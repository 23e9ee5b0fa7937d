"""Owns what one code of a line stands for on a day, and what is wrong with using it then, in words."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from typing import Any, NamedTuple

from dimensions.selectors.coded import FOREVER, Found, Period
from mdm.selectors.visibility import Entities

TITLES = {
    "legal_entity": "Legal entity",
    "cost_center": "Cost center",
    "profit_center": "Profit center",
    "project": "Project",
    "gl_account": "GL account",
    "tax_code": "Tax code",
    "supplier": "Supplier",
}
ENTITY = {"cost_center": 0, "profit_center": 0, "project": 0}
"""Where among its values the company stands that a record belongs to."""
BLOCK = {
    "cost_center": (1, "for costs"),
    "profit_center": (1, ""),
    "gl_account": (2, "for posting"),
    "dimension_value": (0, ""),
}
"""Where among its values it stands that nothing may be posted to it, and the words for that."""


class Issue(NamedTuple):
    """`path`: field of the line. `rule`: code of the coding rule that says so, "" when it is none."""

    path: str
    code: str
    message: str
    rule: str = ""


@dataclass(frozen=True, slots=True)
class Held:
    """`code`: what rules and mappings know it by, "" when it is not known. `values`: of the period that holds, as
    `coded.KINDS` names them; () when none does. `golden`, `target`: as they are answered, None when it is not known."""

    code: str = ""
    values: tuple[str | None, ...] = ()
    entity: str = ""
    shown: str = ""
    issues: tuple[Issue, ...] = ()
    warnings: tuple[Issue, ...] = ()
    golden: dict[str, Any] | None = None
    target: dict[str, Any] | None = None


def read(
    kind: str, path: str, text: str, found: Found | None, day: int, *, system: str, chart: str, entities: Entities
) -> Held:
    """`text`: as it was sent; `day`: ordinal of the posting date; `chart`: that account numbers are of."""
    title = TITLES.get(kind) or path.removeprefix("dimensions/")
    if found is None or _hidden(kind, found, day, entities):
        return Held(shown=f"{title} {text}", issues=(Issue(path, "unknown", _unknown(kind, title, text, chart)),))
    code = found.names[-1]
    shown = f"{title} {text}" if text == code else f"{title} {text} ({code})"
    period = found.on(day)
    warnings: tuple[Issue, ...] = ()
    if found.followed:
        words = f"{title} {text} was merged into {code}, which is used instead."
        shown, warnings = f"{title} {code}", (Issue(path, "merged", words),)
    golden: dict[str, Any] = {"code": found.code, "uid": found.uid}
    target: dict[str, Any] | None = {"code": found.key or code, "mapped": bool(found.key) or not system}
    if kind == "gl_account":
        golden, target = {**golden, "chart": found.names[0], "number": code}, None
    elif kind == "dimension_value":
        golden = {**golden, "value": code}
    values = period.values if period else ()
    return Held(
        code=code,
        values=values,
        entity=(values[ENTITY[kind]] or "") if values and kind in ENTITY else "",
        shown=shown,
        issues=tuple(_issues(kind, path, shown, found, period, day)),
        warnings=warnings,
        golden=golden,
        target=target,
    )


def _unknown(kind: str, title: str, text: str, chart: str) -> str:
    if kind == "gl_account":
        return f"Chart {chart} has no account {text}." if chart else "No chart of accounts is known for this company."
    return f"There is no {title[0].lower()}{title[1:]} {text}." if kind in TITLES else f"{title} has no value {text}."


def _hidden(kind: str, found: Found, day: int, entities: Entities) -> bool:
    """Of a company of others on that day, or at its nearest time when nothing holds then."""
    if entities is None:
        return False
    if kind == "legal_entity":
        return found.code not in entities
    if kind not in ENTITY:
        return False
    period = found.on(day) or min(found.periods, key=lambda one: max(one.start - day, day - one.end))
    return bool(period.values[ENTITY[kind]]) and period.values[ENTITY[kind]] not in entities


def _issues(kind: str, path: str, shown: str, found: Found, period: Period | None, day: int) -> Iterator[Issue]:
    if found.status != "active":
        yield Issue(path, found.status, f"{shown} is {found.status}.")
    if period is None:
        code = (
            "closed_project" if kind == "project" and day >= max(one.end for one in found.periods) else "not_valid_on"
        )
        yield Issue(path, code, f"{shown} {_when(found, day)}.")
        return
    place, what = BLOCK.get(kind, (-1, ""))
    if place >= 0 and period.values[place] == "true":
        yield Issue(path, "blocked", " ".join(filter(None, (shown, "is blocked", what, f"on {_words(day)}."))))
    if kind == "project" and period.values[1] == "completed":
        yield Issue(path, "closed_project", f"{shown} is completed on {_words(day)}.")
    if kind == "project" and period.values[1] == "planned":
        yield Issue(path, "not_released", f"{shown} is only planned on {_words(day)}.")


def _when(found: Found, day: int) -> str:
    """ "is not valid on 2026-01-01, but from 2027-01-01 on": with the nearest period before, else after."""
    said = f"is not valid on {_words(day)}"
    before = [one for one in found.periods if one.end <= day]
    after = [one for one in found.periods if one.start > day]
    if before:
        return f"{said}; it ended on {_words(max(one.end for one in before))}"
    start = min(one.start for one in after)
    return f"{said}, but from {_words(start)} on" if start > FOREVER[0] else said


def _words(day: int) -> str:
    return date.fromordinal(day).isoformat()
