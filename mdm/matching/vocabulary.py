"""Vocabulary: every text of a job once, numbered, with the hash that names it on any machine."""

from collections.abc import Callable, Iterable, Sequence
from functools import cache
from hashlib import blake2b
from typing import Any

import numpy as np
import numpy.typing as npt

Ids = npt.NDArray[np.int32]
Hashes = npt.NDArray[np.uint64]

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_SHIFT = np.uint64(29)


def stable_hash(text: str) -> int:
    """64 bits, unsigned, the same in every process and on every machine."""
    return int.from_bytes(_digest(text), "big")


def _digest(text: str) -> bytes:
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest()


def _hashes_of(texts: Iterable[str]) -> Hashes:
    return np.frombuffer(b"".join(map(_digest, texts)), dtype=">u8").astype(np.uint64)


@cache
def kind_hash(kind: str) -> int:
    return stable_hash(kind)  # of a few dozen kinds, asked for at every check


def mix(kind: str, *parts: Hashes) -> Hashes:
    """One hash of several hashes of a kind; order counts."""
    return mix_all(np.uint64(kind_hash(kind)), *parts)


def mix_all(kinds: np.uint64 | Hashes, *parts: Hashes) -> Hashes:
    """`mix` under a kind's hash, or under one for each."""
    total: Hashes = parts[0] ^ kinds
    total *= _GOLDEN
    total ^= total >> _SHIFT
    for part in parts[1:]:
        total ^= part
        total *= _GOLDEN
        total ^= total >> _SHIFT
    return total


def signed(hashes: Hashes) -> npt.NDArray[np.int64]:
    """As a PostgreSQL bigint holds it."""
    return hashes.view(np.int64)


class _Numbers(dict[str, int]):
    """Numbers of texts; a text not met before gets the next one. A known one costs no call of ours."""

    def __init__(self, texts: list[str]) -> None:
        self.texts = texts
        super().__init__({"": 0})

    def __missing__(self, text: str) -> int:
        number = self[text] = len(self.texts)
        self.texts.append(text)
        return number


class _Packed(Sequence[str]):
    """Many texts end to end: a tenth of the memory, and nothing that processes parted from this one would copy by
    reading it."""

    def __init__(self, texts: Iterable[str]) -> None:
        parts = [text.encode("utf-8", "surrogatepass") for text in texts]
        self.bounds = np.zeros(len(parts) + 1, dtype=np.int64)
        np.cumsum(np.fromiter(map(len, parts), np.int64, len(parts)), out=self.bounds[1:])
        self.bytes = b"".join(parts)

    def __len__(self) -> int:
        return len(self.bounds) - 1

    def __getitem__(self, number: Any) -> Any:
        return self.bytes[self.bounds[number] : self.bounds[number + 1]].decode("utf-8", "surrogatepass")

    def pick(self, numbers: Ids) -> list[str]:
        held = self.bytes
        bounds = zip(self.bounds[numbers].tolist(), self.bounds[numbers + 1].tolist(), strict=True)
        return [held[start:end].decode("utf-8", "surrogatepass") for start, end in bounds]


class Vocabulary:
    """Texts to numbers from 1; 0 is "nothing". Grows only; hashes are made when first asked for."""

    def __init__(self) -> None:
        self.texts: list[str] | _Packed = [""]
        self.number: Callable[[str], int] = _Numbers(self.texts).__getitem__
        self._hashes: Hashes = np.zeros(1, dtype=np.uint64)
        self._made = np.ones(1, dtype=bool)
        self._all_made = 1

    def __len__(self) -> int:
        return len(self.texts)

    def hashes(self, numbers: Ids) -> Hashes:
        """The hash of each of these texts; that of nothing is 0. Most texts of a single check are never hashed."""
        if self._all_made != len(self.texts):
            self._make(numbers)
        return self._hashes[numbers]

    def hash_all(self) -> None:
        """Make at once what `hashes` would make bit by bit."""
        if self._all_made != len(self.texts):
            known = self._hashes[: self._all_made]
            self._hashes = np.concatenate([known, _hashes_of(self.texts[self._all_made :])])
            self._made = np.ones(len(self.texts), dtype=bool)
            self._all_made = len(self.texts)

    def _make(self, numbers: Ids) -> None:
        more = len(self.texts) - len(self._hashes)
        if more > 0:
            self._hashes = np.concatenate([self._hashes, np.zeros(more, dtype=np.uint64)])
            self._made = np.concatenate([self._made, np.zeros(more, dtype=bool)])
        made = self._made[numbers]
        if made.all():
            return
        missing, texts = numbers[~made], self.texts
        new = np.unique(missing) if len(missing) > 1000 else np.array(list(set(missing.tolist())))
        self._hashes[new] = _hashes_of([texts[number] for number in new.tolist()])
        self._made[new] = True

    def pack(self) -> None:
        """No text is added any more; from now on they take little memory."""
        self.hash_all()
        self.texts = _Packed(self.texts)
        self.number = _packed

    def pick(self, numbers: Ids) -> list[str]:
        texts = self.texts
        if isinstance(texts, _Packed):
            return texts.pick(numbers)
        return [texts[number] for number in numbers.tolist()]

    def adopt(self, texts: Iterable[str]) -> Ids:
        """Numbers of another vocabulary's texts here, in its order."""
        return np.fromiter(map(self.number, texts), np.int32)


def _packed(text: str) -> int:
    raise RuntimeError("This vocabulary is packed: no text is numbered any more.")
