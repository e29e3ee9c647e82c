"""What spans of each convention become: made by hand, and captured from real clients."""

from __future__ import annotations

import json
import random
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.store.traffic import START, Span, captured, interaction, interactions, span, table

from assay.store.telemetry.connection import Telemetry
from assay.store.telemetry.interaction import MAX_TREE


def said(role: str, *texts: str) -> dict[str, Any]:
    return {"role": role, "parts": [{"type": "text", "content": text} for text in texts]}


def chat(
    span_id: str, parent: str = "", *, asked: str = "", answered: str = "", tokens: int = 0, **more: Any
) -> Span:
    """A model call as OpenTelemetry GenAI tells it."""
    attributes: dict[str, Any] = {"gen_ai__operation__name": "chat", "gen_ai__request__model": "small"}
    if asked:
        history = [
            said("system", "Be kind."),
            said("user", "earlier"),
            said("assistant", "yes?"),
            said("user", asked),
        ]
        attributes["gen_ai__input__messages"] = json.dumps(history)
    if answered:
        attributes["gen_ai__output__messages"] = json.dumps([said("assistant", answered)])
    if tokens:
        attributes["gen_ai__usage__input_tokens"] = str(tokens)
        attributes["gen_ai__usage__output_tokens"] = "1"
    return span(span_id, parent, name="chat small", **{**attributes, **more})


def calls(row: dict[str, Any]) -> list[tuple[str, int, int]]:
    return [(call["model"], call["input_tokens"], call["output_tokens"]) for call in row["calls"]]


def test_the_last_thing_the_user_said_is_the_request(telemetry: Telemetry) -> None:
    row = interaction(telemetry, chat("a", asked="Where is it?", answered="On its way.", tokens=7))
    assert (row["input"], row["output"]) == ("Where is it?", "On its way.")
    assert (row["input_tokens"], row["output_tokens"], row["llm_calls"], row["model"]) == (7, 1, 1, "small")


def test_messages_may_be_openais_own(telemetry: Telemetry) -> None:
    parts = [{"type": "text", "text": "One"}, {"type": "image_url"}, {"type": "text", "text": "two"}]
    asked = json.dumps([{"role": "user", "content": parts}])
    answered = json.dumps([{"role": "assistant", "content": '{"as": "json"}'}])
    row = interaction(telemetry, chat("a", gen_ai__input__messages=asked, gen_ai__output__messages=answered))
    assert (row["input"], row["output"]) == ("One\ntwo", '{"as": "json"}')


def test_a_tool_call_is_no_answer(telemetry: Telemetry) -> None:
    call = {"role": "assistant", "parts": [{"type": "tool_call", "name": "look", "arguments": {"x": 1}}]}
    row = interaction(
        telemetry,
        span("root", seconds=9, gen_ai__operation__name="invoke_agent", gen_ai__conversation__id="c1"),
        chat("a", "root", asked="And?", at=1, gen_ai__output__messages=json.dumps([call])),
        span(
            "b",
            "root",
            at=3,
            name="execute_tool look",
            status="Error",
            message="no such thing",
            gen_ai__operation__name="execute_tool",
            gen_ai__tool__name="look",
            gen_ai__tool__call__arguments='{"x": 1}',
            gen_ai__tool__call__result="none",
        ),
        chat("c", "root", at=5, asked="And?", answered="Nothing."),
        chat("d", "root", at=4, seconds=0.5, answered="Not the last."),
    )
    assert (row["conversation_id"], row["input"], row["output"]) == ("c1", "And?", "Nothing.")
    assert row["tools"] == [{"name": "look", "arguments": '{"x": 1}', "result": "none", "error": 1}]
    assert (row["tool_calls"], row["tool_errors"], row["errors"], row["error"]) == (1, 1, 1, "no such thing")
    assert (row["latency_ms"], row["spans"]) == (9000.0, 5)


