"""What the sources say of one record: who offers what for each value, which holds and by which rule, and the pins."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from django.db.models import Q
from django.utils import timezone

from mdm.models import Crosswalk, Pin, Provenance, SourceRecord, System
from mdm.registry import RecordType
from mdm.survival import words
from mdm.survival.choosing import EMPTY
from mdm.survival.composing import identity, plain
from mdm.survival.rules import HUB, members
from mdm.types import Document, same, value_at


@dataclass(frozen=True)
class Offered:
    """One source's value of a path. `winner`: the value that holds came from here. `left`: the system no longer has it.

    `waiting`: its load is not approved yet. `since`: ISO time of when it was received, "" when that is not known.
    """

    system: str
    key: str
    value: Any
    since: str
    winner: bool = False
    same: bool = False
    left: bool = False
    waiting: bool = False


@dataclass(frozen=True)
class Sources:
    """`fields`: {path: origin}; `entered`: what people wrote here that lost; `pins`: those that hold today, by block."""

    fields: dict[str, dict[str, Any]]
    records: list[SourceRecord]
    pins: dict[str, Pin]
    systems: dict[str, System]
    entered: dict[str, Any] = field(default_factory=dict)

    def pin_at(self, path: str) -> Pin | None:
        """The pin that holds this path, be it that of its group."""
        found = self.pins.get(path)
        return found or next((pin for block, pin in self.pins.items() if path in members(block)), None)

    def title(self, code: str) -> str:
        system = self.systems.get(code)
        return system.title if system else code


NOTHING = Sources({}, [], {}, {})


def of(kind: RecordType, uid: Any) -> Sources:
    """Four queries, however many sources there are. Those that left come last."""
    row = Provenance.objects.filter(uid=uid).first()
    rows = SourceRecord.objects.filter(golden_uid=uid, type=kind.key).select_related("system", "job")
    return Sources(
        fields=row.fields if row else {},
        records=list(rows.order_by("-active", "system__rank", "key")),
        pins={pin.path: pin for pin in pins_of(uid)},
        systems={system.code: system for system in System.objects.all()},
        entered=row.entered if row else {},
    )


def pins_of(uid: Any) -> list[Pin]:
    holds = Q(until=None) | Q(until__gte=timezone.localdate())
    return list(Pin.objects.filter(holds, uid=uid).select_related("pinned_by").order_by("path"))


def keys_of(kind: RecordType, uid: Any) -> list[Crosswalk]:
    rows = Crosswalk.objects.filter(type=kind.key, uid=uid).select_related("system")
    return list(rows.order_by("-active", "system__rank", "-primary", "key"))


class Picture:
    """Every value of one document with its offers. Sealed values stay sealed; rows the document lacks are not told."""

    def __init__(self, kind: RecordType, document: Document, sources: Sources) -> None:
        self.kind, self.document, self.sources = kind, document, sources
        self._offers: dict[str, list[Offered]] = {}

    def paths(self) -> list[str]:
        """Fields that somebody gives a value, and every row of every list, in the order of the document."""
        children = {child.name for child in self.kind.children}
        found = []
        for name in self.kind.document.model_fields:
            if name in children:
                found += [f"{name}/{row['uid']}" for row in self.document.get(name) or []]
            elif self.document.get(name) not in EMPTY or any(o.value not in EMPTY for o in self.offers(name)):
                found.append(name)
        return found

    def origin(self, path: str) -> dict[str, Any]:
        return self.sources.fields.get(path) or {}

    def rule(self, path: str) -> str:
        """The rule that really decided, in words."""
        pin = self.sources.pin_at(path)
        return words.explain(
            self.origin(path),
            title=self.sources.title,
            label=self.kind.label,
            pinned=pin_words(pin) if pin else "",
        )

    def differs(self, path: str) -> bool:
        """Whether anybody gives another value than the one that holds."""
        return any(offer.value not in EMPTY and not offer.same and not offer.winner for offer in self.offers(path))

    def offers(self, path: str) -> list[Offered]:
        """What each source gives for the path, and people's own entry where there is one, that first."""
        if path not in self._offers:
            self._offers[path] = self._compare(path)
        return self._offers[path]

    def _compare(self, path: str) -> list[Offered]:
        origin, now = self.origin(path), value_at(self.document, path)
        won = {(origin.get("system"), origin.get("key"))} | {(p["system"], p["key"]) for p in origin.get("parts", [])}
        found = self._entry(path, origin, now)
        for record in self.sources.records:
            value = self._value(record, path)
            found.append(
                Offered(
                    record.system.code,
                    record.key,
                    value,
                    record.received_at.isoformat(),
                    winner=(record.system.code, record.key) in won and value not in EMPTY,
                    same=value not in EMPTY and same(plain(value), plain(now)),
                    left=not record.active,
                    waiting=record.outcome == "staged",
                )
            )
        return found

    def _entry(self, path: str, origin: dict[str, Any], now: Any) -> list[Offered]:
        if origin.get("system") == HUB:
            return [Offered(HUB, origin.get("key") or "", plain(now), origin.get("since") or "", True, True)]
        block = str(origin.get("group") or path)
        kept = self.sources.entered.get(block) or self.sources.entered.get(path)
        if not kept:
            return []
        value = kept["value"]
        if "+" in block and isinstance(value, dict):
            value = value.get(path)
        parts = [p for p in origin.get("parts", []) if p["system"] == HUB]
        return [
            Offered(HUB, kept.get("key") or "", value, kept.get("since") or "", bool(parts), same(value, plain(now)))
        ]

    def _value(self, record: SourceRecord, path: str) -> Any:
        name, _, uid = path.partition("/")
        if not uid:
            return record.document.get(name)
        child, row = self.kind.child(name), value_at(self.document, path)
        if not row:
            return None
        mine = identity(child, row)
        place = [r["uid"] for r in self.document.get(name) or [] if identity(child, r) == mine].index(uid)
        theirs = [plain(other) for other in record.document.get(name) or [] if identity(child, other) == mine]
        return theirs[place] if place < len(theirs) else None


