"""Receipts: each step notes, apart from its rows, of which logs it has written some.

They are the second entry of the books. A decision or score that is gone, while its receipt is there, was
lost: without one it could not be told from what was never decided. A step writes receipts first; if it
breaks off between the two, the books say so until it has run again, which gives the same rows.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from assay.store.telemetry.connection import Telemetry
from assay.store.telemetry.facts import near
from assay.store.telemetry.schema import Table
from assay.store.telemetry.scope import BY_DAY, NEAR

RECEIPTS: Final = Table(
    name="receipts",
    columns=(
        "step LowCardinality(String)",
        "name LowCardinality(String)",
        "part LowCardinality(String)",
        "unit LowCardinality(String)",
        "log_id String CODEC(ZSTD(1))",
        "started DateTime64(6, 'UTC') CODEC(Delta(8), ZSTD(1))",
    ),
    engine="ReplacingMergeTree",
    partition_by="toDate(started)",
    order_by="(step, name, part, unit, log_id)",
    shard_by="cityHash64(log_id)",
)
"""`step` is `decision` or `score`, `name` the policy or metric. `part` tells the rows about one log apart:
stage and occasion of a decision, kind and version of a score; people share one, and no rater is named."""

_DECIDED: Final = "concat(stage, ' ', toString(occasion))"
_SCORED: Final = "concat(kind, ' ', if(kind = 'human', '', metric_version))"

_WRITTEN: Final = (
    "SELECT step, part, log_id FROM receipts FINAL WHERE ("
    "(step = 'decision' AND name = {policy:String}) OR "
    "(step = 'score' AND name = {metric:String} AND part IN ("
    "concat({kind:String}, ' ', if({kind:String} = 'human', '', {metric_version:String})), 'human ')))"
    f" AND {NEAR}"
)
_THERE: Final = (
    f"SELECT 'decision' AS step, {_DECIDED} AS part, log_id FROM selections FINAL "
    f"WHERE policy = {{policy:String}} AND {NEAR} UNION ALL "
    f"SELECT DISTINCT 'score' AS step, {_SCORED} AS part, log_id FROM scores FINAL "
    "WHERE metric = {metric:String} AND (kind = 'human' OR "
    f"(kind = {{kind:String}} AND metric_version = {{metric_version:String}})) AND {NEAR}"
)
LOST: Final = f"SELECT DISTINCT log_id FROM ({_WRITTEN}) WHERE (step, part, log_id) GLOBAL NOT IN ({_THERE})"
"""Logs of which a decision of the policy, or a score or label of the metric, was written and is gone."""

_SUM: Final = "SELECT count() AS rows, sum(cityHash64(step, part, log_id)) AS hash FROM"
_AGREE: Final = (
    f"SELECT a.rows = b.rows AND a.hash = b.hash AS agree FROM ({_SUM} ({_WRITTEN})) AS a "
    f"CROSS JOIN ({_SUM} ({_THERE})) AS b {BY_DAY}"
)


def is_complete(t: Telemetry, params: Mapping[str, Any]) -> bool:
    """Whether rows and receipts are the same, so that nothing is lost: far sooner asked than what is."""
    return bool(t.query(near(t.topology, _AGREE), params).to_pylist()[0]["agree"])


def note_decisions(t: Telemetry, rows: pa.Table) -> None:
    """Note which rows of `selections` are about to be written."""
    occasion = _text(rows, "occasion") if "occasion" in rows.column_names else "0"
    _note(t, "decision", rows, "policy", pc.binary_join_element_wise(_text(rows, "stage"), occasion, " "))


def note_scores(t: Telemetry, rows: pa.Table) -> None:
    """Note which rows of `scores` are about to be written."""
    kind = _text(rows, "kind")
    version = pc.if_else(pc.equal(kind, pa.scalar("human")), "", _text(rows, "metric_version"))
    _note(t, "score", rows, "metric", pc.binary_join_element_wise(kind, version, " "))


def _note(t: Telemetry, step: str, rows: pa.Table, name: str, part: Any) -> None:
    columns = {
        "step": pa.repeat(pa.scalar(step, pa.string()), rows.num_rows),
        "name": rows[name],
        "part": part,
        "unit": rows["unit"],
        "log_id": rows["log_id"],
        "started": rows["started"],
    }
    t.insert(RECEIPTS.name, pa.table(columns))


def _text(rows: pa.Table, column: str) -> Any:  # pyarrow's stubs know no column of any one type
    return rows[column].cast(pa.string())
