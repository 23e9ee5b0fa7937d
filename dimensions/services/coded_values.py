"""Owns what one code of a line stands for on a day, and what is wrong with using it then, in words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any, NamedTuple

from pydantic_core import to_json

from dimensions.selectors.coded import FOREVER, Found, Period
from mdm.selectors.visibility import Entities

Values = tuple[str | None, ...]

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
READ_OFF = {
    "legal_entity": ("country", 0),
    "cost_center": ("cost_center_category", 2),
    "gl_account": ("account_kind", 0),
    "tax_code": ("tax_kind", 1),
}
"""The dimension that is read off a record of a type, and its place among the values."""
OWN_PATH = "dimensions/"
"""What the paths of a group's own dimensions begin with."""
_KEPT = 20  # of what is made of a record: for days, and for names it is called by
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


class Meaning(NamedTuple):
    """What a record is on a day. `code`: what rules and mappings know it by; `values`: of the period that holds, () when
    none does; `entity`: the company it belongs to, "" when to all; `facts`: {dimension: code} that it says;
    `unsaid`: dimensions it would say if it held."""

    code: str
    values: Values
    entity: str
    facts: dict[str, str]
    unsaid: tuple[str, ...]
    golden: dict[str, Any]


@dataclass(slots=True)
class Held:
    """What is made of one code of a line. `meaning` None: it is not known. `target`: as it is answered. `plain`: it is
    known, and there is nothing to say against it. `facts`, `entity`: of the meaning. `golden_json`, `target_json`: members
    of the answer, written once for all lines that have the code; "" where it has none."""

    shown: str
    meaning: Meaning | None = None
    target: dict[str, Any] | None = None
    issues: tuple[Issue, ...] = ()
    warnings: tuple[Issue, ...] = ()
    plain: bool = False
    facts: Mapping[str, str] = field(default_factory=dict)
    entity: str = ""
    golden_json: str = ""
    target_json: str = ""


def read(
    kind: str,
    path: str,
    text: str,
    found: Found | None,
    day: int,
    *,
    key: str,
    system: str,
    chart: str,
    entities: Entities,
) -> Held:
    """`text`: as it was sent; `day`: ordinal of the posting date; `key`: what the system calls it, "" when it has no key;
    `chart`: that account numbers are of."""
    if found is not None and entities is not None:
        found = _seen(kind, found, entities)
    if found is None:
        title = TITLES.get(kind) or path.removeprefix(OWN_PATH)
        return Held(f"{title} {text}", issues=(Issue(path, "unknown", _unknown(kind, title, text, chart)),))
    asked = (day, text, key, not system)
    held: Held | None = found.held.get(asked)
    if held is None:
        if len(found.held) >= _KEPT:
            found.held.clear()
        held = found.held[asked] = _held(kind, path, text, found, day, key or "", not system)
    return held


def _held(kind: str, path: str, text: str, found: Found, day: int, key: str, at_home: bool) -> Held:
    name = path.removeprefix(OWN_PATH)
    title, period = TITLES.get(kind) or name, found.on(day)
    meaning = _meaning(kind, name, found, period)
    code = meaning.code
    target = None if kind == "gl_account" else {"code": key or code, "mapped": bool(key) or at_home}
    shown = f"{title} {text}" if text == code else f"{title} {text} ({code})"
    warnings: tuple[Issue, ...] = ()
    if found.followed:
        words = f"{title} {text} was merged into {code}, which is used instead."
        shown, warnings = f"{title} {code}", (Issue(path, "merged", words),)
    issues = tuple(_issues(kind, path, shown, found, period, day))
    plain = not (issues or warnings or meaning.unsaid)
    member = f'"{name}"' if kind in TITLES else to_json(name).decode()
    golden_json = f"{member}:{to_json(meaning.golden).decode()}"
    target_json = f"{member}:{to_json(target).decode()}" if target else ""
    facts, entity = meaning.facts, meaning.entity
    return Held(shown, meaning, target, issues, warnings, plain, facts, entity, golden_json, target_json)


def _meaning(kind: str, name: str, found: Found, period: Period | None) -> Meaning:
    code = found.names[-1]
    values = period.values if period else ()
    golden: dict[str, Any] = {"code": found.code, "uid": found.uid}
    if kind == "gl_account":
        golden |= {"chart": found.names[0], "number": code}
    elif kind == "dimension_value":
        golden["value"] = code
    facts = {name: code}
    unsaid: tuple[str, ...] = ()
    if kind in READ_OFF:
        dimension, place = READ_OFF[kind]
        if values:
            facts[dimension] = values[place] or ""
        else:
            unsaid = (dimension,)
    entity = (values[ENTITY[kind]] or "") if values and kind in ENTITY else ""
    return Meaning(code, values, entity, facts, unsaid, golden)


def _unknown(kind: str, title: str, text: str, chart: str) -> str:
    if kind == "gl_account":
        return f"Chart {chart} has no account {text}." if chart else "No chart of accounts is known for this company."
    return f"There is no {title[0].lower()}{title[1:]} {text}." if kind in TITLES else f"{title} has no value {text}."


def _seen(kind: str, found: Found, entities: frozenset[str]) -> Found | None:
    """What people of some companies see of it: only periods of theirs and of none, as everywhere (`visibility`)."""
    if kind == "legal_entity":
        return found if found.code in entities else None
    if kind not in ENTITY:
        return found
    place = ENTITY[kind]
    mine = [one for one in found.periods if not one.values[place] or one.values[place] in entities]
    if len(mine) == len(found.periods):
        return found
    return replace(found, periods=mine, held={}) if mine else None


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
