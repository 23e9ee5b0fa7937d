"""A target's own mapping as it is, as it was at a version, as a file, and what of our values has no counterpart."""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import yaml

from mdm import registry
from mdm.errors import CorrectInput
from mdm.selectors.records import with_documents
from mdm.types import Document, Problem
from sync import filters, paths, platforms, value_maps
from sync.errors import SyncError
from sync.models import FieldRule, MappingVersion, Subscription, Target, ValueMapRow
from sync.normalise import is_empty
from sync.payloads import Renderer, renderer
from sync.rendering import children
from sync.rules import Rule
from sync.transforms import SKIP, Scope, Unfit, apply

FORMAT = 2  # of exported files: names in value maps are ranges, lists and patterns too
FIELDS = "fields of "  # the name of a "map" that holds the field rules of a type
DROP: Any = object()  # no row of ours; None is a rule: the field is left out
Key = tuple[str, str]
State = Mapping[Key, Any]


def number_of(target: Target) -> int:
    """The version the target's own mapping is in; nought when nobody ever changed it."""
    return MappingVersion.objects.filter(target=target).values_list("number", flat=True).first() or 0


def state_of(target: Target) -> dict[Key, Any]:
    rows = ValueMapRow.objects.filter(target=target).values_list("table", "ours", "theirs", "default")
    found: dict[Key, Any] = {(table, ours): row_value(theirs, default) for table, ours, theirs, default in rows}
    rules = FieldRule.objects.filter(target=target).values_list("type", "field", "rule")
    return found | {(FIELDS + type, name): rule for type, name, rule in rules}


def row_value(theirs: str, default: bool) -> Any:
    """A row of a value map in a state, a version or a file: theirs, or {theirs, default} of one that is read back."""
    return {"theirs": theirs, "default": True} if default else theirs


def of_row(value: Any) -> tuple[Any, bool]:
    """(theirs, default) of a row; of what is no row at all the value itself."""
    if (
        isinstance(value, dict)
        and set(value) <= {"theirs", "default"}
        and isinstance(value.get("default", False), bool)
    ):
        return value.get("theirs"), value.get("default", False)
    return value, False


def state_at(target: Target, number: int) -> dict[Key, Any]:
    """As it was after that version: today's rows with every later change taken back."""
    found = state_of(target)
    for later in MappingVersion.objects.filter(target=target, number__gt=number).order_by("-number"):
        for row in later.changes:
            key = (row["map"], _name_of(row))
            if row["before"] == _NO_ROW:
                found.pop(key, None)
            else:
                found[key] = row["before"]
    return found


def _name_of(row: Mapping[str, Any]) -> str:
    """Before rows could be patterns, a name was one value, whatever characters it had."""
    plain = row["map"].startswith(FIELDS) or row.get("written")
    return str(row["name"]) if plain else value_maps.row_for(row["name"])


_NO_ROW = {"row": None}  # in a version's changes: there was, or is, no row of ours


def difference(before: State, after: State) -> list[dict[str, Any]]:
    """The rows that differ: [{map, name, before, after}]."""
    rows = []
    for key in sorted({*before, *after}):
        old, new = before.get(key, DROP), after.get(key, DROP)
        if old is not new and (old is DROP or new is DROP or old != new):
            shown = [_NO_ROW if side is DROP else side for side in (old, new)]
            row = {"map": key[0], "name": key[1], "before": shown[0], "after": shown[1]}
            special = not key[0].startswith(FIELDS) and value_maps.row_for(key[1]) != key[1]
            rows.append(row | ({"written": True} if special else {}))
    return rows


def shown(value: Any) -> str:
    """One side of a change in words."""
    if value == _NO_ROW or value is DROP:
        return ""
    if value is None:
        return "left out"
    theirs, default = of_row(value)
    if default:
        return f"{theirs} (read back)"
    return (
        yaml.safe_dump(value, default_flow_style=True, allow_unicode=True).strip() if isinstance(value, dict) else value
    )


