"""Where values come from, as a page shows it: marks beside facts, the panel of one value, the grid of all sources."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.utils.dateparse import parse_datetime

from mdm.models import SourceRecord
from mdm.registry import RecordType
from mdm.selectors.provenance import Sources
from mdm.services import documents, survivorship
from mdm.services.survivorship import Offer
from mdm.types import Document, same, value_at
from mdm.web.diffs import child_name
from mdm.web.page import Part, Rich, Source
from mdm.web.values import day, is_empty, show

HUB = survivorship.HUB
CELL = 28  # letters of a value in the grid of sources: four of them fit beside one another
RULES = {
    "only": "nobody else gives a value",
    "agreed": "all sources agree",
    "source_rank": "the most trusted source",
    "recency": "the newest value",
    "completeness": "the fullest value",
    "first_key": "the lowest key, as nothing else decides",
    "entered": "entered in the hub",
    "pinned": "pinned by a steward",
}


@dataclass(frozen=True)
class Offered:
    """One source's value of a path. `winner`: the value that holds came from here."""

    system: str
    key: str
    value: Any
    since: str
    winner: bool
    same: bool


class Marks:
    """Who supplied each value of one record."""

    def __init__(self, kind: RecordType, document: Document, sources: Sources) -> None:
        self.kind, self.document, self.sources = kind, document, sources
        self._offers: dict[str, list[Offered]] = {}

    def source(self, code: str) -> Source:
        system = self.sources.systems.get(code)
        if system is None:
            return Source(mark=code[:2].upper(), slot="e", title=code)
        return Source(mark=system.mark, slot=system.tone, title=system.title)

    def of(self, path: str) -> list[Source]:
        """The winner first, then one that says the same: beside a value there is room for two."""
        found = [offer for offer in self.offers(path) if offer.winner]
        found += [offer for offer in self.offers(path) if offer.same and not offer.winner]
        return [self.source(code) for code in dict.fromkeys(offer.system for offer in found)][:2]

    def offers(self, path: str) -> list[Offered]:
        """What each source gives for the path, and the hub's own entry where it has one."""
        if path not in self._offers:
            self._offers[path] = self._compare(path)
        return self._offers[path]

    def _compare(self, path: str) -> list[Offered]:
        origin = self.sources.fields.get(path) or {}
        now = value_at(self.document, path)
        found = []
        for record in self.sources.records:
            value = self._value(record, path)
            won = origin.get("system") == record.system.code and origin.get("key") == record.key
            since = record.received_at.isoformat()
            found.append(
                Offered(record.system.code, record.key, value, since, won, not is_empty(value) and _same(value, now))
            )
        if origin.get("system") == HUB:
            found.insert(0, Offered(HUB, origin.get("key", ""), now, origin.get("since", ""), True, True))
        return found

    def _value(self, record: SourceRecord, path: str) -> Any:
        name, _, uid = path.partition("/")
        if not uid:
            return record.document.get(name)
        child, row = self.kind.child(name), value_at(self.document, path)
        if not row:
            return None
        mine = documents.identity(child, row)
        theirs = record.document.get(name) or []
        return next((_plain(other) for other in theirs if documents.identity(child, other) == mine), None)

    def rule(self, path: str) -> str:
        if path in self.sources.pins:
            return RULES["pinned"]
        return RULES.get(str((self.sources.fields.get(path) or {}).get("rule")), "")

    def is_pinned(self, path: str) -> bool:
        return path in self.sources.pins


def _plain(row: Document) -> Document:
    return {name: value for name, value in row.items() if name != "uid"}


def _same(value: Any, now: Any) -> bool:
    return same(_plain(value), _plain(now)) if isinstance(value, dict) and isinstance(now, dict) else same(value, now)


# --- the panel of one value -----------------------------------------------------------------------------------


def panel(marks: Marks, path: str, *, close_url: str, pin_url: str, may_pin: bool) -> dict[str, Any]:
    """Who offers what, the rule that decided, and the pin."""
    value = value_at(marks.document, path)
    pin = marks.sources.pins.get(path)
    return {
        "label": _row_label(marks, path),
        "value": _plain(value) if isinstance(value, dict) else value,
        "offers": [
            {
                "source": marks.source(offer.system),
                "title": _title(marks, offer, pinned=pin is not None and offer.system == HUB),
                "value": offer.value,
                "since": parse_datetime(offer.since) if offer.since else None,
                "winner": offer.winner,
                "same": offer.same,
            }
            for offer in marks.offers(path)
        ],
        "text": _why(marks, path),
        "path": path,
        "pin_url": pin_url if may_pin and not pin else "",
        "unpin_url": pin_url if may_pin and pin else "",
        "actions": [],
        "close_url": close_url,
    }


