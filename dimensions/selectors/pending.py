"""Owns what open requests would do to a hierarchy: for each node, where it stands on a day and where it would stand."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import date

from django.contrib.auth.models import User
from django.db.models import Q, QuerySet

from dimensions.models import Hierarchy, HierarchyNode
from dimensions.selectors.trees import Standing, standing_on
from mdm.models import ChangeItem, ChangeRequest
from mdm.models.change import OPEN_STATES
from mdm.periods import end_of, start_of
from mdm.selectors import records
from mdm.types import Change, Document, apply_changes

MOST = 500
NODE = "hierarchy_node"


@dataclass(frozen=True, slots=True)
class Pending:
    """A node that an open request changes. `was`, `will`: where it stands on the day now and then; `day`: the next day
    on which its place changes, when that is later; `since`: for how long it would have stood as it would on the day."""

    node: str
    uid: str
    request: ChangeRequest
    was: Standing | None
    will: Standing | None
    later: tuple[date, str | None] | None
    since: date | None

    @property
    def verb(self) -> str:
        if self.was is None or self.will is None:
            return ("new" if self.was is None else "closed") if self.was is not self.will else "later"
        if self.was.parent != self.will.parent:
            return "moved"
        return "renamed" if self.was.name != self.will.name else "later"


@dataclass
class Overlay:
    by_node: dict[str, Pending] = field(default_factory=dict)
    arriving: dict[str | None, list[Pending]] = field(default_factory=lambda: defaultdict(list))
    documents: dict[str, Document] = field(default_factory=dict)  # of new nodes, by code
    more: bool = False


def overlay(hierarchy: Hierarchy, on: date, requests: QuerySet[ChangeRequest], user: User) -> Overlay:
    """What the open requests the person may see would do; drafts only of their own. Four queries."""
    mine = Q(request__state="draft", request__requester=user)
    others = Q(request__state__in=[state for state in OPEN_STATES if state != "draft"])
    here = Q(uid__in=HierarchyNode.objects.filter(hierarchy=hierarchy.code).values("uid"))
    new = Q(action="create", changes__contains=[{"path": "hierarchy", "after": hierarchy.code}])
    items = ChangeItem.objects.filter(mine | others, here | new, type=NODE, request__in=requests)
    listed = list(items.select_related("request").order_by("request_id", "position")[: MOST + 1])
    known = records.current_documents(NODE, [item.uid for item in listed])
    found = Overlay(more=len(listed) > MOST)
    for item in listed[:MOST]:
        before = known.get(str(item.uid))
        if item.action == "create" and before is not None:
            continue
        header = {"uid": str(item.uid), "status": "active"}
        after = apply_changes(before or header, [Change(**change) for change in item.changes])
        one = _pending(item.request, before, after, on)
        if one is None:
            continue
        found.by_node[one.node] = one
        if before is None:
            found.documents[one.node] = after
        if one.will is not None and one.verb in ("new", "moved"):
            found.arriving[one.will.parent].append(one)
    return found


def _pending(request: ChangeRequest, before: Document | None, after: Document, on: date) -> Pending | None:
    if "slices" not in after or "node" not in after:
        return None
    was = standing_on(before, on) if before else None
    will = standing_on(after, on)
    bounds = [day for row in after["slices"] for day in (row.get("valid_from"), row.get("valid_to")) if day]
    since = max((day for day in bounds if day <= on.isoformat()), default=None)
    return Pending(
        node=after["node"],
        uid=str(after["uid"]),
        request=request,
        was=was,
        will=will,
        later=_later(before, after, on),
        since=date.fromisoformat(since) if since else None,
    )


def _later(before: Document | None, after: Document, on: date) -> tuple[date, str | None] | None:
    """The first day after `on` from which the node would stand elsewhere than it would without the request."""
    days = {
        day
        for document in (before, after)
        if document
        for row in document["slices"]
        for day in (start_of(row), end_of(row))
        if on.isoformat() < day < "9999"
    }
    for day in sorted(days):
        when = date.fromisoformat(day)
        was, will = (standing_on(document, when) if document else None for document in (before, after))
        if (was and was.parent) != (will and will.parent) or (was is None) != (will is None):
            return when, will.parent if will else None
    return None
