"""What an embedder is: texts become unit vectors, and near in meaning is near in space."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from assay.errors import PluginError

Vectors = NDArray[np.float32]
"""A row a text."""

TOLERANCE = 1e-3
DIGITS = 3

_DIGIT = re.compile(r"\d")
_WORD = re.compile(r"[\w#-]+")


class Embedder(Protocol):
    """Texts become vectors. Vectors of different models are never compared with each other."""

    @property
    def model(self) -> str:
        """The model and its version: equal names mean equal vectors of equal texts."""
        ...

    def embed(self, texts: Sequence[str]) -> Vectors:
        """A float32 row a text, of length 1; of length 0 where the text says nothing.

        What a text's vector is may not depend on the texts beside it."""
        ...


def without_numbers(text: str) -> str:
    """The text without words that hold three digits or more: which order it is about is not what it is
    about. A text of nothing else stays."""
    if len(_DIGIT.findall(text)) < DIGITS:
        return text
    plain = _WORD.sub(lambda word: " " if len(_DIGIT.findall(word[0])) >= DIGITS else word[0], text)
    return plain if plain.strip(" -#.,:;!?/") else text


def to_unit(vectors: Vectors) -> Vectors:
    """The same directions at length 1; rows without a direction stay 0."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    unit: Vectors = np.divide(vectors, lengths, out=np.zeros_like(vectors), where=lengths > 0)
    return unit


def check_embedder(embedder: Embedder) -> Embedder:
    """The embedder itself, for the tests of a plug-in: it embeds a few texts, hostile ones among them.

    Raises PluginError where what comes back can't be kept or compared."""
    texts = ["I want my money back", "", " \n", "🙃", "Wo ist mein Paket?", "x" * 20_000, "\ud800 \x00", "a"]
    first = embedder.embed(texts)
    if not embedder.model:
        raise PluginError(f"{type(embedder).__name__}.model is empty: vectors are kept under its name")
    if first.dtype != np.float32 or first.ndim != 2 or len(first) != len(texts) or not first.shape[1]:
        raise PluginError(
            f"{embedder.model}: embed() of {len(texts)} texts gave {first.dtype} of shape {first.shape}; "
            "give float32, a row a text"
        )
    lengths = np.linalg.norm(first, axis=1)
    if not np.all((np.abs(lengths - 1) < TOLERANCE) | (lengths == 0)):
        raise PluginError(f"{embedder.model}: rows must have length 1, or 0; got {lengths.round(3).tolist()}")
    if lengths[0] == 0 or lengths[1] != 0:
        raise PluginError(f"{embedder.model}: a sentence needs a direction, and an empty text has none")
    if not np.allclose(first[:1], embedder.embed(texts[:1]), atol=TOLERANCE):
        raise PluginError(f"{embedder.model}: a text's vector changed with the texts beside it")
    if embedder.embed([]).shape != (0, first.shape[1]):
        raise PluginError(f"{embedder.model}: no texts must give no rows, of {first.shape[1]} columns")
    return embedder
