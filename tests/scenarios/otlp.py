"""Trace requests as an instrumented application sends them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from types import MappingProxyType

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span

PROTOBUF = "application/x-protobuf"
BEGUN_NS = 1_760_000_000 * 10**9
SECOND_NS = 10**9


def request(spans: Iterable[Span]) -> ExportTraceServiceRequest:
    """One request of one service."""
    made = ExportTraceServiceRequest()
    resource = made.resource_spans.add()
    resource.resource.attributes.append(_pair("service.name", "shop"))
    resource.scope_spans.add().spans.extend(spans)
    return made


def turn(
    trace: int, *, talk: str = "", ask: str = "Where is it?", say: str = "On its way.", tools: int = 0
) -> list[Span]:
    """One interaction: the request, a call of a model below it, and calls of tools."""
    root = span(trace, 1, "chat", {"gen_ai.conversation.id": talk or f"talk-{trace}"}, ask=ask, say=say)
    model = span(
        trace,
        2,
        "chat gpt-5-mini",
        {
            "gen_ai.operation.name": "chat",
            "gen_ai.request.model": "gpt-5-mini",
            "gen_ai.usage.input_tokens": 100,
            "gen_ai.usage.output_tokens": 10,
        },
    )
    calls = [
        span(
            trace,
            3 + n,
            "execute_tool find",
            {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "find"},
        )
        for n in range(tools)
    ]
    return [root, model, *calls]


def span(
    trace: int,
    number: int,
    name: str,
    attributes: Mapping[str, str | int] = MappingProxyType({}),
    *,
    ask: str = "",
    say: str = "",
) -> Span:
    """A span; number 1 is its trace's root."""
    made = Span(
        trace_id=trace.to_bytes(16, "big"),
        span_id=(trace * 1000 + number).to_bytes(8, "big"),
        parent_span_id=b"" if number == 1 else (trace * 1000 + 1).to_bytes(8, "big"),
        name=name,
        kind=Span.SPAN_KIND_SERVER if number == 1 else Span.SPAN_KIND_CLIENT,
        start_time_unix_nano=BEGUN_NS + trace * SECOND_NS + number,
        end_time_unix_nano=BEGUN_NS + trace * SECOND_NS + SECOND_NS // 2,
    )
    texts = {
        "gen_ai.input.messages": _message("user", ask),
        "gen_ai.output.messages": _message("assistant", say),
    }
    told = texts | {"gen_ai.operation.name": "invoke_agent"} if ask or say else {}
    made.attributes.extend(_pair(key, value) for key, value in {**attributes, **told}.items())
    return made


def trace_id(trace: int) -> str:
    return trace.to_bytes(16, "big").hex()


def _message(role: str, text: str) -> str:
    return json.dumps([{"role": role, "parts": [{"type": "text", "content": text}]}])


def _pair(key: str, value: str | int) -> KeyValue:
    return KeyValue(
        key=key, value=AnyValue(int_value=value) if isinstance(value, int) else AnyValue(string_value=value)
    )


HEADERS: Mapping[str, str] = {"content-type": PROTOBUF}
