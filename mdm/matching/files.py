"""Plain files: rows of any table become documents, documents a table, without anything being stored."""

from __future__ import annotations

import multiprocessing
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

from mdm.matching.config import NUMBER_CONFLICT, OTHER_NAME, SIBLING, MatchConfig
from mdm.matching.model import COMPANY, PLACE
from mdm.matching.normalise import Hasher, normalise
from mdm.matching.table import Table

_CHUNK = 10_000  # rows normalised at a time by one process
_STEP = re.compile(r"([a-z_][a-z0-9_]*)(\[\d*\])?")
REGISTER = "REGISTER"  # the scheme of a registration number whose register is not named


class BadColumn(ValueError):
    """A column cannot feed what it is said to feed; the message says what to write instead."""


@dataclass(frozen=True, slots=True)
class Columns:
    """Which column feeds which place of the document. `ignored`: columns nothing was made of."""

    feeds: Mapping[str, tuple[str, ...]]  # column → steps: "list[]" steps hold one row
    ignored: tuple[str, ...]
    identifiers: str  # path of the list whose rows need a scheme, "" for none

    def document(self, values: Mapping[str, str]) -> dict[str, Any]:
        """The document of one row; empty cells say nothing."""
        document: dict[str, Any] = {}
        for column, steps in self.feeds.items():
            value = (values.get(column) or "").strip()
            if value:
                _put(document, steps, value)
        if self.identifiers:
            for item in document.get(self.identifiers, ()):
                item.setdefault("scheme", REGISTER)
        return document


def known_headers(config: MatchConfig) -> dict[str, str]:
    """Headers that need no mapping → path in the document."""
    found = {"name": config.name, "country": config.country}
    if config.aliases:
        found["alias"] = config.aliases[0]
    if config.addresses:
        fields = config.addresses
        for header, name in (
            ("street", fields.lines), ("address", fields.lines), ("postcode", fields.postcode),
            ("zip", fields.postcode), ("city", fields.city),
        ):  # fmt: skip
            found[header] = f"{fields.items}.{name}"
    if config.tax_ids:
        found["vat_id"] = f"{config.tax_ids.items}.{config.tax_ids.value}"
    if config.identifiers:
        found["registration_no"] = f"{config.identifiers.items}.{config.identifiers.value}"
    for header, paths in (
        ("bank_account", config.banks), ("phone", config.phones), ("email", config.emails),
        ("website", config.websites),
    ):  # fmt: skip
        if paths:
            found[header] = paths[0]
    return {header: path for header, path in found.items() if path}


NOT_FIELDS = frozenset({"record_id", "source", "source_system"})


def columns_of(config: MatchConfig, headers: Sequence[str], mapping: Mapping[str, str]) -> Columns:
    """Feeds of a file's columns: as `mapping` {column: path or known header} says, else by the header itself.

    Raises BadColumn.
    """
    known = known_headers(config)
    missing = [column for column in mapping if column not in headers]
    if missing:
        raise BadColumn(f"the file has no column {missing[0]!r}; its columns are: {', '.join(headers)}")
    feeds: dict[str, tuple[str, ...]] = {}
    ignored = []
    for header in headers:
        plain = header.strip().lower()
        path = mapping.get(header, plain)
        path = known.get(path, path if header in mapping else "")
        if path:
            feeds[header] = _read_by(config, path)
        elif plain not in NOT_FIELDS:
            ignored.append(header)
    if not any(".".join(steps) == config.name for steps in feeds.values()):
        raise BadColumn(
            f"no column feeds the name: call one «name», or say --map COLUMN={config.name} "
            f"(columns: {', '.join(headers)})"
        )
    identifiers = config.identifiers.items.removesuffix("[]") if config.identifiers else ""
    return Columns(feeds, tuple(ignored), identifiers)


def _read_by(config: MatchConfig, path: str) -> tuple[str, ...]:
    """Steps of a path that matching looks at; a column mapped to any other would silently count for nothing."""
    steps = _steps(path)
    if ".".join(steps) not in paths_read(config):
        raise BadColumn(f"matching does not read {path!r}; it reads: {', '.join(sorted(paths_read(config)))}")
    return steps


