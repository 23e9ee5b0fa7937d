"""A change request as its reviewers read it: item by item, with the documents each item starts from and leads to."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils import timezone

from mdm import dating, registry
from mdm.errors import NotFound
from mdm.models import ChangeItem, ChangeRequest, RecordVersion
from mdm.permissions import may
from mdm.registry import RecordType
from mdm.selectors import records, three_way, visibility
from mdm.selectors.visibility import Entities
from mdm.types import Actor, Change, Document, apply_changes, diff

FIRST_NUMBER = 10_000
GIVEN = ("code", "status")  # by the hub to every new record: nothing anybody asked for
_RELATED = ("participants", "steps__approvals__participant__person", "approvals__participant", "comments__author")


@dataclass(frozen=True)
class Looked:
    """One item: what it starts from, what it leads to, and what of it this person may not see."""

    item: ChangeItem
    kind: RecordType
    before: Document | None
    after: Document
    changes: list[Change]
    hidden: int
    unseen: bool  # the whole record is of companies that are not the person's
    clashes: list[dict[str, Any]]  # paths somebody else changed since, while the request is open

    @property
    def label(self) -> str:
        return f"A {self.kind.noun} of another company" if self.unseen else self.item.label

    @property
    def code(self) -> str:
        return "" if self.unseen else str(self.item.detail.get("code") or "")


def seen_by(by: Actor, entities: Entities) -> QuerySet[ChangeRequest]:
    """Requests all of whose items are of types the person may read, and at least one about a record they may see.

    Their own requests stay theirs. A load concerns every company: its items are cut one by one.
    """
    unreadable = [kind.key for kind in registry.all_types() if not may(by, f"read:{kind.path}")]
    rows = ChangeRequest.objects.all()
    if unreadable:
        rows = rows.exclude(pk__in=ChangeItem.objects.filter(type__in=unreadable).values("request"))
    if entities is None:
        return rows
    own = ChangeItem.objects.filter(request=OuterRef("pk"))
    foreign = visibility.foreign_items(entities)
    seen = Exists(own.exclude(foreign)) | ~Exists(own)
    return rows.filter(Q(requester=by.user) | Q(kind="load") | seen if by.user else Q(kind="load") | seen)


def full(rows: QuerySet[ChangeRequest]) -> QuerySet[ChangeRequest]:
    """With steps, votes, people and comments, in a fixed number of queries."""
    return rows.select_related("requester", "reverts", "import_job__system").prefetch_related(*_RELATED)


def find(rows: QuerySet[ChangeRequest], number: int) -> ChangeRequest:
    """By the number people use, without its letters."""
    change = full(rows.filter(pk=number - FIRST_NUMBER)).first()
    if change is None:
        raise NotFound("There is no such request, or it is about records your role may not see.")
    return change


def number_of(change: ChangeRequest) -> int:
    return FIRST_NUMBER + change.pk


def page(change: ChangeRequest, *, entities: Entities, after: int = 0, size: int = 20) -> tuple[list[Looked], int]:
    """The items after a row id, and the id to go on with (0 at the end). A load can have a million items."""
    found = list(change.items.filter(pk__gt=after).order_by("pk")[: size + 1])
    more = found[size - 1].pk if len(found) > size else 0
    return look(change, found[:size], entities), more


def look(change: ChangeRequest, items: Sequence[ChangeItem], entities: Entities) -> list[Looked]:
    current = _current(items)
    based = versions((item.uid, item.base_version) for item in items if item.base_version)
    made = versions((item.uid, item.result_version) for item in items if _is_loaded(item))
    looked = []
    for item in items:
        kind = registry.get(item.type)
        now = current.get((item.type, str(item.uid)))
        before = based.get((str(item.uid), item.base_version)) or (None if item.action == "create" else now)
        changes = [Change(**change) for change in item.changes]
        if _is_loaded(item):  # a load keeps the values of new records in their first version only
            created = made.get((str(item.uid), item.result_version), {})
            changes = [change for change in diff({}, created) if change.path not in GIVEN]
        header = {"uid": str(item.uid), "code": item.detail.get("code")}
        after = dating.as_of(kind, apply_changes(before or header, changes), timezone.localdate())
        unseen = not any(visibility.sees(kind, document, entities) for document in (before, now, after) if document)
        hidden = visibility.hidden_paths(kind, [c.as_json() for c in changes], (before, now, after), entities)
        seen = [] if unseen else [c for c in changes if c.path not in hidden]
        clashes: list[dict[str, Any]] = []
        if change.state == "in_review" and now and item.action != "create":
            _, clashes = three_way.together(kind, changes, before, now)
        looked.append(
            Looked(
                item=item,
                kind=kind,
                before=visibility.strip(kind, before, entities) if before and not unseen else None,
                after={"uid": str(item.uid)} if unseen else visibility.strip(kind, after, entities),
                changes=seen,
                hidden=len(changes) - len(seen),
                unseen=unseen,
                clashes=[c for c in clashes if not unseen and c["path"] not in hidden],
            )
        )
    return looked


def _is_loaded(item: ChangeItem) -> bool:
    return item.action == "create" and not item.changes and item.result_version is not None


def _current(items: Iterable[ChangeItem]) -> dict[tuple[str, str], Document]:
    listed = list(items)
    found: dict[tuple[str, str], Document] = {}
    for key in sorted({item.type for item in listed}):
        uids = [item.uid for item in listed if item.type == key]
        found |= {(key, uid): document for uid, document in records.current_documents(key, uids).items()}
    return found


def versions(wanted: Iterable[tuple[Any, int | None]]) -> dict[tuple[str, int | None], Document]:
    """{(uid, version): document} of records as they were; one query."""
    pairs = list(wanted)
    if not pairs:
        return {}
    rows = RecordVersion.objects.filter(uid__in={uid for uid, _ in pairs}, version__in={v for _, v in pairs})
    return {(str(uid), version): document for uid, version, document in rows.values_list("uid", "version", "document")}


def sees_all(change: ChangeRequest, entities: Entities) -> bool:
    """Whether the person may see every path the request changes: nobody decides on what they cannot see.

    A load concerns every company, so only people of every company decide on one.
    """
    if entities is None:
        return True
    if change.kind == "load":
        return False
    return not any(part.hidden or part.unseen for part in look(change, list(change.items.all()), entities))


def touching(rows: QuerySet[ChangeRequest], kind: RecordType, uid: Any) -> QuerySet[ChangeRequest]:
    """Every request that has an item about this record."""
    items = ChangeItem.objects.filter(type=kind.key, uid=uid)
    return rows.filter(pk__in=items.values("request"))
