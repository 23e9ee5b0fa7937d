"""Owns pushing dimensions to Coupa as values of its lookups: read, decide, write what differs, read back.

A lookup is a list of codes that somebody set up in Coupa, such as the segments of its charts of accounts.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from sync.codelists import Codelists
from sync.connectors.coupa import wire
from sync.connectors.coupa.shape import flatten, nest
from sync.errors import FieldProblem, Refused
from sync.mapping import Mapping as Rules
from sync.normalise import is_empty
from sync.protocol import Config, Outcome, Push, RemoteRecord

LOOKUPS = {  # our word -> the lookup's name in Coupa
    "cost_center": "Cost Center",
    "profit_center": "Profit Center",
    "project": "Project",
    "gl_account": "Account",
}
SCOPES = "core.accounting.read core.accounting.write"
NUMBER, LOOKUP = "external-ref-num", "lookup.name"
_ELEMENTS = [NUMBER, "external-ref-code", "name", "description", "active", LOOKUP, "parent-id"]
Value = dict[str, Any]  # as Coupa answers it


class LookupValues:
    """Natural key: the external reference number, unique in its lookup. Updates go by Coupa's own id."""

    def __init__(self, config: Config, rules: Mapping[str, Rules]) -> None:
        self._rules = rules
        self._lookups = Codelists(LOOKUPS, config.options.get("lookups", {}))
        scope = str(config.options.get("accounting_scope", SCOPES))
        self._api = wire.Resource(config, "lookup_values", _ELEMENTS, scope)
        self.client = self._api.client

    def check(self) -> None:
        """Sign in for accounting, and read the smallest thing there is."""
        self.client.begin()
        self._api.search({"limit": 1})

    def push(self, push: Push) -> Outcome:
        self.client.begin(correlation_id=push.correlation_id, Idempotency_Key=push.idempotency_key)
        if push.action == "block":
            return self._block(push)
        word, number = str(push.payload[LOOKUP]), str(push.payload[NUMBER])
        held = self._by_key(push.type, push.key) if push.key else self._one(word, number)
        if held is None and push.key:
            words = f"Coupa has no lookup value {push.key}; check the crosswalk, nothing was created."
            raise Refused(words, problems=(FieldProblem(NUMBER, "key_unknown", words),))
        if held is None:
            try:
                return self._create(push, word)
            except Refused as refused:
                held = self._own_twin(word, number, refused)
        return self._update(push, held)

    def read(self, type: str, key: str) -> RemoteRecord | None:
        self.client.begin()
        held = self._by_key(type, key)
        return self._record(type, held) if held else None

    def find(self, type: str, payload: Mapping[str, Any]) -> RemoteRecord | None:
        """By the number alone: nothing of ours fits into a lookup value."""
        self.client.begin()
        held = self._one(str(payload[LOOKUP]), str(payload[NUMBER]))
        return self._record(type, held) if held else None

    def scan(self, type: str, changed_since: str | None) -> Iterator[RemoteRecord]:
        self.client.begin()
        for word in self._lookups.words(type):
            for page in self._api.pages(changed_since, {"lookup[name]": self._lookups.name(word)}):
                yield from (self._record(type, held) for held in page)

    # Finding

    def _by_key(self, type: str, key: str) -> Value | None:
        word, number = self._lookups.split(type, key)
        return self._one(word, number) if number else None

    def _one(self, word: str, number: str) -> Value | None:
        """Filters may be generous; numbers are not."""
        name = self._lookups.name(word)
        found = self._api.search({"lookup[name]": name, "external_ref_num": number})
        return next((held for held in found if held.get(NUMBER) == number and _lookup(held) == name), None)

    def _own_twin(self, word: str, number: str, refused: Refused) -> Value:
        """After “has already been taken”: the value that an earlier, lost request of ours made."""
        taken = any(problem.code == wire.TAKEN for problem in refused.problems)
        held = self._one(word, number) if taken else None
        if held is None:
            raise refused
        return held

    # Writing

    def _create(self, push: Push, word: str) -> Outcome:
        payload = self._rules[push.type].writable(push.payload, creating=True)
        payload = {name: value for name, value in payload.items() if not is_empty(value)}
        made = self._api.create(nest({**payload, LOOKUP: self._lookups.name(word)}))
        return self._verified(push, made["id"], "created")

    def _update(self, push: Push, held: Value) -> Outcome:
        rules = self._rules[push.type]
        writable = rules.writable(push.payload, creating=False)
        changes = [item.field for item in rules.compare(push.payload, flatten(held))]
        if not changes:
            return self._outcome(self._key(push.type, held), "unchanged", True)
        self._api.update(held["id"], nest({name: writable[name] for name in changes}))
        return self._verified(push, held["id"], "updated")

    def _block(self, push: Push) -> Outcome:
        """Only the value of the key: no other one can be told to be ours."""
        held = self._by_key(push.type, push.key) if push.key else None
        if held is None or held.get("active") is False:
            return self._outcome(push.key or "", "unchanged", True)
        self._api.update(held["id"], self._rules[push.type].block_fields())
        now = self._api.show(held["id"]) or {}
        return self._outcome(self._key(push.type, held), "blocked", now.get("active") is False)

    def _verified(self, push: Push, id: Any, effect: Any) -> Outcome:
        """Read back and compare with what we sent."""
        held = self._api.show(id)
        if held is None:
            return self._outcome(push.key or "", effect, False)
        same = not self._rules[push.type].compare(push.payload, flatten(held))
        return self._outcome(self._key(push.type, held), effect, same)

    def _outcome(self, key: str, effect: Any, verified: bool) -> Outcome:
        return Outcome(key=key, effect=effect, verified=verified, exchanges=self.client.exchanges())

    # Small things

    def _key(self, type: str, held: Value) -> str:
        number = str(held.get(NUMBER) or f"id {held['id']}")
        return self._lookups.key(type, self._lookups.word(type, _lookup(held)), number)

    def _record(self, type: str, held: Value) -> RemoteRecord:
        changed = str(held.get("updated-at") or "")
        return RemoteRecord(self._key(type, held), flatten(held), "", "", changed, held.get("active") is False)


def _lookup(held: Mapping[str, Any]) -> str:
    return str((held.get("lookup") or {}).get("name") or "")
