"""Same group, another legal entity: the change request that writes it into the parent or sibling field of the records."""

from __future__ import annotations

from mdm.errors import CorrectInput, NotNow
from mdm.models import ChangeRequest
from mdm.registry import RecordType
from mdm.selectors import records
from mdm.services import changes
from mdm.services.proposing import ProposedItem
from mdm.types import Actor, Document

RELATIONS = ("parent", "child", "sibling")
OPPOSITE = {"parent": "child", "child": "parent", "sibling": "sibling"}
_MOST = 50  # steps up a chain of parents


def propose(
    *, kind: RecordType, left: str, right: str, relation: str, reason: str, by: Actor, origin: str = "web"
) -> ChangeRequest | None:
    """Ask that the records say it; None when they do already. `relation`: what left is to right.

    Sisters get the parent one of them has; without one each names the other. CorrectInput when it would go in a circle,
    or when two sisters have different parents.
    """
    if not (kind.sibling_field if relation == "sibling" else kind.parent_field):
        return None
    found = records.current_documents(kind.key, [left, right])
    one, other = found[str(left)], found[str(right)]
    for document in (one, other):
        if document["status"] in ("merged", "retired"):
            raise NotNow(f"{document['code']} is {document['status']}: it takes no relation any more.")
    if relation == "sibling":
        items = _sisters(kind, one, other)
    else:
        parent, child = (one, other) if relation == "parent" else (other, one)
        items = _below(kind, child, parent["uid"], parent["code"])
    if not items:
        return None
    words = {"parent": "parent of", "child": "child of", "sibling": "sister of"}[relation]
    title = f"{kind.name_of(one)} is {words} {kind.name_of(other)}"
    return changes.propose(items=items, by=by, title=title, reason=reason or "Judged as a pair.", origin=origin)


def _below(kind: RecordType, child: Document, parent: str, code: str) -> list[ProposedItem]:
    if child.get(kind.parent_field) == parent:
        return []
    _refuse_circle(kind, child, parent, code)
    return [_item(kind, child, {kind.parent_field: parent})]


def _sisters(kind: RecordType, one: Document, other: Document) -> list[ProposedItem]:
    parents = [document.get(kind.parent_field) if kind.parent_field else None for document in (one, other)]
    if parents[0] and parents[0] == parents[1]:
        return []
    if all(parents):
        text = f"{one['code']} and {other['code']} have different parents: change one of them first."
        raise CorrectInput(text)
    if parent := parents[0] or parents[1]:
        return _below(kind, other if parents[0] else one, parent, "their parent")
    items = []
    for mine, theirs in ((one, other["uid"]), (other, one["uid"])):
        held = mine.get(kind.sibling_field) or []
        if theirs not in held:
            items.append(_item(kind, mine, {kind.sibling_field: [*held, theirs]}))
    return items


def _item(kind: RecordType, document: Document, patch: Document) -> ProposedItem:
    return ProposedItem(type=kind.key, uid=document["uid"], patch=patch, base_version=document["version"])


def _refuse_circle(kind: RecordType, child: Document, parent: str, code: str) -> None:
    above, seen = parent, {child["uid"]}
    for _ in range(_MOST):
        if above in seen:
            raise CorrectInput(f"{child['code']} stands above {code} already: this would go in a circle.")
        seen.add(above)
        rows = kind.model._default_manager.filter(uid=above).values_list(kind.parent_field, flat=True)
        following = rows.first()
        if not following:
            return
        above = str(following)
