"""What the pages show of single logs: lists, what is still open, one conversation."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from assay.app import tallies
from assay.app.facets import break_down
from assay.app.parts import Parts
from assay.records import (
    ConversationPage,
    Exploration,
    Level,
    LogPage,
    LogRow,
    MetricInfo,
    OpenPage,
    ScoreRow,
    Selection,
    Unit,
    Window,
)
from assay.store.state.picks import picked_among
from assay.store.telemetry import logs, scores, selections
from assay.store.telemetry.arrivals import read_open
from assay.store.telemetry.priority import priorities_of


def list_logs(
    parts: Parts,
    unit: Unit,
    text: str,
    window: Window,
    *,
    limit: int,
    after: str | None,
    budget_ms: float | None = None,
    tally: logs.Tally | None = None,
) -> LogPage:
    """Logs that the filter holds of, newest first. Raises FilterError.

    With a budget, a page of a large store says how far back it has searched and counted. `tally` is
    what was counted already."""
    asked: dict[str, Any] = {"words": parts.words, "now": parts.clock()}
    condition, t = parts.parse(text), parts.telemetry
    page = logs.list_logs(t, unit, window, condition, limit=limit, after=after, budget_ms=budget_ms, **asked)
    counting_ms = budget_ms / 2 if budget_ms is not None else None
    if tally is not None:
        pass
    elif condition is None:
        tally = logs.Tally(tallies.count_all(parts, unit, window), None)
    else:
        tally = logs.tally_logs(t, unit, window, condition, budget_ms=counting_ms, **asked)
    return LogPage(
        unit=unit,
        filter=text,
        total=tally.logs,
        rows=told(parts, unit, page.rows),
        next=page.next,
        total_since=tally.since,
        searched_to=page.searched_to,
    )


def explore(
    parts: Parts,
    unit: Unit,
    text: str,
    window: Window,
    *,
    limit: int,
    after: str | None,
    budget_ms: float | None = None,
) -> Exploration:
    """The list, with what it is made of, and which of its logs are picked. Raises FilterError."""
    made = break_down(parts, unit, text, window, budget_ms=budget_ms)
    page = list_logs(
        parts,
        unit,
        text,
        window,
        limit=limit,
        after=after,
        budget_ms=budget_ms,
        tally=logs.Tally(made.total, made.since),
    )
    ids = [row.log_id for row in page.rows]
    return Exploration(page=page, breakdown=made, picked=picked_among(parts.state, parts.project, unit, ids))


def told(parts: Parts, unit: Unit, rows: Sequence[LogRow]) -> tuple[LogRow, ...]:
    """The rows with what was said about them, and how much they matter to the team."""
    begun = {row.log_id: row.started for row in rows}
    scored, levels = _scores(parts, unit, begun), _priorities(parts, unit, begun)
    return tuple(
        replace(row, scores=scored.get(row.log_id, ()), priority=levels.get(row.log_id, "low"))
        for row in rows
    )


def open_logs(parts: Parts, limit: int) -> OpenPage:
    """What has arrived and is not settled yet, the newest first."""
    return read_open(parts.telemetry, limit=limit)


def conversation(parts: Parts, conversation_id: str) -> ConversationPage | None:
    """All that is known of a conversation, also of one that has not settled; None where nothing is. What
    was heard in its turns is asked for apart: it takes a while where there are many."""
    page = logs.conversation_detail(parts.telemetry, conversation_id)
    if page is None:
        return None
    times = {row.turn.interaction_id: row.turn.started for row in page.turns}
    own = {conversation_id: page.facts.started}
    scored, decided = _scores(parts, "interaction", times), _selections(parts, "interaction", times)
    level = _priorities(parts, "conversation", own).get(conversation_id, "low")
    return replace(
        page,
        facts=replace(page.facts, priority=level),
        turns=tuple(
            replace(
                row,
                scores=scored.get(row.turn.interaction_id, ()),
                selections=decided.get(row.turn.interaction_id, ()),
            )
            for row in page.turns
        ),
        scores=_scores(parts, "conversation", own).get(conversation_id, ()),
        selections=_selections(parts, "conversation", own).get(conversation_id, ()),
    )


def _priorities(parts: Parts, unit: Unit, begun: Mapping[str, datetime]) -> dict[str, Level]:
    return priorities_of(parts.telemetry, unit, begun, parts.priorities, parts.words)


def _scores(parts: Parts, unit: Unit, begun: Mapping[str, datetime]) -> dict[str, tuple[ScoreRow, ...]]:
    infos = parts.infos()
    found: dict[str, list[ScoreRow]] = defaultdict(list)
    for row in scores.scores_of(parts.telemetry, unit, begun).to_pylist():
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


def _selections(parts: Parts, unit: Unit, begun: Mapping[str, datetime]) -> dict[str, tuple[Selection, ...]]:
    found: dict[str, list[Selection]] = defaultdict(list)
    for selection in selections.selections_of(parts.telemetry, unit, begun):
        found[selection.log_id].append(selection)
    return {log_id: tuple(rows) for log_id, rows in found.items()}
