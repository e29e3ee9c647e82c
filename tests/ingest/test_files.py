"""Imported files: checked whole, the same spans each time, and a word on what is wrong and what to do."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pyarrow.compute as pc
import pytest
from pyarrow import parquet
from tests.ingest.written import CHAT, START, Rows, marks_of, read, said, spans_of, write_jsonl

from assay.errors import FileError
from assay.ingest.files import ImportOptions, Mark, parse_columns, read_file


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


def test_a_file_that_changes_in_between_is_not_written(tmp_path: Path) -> None:
    path = write_jsonl(tmp_path, [{"id": "1", "input": "x"}])
    plan = read_file(path, ImportOptions())
    os.utime(path, (1, 1))
    with pytest.raises(FileError, match="changed while it was read"):
        list(plan.span_tables())


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


BAD: Rows = [
    {"id": "1", "input": "a", "good": 1, "ts": 1777888800},
    {"id": "", "input": "b", "good": 1, "ts": 1777888800},
    {"id": "3", "input": "c", "good": 7, "ts": 1777888800},
    {"id": "1", "input": "d", "good": 0, "ts": 1777888800},
    {"id": "5", "input": "e", "good": 0, "ts": "soon"},
    {"id": "6", "input": "f", "good": 0, "ts": 1777888800},
]


def test_wrong_rows_are_left_out_alone_where_that_is_asked_for(tmp_path: Path) -> None:
    plan = read(tmp_path, BAD, labels=[Mark.parse("good")], skip_bad=True)
    assert (plan.rows, plan.total, plan.interactions, plan.spans) == (2, 6, 2, 2)
    assert [said(span, "input") for span in spans_of(plan)] == [["a"], ["f"]]
    (batch,) = plan.batches()
    assert [(one.row, one.reason.partition(":")[0]) for one in batch.rejected] == [
        (2, "row 2 has no `id`"),
        (3, "row 3 column `good`"),
        (4, "row 4 has the `id` of another row"),
        (5, "row 5 column `ts`"),
    ]
    assert batch.rejected[1].cells["input"] == "c"
    assert [mark["value"] for mark in marks_of(plan)] == [1.0, 0.0]


def test_a_file_of_wrong_rows_alone_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FileError, match="no rows that can be imported: row 1 has no `id`"):
        read(tmp_path, BAD[1:2], skip_bad=True)


def test_lines_that_are_no_json_are_left_out_too(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text('{"id": "1", "input": "x"}\n{"id":\n{"id": "3", "input": "y"}\n')
    plan = read_file(path, ImportOptions(skip_bad=True))
    assert (plan.rows, plan.bad) == (2, frozenset({2}))
    assert [said(span, "input") for span in spans_of(plan)] == [["x"], ["y"]]


def test_an_import_goes_on_after_rows(tmp_path: Path) -> None:
    plan = read(tmp_path, [CHAT | {"id": f"{i}"} for i in range(1500)])
    batches = list(plan.batches())
    assert [batch.rows for batch in batches] == [500, 1000, 1500]
    assert [batch.spans for batch in plan.batches(500)] == [batch.spans for batch in batches[1:]]
    assert list(plan.batches(1500)) == []


def test_batches_are_bounded_by_their_bytes(tmp_path: Path) -> None:
    plan = read(tmp_path, [{"id": f"{i}", "input": "x" * 3_000_000} for i in range(7)])
    assert [batch.spans.num_rows for batch in plan.batches()] == [3, 3, 1]


def test_the_service_is_named_where_a_row_has_none(tmp_path: Path) -> None:
    rows: Rows = [{"id": "1", "input": "x", "service": "own"}, {"id": "2", "input": "y", "service": None}]
    spans = spans_of(read(tmp_path, rows, service="shop"))
    assert [span["ServiceName"] for span in spans] == ["own", "shop"]
