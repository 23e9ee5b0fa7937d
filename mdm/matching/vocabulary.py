"""Vocabulary: every text of a job once, numbered, with the hash that names it on any machine."""

from functools import cache
from hashlib import blake2b

import numpy as np
import numpy.typing as npt

Ids = npt.NDArray[np.int32]
Hashes = npt.NDArray[np.uint64]

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_SHIFT = np.uint64(29)


def stable_hash(text: str) -> int:
    """64 bits, unsigned, the same in every process and on every machine."""
    return int.from_bytes(blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "big")


@cache
def _kind_hash(kind: str) -> int:
    return stable_hash(kind)  # of a few dozen kinds, asked for at every check


def mix(kind: str, *parts: Hashes) -> Hashes:
    """One hash of several hashes of a kind; order counts."""
    total = np.full(len(parts[0]), _kind_hash(kind), dtype=np.uint64)
    for part in parts:
        total = (total ^ part) * _GOLDEN
        total ^= total >> _SHIFT
    return total


def signed(hashes: Hashes) -> npt.NDArray[np.int64]:
    """As a PostgreSQL bigint holds it."""
    return hashes.view(np.int64)


class Vocabulary:
    """Texts to numbers from 1; 0 is "nothing". Grows only; hashes are made when first asked for."""

    def __init__(self) -> None:
        self.texts: list[str] = [""]
        self._numbers: dict[str, int] = {"": 0}
        self._hashes: Hashes = np.zeros(1, dtype=np.uint64)

    def __len__(self) -> int:
        return len(self.texts)

    def number(self, text: str) -> int:
        known = self._numbers.get(text)
        if known is None:
            known = self._numbers[text] = len(self.texts)
            self.texts.append(text)
        return known

    def hashes(self) -> Hashes:
        """One hash per number; that of nothing is 0."""
        start = len(self._hashes)
        if start < len(self.texts):
            new = np.fromiter((stable_hash(t) for t in self.texts[start:]), np.uint64, len(self.texts) - start)
            self._hashes = np.concatenate([self._hashes, new])
        return self._hashes

    def pick(self, numbers: Ids) -> list[str]:
        texts = self.texts
        return [texts[number] for number in numbers.tolist()]

    def adopt(self, texts: list[str]) -> Ids:
        """Numbers of another vocabulary's texts here, in its order."""
        return np.fromiter((self.number(text) for text in texts), np.int32, len(texts))
