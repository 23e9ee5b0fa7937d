"""The one place that writes golden rows: tables, children, history, version, keys, event and audit, together.

Called by `changes` for one record and by `loading` for a thousand; the same code, so bulk is never a side door.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import lru_cache
from typing import Any

from django.db import models
from django.utils import timezone

from mdm import correlation, periods, writing
from mdm.folding import search_text
from mdm.models import AuditEntry, ChangeRequest, Event, Provenance, RecordVersion, SurvivorshipRule
from mdm.registry import ChildType, RecordType
from mdm.services import audit, bulk, events, indexing
from mdm.survival.choosing import EMPTY
from mdm.survival.composing import plain
from mdm.survival.rules import HUB, members
from mdm.types import Actor, Document, diff, digest, value_at

VERBS = {
    "create": "created",
    "update": "updated",
    "block": "blocked",
    "unblock": "unblocked",
    "retire": "retired",
    "merge": "merged",
    "unmerge": "unmerged",
    "detach": "updated",
}
BATCH = 1000


@dataclass
class Write:
    """One record to write. `before` is None for a new one; `after` is the whole document: body, uid, code, status.

    `provenance`: {path: {system, key, rule, since}} to keep for the record; None derives it: changed paths are the
    hub's.
    """

    kind: RecordType
    action: str
    before: Document | None
    after: Document
    merged_into: str | None = None
    unmerged_from: str | None = None
    provenance: dict[str, Any] | None = None
    detail: dict[str, Any] = field(default_factory=dict)
    row: Any = None
    paths: list[str] = field(default_factory=list)


def write(writes: Sequence[Write], *, change: ChangeRequest, by: Actor, at: datetime) -> list[RecordVersion]:
    """Write all of them, at most `BATCH` at a time, in the caller's transaction; the new versions in the same order."""
    done: list[RecordVersion] = []
    with writing.applying(change.pk):
        for start in range(0, len(writes), BATCH):
            part = writes[start : start + BATCH]
            for kind in dict.fromkeys(item.kind for item in part):
                mine = [item for item in part if item.kind is kind]
                _write_kind(kind, mine, change=change, by=by, at=at)
                if kind.across:
                    kind.across.written([item.after for item in mine])
            done += _remember(part, change=change, by=by, at=at)
    events.ring()
    return done


def _write_kind(kind: RecordType, writes: list[Write], *, change: ChangeRequest, by: Actor, at: datetime) -> None:
    _write_rows(kind, writes, at)
    history: list[tuple[Any, str]] = [(item.row, "~" if item.before else "+") for item in writes]
    for child in kind.children:
        history += _write_children(child, writes)
    _write_history(
        history, by=by, at=at, reason=f"{change.number}: {change.reason}" if change.reason else change.number
    )


def _write_rows(kind: RecordType, writes: list[Write], at: datetime) -> None:
    model = kind.model
    existing = {
        str(row.uid): row
        for row in model._default_manager.select_for_update().filter(
            uid__in=[w.after["uid"] for w in writes if w.before]
        )
    }
    plain = [name for name in kind.document.model_fields if name not in {child.name for child in kind.children}]
    for item in writes:
        document = item.after
        row = existing.get(document["uid"]) or model(uid=document["uid"], created_at=at, version=0)
        row.version += 1
        row.code, row.status, row.updated_at = document["code"], document["status"], at
        row.merged_into = item.merged_into
        for name in plain:
            setattr(row, name, _python(model._meta.get_field(name), document.get(name)))
        if kind.periods:
            due = periods.next_boundary(document[kind.periods], timezone.localdate(at).isoformat())
            row.next_change = date.fromisoformat(due) if due else None
        row.search_text = search_text(kind, document)
        item.row = row
        document.update(schema=kind.schema, version=row.version)
        item.paths = [c.path for c in diff(item.before or {}, document)]
    new = [item.row for item in writes if not item.before]
    old = [item.row for item in writes if item.before]
    if new:
        bulk.insert(new)
    if old:
        dated = ["next_change"] if kind.periods else []
        bulk.update(old, ["version", "code", "status", "updated_at", "merged_into", "search_text", *dated, *plain])


