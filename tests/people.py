"""People with roles, and records made through the front door: what most tests start from."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from typing import Any

from django.contrib.auth.models import Group, User

from mdm import permissions
from mdm.models import ApprovalPolicy, ChangeRequest, System
from mdm.selectors import records
from mdm.services import changes
from mdm.services.changes import ProposedItem
from mdm.types import Actor, Document

SETUP = Actor.system("Test set-up")


def groups(roles: Iterable[str]) -> list[Group]:
    """Of these roles; nearly every test asks for some, so those that exist are found at once."""
    wanted = set(roles)
    found = list(Group.objects.filter(name__in=wanted)) if wanted else []
    return [*found, *(Group.objects.create(name=name) for name in sorted(wanted - {group.name for group in found}))]


def person(username: str, *roles: str) -> User:
    """A person with these roles; the same username gives the same person."""
    user, _ = User.objects.get_or_create(username=username, defaults={"first_name": username.title()})
    if roles:
        user.groups.add(*groups(roles))
    return User.objects.get(pk=user.pk)


def actor(username: str, *roles: str) -> Actor:
    return permissions.actor_of(person(username, *roles))


def auto_approve(origin: str) -> ApprovalPolicy:
    return ApprovalPolicy.objects.get_or_create(
        name=f"auto {origin}", defaults={"origins": [origin], "auto_approve": True}
    )[0]


def make(type_key: str, **patch: Any) -> Document:
    """A golden record, applied by a policy for set-up; its canonical document."""
    auto_approve("system")
    change = changes.propose(
        items=[ProposedItem(type=type_key, action="create", patch=patch)], by=SETUP, origin="system"
    )
    assert change.state == "applied"
    return records.current_document(type_key, change.items.get().uid)


def make_together(type_key: str, patches: Iterable[dict[str, Any]]) -> list[Document]:
    """The same for many, by one request; much quicker than one after the other."""
    auto_approve("system")
    items = [ProposedItem(type=type_key, action="create", patch=patch) for patch in patches]
    change = changes.propose(items=items, by=SETUP, origin="system")
    assert change.state == "applied"
    uids = change.items.order_by("position").values_list("uid", flat=True)
    return [records.current_document(type_key, uid) for uid in uids]


def supplier(**patch: Any) -> Document:
    return make("supplier", **{"legal_name": f"Supplier {uuid.uuid4().hex[:8]}", "country": "DE", **patch})


def propose(document: Document, by: Actor, **patch: Any) -> ChangeRequest:
    kind = document["schema"].split("/")[0]
    return changes.propose(items=[ProposedItem(type=kind, uid=document["uid"], patch=patch)], by=by)


def system(code: str, **values: Any) -> System:
    defaults = {"title": code.title(), "mark": code[:2].upper(), "rank": 50, **values}
    return System.objects.get_or_create(code=code, defaults=defaults)[0]
