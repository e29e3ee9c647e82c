"""Random draws from a key: the same key gives the same draws on every machine and Python."""

from __future__ import annotations

import struct
from bisect import bisect
from collections.abc import Sequence
from hashlib import blake2b
from math import exp, log, sqrt
from typing import TypeVar

Item = TypeVar("Item")
_WORDS = struct.Struct("<16I")


class Draws:
    """Counter-based: block n is a hash of (key, n), so no state is shared between two keys.

    The standard library's generator is not used, because its methods may change between versions
    of Python and seeding one for each conversation is slow."""

    __slots__ = ("_blocks", "_key", "_pool")

    def __init__(self, key: str) -> None:
        self._key = key.encode()
        self._pool: list[int] = []
        self._blocks = 0

    def word(self) -> int:
        """A whole number in [0, 2**32)."""
        if not self._pool:
            block = blake2b(self._key, digest_size=64, salt=self._blocks.to_bytes(8, "little")).digest()
            self._pool.extend(_WORDS.unpack(block))
            self._blocks += 1
        return self._pool.pop()

    def unit(self) -> float:
        """A number in [0, 1)."""
        return self.word() * 2.0**-32

    def below(self, limit: int) -> int:
        """A whole number in [0, limit)."""
        return self.word() * limit >> 32

    def chance(self, probability: float) -> bool:
        """True with this probability."""
        return self.word() < probability * 2.0**32

    def pick(self, items: Sequence[Item]) -> Item:
        """One of the items, each as likely."""
        return items[self.word() * len(items) >> 32]

    def weighted(self, cumulative: Sequence[float]) -> int:
        """An index, by cumulative weights that end with 1."""
        return min(bisect(cumulative, self.unit()), len(cumulative) - 1)

    def skewed(self, median: float, spread: float) -> float:
        """A log-normal-like positive number: the logarithm is nearly logistic around the median."""
        u = min(max(self.unit(), 1e-6), 1 - 1e-6)
        return median * exp(spread * log(u / (1 - u)) * sqrt(3) / 3.14159)
