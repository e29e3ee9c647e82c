"""Imported files: checked whole, the same spans each time, and a word on what is wrong and what to do."""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from pyarrow import parquet

from assay.errors import FileError
from assay.ingest.columns import SPAN_SCHEMA
from assay.ingest.conversations import trace_id_of
from assay.ingest.files import ImportOptions, ImportPlan, Mark, parse_columns, read_file

START = datetime(2026, 5, 4, 10, 0, tzinfo=UTC)
Rows = Sequence[dict[str, Any]]


def write_jsonl(folder: Path, rows: Rows, name: str = "logs.jsonl") -> Path:
    path = folder / name
    path.write_text("\n".join(json.dumps(row) for row in rows) + "\n", encoding="utf-8")
    return path


def spans_of(plan: ImportPlan) -> list[dict[str, Any]]:
    tables = list(plan.span_tables())
    for table in tables:
        table.validate(full=True)
        assert table.schema == SPAN_SCHEMA
    rows = [row for table in tables for row in table.to_pylist()]
    assert len(rows) == plan.spans
    return [row | {"SpanAttributes": dict(row["SpanAttributes"])} for row in rows]


def read(folder: Path, rows: Rows, **options: Any) -> ImportPlan:
    return read_file(write_jsonl(folder, rows), ImportOptions(**options))


def marks_of(plan: ImportPlan, kind: str = "human") -> list[dict[str, Any]]:
    return [row for told, table in plan.marks() if told == kind for row in table.to_pylist()]


