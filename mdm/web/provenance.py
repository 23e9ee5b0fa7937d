"""Where values come from, as a page shows it: marks beside facts, the panel of one value, the grid of all sources."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from django.utils.dateparse import parse_datetime

from mdm.selectors.provenance import Offered, Picture
from mdm.services import pins, survivorship
from mdm.survival.choosing import Offer, choose
from mdm.survival.composing import plain
from mdm.survival.rules import HUB
from mdm.types import value_at
from mdm.web.diffs import child_name
from mdm.web.page import Part, Rich, Source
from mdm.web.values import day, is_empty, show

CELL = 28  # letters of a value in the grid of sources: four of them fit beside one another


class Marks(Picture):
    """Who supplied each value of one record, with one colour and two letters per system."""

    def source(self, code: str) -> Source:
        system = self.sources.systems.get(code)
        if system is None:
            return Source(mark=code[:2].upper(), slot="e", title="Entered in the hub" if code == HUB else code)
        return Source(mark=system.mark, slot=system.tone, title=system.title)

    def of(self, path: str) -> list[Source]:
        """The winner first, then one that says the same: beside a value there is room for two."""
        found = [offer for offer in self.offers(path) if offer.winner]
        found += [offer for offer in self.offers(path) if offer.same and not offer.winner]
        return [self.source(code) for code in dict.fromkeys(offer.system for offer in found)][:2]

    def is_pinned(self, path: str) -> bool:
        return self.sources.pin_at(path) is not None


# --- the panel of one value -----------------------------------------------------------------------------------


def panel(marks: Marks, path: str, *, close_url: str, pin_url: str, may_pin: bool, back: str = "") -> dict[str, Any]:
    """Who offers what, the rule that decided, and the pin. `back`: the tab that shows the panel, for after the form."""
    value = value_at(marks.document, path)
    pin = marks.sources.pin_at(path)
    return {
        "label": row_label(marks, path),
        "value": plain(value),
        "offers": [
            {
                "source": marks.source(offer.system),
                "title": _title(marks, offer, pinned=pin is not None and offer.system == HUB),
                "value": offer.value,
                "since": parse_datetime(offer.since) if offer.since else None,
                "winner": offer.winner,
                "same": offer.same,
                "note": _note(offer),
            }
            for offer in marks.offers(path)
        ],
        "text": _why(marks, path),
        "path": path,
        "choices": _choices(marks, path),
        "back": back,
        "pin_url": pin_url if may_pin and not pin and pins.is_pinnable(marks.kind, marks.document, path) else "",
        "unpin_url": pin_url if may_pin and pin else "",
        "actions": [],
        "close_url": close_url,
    }


def _choices(marks: Marks, path: str) -> list[dict[str, str]]:
    """Other values that a pin could hold: {value: "system key", label}."""
    seen = {show(plain(value_at(marks.document, path)))}
    found = []
    for offer in marks.offers(path):
        words = show(offer.value)
        if offer.system == HUB or offer.waiting or is_empty(offer.value) or words in seen:
            continue
        seen.add(words)
        found.append(
            {"value": f"{offer.system} {offer.key}", "label": f"{words}, from {_title(marks, offer, pinned=False)}"}
        )
    return found


def _note(offer: Offered) -> str:
    return "no longer there" if offer.left else "waits for approval" if offer.waiting else ""


def row_label(marks: Marks, path: str) -> str:
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
    pin = marks.sources.pin_at(path)
    if pin:
        who = pin.pinned_by.get_full_name() or pin.pinned_by.get_username()
        until = f" until {day(pin.until)}" if pin.until else ""
        return [Part(text=who, strong=True), f" pinned it{until}: “{pin.reason}”.", *_without_pin(marks, path)]
    rule = marks.rule(path)
    if not rule:
        return "The hub does not know where this value came from."
    if marks.origin(path).get("rule") == "source_rank":
        return ["It holds by the rule ", Part(text=f"{rule}: {_ranking(marks, path)}", strong=True), "."]
    return ["It holds because: ", Part(text=rule, strong=True), "."]


def _ranking(marks: Marks, path: str) -> str:
    """“Coupa before SAP Concur”: the trust in the sources that offer something, as it stands for this field."""
    rules, name = survivorship.load(marks.kind), path.partition("/")[0]
    offered = {offer.system for offer in marks.offers(path) if not is_empty(offer.value)}
    return " before ".join(
        marks.source(code).title for code in sorted(offered, key=lambda code: (rules.rank(name, code), code))
    )


def _without_pin(marks: Marks, path: str) -> list[Part | str]:
    offers = [
        Offer(offer.system, offer.key, offer.value, offer.since)
        for offer in marks.offers(path)
        if offer.system != HUB and not is_empty(offer.value) and not offer.left and not offer.waiting
    ]
    if not offers:
        return []
    best = choose(survivorship.load(marks.kind), path.partition("/")[0], offers)
    if best.system is None:
        return [f" Without the pin it would be {show(best.value)}."]
    return [f" Without the pin, {marks.source(best.system).title} would decide."]


# --- the grid of the sources tab ------------------------------------------------------------------------------


def columns(marks: Marks) -> list[tuple[str, str]]:
    """(system, key) of every source record, the hub first where anything was entered in it."""
    hub = marks.sources.entered or any(origin.get("system") == HUB for origin in marks.sources.fields.values())
    return [*([(HUB, "")] if hub else []), *((record.system.code, record.key) for record in marks.sources.records)]


def grid(
    marks: Marks, why_url: Callable[[str], str], *, differing: bool = False, current: str = ""
) -> list[dict[str, Any]]:
    heads = columns(marks)
    paths = [path for path in marks.paths() if not differing or marks.differs(path)]
    return [_grid_row(marks, path, heads, why_url, current) for path in paths]


def _grid_row(
    marks: Marks, path: str, heads: Sequence[tuple[str, str]], why_url: Callable[[str], str], current: str
) -> dict[str, Any]:
    offers = {(offer.system, "" if offer.system == HUB else offer.key): offer for offer in marks.offers(path)}
    label = row_label(marks, path)
    return {
        "label": label if len(label) <= CELL + 4 else f"{label[: CELL + 3]}…",
        "cells": [_grid_cell(offers.get(head)) | {"head": _head_words(marks, *head)} for head in heads],
        "rule": marks.rule(path),
        "pinned": marks.is_pinned(path),
        "url": why_url(path),
        "current": path == current,
    }


def _head_words(marks: Marks, code: str, key: str) -> str:
    return f"{marks.source(code).title} {key}".strip()


def _grid_cell(offer: Offered | None) -> dict[str, Any]:
    if offer is None or is_empty(offer.value):
        return {"value": None, "state": "empty", "note": "", "at": None, "words": ""}
    state = "winner" if offer.winner else "same" if offer.same else "lost"
    text = show(offer.value)
    return {
        "value": text if len(text) <= CELL else f"{text[: CELL - 1]}…",
        "state": state,
        "note": text if len(text) > CELL else "",
        "at": parse_datetime(offer.since) if offer.since else None,
        "words": _note(offer),
    }


def csv_rows(marks: Marks) -> list[tuple[str, ...]]:
    """One row per value and source: field, source, key, value, received, what became of it, rule. Numbers are masked."""
    found: list[tuple[str, ...]] = []
    for path in marks.paths():
        for offer in marks.offers(path):
            if is_empty(offer.value):
                continue
            state = "holds" if offer.winner else "same" if offer.same else "lost"
            found.append(
                (
                    row_label(marks, path),
                    marks.source(offer.system).title,
                    offer.key,
                    show(offer.value),
                    offer.since,
                    ", ".join(filter(None, [state, _note(offer)])),
                    marks.rule(path),
                )
            )
    return found


CSV_HEADINGS = ("Field", "Source", "Key", "Value", "Received", "State", "Rule of the value that holds")
