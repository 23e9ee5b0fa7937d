"""The guard before a workbook: nothing is unpacked before its table of contents has been believed; XML
without tricks.

Zip bombs (many parts, high ratio, overlapping or nested archives), document types and entities, deep
nesting and endless tokens are refused. What is read afterwards can be no larger than what was declared
here: zipfile stops there.
"""

from __future__ import annotations

import struct
import zipfile
import zlib
from collections.abc import Iterator
from typing import BinaryIO
from xml.parsers import expat

from mdm.reading.refusals import refuse
from mdm.reading.rows import MIB, PIECE, Limits

_END = b"PK\x05\x06"
_END_64 = b"PK\x06\x07"
_CONTENTS_MOST = 2 * MIB  # bytes of the table of contents
_TOKEN_MOST = 2 * MIB  # bytes of one tag or comment: expat reads an unfinished one again with every piece
_DEPTH_MOST = 100
_ARCHIVES = (".zip", ".7z", ".rar", ".gz", ".xlsx", ".xlsm", ".xlsb", ".docx", ".jar", ".tar", ".bz2", ".xz")

Attributes = dict[str, str]


def open_archive(file: BinaryIO, limits: Limits) -> zipfile.ZipFile:
    """The archive, once its table of contents is known to be harmless."""
    _check_contents_size(file)
    try:
        archive = zipfile.ZipFile(file)
    except (zipfile.BadZipFile, struct.error, ValueError, OSError, NotImplementedError):
        raise refuse("damaged_workbook", what="its archive cannot be opened") from None
    parts = archive.infolist()
    if len(parts) > limits.parts:
        raise refuse("unpacks_too_large", what=f"{len(parts):,} parts")
    if any(part.flag_bits & 1 for part in parts):
        raise refuse("protected_file")
    names = {part.filename for part in parts}
    if len(names) != len(parts):
        raise refuse("unsafe_workbook", what="two parts of one name")
    _check_sizes(parts, limits)
    _check_nested(parts)
    if "xl/workbook.bin" in names:
        raise refuse("excel_binary")
    if "[Content_Types].xml" not in names or not any(name.startswith("xl/") for name in names):
        raise refuse("not_a_workbook")
    return archive


def _check_contents_size(file: BinaryIO) -> None:
    """zipfile reads the whole table of contents into memory, so its size is looked at first."""
    size = file.seek(0, 2)
    file.seek(max(0, size - 66_000))
    tail = file.read()
    end = tail.rfind(_END)
    if end < 0 or len(tail) < end + 22:
        raise refuse("damaged_workbook", what="its end is missing")
    (contents,) = struct.unpack_from("<L", tail, end + 12)
    if end >= 76 and tail[end - 20 : end - 16] == _END_64:
        (contents,) = struct.unpack_from("<Q", tail, end - 76 + 40)
    if contents > _CONTENTS_MOST:
        raise refuse("unpacks_too_large", what="its table of contents alone is too long")
    file.seek(0)


def _check_sizes(parts: list[zipfile.ZipInfo], limits: Limits) -> None:
    packed, unpacked = sum(part.compress_size for part in parts), sum(part.file_size for part in parts)
    what = f"{packed:,} to {unpacked:,} bytes"
    if unpacked > limits.unpacked or (unpacked > limits.ratio_from and unpacked > packed * limits.ratio):
        raise refuse("unpacks_too_large", what=what)
    ordered = sorted(parts, key=lambda part: part.header_offset)
    for part, after in zip(ordered, ordered[1:], strict=False):
        if part.header_offset + part.compress_size > after.header_offset:
            raise refuse("unsafe_workbook", what="parts that overlap")


def _check_nested(parts: list[zipfile.ZipInfo]) -> None:
    """Objects pasted into a sheet lie under xl/embeddings and are never opened; an archive elsewhere has no
    business.
    """
    for part in parts:
        name = part.filename.lower()
        if name.endswith(_ARCHIVES) and not name.startswith("xl/embeddings/"):
            raise refuse("unsafe_workbook", what="another archive inside")


class Events:
    """Feeds one XML part to handlers, with names without their namespace. Subclasses say what they look
    for.
    """

    done = False

    def start(self, name: str, attributes: Attributes) -> None: ...

    def end(self, name: str) -> None: ...

    def text(self, text: str) -> None: ...


def parse(archive: zipfile.ZipFile, name: str, events: Events) -> Iterator[None]:
    """Feeds the part piece by piece and stops after each, so that the caller can take what came out of it."""
    parser = _parser(events)
    fed = 0
    try:
        with archive.open(name) as part:
            while not events.done and (piece := part.read(PIECE)):
                parser.Parse(piece, False)
                fed += len(piece)
                if fed - parser.CurrentByteIndex > _TOKEN_MOST:
                    raise refuse("unsafe_workbook", what="an endless XML tag")
                yield
            if not events.done:
                parser.Parse(b"", True)
                yield
    except expat.ExpatError as error:
        raise refuse("damaged_workbook", what=f"{name}, line {error.lineno}: not well-formed") from None
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, NotImplementedError, RuntimeError):
        raise refuse("damaged_workbook", what=f"{name} cannot be unpacked") from None


def parse_whole(archive: zipfile.ZipFile, name: str, events: Events) -> None:
    for _ in parse(archive, name, events):
        pass


def _parser(events: Events) -> expat.XMLParserType:
    parser = expat.ParserCreate()
    parser.buffer_text = True
    parser.StartDoctypeDeclHandler = _refuse_doctype
    parser.EntityDeclHandler = _refuse_doctype
    start, end = events.start, events.end
    depth = 0

    def on_start(name: str, attributes: Attributes) -> None:
        nonlocal depth
        depth += 1
        if depth > _DEPTH_MOST:
            raise refuse("unsafe_workbook", what="XML nested without end")
        start(name[name.rfind(":") + 1 :], attributes)

    def on_end(name: str) -> None:
        nonlocal depth
        depth -= 1
        end(name[name.rfind(":") + 1 :])

    parser.StartElementHandler, parser.EndElementHandler = on_start, on_end
    parser.CharacterDataHandler = events.text
    return parser


def _refuse_doctype(*_: object) -> None:
    raise refuse("unsafe_workbook", what="an XML document type with entities")
