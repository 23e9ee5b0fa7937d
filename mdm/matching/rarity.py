"""Rarity: how often words and keys occur. Sharing a rare thing says much, sharing a common one little."""

import math
from typing import Protocol

from mdm.matching.words import COMMON


class Rarity(Protocol):
    """Counts over the records compared against. Zero means never seen."""

    @property
    def total(self) -> int:
        """Number of records counted."""
        ...

    def token_count(self, token: str) -> int:
        """Records whose name holds this word (as features spell it)."""
        ...

    def key_count(self, hash_: int) -> int:
        """Records that hold this key."""
        ...


# A word never counted is taken to stand in one of 10,000 names, a common one in one of 100; the belief weighs
# as much as a thousand records, so that a nearly empty hub does not call "services" rare.
_PRIOR_RECORDS = 1000
_PRIOR_RARE = 1e-4
_PRIOR_COMMON = 1e-2


class TokenWeights:
    """Information of words in nats, remembered for the length of one job."""

    def __init__(self, rarity: Rarity | None) -> None:
        self.rarity = rarity
        self._known: dict[str, float] = {}
        self._total = (rarity.total if rarity else 0) + _PRIOR_RECORDS

    def __call__(self, token: str) -> float:
        weight = self._known.get(token)
        if weight is None:
            count = self.rarity.token_count(token) if self.rarity else 0
            prior = _PRIOR_COMMON if token in COMMON else _PRIOR_RARE
            if len(token) == 1:
                prior = _PRIOR_COMMON
            share = (count + _PRIOR_RECORDS * prior) / self._total
            # Rounded to sixteenths: sums come out the same in any order.
            weight = self._known[token] = round(max(0.5, -math.log(share)) * 16) / 16
        return weight

    def key_count(self, hash_: int) -> int:
        return self.rarity.key_count(hash_) if self.rarity else 0
