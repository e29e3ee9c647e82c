"""How fast requests are embedded, and how fast the nearest of a million are found.

`python -m bench.meaning [LOGS]`: requests of the labelled sets in ../shared/data (else made-up ones) are
embedded by each embedder; then LOGS (1,000,000) vectors are kept and searched, beside one pass of numpy
over the same numbers. Times are processor time: what else runs on the machine does not count.
"""

from __future__ import annotations

import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from assay.discovery.apply import to_lists
from assay.discovery.base import Embedder, to_unit
from assay.discovery.cells import fit_centres, place
from assay.discovery.hashing import HashingEmbedder
from assay.discovery.static import StaticEmbedder, find_folder
from assay.signals import load_words
from assay.store.telemetry.connection import Telemetry, open_telemetry
from assay.store.telemetry.embeddings import insert_vectors, nearest

SETS = ("banking77", "clinc150")
SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"
BATCH = 50_000
DAYS = 14
START = datetime(2026, 5, 1, tzinfo=UTC)
SIZE = 256
SEARCHES = 25


def main(logs: int) -> None:
    print(f"load {os.getloadavg()[0]:.1f}")
    embedders: list[Embedder] = [HashingEmbedder(load_words({})["common"])]
    if find_folder():
        embedders.append(StaticEmbedder())
    for embedder in embedders:
        measure_embedder(embedder)
    with tempfile.TemporaryDirectory() as folder:
        store = open_telemetry(f"chdb://{folder}")
        try:
            measure_search(store, logs)
        finally:
            store.close()


def measure_embedder(embedder: Embedder) -> None:
    """Texts a second, and how well requests of one intent lie together."""
    for name in SETS:
        path = SHARED / name / f"{name}.parquet"
        if not path.exists():
            continue
        rows = pq.read_table(path, columns=["input", "intent"]).to_pylist()[:6_500]
        texts, intents = [row["input"] for row in rows], np.array([row["intent"] for row in rows])
        embedder.embed(texts[:50])
        took, vectors = cpu(partial(embedder.embed, texts))
        alike = vectors @ vectors.T
        np.fill_diagonal(alike, -1)
        top = np.argpartition(-alike, 5, axis=1)[:, :5]
        same = float((intents[top] == intents[:, None]).mean())
        cells = place(vectors, fit_centres(vectors, len(set(intents)), 0))
        print(
            f"{embedder.model}, {name}: {len(texts) / took:,.0f} texts a CPU second, "
            f"{same:.3f} of the 5 nearest of the same intent, NMI of cells {agreement(intents, cells):.3f}"
        )


def measure_search(store: Telemetry, logs: int) -> None:
    """Vectors of a thousand topics; what a search takes, and how much of numpy's answer it gives."""
    rng = np.random.default_rng(0)
    topics = rng.normal(size=(1_000, SIZE)).astype(np.float32)
    kept = np.zeros((logs, SIZE), np.float32)
    inserting = 0.0
    for first in range(0, logs, BATCH):
        count = min(BATCH, logs - first)
        noise = rng.normal(size=(count, SIZE)).astype(np.float32)
        kept[first : first + count] = to_unit(topics[rng.integers(1_000, size=count)] + 1.5 * noise)
        took, _ = cpu(partial(put, store, first, kept[first : first + count], logs))
        inserting += took
    size = store.query(
        "SELECT sum(bytes_on_disk) AS size FROM system.parts WHERE active AND table = 'embeddings'"
    ).to_pylist()[0]["size"]
    print(f"{logs:,} vectors kept in {inserting:.1f} CPU s, {size / logs:.0f} bytes each")
    asked = rng.integers(logs, size=SEARCHES).tolist()
    walls, cpus, shared, yardsticks = [], [], [], []
    for number in asked:
        began = time.perf_counter()
        took, found = cpu(partial(nearest, store, "conversation", f"log-{number}", "m", 10))
        walls.append(time.perf_counter() - began)
        cpus.append(took)
        took, alike = cpu(partial(np.matmul, kept, kept[number]))
        yardsticks.append(took)
        best = set(np.argpartition(-alike, 11)[:11].tolist()) - {number}
        shared.append(len(best & {int(near.row.log_id.split("-")[1]) for near in found or ()}) / 10)
    ratio = statistics.median(cpus) / statistics.median(yardsticks)
    print(
        f"the nearest 10: median {1000 * statistics.median(walls):.0f} ms, "
        f"{1000 * statistics.median(cpus):.0f} ms of CPU, {ratio:.1f} times numpy's one product in memory; "
        f"{100 * statistics.mean(shared):.1f} % of the exact answer; load {os.getloadavg()[0]:.1f}"
    )


def put(store: Telemetry, first: int, vectors: Any, logs: int) -> None:
    ids = [f"log-{number}" for number in range(first, first + len(vectors))]
    step = timedelta(days=DAYS) / logs
    begun = pa.array(
        [START + step * number for number in range(first, first + len(vectors))], pa.timestamp("us", "UTC")
    )
    rows = pa.table({"log_id": ids, "started": begun, "computed_at": begun, "vector": to_lists(vectors)})
    insert_vectors(
        store, "conversation", "m", rows.append_column("cell", pa.array([0] * len(ids), pa.uint32()))
    )
    text = [f"request {log_id}" for log_id in ids]
    plain = {"unit": ["conversation"] * len(ids), "conversation_id": ids, "ended": begun, "input": text}
    store.insert("signals", pa.table({"log_id": ids, "started": begun, "computed_at": begun, **plain}))


def agreement(truth: Any, cells: Any) -> float:
    """Normalised mutual information."""
    _, a = np.unique(truth, return_inverse=True)
    _, b = np.unique(cells, return_inverse=True)
    joint = np.zeros((a.max() + 1, b.max() + 1))
    np.add.at(joint, (a, b), 1.0)
    joint /= joint.sum()
    rows, columns = joint.sum(1), joint.sum(0)
    held = joint > 0
    shared = (joint[held] * np.log(joint[held] / np.outer(rows, columns)[held])).sum()
    return float(2 * shared / (entropy(rows) + entropy(columns)))


def entropy(shares: Any) -> float:
    shares = shares[shares > 0]
    return float(-(shares * np.log(shares)).sum())


def cpu(work: Callable[[], Any]) -> tuple[float, Any]:
    began = time.process_time()
    done = work()
    return time.process_time() - began, done


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000)
