"""The proposal as form fields: which control each field of a record type gets, in which group, with which help and error."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from django.db.models import UUIDField

from mdm import registry
from mdm.periods import BOUNDS
from mdm.registry import ChildType, RecordType
from mdm.selectors import search_records, visibility
from mdm.selectors.visibility import Entities
from mdm.types import Problem
from mdm.web import diffs, memory
from mdm.web.propose_form import ON, Draft, Line, Spec, specs
from mdm.web.tables import Field, Option

MOST_CHOICES = 200  # of a select; a longer list is searched by typing
KEEP = 60  # seconds the choices are kept
_MONO = ("country", "currency", "uid")
_WIDE = ("list",)
_HELP = {
    "list": "One per line.",
    "country": "ISO code, such as DE.",
    "currency": "ISO code, such as EUR.",
    "date": "",
}

_BOUNDS_HELP = {
    True: {"valid_from": "Left empty, it has always been so.", "valid_to": "The day it ends; left empty, it goes on."},
    False: {
        "valid_from": "What you change above holds from this day on.",
        "valid_to": "Up to this day; unchanged, until what is planned next.",
    },
}


class Controls:
    """Makes the fields of one form; remembers the choices it looked up, however many rows ask for them."""

    def __init__(
        self,
        kind: RecordType,
        entities: Entities,
        *,
        errors: Mapping[str, str],
        notes: Mapping[str, str],
        offers: Mapping[str, Sequence[tuple[str, str]]],
        check_url: str,
        new: bool = False,
    ) -> None:
        self.kind, self.entities, self.new = kind, entities, new
        self.errors, self.notes, self.offers, self.check_url = errors, notes, offers, check_url
        self._choices: dict[str, list[tuple[str, str]]] = {}

    def field(self, spec: Spec, text: str, *, child: ChildType | None = None, place: int = 0) -> Field:
        name = f"{child.name}-{place}-{spec.name}" if child else spec.name
        label = label_of(self.kind, spec.name, child)
        sealed = bool(child and spec.name in child.sealed)
        given: dict[str, Any] = {
            "name": name,
            "label": label,
            "value": text,
            "error": self.errors.get(name, ""),
            "help": self.notes.get(name) or self._help(spec, sealed, text, child),
            "optional": not spec.required and spec.default is None and spec.kind != "boolean",
            "validate_url": self.check_url,
        }
        if spec.kind == "boolean":
            return Field(**given | {"kind": "checkbox", "checked": text == ON, "value": ON})
        path = f"{child.name}.{spec.name}" if child else spec.name
        if path in self.kind.references:
            return self._reference(path, given, text, required=spec.required)
        if spec.kind == "choice":
            words = [
                (value, value.replace("_", " ").capitalize() if value.islower() else value) for value in spec.choices
            ]
            blank = not spec.required and spec.default is None
            return Field(**given, kind="select", options=_options(words, text, blank=blank))
        if spec.kind in ("country", "currency"):
            used = [(value, value) for value in self._used(spec.kind)]
            return Field(**given, kind="combo", mono=True, options=_options(used, text, blank=False, keep=False))
        if spec.kind == "list":
            return Field(**given, kind="textarea")
        return Field(**given, kind="date" if spec.kind == "date" else "text", mono=sealed or spec.kind in _MONO)

    def _help(self, spec: Spec, sealed: bool, text: str, child: ChildType | None) -> str:
        if sealed and "…" in text:
            return "Leave it as it is, or type the whole new number."
        if spec.name == self.kind.name_field and self.kind.match and self.new:
            return "As in the commercial register. Similar records appear beside it while you type."
        if spec.name in BOUNDS and self.kind.periods and child is None:
            return _BOUNDS_HELP[self.new][spec.name]
        return _HELP.get(spec.kind, "")

    def _reference(self, path: str, given: dict[str, Any], text: str, *, required: bool) -> Field:
        key = self.kind.references[path]
        choices = [] if by_uid(self.kind, path) else self.choices(key)
        if choices:
            return Field(**given, kind="select", options=_options(choices, text, blank=not required or not text))
        title = registry.get(key).noun
        help_ = given["help"] or f"Type the code of a {title}, or a part of its name: the ones that fit are offered."
        found = [Option(value=value, label=label) for value, label in self.offers.get(given["name"], ())]
        return Field(**given | {"help": help_}, kind="combo", options=found)

    def choices(self, key: str) -> list[tuple[str, str]]:
        """(code, words) a reference may lead to; companies of others are not offered."""
        if key not in self._choices:
            found = memory.remember(
                f"refs:{key}:{visibility.kept_for(registry.get(key), self.entities)}",
                KEEP,
                lambda: search_records.choices_of(key, MOST_CHOICES, self.entities),
            )
            self._choices[key] = [(c, f"{c} · {title}") for c, title in found]
        return self._choices[key]

    def _used(self, column: str) -> list[str]:
        if column not in self.kind.filters:
            return []
        return memory.remember(
            f"choices:{self.kind.key}:{column}:{visibility.kept_for(self.kind, self.entities)}",
            300,
            lambda: search_records.values_of(self.kind, column, self.entities),
        )


def by_uid(kind: RecordType, path: str) -> bool:
    """Whether a reference holds the uid of a record rather than its code."""
    name, _, column = path.partition(".")
    model = kind.child(name).model if column else kind.model
    return isinstance(model._meta.get_field(column or name), UUIDField)


def label_of(kind: RecordType, name: str, child: ChildType | None = None) -> str:
    known = kind.labels.get(f"{child.name}.{name}") if child else None
    return known or kind.labels.get(name) or name.replace("_", " ").capitalize()


def _options(choices: Iterable[tuple[str, str]], text: str, *, blank: bool, keep: bool = True) -> list[Option]:
    """What is held now stays choosable even when it is no choice any more: nothing typed is lost."""
    listed = list(choices)
    if blank:
        listed = [("", ""), *listed]
    if keep and text not in [value for value, _ in listed]:
        listed = [(text, text), *listed]
    return [Option(value=value, label=label, selected=value == text) for value, label in listed]


# --- groups ---------------------------------------------------------------------------------------------------


def groups(controls: Controls, draft: Draft, *, new: bool) -> list[dict[str, Any]]:
    kind = controls.kind
    known = {spec.name: spec for spec in specs(kind.document)}
    sections = [(section.title, [name for name in section.fields if name in known]) for section in kind.sections]
    placed = {name for _, names in sections for name in names}
    sections.append(("Other", [name for name in known if name not in placed]))
    found: list[dict[str, Any]] = []
    for title, names in sections:
        fields = [(known[name], controls.field(known[name], draft.values.get(name, ""))) for name in names]
        if fields:
            found.append({"legend": title, "help": "", "rows": _rows(fields, kind.name_field), "children": None})
    if new and found:
        found[0]["rows"].insert(1, [_code(kind, draft, controls.errors)])
    return [*found, *(_children(controls, draft, child) for child in kind.children), _why(controls, draft)]


def _rows(fields: Sequence[tuple[Spec, Field]], alone: str = "") -> list[list[Field]]:
    """Two short fields side by side, boxes to tick with their like; the name and lists by themselves."""
    rows: list[list[Field]] = []
    open_ = ""  # what the last row has room for
    for spec, field in fields:
        wide = spec.name == alone or spec.kind in _WIDE
        like = "" if wide else "box" if spec.kind == "boolean" else "short"
        if like and like == open_:
            rows[-1].append(field)
            open_ = ""
        else:
            rows.append([field])
            open_ = like
    return rows


def _children(controls: Controls, draft: Draft, child: ChildType) -> dict[str, Any]:
    one = controls.kind.labels.get(child.name) or child.title
    listed = [
        {
            "title": _title(child, one, line, place),
            "index": place,
            "removed": False,
            "rows": _line(controls, child, line, place),
        }
        for place, line in enumerate(draft.lines.get(child.name, []))
    ]
    gone = sum(key.startswith(f"{child.name}/") for key in draft.ended)
    return {
        "legend": child.title,
        "help": f"{gone} removed here; the record keeps {'it' if gone == 1 else 'them'} until this is approved."
        if gone
        else "",
        "rows": [],
        "children": {"name": child.name, "add_label": f"Add {one[0].lower()}{one[1:]}", "items": listed},
        "folded": _folded(controls, child),
    }


def _folded(controls: Controls, child: ChildType) -> str:
    """The periods of a record are written by the day a change holds from; directly only where somebody means to."""
    wrong = any(name.startswith(f"{child.name}-") for name in (*controls.errors, *controls.notes))
    return "" if child.name != controls.kind.periods or wrong else "Change the periods themselves"


def _title(child: ChildType, one: str, line: Line, place: int) -> str:
    if line.uid and child.identity[:1] == BOUNDS[:1]:
        return f"{one} · {_period(line)}"
    known = [line.values.get(name, "").replace("_", " ").replace("\n", ", ") for name in child.identity]
    named = [text for text in known if text]
    words = named[0] if named and "…" in named[0] else ", ".join(named[:2])[:60]
    return f"{one} {place + 1}" if not words or not line.uid else f"{one} · {words}"


def _period(line: Line) -> str:
    try:
        return diffs.period_words(line.values)
    except ValueError:  # a day that is none: said at its field
        return " – ".join(line.values[name] for name in BOUNDS)


def _line(controls: Controls, child: ChildType, line: Line, place: int) -> list[list[Field]]:
    fields = [
        (spec, controls.field(spec, line.values.get(spec.name, ""), child=child, place=place))
        for spec in specs(child.document)
    ]
    uid = Field(name=f"{child.name}-{place}-uid", label="", kind="hidden", value=line.uid)
    return [[uid], *_rows(fields)]


def _code(kind: RecordType, draft: Draft, errors: Mapping[str, str]) -> Field:
    help_ = f"Left empty, the next one is given: {kind.code_prefix}…"
    return Field(
        name="code", label="Code", value=draft.code, mono=True, optional=True, help=help_, error=errors.get("code", "")
    )


def _why(controls: Controls, draft: Draft) -> dict[str, Any]:
    reason = Field(
        name="reason", label="Reason", kind="textarea", value=draft.reason, error=controls.errors.get("reason", ""),
        help="The approvers read this first.", optional=True,
    )  # fmt: skip
    if controls.kind.periods:  # its own days say from when it holds
        return {"legend": "Why", "help": "", "rows": [[reason]], "children": None}
    day = Field(
        name="effective_on", label="Holds from", kind="date", value=draft.effective_on, optional=True,
        help="Left empty, it holds as soon as it is approved.", error=controls.errors.get("effective_on", ""),
    )  # fmt: skip
    return {"legend": "Why, and from when", "help": "", "rows": [[reason], [day]], "children": None}


# --- errors ---------------------------------------------------------------------------------------------------


def place_problems(
    kind: RecordType, draft: Draft, problems: Iterable[Problem], places: Mapping[str, tuple[str, int]]
) -> tuple[dict[str, str], list[dict[str, str]]]:
    """(words by field, the summary with links). `places`: where on the form a row stands; `#3` names a place itself."""
    fields: dict[str, str] = {}
    summary = []
    for problem in problems:
        name, label = _spot(kind, draft, problem.path, places)
        if name:
            fields.setdefault(name, problem.message)
        summary.append({"id": name, "text": f"{label}: {problem.message}" if label else problem.message})
    return fields, summary


def _spot(kind: RecordType, draft: Draft, path: str, places: Mapping[str, tuple[str, int]]) -> tuple[str, str]:
    parts = path.split("/")
    child = next((child for child in kind.children if child.name == parts[0]), None)
    if child is None:
        known = {spec.name for spec in specs(kind.document)} | {"code", "reason", "effective_on"}
        return (parts[0], label_of(kind, parts[0])) if parts[0] in known else ("", "")
    one = kind.labels.get(child.name) or child.title
    if len(parts) < 2:
        return "", child.title
    listed = draft.lines.get(child.name, [])
    row = parts[1]
    known_place = places.get(row) or places.get(f"{child.name}/{row}") or (child.name, -1)
    place = int(row[1:]) if row.startswith("#") else known_place[1]
    if not 0 <= place < len(listed):
        return "", one
    first = specs(child.document)[0].name
    name = parts[2] if len(parts) > 2 else first
    return f"{child.name}-{place}-{name}", f"{one} {place + 1}, {label_of(kind, name, child)}"
