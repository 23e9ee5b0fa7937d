"""`apply`: the one function that turns an approved request into golden records, whole or not at all."""

from __future__ import annotations

from typing import Any

from django.db import transaction
from django.utils import timezone

from mdm import registry
from mdm.errors import NotNow
from mdm.models import ChangeItem, ChangeRequest, RecordVersion
from mdm.selectors import records, request_items, three_way
from mdm.services import audit, comparisons, documents, following, inference, merge_links, retiring, unmerge_links
from mdm.services.records import Write, write
from mdm.types import Actor, Change, Document, apply_changes, diff, value_at

_MOVING_PAIRS = ("merge", "unmerge", "detach")


@transaction.atomic
def apply(*, change: ChangeRequest, by: Actor) -> ChangeRequest:
    """Write every item of an approved request: applied, scheduled for its date, or conflicted with nothing written."""
    from mdm.services import rule_changes

    change = ChangeRequest.objects.select_for_update().get(pk=change.pk)
    if change.state != "approved":
        raise NotNow("Only an approved request can be applied.")
    if change.effective_on and change.effective_on > timezone.localdate():
        change.state = "scheduled"
        change.save()
        return change
    if change.kind == "load":
        return _let_load_go_on(change)
    if change.kind == "rules":
        return rule_changes.begin(change=change, by=by)
    items = list(change.items.all())
    current = _lock_current(items)
    if change.kind == "merge":
        merge_links.check(items)
    bases = _bases(items, current)
    if _conflicts(items, current, bases):
        return _conflicted(change, items, by)
    if change.kind in _MOVING_PAIRS:
        inference.lock()
    now = timezone.now()
    maker = Actor.person(change.requester) if change.requester else by
    if change.kind == "merge":
        merge_links.take_pre_image(items)
    # Taking a source off may change nothing.
    moving = [item for item in items if item.changes or item.action != "detach"]
    writes = [_write(item, current, bases.get(item.pk)) for item in moving]
    if _do_not_fit(moving, writes) or _left_behind(moving, writes) or _lead_nowhere(moving, writes):
        return _conflicted(change, items, by)
    versions = write(writes, change=change, by=maker, at=now)
    _keep_results(moving, versions)
    if change.kind == "merge":
        merge_links.move_links(change=change, items=items, by=maker)
    elif change.kind == "unmerge":
        unmerge_links.give_back(change=change, items=items, by=maker)
    following.follow(change=change, items=items, by=maker)
    _recompare(writes)
    change.state, change.applied_at, change.due_at = "applied", now, None
    change.save()
    _log(change, by, "applied")
    return change


def _conflicted(change: ChangeRequest, items: list[ChangeItem], by: Actor) -> ChangeRequest:
    ChangeItem.objects.bulk_update(items, ["conflicts"])
    change.state = "conflicted"
    change.save()
    _log(change, by, "conflicted")
    return change


def _do_not_fit(items: list[ChangeItem], writes: list[Write]) -> bool:
    """Fill in as conflicts what stands against writing all of them, with other records as they are by now."""
    for kind in dict.fromkeys(one.kind for one in writes):
        if kind.across is None:
            continue
        mine = [(item, one) for item, one in zip(items, writes, strict=True) if one.kind is kind]
        kind.across.lock(one.after for _, one in mine)
        told = kind.across.problems([(one.before, one.after) for _, one in mine])
        for item, one in mine:
            item.conflicts = [
                {
                    "path": problem.path,
                    "base": value_at(one.before or {}, problem.path),
                    "proposed": value_at(one.after, problem.path),
                    "current": value_at(one.before or {}, problem.path),
                    "why": problem.message,
                }
                for problem in told.get(str(one.after["uid"]), [])
            ]
    return any(item.conflicts for item in items)


def _left_behind(items: list[ChangeItem], writes: list[Write]) -> bool:
    """Fill in as conflicts who began to refer to what leaves since the request was made."""
    today = timezone.localdate().isoformat()
    changed = [(one.kind, one.after) for one in writes]
    for item, one in zip(items, writes, strict=True):
        day = retiring.leaves_on(one.kind, one.before, one.after, today)
        if day is None or one.before is None or item.action in _MOVING_PAIRS:
            continue
        found = retiring.left_behind(one.kind, one.before, day, changed)
        told = retiring.conflict(one.kind, one.before, one.after, item.detail.get("plan"), found)
        item.conflicts = [told] if told else []
    return any(item.conflicts for item in items)


def _lead_nowhere(items: list[ChangeItem], writes: list[Write]) -> bool:
    """Fill in as conflicts what would begin to refer to a record that was retired since the request was made."""
    made = {(one.kind.key, one.after["code"]) for one in writes if one.before is None}
    new: dict[int, list[tuple[str, str, str]]] = {}
    for item, one in zip(items, writes, strict=True):
        if item.action in ("create", "update"):
            held = {(key, str(value)) for _, key, value in documents.references_in(one.kind, one.before or {})}
            told = [(where, key, str(value)) for where, key, value in documents.references_in(one.kind, one.after)]
            new[item.pk] = [(where, key, value) for where, key, value in told if (key, value) not in held | made]
    lost = documents.unknown_among((key, value) for refs in new.values() for _, key, value in refs)
    if not lost:
        return False
    for item, one in zip(items, writes, strict=True):
        item.conflicts = [
            {
                "path": where,
                "base": value_at(one.before or {}, where),
                "proposed": value,
                "current": value_at(one.before or {}, where),
                "why": f"{registry.get(key).title} {value} is not in use any more: keep what is there, or edit the request.",
            }
            for where, key, value in new.get(item.pk, [])
            if (key, value) in lost and not (one.kind.periods and where in one.kind.derived)
        ]
    return any(item.conflicts for item in items)


