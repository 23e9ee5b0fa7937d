"""What the kernel's pages and services ask of packages above them, which register here in their `ready()`.

A port with nobody behind it answers with nothing, so every package can be left out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

delivery_status: list[Callable[[str, UUID], list[dict[str, Any]]]] = []
"""(type, uid) -> one dict per target: {target, title, state, version, since, message, note, url}."""

change_effects: list[Callable[[Any], list[dict[str, Any]]]] = []
"""(change request) -> one dict per target that would get it: {target, title, effect, note, refused}."""

receivers: list[Callable[[str, Mapping[str, Any]], Mapping[str, bool]]] = []
"""(type, document) -> systems that are told of this record: {system code: whether they make it when they lack it}."""

where_used: list[Callable[[str, UUID], list[dict[str, Any]]]] = []
"""(type, uid) -> referrers: {kind, title, url, note}."""

usage: list[Callable[[str, Iterable[str]], Mapping[str, Mapping[str, int]]]] = []
"""(type, uids) -> {uid: {words: how many}} of what depends on a record, such as money spent: ranks the duplicates queue."""

counts: list[Callable[[Any], Mapping[str, int]]] = []
"""(user) -> numbers for the navigation: {"inbox": 3, "exceptions": 7}."""

rail: list[Callable[[], Iterable[Any]]] = []
"""() -> groups of the rail (`mdm.web.navigation.Group`) that follow from data; they come after the records."""

dashboard: list[Callable[[Any], Mapping[str, Any]]] = []
"""(user) -> parts of the dashboard context."""

search: list[Callable[[str, Any], list[dict[str, Any]]]] = []
"""(query, user) -> groups {title, results: [{title, hint, url, icon}]}."""

after_commit: list[Callable[[], None]] = []
"""Rung after a commit that made events: wakes the dispatcher; losing the ring costs only seconds."""

rounds: list[Callable[[], Mapping[str, int]]] = []
"""() -> {what: how many}: one round of background work, every few seconds; safe to run anywhere, any number at once."""

beside_forms: dict[str, str] = {}
"""Record type -> name of the address that is sent its form while somebody types, and answers a part of the page."""

request_panels: list[Callable[[Any, set[str]], list[str]]] = []
"""(change request, record types of the items shown) -> addresses of parts of its page, fetched after it."""

readiness: list[Callable[[], list[str]]] = []
"""() -> reasons why this part is not ready."""


metrics: list[Callable[[], list[tuple[str, str, dict[str, str], float]]]] = []
"""() -> samples for /metrics: (name, help, labels, value)."""


@dataclass(frozen=True)
class DemoStep:
    """One part of the demo; `load` prints its own progress and may run twice."""

    order: int
    title: str
    load: Callable[[Callable[[str], None]], None]


demo_steps: list[DemoStep] = []

demo_effects: list[Callable[[], None]] = []
"""What follows by itself in a running hub from what the demo's people just did: called after each of their rounds."""


def nav_counts(user: Any) -> dict[str, int]:
    merged: dict[str, int] = {}
    for provider in counts:
        merged.update(provider(user))
    return merged


def collect(port: Iterable[Callable[..., list[dict[str, Any]]]], *args: Any) -> list[dict[str, Any]]:
    return [row for provider in port for row in provider(*args)]
