"""MLflow's tracing SDK with its OTLP exporter, which leaves the session of a trace out: its root names it."""

from __future__ import annotations

import os

from script import ASSAY, TALK, USER, Talk, get_weather, openai_client, run_turns

os.environ |= {
    "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": f"{ASSAY}/v1/traces",
    "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL": "http/protobuf",
    "OTEL_SERVICE_NAME": "live",
    "MLFLOW_TRACE_ENABLE_OTLP_DUAL_EXPORT": "false",
}

import mlflow
from mlflow.entities import SpanType

mlflow.openai.autolog()


@mlflow.trace(span_type=SpanType.TOOL, name="get_weather")
def lookup(city: str) -> str:
    return get_weather(city)


talk = Talk(openai_client(), lookup)


@mlflow.trace(span_type=SpanType.AGENT, name="turn")
def turn(ask: str) -> str:
    mlflow.get_current_active_span().set_attributes({"session.id": TALK, "user.id": USER})
    return talk.answer(ask)


run_turns(turn)

from opentelemetry import trace  # noqa: E402

mlflow.flush_trace_async_logging()
getattr(trace.get_tracer_provider(), "shutdown", lambda: None)()
