"""The building blocks a view hands to a page template: plain typed values, no HTML, no request.

Templates read attributes only, so a dict with the same keys works as well. Text that needs a link or a strong
word inside is `Rich`: a string, or a list of `Part`s which the `rich` tag escapes one by one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

Tone = Literal["", "grey", "blue", "amber", "green", "red", "purple"]


@dataclass(frozen=True, kw_only=True)
class Part:
    """A stretch of text: a link when `url` is set, strong or monospace when asked."""

    text: str
    url: str = ""
    strong: bool = False
    mono: bool = False


Rich = str | Sequence[Part | str]


@dataclass(frozen=True)
class Link:
    label: str
    url: str
    count: int | None = None
    current: bool = False
    icon: str = ""
    key: str = ""


@dataclass(frozen=True, kw_only=True)
class Badge:
    """A pill: either a state of a domain (see `mdm.web.states`), or a label with tone and icon of its own."""

    state: str = ""
    domain: str = ""
    label: str = ""
    tone: Tone = ""
    icon: str = ""
    url: str = ""
    outline: bool = False


@dataclass(frozen=True, kw_only=True)
class Meta:
    """One item of the grey line under a title."""

    kind: Literal["text", "id", "link", "person", "time", "due"] = "text"
    text: str = ""
    url: str = ""
    at: datetime | None = None
    tone: Tone = ""
    prefix: str = ""  # words before a time or a person: "changed", "by"


@dataclass(frozen=True, kw_only=True)
class Confirm:
    """The dialog before a far-reaching action: what will happen, and a reason where one is asked."""

    title: str
    body: Rich = ""
    button: str
    cancel: str = "Keep as it is"
    reason_label: str = ""  # set: a reason is asked for, posted under `reason_name`
    reason_name: str = "reason"
    reason_help: str = ""
    reason_required: bool = True
    fields: Sequence[Any] = ()  # tables.Field: what else is asked for
    danger: bool = False


@dataclass(frozen=True, kw_only=True)
class Action:
    """A button or menu item: a link (`method="get"`) or a form that posts `fields` to `url`.

    Not allowed: it stays visible, disabled, and `why_not` says why.
    """

    label: str
    url: str = ""
    name: str = ""  # unique on the page; ids of dialogs are made of it
    icon: str = ""
    method: Literal["get", "post"] = "get"
    fields: dict[str, str] = field(default_factory=dict)
    form: str = ""  # with `confirm`: id of the page's form that is sent, with one of `fields` as its button
    allowed: bool = True
    why_not: str = ""
    confirm: Confirm | None = None
    style: Literal["", "primary", "danger", "quiet"] = ""
    key: str = ""
    hint: str = ""


@dataclass(frozen=True, kw_only=True)
class Page:
    """What every page head shows; context name `page`."""

    title: str
    note: str = ""
    crumbs: Sequence[Link] = ()
    badges: Sequence[Badge] = ()
    meta: Sequence[Meta] = ()
    menu: Sequence[Action] = ()
    menu_label: str = "More actions"
    primary: Action | None = None


@dataclass(frozen=True, kw_only=True)
class Source:
    """Who supplied a value: two letters, a colour slot a–e, and the full name."""

    mark: str
    slot: str
    title: str


@dataclass(frozen=True, kw_only=True)
class Fact:
    """One label and its value; `sources` and `provenance_url` where a field has a provenance."""

    label: str
    value: Any = None
    kind: Literal["", "id", "mono", "link", "date", "time", "person", "badge", "rich"] = ""
    url: str = ""
    note: str = ""
    sources: Sequence[Source] = ()
    pinned: bool = False
    provenance_url: str = ""
    current: bool = False
    changed: bool = False  # a pending request changes it


@dataclass(frozen=True, kw_only=True)
class Empty:
    """Why there is nothing here and what to do about it."""

    title: str
    text: Rich = ""
    icon: str = "ok"
    actions: Sequence[Action] = ()


@dataclass(frozen=True, kw_only=True)
class Due:
    text: str
    tone: Tone = ""


@dataclass(frozen=True, kw_only=True)
class Item:
    """A row of a worklist: inbox, queue, ledger."""

    url: str
    title: str
    icon: str = ""
    tone: Tone = ""
    tone_label: str = ""  # the words behind the tone: "High risk"
    meta: str = ""
    sub: str = ""  # a line of its own under it
    end: str = ""
    due: Due | None = None
    at: datetime | None = None
    score: str = ""
    current: bool = False


@dataclass(frozen=True, kw_only=True)
class Callout:
    title: str
    body: Rich = ""
    tone: Tone = "grey"
    icon: str = "info"
    action: Action | None = None


@dataclass(frozen=True, kw_only=True)
class Notice:
    """A row of "is stuck" or of the risk flags: what, the evidence, what to do."""

    title: str
    evidence: Rich = ""
    tone: Tone = "amber"
    icon: str = "flag"
    label: str = ""  # pill at the end: "High"
    action: Link | None = None


@dataclass(frozen=True, kw_only=True)
class Event:
    """A line of history. `text` follows the person, when there is one."""

    at: datetime
    text: Rich
    who: Any = None  # user, name or None
    icon: str = "info"
    tone: Tone = ""
    exact: bool = False  # show the time to the second instead of its age


@dataclass(frozen=True, kw_only=True)
class Step:
    """A step of an approval track. state: done · now · refused · open · lapsed."""

    title: str
    body: Rich = ""
    state: Literal["done", "now", "refused", "open", "lapsed"] = "open"
    who: Any = None
    at: datetime | None = None
    quote: str = ""


@dataclass(frozen=True, kw_only=True)
class Tile:
    label: str
    value: Any
    url: str = ""
    note: str = ""
    note_tone: Tone = ""
    spark: Any = None  # charts.Spark
    tone: Tone = ""  # a dot before the label
    current: bool = False  # the list below shows what it counts


@dataclass(frozen=True, kw_only=True)
class Becomes:
    """A field in words, what it holds and what it would hold; a cell of kind "becomes" lists several."""

    label: str
    before: str
    after: str