def as_json(changes: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Changes for readers of the API: `null` where there is no row."""
    return [
        {
            "map": row["map"],
            "name": row["name"],
            "before": None if row["before"] == _NO_ROW else shown(row["before"]),
            "after": None if row["after"] == _NO_ROW else shown(row["after"]),
        }
        for row in changes
    ]


# --- which maps there are -----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class MapUse:
    """Where a value map is looked into."""

    type: str
    field: str
    path: str
    options: Mapping[str, Any]


def maps_of(target: Target) -> dict[str, list[MapUse]]:
    """Every value map some field of the connector looks into, with these fields."""
    found: dict[str, list[MapUse]] = {}
    if target.connector not in platforms.names():
        return found
    for type in platforms.connector_class(target.connector).types:
        for rule, _ in rules_of(renderer(target, type)):
            for name, argument in rule.steps:
                if name == "lookup":
                    options = argument if isinstance(argument, Mapping) else {"map": argument}
                    path = " + ".join(source.text.removeprefix("$.") for source in rule.sources)
                    found.setdefault(options["map"], []).append(MapUse(type, rule.names[0], path, options))
    return found


def rules_of(render: Renderer) -> Iterator[tuple[Rule, Any]]:
    """Every field rule, with the rows it belongs to."""
    rules = render.mapping.rules
    yield from ((rule, None) for rule in rules.fields)
    yield from ((rule, rows) for rows in rules.rows for rule in rows.fields)


def rows_of(defaults: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, tuple[Any, bool]]:
    """{ours: (theirs, default)} of one map: the connector's rows with the target's own in their place."""
    return {str(ours): of_row(value) for ours, value in {**defaults, **own}.items()}


def findings_of(defaults: Mapping[str, Any], own: Mapping[str, Any]) -> list[value_maps.Finding]:
    return value_maps.findings({ours: theirs for ours, (theirs, _) in rows_of(defaults, own).items()})


# --- as a file ----------------------------------------------------------------------------------------------------


def to_file(target: Target, state: State | None = None) -> str:
    """The target's own mapping as YAML, to be reviewed, kept and taken to another installation."""
    whole = state_of(target) if state is None else state
    values: dict[str, dict[str, str]] = {}
    fields: dict[str, dict[str, Any]] = {}
    for (table, name), value in sorted(whole.items()):
        if table.startswith(FIELDS):
            fields.setdefault(table.removeprefix(FIELDS), {})[name] = value
        else:
            values.setdefault(table, {})[name] = value
    content = {
        "connector": target.connector,
        "target": target.code,
        "version": number_of(target),
        "format": FORMAT,
        "values": values,
        "fields": fields,
    }
    text = yaml.safe_dump(content, sort_keys=False, allow_unicode=True, width=120)
    file = f"sync/connectors/{target.connector}/mapping.yaml"
    return f"# What {target.title} maps on top of {file}. A field of null is left out.\n{text}"


def from_file(target: Target, text: str) -> dict[Key, Any]:
    """The mapping in a file (YAML, and so JSON); CorrectInput when it is none, or one of another connector."""
    if len(text) > 1_000_000:
        raise CorrectInput("The file is larger than a mapping can be.")
    try:
        content = yaml.load(text, Loader=_Texts)
    except yaml.YAMLError as error:
        raise CorrectInput(f"The file is neither YAML nor JSON: {str(error).splitlines()[0]}.") from None
    if not isinstance(content, dict) or set(content) - {"connector", "target", "version", "format", "values", "fields"}:
        raise CorrectInput("This is no exported mapping: it holds connector, target, version, values and fields.")
    if content.get("connector") != target.connector:
        raise CorrectInput(
            f"This mapping is for {content.get('connector') or 'no connector'}, not for {target.connector}."
        )
    format_ = content.get("format", 1)
    if format_ not in (1, FORMAT):
        raise CorrectInput(f"This file is of format {format_}; formats 1 and {FORMAT} are known here.")
    found: dict[Key, Any] = {}
    for part, prefix in (("values", ""), ("fields", FIELDS)):
        for table, rows in _mapping(content.get(part), part).items():
            for name, value in _mapping(rows, f"{part}/{table}").items():
                # In format 1 a name was one value, whatever characters it had.
                name = str(name) if prefix or format_ == FORMAT else value_maps.row_for(str(name))
                found[(prefix + str(table), name)] = value
    return found


class _Texts(yaml.SafeLoader):
    """YAML without guesses in keys and codes: `NO` and `010` stay what they are; field rules need true, false and null."""


_Texts.yaml_implicit_resolvers = {
    start: [(tag, pattern) for tag, pattern in found if tag in ("tag:yaml.org,2002:null", "tag:yaml.org,2002:merge")]
    for start, found in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Texts.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile(r"^(?:true|false)$"), list("tf"))
_Texts.add_implicit_resolver("tag:yaml.org,2002:int", re.compile(r"^[1-9][0-9]{0,8}$"), list("123456789"))


def _mapping(value: Any, where: str) -> dict[Any, Any]:
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise CorrectInput("The file is no mapping.", problems=[Problem(where, "invalid", "Give names and values.")])
    return value


# --- values in use ------------------------------------------------------------------------------------------------


@dataclass
class Survey:
    """What our records would look up at one target, and what of it is in no map."""

    looked_at: int = 0
    complete: bool = True
    used: dict[str, Counter[str]] = field(default_factory=dict)  # map -> value -> records
    gaps: dict[Key, int] = field(default_factory=dict)  # (map, value) without counterpart -> records


def survey(target: Target, *, budget_s: float = 4.0) -> Survey:
    """Look through the records the target is subscribed to, newest first, for as long as the budget lasts."""
    found, ends = Survey(), time.monotonic() + budget_s
    for subscription in Subscription.objects.filter(target=target, active=True):
        if not platforms.takes(target.connector, subscription.type):
            continue
        render = renderer(target, subscription.type)
        lookups = [(rule, rows) for rule, rows in rules_of(render) if any(name == "lookup" for name, _ in rule.steps)]
        for document in _documents(subscription):
            if time.monotonic() > ends:
                found.complete = False
                break
            found.looked_at += 1
            _look(render, lookups, document, found)
    return found


def _documents(subscription: Subscription) -> Iterator[Document]:
    kind, chunk = registry.get(subscription.type), 500
    last: int | None = None
    while True:
        rows = kind.model._default_manager.exclude(status__in=("merged", "retired")).order_by("-pk")
        rows = rows.filter(pk__lt=last) if last else rows
        page = list(rows[:chunk])
        if not page:
            return
        last = page[-1].pk
        for document in with_documents(kind, kind.model._default_manager.filter(pk__in=[row.pk for row in page])):
            if filters.matches(document, subscription.filter):
                yield document


def _look(render: Renderer, lookups: list[tuple[Rule, Any]], document: Document, found: Survey) -> None:
    maps = render.mapping.with_values(render.values)
    used: set[Key] = set()
    gaps: set[Key] = set()
    for rule, rows in lookups:
        for child in children(rows, document).values() if rows else [None]:
            if rule.when is None or not is_empty(paths.value_at(rule.when, document, child)):
                _value(rule, document, child, maps, used, gaps)
    for table, value in used:
        found.used.setdefault(table, Counter())[value] += 1
    for key in gaps:
        found.gaps[key] = found.gaps.get(key, 0) + 1


def _value(rule: Rule, document: Document, child: Any, maps: Any, used: set[Key], gaps: set[Key]) -> None:
    """Walk the steps of one field up to each look-up; the rest of the way is the renderer's."""
    given = [paths.value_at(source, document, child) for source in rule.sources]
    value: Any = given[0] if len(given) == 1 else given
    scope = Scope(maps, "")
    for place, (name, argument) in enumerate(rule.steps):
        if name == "lookup" and not is_empty(value):
            options = argument if isinstance(argument, Mapping) else {"map": argument}
            key = (options["map"], ("true" if value else "false") if isinstance(value, bool) else str(value).strip())
            used.add(key)
            rows = maps.get(options["map"], {})
            missing = options["unfilled"] if not rows and "unfilled" in options else options.get("missing", "error")
            if key[1] not in rows and "default" not in options:
                if missing == "error":
                    gaps.add(key)
                return
        try:
            value = apply(rule.steps[place : place + 1], value, scope)
        except (Unfit, SyncError):
            return
        if value is SKIP:
            return