def roots(spans: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [span for span in spans if not span["ParentSpanId"]]


def said(span: dict[str, Any], side: str) -> list[str]:
    messages = json.loads(span["SpanAttributes"].get(f"gen_ai.{side}.messages", "[]"))
    return [part["content"] for message in messages for part in message["parts"]]


CHAT = {
    "id": "c1",
    "timestamp": "2026-05-04T10:00:00Z",
    "user_id": "u1",
    "service": "shop",
    "environment": "prod",
    "version": "v2",
    "model": "m1",
    "meta": {"plan": "pro", "seats": 3, "trial": False, "nested": {"a": 1}, "long": "x" * 300, "none": None},
    "messages": [
        {"role": "system", "content": "Be kind."},
        {"role": "user", "content": "Where is my order?"},
        {"role": "user", "content": [{"type": "text", "text": "It is #7."}, {"type": "image_url"}]},
        {
            "role": "assistant",
            "content": "Let me look.",
            "tool_calls": [{"id": "t1", "function": {"name": "find_order", "arguments": '{"id": 7}'}}],
        },
        {"role": "tool", "tool_call_id": "t1", "content": "Error: no such order"},
        {"role": "assistant", "content": "I can't find it."},
        {"role": "user", "content": "Thanks anyway"},
    ],
}


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


def test_the_three_formats_make_the_same_spans(tmp_path: Path) -> None:
    rows = [
        {
            "id": f"{i}",
            "timestamp": "2026-05-04T10:00:00Z",
            "input": f'line 1\nline "2", {i}',
            "output": "é" * 200_000,
        }
        for i in range(3)
    ]
    jsonl = write_jsonl(tmp_path, rows)
    with (tmp_path / "logs.csv").open("w", newline="", encoding="utf-8-sig") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    parquet.write_table(pa.Table.from_pylist(rows), tmp_path / "logs.parquet")
    one, two, three = (
        list(read_file(path, ImportOptions()).span_tables())
        for path in (jsonl, tmp_path / "logs.csv", tmp_path / "logs.parquet")
    )
    assert one == two == three
    assert one == list(read_file(jsonl, ImportOptions()).span_tables())


def test_a_source_sets_equal_ids_apart(tmp_path: Path) -> None:
    rows = [{"id": "1", "input": "x"}]
    plain, other = (spans_of(read(tmp_path, rows, source=source)) for source in ("", "b"))
    assert plain[0]["TraceId"] != other[0]["TraceId"]


def test_tables_stay_small_and_rows_whole(tmp_path: Path) -> None:
    plan = read(tmp_path, [CHAT | {"id": f"{i}"} for i in range(1500)])
    tables = list(plan.span_tables())
    assert [table.num_rows for table in tables] == [2000, 2000, 2000]
    assert sum(table.num_rows for table in tables) == plan.spans


def test_labels_and_scores_become_rows(tmp_path: Path) -> None:
    values: list[Any] = [1, 0, True, False, "0.25", "yes", "No", None, ""]
    rows: Rows = [
        {"id": f"{i}", "input": "x", "ts": 1777888800, "bad": value} for i, value in enumerate(values)
    ]
    plan = read(tmp_path, rows, labels=[Mark.parse("bad")], scores=[Mark.parse("bad=judge")])
    assert [mark["value"] for mark in marks_of(plan)] == [1, 0, 1, 0, 0.25, 1, 0]
    assert [mark["log_id"] for mark in marks_of(plan)] == ["0", "1", "2", "3", "4", "5", "6"]
    assert plan.unit == "conversation"
    assert [mark["metric"] for mark in marks_of(plan, "judge")] == ["judge"] * 7


def test_notes_say_what_was_left_out_and_made_up(tmp_path: Path) -> None:
    rows: Rows = [
        {"id": "1", "input": "x", "intent": "a", "meta": "{"},
        {"id": "2", "output": "", "votes": [1]},
    ]
    plan = read(tmp_path, rows)
    notes = "\n".join(plan.notes())
    assert "columns left out: `intent`, `votes`" in notes
    assert "1 of 2 rows have no text" in notes
    assert "2 of 2 rows have no time" in notes
    assert "latency is not known" in notes
    assert "1 of 2 rows have a `meta` that is no JSON object" in notes
    assert not any("assay.attr" in key for span in spans_of(plan) for key in span["SpanAttributes"])


def test_meta_can_be_left_out(tmp_path: Path) -> None:
    [first, *_] = spans_of(read(tmp_path, [CHAT], keep_meta=False))
    assert not any(key.startswith("assay.attr.") for key in first["SpanAttributes"])


def test_other_names_are_mapped(tmp_path: Path) -> None:
    rows = [{"key": "1", "question": "x", "when": 1777888800}]
    columns = parse_columns(["id=key", "input = question", "timestamp=when"])
    [span] = spans_of(read(tmp_path, rows, columns=columns))
    assert (said(span, "input"), span["SpanAttributes"]["gen_ai.conversation.id"]) == (["x"], "1")
    assert span["Timestamp"].value == int(START.timestamp()) * 10**9


def test_text_is_repaired_not_refused(tmp_path: Path) -> None:
    path = tmp_path / "logs.jsonl"
    path.write_bytes(b'\xef\xbb\xbf{"id": "1", "input": "a\xffb"}\n\n{"id": "2", "input": "c\\ud800d"}\n')
    texts = [said(span, "input")[0] for span in spans_of(read_file(path, ImportOptions()))]
    assert [(text[0], text[-1]) for text in texts] == [("a", "b"), ("c", "d")]


@pytest.mark.parametrize(
    ("rows", "options", "row", "says"),
    [
        (
            [{"id": "1", "input": "x"}, {"id": "1", "input": "y"}],
            {},
            2,
            "rows 1 and 2 have the same `id` '1'",
        ),
        ([{"id": "1", "input": "x"}, {"input": "y"}], {}, 2, "row 2 has no `id`"),
        (
            [{"input": "x", "key": 1}],
            {},
            None,
            "no column `id`; its columns are `input`, `key`.*--column id=COLUMN",
        ),
        ([{"id": "1", "raw": "x"}], {}, None, "--column input=COLUMN"),
        ([{"id": "1", "input": "x"}], {"columns": {"inptu": "input"}}, None, "did you mean `input`"),
        ([{"id": "1", "input": "x"}], {"columns": {"output": "imput"}}, None, "did you mean `input`"),
        (
            [{"id": "1", "input": "x", "label": 1}],
            {"labels": [Mark.parse("lable")]},
            None,
            "did you mean `label`",
        ),
        (
            [{"id": "1", "input": "x", "a": 1, "b": 1}],
            {"labels": [Mark.parse("a=m"), Mark.parse("b=m")]},
            None,
            "two columns for the metric `m`",
        ),
        (
            [{"id": "1", "input": "x", "s": 0}, {"id": "2", "input": "x", "s": 4}],
            {"scores": [Mark.parse("s")]},
            2,
            r"row 2 column `s`: '4' is outside \[0, 1\]; .*\(x - 1\) / 4",
        ),
        ([{"id": "1", "input": "x", "s": "bad"}], {"labels": [Mark.parse("s")]}, 1, "'bad' is no number"),
        (
            [{"id": "1", "messages": [{"role": "boss", "content": ""}]}],
            {},
            1,
            "message 1 has the role 'boss'",
        ),
        ([{"id": "1", "messages": "nope"}], {}, 1, "column `messages` is no JSON"),
        ([{"id": "1", "messages": {"a": 1}}], {}, 1, "is dict; it must be a list of messages"),
        ([{"id": "1", "messages": ["hi"]}], {}, 1, "message 1 is no object"),
        (
            [{"id": "1", "messages": [{"role": "assistant", "tool_calls": "{"}]}],
            {},
            1,
            "column `messages` is no JSON.*tool calls",
        ),
        ([{"id": "1", "input": "x", "ts": "soon"}], {}, 1, "row 1 column `ts`: 'soon' is no time"),
        ([{"id": "1", "input": "x", "ts": -5}], {}, 1, "'-5' is no time"),
        ([], {}, None, "has no rows"),
    ],
)
def test_what_is_wrong_is_said_before_anything_is_written(
    tmp_path: Path, rows: Rows, options: dict[str, Any], row: int | None, says: str
) -> None:
    with pytest.raises(FileError, match=says) as wrong:
        read(tmp_path, rows, **options)
    assert wrong.value.row == row


@pytest.mark.parametrize(
    ("name", "content", "row", "says"),
    [
        ("a.jsonl", b'{"id": 1, "input": "x"}\n{"id": 2,\n', 2, "line 2 is no JSON.*one whole JSON object"),
        ("a.jsonl", b"[1]\n", 1, "line 1 is list"),
        ("a.json", b"[]", None, "has no rows"),
        ("a.json", b'[{"id": 1}, {"id": 2', 2, "no JSON after 1 values"),
        ("a.txt", b"", None, r"ends in \.jsonl, \.json, \.csv"),
        ("a.csv", b"", None, "no header"),
        ("a.csv", b"id,input,input\n1,x,y\n", None, "two columns named `input`"),
        ("a.csv", b"id,input\n1,x\n2,y,z\n", 2, "row 2 has 3 cells and the header 2: quote"),
        ("a.csv", b'id,input\n1,"x\n', 1, "row 1 is no CSV"),
        ("a.csv", b"id,input\n", None, "has no rows"),
        ("a.parquet", b"PAR1 nonsense", None, "no readable Parquet"),
        ("missing.csv", None, None, "No such file"),
    ],
)
def test_broken_files_say_where_and_what_to_do(
    tmp_path: Path, name: str, content: bytes | None, row: int | None, says: str
) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(FileError, match=says) as wrong:
        read_file(tmp_path / name, ImportOptions())
    assert wrong.value.row == row


def test_a_parquet_file_cut_short_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    parquet.write_table(
        pa.table({"id": [f"{i}" for i in range(5000)], "input": ["x" * i for i in range(5000)]}), path
    )
    whole = path.read_bytes()
    path.write_bytes(whole[:4] + bytes(3000) + whole[3004:])
    with pytest.raises(FileError, match="damaged after row"):
        read_file(path, ImportOptions())


def test_a_file_that_changes_in_between_is_not_written(tmp_path: Path) -> None:
    path = write_jsonl(tmp_path, [{"id": "1", "input": "x"}])
    plan = read_file(path, ImportOptions())
    os.utime(path, (1, 1))
    with pytest.raises(FileError, match="changed while it was read"):
        list(plan.span_tables())


def test_rows_without_a_time_are_of_the_day_before_the_file(tmp_path: Path) -> None:
    path = write_jsonl(tmp_path, [{"id": "1", "input": "x"}, {"id": "2", "input": "y"}])
    os.utime(path, (1_700_000_000, 1_700_000_000))  # 2023-11-14, 22:13 UTC
    plan = read_file(path, ImportOptions())
    (spans,) = plan.span_tables()
    times = spans["Timestamp"].cast(pa.timestamp("us", "UTC")).to_pylist()
    days = {str(time)[:10] for time in times}
    assert days == {"2023-11-13"}
    assert any("no time" in note for note in plan.notes())


def test_parse_columns_refuses_what_names_nothing() -> None:
    with pytest.raises(FileError, match="NAME=COLUMN"):
        parse_columns(["input"])
    assert Mark.parse("label=resolved") == Mark("label", "resolved")


SETS = {
    "frank_metrics": ImportOptions(labels=[Mark.parse("label")]),
    "otel_fixtures": ImportOptions(columns={"input": "raw"}, labels=[Mark.parse("label")]),
}


def _data() -> list[str]:
    folder = Path(__file__).resolve().parents[2] / ".." / "shared" / "data"
    return sorted(one.name for one in folder.iterdir() if one.is_dir()) if folder.is_dir() else []


@pytest.mark.shared
@pytest.mark.parametrize("name", _data())
def test_every_real_set_imports(shared: Path, name: str) -> None:
    path = shared / "data" / name / f"{name}.parquet"
    plan = read_file(path, SETS.get(name, ImportOptions(labels=[Mark.parse("label")])))
    table = parquet.read_table(path, columns=["id", "label"])
    assert (plan.rows, plan.conversations, plan.unit) == (table.num_rows, table.num_rows, "conversation")
    assert len(marks_of(plan)) == table.num_rows - table["label"].null_count
    ids: set[str] = set()
    traces: set[str] = set()
    spans = 0
    for some in plan.span_tables():
        spans += some.num_rows
        found = pc.map_lookup(some["SpanAttributes"].combine_chunks(), "gen_ai.conversation.id", "first")
        traces.update(map(str, some["TraceId"].unique()))
        ids.update(map(str, found.drop_null().unique()))
    assert (spans, len(traces)) == (plan.spans, plan.interactions)
    assert ids == set(table["id"].to_pylist())


@pytest.mark.shared
@pytest.mark.parametrize("name", ["frank_metrics", "otel_fixtures"])
def test_sets_without_text_say_how_to_name_it(shared: Path, name: str) -> None:
    with pytest.raises(FileError, match="--column input=COLUMN"):
        read_file(shared / "data" / name / f"{name}.parquet", ImportOptions())
