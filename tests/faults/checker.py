"""Owns the judgement of a fault run: what the targets say they did, held against every version that was approved.

The judge is the target's own log of effects. An idempotency key there names the delivery, `generation:target:record:
lane:seq`; whatever the hub believes of itself is only held against it.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from mdm.models import Crosswalk, RecordVersion
from mdm.selectors.records import current_documents
from sync import platforms
from sync.models import Delivery, Lane, Subscription, Target
from sync.models.states import DEAD, OPEN
from sync.payloads import renderer
from sync.protocol import Readable
from tests.sync.world import Side

TYPE = "supplier"
_TOLD = ("legal_name", "payment_terms")  # what a version of a fault run changes and every receiver keeps as it is
_SHOWN = 10  # of each kind of finding


@dataclass
class Findings:
    """Empty lists are what the promise is about; `states` and `effects` say how much was looked at."""

    lost: list[str] = field(default_factory=list)  # an approved version that did not arrive, or only in part
    doubled: list[str] = field(default_factory=list)  # a second record, or the same write twice
    reversed: list[str] = field(default_factory=list)  # an older version written after a newer one
    stuck: list[str] = field(default_factory=list)  # neither ended nor waiting for a person
    states: Counter[str] = field(default_factory=Counter)
    effects: int = 0

    @property
    def clean(self) -> bool:
        return not (self.lost or self.doubled or self.reversed or self.stuck)

    def told(self) -> str:
        lines = [f"{dict(self.states)}, {self.effects} effects at the targets"]
        for name in ("lost", "doubled", "reversed", "stuck"):
            found: list[str] = getattr(self, name)
            lines.append(f"{name}: {len(found)}")
            lines += [f"    {words}" for words in found[:_SHOWN]]
        return "\n".join(lines)


def check(sides: dict[Target, Side]) -> Findings:
    """After everything has come to rest."""
    found = Findings()
    found.states.update(Delivery.objects.values_list("state", flat=True))
    _check_rest(found)
    for target, side in sides.items():
        effects = side.effects()
        found.effects += len(effects)
        _check_log(found, target, effects)
        _check_ledger(found, target, effects)
        _check_holdings(found, target, side)
    return found


def _check_rest(found: Findings) -> None:
    for row in Delivery.objects.filter(state__in=(*OPEN, "held")):
        found.stuck.append(f"{row} {row.error_code} {row.error_text[:200]}")
    for lane in Lane.objects.exclude(lease_owner=None) | Lane.objects.filter(open=True):
        found.stuck.append(f"lane {lane} is open or leased")


def _check_log(found: Findings, target: Target, effects: list[dict[str, Any]]) -> None:
    """What happened there, without asking the hub: nothing twice, nothing made twice, nothing backwards.

    Twice is a write after which the record was as the same write had left it; rows of a list are made by one request
    each, and a row that is there twice is found when the record is read.
    """
    telling = ("idempotency_key", "method", "path", "type", "key", "digest")
    times = Counter(tuple(effect[name] for name in telling) for effect in effects)
    found.doubled += [f"{target.code}: {times_} x {what}" for what, times_ in times.items() if times_ > 1]
    made: dict[str, list[str]] = defaultdict(list)
    newest: dict[tuple[str, str], int] = {}
    for effect in effects:
        _, _, record, _, seq = effect["idempotency_key"].split(":")
        place = (effect["type"], effect["key"])
        if effect["kind"] == "created" and effect["type"] == TYPE:
            made[record].append(effect["key"])
        if int(seq) < newest.get(place, 0):
            found.reversed.append(f"{target.code}: {place} got #{seq} after #{newest[place]} at {effect['at']}")
        newest[place] = max(int(seq), newest.get(place, 0))
    found.doubled += [f"{target.code}: {record} was made as {keys}" for record, keys in made.items() if len(keys) > 1]


def _check_ledger(found: Findings, target: Target, effects: list[dict[str, Any]]) -> None:
    """Every version that is for this target has its delivery, and no other; what the hub calls posted left an effect,
    what it calls never sent left none."""
    only = Subscription.objects.get(target=target, type=TYPE).filter
    known = RecordVersion.objects.filter(type=TYPE).values_list("uid", "version", "document")
    versions = {(uid, version) for uid, version, document in known if only.items() <= document.items()}
    rows = list(Delivery.objects.select_related("lane").filter(target=target, type=TYPE))
    delivered = {(row.record, row.version) for row in rows}
    found.lost += [f"{target.code}: no delivery of {uid} v{version}" for uid, version in versions - delivered]
    found.doubled += [f"{target.code}: {uid} v{version} is not for it" for uid, version in delivered - versions]
    applied = {effect["idempotency_key"] for effect in effects}
    for row in rows:
        there = row.idempotency_key in applied
        if row.state == "posted" and row.effect in ("created", "updated", "blocked") and not there:
            found.lost.append(f"{target.code}: {row} is called {row.effect}, the target knows nothing of it")
        if row.state == "superseded" and there:
            found.doubled.append(f"{target.code}: {row} was never sent, the target has applied it")


def _check_holdings(found: Findings, target: Target, side: Side) -> None:
    """One record of ours for each golden one, equal in every field to the version that is in force."""
    newest = {row.record: row for row in Delivery.objects.filter(target=target, type=TYPE).order_by("pk")}
    wanted = {uid for uid, row in newest.items() if row.state not in DEAD}
    keys = dict(
        Crosswalk.objects.filter(system=target.system, type=TYPE, active=True, primary=True).values_list("uid", "key")
    )
    documents = current_documents(TYPE, wanted)
    held = _held_by_reading(target) if platforms.readable(target.connector) else _told(side)
    for uid, document in documents.items():
        own = next((key for known, key in keys.items() if str(known) == uid), "")
        differs_in = held.pop(own, None)
        if differs_in is None:
            found.lost.append(f"{target.code}: {uid} is not there under {own or 'any key'}")
        elif fields := differs_in(document):
            found.lost.append(f"{target.code}: {uid} v{document['version']} differs in {', '.join(fields)}")
    dead = {keys.get(uid) for uid in newest.keys() - wanted}
    found.doubled += [f"{target.code}: {key} belongs to nobody" for key in held if key not in dead]


Differs = Callable[[dict[str, Any]], list[str]]  # fields in which what is held there differs from a document


def _held_by_reading(target: Target) -> dict[str, Differs]:
    """As the connector reads it back. The sandboxes of a fault run begin empty: all that is there came from us."""
    render = renderer(target, TYPE)

    def against(fields: dict[str, Any]) -> Differs:
        return lambda document: [
            item.field for item in render.mapping.compare(render.render(document), fields, parts=render.parts)
        ]

    with platforms.session(target) as connector:
        assert isinstance(connector, Readable)
        return {record.key: against(record.fields) for record in connector.scan(TYPE)}


def _told(side: Side) -> dict[str, Differs]:
    """What a receiver that nobody can read made of what it was told, by its own account."""

    def against(fields: dict[str, Any]) -> Differs:
        return lambda document: [name for name in _TOLD if fields.get(name) != document[name]]

    return {key: against(fields) for key, fields in side.records().items()}


def listed(rows: Iterable[Delivery]) -> list[str]:
    """Dead letters, as an operator sees them."""
    return [f"{row} {row.error_code}: {row.error_text[:120]}" for row in rows]
