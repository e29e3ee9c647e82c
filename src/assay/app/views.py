"""What the pages show of single logs: lists, one conversation, the books by hour."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC
from typing import Any

from assay.app.parts import Parts
from assay.records import (
    Accounting,
    ConversationPage,
    HourAccounting,
    LogPage,
    MetricInfo,
    ScoreRow,
    Selection,
    Unit,
    Window,
)
from assay.store.telemetry import accounting, logs, scores, selections


def list_logs(
    parts: Parts, unit: Unit, text: str, window: Window, *, limit: int, after: str | None
) -> LogPage:
    """Logs that the filter holds of, newest first. Raises FilterError."""
    condition, now = parts.parse(text), parts.clock()
    page = logs.list_logs(
        parts.telemetry, unit, window, condition, limit=limit, after=after, words=parts.words, now=now
    )
    total = logs.count_logs(parts.telemetry, unit, window, condition, words=parts.words, now=now)
    told = _scores(parts, unit, [row.log_id for row in page.rows])
    rows = tuple(replace(row, scores=told.get(row.log_id, ())) for row in page.rows)
    return LogPage(unit=unit, filter=text, total=total, rows=rows, next=page.next)


def conversation(parts: Parts, conversation_id: str) -> ConversationPage | None:
    """All that is known of a conversation, also of one that has not settled; None where nothing is."""
    page = logs.conversation_detail(parts.telemetry, conversation_id)
    if page is None:
        return None
    traces = [row.turn.interaction_id for row in page.turns]
    told, decided = _scores(parts, "interaction", traces), _selections(parts, "interaction", traces)
    return replace(
        page,
        turns=tuple(
            replace(
                row,
                scores=told.get(row.turn.interaction_id, ()),
                selections=decided.get(row.turn.interaction_id, ()),
            )
            for row in page.turns
        ),
        scores=_scores(parts, "conversation", [conversation_id]).get(conversation_id, ()),
        selections=_selections(parts, "conversation", [conversation_id]).get(conversation_id, ()),
    )


def accounting_by_hour(parts: Parts, info: MetricInfo, window: Window) -> tuple[HourAccounting, ...]:
    """The books of one metric, by the hour in which logs began."""
    policy = parts.policy_of(info)
    rows = accounting.accounting_by_hour(
        parts.telemetry,
        parts.question(info, window),
        where=parts.parse(policy.where),
        words=parts.words,
    ).to_pylist()
    return tuple(
        HourAccounting(
            hour=row.pop("hour").astimezone(UTC),
            accounting=Accounting(metric=info.name, metric_version=info.version, **row),
        )
        for row in rows
    )


def _scores(parts: Parts, unit: Unit, log_ids: Sequence[str]) -> dict[str, tuple[ScoreRow, ...]]:
    infos = parts.infos()
    found: dict[str, list[ScoreRow]] = defaultdict(list)
    for row in scores.scores_of(parts.telemetry, unit, log_ids).to_pylist():
        found[row["log_id"]].append(_score(row, infos.get(row["metric"])))
    return {log_id: tuple(rows) for log_id, rows in found.items()}


def _score(row: dict[str, Any], info: MetricInfo | None) -> ScoreRow:
    value = row["value"] if row["fate"] == "scored" else None
    given = {name: cell for name, cell in row.items() if name in ScoreRow.__dataclass_fields__}
    given |= {
        "value": value,
        "simulated": bool(row["simulated"]),
        "scored_at": row["scored_at"].astimezone(UTC),
        "failing": info.fails(value) if info is not None and value is not None else None,
    }
    return ScoreRow(**given)


def _selections(parts: Parts, unit: Unit, log_ids: Sequence[str]) -> dict[str, tuple[Selection, ...]]:
    found: dict[str, list[Selection]] = defaultdict(list)
    for selection in selections.selections_of(parts.telemetry, unit, log_ids):
        found[selection.log_id].append(selection)
    return {log_id: tuple(rows) for log_id, rows in found.items()}
