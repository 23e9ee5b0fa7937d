"""A proposal as it was typed: texts by field, rows of lists, what was removed. Knows no database and no HTML.

What is wrong with a value is decided where it is for every door, in the record type's document; this only carries texts
there and back, so that nothing typed is ever lost.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from django.http import QueryDict

from mdm.crypto import is_sealed, mask
from mdm.registry import ChildType, RecordType
from mdm.types import Document, digest

ON = "on"
MOST_ROWS = 300  # of one list; the document itself allows fewer


@dataclass(frozen=True)
class Spec:
    """How one field is typed, as the JSON schema of its document says."""

    name: str
    kind: str  # text · number · date · boolean · list · choice · email · uid · country · currency
    required: bool = False
    default: Any = None
    choices: tuple[str, ...] = ()


@lru_cache(maxsize=64)
def specs(document: Any) -> tuple[Spec, ...]:
    """The fields of a document or of a row that a person types; lists of rows and of uids, and uids of rows are left out."""
    schema = document.model_json_schema()
    needed = schema.get("required", ())
    found = []
    for name, told in schema["properties"].items():
        if (
            name == "uid"
            or told.get("readOnly")
            or "$ref" in (items := told.get("items", {}))
            or items.get("format") == "uuid"
        ):
            continue
        plain = _without_null(told)
        found.append(
            Spec(name, _kind(plain), name in needed, told.get("default"), tuple(map(str, plain.get("enum", ()))))
        )
    return tuple(found)


def _without_null(told: dict[str, Any]) -> dict[str, Any]:
    while "anyOf" in told:
        told = next(option for option in told["anyOf"] if option.get("type") != "null")
    return told


_PATTERNS = {"^[A-Z]{2}$": "country", "^[A-Z]{3}$": "currency"}
_FORMATS = {"date": "date", "email": "email", "uuid": "uid"}
_TYPES = {"boolean": "boolean", "integer": "number", "number": "number", "array": "list"}


def _kind(plain: dict[str, Any]) -> str:
    if "enum" in plain:
        return "choice"
    known = _PATTERNS.get(plain.get("pattern", "")) or _FORMATS.get(plain.get("format", ""))
    return known or _TYPES.get(plain.get("type", ""), "text")


def text_of(value: Any) -> str:
    """A canonical value as it stands in its field; sealed numbers only as their mask."""
    if value is None or value is False:
        return ""
    if value is True:
        return ON
    if is_sealed(value):
        return str(mask(value))
    return "\n".join(map(str, value)) if isinstance(value, list) else str(value)


def value_of(spec: Spec, text: str) -> Any:
    """What a text means; whether it may be so is not decided here."""
    if spec.kind == "boolean":
        return text == ON
    if spec.kind == "list":
        return [line.strip() for line in text.splitlines() if line.strip()]
    return text.strip() or None


@dataclass
class Line:
    """One row of a list; `uid` empty: a new one."""

    values: dict[str, str]
    uid: str = ""


@dataclass
class Draft:
    values: dict[str, str] = field(default_factory=dict)
    lines: dict[str, list[Line]] = field(default_factory=dict)
    ended: set[str] = field(default_factory=set)  # "<list>/<uid>"
    code: str = ""
    reason: str = ""
    effective_on: str = ""

    def digest(self) -> str:
        """What of it would be sent, as one word: tells whether it changed since it was looked at."""
        lines = {name: [(line.uid, line.values) for line in listed] for name, listed in self.lines.items()}
        return digest([self.values, lines, sorted(self.ended), self.code, self.effective_on])


def read_document(kind: RecordType, document: Document) -> Draft:
    draft = Draft({spec.name: text_of(document.get(spec.name)) for spec in specs(kind.document)})
    for child in kind.children:
        draft.lines[child.name] = [
            Line({spec.name: text_of(row.get(spec.name)) for spec in specs(child.document)}, row["uid"])
            for row in document.get(child.name) or []
        ]
    return draft


def blank_line(document: Any) -> Line:
    return Line({spec.name: text_of(spec.default) for spec in specs(document)})


def is_blank(document: Any, line: Line) -> bool:
    """A new row nobody wrote into is not a row."""
    return not line.uid and all(
        line.values.get(spec.name, "").strip() in ("", text_of(spec.default)) for spec in specs(document)
    )


def read_post(kind: RecordType, posted: QueryDict) -> Draft:
    draft = Draft({spec.name: _text(posted, spec.name) for spec in specs(kind.document)})
    draft.code, draft.reason = _text(posted, "code").strip(), _text(posted, "reason").strip()
    draft.effective_on = _text(posted, "effective_on").strip()
    draft.ended = set(posted.getlist("ended")[:MOST_ROWS])
    for child in kind.children:
        pattern = re.compile(rf"{child.name}-(\d{{1,4}})-uid")
        numbers = sorted(int(found[1]) for key in posted if (found := pattern.fullmatch(key)))[:MOST_ROWS]
        draft.lines[child.name] = [
            Line(
                {spec.name: _text(posted, f"{child.name}-{number}-{spec.name}") for spec in specs(child.document)},
                _text(posted, f"{child.name}-{number}-uid"),
            )
            for number in numbers
        ]
    return draft


def _text(posted: QueryDict, name: str) -> str:
    return str(posted.get(name, "")).replace("\r\n", "\n")


def add(kind: RecordType, draft: Draft, name: str) -> None:
    child = next((child for child in kind.children if child.name == name), None)
    if child:
        draft.lines.setdefault(name, []).append(blank_line(child.document))


def remove(draft: Draft, what: str) -> None:
    """`<list>-<place>`; a row the record already has is remembered as ended."""
    name, _, place = what.rpartition("-")
    lines = draft.lines.get(name, [])
    if place.isdigit() and int(place) < len(lines):
        line = lines.pop(int(place))
        if line.uid:
            draft.ended.add(f"{name}/{line.uid}")


def filled(child: ChildType, draft: Draft) -> list[tuple[int, Line]]:
    """The rows that count, with their places on the form."""
    lines = enumerate(draft.lines.get(child.name, []))
    return [(place, line) for place, line in lines if not is_blank(child.document, line)]


def patch_of(kind: RecordType, draft: Draft, *, new: bool) -> Document:
    """The merge-patch the API would be sent: every field and row of the form, ended rows as ended.

    A new record leaves out what is empty, so that a missing field is called missing.
    """
    patch: Document = {}
    for spec in specs(kind.document):
        value = value_of(spec, draft.values.get(spec.name, ""))
        if value not in (None, []) or not new:
            patch[spec.name] = value
    for child in kind.children:
        rows = [_row(child.document, line) for _, line in filled(child, draft)]
        ended = [key.partition("/")[2] for key in sorted(draft.ended) if key.startswith(f"{child.name}/")]
        patch[child.name] = [*rows, *({"uid": uid, "_end": True} for uid in ended)]
    return patch


def _row(document: Any, line: Line) -> Document:
    row: Document = {"uid": line.uid} if line.uid else {}
    for spec in specs(document):
        value = value_of(spec, line.values.get(spec.name, ""))
        if value is not None or line.uid:
            row[spec.name] = value
    return row


def rebase(mine: Draft, base: Draft, now: Draft) -> list[str]:
    """Carry what was typed over to a record that moved on: untouched fields take its new values.

    Changes `mine`; answers the paths (`field`, `list/uid/field`) that both sides changed. There, what was typed stays.
    """
    clashes = _carry(mine.values, base.values, now.values, "")
    for name, current in now.lines.items():
        mine.lines.setdefault(name, [])
        old = {line.uid: line for line in base.lines.get(name, [])}
        typed = {line.uid: line for line in mine.lines[name] if line.uid}
        for line in current:
            if line.uid in typed:
                before = old.get(line.uid, line)
                clashes += _carry(typed[line.uid].values, before.values, line.values, f"{name}/{line.uid}/")
            elif f"{name}/{line.uid}" not in mine.ended:
                mine.lines[name].append(line)
        here = {line.uid for line in current}
        mine.lines[name] = [line for line in mine.lines[name] if not line.uid or line.uid in here]
        mine.ended = {key for key in mine.ended if not key.startswith(f"{name}/") or key.partition("/")[2] in here}
    return clashes


def _carry(mine: dict[str, str], base: Mapping[str, str], now: Mapping[str, str], prefix: str) -> list[str]:
    clashes = []
    for name, current in now.items():
        before = base.get(name, "")
        if mine.get(name, "") == before:
            mine[name] = current
        elif current not in (before, mine.get(name, "")):
            clashes.append(prefix + name)
    return clashes
