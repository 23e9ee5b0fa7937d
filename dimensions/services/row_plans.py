"""Owns what a file of mapping rows would do to the rows in force: add, change, leave, refuse and drop, row by row."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from django.contrib.postgres.expressions import ArraySubquery
from django.db.models import OuterRef
from django.db.models.functions import JSONObject

from dimensions.mapping_rows import BUILT_IN, MAPPINGS
from dimensions.services import mappings
from dimensions.services.mappings import Pair
from mdm.errors import CorrectInput, HubError, TooLarge
from mdm.reading import tables
from mdm.reading.rows import Limits
from mdm.reading.rows import Row as Line
from mdm.services import documents
from mdm.services.changes import ProposedItem
from mdm.types import Document, Problem, digest

MOST_ROWS = 100_000
LIMITS = Limits(columns=100)
PLAIN = {  # heading → field; conditions have a column for each dimension: “When cost_center”
    "Code": "code", "Name": "name", "Kind": "kind", "Source": "source", "Target": "target", "Turns sign": "flip",
    "Order": "order", "Valid from": "valid_from", "Valid until": "valid_to", "Note": "note",
}  # fmt: skip
NEEDED = ("Kind", "Source", "Target")
WHEN = "When "
_YES, _NO = frozenset(("yes", "true", "x", "1", "ja", "oui")), frozenset(("", "no", "false", "0", "-", "nein", "non"))
_TOLD_EVERY = 500  # rows


# --- out --------------------------------------------------------------------------------------------------------------


def headings(dimensions: Iterable[str]) -> list[str]:
    return [*PLAIN, *(WHEN + dimension for dimension in dimensions)]


def dimensions_of(pair: Pair) -> list[str]:
    """Those that conditions may name: the built-in ones, and whatever else rows name already."""
    tests = MAPPINGS[pair.kind].conditions._default_manager.filter(record__in=mappings.in_force(pair).values("pk"))
    return [*BUILT_IN, *sorted(set(tests.values_list("dimension", flat=True).distinct()) - set(BUILT_IN))]


def values_of(pair: Pair, dimensions: Iterable[str]) -> Iterator[list[Any]]:
    """The rows in force in the order of the headings."""
    named = list(dimensions)
    for held in _held(pair).values():
        tests = {test["dimension"]: test["codes"] for test in held["conditions"]}
        plain = [held[name] for name in PLAIN.values()]
        plain[5] = "yes" if held["flip"] else ""
        yield [*plain, *(tests.get(dimension) for dimension in named)]


def _held(pair: Pair) -> dict[str, Document]:
    """{code: the row as its document has it, with its version}; one query."""
    one = MAPPINGS[pair.kind]
    tests = one.conditions._default_manager.filter(record=OuterRef("pk")).order_by("position", "id")
    listed = ArraySubquery(tests.values(json=JSONObject(uid="uid", dimension="dimension", codes="codes")))
    fields = ("uid", "version", "status", *PLAIN.values())
    rows = (
        mappings.in_force(pair).annotate(tests=listed).order_by("kind", "source", "code").values_list(*fields, "tests")
    )
    found = {}
    for values in rows.iterator(chunk_size=2000):
        document = dict(zip((*fields, "conditions"), values, strict=True))
        for name in ("valid_from", "valid_to"):
            document[name] = document[name].isoformat() if document[name] else None
        found[document["code"]] = document
    return found


# --- in -------------------------------------------------------------------------------------------------------------


@dataclass
class Plan:
    """`items`: what would be proposed. The lists say it in words: {code, name, words, line}."""

    items: list[ProposedItem] = field(default_factory=list)
    added: list[dict[str, Any]] = field(default_factory=list)
    changed: list[dict[str, Any]] = field(default_factory=list)
    refused: list[dict[str, Any]] = field(default_factory=list)
    dropped: list[dict[str, Any]] = field(default_factory=list)
    unchanged: int = 0

    def counts(self) -> dict[str, int]:
        listed = {name: len(getattr(self, name)) for name in ("added", "changed", "refused", "dropped")}
        return listed | {"unchanged": self.unchanged}

    def digest(self) -> str:
        return digest([[i.action, i.uid, i.base_version, i.patch] for i in self.items] + [len(self.refused)])


def columns(found: Iterable[str]) -> dict[str, str]:
    """{heading as written: field, or `When …`}; CorrectInput for a file that is none of ours."""
    known = {heading.lower(): name for heading, name in PLAIN.items()}
    columns: dict[str, str] = {}
    for heading in found:
        low = heading.strip().lower()
        if low.startswith(WHEN.lower()):
            columns[heading] = WHEN + heading.strip()[len(WHEN) :].strip()
        elif low in known:
            columns[heading] = known[low]
        else:
            raise CorrectInput(f"There is no column “{heading}”. Take it out, or begin with an export of the rows.")
    missing = [heading for heading in NEEDED if PLAIN[heading] not in columns.values()]
    if missing:
        raise CorrectInput(f"The file has no column {', '.join(missing)}. Begin with an export of the rows.")
    return columns


def make(pair: Pair, mode: str, content: bytes, tell: Callable[[int], object]) -> Plan:
    """What a file would do to the rows in force now; `mode` merge or replace. `tell(rows so far)`."""
    made = Plan()
    rows = _held(pair)
    alike = _alike(rows.values())
    seen: set[str] = set()
    with tables.read(io.BytesIO(content), limits=LIMITS) as reader:
        found = columns(reader.columns)
        for number, line in enumerate(reader, 1):
            if number > MOST_ROWS:
                raise TooLarge(f"The file has more than {MOST_ROWS:,} rows. Split it and merge the parts.")
            _take(pair, made, line, found, rows, alike, seen)
            if number % _TOLD_EVERY == 0:
                tell(number)
    if mode == "replace":
        for code, row in rows.items():
            if code not in seen:
                made.dropped.append(_said(row, _words(row)))
                made.items.append(
                    ProposedItem(type=pair.kind, uid=str(row["uid"]), action="retire", base_version=row["version"])
                )
    return made


def _take(
    pair: Pair, made: Plan, line: Line, columns: Mapping[str, str], rows: Mapping[str, Document],
    alike: Mapping[str, list[str]], seen: set[str],
) -> None:  # fmt: skip
    given = {name: line.values.get(heading, "").strip() for heading, name in columns.items()}
    code, where = given.get("code", ""), line.line or line.number + 1
    try:
        if code and code not in rows:
            raise CorrectInput(f"There is no row {code} in this mapping. Leave the code empty for a new row.")
        if code in seen:
            raise CorrectInput(f"The file has the row {code} twice.")
        seen.update((code,) if code else ())  # also a row that is refused is named, so it is not dropped
        if line.problem:
            raise CorrectInput(line.problem.message)
        wanted = _document(given)
        if not code:
            code = next((one for one in alike.get(_identity(wanted), []) if one not in seen), "")
            seen.update((code,) if code else ())
        row = rows.get(code)
        body = _body(pair, wanted, row)
        valid = documents.validate(MAPPINGS[pair.kind].record_type, body)
    except CorrectInput as error:
        made.refused.append({"line": where, "code": code, "name": given.get("name", ""), "words": why(pair, error)})
        return
    if row is None:
        made.added.append({"line": where, **_said(valid, _words(valid))})
        made.items.append(ProposedItem(type=pair.kind, action="create", patch=_without_empty(body)))
        return
    patch, words = _patch(pair, row, valid)
    if not patch:
        made.unchanged += 1
        return
    made.changed.append({"line": where, **_said(row, words)})
    made.items.append(
        ProposedItem(type=pair.kind, action="update", uid=str(row["uid"]), patch=patch, base_version=row["version"])
    )


def _document(given: Mapping[str, str]) -> Document:
    """Only what the file has columns for."""
    document: Document = {name: text or None for name, text in given.items() if not name.startswith(WHEN)}
    document.pop("code", None)
    if "flip" in document:
        document["flip"] = _yes(document["flip"] or "")
    if "order" in document:
        document["order"] = _whole(document["order"])
    if "kind" in document:
        document["kind"] = (document["kind"] or "").lower() or None
    tests = {name.removeprefix(WHEN): text for name, text in given.items() if name.startswith(WHEN)}
    document["conditions"] = [{"dimension": dimension, "codes": text} for dimension, text in tests.items() if text]
    document["_dimensions"] = list(tests)
    return document


def _yes(text: str) -> bool:
    if text.lower() not in _YES | _NO:
        raise CorrectInput(f"“{text}” is neither yes nor no.")
    return text.lower() in _YES


def _whole(text: str | None) -> int:
    try:
        return int(text or 0)
    except ValueError:
        raise CorrectInput(f"The order “{text}” is no whole number.") from None


def _alike(rows: Iterable[Document]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for row in rows:
        found.setdefault(_identity(row), []).append(row["code"])
    return found


def _identity(row: Document) -> str:
    """By what a row without a code is recognised: what it matches, from when on."""
    tests = sorted((test["dimension"], test["codes"]) for test in row["conditions"])
    return repr((row.get("kind"), row.get("source"), tests, row.get("valid_from")))


def _body(pair: Pair, wanted: Document, row: Document | None) -> Document:
    """The whole document as it would be; what the file has no column for stays as it is."""
    fields = [name for name in PLAIN.values() if name != "code"]
    start = {"name": _words(wanted)[:200], "flip": False, "order": 0} if row is None else {f: row[f] for f in fields}
    given = {name: wanted[name] for name in fields if name in wanted and (name != "name" or wanted[name])}
    scope = MAPPINGS[pair.kind].at(pair.source, pair.target)
    return {**scope, **start, **given, "conditions": _tests(wanted, row["conditions"] if row else ())}


def _tests(wanted: Document, held: Iterable[Document]) -> list[Document]:
    old = {test["dimension"]: {**test, "uid": str(test["uid"])} for test in held}
    kept = [test for dimension, test in old.items() if dimension not in wanted["_dimensions"]]
    given = [{**old.get(test["dimension"], {}), **test} for test in wanted["conditions"]]
    return [*given, *kept]


def _patch(pair: Pair, row: Document, valid: Document) -> tuple[Document, str]:
    """(merge-patch, what changes in words)"""
    kind = MAPPINGS[pair.kind].record_type
    patch: Document = {}
    words = []
    for name in PLAIN.values():
        if name != "code" and (row[name] or None) != (valid.get(name) or None):
            patch[name] = valid.get(name)
            words.append(f"{kind.label(name)} {_shown(row[name])} → {_shown(valid.get(name))}")
    old = {test["dimension"]: test for test in row["conditions"]}
    new = {test["dimension"]: test for test in valid.get("conditions") or []}
    tests: list[Document] = []
    for dimension in sorted({*old, *new}):
        before, after = (side.get(dimension, {}).get("codes") for side in (old, new))
        if before != after:
            uid = {"uid": str(old[dimension]["uid"])} if dimension in old else {}
            tests.append({**uid, "_end": True} if after is None else {**uid, "dimension": dimension, "codes": after})
            words.append(f"{dimension.replace('_', ' ')} {_shown(before)} → {_shown(after)}")
    return patch | ({"conditions": tests} if tests else {}), "; ".join(words)


def _shown(value: Any) -> str:
    return "–" if value in (None, "") else "yes" if value is True else "no" if value is False else str(value)


def _words(row: Document) -> str:
    tests = ", ".join(f"{test['dimension'].replace('_', ' ')} {test['codes']}" for test in row["conditions"])
    source, target = row.get("source"), row.get("target") or "?"
    if not source:
        return f"{tests or '?'} → {target}"
    return f"{source} → {target}" + (f" for {tests}" if tests else "")


def _said(row: Document, words: str) -> dict[str, Any]:
    return {"code": row.get("code") or "", "name": row.get("name") or "", "words": words}


def why(pair: Pair, error: HubError) -> str:
    kind = MAPPINGS[pair.kind].record_type
    problems = error.problems or (Problem("", error.code, error.message),)
    return " ".join(f"{kind.label(one.path)}: {one.message}" if one.path else one.message for one in problems)


def _without_empty(body: Document) -> Document:
    return {name: value for name, value in body.items() if value is not None}