def _python(column: Any, value: Any) -> Any:
    """JSON value → what the column takes: dates and decimals arrive as text; lists are never null."""
    if value is None:
        return [] if column.get_internal_type() == "ArrayField" else None
    if isinstance(column, models.DateField) and isinstance(value, str):
        return date.fromisoformat(value)
    return value if isinstance(column, models.JSONField) else column.to_python(value)


def _write_children(child: ChildType, writes: list[Write]) -> list[tuple[Any, str]]:
    """Insert, update and remove the rows of one child list for all writes; what happened, for history."""
    names = [name for name in child.document.model_fields if name != "uid"]
    columns = {name: child.model._meta.get_field(name) for name in names}
    inserts, touched, gone = [], {}, []
    for item in writes:
        before = {row["uid"]: row for row in (item.before or {}).get(child.name) or []}
        after = item.after.get(child.name) or []
        for position, row in enumerate(after):
            if row["uid"] not in before:
                values = {name: _python(columns[name], row.get(name)) for name in names}
                inserts.append(child.model(uid=row["uid"], record=item.row, position=position, **values))
            elif row != before[row["uid"]]:
                touched[row["uid"]] = row
        kept = {row["uid"] for row in after}
        gone += [uid for uid in before if uid not in kept]
    history = [(row, "+") for row in bulk.insert(inserts)]
    if touched:
        rows = list(child.model._default_manager.filter(uid__in=touched))
        for row in rows:
            for name in names:
                setattr(row, name, _python(columns[name], touched[str(row.uid)].get(name)))
        bulk.update(rows, names)
        history += [(row, "~") for row in rows]
    if gone:
        rows = list(child.model._default_manager.filter(uid__in=gone))
        history += [(row, "-") for row in rows]
        child.model._default_manager.filter(pk__in=[row.pk for row in rows]).delete()
    return history


def _write_history(rows: Iterable[tuple[Any, str]], *, by: Actor, at: datetime, reason: str) -> None:
    """History rows as django-simple-history would write them; it is blind to bulk writes, so we do it ourselves."""
    grouped: dict[Any, list[Any]] = {}
    for row, verb in rows:
        model = _history_of(row.__class__)
        values = {column.attname: getattr(row, column.attname) for column in model.tracked_fields}
        grouped.setdefault(model, []).append(
            model(
                history_date=at,
                history_type=verb,
                history_user=by.user,
                history_change_reason=reason,
                **values,
            )
        )
    for entries in grouped.values():
        bulk.insert(entries)


@lru_cache(maxsize=64)
def _history_of(model: Any) -> Any:
    return model.history.model


def _remember(writes: Sequence[Write], *, change: ChangeRequest, by: Actor, at: datetime) -> list[RecordVersion]:
    """Version, provenance, match keys, event and audit entry of every write."""
    versions, happened, log = [], [], []
    for item in writes:
        document, kind = item.after, item.kind
        versions.append(
            RecordVersion(
                type=kind.key,
                uid=document["uid"],
                version=document["version"],
                status=document["status"],
                document=document,
                hash=digest(document),
                change=change,
                actor=by.user,
                actor_name=by.name,
                changed_paths=item.paths,
                created_at=at,
            )
        )
        happened.append(_event(item, change, at))
        log.append(_audit(item, change, by, at))
    bulk.insert(versions)
    bulk.insert(happened)
    bulk.insert(log)
    _remember_provenance(writes, at)
    indexing.reindex([(item.kind, item.after) for item in writes])
    return versions


