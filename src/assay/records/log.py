"""A log: an interaction or a conversation, as a metric sees it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

Unit = Literal["interaction", "conversation"]
"""An interaction's id is its trace id, a conversation's its conversation id."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolCall:
    """One call of a tool: `arguments` and `result` as the application sent them (often JSON)."""

    name: str
    arguments: str = ""
    result: str = ""
    error: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """What somebody outside of assay thought of an interaction, as it was sent.

    `value` is None where only a label was given, or the evaluation failed; `source` is `human`, `annotator`,
    `llm`, `code` or what else the sender calls it."""

    name: str
    value: float | None = None
    label: str = ""
    explanation: str = ""
    source: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """One interaction inside a log: what the user asked, what was done, what was answered."""

    interaction_id: str
    started: datetime
    ended: datetime
    input: str
    output: str
    tool_calls: tuple[ToolCall, ...] = ()
    context: tuple[str, ...] = ()
    error: str = ""
    evaluations: tuple[Evaluation, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Log:
    """What a metric is given. `input` and `output` are the first request and the last answer. `expired`
    turns are missing: their texts have been removed.

    `latency_ms` is the longest answer of the log; tokens and cost are sums over its model calls.
    """

    unit: Unit
    log_id: str
    conversation_id: str
    started: datetime
    ended: datetime
    input: str
    output: str
    turns: tuple[Turn, ...]
    user_id: str = ""
    service: str = ""
    environment: str = ""
    version: str = ""
    model: str = ""
    latency_ms: float = 0.0
    input_tokens: int = 0
    output_tokens: int = 0
    cost_usd: float = 0.0
    errors: int = 0
    signals: tuple[str, ...] = ()
    attributes: Mapping[str, str] = field(default_factory=dict)
    expired: int = 0

    @property
    def tool_calls(self) -> tuple[ToolCall, ...]:
        """Every tool call of the log, in order."""
        return tuple(call for turn in self.turns for call in turn.tool_calls)

    @property
    def context(self) -> tuple[str, ...]:
        """Every retrieved document of the log, in order."""
        return tuple(text for turn in self.turns for text in turn.context)
