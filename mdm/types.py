"""Words every layer shares: actors, path changes of documents, canonical bytes and digests. No database here."""

from __future__ import annotations

import copy
import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from mdm.crypto import is_sealed

if TYPE_CHECKING:
    from django.contrib.auth.models import User

Document = dict[str, Any]
HEADER = ("schema", "uid", "version", "updated_at", "merged_into")  # never part of a diff

Action = Literal["create", "update", "block", "unblock", "retire", "merge", "unmerge", "detach"]


@dataclass(frozen=True)
class Actor:
    """Who acts. A token acts for the human behind it; the system acts for nobody and can never approve."""

    name: str
    kind: Literal["person", "token", "system"] = "person"
    user: User | None = None
    scopes: frozenset[str] = field(default=frozenset(), compare=False)

    @classmethod
    def person(cls, user: User) -> Actor:
        return cls(name=user.get_full_name() or user.get_username(), kind="person", user=user)

    @classmethod
    def system(cls, name: str) -> Actor:
        return cls(name=name, kind="system")


@dataclass(frozen=True)
class Change:
    """One difference: `path` is `field` or `children/<uid>` or `children/<uid>/field`; None means absent."""

    path: str
    before: Any
    after: Any

    def as_json(self) -> dict[str, Any]:
        return {"path": self.path, "before": self.before, "after": self.after}


@dataclass(frozen=True)
class Problem:
    """Why a value is not accepted; the same shape in forms, API answers, import problems and quarantine."""

    path: str
    code: str
    message: str
    severity: Literal["error", "warning"] = "error"

    def as_json(self) -> dict[str, str]:
        return {"path": self.path, "code": self.code, "message": self.message}


def comparable(value: Any) -> Any:
    """The value with sealed numbers replaced by their blind index, so that equal numbers compare equal."""
    if is_sealed(value):
        return {"bix": value["bix"]}
    if isinstance(value, Mapping):
        return {key: comparable(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [comparable(item) for item in value]
    return value


def same(left: Any, right: Any) -> bool:
    return bool(comparable(left) == comparable(right))


def canonical_bytes(value: Any) -> bytes:
    return json.dumps(
        comparable(value), sort_keys=True, separators=(",", ":"), ensure_ascii=False, default=str
    ).encode()


def digest(value: Any) -> str:
    """SHA-256 (hex) of the canonical form; stable across key rotation because sealed values count by blind index."""
    return hashlib.sha256(canonical_bytes(value)).hexdigest()


def _is_child_list(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and isinstance(value[0], dict) and "uid" in value[0]


def diff(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[Change]:
    """Normalised difference of two documents of one type, in document order; lists of children are compared by uid."""
    changes: list[Change] = []
    for name in dict.fromkeys((*before, *after)):
        if name in HEADER:
            continue
        old, new = before.get(name), after.get(name)
        if _is_child_list(old) or _is_child_list(new):
            changes += _diff_children(name, old or [], new or [])
        elif not same(old, new) and not (_empty(old) and _empty(new)):
            changes.append(Change(name, old, new))
    return changes


def _empty(value: Any) -> bool:
    return value is None or value == "" or value == []


def _diff_children(name: str, old: list[Document], new: list[Document]) -> list[Change]:
    before = {child["uid"]: child for child in old}
    after = {child["uid"]: child for child in new}
    changes: list[Change] = []
    for uid in dict.fromkeys((*before, *after)):
        left, right = before.get(uid), after.get(uid)
        if left is None or right is None:
            changes.append(Change(f"{name}/{uid}", left, right))
            continue
        for key in dict.fromkeys((*left, *right)):
            if not same(left.get(key), right.get(key)) and not (_empty(left.get(key)) and _empty(right.get(key))):
                changes.append(Change(f"{name}/{uid}/{key}", left.get(key), right.get(key)))
    return changes


def value_at(document: Mapping[str, Any], path: str) -> Any:
    """The value a change path points at, None when it is not there."""
    name, _, rest = path.partition("/")
    value = document.get(name)
    if not rest:
        return value
    uid, _, key = rest.partition("/")
    child = next((item for item in value or [] if item["uid"] == uid), None)
    return child.get(key) if child is not None and key else child


def apply_changes(document: Mapping[str, Any], changes: Iterable[Change]) -> Document:
    """A new document with the changes made; a path into a child that is gone adds nothing."""
    result: Document = copy.deepcopy(dict(document))
    for change in changes:
        name, _, rest = change.path.partition("/")
        if not rest:
            result[name] = change.after
            continue
        uid, _, key = rest.partition("/")
        children = [child for child in result.get(name) or [] if child["uid"] != uid or key or change.after is None]
        if key:
            for child in children:
                if child["uid"] == uid:
                    child[key] = change.after
        elif change.after is None:
            children = [child for child in children if child["uid"] != uid]
        else:
            children = [*children, dict(change.after)]
        result[name] = children
    return result


def conflicts(changes: Iterable[Change], current: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Three-way check: paths whose current value is neither what the request saw nor what it asks for."""
    found = []
    for change in changes:
        now = value_at(current, change.path)
        if not same(now, change.before) and not same(now, change.after) and not (_empty(now) and _empty(change.before)):
            found.append({"path": change.path, "base": change.before, "proposed": change.after, "current": now})
    return found
