"""The change feed: CloudEvents in the order the sealer gave them, from any cursor, with a long poll that holds no connection."""

from __future__ import annotations

import base64
import re
import threading
import time
from collections.abc import Iterable
from datetime import datetime
from typing import Any
from uuid import UUID

from cryptography.exceptions import InvalidTag
from django.conf import settings
from django.db import connection
from django.db.models import Max, Q, QuerySet
from pydantic import Field
from rest_framework.request import Request
from rest_framework.response import Response

from mdm import crypto, permissions, registry
from mdm.api.operations import Answer, Query, Shown, operation
from mdm.api.paging import InvalidCursor
from mdm.api.view import HubView
from mdm.errors import CorrectInput
from mdm.models import Event
from mdm.selectors import visibility
from mdm.types import Problem

VERBS = ("created", "updated", "blocked", "unblocked", "retired", "merged", "unmerged")
_TYPE = re.compile(r"mdm\.([a-z_]+)\.([a-z]+)\.v1")
_LOOK = 0.5  # seconds between two looks of one process, whatever the number of waiting calls


class EventData(Shown):
    code: str
    status: str
    changed: list[str]
    change_request: UUID
    merged_into: UUID | None = None
    unmerged_from: UUID | None = None


class CloudEvent(Shown):
    """CloudEvents 1.0; `sequence` is the version of the record."""

    specversion: str
    id: UUID
    source: str
    type: str
    subject: str
    time: datetime
    datacontenttype: str
    sequence: int
    correlationid: str
    data: EventData


class EventsBody(Shown):
    results: list[CloudEvent]
    cursor: str = Field(description="Give it as `after` to go on from here.")


class EventsQuery(Query):
    after: str | None = Field(
        None,
        max_length=200,
        json_schema_extra={"pattern": r"^[A-Za-z0-9_-]*$"},
        description="`cursor` of an earlier answer; absent: from the first event.",
    )
    types: str | None = Field(
        None,
        max_length=1000,
        description="Event types or record types with commas: `mdm.supplier.merged.v1,payment_term`.",
    )
    limit: int = Field(100, ge=1, le=1000)
    wait: int = Field(0, ge=0, le=30, description="Seconds to wait when there is nothing yet.")


class Watch:
    """The newest sealed number, looked up at most every half second by a process, for all its waiting calls."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._seq = 0
        self._at = 0.0
        most = int(getattr(settings, "EVENT_WAITERS", 4))
        self.places = threading.BoundedSemaphore(most)  # a waiting call holds a thread: never all of them

    def newest(self) -> int:
        with self._lock:
            if time.monotonic() - self._at >= _LOOK:
                self._seq = Event.objects.aggregate(seq=Max("seq"))["seq"] or 0
                self._at = time.monotonic()
                _let_go()
            return self._seq


watch = Watch()


def _let_go() -> None:
    """Give the connection back while we wait; in a test's transaction there is nothing to give."""
    if not connection.in_atomic_block:
        connection.close()


def encode(seq: int) -> str:
    return base64.urlsafe_b64encode(crypto.seal_bytes(b"events:%d" % seq)).decode().rstrip("=")


def decode(cursor: str) -> int:
    try:
        raw = crypto.open_bytes(base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True))
        word, _, number = raw.decode().partition(":")
        if word == "events":
            return int(number)
    except (ValueError, InvalidTag, crypto.UnknownKey):
        pass
    problem = Problem("after", "invalid_cursor", "This is not a cursor of the event feed.")
    raise InvalidCursor("This cursor leads nowhere: start again without it.", problems=[problem])


def present(event: Event) -> dict[str, Any]:
    return {
        "specversion": "1.0",
        "id": event.uid,
        "source": "/api/v1",
        "type": f"mdm.{event.type}.{event.verb}.v1",
        "subject": f"{event.type}/{event.subject}",
        "time": event.at,
        "datacontenttype": "application/json",
        "sequence": event.version,
        "correlationid": event.correlation_id,
        "data": event.data,
    }


class Events(HubView):
    @operation(
        "Follow what changed",
        scope="read",
        query=EventsQuery,
        answers={200: Answer(EventsBody, headers=("Retry-After",))},
        notes="In commit-safe order, without gaps. A long poll beyond the cap answers at once with Retry-After.",
    )
    def get(self, request: Request) -> Response:
        query = self.query
        after = decode(query.after) if query.after else 0
        wanted = self._wanted(query.types)
        found, reached = self._read(after, wanted)
        if found or not query.wait:
            return self._answer(found, reached)
        if not watch.places.acquire(blocking=False):
            return Response({"results": [], "cursor": encode(reached)}, headers={"Retry-After": "1"})
        try:
            found, reached = self._wait(reached, wanted)
        finally:
            watch.places.release()
        return self._answer(found, reached)

    def _wait(self, reached: int, wanted: Q) -> tuple[list[Event], int]:
        until = time.monotonic() + self.query.wait
        _let_go()
        while time.monotonic() < until:
            time.sleep(min(_LOOK, max(0.0, until - time.monotonic())))
            if watch.newest() > reached:
                found, reached = self._read(reached, wanted)
                if found:
                    return found, reached
        return [], reached

    def _answer(self, found: list[Event], reached: int) -> Response:
        return Response({"results": [present(event) for event in found], "cursor": encode(reached)})

    def _read(self, after: int, wanted: Q) -> tuple[list[Event], int]:
        """Events after `after`, and how far was read: filtered ones are passed, so a cursor never stands still."""
        newest = Event.objects.aggregate(seq=Max("seq"))["seq"] or 0
        if newest <= after:
            return [], after
        rows = list(
            self._visible(Event.objects.filter(wanted, seq__gt=after, seq__lte=newest)).order_by("seq")[
                : self.query.limit
            ]
        )
        full = len(rows) == self.query.limit
        return rows, (rows[-1].seq or after) if full else newest

    def _visible(self, rows: QuerySet[Event]) -> QuerySet[Event]:
        if self.entities is None:
            return rows
        for kind in registry.all_types():
            if visibility.is_limited(kind):
                mine = visibility.reachable(kind, kind.model._default_manager.all(), self.entities).values("uid")
                rows = rows.exclude(Q(type=kind.key) & ~Q(subject__in=mine))
        return rows

    def _wanted(self, text: str | None) -> Q:
        readable = {k.key for k in registry.all_types() if permissions.allows(self.scopes, f"read:{k.path}")}
        if not text:
            return Q(type__in=readable)
        conditions = Q(pk__in=[])
        for type_, verb in _parse(text.split(",")):
            if type_ in readable:
                conditions |= Q(type=type_, verb=verb) if verb else Q(type=type_)
        return conditions


def _parse(parts: Iterable[str]) -> Iterable[tuple[str, str]]:
    for part in (p.strip() for p in parts):
        match = _TYPE.fullmatch(part)
        kind = registry.find(match[1] if match else part)
        if kind is None or (match and match[2] not in VERBS):
            text = "There is no such event type."
            raise CorrectInput(text, problems=[Problem("types", "unknown_type", f"No event type “{part[:60]}”.")])
        yield kind.key, match[2] if match else ""
