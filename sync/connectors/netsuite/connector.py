"""Owns pushing to NetSuite: read, decide, write what differs, read back. See README.md beside it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar

from sync import flat, mapping
from sync.connectors.netsuite import suiteql, wire
from sync.connectors.netsuite.catalogue import Catalogue, discover
from sync.connectors.netsuite.held import Held, alike, eid_of, is_free, known_names, remote, several
from sync.connectors.netsuite.shape import (
    KINDS,
    SUBLISTS,
    flatten,
    line_id,
    lines_of,
    nest,
    overlay,
    sendable,
    top_of,
)
from sync.errors import FieldProblem, NotSupported, Refused, SyncError
from sync.mapping import Difference
from sync.normalise import canonical, is_empty
from sync.protocol import Capability, Config, Exchange, Health, Outcome, Push, RemoteRecord

MAPPING = Path(__file__).with_name("mapping.yaml")
BANKS = "bank_accounts"  # no part of a vendor; the mapping names it so that people see it
TAXES = "taxRegistration"  # only where SuiteTax is on


class NetSuiteConnector:
    """Key: the internal id. Creates go by `PUT …/eid:…`, which makes one record however often it arrives."""

    name: ClassVar[str] = "netsuite"
    title: ClassVar[str] = "Oracle NetSuite"
    capability: ClassVar[Capability] = "C"
    credential_options: ClassVar[tuple[str, ...]] = ("private_key", "certificate_id", "access_token")
    types: ClassVar[tuple[str, ...]] = tuple(KINDS)
    max_inflight_s: ClassVar[float] = 900.0  # a request that takes longer is ended by NetSuite

    def __init__(self, config: Config) -> None:
        self._api = wire.Api(config)
        self._config = config
        self._mappings = {type: mapping.load(MAPPING, type) for type in KINDS}
        self._known = {type: known_names(self._mappings[type], KINDS[type]) for type in KINDS}

    def check(self) -> Health:
        self._api.client.begin()
        try:
            catalogue = discover(self._api.client, "vendor", fresh=True)
            self._api.first("vendor")
        except SyncError as error:
            given = {"access_token", "private_key"} & set(self._config.options)
            hint = "" if given else " Neither access_token nor private_key is set."
            return Health(False, error.message + hint)
        pushable = {part: part == "" or part in catalogue.properties for part in self._mappings["supplier"].parts}
        missing = [
            *self._absent("supplier", catalogue),
            *(kind.record for type, kind in KINDS.items() if type != "supplier" and self._lacks(kind.record)),
        ]
        words = ["Signed in; vendors can be read and written."]
        if not pushable[TAXES]:
            words.append("Without SuiteTax only the tax ID is written, no tax registrations.")
        if missing:
            words.append(f"Not available here: {', '.join(missing)}.")
        words.append("Bank accounts cannot be written: a vendor has no field for them.")
        return Health(True, " ".join(words), pushable, tuple(missing))

    def push(self, push: Push) -> Outcome:
        self._expect(push.type)
        # NetSuite heeds a key of its own only when it works asynchronously; ours stands in its logs.
        self._api.client.begin(correlation_id=push.correlation_id, Idempotency_Key=push.idempotency_key)
        if push.action == "block":
            return self._block(push)
        catalogue = self._catalogue(push.type)
        payload = catalogue.keep_known(push.payload)
        held = self._read(push.type, push.key) if push.key else None
        held = held or self._search(push.type, push.reference, payload)
        if held is None and push.key:
            words = f"NetSuite has no {KINDS[push.type].record} {push.key}; check the crosswalk, nothing was created."
            raise Refused(words, problems=(FieldProblem("id", "key_unknown", words),))
        if held is None:
            try:
                return self._create(push, payload)
            except Refused as refused:
                held = self._own_twin(push, payload, refused)
        return self._update(push, payload, held)

    def read(self, type: str, key: str) -> RemoteRecord | None:
        self._start(type)
        held = self._read(type, key)
        return remote(held) if held else None

    def find(self, type: str, reference: str, payload: Mapping[str, Any]) -> RemoteRecord | None:
        self._start(type)
        held = self._search(type, reference, self._catalogue(type).keep_known(payload))
        return remote(held) if held else None

    def scan(self, type: str, changed_since: str | None = None) -> Iterator[RemoteRecord]:
        """Vendors by SuiteQL; where tax registrations count, and for the small types, record by record."""
        self._start(type)
        catalogue = self._catalogue(type)
        if type == "supplier" and TAXES not in catalogue.properties:
            for page in suiteql.vendors(self._api, catalogue, changed_since):
                for id, external, fields in page:
                    yield remote(Held(id, external, self._filled(type, fields), {}))
            return
        for id in list(self._api.ids(KINDS[type].record)):
            self._api.client.exchanges()
            if held := self._read(type, id):
                yield remote(held)

    def exchanges(self) -> tuple[Exchange, ...]:
        return self._api.client.exchanges()

    # Deciding

    def _search(self, type: str, reference: str, payload: Mapping[str, Any]) -> Held | None:
        """By our reference, by the natural key, by the tax id; never a record that belongs to another of ours."""
        kind = KINDS[type]
        if mine := self._read(type, f"eid:{eid_of(reference)}"):
            return mine
        if not is_empty(payload.get(kind.natural)):
            found = [held for held in self._by(type, kind.natural, payload, ("spaces", "case")) if is_free(held)]
            if len(found) > 1:
                raise several(kind, found, f"this {kind.natural}", kind.natural)
            if found:
                return found[0]
        return self._by_tax_id(type, payload) if kind.shared and not is_empty(payload.get(kind.shared)) else None

    def _by_tax_id(self, type: str, payload: Mapping[str, Any]) -> Held | None:
        """The unlinked vendor of that tax id, when name or address agree as well: groups share tax ids."""
        kind = KINDS[type]
        free = [held for held in self._by(type, kind.shared, payload, ("identifier",)) if is_free(held)]
        fitting = [held for held in free if alike(payload, held.fields)]
        if len(fitting) == 1:
            return fitting[0]
        if not free:
            return None
        raise several(kind, free, "this tax id", kind.shared)

    def _by(self, type: str, field: str, payload: Mapping[str, Any], compare: tuple[str, ...]) -> list[Held]:
        """Filters may be generous; a match is looked at again."""
        wanted = str(payload[field])
        found = [self._held(type, record) for record in self._api.search(KINDS[type].record, field, wanted)]
        return [held for held in found if canonical(held.fields.get(field), compare) == canonical(wanted, compare)]

    def _own_twin(self, push: Push, payload: Mapping[str, Any], refused: Refused) -> Held:
        """After “already exists”: the record that an earlier, lost request of ours made."""
        there = any(problem.code == wire.EXISTS for problem in refused.problems)
        held = self._search(push.type, push.reference, payload) if there else None
        if held is None:
            raise refused
        return held

    # Writing

    def _create(self, push: Push, payload: Mapping[str, Any]) -> Outcome:
        kind = KINDS[push.type]
        fields = self._mappings[push.type].writable(payload, creating=True)
        fields = {name: value for name, value in fields.items() if not is_empty(value)}
        if push.type == "supplier":
            fields.setdefault("entityId", "MDM" + push.reference.replace("-", "")[:12].upper())
            if self._config.options.get("numbering") == "auto":
                del fields["entityId"]
        eid = eid_of(push.reference)
        self._api.upsert(kind.record, eid, nest(fields))
        made = self._read(push.type, f"eid:{eid}")
        if made is None:
            raise self._api.client.lost(f"NetSuite took the {kind.record}, but it cannot be read.")
        return self._outcome(push, payload, made, "created")

    def _update(self, push: Push, payload: Mapping[str, Any], held: Held) -> Outcome:
        differs = self._differences(push.type, payload, held)
        writable = self._mappings[push.type].writable(payload, creating=False)
        changed = {
            item.field: writable[item.field] for item in differs if item.field in writable and "[" not in item.field
        }
        body = nest(changed)
        touched = tuple(part for part in SUBLISTS if any(flat.part_of(item.field) == part for item in differs))
        for part in touched:
            body[part] = {"items": self._lines(push.type, part, payload, held)}
        if not held.external:  # one that another integration gave stays: a record has one only
            body["externalId"] = eid_of(push.reference)
        if not body:
            return Outcome(held.id, "unchanged", True, self.exchanges())
        self._api.change(KINDS[push.type].record, held.id, body, replace=touched)
        return self._outcome(push, payload, self._read(push.type, held.id), "updated", held.id)

    def _lines(self, type: str, part: str, payload: Mapping[str, Any], held: Held) -> list[dict[str, Any]]:
        """The whole sublist as it is to be: theirs as they are, ours laid on those that are the same, new ones last."""
        table = self._mappings[type]
        pairing = table.pair(part, payload, held.fields)
        theirs = {line_id(line): sendable(line) for line in lines_of(held.raw, part)}
        matched = {their: ours for ours, their in pairing.matched.items()}
        changes = flat.rows(table.writable(payload, creating=False), part)
        lines = [
            overlay(line, _line(part, changes[matched[id]])) if id in matched else line for id, line in theirs.items()
        ]
        news = flat.rows(table.writable(payload, creating=True), part)
        return [*lines, *(_line(part, _filled_only(news[row])) for row in pairing.missing)]

    def _block(self, push: Push) -> Outcome:
        """Only the record of the key; without a key only one that carries our reference."""
        held = self._read(push.type, push.key or f"eid:{eid_of(push.reference)}")
        if held is None:
            return Outcome(push.key or "", "unchanged", True, self.exchanges())  # nothing there that could be used
        if held.blocked:
            return Outcome(held.id, "unchanged", True, self.exchanges())
        self._api.change(KINDS[push.type].record, held.id, nest(self._mappings[push.type].block_fields()))
        now = self._read(push.type, held.id)
        return Outcome(held.id, "blocked", now is not None and now.blocked, self.exchanges())

    def _outcome(self, push: Push, payload: Mapping[str, Any], now: Held | None, effect: Any, id: str = "") -> Outcome:
        """Compare what was read back with what we sent."""
        verified = now is not None and not self._differences(push.type, payload, now)
        return Outcome(now.id if now else id, effect, verified, self.exchanges())

    def _differences(self, type: str, payload: Mapping[str, Any], held: Held) -> list[Difference]:
        """What of the payload NetSuite does not hold; what it holds besides is no business of a push."""
        found = self._mappings[type].compare(dict(payload), held.fields)
        return [item for item in found if item.kind != "extra"]

    # Small things

    def _start(self, type: str) -> None:
        self._expect(type)
        self._api.client.begin()

    def _expect(self, type: str) -> None:
        if type not in self.types:
            raise NotSupported(f"{self.title} takes no {type} from the hub.")

    def _catalogue(self, type: str) -> Catalogue:
        return discover(self._api.client, KINDS[type].record)

    def _absent(self, type: str, catalogue: Catalogue) -> list[str]:
        """Fields of the mapping that the account does not have, apart from whole parts, which `pushable` tells of."""
        heads = {name for rule in self._mappings[type].rules.fields for name in rule.names if not rule.derived}
        return sorted({top_of(name) for name in heads} - catalogue.properties)

    def _lacks(self, record: str) -> bool:
        try:
            discover(self._api.client, record, fresh=True)
        except SyncError:
            return True
        return False

    def _read(self, type: str, key: str) -> Held | None:
        record = self._api.read(KINDS[type].record, key)
        return self._held(type, record) if record else None

    def _held(self, type: str, record: Mapping[str, Any]) -> Held:
        return Held(str(record["id"]), str(record.get("externalId") or ""), self._filled(type, flatten(record)), record)

    def _filled(self, type: str, fields: Mapping[str, Any]) -> dict[str, Any]:
        """What the mapping compares or finds by, so that a scan and a read tell the same."""
        known = {name: value for name, value in fields.items() if flat.generic_name(name) in self._known[type]}
        return {**(KINDS[type].defaults or {}), **known}


connector = NetSuiteConnector


def _line(part: str, leaves: Mapping[str, Any]) -> dict[str, Any]:
    nested = nest({f"{part}[x].{leaf}": value for leaf, value in leaves.items()})
    found: dict[str, Any] = nested[part]["items"][0] if nested else {}
    return found


def _filled_only(leaves: Mapping[str, Any]) -> dict[str, Any]:
    return {leaf: value for leaf, value in leaves.items() if not is_empty(value)}
