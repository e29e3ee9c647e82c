"""What has been said and has no vector yet is embedded, and put into a cell."""

from __future__ import annotations

from collections.abc import Collection, Hashable, MutableMapping
from datetime import date
from typing import Any, Final, NamedTuple, cast

import numpy as np
import pyarrow as pa

from assay.discovery import cells
from assay.discovery.base import Embedder, Vectors
from assay.records import EmbedReport, Progress, Unit, no_progress
from assay.store.telemetry import embeddings as kept
from assay.store.telemetry.connection import Telemetry

PASS: Final = 10_000
"""Logs that one pass embeds at most, a second's work: what waits longer has more passes."""

BATCH: Final = 4_000

Memory = MutableMapping[Hashable, Hashable]
"""The days that are done, by the state they were in."""


class _Centres(NamedTuple):
    generation: int
    vectors: Vectors
    fitted_from: int


def embed_logs(
    t: Telemetry,
    embedder: Embedder,
    units: Collection[Unit],
    *,
    memory: Memory,
    limit: int = PASS,
    batch: int = BATCH,
    progress: Progress = no_progress,
) -> EmbedReport:
    """Embed what has no vector of this model yet, the newest days first, at most `limit` logs; every
    `batch` is written before the next is begun.

    A day in which nothing was written since it was done is not looked at again: `memory` knows. Once
    there are enough vectors, or many more than before, cells are cut. Raises ProviderError."""
    days = kept.days_of_signals(t)
    work = _Work(t, embedder, _read_centres(t, embedder.model), batch)
    done, waiting = 0, False
    for unit in units:
        for day in sorted(days, reverse=True):
            key = (embedder.model, unit, day)
            if memory.get(key) == days[day]:
                continue
            count, finished = work.embed_day(unit, day, limit - done)
            done += count
            if finished:
                memory[key] = days[day]
            waiting = waiting or not finished
            if count:
                progress("embed", done, None)
    generation = _cut(t, embedder.model, work.centres) if done else 0
    return EmbedReport(model=embedder.model, embedded=done, waiting=waiting, generation=generation)


class _Work(NamedTuple):
    """One pass."""

    t: Telemetry
    embedder: Embedder
    centres: _Centres
    batch: int

    def embed_day(self, unit: Unit, day: date, limit: int) -> tuple[int, bool]:
        """How many logs were embedded, and whether nothing is left of the day."""
        count, after = 0, None
        while count < limit:
            most = min(self.batch, limit - count)
            rows = kept.pending(self.t, unit, day, self.embedder.model, most, after)
            if rows.num_rows:
                self._embed(unit, rows)
                after = max(kept.Place(row["started"], row["log_id"]) for row in rows.to_pylist())
            count += rows.num_rows
            if rows.num_rows < most:
                return count, True
        return count, False

    def _embed(self, unit: Unit, rows: pa.Table) -> None:
        vectors = self.embedder.embed([row["text"] for row in rows.select(["text"]).to_pylist()])
        before = rows["cell"].to_numpy()
        cell = np.zeros(rows.num_rows, np.uint32)
        if self.centres.generation:
            nearest = cells.place(vectors, self.centres.vectors) + 1
            cell = (self.centres.generation * kept.CELLS + nearest).astype(np.uint32)
            cell[~vectors.any(axis=1)] = 0
        table = rows.select(["log_id", "started", "computed_at"])
        table = table.append_column("vector", to_lists(vectors))
        table = table.append_column("cell", pa.array(np.where(before > 0, before, cell), pa.uint32()))
        kept.insert_vectors(self.t, unit, self.embedder.model, table)


def _cut(t: Telemetry, model: str, centres: _Centres) -> int:
    """Fit cells where it is time to; the new generation, else 0."""
    logs = kept.count_vectors(t, model)
    if not cells.is_due(logs, centres.fitted_from):
        return 0
    sample = _matrix(kept.sample_vectors(t, model, cells.SAMPLE)["vector"])
    fitted = cells.fit_centres(sample, cells.cells_for(logs), seed=centres.generation)
    if not len(fitted):
        return 0
    generation = kept.insert_centres(t, model, to_lists(fitted), logs)
    kept.place_rest(t, model, generation)
    return generation


def _read_centres(t: Telemetry, model: str) -> _Centres:
    rows = kept.read_centres(t, model)
    if not rows.num_rows:
        return _Centres(0, np.zeros((0, 0), np.float32), 0)
    return _Centres(rows["generation"][0].as_py(), _matrix(rows["vector"]), rows["fitted_from"][0].as_py())


def to_lists(vectors: Vectors) -> pa.Array[Any]:
    """A matrix as an Arrow column of lists."""
    count, size = vectors.shape
    offsets = pa.array(np.arange(count + 1, dtype=np.int32) * np.int32(size), pa.int32())
    numbers = pa.array(np.ascontiguousarray(vectors).ravel(), pa.float32())
    return pa.ListArray.from_arrays(offsets, numbers)


def _matrix(column: pa.ChunkedArray[Any]) -> Vectors:
    lists = cast("pa.ListArray[Any]", column.combine_chunks())
    flat: Vectors = np.asarray(lists.flatten(), np.float32)
    return flat.reshape(len(lists), -1) if len(lists) else np.zeros((0, 0), np.float32)
