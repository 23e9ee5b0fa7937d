"""Targets in memory, one that can be read and one that dedupes on our key, and the session that leads there."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, ClassVar

from sync import errors
from sync.deadline import ask_leave, count_write
from sync.protocol import Answer, Capability, Outcome, Push, RemoteRecord
from tests.sync import world

_SESSIONS: dict[str, There] = {}


_CERTAIN = {  # the last request was certainly not applied
    "refused": lambda: errors.Refused("no"),
    "throttled": lambda: errors.Throttled("later", retry_after=1),
    "not_sent": lambda: errors.NotSent("no connection"),
    "stale": lambda: errors.Stale("it moved"),
    "unauthorised": lambda: errors.Unauthorised("signed out"),
    "broken": lambda: KeyError("a bug"),
}


class Killed(BaseException):
    """As kill -9 would look to the code: nothing after this point runs, nothing is recorded."""


class There:
    """A target in memory. `way` says what happens to the next write; late requests may arrive until told otherwise."""

    name, title, types, max_inflight_s = "coupa", "Made up", ("supplier",), 5.0
    capability: ClassVar[Capability]

    def __init__(self) -> None:
        self.held: dict[str, dict[str, Any]] = {}
        self.references: dict[str, str] = {}
        self.applied: list[tuple[str, str]] = []  # (idempotency key, effect)
        self.late: list[Push] = []
        self.way = "ok"
        self.halves: set[str] = set()  # keys of pushes of which the first of two writes was applied, alone

    def push(self, push: Push) -> Outcome:
        way, self.way = self.way, "ok"
        if way.startswith("half_"):
            self._apply_half(push)
            if way == "half_killed":
                raise Killed
        if error := _CERTAIN.get(way.removeprefix("half_")):
            raise error()
        if way == "lost_not_applied":
            raise errors.Ambiguous("no answer")
        if way == "lost_late":
            self.late.append(push)
            raise errors.Ambiguous("no answer")
        key, effect = self._apply(push)
        if way == "lost_applied":
            raise errors.Ambiguous("no answer")
        if way == "killed":
            raise Killed
        return Outcome(key, effect, verified=self.capability == "C")

    def _apply(self, push: Push) -> tuple[str, Any]:
        key = push.key or f"K{len(self.held) + 1}"  # asked to create, it creates: finding first is our business
        effect = "updated" if key in self.held else "created"
        if self.held.get(key) == push.payload:
            return key, "unchanged"
        self.held[key], self.references[push.reference] = dict(push.payload), key
        self.applied.append((push.idempotency_key, effect))
        return key, effect

    def _apply_half(self, push: Push) -> None:
        """The first of two writes: everything but the name."""
        key = push.key or f"K{len(self.held) + 1}"
        held = self.held.setdefault(key, {"name": ""})
        held |= {field: value for field, value in push.payload.items() if field != "name"}
        self.references[push.reference] = key
        self.halves.add(push.idempotency_key)
        count_write()

    def arrive(self) -> None:
        if self.late:
            self._apply(self.late.pop(0))

    def exchanges(self) -> tuple[()]:
        return ()


class Shown(There):
    """It can be read: class C."""

    capability = "C"

    def read(self, type: str, key: str) -> RemoteRecord | None:
        return RemoteRecord(key, self.held[key]) if key in self.held else None

    def find(self, type: str, reference: str, payload: Any) -> RemoteRecord | None:
        key = self.references.get(reference)
        return self.read(type, key) if key else None

    def scan(self, type: str, changed_since: str | None = None) -> Iterator[RemoteRecord]:
        return (RemoteRecord(key, fields) for key, fields in self.held.items())


class Several(Shown):
    """It makes several records in one request, each by itself. `wrong`: names that it refuses."""

    bulk_size, bulk_types = 4, ("supplier",)

    def __init__(self) -> None:
        super().__init__()
        self.requests: list[list[str]] = []  # the names in each request of several
        self.wrong: set[str] = set()

    def push_many(self, pushes: Sequence[Push]) -> list[Answer]:
        way, self.way = self.way, "ok"
        ask_leave()
        self.requests.append([push.payload["name"] for push in pushes])
        if error := _CERTAIN.get(way):
            if way == "broken":
                raise error()
            return [Answer(error())] * len(pushes)
        if way in ("lost_not_applied", "lost_late"):
            self.late += pushes if way == "lost_late" else []
            return [Answer(errors.Ambiguous("no answer"))] * len(pushes)
        answers = [self._one(push) for push in pushes]
        if way == "lost_applied":
            return [Answer(errors.Ambiguous("no answer"))] * len(pushes)
        if way == "killed":
            raise Killed
        return answers

    def _one(self, push: Push) -> Answer:
        if push.payload["name"] in self.wrong:
            return Answer(errors.Refused("no such name"))
        key, effect = self._apply(push)
        return Answer(Outcome(key, effect, verified=True))


class Deduping(There):
    """It cannot be read, and makes every idempotency key true once: class B."""

    capability = "B"

    def __init__(self) -> None:
        super().__init__()
        self.taken: dict[str, tuple[str, Any]] = {}

    def _apply(self, push: Push) -> tuple[str, Any]:
        if push.idempotency_key not in self.taken:
            effect = "updated" if push.reference in self.held else "created"
            self.held[push.reference] = dict(push.payload)
            self.applied.append((push.idempotency_key, effect))
            self.taken[push.idempotency_key] = push.reference, effect
        return self.taken[push.idempotency_key]


def target(there: There, **settings: Any) -> Any:
    """A target whose session leads to this object; every other target is silent meanwhile."""
    made = world.target(f"t{id(there)}", "http://made.example", connector="coupa", **settings)
    made.subscriptions.model.objects.exclude(target=made).update(active=False)
    _SESSIONS[made.code] = there
    return made


@contextmanager
def session(target: Any) -> Iterator[There]:
    yield _SESSIONS[target.code]
