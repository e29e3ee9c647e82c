"""What the pages show of single logs: lists, one conversation, the books by hour."""

from __future__ import annotations

from datetime import UTC, timedelta
from typing import Any

from assay.app.parts import Parts
from assay.records import (
    Accounting,
    ConversationPage,
    HourAccounting,
    LogPage,
    LogRow,
    MetricInfo,
    ScoreRow,
    Selection,
    Turn,
    TurnRow,
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
    return LogPage(unit=unit, filter=text, total=total, rows=page.rows, next=page.next)


def conversation(parts: Parts, conversation_id: str) -> ConversationPage | None:
    """All that is known of a conversation, also of one that has not settled; None where nothing is."""
    t = parts.telemetry
    traces = logs.unsettled_turns(t, conversation_id)
    if not traces:
        return None
    told = logs.read_turns(t, traces)
    turns = [told[trace] for trace in traces if trace in told]
    whole = Window(start=turns[0].started - timedelta(days=1), end=turns[-1].started + timedelta(days=1))
    of_turns = {row.log_id: row for row in logs.fact_rows(t, "interaction", traces, whole)}
    facts = next(iter(logs.fact_rows(t, "conversation", [conversation_id], whole)), None)
    idle_since = parts.clock() - timedelta(seconds=parts.idle_s)
    settled = facts is not None and max(turn.ended for turn in turns) <= idle_since
    return ConversationPage(
        conversation_id=conversation_id,
        settled=settled,
        facts=facts or _first_facts(conversation_id, turns),
        turns=tuple(_turn_row(parts, turn, of_turns.get(turn.interaction_id)) for turn in turns),
        scores=_scores(parts, "conversation", conversation_id),
        selections=_selections(parts, "conversation", conversation_id),
    )


def accounting_by_hour(parts: Parts, info: MetricInfo, window: Window) -> tuple[HourAccounting, ...]:
    """The books of one metric, by the hour in which logs began."""
    policy = parts.policy_of(info)
    rows = accounting.accounting_by_hour(
        parts.telemetry,
        metric=info.name,
        metric_version=info.version,
        kind=info.kind,
        policy=policy.name,
        unit=info.unit,
        window=window,
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


def _turn_row(parts: Parts, turn: Turn, facts: LogRow | None) -> TurnRow:
    return TurnRow(
        turn=turn,
        facts=facts,
        scores=_scores(parts, "interaction", turn.interaction_id),
        selections=_selections(parts, "interaction", turn.interaction_id),
    )


def _scores(parts: Parts, unit: Unit, log_id: str) -> tuple[ScoreRow, ...]:
    infos = parts.infos()
    rows = scores.scores_of(parts.telemetry, unit, log_id).to_pylist()
    return tuple(_score(row, infos.get(row["metric"])) for row in rows)


def _score(row: dict[str, Any], info: MetricInfo | None) -> ScoreRow:
    value = row["value"] if row["fate"] == "scored" else None
    shown = ScoreRow.__dataclass_fields__
    given = {name: cell for name, cell in row.items() if name in shown}
    given |= {"value": value, "simulated": bool(row["simulated"])}
    given["scored_at"] = row["scored_at"].astimezone(UTC)
    given["failing"] = info.fails(value) if info is not None and value is not None else None
    return ScoreRow(**given)


def _selections(parts: Parts, unit: Unit, log_id: str) -> tuple[Selection, ...]:
    return tuple(selections.selections_of(parts.telemetry, unit, log_id))


def _first_facts(conversation_id: str, turns: list[Turn]) -> LogRow:
    """What can be said of a conversation whose facts are not computed yet."""
    return LogRow(
        unit="conversation",
        log_id=conversation_id,
        conversation_id=conversation_id,
        started=turns[0].started,
        ended=max(turn.ended for turn in turns),
        input=turns[0].input,
        output=turns[-1].output,
        turns=len(turns),
    )
