"""Survivorship with its data: rules, sources and pins read from the database, and one record composed of them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.db.models import Q
from django.utils import timezone

from mdm import dating
from mdm.errors import CorrectInput
from mdm.models import Pin, Provenance, SourceRecord, SurvivorshipRule, System
from mdm.registry import RecordType
from mdm.survival import rules as rule_words
from mdm.survival.composing import Held, Source, Survived, compose
from mdm.survival.rules import HUB, Rule, Rules
from mdm.types import Document

__all__ = ["HUB", "Known", "compute", "gather", "load", "of_rows", "rules_of", "stored", "with_rules"]


@dataclass
class Known:
    """All the hub knows of one record's values besides its document."""

    sources: list[Source] = field(default_factory=list)
    provenance: dict[str, Any] = field(default_factory=dict)
    entered: dict[str, Any] = field(default_factory=dict)
    pins: list[Pin] = field(default_factory=list)


def stored(kind: RecordType) -> list[Rule]:
    """The rules in force."""
    return rules_of(SurvivorshipRule.objects.filter(type=kind.key))


def rules_of(rows: Iterable[SurvivorshipRule]) -> list[Rule]:
    return [
        Rule(
            path=row.path,
            order=tuple(part.strip() for part in row.order.split(",") if part.strip()),
            ranks=dict(row.ranks),
            together=tuple(row.together),
            keep_last=row.keep_last,
        )
        for row in rows
    ]


def load(kind: RecordType) -> Rules:
    """The rules of a type, once per job. CorrectInput when somebody wrote one that makes no sense."""
    return with_rules(kind, stored(kind))


def with_rules(kind: RecordType, rules: Sequence[Rule]) -> Rules:
    """The same for rules that are not in force."""
    ranks = dict(System.objects.values_list("code", "rank"))
    problems = rule_words.check(kind, rules, systems=ranks)
    if problems:
        words = f"The survivorship rules of {kind.nouns} have mistakes: {problems[0].message}"
        raise CorrectInput(words, problems=problems)
    return Rules(rules, ranks)


def of_rows(rows: Iterable[SourceRecord], systems: Mapping[int, str]) -> list[Source]:
    """`systems`: {System.pk: code}."""
    return [
        Source(systems[row.system_id], row.key, row.document, row.received_at.isoformat(), left=not row.active)
        for row in rows
    ]


def gather(
    kind: RecordType,
    current: Mapping[str, Document],
    *,
    systems: Mapping[int, str] | None = None,
    fresh: Mapping[str, Sequence[SourceRecord]] | None = None,
    without: Iterable[int] = (),
) -> dict[str, Known]:
    """{uid: what is known} of records by their current documents; three queries whatever their number.

    `fresh`: {uid: source rows an approved load brings now}, in place of what is stored of them. `without`: ids of source
    records to leave out. A row whose load nobody has approved yet speaks only with the values it won before.
    """
    codes = systems if systems is not None else dict(System.objects.values_list("pk", "code"))
    found: dict[str, Known] = {uid: Known() for uid in current}
    for row in Provenance.objects.filter(uid__in=list(current)):
        found[str(row.uid)].provenance, found[str(row.uid)].entered = row.fields, row.entered
    now_there = {row.pk for rows in (fresh or {}).values() for row in rows} | set(without)
    stored_rows: dict[str, list[SourceRecord]] = defaultdict(list)
    for source in SourceRecord.objects.filter(golden_uid__in=list(current), type=kind.key).exclude(pk__in=now_there):
        stored_rows[str(source.golden_uid)].append(source)
    for uid, known in found.items():
        staged = [source for source in stored_rows[uid] if source.outcome == "staged"]
        heard = [source for source in stored_rows[uid] if source.outcome != "staged"]
        known.sources = [
            *of_rows([*heard, *(fresh or {}).get(uid, ())], codes),
            *(_accepted(kind, source, codes[source.system_id], current[uid], known.provenance) for source in staged),
        ]
    for uid, pins in pins_of(current).items():
        found[uid].pins = pins
    return found


def _accepted(
    kind: RecordType, source: SourceRecord, system: str, current: Document, provenance: Mapping[str, Any]
) -> Source:
    """What of the record holds as this source's word: its new row waits for approval and must not slip in here."""
    own = (system, source.key)
    won = {path: origin for path, origin in provenance.items() if (origin.get("system"), origin.get("key")) == own}
    children = {child.name for child in kind.children}
    taken: Document = {}
    for name in kind.document.model_fields:
        if name in children:
            taken[name] = [row for row in current.get(name) or [] if f"{name}/{row['uid']}" in won]
        else:
            parts = (provenance.get(name) or {}).get("parts", [])
            mine = [part["value"] for part in parts if (part["system"], part["key"]) == own]
            taken[name] = current.get(name) if name in won else (mine or None)
    since = max((origin.get("since") or "" for origin in won.values()), default="")
    return Source(system, source.key, taken, since, left=not source.active)


def compute(
    *, kind: RecordType, rules: Rules, known: Known, current: Document | None, lifted: Iterable[str] = ()
) -> Survived:
    """What survives for one record. `lifted`: pins to leave out."""
    without = set(lifted)
    survived = compose(
        kind=kind,
        rules=rules,
        sources=known.sources,
        current=current,
        provenance=known.provenance,
        entered=known.entered,
        pins={pin.path: held_of(pin) for pin in known.pins if pin.path not in without},
    )
    if kind.periods:
        kept = survived.body.get(kind.periods) or (current or {}).get(kind.periods)
        day = timezone.localdate().isoformat()
        survived.body = dating.shown(kind, {**survived.body, kind.periods: kept}, day)
    return survived


def held_of(pin: Pin) -> Held:
    return Held(pin.held.get("value"), pin.pinned_at.isoformat(), known="value" in pin.held)


def holding() -> Q:
    """Pins that hold today."""
    return Q(until=None) | Q(until__gte=timezone.localdate())


def pins_of(uids: Iterable[str]) -> dict[str, list[Pin]]:
    """{uid: its pins that hold today}."""
    found: dict[str, list[Pin]] = {}
    for pin in Pin.objects.filter(holding(), uid__in=list(uids)).order_by("pk"):
        found.setdefault(str(pin.uid), []).append(pin)
    return found
