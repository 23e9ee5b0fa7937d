"""Owns pushing dimensions to Oracle Fusion as values of its value sets: read, decide, write what differs, read back.

A value set is what a segment of a chart of accounts takes its values from; somebody set it up in Oracle. A value has one
window of validity, so Oracle is told beginnings and ends ahead; what else changes from a day on goes there on that day.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from sync.codelists import Codelists
from sync.connectors.oracle_fusion.record import leaves
from sync.connectors.oracle_fusion.wire import LINKED, PLAIN, Api, Item, equals
from sync.errors import FieldProblem, Refused
from sync.mapping import Mapping as Rules
from sync.normalise import is_empty
from sync.protocol import Config, Outcome, Push, RemoteRecord

VALUE_SETS = {  # our word -> the code of the value set
    "cost_center": "COST_CENTER",
    "profit_center": "PROFIT_CENTER",
    "project": "PROJECT",
    "gl_account": "ACCOUNT",
}
SET, VALUE = "ValueSetCode", "Value"
PAGE = 500


class ValueSets:
    """Natural key: the value, unique in its set. Updates go by the link Oracle gave, if the value is as we read it."""

    def __init__(self, config: Config, api: Api, rules: Mapping[str, Rules]) -> None:
        self._api, self._rules = api, rules
        self._sets = Codelists(VALUE_SETS, config.options.get("value_sets", {}))
        self._paths: dict[str, str] = {}

    def check(self) -> None:
        """Find the value sets we write; Refused says which one is not there."""
        for word in dict.fromkeys((*VALUE_SETS, *self._sets.named)):
            self._path(word)

    def push(self, push: Push) -> Outcome:
        """The session has begun."""
        if push.action == "block":
            return self._block(push)
        word, value = str(push.payload[SET]), str(push.payload[VALUE])
        held = self._by_key(push.type, push.key) if push.key else self._one(word, value)
        if held is None and push.key:
            words = f"Oracle has no value {push.key}; check the crosswalk, nothing was created."
            raise Refused(words, problems=(FieldProblem(VALUE, "key_unknown", words),))
        if held is None:
            try:
                return self._create(push, word, value)
            except Refused:  # of a value that is there, perhaps by an earlier, lost request of ours
                held = self._one(word, value)
                if held is None:
                    raise
        return self._update(push, word, held)

    def read(self, type: str, key: str) -> RemoteRecord | None:
        held = self._by_key(type, key)
        return _record(key, held) if held else None

    def find(self, type: str, payload: Mapping[str, Any]) -> RemoteRecord | None:
        """By the value alone: nothing of ours fits into one."""
        word, value = str(payload[SET]), str(payload[VALUE])
        held = self._one(word, value)
        return _record(self._sets.key(type, word, value), held) if held else None

    def scan(self, type: str, changed_since: str | None) -> Iterator[RemoteRecord]:
        """By id, not by offset, so that no value is skipped while others are made."""
        since = f" and LastUpdateDate >= '{changed_since}'" if changed_since else ""
        for word in self._sets.words(type):
            path, last, more = self._path(word), 0, True
            while more:
                self._api.client.exchanges()  # only what is being said now is kept: a scan has many pages
                params = {"q": f"ValueId > {last}{since}", "orderBy": "ValueId:asc", "limit": str(PAGE), **PLAIN}
                page, more = self._api.page(path, params)
                yield from (_record(self._sets.key(type, word, str(item[VALUE])), item) for item in page)
                more = more and bool(page)
                last = int(page[-1]["ValueId"]) if page else last

    # Finding

    def _path(self, word: str) -> str:
        """Where the values of a set are, by the link that the set gives: never by an address made up."""
        if word not in self._paths:
            code = self._sets.name(word)
            found = self._api.collect("valueSets", {"q": equals(ValueSetCode=code), **LINKED})
            if len(found) != 1:
                words = f"Oracle has no value set {code}: set one up, or name another one in the option value_sets."
                raise Refused(words, problems=(FieldProblem(SET, "unknown_list", words),))
            self._paths[word] = self._api.child(found[0], "values")
        return self._paths[word]

    def _by_key(self, type: str, key: str) -> Item | None:
        word, value = self._sets.split(type, key)
        return self._one(word, value) if value else None

    def _one(self, word: str, value: str) -> Item | None:
        found = self._api.collect(self._path(word), {"q": equals(Value=value), **LINKED})
        return next((item for item in found if item.get(VALUE) == value), None)

    # Writing

    def _create(self, push: Push, word: str, value: str) -> Outcome:
        payload = self._rules[push.type].writable(push.payload, creating=True)
        body = {name: held for name, held in payload.items() if name != SET and not is_empty(held)}
        self._api.post(self._path(word), body)
        return self._verified(push, word, value, "created")

    def _update(self, push: Push, word: str, held: Item) -> Outcome:
        rules = self._rules[push.type]
        writable = rules.writable(push.payload, creating=False)
        changes = [item.field for item in rules.compare(push.payload, leaves(held))]
        if not changes:
            return self._outcome(self._sets.key(push.type, word, str(held[VALUE])), "unchanged", True)
        self._api.patch(held, {name: writable[name] for name in changes})
        return self._verified(push, word, str(held[VALUE]), "updated")

    def _block(self, push: Push) -> Outcome:
        """Only the value of the key: no other one can be told to be ours."""
        held = self._by_key(push.type, push.key) if push.key else None
        if held is None or _is_closed(held):
            return self._outcome(push.key or "", "unchanged", True)
        self._api.patch(held, self._rules[push.type].block_fields())
        now = self._by_key(push.type, str(push.key))
        return self._outcome(str(push.key), "blocked", now is not None and _is_closed(now))

    def _verified(self, push: Push, word: str, value: str, effect: Any) -> Outcome:
        """Read back and compare with what we sent."""
        held = self._one(word, value)
        same = held is not None and not self._rules[push.type].compare(push.payload, leaves(held))
        return self._outcome(self._sets.key(push.type, word, value), effect, same)

    def _outcome(self, key: str, effect: Any, verified: bool) -> Outcome:
        return Outcome(key=key, effect=effect, verified=verified, exchanges=self._api.client.exchanges())


def _record(key: str, held: Item) -> RemoteRecord:
    return RemoteRecord(key, leaves(held), "", "", str(held.get("LastUpdateDate") or ""), _is_closed(held))


def _is_closed(held: Mapping[str, Any]) -> bool:
    """Switched off, or past its last day."""
    last = str(held.get("EndDateActive") or "9999")[:10]
    return held.get("EnabledFlag") == "N" or last < datetime.now(UTC).date().isoformat()
