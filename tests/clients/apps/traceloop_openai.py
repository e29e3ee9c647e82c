"""traceloop-sdk (OpenLLMetry): decorators, and association properties for the session."""

from __future__ import annotations

from script import ASSAY, TALK, USER, Talk, get_weather, openai_client, run_turns
from traceloop.sdk import Traceloop
from traceloop.sdk.decorators import tool, workflow

Traceloop.init(
    app_name="live",
    api_endpoint=ASSAY,
    disable_batch=False,
    telemetry_enabled=False,
    resource_attributes={"service.version": "1.2", "deployment.environment.name": "test"},
)
Traceloop.set_association_properties({"session_id": TALK, "user_id": USER})


@tool(name="get_weather")
def lookup(city: str) -> str:
    return get_weather(city)


talk = Talk(openai_client(), lookup)


@workflow(name="turn")
def turn(ask: str) -> str:
    return talk.answer(ask)


run_turns(turn)

from opentelemetry import trace  # noqa: E402

trace.get_tracer_provider().shutdown()
