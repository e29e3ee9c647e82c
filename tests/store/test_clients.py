"""Everything that real clients said is read, in whatever order, pieces and repetition it comes."""

from __future__ import annotations

import json
import random
from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa
import pytest
from tests.store.clients import CLIENTS, RECORDS, TOKENS, Told
from tests.store.traffic import interactions

from assay.ingest.columns import LOG_SCHEMA, SPAN_SCHEMA
from assay.ingest.feedback import feedback_records
from assay.ingest.langfuse import read_scores
from assay.ingest.otlp import decode_logs, decode_traces
from assay.ingest.payload import Limits, Payload
from assay.store.telemetry.connection import Telemetry

Source = Literal["otel_traces", "otel_logs"]
SCHEMAS: Mapping[Source, pa.Schema] = {"otel_traces": SPAN_SCHEMA, "otel_logs": LOG_SCHEMA}
SAME = (
    *("output", "model", "provider", "llm_calls", "user_id", "service", "version", "environment", "errors"),
    *("input_tokens", "output_tokens", "cached_tokens", "reasoning_tokens", "context", "queries"),
)
"""What has to be as it was written down, letter by letter."""


def requests(shared: Path, client: str) -> list[tuple[Source, pa.Table]]:
    """What a client sent, request by request."""
    folder = shared / "otlp" / "raw" / client
    sent: list[tuple[Source, pa.Table]] = []
    for line in (folder / "index.jsonl").read_text("utf-8").splitlines():
        told = json.loads(line)
        body = (folder / told["file"]).read_bytes()
        if "scores" in told["path"]:
            sent.append(("otel_logs", feedback_records(read_scores(body).scores, 1)))
        elif told["path"].endswith("/logs"):
            payload = Payload(kind="logs", body=body, content_type=told["content_type"], received_ns=1)
            sent.append(("otel_logs", decode_logs([payload], Limits()).records))
        else:
            payload = Payload(kind="traces", body=body, content_type=told["content_type"], received_ns=1)
            sent.append(("otel_traces", decode_traces([payload], Limits()).spans))
    return sent


def deliver(t: Telemetry, sent: Iterable[tuple[Source, pa.Table]]) -> list[dict[str, Any]]:
    for table, rows in sent:
        t.insert(table, rows)
    return sorted(interactions(t), key=lambda row: row["started"])


def check(row: Mapping[str, Any], told: Told) -> None:
    assert {name: row[name] for name in SAME if told[name] is not None} == {
        name: told[name] for name in SAME if told[name] is not None
    }
    if told["input"] is not None:
        assert row["input"] == told["input"]
    assert row["conversation_id"] == (told["conversation_id"] or row["trace_id"])
    assert told["error"] in row["error"]
    assert bool(row["error"]) == bool(told["errors"])
    assert row["system"].startswith(told["system"])
    assert bool(row["system"]) == bool(told["system"])
    assert (row["ttft_ms"] is not None) == told["streamed"]
    if told["streamed"]:
        assert 1 < row["ttft_ms"] < 1000
    assert [(x["name"], json.loads(x["arguments"]), json.loads(x["result"])) for x in row["tools"]] == told[
        "tools"
    ]
    assert row["tool_calls"] == len(told["tools"])
    assert sorted(row["evaluations"], key=str) == sorted(told["evaluations"], key=str)
    if "attributes" in told:
        assert dict(row["attributes"]).items() >= told["attributes"].items()
    if "cost_usd" in told:
        assert [call["cost_usd"] for call in row["calls"]] == [told["cost_usd"]]
    if "embedded" in told:
        assert [(call["model"], call["input_tokens"] > 0) for call in row["calls"]] == [
            (told["embedded"], True)
        ]


@pytest.mark.shared
@pytest.mark.parametrize("client", CLIENTS)
def test_all_that_a_client_says_is_read(telemetry: Telemetry, shared: Path, client: str) -> None:
    rows = deliver(telemetry, requests(shared, client))
    assert len(rows) == len(CLIENTS[client])
    for row, told in zip(rows, CLIENTS[client], strict=True):
        check(row, told)
    assert (sum(row["input_tokens"] for row in rows), sum(row["output_tokens"] for row in rows)) == TOKENS[
        client
    ]
    assert sum(row["records"] for row in rows) == RECORDS.get(client, 0)


@pytest.mark.shared
def test_no_attribute_that_nobody_knows_is_lost(telemetry: Telemetry, shared: Path) -> None:
    sent = [rows for client in CLIENTS for table, rows in requests(shared, client) if table == "otel_traces"]
    every = pa.concat_tables(sent)
    telemetry.insert("otel_traces", every)
    kept = telemetry.query("SELECT SpanId, SpanAttributes FROM otel_traces").to_pylist()

    def by_span(rows: list[dict[str, Any]]) -> dict[str, dict[str, str]]:
        return {row["SpanId"]: dict(row["SpanAttributes"]) for row in rows}

    assert by_span(kept) == by_span(every.to_pylist())


def shuffled(chance: random.Random, shared: Path) -> list[tuple[Source, pa.Table]]:
    """All that all clients sent, in any order, some twice, cut into requests anew."""
    rows: dict[Source, list[dict[str, Any]]] = defaultdict(list)
    for client in CLIENTS:
        for table, sent in requests(shared, client):
            rows[table] += sent.to_pylist()
    batches: list[tuple[Source, pa.Table]] = []
    for table, some in rows.items():
        order = [*some, *chance.sample(some, len(some) // 4)]
        chance.shuffle(order)
        cuts = sorted(chance.sample(range(1, len(order)), chance.randint(1, 3)))
        for left, right in zip([0, *cuts], [*cuts, len(order)], strict=True):
            batches.append((table, pa.Table.from_pylist(order[left:right], schema=SCHEMAS[table])))
    chance.shuffle(batches)
    return batches


def check_orders(t: Telemetry, shared: Path, seeds: Iterable[int]) -> None:
    expected = deliver(t, (one for client in CLIENTS for one in requests(shared, client)))
    assert len(expected) == sum(len(told) for told in CLIENTS.values())
    for seed in seeds:
        for table in ("otel_traces", "otel_logs", "interactions"):
            t.command(f"TRUNCATE TABLE {table}")
        assert deliver(t, shuffled(random.Random(seed), shared)) == expected, f"seed {seed}"


@pytest.mark.shared
def test_no_order_changes_anything(telemetry: Telemetry, shared: Path) -> None:
    check_orders(telemetry, shared, range(1))


@pytest.mark.shared
@pytest.mark.slow
def test_nor_do_twenty(telemetry: Telemetry, shared: Path) -> None:
    check_orders(telemetry, shared, range(1, 21))
