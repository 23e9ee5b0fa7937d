"""Owns what one code of a line stands for on a day, and what is wrong with using it then, in words."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import date
from functools import cache
from typing import NamedTuple

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


class Held(NamedTuple):
    """What is made of one code of a line on a day. `text`: as it was sent; `record`: None, it is not known. `code`: what rules
    and mappings know the record by; `values`: of the period that holds, () when none does; `entity`: the company it
    belongs to, "" when to all; `facts`: {dimension: code} that it says, `unsaid`: dimensions it would say if it held.
    `plain`: it is known, and there is nothing to say against it. `called`: what the system calls it, "" what mappings say;
    `mapped`: whether that is a name of its own. `golden`, `target`: members of the answer in JSON, written once for all
    lines that have the code; "" where it has none."""

    shown: str
    record: Found | None = None
    code: str = ""
    values: Values = ()
    entity: str = ""
    facts: Mapping[str, str] = {}
    unsaid: tuple[str, ...] = ()
    issues: tuple[Issue, ...] = ()
    warnings: tuple[Issue, ...] = ()
    plain: bool = False
    called: str = ""
    mapped: bool = False
    golden: str = ""
    target: str = ""


class _Kind(NamedTuple):
    """Of a kind of record: places among its values, None where it has no such thing. `off`: the dimension read off it."""

    name: str
    title: str
    entity: int | None
    off: str
    place: int
    block: int | None
    blocked: str
    staged: bool  # open only between two stages of its own


@cache
def _kind(name: str) -> _Kind:
    off, place = READ_OFF.get(name, ("", 0))
    block, blocked = BLOCK.get(name, (None, ""))
    return _Kind(name, TITLES.get(name, ""), ENTITY.get(name), off, place, block, blocked, name == "project")


def read(
    kind: str, path: str, text: str, found: Found | None, day: int, *, at_home: bool, chart: str, entities: Entities
) -> Held:
    """`text`: as it was sent; `day`: ordinal of the posting date; `at_home`: the hub's own codes are asked for; `chart`: that
    account numbers are of."""
    told, name = _kind(kind), path if kind in TITLES else path.removeprefix(OWN_PATH)
    title = told.title or name
    if found is not None and entities is not None:
        found = _seen(told, found, entities)
    if found is None:
        return Held(f"{title} {text}", issues=(Issue(path, "unknown", _unknown(kind, title, text, chart)),))
    period, code = found.on(day), found.name
    values = period.values if period else ()
    facts, entity = {name: code}, ""
    unsaid: tuple[str, ...] = ()
    if told.off:
        if values:
            facts[told.off] = values[told.place] or ""
        else:
            unsaid = (told.off,)
    if values and told.entity is not None:
        entity = values[told.entity] or ""
    shown = f"{title} {text}" if text == code else f"{title} {text} ({code})"
    warnings: tuple[Issue, ...] = ()
    if found.followed:
        words = f"{title} {text} was merged into {code}, which is used instead."
        shown, warnings = f"{title} {code}", (Issue(path, "merged", words),)
    issues: tuple[Issue, ...] = ()
    if (
        found.status != "active"
        or period is None
        or told.staged
        or told.block is not None
        and values[told.block] == "true"
    ):
        issues = tuple(_issues(told, path, shown, found, period, day))
    called = "" if kind == "gl_account" else found.key or code
    mapped = at_home or found.key is not None
    member, quoted = _QUOTED(name), _QUOTED(code)
    golden = f'{member}:{{"code":{_QUOTED(found.code)},"uid":"{found.uid}"'
    if kind == "gl_account":
        golden += f',"chart":{_QUOTED(found.group or "")},"number":{quoted}'
    elif kind == "dimension_value":
        golden += f',"value":{quoted}'
    target = f'{member}:{{"code":{_QUOTED(called)},"mapped":{"true" if mapped else "false"}}}' if called else ""
    plain = not (issues or warnings or unsaid)
    return Held(
        shown, found, code, values, entity, facts, unsaid, issues, warnings, plain, called, mapped, golden + "}", target
    )


_QUOTED = json.encoder.encode_basestring_ascii


def _unknown(kind: str, title: str, text: str, chart: str) -> str:
    if kind == "gl_account":
        return f"Chart {chart} has no account {text}." if chart else "No chart of accounts is known for this company."
    return f"There is no {title[0].lower()}{title[1:]} {text}." if kind in TITLES else f"{title} has no value {text}."


def _seen(told: _Kind, found: Found, entities: frozenset[str]) -> Found | None:
    """What people of some companies see of it: only periods of theirs and of none, as everywhere (`visibility`)."""
    if told.name == "legal_entity":
        return found if found.code in entities else None
    place = told.entity
    if place is None:
        return found
    mine = [one for one in found.periods if not one.values[place] or one.values[place] in entities]
    if len(mine) == len(found.periods):
        return found
    return found._replace(periods=mine) if mine else None


def _issues(told: _Kind, path: str, shown: str, found: Found, period: Period | None, day: int) -> Iterator[Issue]:
    place = told.block
    if found.status != "active":
        yield Issue(path, found.status, f"{shown} is {found.status}.")
    if period is None:
        code = "closed_project" if told.staged and day >= max(one.end for one in found.periods) else "not_valid_on"
        yield Issue(path, code, f"{shown} {_when(found, day)}.")
        return
    if place is not None and period.values[place] == "true":
        yield Issue(path, "blocked", " ".join(filter(None, (shown, "is blocked", told.blocked, f"on {_words(day)}."))))
    if told.staged and period.values[1] == "completed":
        yield Issue(path, "closed_project", f"{shown} is completed on {_words(day)}.")
    if told.staged and period.values[1] == "planned":
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
