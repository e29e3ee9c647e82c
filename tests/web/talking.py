"""What a fake project knows of a conversation beside its texts: spans, and what is near in meaning."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from assay.app.requests import NeighboursRequest
from assay.records import LogRow, Neighbour, Neighbourhood, SpanDetail, SpanEvent, SpanRow, Timeline

AT = datetime(2025, 11, 20, 14, 3, 21, tzinfo=UTC)
BAD_NAME = "<img src=x onerror=\"document.title='owned'\"> \u202eevil"
LINES = (
    ("a1", "", "chat support", "agent", 0, 3_000, False),
    ("b1", "a1", "find_order", "tool", 40, 260, False),
    ("b2", "a1", BAD_NAME, "tool", 320, 900, True),
    ("b3", "a1", "chat gpt-5-mini", "llm", 1_250, 1_700, False),
    ("c1", "b3", "POST", "", 1_260, 1_600, False),
)


class FakeTalk:
    """Every trace has the same five spans; nothing is near a conversation whose id is `lonely`."""

    def timelines(self, trace_ids: Sequence[str]) -> tuple[Timeline, ...]:
        return tuple(timeline(trace_id) for trace_id in trace_ids if trace_id != "gone")

    def span(self, trace_id: str, span_id: str) -> SpanDetail | None:
        if span_id not in {line[0] for line in LINES}:
            return None
        return SpanDetail(
            trace_id=trace_id,
            span_id=span_id,
            parent_id="",
            name=BAD_NAME,
            service="support",
            scope="assay.demo",
            started=AT,
            duration_ms=900.0,
            status="Error",
            message="</script> 503 from the shop",
            attributes={"gen_ai.tool.name": BAD_NAME, "gen_ai.prompt": "why? " * 4_000, "</dd><b>": "x"},
            resource={"service.name": "support"},
            events=(SpanEvent(name="exception", offset_ms=3.0, attributes={"exception.type": BAD_NAME}),),
            links=("0" * 32,),
        )

    def neighbours(self, request: NeighboursRequest) -> Neighbourhood:
        if request.log_id == "lonely":
            return Neighbourhood(
                unit=request.unit, log_id="lonely", model="m", reason="nothing is like it yet"
            )
        log = LogRow(
            unit="conversation",
            log_id="near/1?",
            conversation_id="near/1?",
            started=AT - timedelta(days=1),
            ended=AT,
            input=f"Where is my refund {BAD_NAME}",
            output="",
            signals=("refusal", "unheard_of"),
        )
        rows = (Neighbour(log=log, similarity=0.873, alike=14),)
        return Neighbourhood(unit=request.unit, log_id=request.log_id, model="hashing-1-512", rows=rows)


def timeline(trace_id: str) -> Timeline:
    spans = tuple(
        SpanRow(
            trace_id=trace_id,
            span_id=span_id,
            parent_id=parent,
            name=name,
            kind=kind,
            started=AT + timedelta(milliseconds=offset),
            offset_ms=offset,
            duration_ms=length,
            depth={"": 0, "a1": 1, "b3": 2}[parent],
            error=failed,
            message="503 from the shop" if failed else "",
            model="gpt-5-mini" if kind == "llm" else "",
            input_tokens=1_204 if kind == "llm" else None,
        )
        for span_id, parent, name, kind, offset, length, failed in LINES
    )
    return Timeline(trace_id=trace_id, length_ms=3_000.0, spans=spans, left_out=7)
