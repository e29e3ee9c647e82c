"""The official instrumentation of OpenAI's client, with the messages in log records alone."""

from __future__ import annotations

import os

os.environ |= {
    "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT": "event_only",
    "OTEL_INSTRUMENTATION_GENAI_EMIT_EVENT": "true",
    "OTEL_SEMCONV_STABILITY_OPT_IN": "gen_ai_latest_experimental",
}

from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
from opentelemetry.instrumentation.genai.openai import OpenAIInstrumentor
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
from script import ASSAY, TALK, USER, Talk, get_weather, openai_client, run_turns
from telemetry import RESOURCE, make_provider

provider = make_provider()
logs = LoggerProvider(resource=RESOURCE)
logs.add_log_record_processor(BatchLogRecordProcessor(OTLPLogExporter(endpoint=f"{ASSAY}/v1/logs")))
OpenAIInstrumentor().instrument(tracer_provider=provider, logger_provider=logs)
tracer = provider.get_tracer("app")


def lookup(city: str) -> str:
    with tracer.start_as_current_span("execute_tool get_weather") as span:
        span.set_attribute("gen_ai.operation.name", "execute_tool")
        span.set_attribute("gen_ai.tool.name", "get_weather")
        span.set_attribute("gen_ai.tool.call.arguments", f'{{"city": "{city}"}}')
        result = get_weather(city)
        span.set_attribute("gen_ai.tool.call.result", result)
    return result


talk = Talk(openai_client(), lookup)


def turn(ask: str) -> None:
    with tracer.start_as_current_span("invoke_agent app") as span:
        span.set_attribute("gen_ai.operation.name", "invoke_agent")
        span.set_attribute("gen_ai.conversation.id", TALK)
        span.set_attribute("user.id", USER)
        talk.answer(ask)


run_turns(turn)
provider.shutdown()
logs.shutdown()
