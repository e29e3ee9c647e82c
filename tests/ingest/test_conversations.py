"""A row becomes the spans that its application would have sent."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pyarrow as pa
import pytest
from tests.ingest.written import CHAT, START, Rows, marks_of, read, roots, said, spans_of, write_jsonl

from assay.ingest.conversations import trace_id_of
from assay.ingest.files import ImportOptions, Mark, read_file


def test_each_exchange_is_a_trace_with_its_tools_and_texts(tmp_path: Path) -> None:
    plan = read(tmp_path, [CHAT])
    assert (plan.rows, plan.conversations, plan.interactions, plan.spans, plan.unit) == (
        1,
        1,
        2,
        4,
        "conversation",
    )
    root, chat, tool, last = spans_of(plan)
    assert [span["SpanName"] for span in (root, chat, tool, last)] == [
        "invoke_agent",
        "chat",
        "execute_tool find_order",
        "invoke_agent",
    ]
    assert root["TraceId"] == chat["TraceId"] == tool["TraceId"] == trace_id_of("", "c1", 0)
    assert last["TraceId"] == trace_id_of("", "c1", 1)
    assert chat["ParentSpanId"] == tool["ParentSpanId"] == root["SpanId"]
    assert said(root, "input") == ["Where is my order?", "It is #7.\n[image_url]"]
    assert said(root, "output") == ["I can't find it."]
    assert said(chat, "output") == ["Let me look."]
    assert (said(last, "input"), said(last, "output")) == (["Thanks anyway"], [])
    assert root["SpanAttributes"]["gen_ai.operation.name"] == "invoke_agent"
    assert root["SpanAttributes"]["gen_ai.conversation.id"] == "c1"
    assert root["SpanAttributes"]["user.id"] == "u1"
    assert root["SpanAttributes"]["gen_ai.request.model"] == "m1"
    assert json.loads(root["SpanAttributes"]["gen_ai.system_instructions"]) == [
        {"type": "text", "content": "Be kind."}
    ]
    assert "gen_ai.system_instructions" not in last["SpanAttributes"]
    assert {key: text for key, text in root["SpanAttributes"].items() if key.startswith("assay.attr.")} == {
        "assay.attr.plan": "pro",
        "assay.attr.seats": "3",
        "assay.attr.trial": "false",
    }
    assert tool["SpanAttributes"] == {
        "gen_ai.operation.name": "execute_tool",
        "gen_ai.tool.name": "find_order",
        "gen_ai.tool.call.id": "t1",
        "gen_ai.tool.call.arguments": '{"id": 7}',
        "gen_ai.tool.call.result": "Error: no such order",
    }
    assert (tool["StatusCode"], tool["StatusMessage"]) == ("Error", "Error: no such order")
    assert (root["StatusCode"], root["ServiceName"]) == ("Unset", "shop")
    assert dict(root["ResourceAttributes"]) == {
        "service.name": "shop",
        "deployment.environment.name": "prod",
        "service.version": "v2",
    }


def test_without_message_times_turns_step_and_durations_are_unknown(tmp_path: Path) -> None:
    spans = spans_of(read(tmp_path, [CHAT]))
    starts = [span["Timestamp"].value - int(START.timestamp()) * 10**9 for span in spans]
    assert starts == [2 * 10**9, 2 * 10**9 + 1, 2 * 10**9 + 2, 12 * 10**9]
    assert {span["Duration"] for span in spans} == {0}


def test_message_times_give_durations(tmp_path: Path) -> None:
    messages = [
        {"role": "user", "content": "a"},
        {
            "role": "assistant",
            "tool_calls": '[{"id": "x", "name": "f", "arguments": {"k": 1}}]',
            "ts": 1777888801,
        },
        {"role": "tool", "content": "ok", "tool_call_id": "x", "ts": "2026-05-04T10:00:04"},
        {"role": "assistant", "content": "b", "ts": 1777888809500},
    ]
    root, tool = spans_of(
        read(tmp_path, [{"id": 1, "ts": "2026-05-04T10:00:00Z", "messages": json.dumps(messages)}])
    )
    assert root["Timestamp"].value == int(START.timestamp()) * 10**9
    assert (root["Duration"], tool["Duration"]) == (9_500_000_000, 3_000_000_000)
    assert tool["SpanAttributes"]["gen_ai.tool.call.arguments"] == '{"k": 1}'


@pytest.mark.parametrize(
    ("moment", "microseconds"),
    [
        ("2026-05-04T12:00:00+02:00", 0),
        ("2026-05-04 10:00:00.000250", 250),
        ("1777888800", 0),
        (1777888800, 0),
        (1777888800001, 1000),
        (1777888800000002, 2),
        (1777888800000003000, 3),
    ],
)
def test_times_in_many_forms(tmp_path: Path, moment: object, microseconds: int) -> None:
    [span] = spans_of(read(tmp_path, [{"id": "a", "input": "x", "timestamp": moment}]))
    assert span["Timestamp"].value // 1000 == int(START.timestamp()) * 10**6 + microseconds


def test_rows_of_one_turn(tmp_path: Path) -> None:
    rows: Rows = [
        {"id": "1", "conversation_id": "k", "input": "hi", "output": "hello", "context": "one", "label": 1},
        {
            "id": "2",
            "conversation_id": "k",
            "input": "more",
            "output": None,
            "context": '["a", {"text": "b"}]',
        },
        {"id": "3", "conversation_id": None, "input": None, "output": "hello"},
    ]
    plan = read(tmp_path, rows, labels=[Mark.parse("label=resolved")])
    assert (plan.rows, plan.conversations, plan.interactions, plan.unit) == (3, 2, 3, "interaction")
    spans = spans_of(plan)
    first, second, third = roots(spans)
    assert (said(first, "input"), said(first, "output")) == (["hi"], ["hello"])
    assert (said(second, "input"), said(second, "output")) == (["more"], [])
    assert (said(third, "input"), said(third, "output")) == ([], ["hello"])
    assert [span["SpanAttributes"]["gen_ai.conversation.id"] for span in roots(spans)] == ["k", "k", "3"]
    documents = [
        json.loads(span["SpanAttributes"]["gen_ai.retrieval.documents"])
        for span in spans
        if span["SpanAttributes"]["gen_ai.operation.name"] == "retrieval"
    ]
    assert documents == [[{"content": "one"}], [{"content": "a"}, {"content": "b"}]]
    assert first["Timestamp"] < second["Timestamp"] < third["Timestamp"]
    [label] = marks_of(plan)
    assert (label["metric"], label["log_id"], label["value"]) == (
        "resolved",
        first["TraceId"],
        1.0,
    )


def test_an_answer_under_test_completes_its_history(tmp_path: Path) -> None:
    history = [
        {"role": "assistant", "content": "Welcome!"},
        {"role": "user", "content": "q"},
    ]
    closing = [*history, {"role": "assistant", "content": "known"}, {"role": "user", "content": "bye"}]
    open_end = spans_of(read(tmp_path, [{"id": "a", "messages": history, "output": "the answer"}]))
    assert [(said(span, "input"), said(span, "output")) for span in open_end] == [
        ([], ["Welcome!"]),
        (["q"], ["the answer"]),
    ]
    closed = spans_of(read(tmp_path, [{"id": "a", "messages": closing, "output": " known "}]))
    assert [said(span, "output") for span in closed] == [["Welcome!"], ["known"], []]


def test_tool_results_find_their_calls(tmp_path: Path) -> None:
    messages = [
        {"role": "user", "content": "go"},
        {
            "role": "assistant",
            "tool_calls": [
                {"id": "1", "name": "f", "arguments": "1"},
                {"id": "2", "name": "g", "arguments": "2"},
                {"id": "3", "name": "h", "arguments": "3"},
            ],
        },
        {"role": "tool", "tool_call_id": "2", "content": '{"error": "gone"}'},
        {"role": "tool", "name": "f", "content": '{"error": null, "errors": 0}'},
        {"role": "tool", "name": "lost", "content": "Errors are rare"},
        {"role": "assistant", "content": "done"},
    ]
    _, *tools = spans_of(read(tmp_path, [{"id": "a", "messages": messages}]))
    found = [
        (
            span["SpanAttributes"]["gen_ai.tool.name"],
            span["SpanAttributes"].get("gen_ai.tool.call.arguments"),
            span["StatusCode"],
            "gen_ai.tool.call.result" in span["SpanAttributes"],
        )
        for span in tools
    ]
    assert found == [
        ("g", "2", "Error", True),
        ("f", "1", "Unset", True),
        ("lost", None, "Unset", True),
        ("h", "3", "Unset", False),
    ]


def test_a_source_sets_equal_ids_apart(tmp_path: Path) -> None:
    rows = [{"id": "1", "input": "x"}]
    plain, other = (spans_of(read(tmp_path, rows, source=source)) for source in ("", "b"))
    assert plain[0]["TraceId"] != other[0]["TraceId"]


def test_text_is_repaired_not_refused(tmp_path: Path) -> None:
    path = tmp_path / "logs.jsonl"
    path.write_bytes(b'\xef\xbb\xbf{"id": "1", "input": "a\xffb"}\n\n{"id": "2", "input": "c\\ud800d"}\n')
    texts = [said(span, "input")[0] for span in spans_of(read_file(path, ImportOptions()))]
    assert [(text[0], text[-1]) for text in texts] == [("a", "b"), ("c", "d")]


def test_rows_without_a_time_are_of_the_day_before_the_file(tmp_path: Path) -> None:
    path = write_jsonl(tmp_path, [{"id": "1", "input": "x"}, {"id": "2", "input": "y"}])
    os.utime(path, (1_700_000_000, 1_700_000_000))  # 2023-11-14, 22:13 UTC
    plan = read_file(path, ImportOptions())
    (spans,) = plan.span_tables()
    times = spans["Timestamp"].cast(pa.timestamp("us", "UTC")).to_pylist()
    days = {str(time)[:10] for time in times}
    assert days == {"2023-11-13"}
    assert any("no time" in note for note in plan.notes())
