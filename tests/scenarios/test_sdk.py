"""The OpenTelemetry SDK and its exporter, as applications use them, against the real server."""

from __future__ import annotations

import json
from pathlib import Path

from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import Status, StatusCode
from tests.scenarios.project import Project

USER = {"role": "user", "parts": [{"type": "text", "content": "Cancel order 7"}]}
ANSWER = {"role": "assistant", "parts": [{"type": "text", "content": "It is cancelled."}]}


def test_genai_spans_of_the_sdk_become_a_conversation(tmp_path: Path) -> None:
    project = Project(tmp_path)
    with project.serving() as server:
        send(f"{server.url}/v1/traces")
        project.run("sample")
        (talk,) = project.json("logs")["rows"]
        turns = project.json("logs", "--unit", "interaction")["rows"]
        page = server.http.get("/conversations/c-1")
    assert (talk["log_id"], talk["turns"], talk["service"], talk["environment"]) == ("c-1", 2, "shop", "live")
    assert (talk["input"], talk["output"]) == ("Cancel order 7", "It is cancelled.")
    assert (talk["model"], talk["input_tokens"], talk["output_tokens"]) == ("gpt-5-mini", 24, 10)
    assert [(turn["llm_calls"], turn["tool_calls"], turn["tool_errors"]) for turn in turns] == [(1, 1, 1)] * 2
    assert page.status_code == 200
    assert "It is cancelled." in page.text


def send(url: str) -> None:
    """Two interactions of one conversation, each with a model call and a tool that failed."""
    resource = Resource.create(
        {"service.name": "shop", "deployment.environment.name": "live", "service.version": "v3"}
    )
    provider = TracerProvider(resource=resource, shutdown_on_exit=False)
    exporter = OTLPSpanExporter(endpoint=url, compression=Compression.Gzip)
    provider.add_span_processor(BatchSpanProcessor(exporter))
    tracer = provider.get_tracer("shop.agent")
    for _ in range(2):
        with tracer.start_as_current_span("invoke_agent shop") as root:
            root.set_attributes({"gen_ai.operation.name": "invoke_agent", "gen_ai.conversation.id": "c-1"})
            with tracer.start_as_current_span("execute_tool cancel") as tool:
                tool.set_attributes({"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "cancel"})
                tool.set_status(Status(StatusCode.ERROR, "no such order"))
            with tracer.start_as_current_span("chat gpt-5-mini") as chat:
                chat.set_attributes(
                    {
                        "gen_ai.operation.name": "chat",
                        "gen_ai.request.model": "gpt-5-mini",
                        "gen_ai.input.messages": json.dumps([USER]),
                        "gen_ai.output.messages": json.dumps([ANSWER]),
                        "gen_ai.usage.input_tokens": 12,
                        "gen_ai.usage.output_tokens": 5,
                    }
                )
    provider.shutdown()
