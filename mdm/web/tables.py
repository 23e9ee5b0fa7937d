"""Tables, filters and form fields as values: what a view hands to the components of the same names."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from mdm.web.page import Action, Badge, Link, Rich, Source, Tone


@dataclass(frozen=True, kw_only=True)
class Column:
    """A table head. priority 0 always shows; 3 leaves first when the table is narrow."""

    label: str
    key: str = ""
    priority: int = 0
    numeric: bool = False
    sort_url: str = ""
    sort: Literal["", "ascending", "descending"] = ""
    hidden_label: bool = False  # the head is only read out
    tight: bool = False


@dataclass(frozen=True, kw_only=True)
class Cell:
    """A table cell. Narrow tables stack their rows; `label` says whether the name of the column stands there, None: only
    where the value does not tell by itself."""

    value: Any = None
    kind: Literal[
        "", "title", "id", "mono", "link", "date", "time", "person", "state", "badges", "number", "source",
        "rich", "differs", "becomes", "progress", "actions", "input",
    ] = ""  # fmt: skip
    url: str = ""
    sub: Rich = ""
    domain: str = ""  # of a state
    note: str = ""
    badges: Sequence[Badge] = ()
    sources: Sequence[Source] = ()
    actions: Sequence[Action] = ()
    muted: bool = False
    loud: bool = False
    label: bool | None = None


@dataclass(frozen=True, kw_only=True)
class Row:
    """Cells in the order of the columns. `uid` set and the table selectable: a check box with that value."""

    cells: Sequence[Cell]
    uid: str = ""
    title: str = ""  # names the row to a screen reader
    current: bool = False
    tone: Tone = ""
    group: str = ""  # set: this row is a heading over the rows below (cells unused)
    group_count: int | None = None
    group_note: str = ""  # a quiet sentence behind the heading
    group_link: Link | None = None


@dataclass(frozen=True, kw_only=True)
class Table:
    caption: str
    columns: Sequence[Column]
    rows: Sequence[Row]
    plain: bool = False  # no hover, no inner margin: for short tables inside a page
    selectable: bool = False  # check boxes named "uid", in the form `form_id`
    form_id: str = ""
    data: bool = False  # one line per row


@dataclass(frozen=True, kw_only=True)
class Pager:
    summary: str
    previous: str = ""
    next: str = ""


@dataclass(frozen=True, kw_only=True)
class Chip:
    """One filter that holds, read as words: "status is **active**"."""

    words: str
    value: str
    remove_url: str = ""


@dataclass(frozen=True, kw_only=True)
class Option:
    value: str
    label: str
    selected: bool = False


@dataclass(frozen=True, kw_only=True)
class Field:
    """A form field, label above, help and error under it."""

    name: str
    label: str
    kind: Literal[
        "text", "search", "email", "url", "number", "date", "textarea", "select", "radio", "checkbox",
        "combo", "file", "password", "hidden", "readonly",
    ] = "text"  # fmt: skip
    id: str = ""
    value: Any = ""
    options: Sequence[Option] = ()
    help: str = ""
    error: str = ""
    ok: str = ""
    optional: bool = False
    mono: bool = False
    placeholder: str = ""
    autocomplete: str = "off"
    accept: str = ""
    checked: bool = False
    validate_url: str = ""  # htmx: checked as the field is left, answers components/field.html


@dataclass(frozen=True, kw_only=True)
class FilterBar:
    """The sentence above a list. `fields` are what "Add filter" offers; all of it is one GET form."""

    subject: str  # "Suppliers where"
    chips: Sequence[Chip] = ()
    fields: Sequence[Field] = ()
    url: str = ""
    q: str | None = None  # None: no text filter
    placeholder: str = "Filter this list"
    keep: Sequence[tuple[str, str]] = ()  # query parameters the form carries along
    clear_url: str = ""