def paths_read(config: MatchConfig) -> set[str]:
    """Every path of a document that matching looks at, rows of lists written `list[]`."""
    found = {config.name, config.country, config.legal_form}
    found |= {*config.aliases, *config.banks, *config.phones, *config.emails, *config.websites}
    if config.addresses:
        fields = config.addresses
        found |= {f"{fields.items}.{name}" for name in (fields.lines, fields.postcode, fields.city, fields.country)}
    for ids in (config.tax_ids, config.identifiers):
        if ids:
            found |= {f"{ids.items}.{name}" for name in (ids.value, ids.scheme, ids.country)}
    return found - {""}


def _steps(path: str) -> tuple[str, ...]:
    steps = []
    for part in path.split("."):
        found = _STEP.fullmatch(part)
        if not found:
            raise BadColumn(f"{path!r} is no path: write a.b, or list[].b for a row of a list")
        steps.append(found[1] + ("[]" if found[2] else ""))
    return tuple(steps)


def _put(document: dict[str, Any], steps: tuple[str, ...], value: str) -> None:
    here = document
    for step in steps[:-1]:
        if step.endswith("[]"):
            here = here.setdefault(step[:-2], [{}])[0]
        else:
            here = here.setdefault(step, {})
    last = steps[-1]
    if last.endswith("[]"):
        here.setdefault(last[:-2], []).append(value)
    elif last in here:
        here[last] = f"{here[last]}, {value}"  # two columns of address lines
    else:
        here[last] = value


@dataclass(slots=True)
class _Maker:
    config: MatchConfig
    columns: Columns
    hasher: Hasher

    def table(self, rows: Sequence[Mapping[str, str]]) -> Table:
        return Table.of(normalise(self.config, self.columns.document(row), self.hasher) for row in rows)


_maker: _Maker | None = None


def _made(rows: Sequence[Mapping[str, str]]) -> Table:
    assert _maker is not None
    return _maker.table(rows)


def read_table(
    rows: Iterable[Mapping[str, str]],
    config: MatchConfig,
    columns: Columns,
    hasher: Hasher,
    *,
    workers: int = 1,
    progress: Callable[[int], None] | None = None,
) -> Table:
    """The table of all rows, in their order; documents and features are let go of chunk by chunk."""
    global _maker
    _maker = _Maker(config, columns, hasher)
    parts: list[Table] = []
    done = 0
    try:
        for table in _mapped(_chunks(rows), workers):
            parts.append(table)
            done += len(table)
            if progress:
                progress(done)
    finally:
        _maker = None
    return Table.joined(parts) if parts else Table.of(())


def _chunks(rows: Iterable[Mapping[str, str]]) -> Iterator[list[Mapping[str, str]]]:
    source = iter(rows)
    while chunk := list(islice(source, _CHUNK)):
        yield chunk


def _mapped(chunks: Iterator[list[Mapping[str, str]]], workers: int) -> Iterator[Table]:
    first = next(chunks, None)
    if first is None:
        return
    second = next(chunks, None)
    if workers < 2 or second is None:
        for chunk in (first, second, *chunks):
            if chunk is not None:
                yield _made(chunk)
        return
    with multiprocessing.get_context("fork").Pool(workers) as pool:
        # A few chunks at a time: a pool reads its whole input at once.
        waiting = [pool.apply_async(_made, (chunk,)) for chunk in (first, second)]
        for chunk in chunks:
            waiting.append(pool.apply_async(_made, (chunk,)))
            if len(waiting) > workers + 1:
                yield waiting.pop(0).get()
        for result in waiting:
            yield result.get()


def kind_of(table: Table) -> str:
    """Whether records are legal entities or places.

    Companies have legal forms in their names, tax ids or registrations; of a list of shops, schools or plants nearly
    none has, and there the address says which one it is.
    """
    count = max(len(table), 1)
    places = table.lists["places"]
    with_street = len(set(places.owners()[places["compact"] > 0].tolist())) / count
    forms = float((table.scalars["form"] > 0).mean()) if len(table) else 0.0
    numbered = sum(len(set(table.lists[name].owners().tolist())) for name in ("tax", "ids", "banks")) / count
    return PLACE if with_street > 0.5 and forms < 0.25 and numbered < 0.05 else COMPANY


def as_kind(config: MatchConfig, kind: str) -> MatchConfig:
    """The configuration for records of another kind: of places, numbers and group names forbid nothing."""
    if kind == PLACE:
        return replace(config, kind=kind, rules=config.rules - {NUMBER_CONFLICT, OTHER_NAME, SIBLING})
    return replace(config, kind=kind)