def _event(item: Write, change: ChangeRequest, at: datetime) -> Event:
    document = item.after
    data = {
        "code": document["code"],
        "status": document["status"],
        "changed": item.paths[:200],
        "change_request": str(change.uid),
    }
    if item.merged_into:
        data["merged_into"] = item.merged_into
    if item.unmerged_from:
        data["unmerged_from"] = item.unmerged_from
    return Event(
        type=item.kind.key,
        subject=document["uid"],
        verb=VERBS[item.action],
        version=document["version"],
        data=data,
        change=change,
        correlation_id=change.correlation_id or correlation.current(),
        at=at,
    )


def _audit(item: Write, change: ChangeRequest, by: Actor, at: datetime) -> AuditEntry:
    document = item.after
    detail = {
        "change_request": change.number,
        "version": document["version"],
        "paths": item.paths[:200],
        **item.detail,
    }
    return audit.entry(
        action=f"record.{VERBS[item.action]}",
        by=by,
        object_type=item.kind.key,
        object_uid=document["uid"],
        object_label=f"{document['code']} {item.kind.name_of(document)}",
        detail=detail,
        at=at,
    )


def _remember_provenance(writes: Sequence[Write], at: datetime) -> None:
    known = {
        str(row.uid): row for row in Provenance.objects.filter(uid__in=[w.after["uid"] for w in writes if w.before])
    }
    groups = {kind.key: _groups(kind) for kind in dict.fromkeys(w.kind for w in writes if w.provenance is None)}
    new: list[Provenance] = []
    changed: list[Provenance] = []
    for item in writes:
        uid = item.after["uid"]
        row = known.get(uid) or Provenance(type=item.kind.key, uid=uid, fields={}, entered={})
        if item.provenance is None:
            row.fields, row.entered = _from_hub(row, item, at, groups[item.kind.key])
        else:
            row.entered = entered_after(row.entered, row.fields, item.provenance, item.before or {})
            row.fields = item.provenance
        row.updated_at = at
        (changed if uid in known else new).append(row)
    bulk.insert(new)
    bulk.update(changed, ["fields", "entered", "updated_at"])


def _groups(kind: RecordType) -> dict[str, str]:
    """{field: group} of fields that survive together."""
    rules = SurvivorshipRule.objects.filter(type=kind.key).exclude(together=[])
    named = {rule.path: "+".join([rule.path, *rule.together]) for rule in rules}
    return {name: block for block in named.values() for name in members(block)}


def _from_hub(
    row: Provenance, item: Write, at: datetime, groups: dict[str, str]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Whatever a person changed here now comes from the hub; rows and groups are blocks, so a part marks the whole."""
    fields, entered = dict(row.fields), dict(row.entered)
    touched = dict.fromkeys("/".join(path.split("/")[:2]) for path in item.paths)
    origin = {"system": HUB, "key": item.after["code"], "rule": "entered", "since": at.isoformat(), "of": 1}
    for path in touched:
        if path in ("status", "code"):
            continue
        block = groups.get(path, "")
        for name in members(block) if block else (path,):
            entered.pop(name, None)
            if value_at(item.after, name) in EMPTY:
                fields.pop(name, None)
            else:
                fields[name] = {**origin, "group": block} if block else dict(origin)
        entered.pop(block, None)
    return fields, entered


def entered_after(
    entered: dict[str, Any], was: dict[str, Any], now: dict[str, Any], before: Document
) -> dict[str, Any]:
    """What people entered and what no longer holds stays known: it takes part again when rules or sources change."""
    result = dict(entered)
    for path, origin in was.items():
        mine, then = _is_entered(origin), _is_entered(now.get(path) or {})
        if not mine or then:
            continue
        block = origin.get("group") or path
        value = {m: before.get(m) for m in members(block)} if "+" in block else plain(value_at(before, path))
        if value not in EMPTY:
            result[block] = {"value": value, "since": origin.get("since") or "", "key": origin.get("key") or ""}
    return result


def _is_entered(origin: dict[str, Any]) -> bool:
    return origin.get("system") == HUB and origin.get("rule") != "pinned"
