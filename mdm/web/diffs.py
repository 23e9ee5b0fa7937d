"""A diff as people read it: by part of the record, words marked inside values, unchanged fields folded."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from mdm import periods, types
from mdm.crypto import is_sealed
from mdm.registry import ChildType, RecordType
from mdm.web.values import day, is_empty, show
from mdm.web.words import Word, word_diff

NAMING = ("name", "kind", "scheme", "role", "legal_entity", "iban", "account_number", "number", "value")


@dataclass(frozen=True, kw_only=True)
class DiffRow:
    path: str
    label: str
    before: Any
    after: Any
    kind: str  # added · removed · changed · same
    words_before: Sequence[Word] = ()
    words_after: Sequence[Word] = ()
    sealed: bool = False
    effective_on: date | None = None


@dataclass(frozen=True, kw_only=True)
class DiffChild:
    label: str
    kind: str
    rows: Sequence[DiffRow]
    unchanged: Sequence[DiffRow] = ()
    effective_on: date | None = None


@dataclass(frozen=True, kw_only=True)
class DiffGroup:
    label: str
    icon: str
    note: str
    rows: Sequence[DiffRow] = ()
    children: Sequence[DiffChild] = ()


@dataclass(frozen=True, kw_only=True)
class Diff:
    groups: Sequence[DiffGroup]
    unchanged: Sequence[DiffRow] = field(default=())
    summary: str = ""
    count: int = 0
    effective_on: date | None = None


@dataclass(frozen=True, kw_only=True)
class Conflict:
    path: str
    label: str
    base: Any
    proposed: Any
    current: Any
    sealed: bool = False
    why: str = ""


def row(path: str, label: str, before: Any, after: Any, *, effective_on: date | None = None) -> DiffRow:
    """One line of the diff. A sealed number is marked whole: its words would tell more than its mask."""
    gone, new = is_empty(before), is_empty(after)
    equal = types.same(before, after) or (gone and new)
    kind = "same" if equal else "added" if gone else "removed" if new else "changed"
    sealed = is_sealed(before) or is_sealed(after)
    if kind == "same" or sealed:
        words = ([Word(show(before), kind != "same")], [Word(show(after), kind != "same")])
    else:
        words = word_diff("" if gone else show(before), "" if new else show(after))
    return DiffRow(
        path=path, label=label, before=before, after=after, kind=kind, sealed=sealed,
        words_before=words[0], words_after=words[1], effective_on=effective_on,
    )  # fmt: skip


def arrange(
    kind: RecordType,
    changes: Iterable[types.Change | Mapping[str, Any]],
    *,
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
    effective_on: date | None = None,
) -> Diff:
    """The changes of one record by section and by child, in the order of the record type."""
    listed = [_change(change) for change in changes]
    old = before or {}
    new = after if after is not None else types.apply_changes(old, listed)
    plain = [change for change in listed if "/" not in change.path]
    groups = _section_groups(kind, plain, effective_on)
    groups += _child_groups(kind, listed, old, new, effective_on)
    touched = {change.path for change in plain}
    return Diff(
        groups=groups,
        unchanged=_unchanged_fields(kind, old, touched) if old else (),
        summary=_summary(kind, plain, listed),
        count=len(listed),
        effective_on=effective_on,
    )


def conflict_rows(kind: RecordType, conflicts: Iterable[Mapping[str, Any]]) -> list[Conflict]:
    return [
        Conflict(
            path=c["path"], label=kind.label(c["path"]),
            base=c["base"], proposed=c["proposed"], current=c["current"],
            sealed=any(is_sealed(c[side]) for side in ("base", "proposed", "current")), why=c.get("why", ""),
        )
        for c in conflicts
    ]  # fmt: skip


def _change(change: types.Change | Mapping[str, Any]) -> types.Change:
    if isinstance(change, types.Change):
        return change
    return types.Change(change["path"], change["before"], change["after"])


def _section_groups(kind: RecordType, changes: list[types.Change], effective_on: date | None) -> list[DiffGroup]:
    groups = []
    left = {change.path: change for change in changes}
    sections = [(section.title, section.fields) for section in kind.sections]
    for title, names in [*sections, ("Other fields", tuple(left))]:
        rows = [
            row(name, kind.label(name), c.before, c.after, effective_on=effective_on)
            for name in names
            if (c := left.pop(name, None))
        ]
        if rows:
            note = f"{len(rows)} field{'s' * (len(rows) > 1)}"
            groups.append(DiffGroup(label=title, icon=kind.icon, note=note, rows=rows))
    return groups


def _child_groups(
    kind: RecordType,
    changes: list[types.Change],
    old: Mapping[str, Any],
    new: Mapping[str, Any],
    effective_on: date | None,
) -> list[DiffGroup]:
    groups = []
    for child in kind.children:
        mine = [change for change in changes if change.path.startswith(f"{child.name}/")]
        uids = dict.fromkeys(change.path.split("/")[1] for change in mine)
        parts = [_child(kind, child, uid, mine, old, new, effective_on) for uid in uids]
        if parts:
            tally = Counter(part.kind for part in parts)
            note = " · ".join(f"{tally[word]} {word}" for word in ("added", "changed", "removed") if tally[word])
            icon = ICONS.get(child.name, kind.icon)
            groups.append(DiffGroup(label=child.title, icon=icon, note=note, children=parts))
    return groups


# Names of lists that several record types share; any other list wears the icon of its record type.
ICONS = {
    "bank_accounts": "bank",
    "contacts": "user",
    "addresses": "home",
    "tax_registrations": "tax",
    "slices": "calendar",
}


def _child(
    kind: RecordType,
    child: ChildType,
    uid: str,
    changes: list[types.Change],
    old: Mapping[str, Any],
    new: Mapping[str, Any],
    effective_on: date | None,
) -> DiffChild:
    prefix = f"{child.name}/{uid}"
    whole = next((change for change in changes if change.path == prefix), None)
    inside = [change for change in changes if change.path.startswith(f"{prefix}/")]
    fields = {change.path.removeprefix(f"{prefix}/"): change for change in inside}
    if whole is not None:
        left, right = whole.before or {}, whole.after or {}
        rows = [
            row(f"{prefix}/{name}", _child_label(kind, child, name), left.get(name), right.get(name))
            for name in dict.fromkeys((*left, *right))
            if name != "uid" and not (is_empty(left.get(name)) and is_empty(right.get(name)))
        ]
        label, verb = child_name(child, right or left), "added" if right else "removed"
        return DiffChild(label=label, kind=verb, rows=rows, effective_on=effective_on)
    document = types.value_at(old, prefix) or types.value_at(new, prefix) or {}
    rows = [
        row(c.path, _child_label(kind, child, name), c.before, c.after, effective_on=effective_on)
        for name, c in fields.items()
    ]
    same = [
        row(f"{prefix}/{name}", _child_label(kind, child, name), value, value)
        for name, value in document.items()
        if name not in fields and name != "uid" and not is_empty(value)
    ]
    return DiffChild(label=child_name(child, document), kind="changed", rows=rows, unchanged=same)


def _child_label(kind: RecordType, child: ChildType, name: str) -> str:
    known = kind.labels.get(f"{child.name}.{name}") or kind.labels.get(name)
    return known or name.replace("_", " ").capitalize()


def period_words(row: Mapping[str, Any]) -> str:
    """“until 1 Sep 2026”, “from 1 Sep 2026”, “1 Mar 2026 – 1 Sep 2026”, “always”."""
    start, end = (date.fromisoformat(row[name]) if row.get(name) else None for name in periods.BOUNDS)
    if start and end:
        return f"{day(start)} – {day(end)}"
    return f"from {day(start)}" if start else f"until {day(end)}" if end else "always"


def child_name(child: ChildType, document: Mapping[str, Any]) -> str:
    """Words by which a person knows this row: its identity, else the first telling field; a period by its days."""
    if child.identity[:1] == periods.BOUNDS[:1]:
        return period_words(document)
    parts = [document.get(name) for name in (*child.identity, *NAMING)]
    named = [show(value).replace("_", " ") for value in parts if not is_empty(value)]
    return ", ".join(dict.fromkeys(named[:2])) if named else child.title


def _unchanged_fields(kind: RecordType, document: Mapping[str, Any], touched: set[str]) -> list[DiffRow]:
    children = {child.name for child in kind.children}
    return [
        row(name, kind.label(name), value, value)
        for name, value in document.items()
        if name not in touched and name not in children and name not in types.HEADER and not is_empty(value)
    ]


def _summary(kind: RecordType, plain: list[types.Change], listed: list[types.Change]) -> str:
    words = [f"{len(plain)} field{'s' * (len(plain) > 1)}"] if plain else []
    for child in kind.children:
        uids = {c.path.split("/")[1] for c in listed if c.path.startswith(f"{child.name}/")}
        if uids:
            words.append(f"{len(uids)} in {child.title.lower()}")
    return ", ".join(words)