def test_messages_may_be_span_events(telemetry: Telemetry) -> None:
    events = [
        ("gen_ai.system.message", {"content": "Be kind."}),
        ("gen_ai.user.message", {"content": "Hello?"}),
        ("gen_ai.choice", {"index": "0", "message": '{"role":"assistant","content":"Hi!"}'}),
    ]
    row = interaction(
        telemetry,
        span(
            "a",
            gen_ai__system="openai",
            gen_ai__request__model="old",
            events=events,
            gen_ai__usage__prompt_tokens="3",
            gen_ai__usage__completion_tokens="4",
        ),
    )
    assert (row["input"], row["output"], calls(row)) == ("Hello?", "Hi!", [("old", 3, 4)])


def test_messages_may_be_flat(telemetry: Telemetry) -> None:
    flat: dict[str, Any] = {"openinference.span.kind": "LLM", "llm.model_name": "m"}
    for number, (role, text) in enumerate(
        [("user", "first"), *[("assistant", "x")] * 9, ("user", "eleventh"), ("tool", "{}")]
    ):
        flat[f"llm.input_messages.{number}.message.role"] = role
        flat[f"llm.input_messages.{number}.message.content"] = text
    flat["llm.output_messages.0.message.role"] = "assistant"
    flat["llm.output_messages.0.message.contents.1.message_content.text"] = "two"
    flat["llm.output_messages.0.message.contents.0.message_content.text"] = "one"
    row = interaction(telemetry, span("a", **flat))
    assert (row["input"], row["output"], row["llm_calls"]) == ("eleventh", "one\ntwo", 1)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("plain words", "plain words"),
        ('{"question": "why?", "k": 3}', "why?"),
        (
            '{"messages": [{"type": "human", "data": {"content": "old"}}, '
            '{"type": "ai", "data": {"content": "x"}}, {"type": "human", "data": {"content": "new"}}]}',
            "new",
        ),
        ('{"input": [{"role": "user", "content": "listed"}]}', "listed"),
        ('[["human", "pair"]]', "pair"),
        ('{"text": {"deep": 1}, "content": "kept"}', "kept"),
        ('{"a": {"b": 1}}', '{"a": {"b": 1}}'),
        ("[not json", "[not json"),
    ],
)  # fmt: skip
def test_a_request_is_found_in_what_a_chain_was_given(telemetry: Telemetry, value: str, text: str) -> None:
    row = interaction(telemetry, span("a", openinference__span__kind="CHAIN", input__value=value))
    assert row["input"] == text


def test_the_root_speaks_for_the_trace_and_chains_below_do_not(telemetry: Telemetry) -> None:
    row = interaction(
        telemetry,
        span("root", seconds=5, openinference__span__kind="CHAIN", input__value="ask", status="Error"),
        span(
            "x", "root", at=1, openinference__span__kind="CHAIN", input__value="inner", output__value="inner"
        ),
    )
    assert (row["input"], row["output"], row["error"]) == ("ask", "", "error")


def test_tokens_are_counted_where_the_calls_are(telemetry: Telemetry) -> None:
    """A wrapper's usage repeats its calls'; an agent's counts only where nothing below has any."""
    usage: dict[str, Any] = {"gen_ai__usage__input_tokens": "100", "gen_ai__operation__name": "invoke_agent"}
    row = interaction(
        telemetry,
        span("root", seconds=9, **usage),
        chat("wrap", "root", tokens=50, at=1),
        span("http", "wrap", at=1),
        span("more", "http", at=1),
        chat("leaf1", "more", tokens=20, at=2),
        chat("leaf2", "more", tokens=30, at=3),
        span("sub", "root", at=4, **{**usage, "gen_ai__usage__input_tokens": "7"}),
        chat("streamed", "sub", at=5),
        chat("failed", "root", at=6, status="Error", message="429"),
        span("e", "root", at=7, gen_ai__operation__name="embeddings", gen_ai__usage__input_tokens="5",
             gen_ai__response__model="vectors"),
    )  # fmt: skip
    assert (row["input_tokens"], row["llm_calls"]) == (57, 4)
    assert calls(row) == [("small", 20, 1), ("small", 30, 1), ("", 7, 0), ("small", 0, 0), ("vectors", 5, 0)]


