"""What a form sent: read without judging, kept as typed, and turned into the patch that says what the person changed."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from django.http import QueryDict
from django.utils.dateparse import parse_date

from mdm import crypto, registry
from mdm.registry import ChildType, RecordType
from mdm.types import Document, Problem
from mdm.web.form import shapes
from mdm.web.form.shapes import FieldShape
from mdm.web.references import is_by_uid

MOST_ROWS = 200
_DAY = re.compile(r"(\d{1,2})[./](\d{1,2})[./](\d{4})")


@dataclass
class SentRow:
    """A row of a list as sent. `uid` is empty for a new one."""

    index: int
    uid: str
    removed: bool
    values: dict[str, Any]


@dataclass
class Sent:
    """Everything typed, by field; booleans as such, lists as lists, all else as text."""

    values: dict[str, Any]
    rows: dict[str, list[SentRow]]
    code: str = ""
    reason: str = ""
    effective_on: str = ""
    priority: str = "normal"
    base_version: int | None = None
    problems: list[Problem] = field(default_factory=list)

    def day(self) -> date | None:
        """The effective date; a problem when it cannot be read or is over."""
        if not self.effective_on:
            return None
        day = read_day(self.effective_on)
        if day is None:
            self.problems.append(Problem("_effective_on", "date_parsing", "This must be a date such as 2026-01-31."))
        return day


def read_day(text: str) -> date | None:
    """2026-01-31, and what people type: 31.1.2026 or 31/1/2026."""
    if match := _DAY.fullmatch(text.strip()):
        text = f"{match[3]}-{int(match[2]):02}-{int(match[1]):02}"
    try:
        return parse_date(text.strip())
    except ValueError:
        return None


def read(kind: RecordType, data: QueryDict) -> Sent:
    version = data.get("_base_version", "")
    return Sent(
        values={one.name: _value(one, data, one.name) for one in shapes.fields(kind)},
        rows={child.name: _rows(kind, child, data) for child in kind.children},
        code=data.get("_code", "").strip()[:60],
        reason=data.get("_reason", "").strip()[:5000],
        effective_on=data.get("_effective_on", "").strip()[:40],
        priority="urgent" if data.get("_priority") == "urgent" else "normal",
        base_version=int(version) if version.isdigit() and len(version) < 10 else None,
    )


def _rows(kind: RecordType, child: ChildType, data: QueryDict) -> list[SentRow]:
    head = re.compile(rf"{child.name}-(\d{{1,4}})-")
    indexes = sorted({int(match[1]) for name in data if (match := head.match(name))})[:MOST_ROWS]
    return [
        SentRow(
            index=index,
            uid=data.get(f"{child.name}-{index}-uid", "")[:36],
            removed=f"{child.name}-{index}-removed" in data,
            values={
                one.name: _value(one, data, f"{child.name}-{index}-{one.name}")
                for one in shapes.child_fields(kind, child)
            },
        )
        for index in indexes
    ]


def _value(one: FieldShape, data: QueryDict, name: str) -> Any:
    if one.shape == "yes":
        return name in data
    text = data.get(name, "")
    if one.shape == "lines":
        return [line.strip() for line in text.splitlines() if line.strip()]
    text = text.strip()
    if one.shape == "day" and (day := read_day(text)):
        return day.isoformat()
    return text


# --- a document as if it had been typed -----------------------------------------------------------------------


def of_document(kind: RecordType, document: Document, names: Any) -> Sent:
    """The form filled from a document; numbers as their mask, references by uid as the code people know."""
    return Sent(
        values={one.name: typed(one, document.get(one.name), names) for one in shapes.fields(kind)},
        rows={
            child.name: [
                SentRow(
                    index=index,
                    uid=row.get("uid") or "",
                    removed=False,
                    values={one.name: typed(one, row.get(one.name), names) for one in shapes.child_fields(kind, child)},
                )
                for index, row in enumerate(document.get(child.name) or [])
            ]
            for child in kind.children
        },
        base_version=document.get("version") or None,
    )


def typed(one: FieldShape, value: Any, names: Any = None) -> Any:
    if one.shape == "yes":
        return bool(value)
    if one.shape == "lines":
        return list(value or [])
    if crypto.is_sealed(value):
        return crypto.mask(value)
    named = names.of(one.reference, value) if names is not None and one.reference else None
    return named.code if named else "" if value is None else str(value)


def empty(kind: RecordType) -> Sent:
    defaults = {one.name: typed(one, one.default) for one in shapes.fields(kind)}
    return Sent(values=defaults, rows={child.name: [] for child in kind.children})


def new_row(kind: RecordType, child: ChildType, rows: Sequence[SentRow]) -> SentRow:
    index = max((row.index for row in rows), default=-1) + 1
    defaults = {one.name: typed(one, one.default) for one in shapes.child_fields(kind, child)}
    return SentRow(index=index, uid="", removed=False, values=defaults)


# --- the patch ------------------------------------------------------------------------------------------------


def patch(kind: RecordType, sent: Sent, seen: Sent) -> Document:
    """Only what differs from what the form showed: what others changed meanwhile is not sent back as it was."""
    result: Document = {
        one.name: _canonical(kind, one, sent.values[one.name], sent.problems, one.name)
        for one in shapes.fields(kind)
        if sent.values[one.name] != seen.values[one.name]
    }
    for child in kind.children:
        rows = _child_patch(kind, child, sent, seen)
        if rows:
            result[child.name] = rows
    return result


def _child_patch(kind: RecordType, child: ChildType, sent: Sent, seen: Sent) -> list[Document]:
    before = {row.uid: row for row in seen.rows[child.name] if row.uid}
    result: list[Document] = []
    for row in sent.rows[child.name]:
        if row.removed:
            result += [{"uid": row.uid, "_end": True}] if row.uid else []
            continue
        old = before.get(row.uid)
        if old is None and is_blank(kind, child, row):
            continue
        changed = {
            one.name: _canonical(kind, one, row.values[one.name], sent.problems, f"{child.name}-{row.index}-{one.name}")
            for one in shapes.child_fields(kind, child)
            if old is None or row.values[one.name] != old.values[one.name]
        }
        if old is None:
            result.append({name: value for name, value in changed.items() if value not in (None, "")})
        elif changed:
            result.append({"uid": row.uid, **changed})
    return result


def is_blank(kind: RecordType, child: ChildType, row: SentRow) -> bool:
    """A new row nobody typed anything into: only its defaults stand there."""
    return all(row.values[one.name] in (typed(one, one.default), "", [], False) for one in shapes.child_fields(kind, child))


def _canonical(kind: RecordType, one: FieldShape, value: Any, problems: list[Problem], name: str) -> Any:
    if one.shape in ("yes", "lines"):
        return value
    if value == "":
        return None
    if one.shape == "reference" and is_by_uid(kind, one.reference):
        return _uid_of(kind, one, value, problems, name)
    return value


def _uid_of(kind: RecordType, one: FieldShape, value: str, problems: list[Problem], name: str) -> str | None:
    """People name a record by its code; the document holds its uid."""
    target = registry.get(kind.references[one.reference])
    found = target.model._default_manager.filter(code__iexact=value).values_list("uid", flat=True).first()
    if found is None:
        text = f"There is no {target.title.lower()} with the code “{value[:60]}”."
        problems.append(Problem(name, "unknown_reference", text))
        return None
    return str(found)


def whole(kind: RecordType, sent: Sent) -> Document:
    """Everything typed as a body, for comparing with stored records; what cannot be read is simply left out."""
    scratch = Sent(values={}, rows={})
    body: Document = {}
    for one in shapes.fields(kind):
        body[one.name] = _canonical(kind, one, sent.values[one.name], scratch.problems, one.name)
    for child in kind.children:
        body[child.name] = [
            {one.name: _loose(one, row.values[one.name]) for one in shapes.child_fields(kind, child)}
            for row in sent.rows[child.name]
            if not row.removed and not is_blank(kind, child, row)
        ]
    return body


def _loose(one: FieldShape, value: Any) -> Any:
    if one.shape == "sealed":
        number = crypto.normalise_number(value)
        return crypto.seal(number) if len(number) >= 4 and "…" not in number else None
    return value if value not in ("", []) or one.shape == "lines" else None

