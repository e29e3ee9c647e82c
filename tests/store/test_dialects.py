"""Clients of which no traffic was captured, as their documentation says that they speak."""

from __future__ import annotations

import json
from typing import Any

import pytest
from tests.store.traffic import Span, interactions, span, table

from assay.store.telemetry.connection import Telemetry

Row = dict[str, Any]
ASKED, ANSWERED = "Where is my order?", "On its way."
OPENAI = [{"role": "system", "content": "Be kind."}, {"role": "user", "content": ASKED}]
TOOL = '{"order": 7}'


def spans(trace: str, *told: tuple[str, str, dict[str, Any]]) -> list[Span]:
    """Spans by id and parent, one a second."""
    made = []
    for at, (name, parent, attributes) in enumerate(told):
        own = span(f"{trace}-{name}", f"{trace}-{parent}" if parent else "", trace=trace, at=at)
        made.append({**own, "SpanAttributes": list(attributes.items())})
    return made


def chain(constructor: str, content: str, **more: Any) -> dict[str, Any]:
    """A message as LangChain serialises it."""
    kwargs = {"content": content, "type": constructor, **more}
    return {"lc": 1, "type": "constructor", "id": ["langchain", "schema", "messages"], "kwargs": kwargs}


LANGSMITH = spans(
    "langsmith",
    ("root", "", {
        "langsmith.span.kind": "chain", "gen_ai.operation.name": "chain",
        "langsmith.metadata.session_id": "s1",
        "langsmith.metadata.user_id": "u1", "langsmith.metadata.tenant": "acme",
        "langsmith.span.tags": "beta, gold",
        "langsmith.metadata.LANGSMITH_ENDPOINT": "http://x", "langsmith.trace.session_name": "my-project",
        "langsmith.trace.session_id": "project-uuid",
        "gen_ai.prompt": json.dumps({"messages": [{"role": "user", "content": ASKED}]}),
        "gen_ai.completion": json.dumps({"messages": [chain("human", ASKED), chain("ai", ANSWERED)]}),
    }),
    ("docs", "root", {
        "langsmith.span.kind": "retriever", "gen_ai.operation.name": "embeddings",
        "gen_ai.prompt": json.dumps({"query": ASKED}),
        "gen_ai.completion": json.dumps({"output": [{"page_content": "doc", "metadata": {},
        "type": "Document"}]}),
    }),
    ("find", "root", {
        "langsmith.span.kind": "tool", "gen_ai.operation.name": "execute_tool",
        "gen_ai.tool.name": "find_order",
        "gen_ai.prompt": json.dumps({"input": TOOL}), "gen_ai.completion": json.dumps({"output": "sent"}),
    }),
    ("call", "root", {
        "langsmith.span.kind": "llm", "gen_ai.operation.name": "chat", "gen_ai.system": "openai",
        "gen_ai.request.model": "gpt-4o", "langsmith.metadata.ls_provider": "openai",
        "gen_ai.prompt": json.dumps({"messages": [[chain("system", "Be kind."), chain("human", ASKED)]]}),
        "gen_ai.completion": json.dumps(
            {"generations": [[{"text": ANSWERED, "message": chain("ai", ANSWERED)}]], "llm_output": None}),
        "gen_ai.usage.input_tokens": "42", "gen_ai.usage.output_tokens": "17",
        "gen_ai.usage.input_token_details": "{'audio': 0, 'cache_read': 8}",
        "gen_ai.usage.output_token_details": "{'audio': 0, 'reasoning': 3}",
    }),
)  # fmt: skip
LANGSMITH_OPENAI = spans(
    "wrapped",
    ("call", "", {
        "langsmith.span.kind": "llm", "gen_ai.operation.name": "chat", "langsmith.metadata.thread_id": "s1",
        "langsmith.metadata.user_id": "u1", "langsmith.metadata.ls_model_name": "gpt-4o",
        "gen_ai.system": "openai",
        "gen_ai.prompt": json.dumps({"messages": OPENAI, "model": "gpt-4o"}),
        "gen_ai.completion": json.dumps({"id": "x", "choices": [
            {"index": 0, "message": {"role": "assistant", "content": ANSWERED, "tool_calls": None}}]}),
        "gen_ai.usage.input_tokens": "42", "gen_ai.usage.output_tokens": "17",
    }),
)  # fmt: skip
TRACELOOP = spans(
    "traceloop",
    ("root", "", {
        "traceloop.span.kind": "workflow", "traceloop.entity.name": "turn",
        "traceloop.association.properties.thread_id": "s1", "traceloop.association.properties.user_id": "u1",
        "traceloop.association.properties.tenant": "acme",
        "traceloop.entity.input": json.dumps({"args": [], "kwargs": {"question": ASKED, "history": []}}),
        "traceloop.entity.output": json.dumps(ANSWERED),
    }),
    ("find", "root", {
        "traceloop.span.kind": "tool", "traceloop.entity.name": "find_order",
        "traceloop.entity.input": json.dumps({"args": [], "kwargs": {"order": 7}}),
        "traceloop.entity.output": '"sent"',
    }),
    ("call", "root", {
        "llm.request.type": "chat", "gen_ai.system": "OpenAI", "gen_ai.request.model": "gpt-4o",
        "gen_ai.response.model": "gpt-4o-2024", "gen_ai.prompt.0.role": "system",
        "gen_ai.prompt.0.content": "Be kind.", "gen_ai.prompt.1.role": "user",
        "gen_ai.prompt.1.content": ASKED,
        "gen_ai.completion.0.role": "assistant", "gen_ai.completion.0.content": ANSWERED,
        "gen_ai.completion.0.finish_reason": "stop", "gen_ai.usage.prompt_tokens": "42",
        "gen_ai.usage.completion_tokens": "17", "llm.usage.total_tokens": "59",
        "gen_ai.usage.cache_read_input_tokens": "8",
    }),
)  # fmt: skip
VERCEL = spans(
    "vercel",
    ("root", "", {
        "ai.operationId": "ai.generateText", "operation.name": "ai.generateText shop",
        "ai.model.id": "gpt-4o", "ai.model.provider": "openai.chat",
        "ai.prompt": json.dumps({"system": "Be kind.", "messages": [{"role": "user", "content": ASKED}]}),
        "ai.response.text": ANSWERED, "ai.usage.promptTokens": "42", "ai.usage.completionTokens": "17",
        "ai.telemetry.metadata.sessionId": "s1", "ai.telemetry.metadata.userId": "u1",
        "ai.telemetry.metadata.tenant": "acme", "ai.telemetry.functionId": "shop",
    }),
    ("call", "root", {
        "ai.operationId": "ai.generateText.doGenerate", "ai.model.id": "gpt-4o",
        "ai.model.provider": "openai.chat", "ai.response.model": "gpt-4o-2024",
        "gen_ai.system": "openai.chat",
        "ai.prompt.messages": json.dumps([
            {"role": "system", "content": "Be kind."},
            {"role": "user", "content": [{"type": "text", "text": ASKED}]}]),
        "ai.response.text": ANSWERED, "ai.usage.promptTokens": "42", "ai.usage.completionTokens": "17",
        "gen_ai.usage.input_tokens": "42", "gen_ai.usage.output_tokens": "17",
        "ai.usage.cachedInputTokens": "8",
        "ai.usage.reasoningTokens": "3", "ai.response.msToFirstChunk": "44.5",
    }),
    ("find", "root", {
        "ai.operationId": "ai.toolCall", "ai.toolCall.name": "find_order", "ai.toolCall.id": "c1",
        "ai.toolCall.args": TOOL, "ai.toolCall.result": '"sent"',
    }),
)  # fmt: skip
LANGFUSE = spans(
    "langfuse",
    ("root", "", {
        "langfuse.observation.type": "generation", "langfuse.session.id": "s1", "langfuse.user.id": "u1",
        "langfuse.observation.input": json.dumps({"messages": OPENAI}),
        "langfuse.observation.output": json.dumps({"role": "assistant", "content": ANSWERED}),
        "langfuse.observation.model.name": "gpt-4o", "langfuse.observation.prompt.name": "greeting",
        "langfuse.observation.prompt.version": "3", "langfuse.trace.metadata.tenant": '"acme"',
        "langfuse.observation.usage_details": json.dumps(
            {"prompt_tokens": 42, "completion_tokens": 17, "total_tokens": 59}),
        "langfuse.observation.cost_details": json.dumps({"input": 0.5, "output": 0.25, "total": 0.75}),
        "langfuse.observation.model.parameters": json.dumps({"max_tokens": "Infinity"}),
    }),
)  # fmt: skip
LOGFIRE = spans(
    "logfire",
    ("root", "", {
        "gen_ai.operation.name": "invoke_agent", "agent_name": "shop", "session.id": "s1", "user.id": "u1",
        "gen_ai.usage.input_tokens": "42", "gen_ai.usage.output_tokens": "17", "final_result": ANSWERED,
        "all_messages_events": json.dumps([
            {"content": "Be kind.", "role": "system", "event.name": "gen_ai.system.message"},
            {"content": ASKED, "role": "user", "event.name": "gen_ai.user.message"},
            {"content": ANSWERED, "role": "assistant", "event.name": "gen_ai.assistant.message"}]),
    }),
    ("call", "root", {
        "gen_ai.operation.name": "chat", "gen_ai.system": "openai", "gen_ai.request.model": "gpt-4o",
        "gen_ai.usage.input_tokens": "42", "gen_ai.usage.output_tokens": "17", "operation.cost": "0.75",
        "events": json.dumps([
            {"content": ASKED, "role": "user", "event.name": "gen_ai.user.message"},
            {"index": 0, "message": {"role": "assistant", "content": ANSWERED},
            "event.name": "gen_ai.choice"}]),
    }),
    ("find", "root", {
        "gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "find_order", "tool_arguments": TOOL,
        "tool_response": "sent",
    }),
)  # fmt: skip
ADK = spans(
    "adk",
    ("root", "", {"gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": "shop"}),
    ("call", "root", {
        "gen_ai.system": "gcp.vertex.agent", "gen_ai.operation.name": "call_llm",
        "gen_ai.request.model": "gemini-2", "gcp.vertex.agent.session_id": "s1", "user_id": "u1",
        "gcp.vertex.agent.llm_request": json.dumps(
            {"model": "gemini-2", "contents": [{"parts": [{"text": ASKED}], "role": "user"}]}),
        "gcp.vertex.agent.llm_response": json.dumps(
            {"content": {"parts": [{"text": ANSWERED}], "role": "model"}}),
        "gen_ai.usage.input_tokens": "42", "gen_ai.usage.output_tokens": "17",
    }),
    ("find", "root", {
        "gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "find_order",
        "gcp.vertex.agent.tool_call_args": TOOL, "gcp.vertex.agent.tool_response": '{"result": "sent"}',
    }),
)  # fmt: skip
STRANDS = [
    span(
        "strands-call", trace="strands", gen_ai__operation__name="chat", gen_ai__system="strands-agents",
        gen_ai__request__model="claude", session__id="s1", user__id="u1",
        gen_ai__usage__input_tokens="42", gen_ai__usage__output_tokens="17",
        events=[
            ("gen_ai.user.message", {"content": json.dumps([{"text": ASKED}])}),
            ("gen_ai.choice", {"message": json.dumps([{"text": ANSWERED}]), "finish_reason": "end_turn"}),
        ],
    )
]  # fmt: skip
KERNEL = [
    span(
        "kernel-call", trace="kernel", gen_ai__operation__name="chat.completions", gen_ai__system="openai",
        gen_ai__request__model="gpt-4o", session__id="s1", user__id="u1",
        gen_ai__response__prompt_tokens="42", gen_ai__response__completion_tokens="17",
        events=[
            ("gen_ai.content.prompt", {"gen_ai.prompt": json.dumps(OPENAI)}),
            ("gen_ai.content.completion",
             {"gen_ai.completion": json.dumps([{"role": "assistant", "content": ANSWERED}])}),
        ],
    )
]  # fmt: skip
AZURE = [
    span(
        "azure-call", trace="azure", gen_ai__operation__name="chat", gen_ai__system="az.ai.inference",
        gen_ai__request__model="gpt-4o", gen_ai__thread__id="s1", enduser__id="u1",
        gen_ai__usage__input_tokens="42", gen_ai__usage__output_tokens="17",
        events=[
            ("gen_ai.user.message", {"gen_ai.event.content": json.dumps({"role": "user", "content": ASKED})}),
            ("gen_ai.choice", {"gen_ai.event.content": json.dumps({"message": {"content": ANSWERED}})}),
        ],
    )
]  # fmt: skip
RESPONSES = spans(
    "responses",
    ("call", "", {
        "openinference.span.kind": "LLM", "llm.model_name": "gpt-4o", "session.id": "s1", "user.id": "u1",
        "input.value": json.dumps({"model": "gpt-4o", "input": [{"role": "user", "content": [
            {"type": "input_text", "text": ASKED}]}]}),
        "output.value": json.dumps({"output": [
            {"type": "reasoning", "summary": []},
            {"type": "message", "role": "assistant", "content": [{"type": "output_text",
            "text": ANSWERED}]}]}),
        "llm.token_count.prompt": "42", "llm.token_count.completion": "17",
    }),
)  # fmt: skip
ANTHROPIC = spans(
    "anthropic",
    ("call", "", {
        "mlflow.spanType": '"LLM"', "mlflow.trace.session": '"s1"', "mlflow.trace.user": '"u1"',
        "mlflow.llm.model": '"claude"', "mlflow.llm.provider": '"anthropic"',
        "mlflow.spanInputs": json.dumps({"system": "Be kind.", "messages": [{"role": "user", "content": [
            {"type": "text", "text": ASKED}]}]}),
        "mlflow.spanOutputs": json.dumps({"role": "assistant", "content": [{"type": "text",
        "text": ANSWERED}]}),
        "mlflow.chat.tokenUsage": '{"input_tokens": 42, "output_tokens": 17}',
        "mlflow.llm.cost": '{"input_cost": 0.5, "output_cost": 0.25, "total_cost": 0.75}',
        "mlflow.linkedPrompts": '[{"name": "greeting", "version": "3"}]',
    }),
)  # fmt: skip
LLAMAINDEX = spans(
    "llamaindex",
    ("root", "", {
        "openinference.span.kind": "AGENT", "session.id": "s1", "user.id": "u1",
        "input.value": json.dumps({"messages": [
            {"role": "user", "additional_kwargs": {}, "blocks": [{"block_type": "text", "text": ASKED}]}]}),
        "output.value": ANSWERED, "llm.token_count.prompt": "42", "llm.token_count.completion": "17",
    }),
)  # fmt: skip
BEDROCK = spans(
    "bedrock",
    ("call", "", {
        "gen_ai.operation.name": "chat", "gen_ai.provider.name": "aws.bedrock",
        "gen_ai.request.model": "nova",
        "session.id": "s1", "user.id": "u1",
        "input.value": json.dumps({"messages": [{"role": "user", "content": [{"text": ASKED}]}]}),
        "output.value": json.dumps({"output": {"message": {"role": "assistant",
        "content": [{"text": ANSWERED}]}}}),
        "gen_ai.usage.input_tokens": "42", "gen_ai.usage.output_tokens": "17",
    }),
)  # fmt: skip
OTHERS = {
    "langsmith": LANGSMITH, "wrapped": LANGSMITH_OPENAI, "traceloop": TRACELOOP, "vercel": VERCEL,
    "langfuse": LANGFUSE, "logfire": LOGFIRE, "adk": ADK, "strands": STRANDS, "kernel": KERNEL,
    "azure": AZURE, "responses": RESPONSES, "anthropic": ANTHROPIC, "llamaindex": LLAMAINDEX,
    "bedrock": BEDROCK,
}  # fmt: skip
MODELS = {"traceloop": "gpt-4o-2024", "vercel": "gpt-4o-2024", "adk": "gemini-2", "strands": "claude",
          "anthropic": "claude", "llamaindex": "", "bedrock": "nova"}  # fmt: skip
