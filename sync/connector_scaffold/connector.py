"""Owns pushing suppliers to New Platform: read, decide, write what differs, read back. See README.md beside it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar

from sync import mapping
from sync.auth import OAuth2
from sync.connector_scaffold.shape import BANKS, REFERENCE, flatten, nest
from sync.errors import FieldProblem, NotSupported, Refused, SyncError
from sync.http import Client, Problems, Response
from sync.normalise import is_empty, same
from sync.protocol import Capability, Config, Exchange, Health, Outcome, Push, RemoteRecord

SUPPLIERS = "api/suppliers"
TAKEN = "taken"  # the code of “this external id is there already”
Supplier = dict[str, Any]  # as New Platform answers it


class NewPlatformConnector:
    """Numbers of its own, found by our reference: `external_id` is unique there."""

    name: ClassVar[str] = "new_platform"
    title: ClassVar[str] = "New Platform"
    capability: ClassVar[Capability] = "D"
    types: ClassVar[tuple[str, ...]] = ("supplier",)
    max_inflight_s: ClassVar[float] = 60.0

    def __init__(self, config: Config) -> None:
        self._mapping = mapping.load(Path(__file__).with_name("mapping.yaml"), "supplier")
        self._client = Client(config, headers={"Accept": "application/json"}, explain=explain)
        self._client.auth = OAuth2(self._client, config, url="oauth2/token")
        self._page = int(config.options.get("page_size", 100))

    def check(self) -> Health:
        try:
            self._client.begin()
            self._client.json("GET", SUPPLIERS, params={"limit": "1"})
        except SyncError as error:
            return Health(False, error.message)
        pushable = dict.fromkeys(self._mapping.parts, True)
        return Health(True, "Signed in; suppliers can be read and written.", pushable)

    def push(self, push: Push) -> Outcome:
        self._begin(push)
        if push.action == "block":
            return self._block(push)
        held = self._one(push.key) if push.key else None
        held = held or self._search(push.reference, push.payload)
        if held is None and push.key:
            words = f"New Platform has no supplier {push.key}; check the crosswalk, nothing was created."
            raise Refused(words, problems=(FieldProblem("number", "key_unknown", words),))
        if held is None:
            try:
                return self._create(push)
            except Refused as refused:
                held = self._own_twin(push, refused)
        return self._update(push, held)

    def read(self, type: str, key: str) -> RemoteRecord | None:
        self._start(type)
        held = self._one(key)
        return self._record(held) if held else None

    def find(self, type: str, reference: str, payload: Mapping[str, Any]) -> RemoteRecord | None:
        self._start(type)
        held = self._search(reference, payload)
        return self._record(held) if held else None

    def scan(self, type: str, changed_since: str | None = None) -> Iterator[RemoteRecord]:
        self._start(type)
        url, params = SUPPLIERS, {"limit": str(self._page), "changed_since": changed_since or ""}
        while url:
            self._client.exchanges()  # only what is being said now is kept: a scan has many pages
            page = self._client.json("GET", url, params=params)
            yield from (self._record(held) for held in page["items"])
            url, params = page["next"] or "", {}

    def exchanges(self) -> tuple[Exchange, ...]:
        return self._client.exchanges()

    # Deciding

    def _one(self, key: str) -> Supplier | None:
        response = self._client.request("GET", f"{SUPPLIERS}/{key}", accept=(404,))
        return None if response.status == 404 else self._supplier(response)

    def _search(self, reference: str, payload: Mapping[str, Any]) -> Supplier | None:
        """By our reference, then by the tax number when the name agrees as well: groups share tax numbers."""
        found = self._filtered(REFERENCE, reference)
        if found:
            return found[0]
        number = payload.get("tax_number")
        free = [held for held in self._filtered("tax_number", number) if not held.get(REFERENCE)] if number else []
        alike = [held for held in free if same(held.get("name"), payload.get("name"), ("spaces", "case"))]
        if free and len(alike) != 1:
            listed = ", ".join(f"{held['number']} “{held.get('name')}”" for held in free[:5])
            words = f"New Platform already has this tax number: {listed}. Link one of them, or correct the supplier."
            raise Refused(words, problems=(FieldProblem("tax_number", "maybe_there_already", words),))
        return alike[0] if alike else None

    def _filtered(self, name: str, value: Any) -> list[Supplier]:
        return list(self._client.json("GET", SUPPLIERS, params={name: str(value)})["items"])

    def _own_twin(self, push: Push, refused: Refused) -> Supplier:
        """After “taken”: the supplier that an earlier, lost request of ours made."""
        taken = any(problem.code == TAKEN for problem in refused.problems)
        held = self._search(push.reference, push.payload) if taken else None
        if held is None:
            raise refused
        return held

    # Writing

    def _create(self, push: Push) -> Outcome:
        payload = self._mapping.writable(push.payload, creating=True)
        body = nest({name: value for name, value in payload.items() if not is_empty(value)})
        made = self._supplier(self._client.request("POST", SUPPLIERS, json={**body, REFERENCE: push.reference}))
        return self._verified(push, made["number"], "created")

    def _update(self, push: Push, held: Supplier) -> Outcome:
        """The fields that differ; accounts are one list, so it is sent whole as soon as one of them differs."""
        payload = self._mapping.writable(push.payload, creating=False)
        changed = {item.field for item in self._mapping.compare(push.payload, flatten(held))}
        body: dict[str, Any] = {name: payload[name] for name in changed & set(payload) if "[" not in name}
        if any("[" in name for name in changed):
            body[BANKS] = nest(push.payload).get(BANKS, [])
        if not held.get(REFERENCE):
            body[REFERENCE] = push.reference
        if not body:
            return Outcome(held["number"], "unchanged", True, self.exchanges())
        self._supplier(self._client.request("PATCH", f"{SUPPLIERS}/{held['number']}", json=body))
        return self._verified(push, held["number"], "updated")

    def _block(self, push: Push) -> Outcome:
        """Only the supplier of the key; without a key only one that carries our reference."""
        held = self._one(push.key) if push.key else next(iter(self._filtered(REFERENCE, push.reference)), None)
        wanted = self._mapping.block_fields()
        if held is None or all(held.get(name) == value for name, value in wanted.items()):
            return Outcome(push.key or "", "unchanged", True, self.exchanges())
        self._client.request("PATCH", f"{SUPPLIERS}/{held['number']}", json=wanted)
        now = self._one(held["number"]) or {}
        verified = all(now.get(name) == value for name, value in wanted.items())
        return Outcome(held["number"], "blocked", verified, self.exchanges())

    def _verified(self, push: Push, key: str, effect: Any) -> Outcome:
        """Read back and compare with what we sent."""
        held = self._one(key)
        differs = held is None or self._mapping.compare(push.payload, flatten(held))
        return Outcome(key, effect, not differs, self.exchanges())

    # Small things

    def _begin(self, push: Push) -> None:
        self._expect(push.type)
        hidden = self._mapping.sealed_values(push.payload)
        key = push.idempotency_key
        self._client.begin(correlation_id=push.correlation_id, conceal=hidden, Idempotency_Key=key)

    def _start(self, type: str) -> None:
        self._expect(type)
        self._client.begin()

    def _expect(self, type: str) -> None:
        if type not in self.types:
            raise NotSupported(f"{self.title} takes no {type} from the hub.")

    def _supplier(self, response: Response) -> Supplier:
        """The supplier in an answer; one that cannot be read is no answer."""
        try:
            held = response.json()
        except ValueError:
            held = None
        if not isinstance(held, dict) or not held.get("number"):
            raise self._client.unreadable(response)
        return held

    def _record(self, held: Supplier) -> RemoteRecord:
        blocked, changed = held.get("status") == "blocked", str(held.get("changed_at") or "")
        reference = str(held.get(REFERENCE) or "")
        return RemoteRecord(str(held["number"]), flatten(held), reference, "", changed, blocked)


connector = NewPlatformConnector


def explain(response: Response) -> Problems:
    """`{"errors": [{"field", "code", "message"}]}` in words and by field."""
    try:
        errors = json.loads(response.body)["errors"]
    except (ValueError, KeyError, TypeError):
        return "", ()
    problems = tuple(FieldProblem(str(e["field"]), str(e["code"]), str(e["message"])) for e in errors)
    return " ".join(problem.message for problem in problems), problems
