"""What the page of a hierarchy shows: the open branches as rows, with what open requests would do to them in place."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone

from dimensions.models import Hierarchy, HierarchyNode
from dimensions.selectors import pending, tree_members
from dimensions.selectors.pending import Overlay, Pending
from dimensions.selectors.tree_members import Member
from dimensions.selectors.trees import Standing, Stored
from mdm.web import browsing, visitor
from mdm.web.page import Tone
from mdm.web.values import day

BRANCH = 100  # children shown of one node, unless all are asked for
MOST_BRANCH = 2000
MOST_OPEN = 80
COUNTED = 1000  # members of a group counted while a page is drawn


@dataclass(frozen=True)
class Where:
    """What the address says: the day, which branches are open, which node is looked at."""

    on: date
    with_pending: bool
    opened: tuple[str, ...] | None  # None: nothing said yet
    node: str
    every: str  # the node all of whose children are shown
    q: str

    @property
    def mode(self) -> str:
        return "" if self.with_pending else "as-is"


def where(request: HttpRequest) -> Where:
    given = request.GET
    opened = given.get("open")
    codes = tuple(code for code in (opened or "").split(",") if code)[:MOST_OPEN]
    return Where(
        on=browsing.day(given.get("on", "")) or timezone.localdate(),
        with_pending=given.get("show", "") != "as-is",
        opened=codes if opened is not None else None,
        node=given.get("node", "")[:40],
        every=given.get("every", "")[:40],
        q=given.get("q", "").strip()[:100],
    )


@dataclass(frozen=True)
class TreeRow:
    """One row of the tree. `words` say what an open request does to the node, in `tone` and with `icon`."""

    node: str
    name: str
    level: int
    url: str
    toggle_url: str = ""
    opened: bool | None = None  # None: it cannot be opened
    members: str = ""
    valid_from: date | None = None
    valid_to: date | None = None
    tone: Tone = ""
    icon: str = ""
    words: str = ""
    leaving: bool = False
    current: bool = False
    more: str = ""  # set: no node but a link to the rest of the branch


class Rows:
    """The open branches of one tree as rows."""

    def __init__(self, request: HttpRequest, hierarchy: Hierarchy, look: Where, overlay: Overlay) -> None:
        self.request, self.hierarchy, self.look, self.overlay = request, hierarchy, look, overlay
        self.tree = Stored(hierarchy.code, look.on)
        top = self.tree.children(None, limit=BRANCH)
        self.opened = set(look.opened) if look.opened is not None else {one.node for one in top[:3]}
        limit = (MOST_BRANCH if look.every else BRANCH) + 1
        self.branches = self.tree.branches([None, *self.opened], limit=limit)
        shown = [one for rows in self.branches.values() for one in rows]
        shown += [one.will for rows in overlay.arriving.values() for one in rows if one.will]
        self.members = tree_members.members(
            hierarchy, [one.node for one in shown if one.kind == "member"], visitor.entities(request)
        )
        self.counts = self.tree.counts([one.node for one in shown if one.kind == "group"], most=COUNTED)

    def rows(self) -> list[TreeRow]:
        return list(self._under(None, 1))

    def _under(self, above: str | None, level: int) -> Iterator[TreeRow]:
        listed = self.branches.get(above, [])
        most = MOST_BRANCH if self.look.every == (above or "") else BRANCH
        for standing, arriving in _in_order(listed[:most], self.overlay.arriving.get(above, [])):
            if standing.kind == "member" and standing.node not in self.members:
                continue
            yield self._row(standing, arriving, level)
            if standing.kind == "group" and standing.node in self.opened and level < 60:
                yield from self._under(standing.node, level + 1)
        if len(listed) > most:
            url = visitor.changed_query(self.request, every=above or "", open=self._open_text())
            yield TreeRow(
                node="", name="", level=level, url=url, more=f"Only {most} are shown: show the rest of this branch"
            )

    def _row(self, one: Standing, arriving: Pending | None, level: int) -> TreeRow:
        name = tree_members.name_of(one, self.members)
        group = one.kind == "group"
        opened = one.node in self.opened if group else None
        tone, icon, words, leaving = _marks(arriving, self.overlay.by_node.get(one.node), one)
        count = self.counts.get(one.node, 0)
        return TreeRow(
            node=one.node,
            name=name if name != one.node else "",
            level=level,
            url=self._url(node=one.node),
            toggle_url=self._toggled(one.node) if group else "",
            opened=opened,
            members=(f"{count:,}" + "+" * (count == COUNTED)) if group else "",
            valid_from=one.valid_from,
            valid_to=one.valid_to,
            tone=tone,
            icon=icon,
            words=words,
            leaving=leaving,
            current=one.node == self.look.node and not (leaving and words.startswith("Moves to")),
        )

    def _toggled(self, node: str) -> str:
        opened = self.opened ^ {node}
        return self._url(open=",".join(sorted(opened)))

    def _url(self, **changed: str) -> str:
        return visitor.changed_query(self.request, **{"open": self._open_text(), "q": None, **changed})

    def _open_text(self) -> str:
        return ",".join(sorted(self.opened))


def _in_order(standing: Iterable[Standing], arriving: Sequence[Pending]) -> Iterator[tuple[Standing, Pending | None]]:
    found: list[tuple[Standing, Pending | None]] = [(one, None) for one in standing]
    found += [(one.will, one) for one in arriving if one.will]
    yield from sorted(found, key=lambda pair: pair[0].cursor)


def _marks(arriving: Pending | None, changed: Pending | None, one: Standing) -> tuple[Tone, str, str, bool]:
    """(tone, icon, words, whether it leaves this place)."""
    if arriving:
        if arriving.verb == "new":
            return "green", "plus", f"New{_from(one.valid_from)}", False
        came = arriving.was.parent if arriving.was and arriving.was.parent else "the top"
        return "blue", "move", f"Moves here from {came}", False
    if changed is None:
        return "", "", "", False
    if changed.verb == "closed":
        return "red", "minus", f"Closes {day(changed.since)}" if changed.since else "Closes", True
    if changed.verb == "moved":
        to = (changed.will.parent if changed.will else None) or "the top"
        return "grey", "move", f"Moves to {to}", True
    if changed.verb == "renamed":
        return "blue", "pencil", f"Called {changed.will.name if changed.will else ''}", False
    if changed.later:
        when, parent = changed.later
        words = f"Moves to {parent}" if parent else "Closes"
        return "purple", "future", f"{words} on {day(when)}", False
    return "purple", "future", "Changes", False


def _from(start: date | None) -> str:
    return f" from {day(start)}" if start else ""


# --- the node that is looked at ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Looked:
    """`standing` as it is on the day, or as an open request would have it; None when it stands nowhere then."""

    node: str
    uid: str
    kind: str
    standing: Standing | None
    member: Member | None
    way: list[Standing]
    pending: Pending | None

    @property
    def name(self) -> str:
        if self.standing and self.standing.name:
            return self.standing.name
        return self.member.name if self.member else ""


def looked_at(request: HttpRequest, rows: Rows) -> Looked | None:
    look, overlay = rows.look, rows.overlay
    if not look.node:
        return None
    changed = overlay.by_node.get(look.node)
    row = HierarchyNode.objects.filter(hierarchy=rows.hierarchy.code, node=look.node).values("uid", "kind").first()
    if row is None and changed is None:
        return None
    standing = rows.tree.find(look.node) or (changed.will if changed else None)
    kind = row["kind"] if row else changed.will.kind if changed and changed.will else "group"
    known = rows.members | tree_members.members(
        rows.hierarchy, [look.node] if kind == "member" else [], visitor.entities(request)
    )
    if kind == "member" and look.node not in known:
        return None
    return Looked(
        node=look.node,
        uid=str(row["uid"]) if row else changed.uid if changed else "",
        kind=kind,
        standing=standing,
        member=known.get(look.node),
        way=rows.tree.way(look.node),
        pending=changed,
    )


def overlay_of(request: HttpRequest, hierarchy: Hierarchy, look: Where) -> Overlay:
    if not look.with_pending:
        return Overlay()
    return pending.overlay(hierarchy, look.on, visitor.requests_seen(request), request.user)  # type: ignore[arg-type]


def hits(request: HttpRequest, hierarchy: Hierarchy, look: Where) -> list[dict[str, Any]]:
    """What a search finds, each with the address that opens the way to it."""
    tree = Stored(hierarchy.code, look.on)
    codes = tree_members.search(hierarchy, look.q, visitor.entities(request), limit=20)
    known = tree_members.members(hierarchy, codes, visitor.entities(request))
    found = []
    for code in codes:
        way = tree.way(code)
        if not way or (way[-1].kind == "member" and code not in known):
            continue
        opened = ",".join(sorted(one.node for one in way[:-1]))
        found.append(
            {
                "node": code,
                "name": tree_members.name_of(way[-1], known),
                "way": " › ".join(one.name or one.node for one in way[:-1]),
                "url": visitor.changed_query(request, q=None, open=opened, node=code),
            }
        )
    return found


def url_of(hierarchy: Hierarchy, query: str = "") -> str:
    return reverse("dimensions:hierarchy", args=[hierarchy.code]) + query
