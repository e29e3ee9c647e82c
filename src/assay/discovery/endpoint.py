"""Vectors from an endpoint: a transformer of the team's choice, as far as they have one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np

from assay.discovery.base import Vectors, to_unit
from assay.errors import ProviderError

TEXTS = 64
"""Texts in one request."""

MOST_CHARS = 2_000


class Vectorizer(Protocol):
    """What answers over the network: see `assay.llm.embed`."""

    @property
    def model(self) -> str: ...

    @property
    def base_url(self) -> str: ...

    def embed(self, texts: Sequence[str]) -> list[list[float]]: ...


class EndpointEmbedder:
    """Sends texts as they are kept, so what is redacted stays so. Raises ProviderError."""

    def __init__(self, asked: Vectorizer) -> None:
        self._asked = asked
        self._size = 0

    @property
    def model(self) -> str:
        return f"{self._asked.model}@{self._asked.base_url}"

    def embed(self, texts: Sequence[str]) -> Vectors:
        clean = [text[:MOST_CHARS].encode("utf-8", "ignore").decode().replace("\x00", " ") for text in texts]
        told = [index for index, text in enumerate(clean) if text.strip()]
        if not self._size:
            self._size = len(self._asked.embed(["size"])[0])
        found = np.zeros((len(texts), self._size), np.float32)
        for start in range(0, len(told), TEXTS):
            some = told[start : start + TEXTS]
            vectors = np.asarray(self._asked.embed([clean[index] for index in some]), np.float32)
            if vectors.shape[1] != self._size:
                raise ProviderError(
                    f"{self.model} gave vectors of {self._size} numbers, and now of {vectors.shape[1]}: "
                    "name the model in full, so that it stays one",
                    reason="not_understood",
                )
            found[some] = vectors
        return to_unit(np.nan_to_num(found))
