"""Owns pushing dimensions to Concur as items of its lists: read, decide, write what differs, read back.

An item has a code and a text, and one way to be closed: being deleted, which keeps it and its code for ever, and which
nothing takes back.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from sync.codelists import Codelists
from sync.connectors.concur.lists import Item, Lists
from sync.connectors.concur.wire import EXISTS, Api, Written
from sync.errors import FieldProblem, NotSupported, Refused, Separately
from sync.mapping import Mapping as Rules
from sync.protocol import Answer, Config, Outcome, Push, RemoteRecord

LISTS = {"cost_center": "Cost Center", "profit_center": "Profit Center", "project": "Project"}  # our word -> its name
CLOSING = "closing_of_list_items"  # a part of its own in the mapping: written only where the target says so
LIST, CODE, VALUE, DELETED = "list", "shortCode", "value", f"{CLOSING}.isDeleted"


class ListItems:
    """Natural key: the short code, unique in its list. Deleted items count: their codes are not given again."""

    def __init__(self, config: Config, api: Api, rules: Mapping[str, Rules]) -> None:
        self._rules = rules
        self._named = Codelists(LISTS, config.options.get("lists", {}))
        self.closes = config.options.get("delete_closed") is True
        self._lists = Lists(api)
        self._client = api.client

    def check(self) -> None:
        """Read the lists we write; Refused says which one is not there."""
        self._client.begin()
        for word in dict.fromkeys((*LISTS, *self._named.named)):
            self._id(word)

    def push(self, push: Push) -> Outcome:
        """The session has begun."""
        if push.action == "block":
            return self._block(push)
        word, code = str(push.payload[LIST]), str(push.payload[CODE])
        held = self._by_key(push.type, push.key) if push.key else self._one(word, code)
        if held is None and push.key:
            words = f"Concur has no list item {push.key}; check the crosswalk, nothing was created."
            raise Refused(words, problems=(FieldProblem(CODE, "key_unknown", words),))
        if push.payload[DELETED]:
            return self._close(push, word, held, "updated")
        if held is None:
            try:
                return self._create(push, word)
            except Refused as refused:
                held = self._own_twin(word, code, refused)
        return self._update(push, word, held)

    def push_many(self, pushes: Sequence[Push]) -> list[Answer]:
        """New items of one list in one request, each made or refused by itself."""
        lists = {push.payload[LIST] for push in pushes}
        if len(lists) > 1 or any(push.payload[DELETED] for push in pushes):
            words = "Items of several lists, or such that are closed already, are not made together: each goes alone."
            return [Answer(Separately(words))] * len(pushes)
        try:
            list = self._id(str(lists.pop()))
        except Exception as error:
            return [Answer(error)] * len(pushes)
        made = self._lists.create_many(list, [_part(push.payload) for push in pushes])
        return [self._answer(push, written) for push, written in zip(pushes, made, strict=True)]

    def read(self, type: str, key: str) -> RemoteRecord | None:
        held = self._by_key(type, key)
        return self._record(type, key, held) if held else None

    def find(self, type: str, payload: Mapping[str, Any]) -> RemoteRecord | None:
        """By the code alone: nothing of ours fits into a list item."""
        word, code = str(payload[LIST]), str(payload[CODE])
        held = self._one(word, code)
        return self._record(type, self._named.key(type, word, code), held) if held else None

    def scan(self, type: str) -> Iterator[RemoteRecord]:
        """Everything, always: Concur has no filter for changes. An item that comes twice is given once."""
        for word in self._named.words(type):
            seen: set[str] = set()  # new items push others onto the next page
            for page in self._lists.pages(self._id(word)):
                for item in page:
                    if item["id"] not in seen:
                        seen.add(item["id"])
                        yield self._record(type, self._named.key(type, word, str(item.get(CODE) or "")), item)

    # Finding

    def _by_key(self, type: str, key: str) -> Item | None:
        word, code = self._named.split(type, key)
        return self._one(word, code) if code else None

    def _one(self, word: str, code: str) -> Item | None:
        return self._lists.by_code(self._id(word), code)

    def _own_twin(self, word: str, code: str, refused: Refused) -> Item:
        """After “already used”: the item that an earlier, lost request of ours made."""
        there = any(problem.code == EXISTS for problem in refused.problems)
        held = self._one(word, code) if there else None
        if held is None:
            raise refused
        return held

    # Writing

    def _create(self, push: Push, word: str) -> Outcome:
        made = self._lists.create(self._id(word), _part(push.payload))
        return self._verified(push, word, str(made["id"]), "created")

    def _update(self, push: Push, word: str, held: Item) -> Outcome:
        if _is_deleted(held):
            words = (
                f"Concur deleted the item {held[CODE]} and gives its code to no other: nothing opens it again. "
                "Restore it in Concur's list administration, or give the record another code."
            )
            raise Refused(words, problems=(FieldProblem(CODE, "deleted_there", words),))
        if not self._differs(push, held):
            return self._outcome(self._named.key(push.type, word, str(held[CODE])), "unchanged", True)
        self._lists.update(str(held["id"]), {**_part(push.payload), CODE: held[CODE]})
        return self._verified(push, word, str(held["id"]), "updated")

    def _close(self, push: Push, word: str, held: Item | None, effect: Any) -> Outcome:
        """What ended is deleted there; what was never there is not made for it."""
        if held is None:
            return self._outcome(push.key or "", "unchanged", True)
        key = self._named.key(push.type, word, str(held[CODE]))
        if _is_deleted(held):
            return self._outcome(key, "unchanged", True)
        if not self.closes:
            raise NotSupported(
                f"A list item can only be deleted in Concur, for good. {key} stays open there: delete it in Concur, or set "
                "the option delete_closed of this target, and the hub does it."
            )
        list = self._id(word)
        self._lists.delete(list, str(held["id"]))
        now = self._one(word, str(held[CODE]))
        return self._outcome(key, effect, now is None or _is_deleted(now))

    def _block(self, push: Push) -> Outcome:
        """Only the item of the key: no other one can be told to be ours."""
        if not push.key:
            return self._outcome("", "unchanged", True)
        word, _ = self._named.split(push.type, push.key)
        return self._close(push, word, self._by_key(push.type, push.key), "blocked")

    def _verified(self, push: Push, word: str, id: str, effect: Any) -> Outcome:
        """Read back and compare with what we sent."""
        held = self._lists.item(id)
        if held is None:
            return self._outcome(push.key or "", effect, False)
        key = self._named.key(push.type, word, str(held[CODE]))
        return self._outcome(key, effect, not _is_deleted(held) and not self._differs(push, held))

    def _differs(self, push: Push, held: Item) -> bool:
        return bool(self._rules[push.type].compare(push.payload, _fields(held), parts=("",)))

    def _outcome(self, key: str, effect: Any, verified: bool) -> Outcome:
        return Outcome(key=key, effect=effect, verified=verified, exchanges=self._client.exchanges())

    def _answer(self, push: Push, written: Written) -> Answer:
        error = written.error
        if isinstance(error, Refused) and any(problem.code == EXISTS for problem in error.problems):
            return Answer(Separately(f"{error.message} Perhaps by an earlier request of ours."), written.said)
        if error:
            return Answer(error, written.said)
        key = self._named.key(push.type, str(push.payload[LIST]), str(push.payload[CODE]))
        return Answer(Outcome(key, "created", verified=False), written.said)

    # Small things

    def _id(self, word: str) -> str:
        return self._lists.id_of(self._named.name(word))

    def _record(self, type: str, key: str, held: Item) -> RemoteRecord:
        return RemoteRecord(key, _fields(held), "", "", "", _is_deleted(held))


def _part(payload: Mapping[str, Any]) -> dict[str, Any]:
    return {name: payload[name] for name in (CODE, VALUE)}


def _fields(held: Mapping[str, Any]) -> dict[str, Any]:
    plain = {name: value for name, value in held.items() if not isinstance(value, (dict, list)) and name != "isDeleted"}
    return {**plain, DELETED: _is_deleted(held)}


def _is_deleted(held: Mapping[str, Any]) -> bool:
    return held.get("isDeleted") is True
