"""RecordType: the one place where a kind of golden record is declared; API, pages, tables, exports, tests derive from it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from mdm.periods import BOUNDS
from mdm.types import Document, Problem

if TYPE_CHECKING:
    from pydantic import BaseModel

    from mdm.matching.config import MatchConfig

Rule = Callable[[Document], list[Problem]]
"""A rule sees a whole proposed document and answers what is wrong with it."""


RiskRule = Callable[["str", "Document | None", Document], list[dict[str, Any]]]
"""(uid, document before, document proposed) -> [{code, severity, message, evidence}] a reviewer should see."""


@dataclass(frozen=True, eq=False)
class ChildType:
    """A list of rows inside a record: own table, own uid, and the fields by which two sources mean the same row.

    `identity` fields are compared in their sealed form. A row survives as one block: all its fields come from one
    source, which is what an address or a bank account needs.
    """

    name: str
    title: str
    model: Any  # the table: type[GoldenRecord] or type[GoldenChild]
    document: type[BaseModel]
    identity: tuple[str, ...]
    columns: tuple[str, ...]
    sealed: tuple[str, ...] = ()  # fields that hold sealed numbers
    entity_field: str = ""  # the field naming the legal entity whose people alone may see the row


@dataclass(frozen=True, eq=False)
class Column:
    """A column of the list page: document path or column of the table, its heading, and how it reads."""

    name: str
    title: str
    kind: str = "text"  # text · code · status · date · tags · country · person · number
    default: bool = True


@dataclass(frozen=True, eq=False)
class Section:
    title: str
    fields: tuple[str, ...]


Pair = tuple["Document | None", Document]
"""A record before (None: it is new) and after."""


@dataclass(frozen=True, eq=False)
class Across:
    """What records of one type mean for one another, such as what stands under what.

    `lock`: of these documents nobody else may write what they belong to until the end of the transaction.
    `problems`: {uid: what is wrong} when all of these are written together. `written`: called in the transaction that
    wrote them.
    """

    lock: Callable[[Iterable[Document]], None]
    problems: Callable[[Sequence[Pair]], dict[str, list[Problem]]]
    written: Callable[[Iterable[Document]], None]


@dataclass(frozen=True, eq=False)
class RecordType:
    """Everything the kernel needs to know about a kind of record. Declared once, in the package that owns it."""

    key: str
    path: str
    title: str
    plural: str
    model: Any  # the table: type[GoldenRecord] or type[GoldenChild]
    document: type[BaseModel]
    code_prefix: str
    name_field: str
    icon: str
    columns: tuple[Column, ...]
    sections: tuple[Section, ...]
    filters: Mapping[str, str]  # filter name -> model field; typed by the field
    search: tuple[str, ...]
    children: tuple[ChildType, ...] = ()
    references: Mapping[str, str] = field(default_factory=dict)  # document path -> record type key
    inherits: Mapping[str, str] = field(default_factory=dict)  # child path filled from a field of the record: a source
    # that gives one country means it for its addresses too
    rules: tuple[Rule, ...] = ()
    across: Across | None = None
    risks: tuple[RiskRule, ...] = ()
    match: MatchConfig | None = None
    parent_field: str = ""  # field with the uid of the record above it, of the same type
    sibling_field: str = ""  # field with the uids of records of the same group whose common parent is not on file
    listed: bool = True  # whether the rail leads to its list; not where another page shows its records better
    spends: bool = False  # systems may say what is spent with it a year, which ranks its duplicates
    entity_field: str = (
        ""  # field with the code of the legal entity it belongs to, whose people alone see it; empty: all
    )
    periods: str = ""  # child list with the periods in which values hold; the record itself shows those of today
    gapless: bool = False  # whether its periods have to join
    labels: Mapping[str, str] = field(default_factory=dict)
    schema_version: int = 1
    code_of: Callable[[Document], str] | None = None  # a record's code by its document, "" for the hub's next number

    def __post_init__(self) -> None:
        """A dated field that refers to a record does so in every period; each period belongs to its legal entity."""
        within = {f"{self.periods}.{path}": key for path, key in self.references.items() if path in self.dated}
        object.__setattr__(self, "references", {**self.references, **within})
        if self.entity_field in self.dated:
            owned = {self.periods: self.entity_field}
            rows = (replace(c, entity_field=owned[c.name]) if c.name in owned else c for c in self.children)
            object.__setattr__(self, "children", tuple(rows))

    @cached_property
    def dated(self) -> tuple[str, ...]:
        """Fields whose values hold for a period: those that the record shares with the rows of its periods."""
        if not self.periods:
            return ()
        mine = set(self.document.model_fields) - set(BOUNDS)
        return tuple(name for name in self.child(self.periods).document.model_fields if name in mine)

    @cached_property
    def derived(self) -> frozenset[str]:
        """Fields that only show what the periods say on a day: never proposed or compared by themselves."""
        return frozenset((*self.dated, *BOUNDS, "validity")) if self.periods else frozenset()

    @property
    def schema(self) -> str:
        return f"{self.key}/{self.schema_version}"

    def child(self, name: str) -> ChildType:
        return next(child for child in self.children if child.name == name)

    @property
    def one(self) -> str:
        """“a supplier”, “an import rule”: the title in a sentence with its article."""
        return f"{'an' if self.title[0] in 'AEIO' else 'a'} {self.noun}"

    @property
    def noun(self) -> str:
        """“supplier”, “GL account”: the title inside a sentence, where initials stay as they are."""
        return _in_a_sentence(self.title)

    @property
    def nouns(self) -> str:
        return _in_a_sentence(self.plural)

    def label(self, path: str) -> str:
        """Words for a document path: `addresses/<uid>/postal_code` reads “Address · postal code”."""
        name, _, rest = path.partition("/")
        where, _, field = rest.partition("/")
        if name == self.periods and ".." in where:
            return f"{self.label(field)}, {_between(*where.split('..'))}"
        known = {child.name: child.title for child in self.children}
        words = self.labels.get(name) or known.get(name) or name.replace("_", " ").capitalize()
        key = rest.partition("/")[2]
        return f"{words} · {self.labels.get(key) or key.replace('_', ' ')}" if key else words

    @property
    def searched_by(self) -> str:
        """What a search finds its records by, in words: “Code, name, responsible”."""
        words = ", ".join(_in_a_sentence(self.label(name)) for name in self.search)
        return words[:1].upper() + words[1:]

    def name_of(self, document: Mapping[str, Any]) -> str:
        return str(document.get(self.name_field) or document.get("code") or "")


def _in_a_sentence(words: str) -> str:
    first, _, rest = words.partition(" ")
    return " ".join(filter(None, (first if first.isupper() else first.lower(), rest.lower())))


def _between(first: str, last: str) -> str:
    if first and last:
        return f"from {first} to {last}"
    return f"from {first} on" if first else f"until {last}" if last else "always"


_types: dict[str, RecordType] = {}


def register(record_type: RecordType) -> RecordType:
    if record_type.key in _types and _types[record_type.key] is not record_type:
        raise ValueError(f"The record type “{record_type.key}” is declared twice.")
    _types[record_type.key] = record_type
    return record_type


def get(key: str) -> RecordType:
    return _types[key]


def find(key_or_path: str) -> RecordType | None:
    return next((kind for kind in _types.values() if key_or_path in (kind.key, kind.path)), None)


def all_types() -> Iterator[RecordType]:
    return iter(_types.values())
