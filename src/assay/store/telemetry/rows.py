"""Rows of the store as records."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from assay.records import Evaluation, Log, LogRow, ToolCall, Turn, Unit

Row = Mapping[str, Any]

_PLAIN = (
    "unit",
    "log_id",
    "conversation_id",
    "input",
    "output",
    "turns",
    "service",
    "environment",
    "version",
    "user_id",
    "model",
    "latency_ms",
    "input_tokens",
    "output_tokens",
    "cost_usd",
    "llm_calls",
    "tool_calls",
    "tool_errors",
    "errors",
    "feedback",
    "route",
    "provider",
    "language",
    "output_language",
    "finish_reason",
    "error",
    "comment",
    "ttft_ms",
    "latency_z",
    "cost_z",
    "similarity",
    "unfamiliar",
    "repeated_calls",
    "retrievals",
    "empty_retrievals",
)

LOG_ROW = ", ".join((*_PLAIN, "started", "ended", "signals", "attributes"))
"""The columns of `signals` that a `LogRow` has."""

LONGEST_TEXT = 2_000
LISTED = ", ".join(
    f"substringUTF8({name}, 1, {LONGEST_TEXT}) AS {name}"
    if name in ("input", "output", "error", "comment")
    else name
    for name in LOG_ROW.split(", ")
)
"""The same in a list: its texts are cut there, so that a page of long ones stays small."""

TURN = "trace_id, conversation_id, started, ended, input, output, error, tools, context, evaluations"
"""The columns of `interactions_final` that a `Turn` has, and its conversation."""


def log_row(row: Row) -> LogRow:
    """The facts of a log, from a row with the columns `LOG_ROW`."""
    return LogRow(
        **{name: row[name] for name in _PLAIN},
        started=utc(row["started"]),
        ended=utc(row["ended"]),
        signals=tuple(row["signals"]),
        attributes=dict(row["attributes"]),
    )


def turn_of(row: Row) -> Turn:
    """A turn, from a row with the columns `TURN`."""
    return Turn(
        interaction_id=row["trace_id"],
        started=utc(row["started"]),
        ended=utc(row["ended"]),
        input=row["input"],
        output=row["output"],
        error=row["error"],
        context=tuple(row["context"]),
        tool_calls=tuple(
            ToolCall(
                name=tool["name"],
                arguments=tool["arguments"],
                result=tool["result"],
                error=bool(tool["error"]),
            )
            for tool in row["tools"]
        ),
        evaluations=tuple(Evaluation(**told) for told in row["evaluations"]),
    )


def log_of(facts: LogRow, turns: Sequence[Turn]) -> Log:
    """A log as metrics see it."""
    return Log(
        unit=facts.unit,
        log_id=facts.log_id,
        conversation_id=facts.conversation_id,
        started=facts.started,
        ended=facts.ended,
        input=facts.input,
        output=facts.output,
        turns=tuple(turns),
        user_id=facts.user_id,
        service=facts.service,
        environment=facts.environment,
        version=facts.version,
        model=facts.model,
        latency_ms=facts.latency_ms,
        input_tokens=facts.input_tokens,
        output_tokens=facts.output_tokens,
        cost_usd=facts.cost_usd,
        errors=facts.errors,
        signals=facts.signals,
        attributes=facts.attributes,
        expired=max(0, facts.turns - len(turns)),
    )


def summed(unit: Unit, log_id: str, rows: Sequence[Row]) -> LogRow:
    """What is known of a conversation that is not settled yet: its interactions, added up.

    `rows` have the columns of `interactions_final`, in time order. There are no signals yet.
    """
    first, last = rows[0], rows[-1]
    counted = ("input_tokens", "output_tokens", "llm_calls", "tool_calls", "tool_errors", "errors")
    named = ("service", "environment", "version", "user_id", "model")
    ratings = [row["feedback"] for row in rows if row["feedback"] is not None]
    attributes: dict[str, str] = {}
    for row in rows:
        attributes |= dict(row["attributes"])
    facts: dict[str, Any] = {name: sum(row[name] for row in rows) for name in counted}
    facts |= {name: next((row[name] for row in reversed(rows) if row[name]), "") for name in named}
    return LogRow(
        unit=unit,
        log_id=log_id,
        conversation_id=log_id,
        started=utc(first["started"]),
        ended=max(utc(row["ended"]) for row in rows),
        input=next((row["input"] for row in rows if row["input"]), ""),
        output=last["output"],
        turns=len(rows),
        latency_ms=max(row["latency_ms"] for row in rows),
        cost_usd=sum(call["cost_usd"] or 0.0 for row in rows for call in row["calls"]),
        feedback=min(ratings, default=None),
        attributes=attributes,
        **facts,
    )


def utc(moment: datetime) -> datetime:
    """Every time of the store is in UTC."""
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
