"""Merging: preview of the result, the request that asks for it with its full pre-image, and the links that move with it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django.db import transaction
from django.db.models import Q

from mdm import ports, registry
from mdm.errors import CorrectInput, NotNow
from mdm.models import ChangeItem, ChangeRequest, Crosswalk, DuplicatePair, MatchDecision, Provenance, SourceRecord
from mdm.registry import RecordType
from mdm.selectors import records
from mdm.services import crosswalks, documents
from mdm.services.proposing import ProposedItem
from mdm.types import Actor, Change, Document, diff, same, value_at

MOST = 20  # records in one merge: beyond that nobody can review it


def result(kind: RecordType, survivor: Document, losers: Sequence[Document], choices: Mapping[str, str]) -> Document:
    """The surviving document: the survivor's values, gaps filled from the losers, `choices` {field: uid} win.

    Lists of children are the union: rows of the losers whose identity the survivor lacks are taken over with a new uid.
    """
    by_uid = {document["uid"]: document for document in (survivor, *losers)}
    unknown = [uid for uid in choices.values() if uid not in by_uid]
    if unknown:
        raise CorrectInput("A choice names a record that is not part of this merge.")
    children = {child.name: child for child in kind.children}
    merged = dict(survivor)
    for name in kind.document.model_fields:
        if name in children:
            merged[name] = _union(children[name], [survivor, *losers], choices.get(name))
        elif name in choices:
            merged[name] = by_uid[choices[name]].get(name)
        elif isinstance(survivor.get(name), list):
            merged[name] = list(dict.fromkeys(v for d in (survivor, *losers) for v in d.get(name) or []))
        elif survivor.get(name) in (None, ""):
            merged[name] = next((d[name] for d in losers if d.get(name) not in (None, "")), None)
    body = documents.adopt_uids(kind, documents.body_of(kind, merged), survivor)
    return {**survivor, **body}


def _union(child: Any, sources: Sequence[Document], only: str | None) -> list[Document]:
    rows: dict[str, Document] = {}
    for index, document in enumerate(sources):
        if only and document["uid"] != only:
            continue
        for row in document.get(child.name) or []:
            taken = dict(row) if index == 0 else {**row, "uid": None}
            rows.setdefault(documents.identity(child, row), taken)
    return list(rows.values())


def _load(kind: RecordType, survivor: str, losers: Sequence[str]) -> tuple[Document, list[Document]]:
    losers = list(dict.fromkeys(str(uid) for uid in losers))
    if not losers or str(survivor) in losers:
        raise CorrectInput("Name one surviving record and at least one other to merge into it.")
    if len(losers) > MOST:
        raise CorrectInput(f"Merge at most {MOST} records at a time.")
    found = records.current_documents(kind.key, [survivor, *losers])
    missing = [uid for uid in (str(survivor), *losers) if uid not in found]
    if missing:
        raise CorrectInput("There is no record with this uid: " + ", ".join(missing))
    gone = [d for d in found.values() if d["status"] in ("merged", "retired")]
    if gone:
        raise NotNow(f"{gone[0]['code']} is {gone[0]['status']} already: it cannot be merged.")
    return found[str(survivor)], [found[uid] for uid in losers]


def preview(
    *, kind: RecordType, survivor: str, losers: Sequence[str], choices: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """What the merge would do: {survivor, losers, result, changes, fields, crosswalks, references, targets}."""
    keeps, goes = _load(kind, survivor, losers)
    merged = result(kind, keeps, goes, choices or {})
    uids = [keeps["uid"], *(d["uid"] for d in goes)]
    rows = Crosswalk.objects.filter(uid__in=uids, active=True).select_related("system").order_by("system__rank", "key")
    return {
        "survivor": keeps,
        "losers": goes,
        "result": merged,
        "changes": [change.as_json() for change in diff(keeps, merged)],
        "fields": _fields(kind, [keeps, *goes], merged),
        "crosswalks": [
            {
                "system": row.system.code,
                "title": row.system.title,
                "key": row.key,
                "uid": str(row.uid),
                "primary": row.primary,
            }
            for row in rows
        ],
        "references": [
            {"type": ref.type, "uid": str(ref.uid), "path": ref.path, "label": ref.label}
            for ref in references(kind, uids[1:])
        ],
        "targets": _effects(list(rows), keeps["uid"]),
    }


def _fields(kind: RecordType, sources: list[Document], merged: Document) -> list[dict[str, Any]]:
    """Per plain field what each record says, and what would survive: the grid people pick from."""
    children = {child.name for child in kind.children}
    return [
        {
            "path": name,
            "label": kind.label(name),
            "values": [{"uid": d["uid"], "value": d.get(name)} for d in sources],
            "result": merged.get(name),
            "differs": len({repr(d.get(name)) for d in sources if d.get(name) not in (None, "", [])}) > 1,
        }
        for name in kind.document.model_fields
        if name not in children and any(d.get(name) not in (None, "", []) for d in sources)
    ]


def _effects(rows: list[Crosswalk], survivor: str) -> list[dict[str, Any]]:
    """Per system: which key is updated afterwards and which ones are blocked there."""
    grouped: dict[str, list[Crosswalk]] = {}
    for row in rows:
        grouped.setdefault(row.system.code, []).append(row)
    effects = []
    for found in grouped.values():
        own = [row for row in found if str(row.uid) == survivor and row.primary] or found
        keeps = own[0]
        blocked = [row.key for row in found if row.pk != keeps.pk]
        effects.append(
            {
                "system": keeps.system.code,
                "title": keeps.system.title,
                "updates": keeps.key,
                "blocks": blocked,
            }
        )
    return effects


class Reference:
    """Another golden record naming one of the losers."""

    def __init__(self, type: str, uid: str, path: str, label: str, old: str) -> None:
        self.type, self.uid, self.path, self.label, self.old = type, uid, path, label, old


def references(kind: RecordType, uids: Sequence[str]) -> list[Reference]:
    """Golden records of any type whose plain reference fields lead to these uids."""
    found = []
    for other in registry.all_types():
        for path, key in other.references.items():
            if key != kind.key or "." in path or other.model._meta.get_field(path).get_internal_type() != "UUIDField":
                continue
            rows = (
                other.model._default_manager.filter(**{f"{path}__in": uids})
                .exclude(uid__in=uids)
                .exclude(status="merged")
            )
            for row in rows[:1000]:
                label = f"{row.code} {getattr(row, other.name_field)}"
                found.append(Reference(other.key, str(row.uid), path, label, str(getattr(row, path))))
    return found


@transaction.atomic
def propose(
    *,
    kind: RecordType,
    survivor: str,
    losers: Sequence[str],
    by: Actor,
    choices: Mapping[str, str] | None = None,
    reason: str = "",
    origin: str = "merge",
) -> ChangeRequest:
    """Ask for the merge. The request keeps every document, key and reference as they were before (the pre-image)."""
    from mdm.services import changes  # the one door to requests stands above this module

    keeps, goes = _load(kind, survivor, losers)
    merged = result(kind, keeps, goes, choices or {})
    uids = [keeps["uid"], *(d["uid"] for d in goes)]
    pre_image = {
        "documents": {d["uid"]: d for d in (keeps, *goes)},
        "crosswalks": list(
            Crosswalk.objects.filter(uid__in=uids).values("id", "system__code", "key", "primary", "active", "uid")
        ),
        "sources": list(SourceRecord.objects.filter(golden_uid__in=uids).values("id", "golden_uid")),
    }
    for row in (*pre_image["crosswalks"], *pre_image["sources"]):
        row.update({k: str(v) for k, v in row.items() if k in ("uid", "golden_uid")})
    detail = {
        "survivor": keeps["uid"],
        "losers": uids[1:],
        "choices": dict(choices or {}),
        "pre_image": pre_image,
    }
    items = [
        ProposedItem(
            type=kind.key,
            action="merge",
            uid=keeps["uid"],
            changes=diff(keeps, merged),
            base_version=keeps["version"],
            detail=detail,
        )
    ]
    for loser in goes:
        gone = [Change("status", loser["status"], "merged")]
        items.append(
            ProposedItem(
                type=kind.key,
                action="merge",
                uid=loser["uid"],
                changes=gone,
                detail={"merged_into": keeps["uid"]},
            )
        )
    for ref in references(kind, uids[1:]):
        if ref.uid not in uids:
            moved = [Change(ref.path, ref.old, keeps["uid"])]
            items.append(ProposedItem(type=ref.type, uid=ref.uid, changes=moved))
    title = f"Merge {len(uids)} records of {kind.name_of(keeps)}"
    return changes.propose(items=items, by=by, title=title, reason=reason, origin=origin)


def move_links(*, change: ChangeRequest, items: Sequence[ChangeItem], by: Actor) -> None:
    """After the rows are written: keys and source records follow the survivor, and the pairs are settled."""
    head = next(item for item in items if "pre_image" in item.detail)
    kind, survivor, losers = registry.get(head.type), head.detail["survivor"], head.detail["losers"]
    for row in (
        Crosswalk.objects.filter(uid__in=losers).select_related("system").order_by("system_id", "-primary", "pk")
    ):
        taken = Crosswalk.objects.filter(system=row.system, uid=survivor, active=True, primary=True).exists()
        if row.primary and taken:
            row.primary = False
            row.save(update_fields=["primary"])
        if row.active:
            crosswalks.link(system=row.system, type=row.type, key=row.key, uid=survivor, primary=row.primary, move=True)
    SourceRecord.objects.filter(golden_uid__in=losers).update(golden_uid=survivor)
    members = [survivor, *losers]
    inside = DuplicatePair.objects.filter(left__in=members, right__in=members)
    for pair in inside:
        MatchDecision.objects.create(
            pair=pair,
            judgement="same",
            reason=f"Merged by {change.number}",
            evidence_hash=pair.evidence_hash,
            decided_by=by.user,
            decided_by_name=by.name,
        )
    inside.update(state="merged")
    # Pairs of a loser with third records make no sense any more; the survivor's own pairs are found afresh.
    DuplicatePair.objects.filter(Q(left__in=losers) | Q(right__in=losers), state="open").exclude(
        left__in=members, right__in=members
    ).update(state="merged")
    from mdm.services import matching

    matching.find_pairs(kind=kind, uids=[survivor])


def provenance(item: ChangeItem, before: Document, after: Document) -> dict[str, Any]:
    """Where the survivor's values come from afterwards: a value taken from a loser brings its origin along.

    Without this every value of the merge would count as entered by hand and never follow its source again.
    """
    kind = registry.get(item.type)
    documents_ = item.detail["pre_image"]["documents"]
    known = {str(r.uid): r.fields for r in Provenance.objects.filter(uid__in=list(documents_))}
    result = dict(known.get(before["uid"], {}))
    for block in dict.fromkeys("/".join(change["path"].split("/")[:2]) for change in item.changes):
        found = _origin(kind, block, after, documents_, known, item.detail["losers"])
        if found:
            result[block] = found
    return result


def _origin(
    kind: RecordType,
    block: str,
    after: Document,
    documents_: Mapping[str, Document],
    known: Mapping[str, dict[str, Any]],
    losers: Sequence[str],
) -> dict[str, Any] | None:
    name, _, row_uid = block.partition("/")
    for uid in losers:
        loser, origins = documents_[uid], known.get(uid, {})
        if not row_uid:
            if same(loser.get(name), after.get(name)) and name in origins:
                return dict(origins[name])
            continue
        child, row = kind.child(name), value_at(after, block)
        for theirs in loser.get(name) or []:
            if row and documents.identity(child, theirs) == documents.identity(child, row):
                return dict(origins.get(f"{name}/{theirs['uid']}", {})) or None
    return None


def effects(change: ChangeRequest) -> list[dict[str, Any]]:
    """What the targets will have to do for a request, as whoever delivers says."""
    return ports.collect(ports.change_effects, change)
