"""What happened inside of an interaction: its spans, one beneath the other."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class SpanRow:
    """One line of a timeline. `depth` counts the spans above it, `offset_ms` is the time since its
    trace began. `kind` is llm, tool, retrieval, agent, ... in whatever convention it was said; tokens
    are None where the span names none."""

    trace_id: str
    span_id: str
    parent_id: str
    name: str
    kind: str
    started: datetime
    offset_ms: float
    duration_ms: float
    depth: int = 0
    service: str = ""
    model: str = ""
    error: bool = False
    message: str = ""
    input_tokens: int | None = None
    output_tokens: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeline:
    """The spans of one trace, each after the one above it; `left_out` are too many to be shown."""

    trace_id: str
    length_ms: float
    spans: tuple[SpanRow, ...]
    left_out: int = 0

    @property
    def failed(self) -> int:
        return sum(span.error for span in self.spans)


@dataclass(frozen=True, slots=True, kw_only=True)
class SpanEvent:
    """Something that happened in a span, `offset_ms` after it began."""

    name: str
    offset_ms: float
    attributes: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class SpanDetail:
    """One span as it was delivered."""

    trace_id: str
    span_id: str
    parent_id: str
    name: str
    service: str
    scope: str
    started: datetime
    duration_ms: float
    status: str
    message: str
    attributes: Mapping[str, str]
    resource: Mapping[str, str]
    events: tuple[SpanEvent, ...] = ()
    links: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """Words by which a signal was raised: where they stand in a turn's `input` or `output`."""

    signal: str
    subject: str
    start: int
    end: int
