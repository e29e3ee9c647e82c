"""How past scores differ, by a policy's conditions: what Neyman's allocation goes by."""

from __future__ import annotations

import pyarrow as pa

from assay.records import MetricInfo, Window
from assay.store.telemetry.connection import Telemetry
from assay.store.telemetry.grouping import Grouping, read_facts
from assay.store.telemetry.scope import JUDGE, NEAR


def past_scores(t: Telemetry, grouping: Grouping, info: MetricInfo, window: Window) -> pa.Table:
    """Scores of the window's logs, of any version of the metric, by the conditions that hold of them:
    columns `when.NAME`, `logs` (how many are scored), `mean` and `deviation`, both weighted by one over
    the probability with which the policy drew the log, where it did."""
    facts = read_facts(grouping, "judge", window)
    kind = "kind = 'human'" if info.kind == "human" else "kind != 'human'"
    scores = (
        "SELECT log_id, argMax(value, (scored_at, metric_version)) AS value FROM scores FINAL "
        f"WHERE metric = {{metric:String}} AND {kind} AND fate = 'scored' AND {NEAR} GROUP BY log_id"
    )
    by = ", ".join(f"w{number}" for number in range(len(grouping.conditions)))
    rows = t.query(
        f"SELECT {by}{', ' if by else ''}toFloat64(count()) AS logs, "
        "sum(weight * value) / sum(weight) AS mean, "
        "sqrt(greatest(0, sum(weight * value * value) / sum(weight) - mean * mean)) AS deviation "
        "FROM (SELECT f.*, assumeNotNull(m.value) AS value, "
        "if(j.probability > 0, 1 / j.probability, 1) AS weight "
        f"FROM ({facts.sql}) AS f GLOBAL INNER JOIN ({scores}) AS m ON f.log_id = m.log_id "
        f"GLOBAL LEFT JOIN {JUDGE} AS j ON f.log_id = j.log_id)"
        f"{' GROUP BY ' + by if by else ''} SETTINGS join_use_nulls = 0",
        facts.params | {"metric": info.name},
    )
    return rows.rename_columns([grouping.column(name) for name in rows.column_names])