INSTRUCTED = ("langsmith", "wrapped", "traceloop", "vercel", "langfuse", "kernel", "logfire")
WITH_TOOL = ("langsmith", "traceloop", "vercel", "logfire", "adk")


@pytest.fixture
def rows(telemetry: Telemetry) -> dict[str, Row]:
    telemetry.insert("otel_traces", table([one for some in OTHERS.values() for one in some]))
    return {row["trace_id"]: row for row in interactions(telemetry)}


def test_whatever_a_client_calls_it(rows: dict[str, Row]) -> None:
    """What every one of them tells."""
    for name in OTHERS:
        row = rows[name]
        said = (row["input"], row["output"], row["conversation_id"], row["user_id"])
        assert (name, *said) == (name, ASKED, ANSWERED, "s1", "u1")
        assert (name, row["input_tokens"], row["output_tokens"], row["llm_calls"]) == (name, 42, 17, 1)
        assert (name, row["model"]) == (name, MODELS.get(name, "gpt-4o"))
        assert (name, row["system"]) == (name, "Be kind." if name in INSTRUCTED else "")
        told = [(tool["name"], json.loads(tool["arguments"])) for tool in row["tools"]]
        assert (name, told) == (name, [("find_order", {"order": 7})] if name in WITH_TOOL else [])
        assert (name, row["errors"], row["error"]) == (name, 0, "")


