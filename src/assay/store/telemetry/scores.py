"""What metrics and people said about logs, and which logs still wait for them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

import pyarrow as pa

from assay.records import Unit
from assay.store.telemetry.connection import Telemetry
from assay.store.telemetry.receipts import note_scores
from assay.store.telemetry.scope import HUMAN, JUDGE, LABEL, LOGS, MACHINE, NEAR, Question, bind_around


def insert_scores(t: Telemetry, rows: pa.Table) -> None:
    """Write outcomes down, durably. A later row of the same metric, version, log and rater
    replaces the earlier one."""
    note_scores(t, rows)
    t.insert("scores", rows)


def unscored(t: Telemetry, question: Question, *, retry_failed: bool = False) -> pa.Table:
    """Selected logs that this version has neither scored nor skipped: log_id, started. Those that
    were over budget are among them, those that failed only with `retry_failed`.

    In random order, the same each time: where a run ends early, what it did is a fair sample."""
    done = "('scored', 'skipped')" if retry_failed else "('scored', 'skipped', 'failed')"
    return t.query(_waiting(JUDGE, f"{MACHINE} AND fate IN {done}"), question.bind())


def to_label(t: Telemetry, question: Question) -> pa.Table:
    """Logs selected for people about which nobody has said anything yet: log_id, started. In
    random order, the same each time."""
    return t.query(_waiting(LABEL, f"{HUMAN} AND fate IN ('scored', 'skipped')"), question.bind())


def scores_of(t: Telemetry, unit: Unit, begun: Mapping[str, datetime]) -> pa.Table:
    """Every outcome of these logs, given with when they began: all columns, by log and metric, the
    newest first."""
    return t.query(
        f"SELECT * FROM scores FINAL WHERE {NEAR} AND log_id IN {{log_ids:Array(String)}} "
        "ORDER BY log_id, metric, scored_at DESC, kind, rater",
        bind_around(unit, begun),
    )


def _waiting(selected: str, done: str) -> str:
    return (
        f"SELECT log_id, started FROM (SELECT log_id, started FROM {LOGS}) AS f GLOBAL INNER JOIN "
        f"(SELECT log_id, turn FROM {selected} WHERE selected) AS j USING log_id "
        f"WHERE log_id GLOBAL NOT IN (SELECT log_id FROM {done}) ORDER BY turn, log_id"
    )
