"""The rail as data: which pages there are, who sees them, and which number stands beside them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from django.urls import NoReverseMatch, reverse

from mdm import permissions, ports, registry


@dataclass(frozen=True)
class Entry:
    """A page of the rail. No `scope`: for everyone. `count` names a number of `ports.nav_counts`."""

    label: str
    icon: str
    view: str
    scope: str = ""
    count: str = ""
    args: tuple[str, ...] = ()


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


FIRST = Group(
    "",
    (Entry("Dashboard", "home", "web:dashboard"), Entry("Inbox", "inbox", "web:inbox", count="inbox")),
)
REST = (
    Group(
        "Stewardship",
        (
            Entry("Duplicates", "duplicate", "web:duplicates", count="duplicates"),
            Entry("Imports", "upload", "web:imports", count="imports"),
            Entry("Hierarchies", "tree", "dimensions:hierarchies", scope="read:hierarchies"),
            Entry("Mappings", "mapping", "dimensions:mappings", scope="read:gl-mappings", count="mappings"),
            Entry("Check a coding", "check", "dimensions:codings", scope="read:gl-accounts"),
        ),
    ),
    Group(
        "Sync",
        (
            Entry("Targets", "target", "sync:targets", scope="sync:read", count="targets"),
            Entry("Deliveries", "send", "sync:deliveries", scope="sync:read"),
            Entry("Exceptions", "alert", "sync:exceptions", scope="sync:read", count="exceptions"),
            Entry("Alerts", "flag", "sync:alerts", scope="sync:read", count="alerts"),
            Entry("Dead letters", "offline", "sync:dead-letters", scope="sync:read", count="dead"),
            Entry("Push jobs", "upload", "sync:jobs", scope="sync:read", count="jobs"),
            Entry("Drift", "drift", "sync:drift", scope="sync:read", count="drift"),
        ),
    ),
    Group(
        "Control",
        (
            Entry("Survivorship", "mapping", "web:survivorship"),
            Entry("Match quality", "eye", "web:matching"),
            Entry("Audit", "shield", "web:audit", scope="audit"),
            Entry("Settings", "gear", "admin:index", scope="admin"),
        ),
    ),
)


def entries() -> Iterator[Group]:
    """All groups; the record types come from the registry, those that are matched (the busiest) first."""
    yield FIRST
    kinds = sorted(registry.all_types(), key=lambda kind: kind.match is None)
    yield Group("Records", tuple(_records(kind) for kind in kinds if kind.listed))
    for provider in ports.rail:
        yield from provider()
    yield from REST


def _records(kind: registry.RecordType) -> Entry:
    return Entry(kind.plural, kind.icon, "web:records", scope=f"read:{kind.path}", args=(kind.path,))


def url_of(entry: Entry) -> str:
    """Where the entry leads, "" when this installation has no such page."""
    try:
        return reverse(entry.view, args=entry.args)
    except NoReverseMatch:
        return ""


def may_see(user: Any, scope: str) -> bool:
    """Whether the page is in the rail. The page itself checks again: this only spares people dead ends."""
    if scope == "admin" and not user.is_staff:
        return False  # the admin site asks for both
    return not scope or permissions.allows(permissions.scopes_of(user), scope)


def rail(user: Any, path: str, counts: Mapping[str, int]) -> tuple[RailGroup, ...]:
    """What this person sees; the entry whose address leads furthest to `path` is marked."""
    visible = [(g, [(e, url_of(e)) for e in g.entries if may_see(user, e.scope)]) for g in entries()]
    urls = [url for _, pairs in visible for _, url in pairs if url]
    here = max((url for url in urls if _leads_to(url, path)), key=len, default="")
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


def _leads_to(url: str, path: str) -> bool:
    return path == url or (url != "/" and path.startswith(url))
