"""openinference-instrumentation-openai: the session is given to all spans, turns are agents."""

from __future__ import annotations

from openinference.instrumentation import OITracer, TraceConfig, using_attributes
from openinference.instrumentation.openai import OpenAIInstrumentor
from script import TALK, USER, Talk, get_weather, openai_client, run_turns
from telemetry import make_provider

provider = make_provider()
OpenAIInstrumentor().instrument(tracer_provider=provider)
tracer = OITracer(provider.get_tracer("app"), TraceConfig())


def lookup(city: str) -> str:
    with tracer.start_as_current_span("get_weather", openinference_span_kind="tool") as span:
        span.set_tool(name="get_weather", parameters={"city": city})
        span.set_input({"city": city})
        result = get_weather(city)
        span.set_output(result)
    return result


client = openai_client()
talk = Talk(client, lookup)


def turn(ask: str) -> None:
    with (
        using_attributes(session_id=TALK, user_id=USER, metadata={"plan": "pro"}),
        tracer.start_as_current_span("turn", openinference_span_kind="agent") as span,
    ):
        span.set_input(ask)
        client.embeddings.create(model="text-embedding-3-small", input=ask)
        span.set_output(talk.answer(ask))


run_turns(turn)
provider.shutdown()