def test_parents_in_a_circle_do_no_harm(telemetry: Telemetry) -> None:
    spans = [
        chat("a", "b", tokens=2),
        chat("b", "a", tokens=3),
        chat("c", "b", tokens=4),
        chat("d", "d", tokens=5),
    ]
    row = interaction(telemetry, *spans)
    assert row["spans"] == 4
    assert ("small", 4, 1) in calls(row)
    assert ("small", 5, 1) in calls(row)


@pytest.mark.parametrize("tokens", ["-5", "nan", "inf", "many", "1e99", ""])
def test_a_count_that_is_none_counts_nothing(telemetry: Telemetry, tokens: str) -> None:
    assert interaction(telemetry, chat("a", gen_ai__usage__input_tokens=tokens))["input_tokens"] == 0


def test_cost_is_known_or_not(telemetry: Telemetry) -> None:
    row = interaction(telemetry, chat("a", tokens=1, llm__cost__total="0.25"), chat("b", tokens=1, at=1))
    assert [call["cost_usd"] for call in row["calls"]] == [0.25, None]


def test_facts_of_the_whole_trace_come_from_any_span(telemetry: Telemetry) -> None:
    resource = {
        "service.name": "shop",
        "service.version": "1.2",
        "deployment.environment": "prod",
        "assay.attr.tier": "gold",
    }
    told: dict[str, Any] = {"assay__attr__topic": "returns", "metadata": '{"n": 1, "who": "me"}'}
    row = interaction(
        telemetry,
        span("root", seconds=3, resource=resource),
        span("x", "root", at=1, session__id="later", user__id="u"),
        span("y", "root", at=0.5, session__id="earlier", **told),
        span("z", "root", at=0.7, metadata='{"other": true}', tag__tags='["beta"]'),
    )
    assert (row["conversation_id"], row["user_id"]) == ("earlier", "u")
    assert (row["service"], row["version"], row["environment"]) == ("shop", "1.2", "prod")
    assert dict(row["attributes"]) == {
        "n": "1",
        "tags": '["beta"]',
        "tier": "gold",
        "topic": "returns",
        "who": "me",
    }


def test_a_trace_without_conversation_is_its_own(telemetry: Telemetry) -> None:
    assert interaction(telemetry, span("a", trace="lonely"))["conversation_id"] == "lonely"


@pytest.mark.parametrize(
    ("score", "feedback"), [("0", 0.0), ("0.5", 0.5), ("-1", 0.0), ("5", None), ("good", None)]
)
def test_what_the_user_thought(telemetry: Telemetry, score: str, feedback: float | None) -> None:
    flat: dict[str, Any] = {
        "annotations.0.annotation.annotator_kind": "LLM",
        "annotations.0.annotation.score": "0.01",
        "annotations.1.annotation.annotator_kind": "HUMAN",
        "annotations.1.annotation.name": "user rating",
        "annotations.1.annotation.score": score,
        "annotations.2.annotation.annotator_kind": "HUMAN",
        "annotations.2.annotation.name": "correctness",
        "annotations.2.annotation.score": "0.02",
    }
    events = [
        (
            "gen_ai.evaluation.result",
            {"gen_ai.evaluation.name": "User_Feedback", "gen_ai.evaluation.score.value": "1"},
        ),
        (
            "gen_ai.evaluation.result",
            {"gen_ai.evaluation.name": "relevance", "gen_ai.evaluation.score.value": "0"},
        ),
    ]
    assert interaction(telemetry, span("a", **flat))["feedback"] == feedback
    telemetry.command("TRUNCATE TABLE interactions")
    assert interaction(telemetry, span("a", **flat), span("b", "a", events=events))["feedback"] == (
        1.0 if feedback is None else feedback
    )


def test_documents_are_the_context_in_order_and_once(telemetry: Telemetry) -> None:
    flat: dict[str, Any] = {f"retrieval.documents.{n}.document.content": f"text {n}" for n in (10, 9, 0)}
    listed = json.dumps(
        [{"id": "1", "content": "listed"}, {"text": "other"}, {"content": "text 9"}, {"id": "x"}]
    )
    row = interaction(
        telemetry,
        span("b", at=2, gen_ai__operation__name="retrieval", gen_ai__retrieval__documents=listed),
        span("a", at=1, openinference__span__kind="RETRIEVER", **flat),
    )
    assert row["context"] == ["text 0", "text 9", "text 10", "listed", "other"]


