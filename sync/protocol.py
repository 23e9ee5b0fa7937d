"""The seam between the delivery engine and a platform: what a connector is given and what it answers.

A connector does input and output and nothing else: no ORM, no Celery, no retries, no sleeping. It raises the
errors of `sync.errors`; the engine decides what happens next. Payloads are flat: target field -> value, as
`sync.mapping` rendered them from the canonical document.

What can be asked what it holds is also `Readable`. Where nothing can be read there is no read-back and no drift, and
only what the receiver itself acknowledged is called verified. What makes several records in one request is also `Bulk`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal, Protocol, runtime_checkable

Capability = Literal["A", "B", "C", "D", "E"]  # A conditional write … E blind; decides the guarantee


@dataclass(frozen=True)
class Config:
    """Connection settings of one target. `secret` values never appear in repr, logs or task arguments."""

    base_url: str
    client_id: str = ""
    secret: str = field(default="", repr=False)
    token_url: str = ""
    timeout: float = 25.0  # seconds; the hard deadline of one request, below half a lease
    options: Mapping[str, Any] = field(default_factory=dict, repr=False)  # credentials may be among them
    previous_secret: str = field(default="", repr=False)  # the one `secret` replaced, for what signs with both
    private_hosts: tuple[str, ...] | None = None  # allowed besides public addresses; None: nothing is checked


@dataclass(frozen=True)
class RemoteRecord:
    """What the target holds: its own key, flat fields in the target's names, its concurrency tag.

    `reference` is our external id as the target stores it (the golden record's uid, shortened where the
    platform's field is), or "" when the record was not made by us.
    """

    key: str
    fields: dict[str, Any]
    reference: str = ""
    etag: str = ""
    changed_at: str = ""
    blocked: bool = False


@dataclass(frozen=True)
class Push:
    """One thing to make true at the target.

    action: "upsert" writes the payload; "block" stops posting and purchasing, never deletes.
    key: the target's key when known (crosswalk), else None: find by reference or natural key, create last.
    idempotency_key: the same for every try of one delivery, another for every other one.
    version, at: of the golden record; when the delivery was made (ISO).
    taken: an earlier try was surely taken, and only the receiver's answer to it is missing (Unanswered).
    """

    type: str
    action: Literal["upsert", "block"]
    payload: dict[str, Any]
    reference: str
    idempotency_key: str
    correlation_id: str
    key: str | None = None
    version: int = 0
    at: str = ""
    taken: bool = False


@dataclass(frozen=True)
class Outcome:
    """`effect` says what happened there: created, updated, blocked, or unchanged (it held this already); `told` where
    only the receiver knows."""

    key: str
    effect: Literal["created", "updated", "blocked", "unchanged", "told"]
    verified: bool  # the target's answer or a read-back showed the values we sent, or the receiver acknowledged them
    exchanges: tuple[Exchange, ...] = ()


@dataclass(frozen=True)
class Exchange:
    """One request and its answer, redacted, for the evidence of an attempt."""

    method: str
    url: str
    status: int | None
    duration_ms: int
    request: str = ""
    response: str = ""


@dataclass(frozen=True)
class Health:
    ok: bool
    message: str
    pushable: dict[str, bool] = field(default_factory=dict)  # part of the mapping -> can it be written here
    missing: tuple[str, ...] = ()  # entity sets or endpoints the mapping needs and the target lacks


@runtime_checkable
class Connector(Protocol):
    """One per platform: `sync/connectors/<name>/connector.py` exposes it as `connector`.

    Two more attributes may say how it signs in, see `sync.platforms`: `credential_options` and `signs_with_both`.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    capability: ClassVar[Capability]
    types: ClassVar[tuple[str, ...]]
    max_inflight_s: ClassVar[float]  # the longest the platform may still apply a request after we gave up

    def __init__(self, config: Config) -> None: ...

    def check(self) -> Health:
        """Sign in, read the smallest thing, discover which parts of the mapping can be written here."""

    def push(self, push: Push) -> Outcome:
        """Make `push` true: read, decide, write, and verify. Never creates when it can find.

        Class B: the receiver makes it true once for every idempotency key, however often it is pushed.
        """

    def exchanges(self) -> tuple[Exchange, ...]:
        """What was said on the wire since the last call, redacted; also after an exception."""


@runtime_checkable
class Readable(Protocol):
    """What a connector has besides when its platform shows what it holds; every class but B and E needs it."""

    def read(self, type: str, key: str) -> RemoteRecord | None:
        """The record at that key, None when the target has none."""

    def find(self, type: str, reference: str, payload: Mapping[str, Any]) -> RemoteRecord | None:
        """By our reference, then by the platform's natural key; run before every (re)create."""

    def scan(self, type: str, changed_since: str | None = None) -> Iterator[RemoteRecord]:
        """Everything the target holds, page by page; blocked and inactive records included."""


@dataclass(frozen=True)
class Answer:
    """What came of one push of several in one request.

    said: its own piece of request and answer, redacted; nothing of the others'.
    in_part: an earlier request made the record, and only then something went wrong.
    """

    result: Outcome | Exception
    said: tuple[Exchange, ...] = ()
    in_part: bool = False


@runtime_checkable
class Bulk(Protocol):
    """What a connector has besides when its platform makes several records in one request. Used for first loads."""

    bulk_size: ClassVar[int]  # at most so many records in one request
    bulk_types: ClassVar[tuple[str, ...]]

    def push_many(self, pushes: Sequence[Push]) -> list[Answer]:
        """Make records that were just looked for and not found; one answer per push, in their order.

        Raises nothing: what the whole request fails with is the answer of each. What one of them is refused with is
        its own answer; where one takes the others along, or could be there after all, it is `Separately`.
        `exchanges` gives everything that was said, for counting; nobody keeps it.
        """


@runtime_checkable
class FindsMany(Protocol):
    """Of those, what can be asked about several records at once; the others are asked one by one."""

    def find_many(self, pushes: Sequence[Push]) -> list[bool]:
        """For each, in order: may it be there, by our reference or by the platform's natural key?"""