def _let_load_go_on(change: ChangeRequest) -> ChangeRequest:
    """A load is applied chunk by chunk by its import, which was waiting for this approval."""
    from mdm.services import importing

    if change.import_job:
        importing.ring(change.import_job)
    return change


def _lock_current(items: list[ChangeItem]) -> dict[str, Document]:
    """Lock the golden rows in uid order, so that two requests never wait for each other, and read their documents."""
    documents_: dict[str, Document] = {}
    for key in sorted({item.type for item in items}):
        uids = sorted(str(item.uid) for item in items if item.type == key)
        model = registry.get(key).model
        list(model._default_manager.select_for_update().filter(uid__in=uids).order_by("uid").values_list("pk"))
        documents_ |= records.current_documents(key, uids)
    return documents_


def _bases(items: list[ChangeItem], current: dict[str, Document]) -> dict[int, Document]:
    """{item id: the document its change was made on} of dated records that moved since; one query where there are any."""
    moved = [
        item
        for item in items
        if item.base_version
        and registry.get(item.type).periods
        and (now := current.get(str(item.uid)))
        and now["version"] != item.base_version
    ]
    seen = request_items.versions((item.uid, item.base_version) for item in moved)
    return {item.pk: seen[str(item.uid), item.base_version] for item in moved}


def _conflicts(items: list[ChangeItem], current: dict[str, Document], bases: dict[int, Document]) -> bool:
    """Fill in the three-way conflicts of every item; a version that moved without touching our paths is no conflict."""
    for item in items:
        document = current.get(str(item.uid))
        if item.action == "create":
            item.conflicts = []
        elif "unmerged_from" in item.detail:
            item.conflicts = unmerge_links.conflicts_of(item, document)
        elif document is None or document["status"] == "merged":
            status = document["status"] if document else None
            item.conflicts = [{"path": "status", "base": "active", "proposed": "active", "current": status}]
        else:
            changes = [Change(**c) for c in item.changes]
            _, item.conflicts = three_way.together(registry.get(item.type), changes, bases.get(item.pk), document)
            if "merged_into" in item.detail:
                item.conflicts += _changed_since(item, document)
    return any(item.conflicts for item in items)


def _changed_since(item: ChangeItem, document: Document) -> list[dict[str, Any]]:
    """What changed of a record that is to be merged after the merge was proposed: nobody looked at that yet."""
    if document["version"] == item.base_version:
        return []
    seen = RecordVersion.objects.get(uid=item.uid, version=item.base_version or 0).document
    return [
        {"path": c.path, "base": c.before, "proposed": c.before, "current": c.after}
        for c in diff(seen, document)
        if c.path != "status"
    ]


def _write(item: ChangeItem, known: dict[str, Document], base: Document | None) -> Write:
    kind, current = registry.get(item.type), known.get(str(item.uid))
    changes = [Change(**c) for c in item.changes]
    if current is None:
        header = {"uid": str(item.uid), "code": item.detail.get("code"), "status": "active"}
        after = apply_changes(header, changes)
    else:
        after, _ = three_way.together(kind, changes, base, current)
    body = documents.validate(kind, documents.body_of(kind, after), rules=item.action in ("create", "update"))
    after = {**after, **body}
    if item.action == "unmerge":
        after = unmerge_links.in_order(item, kind, after)
    return Write(
        kind=kind,
        action=item.action,
        before=current,
        after=after,
        merged_into=item.detail.get("merged_into"),
        unmerged_from=item.detail.get("unmerged_from"),
        provenance=_provenance(item, current, after, known),
    )


def _provenance(
    item: ChangeItem, before: Document | None, after: Document, known: dict[str, Document]
) -> dict[str, Any] | None:
    """A merge and its undoing move values between records: their origins move with them."""
    if before is not None and "losers" in item.detail:
        return merge_links.provenance(item, before, after, known)
    if before is not None and item.action == "unmerge":
        return unmerge_links.provenance(item, after)
    return following.provenance(item, before, after)


def _keep_results(items: list[ChangeItem], versions: list[RecordVersion]) -> None:
    for item, version in zip(items, versions, strict=True):
        item.result_version = version.version
    ChangeItem.objects.bulk_update(items, ["result_version"], batch_size=500)


def _recompare(writes: list[Write]) -> None:
    """Pairs of records that match differently now: judgements whose evidence changed lapse here and now."""
    for kind in dict.fromkeys(item.kind for item in writes):
        mine = [(item.before, item.after) for item in writes if item.kind is kind]
        comparisons.follow(kind=kind, uids=comparisons.touched(mine, kind=kind))


def _log(change: ChangeRequest, by: Actor, action: str, **detail: Any) -> None:
    audit.record(
        action=f"request.{action}",
        by=by,
        object_type="change_request",
        object_uid=change.uid,
        object_label=str(change),
        detail=detail,
    )


def current_version(item: ChangeItem) -> int | None:
    row = registry.get(item.type).model._default_manager.filter(uid=item.uid).values_list("version", flat=True).first()
    return int(row) if row is not None else None