def test_a_span_without_a_time_does_not_move_the_start(telemetry: Telemetry) -> None:
    nowhere = {
        **span("z", "a"),
        "Timestamp": START - (START - START.replace(year=1970, month=1, day=1, hour=0)),
    }
    row = interaction(telemetry, nowhere, span("a", at=5, seconds=2))
    assert (row["started"], row["ended"]) == (START + timedelta(seconds=5), START + timedelta(seconds=7))
    assert (row["latency_ms"], row["spans"]) == (2000.0, 2)


NASTY = [
    *("", "{}", "[]", "[[]]", "[{}]", "{", "[", "null", "-1", "nan", "1e400", "\x00", "🙂", "\\", "'", '"'),
    *(
        '{"messages":1}',
        '{"messages":[1,null,"x",[]]}',
        '[{"role":1,"content":{"a":[1]}}]',
        '{"choices":[{}]}',
    ),
    *(
        '[{"role":"user","parts":"x"}]',
        '[{"role":"user","parts":[1,null]}]',
        '{"choices":{}}',
        '[{"content":1},5]',
    ),
    *("[" * 2000 + "]" * 2000, '{"a":' * 2000 + "1" + "}" * 2000, "x" * 50_000, '{"a":"\\ud800"}'),
    *("LLM", "CHAIN", "TOOL", "RETRIEVER", "chat", "execute_tool", "retrieval", "HUMAN"),
]
FLAT_KEYS = [
    "llm.input_messages.0.message.role",
    "llm.input_messages.0.message.content",
    "llm.input_messages..message.content",
    "llm.input_messages.x.message.role",
    "llm.output_messages.99999999999999999999.message.role",
    "llm.output_messages.0.message.contents.0.message_content.text",
    "retrieval.documents.99999999999999999999.document.content",
    "annotations.0.annotation.annotator_kind",
    "annotations.0.annotation.score",
    "assay.attr.",
    "assay.attr.\n",
]
TOOL_ARGUMENTS = ["gen_ai.tool.call.arguments", "input.value", "output.value", "tool.parameters"]
CONVERSATION = {
    "Hi there!": "Fake answer to: Hi there!",
    "What is the weather in Paris?": "It is 18°C and sunny in Paris. ☀️",
    "Can I return my shoes?": "Fake answer to: Can I return my shoes?",
    "Stream me a poem": "Fake answer to: Stream me a poem ",
    "FAIL400 please": "",
    "FAIL429 please": "",
}
DOCUMENTS = ["Refunds are possible within 30 days of purchase.", "Shipping takes 3–5 business days."]
CLIENTS = ("openinference-openai", "openinference-langchain", "otel-genai-openai")


@pytest.mark.shared
@pytest.mark.parametrize("client", CLIENTS)
def test_real_traffic_is_understood(telemetry: Telemetry, shared: Path, client: str) -> None:
    telemetry.insert("otel_traces", captured(shared, client))
    rows = {row["input"]: row for row in interactions(telemetry)}
    assert {text: rows[text]["output"] for text in CONVERSATION} == CONVERSATION
    assert {rows[text]["conversation_id"] for text in CONVERSATION} == {"conv-42"}

    weather, returns, failed = (rows[text] for text in [*list(CONVERSATION)[1:3], "FAIL400 please"])
    assert calls(weather) == [("gpt-4o-mini-2026-07-18", 42, 17)] * 2
    assert (weather["input_tokens"], weather["output_tokens"], weather["llm_calls"]) == (84, 34, 2)
    assert (weather["user_id"], weather["service"]) == ("user-7", "shop-assistant")
    assert (weather["version"], weather["environment"]) == ("1.4.2", "production")
    (tool,) = weather["tools"]
    assert (tool["name"], json.loads(tool["arguments"])) == ("get_weather", {"city": "Paris", "unit": "C"})
    assert json.loads(tool["result"])["sky"] == "sunny"
    assert returns["context"] == DOCUMENTS
    assert failed["errors"] >= 1
    assert "maximum context length" in failed["error"]
    assert failed["llm_calls"] == 1


