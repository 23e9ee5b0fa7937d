"""Bytes to text piece by piece; bytes that are no text become a mark, so that only their row is refused."""

from __future__ import annotations

import codecs
from collections.abc import Iterator

from mdm.reading.refusals import refuse
from mdm.reading.rows import PIECE, Limits, Source
from mdm.reading.sniff import SAMPLE, Sniffed, decide_8bit, sniff


class Decoder:
    """The text of a source. `encoding` is final once something else than ASCII was seen."""

    def __init__(self, source: Source, found: Sniffed, head: bytes, limits: Limits) -> None:
        self.encoding = found.encoding
        self._settled = found.settled
        self._pieces = bounded(source, head, limits)
        self._skip = found.bom

    def __iter__(self) -> Iterator[str]:
        for piece in self._pieces:
            if self._skip:
                piece, self._skip = piece[self._skip :], 0
            if not self._settled and piece.isascii():
                yield piece.decode("ascii")
                continue
            if not self._settled:
                piece = self._settle(piece)
            yield from self._rest(piece)
            return

    def _settle(self, piece: bytes) -> bytes:
        """A first character cut in two at the end of a piece decides nothing: read on until one is whole."""
        while piece[:-3].isascii() and (more := next(self._pieces, b"")):
            piece += more
        self.encoding, self._settled = decide_8bit(piece), True
        return piece

    def _rest(self, piece: bytes) -> Iterator[str]:
        decoder = codecs.getincrementaldecoder(self.encoding.removesuffix("-sig"))("mdm.mark")
        yield decoder.decode(piece)
        for piece in self._pieces:
            yield decoder.decode(piece)
        yield decoder.decode(b"", True)


def bounded(source: Source, head: bytes, limits: Limits) -> Iterator[bytes]:
    """The bytes of a source from its head on; more than the limit is refused while reading, not after."""
    size, piece = 0, head
    while piece:
        size += len(piece)
        if size > limits.file:
            raise refuse("file_too_large", limit=limits.file)
        yield piece
        piece = source.read(PIECE)


def read_head(source: Source) -> bytes:
    """Sources may give less than asked for; a sample has to be full unless the file ends."""
    head = b""
    while len(head) < SAMPLE and (piece := source.read(SAMPLE - len(head))):
        head += piece
    return head


def identify(source: Source) -> tuple[Sniffed, bytes]:
    head = read_head(source)
    return sniff(head), head
