"""Owns the draft in which a person gathers changes of one hierarchy before they are proposed together.

Every change is checked with those gathered before as it is added, by the rules that hold for every door; what does not
fit is refused and the draft stays as it was.
"""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib.auth.models import User
from django.db import transaction

from mdm import registry
from mdm.errors import NotFound
from mdm.models import ChangeItem, ChangeRequest
from mdm.selectors import records
from mdm.services import changes, documents
from mdm.services.changes import ProposedItem
from mdm.types import Actor, Change, Document, apply_changes

NODE = "hierarchy_node"


def draft_of(hierarchy: str, user: User) -> ChangeRequest | None:
    """The open draft of this person about this hierarchy."""
    rows = ChangeRequest.objects.filter(state="draft", requester=user, items__detail__tree=hierarchy)
    return rows.order_by("-pk").first()


@transaction.atomic
def put(*, hierarchy: str, by: Actor, patch: Document, uid: UUID | str | None = None) -> ChangeRequest:
    """Add a change of a node (`uid`), or a new node, to the person's draft. CorrectInput when it does not fit."""
    assert by.user is not None
    draft = draft_of(hierarchy, by.user)
    items = [_again(item) for item in draft.items.all()] if draft else []
    same = next((one for one in items if uid and one.uid == str(uid)), None)
    if same is None:
        items.append(_new(hierarchy, patch) if uid is None else _changed(hierarchy, str(uid), patch))
    else:
        same.document = _merged(same, patch)
    return _keep(draft, hierarchy, items, by)


@transaction.atomic
def take_out(*, hierarchy: str, by: Actor, uid: UUID | str) -> ChangeRequest | None:
    """Take one change out of the draft; without any left it is withdrawn. CorrectInput when the others need it."""
    draft = draft_of(hierarchy, by.user) if by.user else None
    if draft is None:
        raise NotFound("There is no draft any more: it was proposed or withdrawn meanwhile.")
    left = [_again(item) for item in draft.items.all() if str(item.uid) != str(uid)]
    if left:
        return _keep(draft, hierarchy, left, by)
    changes.withdraw(change=draft, by=by)
    return None


def _keep(draft: ChangeRequest | None, hierarchy: str, items: list[ProposedItem], by: Actor) -> ChangeRequest:
    title = f"Change {hierarchy}: {len(items)} node{'s' * (len(items) != 1)}"
    if draft is None:
        return changes.propose(items=items, by=by, title=title, origin="web", submit=False)
    return changes.edit(change=draft, by=by, items=items, title=title)


def _new(hierarchy: str, patch: Document) -> ProposedItem:
    patch = {**patch, "hierarchy": hierarchy}
    body = documents.merge_patch(registry.get(NODE), {}, patch)
    return ProposedItem(
        type=NODE, action="create", uid=documents.fresh_uid(), document=body, detail={"tree": hierarchy}
    )


def _changed(hierarchy: str, uid: str, patch: Document) -> ProposedItem:
    try:
        current = records.current_document(NODE, UUID(uid))
    except ValueError:
        current = {}
    if current.get("hierarchy") != hierarchy:
        raise NotFound("There is no such node in this hierarchy.")
    body = documents.merge_patch(registry.get(NODE), current, patch)
    return ProposedItem(type=NODE, uid=uid, document=_body(body), detail={"tree": hierarchy})


def _merged(item: ProposedItem, patch: Document) -> Document:
    """A further change of a node that the draft changes already."""
    kind = registry.get(NODE)
    assert item.document is not None and item.uid
    before = records.current_document(NODE, item.uid) if item.action != "create" else {}
    shown = documents.validate(kind, documents.body_of(kind, item.document))
    header = {name: before.get(name) for name in ("uid", "version", "status")} if before else {}
    patched = {name: value for name, value in patch.items() if name != "hierarchy"}
    return _body(documents.merge_patch(kind, {**header, **shown}, patched))


def _body(document: Document) -> Document:
    return documents.body_of(registry.get(NODE), document)


def _again(item: ChangeItem) -> ProposedItem:
    """A stored item as it would be proposed now."""
    before: dict[str, Any] = {} if item.action == "create" else records.current_document(NODE, item.uid)
    after = apply_changes(before, [Change(**change) for change in item.changes])
    code = str(item.detail.get("code") or "") if item.action == "create" else ""
    return ProposedItem(
        type=NODE,
        action=item.action,
        uid=str(item.uid),
        document=_body(after),
        code=code,
        detail={"tree": item.detail["tree"]},
    )