def test_what_only_some_tell(rows: dict[str, Row]) -> None:
    assert (rows["langsmith"]["context"], rows["langsmith"]["queries"]) == (["doc"], [ASKED])
    assert (rows["langsmith"]["cached_tokens"], rows["langsmith"]["reasoning_tokens"]) == (8, 3)
    assert (rows["vercel"]["cached_tokens"], rows["vercel"]["reasoning_tokens"]) == (8, 3)
    assert rows["vercel"]["ttft_ms"] == 44.5
    assert rows["traceloop"]["cached_tokens"] == 8
    for name in ("langsmith", "traceloop", "vercel", "logfire"):
        assert [tool["result"] for tool in rows[name]["tools"]] == ["sent"]
    for name in ("langfuse", "logfire", "anthropic"):
        assert [call["cost_usd"] for call in rows[name]["calls"]] == [0.75]
    assert {
        name: rows[name]["provider"] for name in ("vercel", "langsmith", "azure", "anthropic", "bedrock")
    } == {
        "vercel": "openai",
        "langsmith": "openai",
        "azure": "azure.ai.inference",
        "anthropic": "anthropic",
        "bedrock": "aws.bedrock",
    }


def test_what_logs_can_be_divided_by(rows: dict[str, Row]) -> None:
    """Names behind free prefixes; no environment variables, no ids that have a column of their own."""
    assert dict(rows["langsmith"]["attributes"]) == {"tenant": "acme", "tags": "beta, gold"}
    assert dict(rows["traceloop"]["attributes"]) == {"tenant": "acme"}
    assert dict(rows["vercel"]["attributes"]) == {"tenant": "acme"}
    prompt = {"prompt.name": "greeting", "prompt.version": "3"}
    assert dict(rows["langfuse"]["attributes"]) == {"tenant": "acme", **prompt}
    assert dict(rows["anthropic"]["attributes"]) == prompt


