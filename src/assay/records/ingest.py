"""How taking in goes: what arrives, from whom, how fast, and what was turned away."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal

from assay.records.window import Window

ArrivalKind = Literal["traces", "logs", "metrics"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """An OTLP request as it came: its body untouched, by which transport and from whose program."""

    kind: ArrivalKind = "traces"
    body: bytes
    content_type: str
    content_encoding: str = ""
    transport: str = "http"
    agent: str = ""


USERS_OWN: Final = "(?i)feedback|thumb|rating|stars|csat|nps|satisf|reaction"
"""Names under which tools keep what users thought themselves; other annotations by people are reviewers'."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Feedback:
    """What somebody, or some program, thinks of an answer: `source` is human (a user), annotator (somebody
    who reviews answers), llm or code.

    It is about a span, a trace (an interaction), a conversation or a response of a model, whichever is
    named. `value` and `label` say how good it is; one of them is given, or a comment."""

    name: str = "feedback"
    value: float | None = None
    label: str = ""
    comment: str = ""
    trace_id: str = ""
    span_id: str = ""
    conversation_id: str = ""
    response_id: str = ""
    user_id: str = ""
    source: str = "human"
    id: str = ""
    environment: str = ""
    at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class IngestMinute:
    """What arrived in one minute (UTC). `refused` counts requests that were answered with an error."""

    minute: datetime
    requests: int = 0
    spans: int = 0
    records: int = 0
    bytes: int = 0
    rejected: int = 0
    refused: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class IngestCount:
    """What arrived of one service, SDK, scope, transport, user agent, or of one kind of answer (its
    HTTP status). Requests are known of transports, user agents and answers alone."""

    name: str
    requests: int = 0
    spans: int = 0
    records: int = 0
    bytes: int = 0
    rejected: int = 0
    last: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class RejectedSpan:
    """A span or record that was turned away, or `count` of them that share service and reason."""

    received_at: datetime
    kind: str
    trace_id: str = ""
    span_id: str = ""
    service: str = ""
    reason: str
    user_agent: str = ""
    transport: str = ""
    count: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class RejectedReason:
    """All that was turned away for one reason, with the newest example."""

    reason: str
    service: str
    count: int
    last: datetime
    example: RejectedSpan


@dataclass(frozen=True, slots=True, kw_only=True)
class AttributeKey:
    """An attribute that no mapping reads; numbers inside the key are written `N`."""

    key: str
    spans: int


@dataclass(frozen=True, slots=True, kw_only=True)
class IngestStatus:
    """Taking in over `window`. What is counted is also kept: a restart loses at most a minute of it.

    `spans_per_s` is over the last minute. Lag is from the answer to when the span can be queried,
    over the last five minutes; None where nothing came. `waiting_bytes` are acknowledged, in the
    journal and not yet in the store; beyond `waiting_limit_bytes` senders are told to wait.
    `problem` says why nothing leaves the journal just now; empty where all is well. `dead` counts
    what the store refused for good; it is kept in `dead_folder`. Metrics are accepted and dropped."""

    window: Window
    spans_per_s: float
    lag_p50_ms: float | None
    lag_p99_ms: float | None
    waiting_bytes: int
    waiting_limit_bytes: int
    oldest_waiting_s: float
    problem: str
    totals: IngestMinute
    minutes: tuple[IngestMinute, ...]
    answers: tuple[IngestCount, ...]
    transports: tuple[IngestCount, ...]
    agents: tuple[IngestCount, ...]
    services: tuple[IngestCount, ...]
    sdks: tuple[IngestCount, ...]
    scopes: tuple[IngestCount, ...]
    unmapped: tuple[AttributeKey, ...]
    reasons: tuple[RejectedReason, ...]
    rejected: tuple[RejectedSpan, ...]
    repaired: int
    redactions: int
    metrics_dropped: int
    dead: int
    dead_folder: str
