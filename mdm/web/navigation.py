"""The rail as data: which pages there are, who sees them, and which number stands beside them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from django.urls import NoReverseMatch, reverse

from mdm import registry


@dataclass(frozen=True)
class Entry:
    """A page of the rail. `scope` empty: for everyone signed in. `count` names a number of `mdm.ports.nav_counts`."""

    label: str
    icon: str
    view: str
    scope: str = ""
    count: str = ""
    args: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Group:
    title: str
    entries: tuple[Entry, ...]


@dataclass(frozen=True)
class RailLink:
    label: str
    icon: str
    url: str
    count: int | None
    current: bool


@dataclass(frozen=True)
class RailGroup:
    title: str
    links: tuple[RailLink, ...]


FIRST = Group("", (Entry("Dashboard", "home", "web:dashboard"), Entry("Inbox", "inbox", "web:inbox", count="inbox")))
REST = (
    Group(
        "Stewardship",
        (
            Entry("Duplicates", "duplicate", "web:duplicates", count="duplicates"),
            Entry("Imports", "upload", "web:imports", count="imports"),
        ),
    ),
    Group(
        "Sync",
        (
            Entry("Targets", "target", "sync:targets", count="targets"),
            Entry("Deliveries", "send", "sync:deliveries"),
            Entry("Exceptions", "alert", "sync:exceptions", count="exceptions"),
            Entry("Drift", "drift", "sync:drift", count="drift"),
        ),
    ),
    Group(
        "Control",
        (
            Entry("Audit", "shield", "web:audit"),
            Entry("Settings", "gear", "admin:index", scope="admin"),
        ),
    ),
)


def entries() -> Iterator[Group]:
    """All groups; the record types come from the registry, those that are matched (the busiest) first."""
    yield FIRST
    kinds = sorted(registry.all_types(), key=lambda kind: kind.match is None)
    yield Group("Records", tuple(Entry(k.plural, k.icon, "web:records", args={"type_path": k.path}) for k in kinds))
    yield from REST


def url_of(entry: Entry) -> str:
    """Where the entry leads, "" when this installation has no such page."""
    try:
        return reverse(entry.view, kwargs=dict(entry.args) or None)
    except NoReverseMatch:
        return ""


def may_see(user: Any, scope: str) -> bool:
    """Whether the page is shown in the rail. The page itself checks again: this only spares people dead ends."""
    if not scope:
        return True
    if scope == "admin":
        return bool(user.is_staff)
    held = getattr(user, "scopes", None)
    return held is None or scope in held


def rail(user: Any, path: str, counts: Mapping[str, int]) -> tuple[RailGroup, ...]:
    """What this person sees, with the entry of the page at `path` marked: the longest address that leads to it."""
    visible = [(g, [(e, url_of(e)) for e in g.entries if may_see(user, e.scope)]) for g in entries()]
    urls = [url for _, pairs in visible for _, url in pairs if url]
    here = max((url for url in urls if path == url or (url != "/" and path.startswith(url))), key=len, default="")
    groups = []
    for group, pairs in visible:
        links = tuple(
            RailLink(entry.label, entry.icon, url, counts.get(entry.count) or None, url == here)
            for entry, url in pairs
            if url
        )
        if links:
            groups.append(RailGroup(group.title, links))
    return tuple(groups)
