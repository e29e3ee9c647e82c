"""What a list of logs, the page of one conversation and the books of a metric show."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from assay.records.log import Turn, Unit
from assay.records.metric import MetricKind
from assay.records.priority import Level
from assay.records.report import Accounting, PolicyAccounting
from assay.records.score import Fate
from assay.records.selection import Selection
from assay.records.timeline import Heard


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreRow:
    """What one metric or one person said about a log, or why it could not.

    `value` is None unless `fate` is `scored`. `failing` where the value lies on the metric's bad
    side, None where that is not known. `rater` names the person where `kind` is `human`.
    """

    metric: str
    metric_version: str
    kind: MetricKind
    unit: Unit
    log_id: str
    fate: Fate
    value: float | None
    failing: bool | None = None
    category: str = ""
    explanation: str = ""
    reason: str = ""
    cost_usd: float = 0.0
    latency_ms: float = 0.0
    rater: str = ""
    model: str = ""
    simulated: bool = False
    scored_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LogRow:
    """The facts of one log: a line of a list, and the side of a conversation's page.

    `turns` counts the interactions in it; `input` is the first request, `output` the last answer. In a
    list texts hold their first 2,000 characters.
    """

    unit: Unit
    log_id: str
    conversation_id: str
    started: datetime
    ended: datetime
    input: str
    output: str
    turns: int = 1
    service: str = ""
    environment: str = ""
    version: str = ""
    user_id: str = ""
    model: str = ""
    latency_ms: float = 0.0
    input_tokens: int = 0
    output_tokens: int = 0
    cost_usd: float = 0.0
    llm_calls: int = 0
    tool_calls: int = 0
    tool_errors: int = 0
    errors: int = 0
    feedback: float | None = None
    route: str = ""
    provider: str = ""
    language: str = ""
    output_language: str = ""
    finish_reason: str = ""
    error: str = ""
    comment: str = ""
    ttft_ms: float | None = None
    latency_z: float | None = None
    cost_z: float | None = None
    similarity: float = 0.0
    unfamiliar: float = 0.0
    repeated_calls: int = 0
    retrievals: int = 0
    empty_retrievals: int = 0
    signals: tuple[str, ...] = ()
    priority: Level = "low"
    attributes: Mapping[str, str] = field(default_factory=dict)
    scores: tuple[ScoreRow, ...] = ()


Summed = Literal["count", "latency_ms", "errors", "cost_usd", "tokens"]
"""What can be shown over time."""

Step = Literal["day", "hour"]


@dataclass(frozen=True, slots=True, kw_only=True)
class LogPage:
    """One page of a list, newest first. `next` is the `after` of the following page, if any.

    A large store is counted and searched from the newest log backwards: `total` is then the number of
    logs since `total_since`, and where the search ended before the page was full, `searched_to` is how
    far back it came. None says that all of the period was."""

    unit: Unit
    filter: str
    total: int
    rows: tuple[LogRow, ...]
    next: str | None = None
    total_since: datetime | None = None
    searched_to: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SeriesPoint:
    """The logs that began in one day or hour (UTC) from `at`: how many, and how many raised an error.
    The rest is of the number asked for, and None where only logs are counted."""

    at: datetime
    logs: int
    failed: int
    total: float | None = None
    mean: float | None = None
    p50: float | None = None
    p95: float | None = None
    p99: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """A number of the logs that a filter holds of, over time; steps without a log are left out."""

    of: Summed
    unit: Unit
    by: Step
    filter: str
    points: tuple[SeriesPoint, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenRow:
    """An interaction that has arrived and whose conversation may still go on."""

    interaction_id: str
    conversation_id: str
    started: datetime
    arrived: datetime
    input: str
    output: str
    service: str = ""
    user_id: str = ""
    errors: int = 0
    spans: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    latency_ms: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenMinute:
    """The interactions that arrived in one minute."""

    at: datetime
    interactions: int
    failed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenPage:
    """What has arrived and is not settled yet: all of it counted, the newest shown, by minute the
    last hour."""

    interactions: int
    conversations: int
    failed: int
    rows: tuple[OpenRow, ...]
    minutes: tuple[OpenMinute, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnRow:
    """One interaction of a conversation with its own facts. `facts` is None until computed."""

    turn: Turn
    facts: LogRow | None = None
    scores: tuple[ScoreRow, ...] = ()
    selections: tuple[Selection, ...] = ()
    heard: tuple[Heard, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ConversationPage:
    """A conversation and all that is known of it.

    `settled` is False while it may still go on: its facts are then of the last time it was idle,
    and nothing was decided about it yet. `selections` are the recorded decisions, newest first;
    `scores` hold machine scores and human labels of the conversation itself. `expired` turns have
    outlived the time for which texts are kept: their facts are all that is left of them.
    """

    conversation_id: str
    settled: bool
    facts: LogRow
    turns: tuple[TurnRow, ...]
    scores: tuple[ScoreRow, ...] = ()
    selections: tuple[Selection, ...] = ()
    expired: int = 0

    @property
    def labels(self) -> tuple[ScoreRow, ...]:
        """What people said."""
        return tuple(score for score in self.scores if score.kind == "human")


@dataclass(frozen=True, slots=True, kw_only=True)
class HourAccounting:
    """The books of one metric for the logs that started in one UTC hour."""

    hour: datetime
    accounting: Accounting


@dataclass(frozen=True, slots=True, kw_only=True)
class HourPolicy:
    """The books of one policy for the logs that started in one UTC hour."""

    hour: datetime
    accounting: PolicyAccounting


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyBooks:
    """The books of one policy: the period, its hours, and the metrics that score what it draws."""

    accounting: PolicyAccounting
    hours: tuple[HourPolicy, ...]
    metrics: tuple[Accounting, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """What became of a trace request: these spans are durable, those were refused and why."""

    accepted: int
    rejected: int = 0
    reasons: tuple[str, ...] = ()