@pytest.mark.shared
@pytest.mark.parametrize(
    ("client", "tokens", "llm_calls"),
    [
        ("openinference-openai", 252, 8),
        ("openinference-langchain", 168, 7),
        ("otel-genai-openai", 252, 8),
        ("otel-openai-v2-latest", 210, 7),
        ("pydantic-ai", 210, 7),
        ("vercel-ai", 210, 7),
    ],
)
def test_no_clients_tokens_are_counted_twice(
    telemetry: Telemetry, shared: Path, client: str, tokens: int, llm_calls: int
) -> None:
    telemetry.insert("otel_traces", captured(shared, client))
    rows = interactions(telemetry)
    counted = (sum(row["input_tokens"] for row in rows), sum(row["llm_calls"] for row in rows))
    assert counted == (tokens, llm_calls)


def test_a_trace_too_large_for_its_tree_is_still_read(telemetry: Telemetry) -> None:
    leaves = [span(f"s{n}", "root", at=1) for n in range(MAX_TREE)]
    row = interaction(telemetry, chat("root", asked="Why?", answered="So.", tokens=3, seconds=9), *leaves)
    assert (row["spans"], row["input_tokens"], row["input"], row["output"]) == (
        MAX_TREE + 1,
        3,
        "Why?",
        "So.",
    )


def test_an_agent_that_repeats_its_calls_usage_counts_for_nothing_without_a_tree(
    telemetry: Telemetry,
) -> None:
    usage: dict[str, Any] = {
        "gen_ai.usage.input_tokens": str(3 * MAX_TREE),
        "gen_ai.usage.output_tokens": "1",
    }
    agent = span("root", gen_ai__operation__name="invoke_agent", **usage)
    leaves = [chat(f"s{n}", "root", at=1, tokens=3) for n in range(MAX_TREE)]
    row = interaction(telemetry, agent, *leaves, chat("failed", "root", at=2))
    assert (row["input_tokens"], row["llm_calls"]) == (3 * MAX_TREE, MAX_TREE + 1)


def test_an_agent_speaks_for_its_calls_without_a_tree(telemetry: Telemetry) -> None:
    usage: dict[str, Any] = {"gen_ai.usage.input_tokens": "7", "gen_ai.usage.output_tokens": "1"}
    agent = span("root", gen_ai__operation__name="invoke_agent", **usage)
    row = interaction(telemetry, agent, *(chat(f"s{n}", "root", at=1) for n in range(MAX_TREE)))
    assert (row["input_tokens"], row["llm_calls"]) == (7, 1)


def test_no_attribute_can_stop_an_insert_or_a_read(telemetry: Telemetry) -> None:
    """Whatever an application sends, its spans are stored and its traces can be read."""
    chance = random.Random(7)
    keys = [
        *TOOL_ARGUMENTS,
        *FLAT_KEYS,
        "gen_ai.input.messages",
        "gen_ai.output.messages",
        "metadata",
        "tag.tags",
    ]
    keys += [
        "openinference.span.kind",
        "gen_ai.operation.name",
        "llm.cost.total",
        "gen_ai.retrieval.documents",
    ]
    spans = []
    for number in range(400):
        attributes: dict[str, Any] = {key: chance.choice(NASTY) for key in chance.sample(keys, 8)}
        fields = {
            key: chance.choice(NASTY) for key in ("content", "message", "gen_ai.prompt", "exception.message")
        }
        names = ("gen_ai.user.message", "gen_ai.choice", "gen_ai.content.prompt", "exception", "")
        parent, trace = chance.choice(["", "s1", "s2", "gone"]), chance.choice(["", "t1", f"t{number % 20}"])
        event = (chance.choice(names), fields)
        made = span(f"s{number % 90}", parent, trace=trace, status="Error", events=[event], **attributes)
        spans.append({**made, "Duration": chance.choice([0, 1, 2**63, 2**64 - 1])})
    telemetry.insert("otel_traces", table(spans))
    rows = interactions(telemetry)
    assert {row["trace_id"] for row in rows} == {made["TraceId"] for made in spans}
