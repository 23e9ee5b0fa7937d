"""What stands around the cells of a workbook: its sheets, its shared texts (outside memory) and its number
formats.
"""

from __future__ import annotations

import posixpath
import re
import zipfile
from array import array
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, datetime, time
from decimal import Decimal
from typing import BinaryIO

from openpyxl.styles.numbers import BUILTIN_FORMATS, is_date_format
from openpyxl.utils.datetime import CALENDAR_MAC_1904, CALENDAR_WINDOWS_1900, from_excel

from mdm.reading.archive import Attributes, Events, parse_whole
from mdm.reading.refusals import refuse
from mdm.reading.rows import Limits

_ESCAPED = re.compile(r"_x([0-9A-Fa-f]{4})_")
_STYLES_MOST = 70_000  # cell formats; Excel itself stops at 65,490
_SHEETS_MOST = 1_000
_WHOLE = re.compile(r"-?\d{1,15}")

Render = Callable[[str], str]


@dataclass
class Sheet:
    name: str
    part: str


@dataclass
class Workbook:
    archive: zipfile.ZipFile
    sheets: list[Sheet]
    texts: SharedTexts
    formats: list[Render]
    limits: Limits = field(default_factory=Limits)


def open_workbook(archive: zipfile.ZipFile, store: BinaryIO, limits: Limits) -> Workbook:
    """Reads everything but the cells. `store` takes the shared texts; they can be as large as the sheets."""
    names = set(archive.namelist())
    main = next((target for kind, target in _relations(archive, "").values() if kind == "officeDocument"), "")
    if main not in names:
        raise refuse("not_a_workbook")
    book = _Book()
    parse_whole(archive, main, book)
    relations = _relations(archive, main)
    sheets = [
        Sheet(name, relations[rid][1])
        for name, rid in book.sheets
        if relations.get(rid, ("", ""))[0] == "worksheet" and relations[rid][1] in names
    ]
    styles = _Styles()
    texts = SharedTexts(store, limits)
    for kind, target in relations.values():
        if target in names and kind == "styles":
            parse_whole(archive, target, styles)
        if target in names and kind == "sharedStrings":
            parse_whole(archive, target, texts)
    epoch = CALENDAR_MAC_1904 if book.from_1904 else CALENDAR_WINDOWS_1900
    return Workbook(archive, sheets, texts, [_render(code, epoch) for code in styles.codes()], limits)


class SharedTexts(Events):
    """Texts that cells refer to by position: written to `store`, only where each begins stays in memory."""

    def __init__(self, store: BinaryIO, limits: Limits) -> None:
        self._store = store
        self._limit = limits.cell
        self._ends = array("Q", [0])
        self._pieces: list[str] = []
        self._size = 0
        self._reading = self._phonetic = False
        self._recent: dict[int, str] = {}

    def __getitem__(self, position: int) -> str:
        text = self._recent.get(position)
        if text is None:
            start, end = self._ends[position], self._ends[position + 1]
            self._store.seek(start)
            text = self._store.read(end - start).decode("utf-8")
            if len(text) < 200:  # countries, currencies: the same few again and again
                if len(self._recent) > 10_000:
                    self._recent.clear()
                self._recent[position] = text
        return text

    def __len__(self) -> int:
        return len(self._ends) - 1

    def start(self, name: str, attributes: Attributes) -> None:
        if name == "rPh":
            self._phonetic = True
        elif name == "t":
            self._reading = not self._phonetic

    def text(self, text: str) -> None:
        if self._reading and self._size <= self._limit:  # one character over the limit is enough to see it
            text = text[: self._limit + 1 - self._size]
            self._pieces.append(text)
            self._size += len(text)

    def end(self, name: str) -> None:
        if name == "t":
            self._reading = False
        elif name == "rPh":
            self._phonetic = False
        elif name == "si":
            raw = unescape("".join(self._pieces)).encode("utf-8")
            self._store.write(raw)
            self._ends.append(self._ends[-1] + len(raw))
            self._pieces, self._size = [], 0


