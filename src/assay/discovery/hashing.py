"""Vectors from the spelling of words alone: nothing to install, nothing to download, any language.

A word is the sum of its hashed letter groups, so that `refund` and `refunds` are near; a text is the
sum of its words, function words left out (Joulin et al. 2017; Weinberger et al. 2009)."""

from __future__ import annotations

import threading
from collections.abc import Collection, Sequence
from hashlib import sha256
from zlib import crc32

import numpy as np

from assay.discovery.base import Vectors, to_unit, without_numbers
from assay.query import fold_words

DIMENSIONS = 512
MOST_CHARS = 8_000
MOST_WORDS = 20_000
"""Words whose vectors are kept for the next text: 40 MB."""

GROUPS = (3, 4, 5)
"""Letters in a group. A word counted as a whole, too, made retrieval of like requests worse."""


class HashingEmbedder:
    """`common` are words that say nothing about what a text is about. Thread-safe."""

    def __init__(self, common: Collection[str] = ()) -> None:
        self._common = frozenset(word for phrase in common for word in fold_words(phrase).split())
        self._words: dict[str, Vectors] = {}
        self._lock = threading.Lock()

    @property
    def model(self) -> str:
        listed = sha256("\n".join(sorted(self._common)).encode()).hexdigest()[:6]
        return f"hashing-1-{DIMENSIONS}-{listed}"

    def embed(self, texts: Sequence[str]) -> Vectors:
        found = np.zeros((len(texts), DIMENSIONS), np.float32)
        for row, text in enumerate(texts):
            words = fold_words(without_numbers(text[:MOST_CHARS])).split()
            telling = [word for word in words if word not in self._common] or words
            for word in telling:
                found[row] += self._vector(word)
        return to_unit(found)

    def _vector(self, word: str) -> Vectors:
        known = self._words.get(word)
        if known is not None:
            return known
        vector = np.zeros(DIMENSIONS, np.float32)
        framed = f"<{word[:40]}>"
        groups = [framed[at : at + size] for size in GROUPS for at in range(len(framed) - size + 1)]
        for group in groups:
            vector += _feature(group)
        vector /= max(float(np.linalg.norm(vector)), 1e-9)
        with self._lock:
            if len(self._words) >= MOST_WORDS:
                self._words.clear()
            self._words[word] = vector
        return vector


def _feature(text: str) -> Vectors:
    """Two places with a sign each: one collision is then not a whole feature."""
    feature = np.zeros(DIMENSIONS, np.float32)
    for salt in ("a", "b"):
        number = crc32((salt + text).encode("utf-8", "ignore"))
        feature[(number >> 1) % DIMENSIONS] += 1.0 if number & 1 else -1.0
    return feature
