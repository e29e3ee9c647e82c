"""A log record of a request becomes a row of `otel_logs`, from protobuf and JSON alike."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from tests.ingest.bodies import JSON, RECEIVED_NS, START_NS, records_of

from assay.ingest.columns import LOG_SCHEMA
from assay.store.telemetry.schema import OTEL_LOGS


def body(change: Callable[[Any], None] = lambda record: None) -> bytes:
    export = ExportLogsServiceRequest()
    group = export.resource_logs.add(schema_url="https://resource")
    group.resource.attributes.add(key="service.name").value.string_value = "shop"
    scope = group.scope_logs.add(schema_url="https://scope")
    scope.scope.name, scope.scope.version = "logger", "1.2"
    scope.scope.attributes.add(key="k").value.int_value = 1
    record = scope.log_records.add(
        trace_id=bytes([1] * 16), span_id=bytes([2] * 8), time_unix_nano=START_NS, flags=0x101
    )
    record.severity_number, record.severity_text = 9, "INFO"
    record.body.string_value = "hello"
    change(record)
    return bytes(export.SerializeToString())


def row(change: Callable[[Any], None] = lambda record: None) -> dict[str, Any]:
    found: dict[str, Any] = records_of(body(change)).records.to_pylist()[0]
    return found | {"LogAttributes": dict(found["LogAttributes"])}


def test_the_columns_are_those_of_otel_logs() -> None:
    names = [column.partition(" ")[0] for column in OTEL_LOGS.columns]
    assert [*LOG_SCHEMA.names] == [name for name in names if name != "TimestampTime"]


def test_a_record_becomes_a_row_of_otel_logs() -> None:
    found = row()
    assert found.pop("Timestamp").value == START_NS
    assert found == {
        "TraceId": "01" * 16,
        "SpanId": "02" * 8,
        "TraceFlags": 1,
        "SeverityText": "INFO",
        "SeverityNumber": 9,
        "ServiceName": "shop",
        "Body": "hello",
        "ResourceSchemaUrl": "https://resource",
        "ResourceAttributes": [("service.name", "shop")],
        "ScopeSchemaUrl": "https://scope",
        "ScopeName": "logger",
        "ScopeVersion": "1.2",
        "ScopeAttributes": [("k", "1")],
        "LogAttributes": {},
        "EventName": "",
    }


@pytest.mark.parametrize(
    ("field", "attribute", "event", "kept"),
    [
        ("gen_ai.choice", None, "gen_ai.choice", {"event.name": "gen_ai.choice"}),
        ("", "gen_ai.choice", "gen_ai.choice", {"event.name": "gen_ai.choice"}),
        ("a", "b", "a", {"event.name": "b"}),
        ("a", "", "a", {"event.name": "a"}),
        ("", None, "", {}),
    ],
)
def test_an_event_has_its_name_as_a_column_and_as_an_attribute(
    field: str, attribute: str | None, event: str, kept: dict[str, str]
) -> None:
    def change(record: Any) -> None:
        record.event_name = field
        if attribute is not None:
            record.attributes.add(key="event.name").value.string_value = attribute

    found = row(change)
    assert (found["EventName"], found["LogAttributes"]) == (event, kept)


def test_a_structured_body_is_json() -> None:
    def change(record: Any) -> None:
        pairs = record.body.kvlist_value.values
        pairs.add(key="content").value.string_value = "hé"
        pairs.add(key="n").value.int_value = 2
        calls = pairs.add(key="calls").value.array_value.values
        calls.add().bytes_value = b"\x00\xff"
        calls.add().double_value = 0.5

    assert row(change)["Body"] == '{"content":"hé","n":2,"calls":["AP8=",0.5]}'
    assert row(lambda record: record.ClearField("body"))["Body"] == ""
    assert row(lambda record: setattr(record.body, "int_value", 7))["Body"] == "7"


def test_a_record_without_a_time_has_that_of_its_observation_or_of_receipt() -> None:
    def change(record: Any) -> None:
        record.time_unix_nano, record.observed_time_unix_nano = 0, START_NS + 3

    assert (row(change)["Timestamp"].value, row(change)["LogAttributes"]) == (START_NS + 3, {})
    lost = row(lambda record: setattr(record, "time_unix_nano", 0))
    assert (lost["Timestamp"].value, lost["LogAttributes"]) == (RECEIVED_NS, {"assay.repaired": "time"})


@pytest.mark.parametrize("trace_id", [b"", bytes(16), b"short"])
def test_a_record_may_belong_to_no_trace(trace_id: bytes) -> None:
    found = records_of(body(lambda record: setattr(record, "trace_id", trace_id)))
    assert found.rejections == ()
    assert found.records["TraceId"].to_pylist() == [""]


def test_a_large_body_or_attribute_rejects_its_record_alone() -> None:
    def large(record: Any) -> None:
        record.body.string_value = "x" * 200_000

    def heavy(record: Any) -> None:
        record.attributes.add(key="k").value.bytes_value = b"x" * 200_000

    for change, says in ((large, "the body is 0.2 MB"), (heavy, "attribute 'k' is 0.2 MB")):
        found = records_of(body() + body(change), max_attribute_bytes=100_000)
        assert found.records.num_rows == 1
        (rejection,) = found.rejections
        assert (rejection.trace_id, rejection.span_id, rejection.service) == ("01" * 16, "02" * 8, "shop")
        assert says in rejection.reason


def test_json_says_the_same() -> None:
    def change(record: Any) -> None:
        record.event_name, record.flags = "gen_ai.choice", 1
        record.body.kvlist_value.values.add(key="index").value.int_value = 0

    sent = {
        "resourceLogs": [
            {
                "schemaUrl": "https://resource",
                "resource": {"attributes": [{"key": "service.name", "value": {"stringValue": "shop"}}]},
                "scopeLogs": [
                    {
                        "schemaUrl": "https://scope",
                        "scope": {
                            "name": "logger",
                            "version": "1.2",
                            "attributes": [{"key": "k", "value": {"intValue": "1"}}],
                        },
                        "logRecords": [
                            {
                                "traceId": "01" * 16,
                                "spanId": "02" * 8,
                                "timeUnixNano": str(START_NS),
                                "severityNumber": "SEVERITY_NUMBER_INFO",
                                "severityText": "INFO",
                                "flags": 1,
                                "eventName": "gen_ai.choice",
                                "body": {
                                    "kvlistValue": {"values": [{"key": "index", "value": {"intValue": 0}}]}
                                },
                            }
                        ],
                    }
                ],
            }
        ]
    }
    assert records_of(json.dumps(sent).encode(), JSON).records.equals(records_of(body(change)).records)


@pytest.mark.parametrize(
    ("name", "number"),
    [
        ("SEVERITY_NUMBER_TRACE", 1),
        ("SEVERITY_NUMBER_ERROR3", 19),
        ("SEVERITY_NUMBER_FATAL4", 24),
        (17, 17),
        ("17", 17),
        ("SEVERITY_NUMBER_UNSPECIFIED", 0),
        (999, 0),
        (None, 0),
    ],
)
def test_severities_come_as_names_or_numbers(name: object, number: int) -> None:
    sent = {"resourceLogs": [{"scopeLogs": [{"logRecords": [{"severityNumber": name}]}]}]}
    found = records_of(json.dumps(sent).encode(), JSON).records
    assert found["SeverityNumber"].to_pylist() == [number]