def _row_label(marks: Marks, path: str) -> str:
    """Words for a field, or for a row of a list with what tells it from its neighbours."""
    name, _, uid = path.partition("/")
    label = marks.kind.label(name)
    row = value_at(marks.document, path) if uid else None
    return f"{label} {child_name(marks.kind.child(name), row)}" if row else label


def _title(marks: Marks, offer: Offered, *, pinned: bool) -> str:
    title = marks.source(offer.system).title
    if offer.system == HUB:
        return f"{title}, pinned" if pinned else title
    return f"{title} {offer.key}"


def _why(marks: Marks, path: str) -> Rich:
    pin = marks.sources.pins.get(path)
    if pin:
        who = pin.pinned_by.get_full_name() or pin.pinned_by.get_username()
        until = f" until {day(pin.until)}" if pin.until else ""
        return [Part(text=who, strong=True), f" pinned it{until}: “{pin.reason}”.", *_without_pin(marks, path)]
    rule = marks.rule(path)
    if not rule:
        return "The hub does not know where this value came from."
    if marks.sources.fields[path].get("rule") == "source_rank":
        rule = _ranking(marks, path) or rule
        return ["It holds by the rule ", Part(text=rule, strong=True), "."]
    return ["It holds because: ", Part(text=rule, strong=True), "."]


def _ranking(marks: Marks, path: str) -> str:
    """“Coupa before SAP Concur”: the trust in the sources that offer something, as it stands for this field."""
    rules, name = survivorship.load(marks.kind), path.partition("/")[0]
    offered = {offer.system for offer in marks.offers(path) if not is_empty(offer.value)}
    return " before ".join(
        marks.source(code).title for code in sorted(offered, key=lambda code: (rules.rank(name, code), code))
    )


def _without_pin(marks: Marks, path: str) -> list[Part | str]:
    name = path.partition("/")[0]
    offers = [
        Offer(offer.system, offer.key, offer.value, offer.since)
        for offer in marks.offers(path)
        if offer.system != HUB and not is_empty(offer.value)
    ]
    if not offers:
        return []
    best, _ = survivorship.choose(survivorship.load(marks.kind), name, offers)
    return [f" Without the pin, {marks.source(best.system).title} would decide."]


# --- the grid of the sources tab ------------------------------------------------------------------------------


def columns(marks: Marks) -> list[tuple[str, str]]:
    """(system, key) of every source record, the hub first where anything was entered in it."""
    hub = any(origin.get("system") == HUB for origin in marks.sources.fields.values())
    return [*([(HUB, "")] if hub else []), *((record.system.code, record.key) for record in marks.sources.records)]


def grid(marks: Marks, why_url: Any) -> list[dict[str, Any]]:
    heads = columns(marks)
    children = {child.name: child for child in marks.kind.children}
    rows = []
    for name in marks.kind.document.model_fields:
        if name in children:
            rows += [_grid_row(marks, f"{name}/{row['uid']}", heads, why_url) for row in marks.document.get(name) or []]
        elif not is_empty(marks.document.get(name)) or any(not is_empty(o.value) for o in marks.offers(name)):
            rows.append(_grid_row(marks, name, heads, why_url))
    return rows


def _grid_row(marks: Marks, path: str, heads: Sequence[tuple[str, str]], why_url: Any) -> dict[str, Any]:
    offers = {(offer.system, "" if offer.system == HUB else offer.key): offer for offer in marks.offers(path)}
    label = _row_label(marks, path)
    return {
        "label": label if len(label) <= CELL + 4 else f"{label[: CELL + 3]}…",
        "cells": [_grid_cell(offers.get(head)) for head in heads],
        "rule": marks.rule(path),
        "pinned": marks.is_pinned(path),
        "url": why_url(path),
    }


def _grid_cell(offer: Offered | None) -> dict[str, Any]:
    if offer is None or is_empty(offer.value):
        return {"value": None, "state": "empty", "note": ""}
    state = "winner" if offer.winner else "same" if offer.same else "lost"
    at = parse_datetime(offer.since) if offer.since else None
    text = show(offer.value)
    notes = [text if len(text) > CELL else "", f"since {day(at)}" if at else ""]
    return {
        "value": text if len(text) <= CELL else f"{text[: CELL - 1]}…",
        "state": state,
        "note": ", ".join(note for note in notes if note),
    }
