"""Whatever stands in the cells of an export, a row is taken or left out alone."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from pyarrow import parquet

from assay.errors import FileError
from assay.ingest.exports.basket import Basket
from assay.ingest.exports.shapes import SHAPES
from assay.ingest.imports import open_plan
from assay.ingest.options import ImportOptions
from assay.ingest.rows import Row
from assay.ingest.sources import find_sources

EXPORTS = Path(__file__).parent / "exports"
CELLS = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats()
    | st.text(max_size=30)
    | st.sampled_from(
        ["{}", "[]", '{"a": [1, {"b": null}]}', "{'a': None}", "2026-05-04T10:00:00Z", "\ud800", "{"]
    ),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
    max_leaves=6,
)
SAMPLES = [
    (path.name.partition("_")[0], json.loads(line))
    for path in sorted(EXPORTS.glob("*.jsonl"))
    for line in path.read_text(encoding="utf-8").splitlines()[:2]
]

ANNOTATION = next(sample for sample in SAMPLES if "annotator_kind" in sample[1])


@given(sample=st.sampled_from(SAMPLES), odd=st.dictionaries(st.integers(0, 60), CELLS, max_size=6))
@example(sample=SAMPLES[0], odd={})
@example(sample=ANNOTATION, odd={8: ["\ud800"]})
@settings(deadline=None, max_examples=400, suppress_health_check=[HealthCheck.too_slow])
def test_a_row_is_taken_or_says_what_is_wrong(
    sample: tuple[str, dict[str, Any]], odd: dict[int, Any]
) -> None:
    format_, cells = sample
    names = list(cells)
    row = Row(1, cells | {names[place % len(names)]: cell for place, cell in odd.items()})
    basket = Basket()
    try:
        SHAPES[format_].take(row, basket)
    except FileError:
        return
    spans, records = basket.tables()
    spans.validate(full=True)
    records.validate(full=True)
    assert spans.num_rows + records.num_rows > 0 or format_ == "mlflow"
    assert all(len(str(one)) == 32 for one in spans["TraceId"].to_pylist())
    assert all(len(str(one)) == 16 for one in spans["SpanId"].to_pylist())


@pytest.mark.parametrize("depth", [500, 5_000, 100_000])
def test_deep_cells_are_taken_or_left_out_alone(tmp_path: Path, depth: int) -> None:
    row = json.loads((EXPORTS / "langfuse_observations.jsonl").read_text().splitlines()[0])
    text = json.dumps(row | {"metadata": "HERE"}).replace('"HERE"', "[" * depth + "]" * depth)
    path = tmp_path / "a.jsonl"
    path.write_text(json.dumps(row) + "\n" + text + "\n" + json.dumps(row | {"id": "f" * 16}) + "\n")
    (source,) = find_sources([str(path)])
    (batch,) = open_plan(source, ImportOptions(), tmp_path).batches()
    assert batch.rows == 3
    assert batch.spans.num_rows + len(batch.rejected) == 3
    assert {"982bb12e2e78f87b", "f" * 16} <= set(batch.spans["SpanId"].to_pylist())


def test_maps_of_a_parquet_file_are_objects(tmp_path: Path) -> None:
    row = json.loads((EXPORTS / "langfuse_observations.jsonl").read_text().splitlines()[1])
    texts = pa.map_(pa.string(), pa.string())
    table = pa.table(
        {
            "id": [row["id"]],
            "trace_id": [row["trace_id"]],
            "type": ["GENERATION"],
            "start_time": pa.array([1_777_888_800_000_001], pa.timestamp("us")),
            "usage_details": pa.array([[("input", 42), ("output", 17)]], pa.map_(pa.string(), pa.uint64())),
            "metadata": pa.array([[("plan", "pro")]], texts),
        }
    )
    parquet.write_table(table, tmp_path / "a.parquet")
    (source,) = find_sources([str(tmp_path / "a.parquet")])
    (batch,) = open_plan(source, ImportOptions(), tmp_path).batches()
    (span,) = batch.spans.to_pylist()
    told = dict(span["SpanAttributes"])
    assert json.loads(told["langfuse.observation.usage_details"]) == {"input": 42, "output": 17}
    assert told["langfuse.observation.metadata.plan"] == "pro"
    assert span["Timestamp"].value == 1_777_888_800_000_001_000