def pin_words(pin: Pin) -> str:
    """“by Mara Lindqvist until 2026-12-31”."""
    who = pin.pinned_by.get_full_name() or pin.pinned_by.get_username()
    return f"by {who} until {pin.until.isoformat()}" if pin.until else f"by {who}"


def results(kind: RecordType, document: Document) -> list[dict[str, Any]]:
    """The whole picture as data: one entry per field that anybody fills and per row of a list. Four queries."""
    picture = Picture(kind, document, of(kind, document["uid"]))
    return [_entry(picture, path) for path in picture.paths()]


def _entry(picture: Picture, path: str) -> dict[str, Any]:
    origin, pin = picture.origin(path), picture.sources.pin_at(path)
    offers = [offer for offer in picture.offers(path) if offer.value not in EMPTY]
    block = str(origin.get("group") or "")
    return {
        "path": path,
        "value": value_at(picture.document, path),
        "system": origin.get("system"),
        "key": origin.get("key"),
        "rule": origin.get("rule"),
        "rule_text": picture.rule(path),
        "since": origin.get("since") or None,
        "together": list(members(block)) if block else [],
        "parts": [{**part, "since": part["since"] or None} for part in origin.get("parts", [])],
        "offers": [{**vars(offer), "since": offer.since or None} for offer in offers],
        "losing": [{"system": o.system, "key": o.key, "value": o.value} for o in offers if not o.winner and not o.same],
        "override": pin_as_json(pin) if pin else None,
    }


def pin_as_json(pin: Pin) -> dict[str, Any]:
    """A pin as the API shows it."""
    return {
        "uid": pin.pin_uid,
        "path": pin.path,
        "value": pin.held.get("value"),
        "reason": pin.reason,
        "by": pin.pinned_by.get_full_name() or pin.pinned_by.get_username(),
        "at": pin.pinned_at,
        "until": pin.until,
        "differs": pin.differed,
    }
