"""What has arrived and is not settled yet: visible from its first span on."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, Final

from assay.records import OpenMinute, OpenPage, OpenRow
from assay.store.telemetry.connection import Telemetry
from assay.store.telemetry.facts import near
from assay.store.telemetry.rows import utc
from assay.store.telemetry.settle import read_upto, server_time

LONGEST: Final = timedelta(days=1)
"""What nobody has settled for longer than this is not looked for: settling has stopped, or never ran."""

MINUTES: Final = timedelta(hours=1)
PREVIEW: Final = 500

TOUCHED: Final = "touched >= {since:DateTime64(3, 'UTC')}"
OPEN: Final = (
    "SELECT arrived.trace_id AS trace_id, at, failed, ids FROM ("
    "SELECT trace_id, max(touched) AS at, max(arrayMax(facts.values.error)) AS failed, "
    f"groupUniqArrayArray(conversation_ids) AS ids FROM interactions WHERE {TOUCHED} GROUP BY trace_id "
    "HAVING max(traced) = 1"
    ") AS arrived LEFT ANY JOIN ("
    "SELECT log_id, max(computed_at) AS computed FROM signals WHERE unit = 'interaction' "
    f"AND toDate(started) GLOBAL IN (SELECT day FROM interactions WHERE {TOUCHED}) "
    "AND computed_at >= {since:DateTime64(6, 'UTC')} AND is_deleted = 0 GROUP BY log_id"
    ") AS known ON known.log_id = arrived.trace_id "
    "WHERE known.log_id = '' OR at >= toDateTime64(computed, 3, 'UTC')"
)
"""Traces that something touched since everything before was settled, and that were not computed since."""


def read_open(t: Telemetry, *, limit: int = 50) -> OpenPage:
    """The interactions whose conversations may still go on: all counted, the newest `limit` shown."""
    now = server_time(t)
    params: dict[str, Any] = {"since": max(read_upto(t), now - LONGEST)}
    (total,) = t.query(
        near(
            t.topology,
            "SELECT count() AS interactions, uniqExact(if(empty(ids), trace_id, ids[1])) AS conversations, "
            f"countIf(failed > 0) AS failed FROM ({OPEN})",
        ),
        params,
    ).to_pylist()
    return OpenPage(
        interactions=total["interactions"],
        conversations=total["conversations"],
        failed=total["failed"],
        rows=_newest(t, params | {"limit": limit}) if total["interactions"] and limit else (),
        minutes=_minutes(t, now) if limit else (),
    )


def _newest(t: Telemetry, params: dict[str, Any]) -> tuple[OpenRow, ...]:
    newest = f"SELECT trace_id, at FROM ({OPEN}) ORDER BY at DESC, trace_id DESC LIMIT {{limit:UInt32}}"
    found = t.query(near(t.topology, newest), params).to_pylist()
    arrived = {row["trace_id"]: utc(row["at"]) for row in found}
    rows = t.query(
        f"SELECT trace_id, conversation_id, started, substringUTF8(input, 1, {PREVIEW}) AS input_text, "
        f"substringUTF8(output, 1, {PREVIEW}) AS output_text, service, user_id, errors, spans, input_tokens, "
        "output_tokens, latency_ms FROM interactions_final WHERE trace_id IN {ids:Array(String)} "
        "SETTINGS optimize_move_to_prewhere_if_final = 1",
        {"ids": list(arrived)},
    ).to_pylist()
    made = (
        OpenRow(
            interaction_id=row["trace_id"],
            conversation_id=row["conversation_id"],
            started=utc(row["started"]),
            arrived=arrived[row["trace_id"]],
            input=row["input_text"],
            output=row["output_text"],
            **{name: row[name] for name in _PLAIN},
        )
        for row in rows
    )
    return tuple(sorted(made, key=lambda row: (row.arrived, row.interaction_id), reverse=True))


_PLAIN: Final = (
    "service", "user_id", "errors", "spans", "input_tokens", "output_tokens", "latency_ms",
)  # fmt: skip


def _minutes(t: Telemetry, now: datetime) -> tuple[OpenMinute, ...]:
    """The interactions of the last hour by the minute in which something of them arrived last."""
    rows = t.query(
        "SELECT toDateTime64(toStartOfMinute(at), 3, 'UTC') AS minute, count() AS interactions, "
        "countIf(bad > 0) AS failed FROM ("
        "SELECT max(touched) AS at, max(arrayMax(facts.values.error)) AS bad "
        f"FROM interactions WHERE {TOUCHED} GROUP BY trace_id HAVING max(traced) = 1"
        ") GROUP BY minute ORDER BY minute",
        {"since": now.astimezone(UTC) - MINUTES},
    ).to_pylist()
    return tuple(
        OpenMinute(at=utc(row["minute"]), interactions=row["interactions"], failed=row["failed"])
        for row in rows
    )