def test_a_tool_that_only_a_message_calls(telemetry: Telemetry) -> None:
    """Where the application runs its tools itself, and makes no span of it."""
    openai = [{"role": "assistant", "tool_calls": [
        {"id": "c", "type": "function", "function": {"name": "look", "arguments": TOOL}}]}]  # fmt: skip
    parts = [{"role": "assistant", "parts": [
        {"type": "tool_call", "id": "c", "name": "look", "arguments": {"order": 7}}]}]  # fmt: skip
    flat: dict[str, Any] = {
        "openinference.span.kind": "LLM",
        "llm.output_messages.0.message.role": "assistant",
        "llm.output_messages.0.message.tool_calls.0.tool_call.function.name": "look",
        "llm.output_messages.0.message.tool_calls.0.tool_call.function.arguments": TOOL,
        "llm.output_messages.0.message.tool_calls.1.tool_call.function.name": "rest",
    }
    chat: dict[str, Any] = {"gen_ai.operation.name": "chat", "gen_ai.request.model": "m"}
    ran: dict[str, Any] = {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "look"}
    told = [
        span("a", trace="a", **chat, gen_ai__output__messages=json.dumps(openai)),
        span("b", trace="b", **chat, gen_ai__output__messages=json.dumps(parts)),
        span("c", trace="c", **flat),
        span("d", trace="d", **chat, gen_ai__output__messages=json.dumps(parts)),
        span("e", "d", trace="d", **ran),
    ]
    telemetry.insert("otel_traces", table(told))
    found = {row["trace_id"]: row for row in interactions(telemetry)}
    called = {name: [(t["name"], t["arguments"] and json.loads(t["arguments"])) for t in row["tools"]]
              for name, row in found.items()}  # fmt: skip
    look = ("look", {"order": 7})
    assert called == {"a": [look], "b": [look], "c": [look, ("rest", "")], "d": [("look", "")]}
    assert [found[name]["tool_calls"] for name in "abcd"] == [1, 1, 2, 1]
    assert {row["output"] for row in found.values()} == {""}


def test_the_counts_of_redactions_add_up(telemetry: Telemetry) -> None:
    told = [
        span("a", assay__redactions="2"),
        span("b", "a", assay__redactions="3"),
        span("c", "a"),
    ]
    telemetry.insert("otel_traces", table(told))
    (row,) = interactions(telemetry)
    assert row["redactions"] == 5
