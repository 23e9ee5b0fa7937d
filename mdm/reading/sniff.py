"""What a file is, told by its first bytes and never by its name: format, encoding, delimiter; or why it is
refused.
"""

from __future__ import annotations

import codecs
import json
import re
from dataclasses import dataclass
from typing import Literal

from mdm.reading.delimited import Lines, records
from mdm.reading.refusals import refuse
from mdm.reading.rows import MARK, MIB, Limits

Format = Literal["csv", "xlsx", "ndjson"]
DELIMITERS = (";", ",", "\t")
SAMPLE = 64 * 1024

_BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_MAGIC = (
    (b"%PDF-", "a PDF"),
    (b"\x89PNG", "a PNG picture"),
    (b"\xff\xd8\xff", "a JPEG picture"),
    (b"GIF8", "a GIF picture"),
    (b"\x1f\x8b", "a gzip archive: unpack it first"),
    (b"BZh", "a bzip2 archive: unpack it first"),
    (b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive: unpack it first"),
    (b"Rar!", "a RAR archive: unpack it first"),
    (b"\xfd7zXZ", "an xz archive: unpack it first"),
    (b"\x28\xb5\x2f\xfd", "a zstd archive: unpack it first"),
    (b"SQLite format 3", "a SQLite database"),
    (b"PAR1", "a Parquet file"),
    (b"\x7fELF", "a program"),
    (b"MZ\x90", "a program"),
)
_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_CONTROL = re.compile("[\x00-\x08\x0e-\x1f\x7f]")
_SEPARATOR_LINE = re.compile(r"sep=([;,\t])\r?\n?", re.IGNORECASE)  # first line by which Excel names the delimiter


@dataclass(frozen=True)
class Sniffed:
    """`settled` is False while only ASCII was seen: the first other character decides between UTF-8 and
    Windows-1252.
    """

    format: Format
    encoding: str = ""
    delimiter: str = ""
    bom: int = 0
    settled: bool = True
    headless_lines: int = 0  # lines before the headings that are not part of the table


def sniff(head: bytes) -> Sniffed:
    """`head`: the first bytes of the file, 64 KiB or all of it."""
    if not head:
        raise refuse("empty_file")
    if head.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return Sniffed("xlsx")
    _refuse_binary(head)
    encoding, bom, settled = _encoding(head)
    text = _text(head[bom:], encoding)
    if len(_CONTROL.findall(text)) > 3 + len(text) / 200 or "\0" in text:
        raise refuse("binary_file", what="it has bytes no text has")
    start = text.lstrip("\ufeff \t\r\n")[:4000]
    if not start:
        raise refuse("empty_file" if len(head) < SAMPLE else "no_headings")
    if start[0] == "<":
        raise refuse("markup_file")
    if _is_json_lines(start):
        return Sniffed("ndjson", encoding, "", bom, settled)
    first = _SEPARATOR_LINE.match(text)
    if first:
        return Sniffed("csv", encoding, first.group(1), bom, settled, headless_lines=1)
    return Sniffed("csv", encoding, _delimiter(text), bom, settled)


def _refuse_binary(head: bytes) -> None:
    if head.startswith(_OLE):
        locked = "EncryptedPackage".encode("utf-16-le") in head or "EncryptionInfo".encode("utf-16-le") in head
        raise refuse("protected_file" if locked else "old_excel")
    if head.startswith((b"\x09\x08\x10\x00", b"\x09\x08\x08\x00", b"\x09\x04\x06\x00", b"\x09\x02\x06\x00")):
        raise refuse("old_excel")  # bare BIFF, before Excel 97
    for magic, what in _MAGIC:
        if head.startswith(magic):
            raise refuse("binary_file", what=what)
    if head.startswith((codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)):
        raise refuse("unknown_encoding", what="UTF-32")


def _encoding(head: bytes) -> tuple[str, int, bool]:
    for bom, name in _BOMS:
        if head.startswith(bom):
            return name, len(bom), True
    wide = _utf16_without_bom(head)
    if wide:
        return wide, 0, True
    return decide_8bit(head), 0, not head.isascii()


def _utf16_without_bom(head: bytes) -> str:
    """In UTF-16 the ASCII characters every table has (delimiters, line ends) leave zeros on one side only."""
    even, odd = head[0::2].count(0), head[1::2].count(0)
    for name, zeros, others in (("utf-16-le", odd, even), ("utf-16-be", even, odd)):
        if zeros > max(1, len(head) // 200) and others * 20 <= zeros:
            try:
                codecs.getincrementaldecoder(name)().decode(head)
            except UnicodeDecodeError:
                return ""
            return name
    return ""


def decide_8bit(piece: bytes) -> str:
    """UTF-8 where the bytes say so, even with a few broken ones among them; Windows-1252 (Latin-1)
    otherwise.
    """
    try:
        codecs.getincrementaldecoder("utf-8")().decode(piece)
        return "utf-8"
    except UnicodeDecodeError:
        text = codecs.getincrementaldecoder("utf-8")("mdm.mark").decode(piece)
        broken = text.count(MARK)
        good = sum(1 for char in text if char > "\x7f") - broken
        return "utf-8" if good > 3 * broken else "cp1252"


def _text(head: bytes, encoding: str) -> str:
    return codecs.getincrementaldecoder(encoding.removesuffix("-sig"))("mdm.mark").decode(head)


def _is_json_lines(start: str) -> bool:
    """A table of JSON lines begins with an object; JSON in any other shape is refused rather than read as
    CSV.
    """
    if start[0] not in "{[":
        return False
    line = re.split(r"[\r\n]", start, maxsplit=1)[0].strip()
    if line in ("{", "[", "[{"):
        raise refuse("json_not_lines")
    if start[0] == "{":
        return True
    try:
        json.loads(line)
    except ValueError:
        if re.match(r'\[\s*[{"\d\[]', line):
            raise refuse("json_not_lines") from None
        return False
    except RecursionError:
        pass
    raise refuse("json_not_lines")


def _delimiter(text: str) -> str:
    """The delimiter that gives most rows of the sample as many cells as there are headings."""
    best, best_score = ",", (0, 0)
    for delimiter in DELIMITERS:
        sample = records(Lines(iter([text]), MIB), delimiter, Limits())
        widths = [len(record.cells) for record, _ in zip(sample, range(50), strict=False) if any(record.cells)]
        if not widths or widths[0] < 2:
            continue
        if len(widths) > 2 and len(text) >= SAMPLE // 2:
            widths.pop()  # the sample may end within a row
        score = (sum(width == widths[0] for width in widths), widths[0])
        if score > best_score:
            best, best_score = delimiter, score
    return best


def _mark(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeDecodeError):
        raise error
    return MARK, error.end


codecs.register_error("mdm.mark", _mark)