class _Book(Events):
    def __init__(self) -> None:
        self.sheets: list[tuple[str, str]] = []
        self.from_1904 = False

    def start(self, name: str, attributes: Attributes) -> None:
        if name == "workbookPr":
            self.from_1904 = attributes.get("date1904") in ("1", "true")
        elif name == "sheet" and attributes.get("state", "visible") == "visible":
            rid = next((value for key, value in attributes.items() if key.endswith(":id")), "")
            if len(self.sheets) < _SHEETS_MOST:
                self.sheets.append((attributes.get("name", ""), rid))


class _Relations(Events):
    def __init__(self, base: str) -> None:
        self.base = base
        self.found: dict[str, tuple[str, str]] = {}

    def start(self, name: str, attributes: Attributes) -> None:
        if name == "Relationship" and attributes.get("TargetMode") != "External" and len(self.found) < 5_000:
            target = attributes.get("Target", "")
            path = (
                target.lstrip("/") if target.startswith("/") else posixpath.join(posixpath.dirname(self.base), target)
            )
            kind = attributes.get("Type", "").rpartition("/")[2]
            self.found[attributes.get("Id", "")] = (kind, posixpath.normpath(path))


def _relations(archive: zipfile.ZipFile, part: str) -> dict[str, tuple[str, str]]:
    """id → (kind, part) as the file beside `part` says."""
    name = posixpath.join(posixpath.dirname(part), "_rels", f"{posixpath.basename(part)}.rels")
    relations = _Relations(part)
    if name in archive.namelist():
        parse_whole(archive, name, relations)
    return relations.found


class _Styles(Events):
    def __init__(self) -> None:
        self._own: dict[str, str] = {}
        self._used: list[str] = []
        self._inside = False

    def start(self, name: str, attributes: Attributes) -> None:
        if name == "numFmt" and len(self._own) < _STYLES_MOST:
            self._own[attributes.get("numFmtId", "")] = attributes.get("formatCode", "")[:255]
        elif name == "cellXfs":
            self._inside = True
        elif name == "xf" and self._inside and len(self._used) < _STYLES_MOST:
            self._used.append(attributes.get("numFmtId", "0"))

    def end(self, name: str) -> None:
        if name == "cellXfs":
            self._inside = False

    def codes(self) -> list[str]:
        builtin = {str(number): code for number, code in BUILTIN_FORMATS.items()}
        return [self._own.get(number) or builtin.get(number, "General") for number in self._used]


def unescape(text: str) -> str:
    """Workbooks write characters XML cannot hold as `_x000D_`."""
    return _ESCAPED.sub(_character, text) if "_x" in text else text


def _character(match: re.Match[str]) -> str:
    number = int(match.group(1), 16)
    return match.group() if 0xD800 <= number < 0xE000 else chr(number)


def plain_number(text: str) -> str:
    """The digits as people write them: no exponent, no `.0`, no noise in the seventeenth digit."""
    if _WHOLE.fullmatch(text):
        return text
    try:
        value = float(text)
    except ValueError:
        return text
    if value != value or value in (float("inf"), float("-inf")):
        return text
    return format(Decimal(repr(value)).normalize(), "f") if value else "0"


def _render(code: str, epoch: datetime) -> Render:
    """How a number is read in a cell of this format: as a day, with leading zeros, or as it is."""
    if code and is_date_format(code):
        return lambda text: _day(text, epoch)
    zeros = re.fullmatch(r"0{2,40}", code or "")
    if zeros:
        return lambda text: plain_number(text).zfill(len(code))
    return plain_number


def _day(text: str, epoch: datetime) -> str:
    try:
        moment = from_excel(float(text), epoch)
    except (ValueError, OverflowError, TypeError):
        return text
    if isinstance(moment, datetime) and moment.time() == time():
        return moment.date().isoformat()
    return moment.isoformat() if isinstance(moment, datetime | date | time) else text
