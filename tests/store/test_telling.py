"""What tells how an answer came about: its route, why the model stopped, searches, repetition, comments."""

from __future__ import annotations

import json
from typing import Any

import pytest
from tests.store.test_events import record, send
from tests.store.traffic import interaction, span

from assay.store.telemetry.connection import Telemetry

ANSWER = {"role": "assistant", "parts": [{"type": "text", "content": "Yes."}]}


def chat(**more: Any) -> dict[str, Any]:
    return span("call", "root", name="chat small", gen_ai__operation__name="chat", **more)


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        ({"gen_ai__response__finish_reasons": '["max_tokens"]'}, "length"),
        ({"gen_ai__response__finish_reasons": "['end_turn']"}, "stop"),
        ({"ai__response__finishReason": "tool-calls"}, "tool_calls"),
        ({"gen_ai__completion__0__finish_reason": "content_filter"}, "content_filter"),
        ({"llm__finish_reason": "FinishReason.STOP"}, "stop"),
        ({"gen_ai__response__finish_reasons": '["out_of_luck"]'}, "out_of_luck"),
        ({"gen_ai__output__messages": json.dumps([{**ANSWER, "finish_reason": "length"}])}, "length"),
        ({"output__value": json.dumps({"choices": [{"finish_reason": "stop", "index": 0}]})}, "stop"),
        ({"output__value": json.dumps({"raw": json.dumps({"stop_reason": "tool_use"})})}, "tool_calls"),
        ({"output__value": "There is no reason."}, ""),
        ({}, ""),
    ],
)  # fmt: skip
def test_why_a_model_stopped_has_one_word(telemetry: Telemetry, told: dict[str, str], expected: str) -> None:
    root = span("root", name="answer", gen_ai__operation__name="invoke_agent")
    assert interaction(telemetry, root, chat(**told))["finish_reason"] == expected


def test_of_several_calls_the_last_one_says_why(telemetry: Telemetry) -> None:
    spans = [
        span(f"call{at}", at=at, gen_ai__operation__name="chat", gen_ai__response__finish_reasons=why)
        for at, why in enumerate(('["tool_calls"]', '["length"]'))
    ]
    assert interaction(telemetry, *spans)["finish_reason"] == "length"


def test_a_route_is_the_service_and_the_first_step(telemetry: Telemetry) -> None:
    root = span("root", "elsewhere", name="POST /orders/8812345/chat", service="shop")
    row = interaction(telemetry, root, chat())
    assert row["route"] == "shop POST /orders/*/chat"


def search(number: int, **told: Any) -> dict[str, Any]:
    return span(f"search{number}", "root", name="search", gen_ai__operation__name="retrieval", **told)


def test_searches_that_find_nothing_are_counted(telemetry: Telemetry) -> None:
    row = interaction(
        telemetry,
        span("root", name="answer"),
        search(1, gen_ai__retrieval__query__text="q", gen_ai__retrieval__documents="[]"),
        search(2, input__value="q", output__value='{"documents": [], "scores": [], "count": 0}'),
        search(3, input__value="q", output__value='[{"content": "found"}]'),
        search(4, input__value="q", output__value="two pages"),
        search(5),
    )
    assert (row["retrievals"], row["empty_retrievals"]) == (5, 2)


def test_the_same_call_again_is_counted_where_its_arguments_are_known(telemetry: Telemetry) -> None:
    def call(number: int, name: str, **told: Any) -> dict[str, Any]:
        operation: dict[str, Any] = {"gen_ai__operation__name": "execute_tool", "gen_ai__tool__name": name}
        return span(f"tool{number}", "root", name="tool", **{**operation, **told})

    row = interaction(
        telemetry,
        span("root", name="answer"),
        *(call(number, "find", gen_ai__tool__call__arguments='{"a": 1}') for number in range(3)),
        call(3, "find", gen_ai__tool__call__arguments='{"a": 2}'),
        *(call(number, "list") for number in range(4, 9)),
    )
    assert row["repeated_calls"] == 3


def test_the_type_of_an_error_leads_its_message(telemetry: Telemetry) -> None:
    failed = {"StatusCode": "Error", "StatusMessage": "Request failed."}
    root = span("root", name="answer") | {"StatusCode": "Error"}
    row = interaction(telemetry, root, chat(error__type="TimeoutError") | failed)
    assert row["error"] == "TimeoutError: Request failed."


def test_a_comment_is_what_people_wrote(telemetry: Telemetry) -> None:
    def said(number: int, who: str, why: str) -> dict[str, Any]:
        prefix = f"annotations__{number}__annotation__"
        return {f"{prefix}name": "thumbs", f"{prefix}explanation": why, f"{prefix}annotator_kind": who}

    told = (
        said(0, "HUMAN", "Far too slow.") | said(1, "LLM", "The answer is fine.") | said(2, "HUMAN", "Wrong.")
    )
    row = interaction(telemetry, span("root", name="answer", **told))
    assert row["comment"] == "Far too slow.\nWrong."


def test_a_log_record_says_why_a_model_stopped_where_no_span_does(telemetry: Telemetry) -> None:
    choice = json.dumps({"index": 0, "finish_reason": "length", "message": {"content": "Yes and"}})
    send(telemetry, record("gen_ai.choice", "t1", "call", body=choice))
    assert interaction(telemetry, span("root", name="answer"), chat())["finish_reason"] == "length"
