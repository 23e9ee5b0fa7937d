"""Owns pushing records to Tryton: read, decide, write what differs, read back. See README.md beside it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from sync import mapping
from sync.connectors.tryton import analytic, wire
from sync.connectors.tryton.books import PARTY, Book, Companies, Parties, Terms, new_code
from sync.connectors.tryton.shape import Held, Values, changed_at, grouped
from sync.errors import FieldProblem, NotSupported, Refused, Separately, SyncError
from sync.mapping import Difference
from sync.protocol import Answer, Capability, Config, Exchange, Health, Outcome, Push, RemoteRecord

RULES = Path(__file__).with_name("mapping.yaml")


class TrytonConnector:
    """Every write names the time stamps that were read, and Tryton refuses it when one of them has moved."""

    name: ClassVar[str] = "tryton"
    title: ClassVar[str] = "Tryton"
    capability: ClassVar[Capability] = "C"
    types: ClassVar[tuple[str, ...]] = ("supplier", "payment_term", "legal_entity", *analytic.ROOTS)
    max_inflight_s: ClassVar[float] = 60.0  # trytond's own request.timeout
    bulk_size: ClassVar[int] = 100  # read back, their answer stays below the size limit
    bulk_types: ClassVar[tuple[str, ...]] = ("supplier",)

    def __init__(self, config: Config) -> None:
        self._rules = {type: mapping.load(RULES, type) for type in self.types}
        self._api = wire.Api(config)
        self._parties = Parties(self._api, self._rules["supplier"])
        self._books: dict[str, Book] = {
            "supplier": self._parties,
            "payment_term": Terms(self._api, self._rules["payment_term"]),
            "legal_entity": Companies(self._api, self._rules["legal_entity"]),
        }
        roots = {**analytic.ROOTS, **config.options.get("analytic_roots", {})}
        self._books.update({type: analytic.Analytic(self._api, roots[type]) for type in analytic.ROOTS})

    def check(self) -> Health:
        models = sorted({model for book in self._books.values() for needed in book.models.values() for model in needed})
        try:
            self._api.client.begin()
            known = {item["name"] for item in self._api.search_read("ir.model", [["name", "in", models]], ["name"])}
            access = self._api.access(sorted(known))
        except SyncError as error:
            return Health(False, error.message)
        writable = {model for model, rights in access.items() if rights.get("write") and rights.get("create")}
        missing = tuple(model for model in models if model not in known and model != analytic.MODEL)
        pushable = self._pushable("supplier", writable)
        if missing:
            return Health(False, f"Tryton lacks modules: no {', '.join(missing)}.", pushable, missing)
        if not all(pushable.values()):
            parts = ", ".join(part or "the party itself" for part, can in pushable.items() if not can)
            return Health(False, f"Signed in, but this user may not write: {parts}.", pushable)
        message = "Signed in; suppliers, payment terms and companies can be written. "
        if analytic.MODEL not in writable:
            message += (
                "Cost centers and projects need the module analytic_account, and the right to write its accounts. "
            )
        message += "Not pushable: discounts of payment terms and LEIs, which Tryton has no fields for."
        return Health(True, message, pushable)

    def push(self, push: Push) -> Outcome:
        book = self._begin(push)
        if push.action == "block":
            return self._block(push, book)
        held = book.by_key(push.key) if push.key else None
        held = held or book.search(push.reference, push.payload)
        if held is None and push.key:
            words = f"Tryton has no {_spoken(push.type)} {push.key}; check the crosswalk, nothing was created."
            raise Refused(words, problems=(FieldProblem("code", "key_unknown", words),))
        if held is None:
            try:
                return self._create(push, book)
            except Refused as refused:
                held = self._own_twin(push, book, refused)
        return self._update(push, book, held)

    def find_many(self, pushes: Sequence[Push]) -> list[bool]:
        self._begin_many(pushes)
        return self._parties.touched(pushes)

    def push_many(self, pushes: Sequence[Push]) -> list[Answer]:
        """New parties in one request. Tryton makes all of them or none: refused together, each is tried alone."""
        self._begin_many(pushes)
        values: dict[int, Values] = {}
        answers: dict[int, Answer] = {}
        try:
            with self._parties.lookups.remembering():
                for place, push in enumerate(pushes):
                    try:
                        values[place] = self._parties.new(push, self._writable(push))
                    except Refused as refused:
                        answers[place] = Answer(refused)
        except SyncError as error:
            return [Answer(error)] * len(pushes)
        try:
            ids = self._api.create_many(PARTY, list(values.values())) if values else []
        except SyncError as error:
            error = _of_one(error, len(values))
            answers |= {place: Answer(error, self._api.part(PARTY, own)) for place, own in values.items()}
        else:
            said = {place: self._api.part(PARTY, values[place], id) for place, id in zip(values, ids, strict=True)}
            seen = self._shown(ids)
            for place, id in zip(values, ids, strict=True):
                answers[place] = Answer(self._made(pushes[place], seen.get(id)), said[place])
        return [answers[place] for place in range(len(pushes))]

    def read(self, type: str, key: str) -> RemoteRecord | None:
        held = self._start(type).by_key(key)
        return _record(held) if held else None

    def find(self, type: str, reference: str, payload: Mapping[str, Any]) -> RemoteRecord | None:
        book = self._start(type, self._hidden(type, payload))
        held = book.search(reference, payload)
        return _record(held) if held else None

    def scan(self, type: str, changed_since: str | None = None) -> Iterator[RemoteRecord]:
        for page in self._start(type).pages(changed_since):
            yield from map(_record, page)

    def exchanges(self) -> tuple[Exchange, ...]:
        return self._api.client.exchanges()

    # Several at once

    def _begin_many(self, pushes: Sequence[Push]) -> None:
        correlations = {push.correlation_id for push in pushes}
        self._api.client.begin(
            correlation_id=correlations.pop() if len(correlations) == 1 else "",
            conceal=[form for push in pushes for form in self._hidden(push.type, push.payload)],
        )

    def _shown(self, ids: Sequence[int]) -> dict[int, Held]:
        """Read back, all at once; when that fails they are made all the same, and looked at one by one."""
        try:
            return {held.id: held for held in self._parties.shown(ids)} if ids else {}
        except SyncError:
            return {}

    def _made(self, push: Push, held: Held | None) -> Outcome:
        verified = held is not None and held.reference == push.reference and not self._differences(push, held)
        return Outcome(held.key if held else new_code(push), "created", verified)

    # Writing

    def _create(self, push: Push, book: Book) -> Outcome:
        try:
            id = book.create(push, self._writable(push))
        except wire.Crashed as crash:
            return self._after_crash(push, book, crash, None, "created")
        return self._verified(push, book, id, "created")

    def _update(self, push: Push, book: Book, held: Held) -> Outcome:
        """An archived record takes no change at Tryton: it is brought back first, then read again."""
        revived = False
        if held.raw.get("active") is False and push.payload.get("active") is not False:
            self._api.write(book.model, held.id, {"active": True}, held.stamps)
            held, revived = book.show(held.id) or held, True
        changes = self._differences(push, held)
        try:
            moved = book.change(push, held, changes)
        except wire.Crashed as crash:
            return self._after_crash(push, book, crash, held, "updated")
        if not moved and not revived:
            return self._outcome(held.key, "unchanged", True)
        return self._verified(push, book, held.id, "updated")

    def _own_twin(self, push: Push, book: Book, refused: Refused) -> Held:
        """After “must be unique”: the record that an earlier, lost request of ours made."""
        taken = any(problem.code == wire.TAKEN for problem in refused.problems)
        held = book.by_reference(push.reference) if taken else None
        if held is None:
            raise refused
        return held

    def _after_crash(self, push: Push, book: Book, crash: wire.Crashed, held: Held | None, effect: Any) -> Outcome:
        """Tryton has answered, so this request is over: what it shows now is what became of it. Nothing became of
        it: then the same request would fail the same way again, and a person has to look."""
        now = book.show(held.id) if held else book.search(push.reference, push.payload)
        if now is not None and not self._differences(push, now):
            return self._outcome(now.key, effect, True)
        problem = FieldProblem("", "server_error", crash.message)
        raise Refused(crash.message, problems=(problem,), status=crash.status, body=crash.body)

    def _block(self, push: Push, book: Book) -> Outcome:
        """Archived, never deleted. Only the record of the key; without a key only one that carries our reference."""
        held = book.by_key(push.key) if push.key else book.by_reference(push.reference)
        if held is None:
            return self._outcome(push.key or "", "unchanged", True)  # what is not there buys nothing
        if held.raw.get("active") is False:
            return self._outcome(held.key, "unchanged", True)
        self._api.write(book.model, held.id, self._rules[push.type].block_fields(), held.stamps)
        now = book.show(held.id)
        return self._outcome(held.key, "blocked", now is not None and now.raw.get("active") is False)

    def _verified(self, push: Push, book: Book, id: int, effect: Any) -> Outcome:
        """Read back and compare with what we sent."""
        held = book.show(id)
        if held is None:
            return self._outcome(push.key or "", effect, False)
        same = not self._differences(push, held) and held.reference in ("", push.reference)
        return self._outcome(held.key, effect, same)

    def _outcome(self, key: str, effect: Any, verified: bool) -> Outcome:
        return Outcome(key=key, effect=effect, verified=verified, exchanges=self.exchanges())

    # Small things

    def _begin(self, push: Push) -> Book:
        book = self._book(push.type)
        self._api.client.begin(
            correlation_id=push.correlation_id,
            conceal=self._hidden(push.type, push.payload),
            Idempotency_Key=push.idempotency_key,
        )
        return book

    def _start(self, type: str, conceal: Iterable[Any] = ()) -> Book:
        book = self._book(type)
        self._api.client.begin(conceal=conceal)
        return book

    def _writable(self, push: Push) -> Values:
        return self._rules[push.type].writable(push.payload, creating=True)

    def _differences(self, push: Push, held: Held) -> list[Difference]:
        return self._rules[push.type].compare(push.payload, held.fields)

    def _hidden(self, type: str, payload: Mapping[str, Any]) -> list[str]:
        """Bank numbers as we send them, and in groups of four as Tryton writes them, also in its refusals."""
        values = self._rules[type].sealed_values(payload) if type in self._rules else []
        return [form for value in values for form in (value, grouped(value))]

    def _book(self, type: str) -> Book:
        if type not in self._books:
            raise NotSupported(f"{self.title} takes no {_spoken(type)} from the hub.")
        return self._books[type]

    def _pushable(self, type: str, writable: set[str]) -> dict[str, bool]:
        needed = self._books[type].models
        return {part: all(model in writable for model in needed.get(part, ())) for part in self._rules[type].parts}


connector = TrytonConnector


def _of_one(error: SyncError, several: int) -> SyncError:
    """What an error of the request means for each record in it. One that Tryton did not take has undone all of them."""
    refused = isinstance(error, Refused) and several > 1
    if refused or isinstance(error, wire.Crashed):
        return Separately(
            "Tryton makes all that is sent together or none of it, and did not take one record: each goes alone."
        )
    return error


def _record(held: Held) -> RemoteRecord:
    etag = str(held.raw.get("_timestamp") or "")
    blocked = held.raw.get("active") is False
    return RemoteRecord(held.key, held.fields, held.reference, etag, changed_at(held.raw), blocked)


def _spoken(type: str) -> str:
    return type.replace("_", " ")
