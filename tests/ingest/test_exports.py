"""Exports of other products become the spans that their applications had sent, and opinions of them.

The files in `exports/` of Phoenix (20.26) and MLflow (3.17) were written by those products; those of
LangSmith by its own records (langsmith 0.15); those of Langfuse follow its documentation."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from assay.errors import FileError
from assay.ingest.columns import LOG_SCHEMA, SPAN_SCHEMA
from assay.ingest.exports.basket import hex_id, moment, parsed
from assay.ingest.exports.shapes import recognise
from assay.ingest.imports import open_plan
from assay.ingest.options import ImportOptions, Mark
from assay.ingest.otlp import decode_traces
from assay.ingest.payload import Limits, Payload
from assay.ingest.plan import Plan
from assay.ingest.sources import find_sources

EXPORTS = Path(__file__).parent / "exports"
Rows = list[dict[str, Any]]


def plan_of(path: Path, **options: Any) -> Plan:
    (source,) = find_sources([str(path)])
    return open_plan(source, ImportOptions(**options), path.parent)


def taken(plan: Plan) -> tuple[Rows, Rows, list[str]]:
    """The spans and records of a plan, and why rows were left out."""
    spans: Rows = []
    records: Rows = []
    reasons: list[str] = []
    for batch in plan.batches():
        assert (batch.spans.schema, batch.records.schema) == (SPAN_SCHEMA, LOG_SCHEMA)
        spans += batch.spans.to_pylist()
        records += batch.records.to_pylist()
        reasons += [one.reason for one in batch.rejected]
    return (
        [span | {"SpanAttributes": dict(span["SpanAttributes"])} for span in spans],
        [record | {"LogAttributes": dict(record["LogAttributes"])} for record in records],
        reasons,
    )


def export(name: str, **options: Any) -> tuple[Rows, Rows, list[str]]:
    return taken(plan_of(EXPORTS / name, **options))


def write(folder: Path, *rows: dict[str, Any]) -> Path:
    path = folder / "export.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def said(record: dict[str, Any]) -> tuple[Any, ...]:
    told = record["LogAttributes"]
    assert told["event.name"] == record["EventName"] == "gen_ai.evaluation.result"
    return (
        record["TraceId"],
        record["SpanId"],
        told["gen_ai.evaluation.name"],
        told.get("gen_ai.evaluation.score.value"),
        told.get("gen_ai.evaluation.score.label"),
        told.get("gen_ai.evaluation.explanation"),
        told["assay.source"],
    )


def test_each_export_is_recognised_and_every_column_has_a_place() -> None:
    found = {path.name: plan_of(path) for path in EXPORTS.iterdir()}
    assert {name: plan.format for name, plan in found.items()} == {
        name: name.partition("_")[0] for name in found
    }
    for name, plan in found.items():
        taken(plan)
        assert plan.notes() == (), name


def test_rows_of_our_own_are_no_export() -> None:
    assert recognise({"id", "messages", "timestamp", "user_id"}) == "rows"
    assert recognise({"id", "conversation_id", "input", "output", "timestamp", "version", "meta"}) == "rows"
    assert recognise({"resourceSpans"}) == "otlp"


# --- Phoenix ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("ending", ["parquet", "jsonl", "csv"])
def test_phoenix_tables_become_openinference_spans(ending: str) -> None:
    spans, records, reasons = export(f"phoenix_table.{ending}")
    assert (len(spans), records, reasons) == (7, [], [])
    assert len({span["TraceId"] for span in spans}) == 2
    (model,) = [one for one in spans if "llm.input_messages.2.message.role" in one["SpanAttributes"]][-1:]
    told = model["SpanAttributes"]
    assert told["openinference.span.kind"] == "LLM"
    assert told["llm.input_messages.0.message.role"] == "system"
    assert told["llm.token_count.prompt"] == "42"
    assert json.loads(told["llm.tools.0.tool.json_schema"])["type"] == "function"
    assert len(model["SpanId"]) == len(model["ParentSpanId"]) == 16
    assert model["StatusCode"] == "Ok"
    assert not any(
        "None" in text or text == "nan" for span in spans for text in span["SpanAttributes"].values()
    )


@pytest.mark.shared
@pytest.mark.parametrize("ending", ["parquet", "jsonl", "csv"])
def test_phoenix_gives_back_what_it_was_sent(shared: Path, ending: str) -> None:
    body = (shared / "otlp" / "openinference-openai.bin").read_bytes()
    payload = Payload(kind="traces", body=body, content_type="application/x-protobuf", received_ns=1)
    sent = {
        (span["TraceId"], span["SpanId"]): span
        for span in decode_traces([payload], Limits()).spans.to_pylist()
    }
    spans, _, _ = export(f"phoenix_table.{ending}")
    lost = {"metadata"} if ending == "parquet" else set()  # pandas would not write that column
    for span in spans:
        original = sent[span["TraceId"], span["SpanId"]]
        assert span["ParentSpanId"] == original["ParentSpanId"]
        assert (span["SpanName"], span["StatusCode"]) == (original["SpanName"], original["StatusCode"])
        told = {key: text for key, text in original["SpanAttributes"] if key not in lost}
        score = "0.41000000000000003"  # 0.41, as pandas writes it
        found = {key: text.replace(score, "0.41") for key, text in span["SpanAttributes"].items()}
        assert found == told


def test_phoenix_rest_spans_and_annotations_within() -> None:
    (span,), _, _ = export("phoenix_spans.json")
    assert (len(span["TraceId"]), len(span["SpanId"])) == (32, 16)
    assert json.loads(span["SpanAttributes"]["metadata"])["tenant"] == "acme"
    assert not any(key.startswith("metadata.") for key in span["SpanAttributes"])


@pytest.mark.parametrize("ending", ["jsonl", "csv"])
def test_phoenix_annotations_are_opinions_of_spans(ending: str) -> None:
    _, records, _ = export(f"phoenix_annotations.{ending}")
    spans, _, _ = export("phoenix_table.jsonl")
    assert [said(one)[2:] for one in records] == [
        ("relevance", "0.8", "relevant", "ok", "llm"),
        ("correct", "1", "good", "It says where.", "annotator"),
    ]
    assert {one["SpanId"] for one in records} <= {span["SpanId"] for span in spans}
    assert {one["TraceId"] for one in records} == {""}  # Phoenix does not say; the store knows


def test_phoenix_tables_need_their_index(tmp_path: Path) -> None:
    row = {
        "context.trace_id": "a" * 32,
        "name": "x",
        "span_kind": "LLM",
        "start_time": "2026-05-04T10:00:00Z",
    }
    _, _, (reason,) = taken(plan_of(write(tmp_path, row)))
    assert "reset_index()" in reason


# --- MLflow ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["traces.jsonl", "table.parquet", "table.csv", "table.jsonl"])
def test_mlflow_traces_become_its_spans(name: str) -> None:
    spans, records, reasons = export(f"mlflow_{name}")
    assert (len(spans), reasons) == (5, [])
    model = next(span for span in spans if span["SpanName"] == "llm")
    root = next(span for span in spans if span["SpanId"] == model["ParentSpanId"])
    assert model["TraceId"] == "adb7a01ea183eab10e9068d402c1966c" == root["TraceId"]
    assert root["ParentSpanId"] == ""
    assert root["SpanAttributes"]["mlflow.trace.session"] == "conv-1"
    assert root["SpanAttributes"]["mlflow.trace.user"] == "user-7"
    assert root["SpanAttributes"]["mlflow.traceTag.plan"] == "pro"
    assert "mlflow.trace.session" not in model["SpanAttributes"]
    assert model["SpanAttributes"]["mlflow.spanType"] == '"CHAT_MODEL"'
    assert json.loads(model["SpanAttributes"]["mlflow.chat.tokenUsage"])["input_tokens"] == 42
    assert model["Timestamp"].value == 1795704332648919636
    failed = next(span for span in spans if span["StatusCode"] == "Error")
    assert (failed["StatusMessage"], failed["Events.Name"]) == ("ValueError: no stock", ["exception"])
    trace = root["TraceId"]
    assert [said(one) for one in records] == [
        (trace, "", "correct", "1", None, "It says where.", "annotator"),
        (trace, "6cd1361867e32114", "relevance", "0.8", None, None, "llm"),
        (trace, "", "expected", None, "yesterday", None, "annotator"),
    ]
    assert records[2]["LogAttributes"]["mlflow.assessment.kind"] == "expectation"


def test_mlflow_artifacts_and_traces_without_spans(tmp_path: Path) -> None:
    spans, _, _ = export("mlflow_artifact.json")
    assert [span["SpanName"] for span in spans] == ["answer", "find_order", "llm"]
    row: dict[str, Any] = {
        "trace_id": "tr-adb7a01ea183eab10e9068d402c1966c",
        "state": "OK",
        "request_time": 1795704332570,
        "execution_duration": 78,
        "request": {"question": "Where?"},
        "response": "There.",
        "trace_metadata": {"mlflow.trace.session": "conv-1"},
        "tags": {"mlflow.traceName": "answer"},
    }
    ((span,), _, _) = taken(plan_of(write(tmp_path, row)))
    assert (span["SpanName"], span["Duration"], span["StatusCode"]) == ("answer", 78_000_000, "Ok")
    assert span["SpanAttributes"]["mlflow.spanInputs"] == '{"question":"Where?"}'
    assert span["SpanAttributes"]["mlflow.spanOutputs"] == "There."
    assert span["TraceId"] == "adb7a01ea183eab10e9068d402c1966c"


def test_mlflow_spans_of_the_first_schema(tmp_path: Path) -> None:
    span: dict[str, Any] = {
        "name": "answer",
        "context": {"span_id": "0xfdc1da589a03b44f", "trace_id": "0xadb7a01ea183eab10e9068d402c1966c"},
        "parent_id": None,
        "start_time": 1795704332570334819,
        "end_time": 1795704332649308718,
        "status_code": "OK",
        "attributes": {"mlflow.spanType": '"AGENT"'},
        "events": [],
    }
    row: dict[str, Any] = {"request_id": "tr-1", "request_metadata": {}, "trace": None, "spans": [span]}
    ((found,), _, _) = taken(plan_of(write(tmp_path, row)))
    assert (found["TraceId"], found["SpanId"]) == ("adb7a01ea183eab10e9068d402c1966c", "fdc1da589a03b44f")
    assert found["Duration"] == 78973899


# --- LangSmith -------------------------------------------------------------------------------------


def test_langsmith_runs_become_what_its_exporter_sends() -> None:
    (root, model, tool), _, reasons = export("langsmith_runs.jsonl")
    assert reasons == []
    assert {one["TraceId"] for one in (root, model, tool)} == {"0e01bf50474d4536810f67d3ee7ea3e7"}
    assert (root["SpanId"], root["ParentSpanId"]) == ("0e01bf50474d4536", "")
    assert model["ParentSpanId"] == tool["ParentSpanId"] == root["SpanId"]
    assert root["SpanAttributes"]["langsmith.span.kind"] == "chain"
    assert root["SpanAttributes"]["langsmith.metadata.thread_id"] == "conv-42"
    assert root["SpanAttributes"]["langsmith.span.tags"] == "beta"
    assert json.loads(root["SpanAttributes"]["gen_ai.prompt"]) == {"question": "Where is my order?"}
    assert "gen_ai.usage.input_tokens" not in root["SpanAttributes"]  # the sum of those below
    told = model["SpanAttributes"]
    assert (told["gen_ai.request.model"], told["gen_ai.system"]) == ("gpt-4o-mini", "openai")
    assert (told["gen_ai.usage.input_tokens"], told["gen_ai.usage.output_tokens"]) == ("42", "17")
    assert told["gen_ai.usage.cost"] == "0.0001"
    assert told["gen_ai.request.temperature"] == "0.2"
    assert [model["Events.Name"], tool["Events.Name"]] == [["new_token"], ["exception"]]
    assert (tool["StatusCode"], tool["StatusMessage"]) == ("Error", "ValueError('no such order')")
    assert tool["SpanAttributes"]["gen_ai.tool.name"] == "find_order"
    assert (root["Duration"], model["Duration"]) == (2 * 10**9, 10**9)


def test_langsmith_columns_of_a_bulk_export(tmp_path: Path) -> None:
    """Objects are JSON texts there, and parents are told by the dotted order alone."""
    rows = [json.loads(line) for line in (EXPORTS / "langsmith_runs.jsonl").read_text().splitlines()]
    flat = [
        {key: json.dumps(value) if isinstance(value, dict | list) else value for key, value in row.items()}
        for row in rows
    ]
    for row in flat:
        del row["parent_run_id"], row["trace_id"]
    assert taken(plan_of(write(tmp_path, *flat)))[0] == export("langsmith_runs.jsonl")[0]


def test_langsmith_feedback_is_an_opinion(tmp_path: Path) -> None:
    _, (record,), _ = export("langsmith_feedback.jsonl")
    trace = "0e01bf50474d4536810f67d3ee7ea3e7"
    assert said(record) == (trace, trace[:16], "correct", "1", None, "It says where.", "annotator")
    row = json.loads((EXPORTS / "langsmith_feedback.jsonl").read_text())
    judged = row | {"score": None, "value": "good", "feedback_source": {"type": "model"}}
    lost = row | {"run_id": None, "trace_id": None}
    _, (record,), (reason,) = taken(plan_of(write(tmp_path, judged, lost)))
    assert said(record)[3:] == (None, "good", "It says where.", "llm")
    assert "row 2 is feedback on no run" in reason


# --- Langfuse --------------------------------------------------------------------------------------


def test_langfuse_observations_become_what_its_sdk_sends() -> None:
    (root, model, tool), _, reasons = export("langfuse_observations.jsonl")
    assert reasons == []
    assert root["TraceId"] == "5ee40791652030db6bd3fe2a76dfe926"
    assert (root["SpanId"], root["ParentSpanId"]) == ("982bb12e2e78f87b", "")
    assert model["ParentSpanId"] == tool["ParentSpanId"] == root["SpanId"]
    told = model["SpanAttributes"]
    assert (told["user.id"], told["session.id"]) == ("user-7", "conv-42")
    assert told["langfuse.observation.type"] == "generation"
    assert told["langfuse.observation.model.name"] == "gpt-4o-mini"
    assert json.loads(told["langfuse.observation.usage_details"]) == {"input": 42, "output": 17, "total": 59}
    assert json.loads(told["langfuse.observation.cost_details"])["total"] == 0.00003
    assert json.loads(told["langfuse.observation.completion_start_time"]) == "2026-05-04 10:00:00.800000"
    assert told["langfuse.observation.prompt.version"] == "3"
    assert json.loads(told["langfuse.trace.tags"]) == ["beta"]
    assert root["SpanAttributes"]["langfuse.observation.metadata.plan"] == "pro"
    assert dict(root["ResourceAttributes"]) == {
        "deployment.environment.name": "production",
        "service.version": "1.4.2",
    }
    assert (tool["StatusCode"], tool["StatusMessage"]) == ("Error", "no such order")
    assert (root["StatusCode"], root["Duration"], model["Duration"]) == ("Unset", 2 * 10**9, 1_250_000_000)


def test_langfuse_scores_are_opinions() -> None:
    _, records, (reason,) = export("langfuse_scores.csv")
    trace = "5ee40791652030db6bd3fe2a76dfe926"
    assert [said(one) for one in records] == [
        (trace, "", "correct", "1", None, "It says where.", "annotator"),
        (trace, "60a597df9693445c", "tone", None, "friendly", None, "llm"),
        (trace, "", "stars", "4", None, None, "code"),
    ]
    assert "row 4 is a score of neither a trace nor a session" in reason


def test_langfuse_traces_hold_their_observations_and_scores() -> None:
    (trace, model), (score,), _ = export("langfuse_traces.json")
    assert trace["TraceId"] == "b4a1f3c29d8e4f708a6b5c4d3e2f1a00"
    assert (model["SpanId"], model["ParentSpanId"]) == ("c0ffee0011114222", trace["SpanId"])
    assert trace["SpanAttributes"]["langfuse.trace.output"] == "Within 30 days."
    assert trace["SpanAttributes"]["session.id"] == model["SpanAttributes"]["session.id"] == "conv-43"
    assert json.loads(model["SpanAttributes"]["langfuse.observation.usage_details"]) == {
        "input": 20,
        "output": 5,
        "total": 25,
    }
    assert trace["Duration"] == 1_500_000_000
    assert said(score) == (trace["TraceId"], "", "thumb", "0", None, "too short", "code")


# --- all of them -----------------------------------------------------------------------------------


def test_opinions_become_labels_where_that_is_asked_for() -> None:
    plan = plan_of(
        EXPORTS / "mlflow_traces.jsonl", labels=[Mark.parse("correct=resolved"), Mark.parse("expected")]
    )
    _, records, _ = taken(plan)
    trace = "adb7a01ea183eab10e9068d402c1966c"
    ((kind, table),) = plan.marks()
    assert kind == "human"
    assert table.to_pylist() == [
        {"metric": "resolved", "log_id": trace, "value": 1.0, "rater": "ann", "comment": "It says where."}
    ]
    assert [said(one)[2] for one in records] == ["relevance", "expected"]
    assert plan.notes() == (
        "1 values of expected are no number from 0 to 1: kept as evaluations, not as labels",
    )
    assert plan.unit == "interaction"


def test_a_bad_row_is_left_out_alone(tmp_path: Path) -> None:
    good = json.loads((EXPORTS / "langfuse_observations.jsonl").read_text().splitlines()[0])
    bad = [good | {"id": ""}, good | {"start_time": "soon"}, good | {"start_time": None}]
    path = write(tmp_path, good, *bad)
    with path.open("a") as file:
        file.write('{"id": \n')
    plan = plan_of(path)
    (batch,) = plan.batches()
    assert batch.spans.num_rows == 1
    assert [one.row for one in batch.rejected] == [2, 3, 4, 5]
    assert [one.reason.partition(";")[0] for one in batch.rejected][:3] == [
        "row 2 has no `id`",
        "row 3 column `start_time`: 'soon' is no time from 1970 on",
        "row 4 has no `start_time`: a span needs its time",
    ]
    assert batch.rejected[0].cells["name"] == "turn"


def test_a_plan_goes_on_after_rows(tmp_path: Path) -> None:
    row = json.loads((EXPORTS / "langfuse_observations.jsonl").read_text().splitlines()[0])
    path = write(tmp_path, *(row | {"id": f"{n + 1:016x}"} for n in range(4500)))
    sizes = [(batch.rows, batch.spans.num_rows) for batch in plan_of(path).batches()]
    assert sizes == [(2000, 2000), (4000, 2000), (4500, 500)]
    assert [(batch.rows, batch.spans.num_rows) for batch in plan_of(path).batches(4000)] == sizes[2:]
    assert list(plan_of(path).batches(4500)) == []


def test_batches_are_bounded_by_their_bytes(tmp_path: Path) -> None:
    row = json.loads((EXPORTS / "langfuse_observations.jsonl").read_text().splitlines()[0])
    path = write(tmp_path, *(row | {"id": f"{n + 1:016x}", "input": "x" * 3_000_000} for n in range(7)))
    assert [batch.spans.num_rows for batch in plan_of(path).batches()] == [3, 3, 1]


def test_columns_that_are_not_taken_are_named(tmp_path: Path) -> None:
    row = json.loads((EXPORTS / "langfuse_observations.jsonl").read_text().splitlines()[0])
    plan = plan_of(write(tmp_path, row | {"mood": "sunny", "nothing": None}))
    taken(plan)
    assert plan.notes() == ("columns left out: `mood`",)


def test_the_service_is_named_where_the_export_has_none() -> None:
    spans, records, _ = export("langfuse_traces.json", service="shop")
    assert {one["ServiceName"] for one in (*spans, *records)} == {"shop"}
    assert dict(spans[0]["ResourceAttributes"])["service.name"] == "shop"


def test_a_format_can_be_named_and_options_that_dont_fit_are_refused(tmp_path: Path) -> None:
    with pytest.raises(FileError, match="--format langfuze: no such format; did you mean `langfuse`"):
        plan_of(EXPORTS / "langfuse_scores.csv", format="langfuze")
    with pytest.raises(FileError, match="--column and --score are for files of rows"):
        plan_of(EXPORTS / "langfuse_scores.csv", format="langfuse", scores=[Mark.parse("value")])
    with pytest.raises(FileError, match="no text"):
        plan_of(EXPORTS / "langfuse_scores.csv", format="rows")
    with pytest.raises(FileError, match="column `value`: '2' is outside"):  # read as rows, then
        plan_of(EXPORTS / "langfuse_scores.csv", scores=[Mark.parse("value")])


@pytest.mark.parametrize(
    ("text", "digits", "found"),
    [
        ("5EE40791652030DB6BD3FE2A76DFE926", 32, "5ee40791652030db6bd3fe2a76dfe926"),
        ("0x5ee40791652030db6bd3fe2a76dfe926", 32, "5ee40791652030db6bd3fe2a76dfe926"),
        ("0e01bf50-474d-4536-810f-67d3ee7ea3e7", 32, "0e01bf50474d4536810f67d3ee7ea3e7"),
        ("0e01bf50-474d-4536-810f-67d3ee7ea3e7", 16, "0e01bf50474d4536"),
        ("E1WHBwoh8wtLZjJdp57oWw==", 32, "135587070a21f30b4b66325da79ee85b"),
        ("/W9qpbY9lng=", 16, "fd6f6aa5b63d9678"),
        ("7", 16, "0000000000000007"),
    ],
)
def test_ids_become_opentelemetrys(text: str, digits: int, found: str) -> None:
    assert hex_id(text, digits, 1, "id") == found


@pytest.mark.parametrize("text", ["0" * 32, "my trace", "7" * 33, "é"])
def test_what_is_no_such_id_is_hashed_the_same_each_time(text: str) -> None:
    first, again = hex_id(text, 32, 1, "id"), hex_id(text, 32, 2, "other")
    assert first == again != "0" * 32
    assert len(bytes.fromhex(first)) == 16


@pytest.mark.parametrize("nothing", [None, "", "  ", float("nan")])
def test_no_id_is_said(nothing: object) -> None:
    with pytest.raises(FileError, match="row 3 has no `trace_id`"):
        hex_id(nothing, 32, 3, "trace_id")


@pytest.mark.parametrize(
    ("cell", "found"),
    [
        (1795704332648919636, 1795704332648919636),
        ("1795704332648919636", 1795704332648919636),
        ("2026-11-26T14:45:32.648919636Z", 1795704332648919636),
        ("2026-11-26 16:45:32.6489196+02:00", 1795704332648919600),
        ("2026-11-26 14:45:32.648919", 1795704332648919000),
        (1795704332648, 1795704332648000000),
    ],
)
def test_times_keep_their_nanoseconds(cell: object, found: int) -> None:
    assert moment(cell, 1, "start_time") == found


@pytest.mark.parametrize(
    ("cell", "found"),
    [
        ('{"a": null}', {"a": None}),
        ("{'a': None, 'b': [True]}", {"a": None, "b": [True]}),
        ("[1, 2", "[1, 2"),
        ("{__import__('os')}", "{__import__('os')}"),
        ("[" * 5000, "[" * 5000),
        (["x"], ["x"]),
        ("plain", "plain"),
    ],
)
def test_structured_cells_are_json_or_python_literals(cell: object, found: object) -> None:
    assert parsed(cell) == found
