"""Owns the golden records behind the members of hierarchies: their names, and nodes found by code or name."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from uuid import UUID

from django.db.models import Q

from dimensions.hierarchy import WITHIN
from dimensions.models import Hierarchy, HierarchyNode
from dimensions.selectors.trees import GONE, Standing
from mdm import registry
from mdm.errors import NotFound
from mdm.registry import RecordType
from mdm.selectors import visibility
from mdm.selectors.visibility import Entities


def member_type(hierarchy: Hierarchy) -> RecordType:
    kind = registry.find(hierarchy.members)
    if kind is None:
        raise NotFound(f"There is no record type “{hierarchy.members}” any more.")
    return kind


@dataclass(frozen=True, slots=True)
class Member:
    """The golden record behind a member: for its name and its page."""

    uid: UUID
    code: str
    name: str
    status: str


def members(hierarchy: Hierarchy, nodes: Iterable[str], entities: Entities) -> dict[str, Member]:
    """{node: its record} of the members a person may see; one query."""
    kind = member_type(hierarchy)
    inside, column = WITHIN.get(kind.key, ("", "code"))
    rows = visibility.visible(kind, kind.model._default_manager.filter(**{f"{column}__in": list(nodes)}), entities)
    if inside:
        rows = rows.filter(**{inside: hierarchy.within})
    return {node: Member(*found) for node, *found in rows.values_list(column, "uid", "code", kind.name_field, "status")}


def search(hierarchy: Hierarchy, text: str, entities: Entities, *, limit: int) -> list[str]:
    """Codes of nodes whose code begins with the text or whose name has it, groups first."""
    wanted = text.strip()
    if not wanted:
        return []
    rows = HierarchyNode.objects.filter(hierarchy=hierarchy.code).exclude(status__in=GONE)
    own = rows.filter(Q(node__istartswith=wanted) | Q(name__icontains=wanted)).order_by("kind", "node")
    codes = list(own.values_list("node", flat=True)[:limit])
    if len(codes) < limit:
        kind = member_type(hierarchy)
        inside, column = WITHIN.get(kind.key, ("", "code"))
        named = visibility.visible(kind, kind.model._default_manager.all(), entities)
        named = named.filter(
            **{f"{kind.name_field}__icontains": wanted}, **({inside: hierarchy.within} if inside else {})
        )
        found = named.order_by(column).values_list(column, flat=True)[: 5 * limit]
        known = rows.filter(node__in=list(found)).order_by("node").values_list("node", flat=True)
        codes += [code for code in known if code not in codes]
    return codes[:limit]


def name_of(standing: Standing, known: dict[str, Member]) -> str:
    member = known.get(standing.node)
    return standing.name or (member.name if member else "")
