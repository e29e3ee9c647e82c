"""Static token vectors: a text is the mean of its tokens' vectors. No network, 15,000 texts a second.

The vectors and the tokenizer are those inside the package `wordllama` (Lee Miller, MIT); its own code,
whose loader looks for them elsewhere, is not run."""

from __future__ import annotations

import json
import threading
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from assay.discovery.base import Vectors, to_unit, without_numbers
from assay.errors import ExtraMissing

if TYPE_CHECKING:
    from tokenizers import Tokenizer

PACKAGE = "wordllama"
WEIGHTS = "weights/l2_supercat_256.safetensors"
TOKENS = "tokenizers/l2_supercat_tokenizer_config.json"
DIMENSIONS = 256
READING = 1
"""How a text is read; another way makes other vectors."""

MOST_CHARS = 8_000
"""More of a text says little about what it is about, and costs as much as the rest."""

MOST_TOKENS = 30_000
"""Tokens whose vectors are in memory at once: 30 MB."""

TEXTS = 256


class StaticEmbedder:
    """Reads 16 MB at the first use. Thread-safe. Raises ExtraMissing where the package is not there."""

    def __init__(self) -> None:
        folder = find_folder()
        if folder is None:
            raise ExtraMissing(
                'embedder = "static" needs the package that holds its vectors: '
                "pip install 'assay[embeddings]'"
            )
        self._folder = folder
        self._lock = threading.Lock()
        self._vectors: Vectors | None = None
        self._tokenizer: Tokenizer | None = None

    @property
    def model(self) -> str:
        return f"{PACKAGE}-{version(PACKAGE)}-{DIMENSIONS}-{READING}"

    def embed(self, texts: Sequence[str]) -> Vectors:
        tokenizer, vectors = self._load()
        found = np.zeros((len(texts), DIMENSIONS), np.float32)
        for start in range(0, len(texts), TEXTS):
            clean = [_clean(text) for text in texts[start : start + TEXTS]]
            encoded = tokenizer.encode_batch_fast(clean, add_special_tokens=False)
            tokens = [
                np.asarray(one.ids if text else (), np.int64)
                for one, text in zip(encoded, clean, strict=True)
            ]
            found[start : start + TEXTS] = _means(vectors, tokens)
        return to_unit(found)

    def _load(self) -> tuple[Tokenizer, Vectors]:
        with self._lock:
            if self._tokenizer is None or self._vectors is None:
                from tokenizers import Tokenizer

                self._tokenizer = Tokenizer.from_file(str(self._folder / TOKENS))
                self._tokenizer.no_padding()
                self._tokenizer.no_truncation()
                self._vectors = read_tensor(self._folder / WEIGHTS)
            return self._tokenizer, self._vectors


def find_folder() -> Path | None:
    """Where the package lies with all that is needed of it, or None; it is not imported."""
    if find_spec("tokenizers") is None or (spec := find_spec(PACKAGE)) is None:
        return None
    try:
        version(PACKAGE)
    except PackageNotFoundError:
        return None
    folders = [Path(place) for place in spec.submodule_search_locations or ()]
    return next((f for f in folders if (f / WEIGHTS).exists() and (f / TOKENS).exists()), None)


def read_tensor(path: Path) -> Vectors:
    """The one tensor of a safetensors file: a length, a JSON header, then the numbers."""
    with path.open("rb") as file:
        header = json.loads(file.read(int.from_bytes(file.read(8), "little")))
        (tensor,) = (value for name, value in header.items() if name != "__metadata__")
        kinds = {"F16": "<f2", "F32": "<f4"}
        numbers = np.frombuffer(file.read(), kinds[tensor["dtype"]]).reshape(tensor["shape"])
    return numbers.astype(np.float32)


def _means(vectors: Vectors, tokens: Sequence[np.ndarray[tuple[int], np.dtype[np.int64]]]) -> Vectors:
    """The sum of each text's token vectors, of which only the direction is used."""
    found = np.zeros((len(tokens), vectors.shape[1]), np.float32)
    row = 0
    while row < len(tokens):
        taken, held = row, 0
        while taken < len(tokens) and (taken == row or held + len(tokens[taken]) <= MOST_TOKENS):
            held += len(tokens[taken])
            taken += 1
        some = [index for index in range(row, taken) if len(tokens[index])]
        if some:
            ids = np.concatenate([tokens[index] for index in some])
            starts = np.cumsum([0, *(len(tokens[index]) for index in some[:-1])])
            found[some] = np.add.reduceat(vectors[np.clip(ids, 0, len(vectors) - 1)], starts, axis=0)
        row = taken
    return found


def _clean(text: str) -> str:
    """What the tokenizer can take: no lone surrogates, no more than counts."""
    return without_numbers(text[:MOST_CHARS].encode("utf-8", "ignore").decode()).strip()
