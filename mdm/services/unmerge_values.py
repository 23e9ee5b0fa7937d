"""Taking a merge apart value by value: what the survivor gives back, what stays with it, what goes to whom."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from mdm import registry
from mdm.errors import CorrectInput
from mdm.models import ChangeItem, Provenance
from mdm.selectors import records
from mdm.services import documents, merge_result
from mdm.services.unmerge_case import Case, block_of
from mdm.types import Document, diff, same, value_at

_EMPTY: tuple[Any, ...] = (None, "", [])
_GIVEN = ("status", "code")  # whoever blocked the survivor since blocked the survivor


@dataclass(frozen=True)
class Since:
    """A value changed after the merge. `holder`: the record that keeps it; `default`: who keeps it unless chosen."""

    path: str
    label: str
    base: Any
    value: Any
    holder: str
    default: str
    origin: Mapping[str, Any] | None

    def as_json(self) -> dict[str, Any]:
        return {
            "path": self.path,
            "label": self.label,
            "merged": self.base,
            "value": self.value,
            "holder": self.holder,
            "default": self.default,
            "system": (self.origin or {}).get("system"),
        }


@dataclass
class Split:
    """The documents afterwards. `origins`: {uid: {block: provenance}} of values that go to a restored record.

    `followed`: {uid: [{path, old, new}]} of references that lead to records which were merged in the meantime.
    """

    survivor: Document
    restored: dict[str, Document]
    since: list[Since] = field(default_factory=list)
    origins: dict[str, dict[str, Any]] = field(default_factory=dict)
    followed: dict[str, list[dict[str, str]]] = field(default_factory=dict)


def split(case: Case, holders: Mapping[str, str], goes_back: Mapping[tuple[str, str], str]) -> Split:
    """Three-way per field or row: as the merge made it (`base`), as it would be without it (`want`), as it is now.

    `holders`: {path: uid of who keeps a value changed since}. `goes_back`: {(system, key): restored uid}: a value
    whose source goes back goes with it unless somebody says otherwise; every other one stays with the survivor.
    """
    now = case.now[case.survivor]
    origins = Provenance.objects.filter(uid=case.survivor).values_list("fields", flat=True).first() or {}
    made = Split(survivor=dict(now), restored={uid: dict(case.before[uid]) for uid in case.restored})
    led_base, led_want = _led_on(case, case.survivor, case.base)[0], _led_on(case, case.survivor, case.want)
    changed = [c.path for c in (*diff(led_base, led_want[0]), *diff(led_base, now))]
    blocks = [block for block in dict.fromkeys(block_of(path) for path in changed) if block not in _GIVEN]
    for block in blocks:
        base, want, value = (value_at(document, block) for document in (led_base, led_want[0], now))
        if _equal(base, value):
            _put(made.survivor, block, want)
            continue
        if _equal(want, value):
            continue
        origin = origins.get(block)
        default = goes_back.get(((origin or {}).get("system", ""), (origin or {}).get("key", "")), case.survivor)
        holder = str(holders.get(block, default))
        if holder not in (case.survivor, *case.restored):
            raise CorrectInput(f"{case.kind.label(block)} can stay, or go to a record that is restored.")
        made.since.append(Since(block, case.kind.label(block), base, value, holder, default, origin))
        if holder == case.survivor:
            _put(made.survivor, block, _three_way(base, want, value))
        else:
            _put(made.survivor, block, want)
            _give(case, made, holder, block, base, value, origin)
    if unknown := sorted(set(holders) - {row.path for row in made.since}):
        raise CorrectInput(f"{unknown[0]} has not changed since the merge: it goes back by itself.")
    for uid, document in made.restored.items():
        made.restored[uid], led = _led_on(case, uid, document)
        made.followed |= {uid: led} if led else {}
    # The survivor's references that go back and lead on: those alone its request changes.
    led = [
        one
        for one in led_want[1]
        if same(made.survivor[one["path"]], one["new"]) and not same(now[one["path"]], one["new"])
    ]
    made.followed |= {case.survivor: led} if led else {}
    return made


def _equal(left: Any, right: Any) -> bool:
    return same(left, right) or (left in _EMPTY and right in _EMPTY)


def _three_way(base: Any, want: Any, value: Any) -> Any:
    """Plain lists lose what the merge brought and keep what came since; anything else keeps its new value."""
    if not isinstance(base, list) or not isinstance(value, list):
        return value
    kept = [item for item in want or [] if item in value or item not in base]
    return kept + [item for item in value if item not in base and item not in kept]


def _put(document: Document, block: str, value: Any) -> None:
    name, _, row_uid = block.partition("/")
    if not row_uid:
        document[name] = value
        return
    rows = list(document.get(name) or [])
    place = next((i for i, row in enumerate(rows) if row["uid"] == row_uid), None)
    if value is None:
        rows = [row for row in rows if row["uid"] != row_uid]
    elif place is None:
        rows.append(dict(value))
    else:
        rows[place] = dict(value)
    document[name] = rows


def _give(case: Case, made: Split, uid: str, block: str, base: Any, value: Any, origin: Any) -> None:
    """The restored record takes the value over; a row takes the place of its own row of the same identity."""
    name, _, row_uid = block.partition("/")
    document = made.restored[uid]
    if not row_uid:
        if name in merge_result.own_references(case.kind) and value == uid:
            return  # nothing refers to itself
        document[name] = _three_way(base, document.get(name), value)
        made.origins.setdefault(uid, {})[block] = origin
        return
    child = case.kind.child(name)
    meant = {documents.identity(child, row) for row in (base, value) if row}
    own = next((row for row in document.get(name) or [] if documents.identity(child, row) in meant), None)
    place = f"{name}/{own['uid'] if own else documents.fresh_uid()}"
    _put(document, place, None if value is None else {**value, "uid": place.partition("/")[2]})
    made.origins.setdefault(uid, {})[place] = origin


def _led_on(case: Case, uid: str, document: Document) -> tuple[Document, list[dict[str, str]]]:
    """The document with its references as they would be had it lived on: what they name was merged or restored since.

    And what was led on where, for whoever restores that.
    """
    result, led = dict(document), []
    for path, key in case.kind.references.items():
        value = document.get(path)
        if not value or not merge_result.is_uid_field(case.kind, path):
            continue
        old = result[path] = _led_back(case, uid, path, value)
        if old in case.restored:
            continue
        new = records.survivor_uid(registry.get(key), old)
        if new not in (old, uid):
            result[path] = new
            led.append({"path": path, "old": old, "new": new})
    return result, led


def _led_back(case: Case, uid: str, path: str, value: str) -> str:
    """What this reference named before merges moved it, as far as those were undone after the merge of this case."""
    items = ChangeItem.objects.filter(uid=uid, request__kind__in=("merge", "unmerge"), request__state="applied")
    for item in items.order_by("-pk"):
        moves = [(c["before"], c["after"]) for c in item.changes if c["path"] == path and item.action == "update"]
        moves += [(led["old"], led["new"]) for led in item.detail.get("followed", ()) if led["path"] == path]
        for before, after in moves:
            if after == value and before and _restored_since(case, before):
                value = before
    return value


def _restored_since(case: Case, uid: str) -> bool:
    return ChangeItem.objects.filter(
        uid=uid,
        action="unmerge",
        detail__has_key="unmerged_from",
        request__state="applied",
        request__applied_at__gt=case.merge.applied_at,
    ).exists()


def order_of(case: Case, changed: Sequence[str]) -> dict[str, list[str]]:
    """{child list: uids as they stood before the merge} of the lists that change: rows return to their places."""
    names = {path.split("/")[0] for path in changed if "/" in path}
    first = case.before[case.survivor]
    return {name: [row["uid"] for row in first.get(name) or []] for name in sorted(names)}
