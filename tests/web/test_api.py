"""The API gives what the pages show, and operations answer line by line."""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

import httpx
import msgspec
import pytest
from starlette.testclient import TestClient
from tests.web.fake import CLOSING, HOSTILE_ID, REPORT, SCRIPT, TOKEN, FakePages

from assay.errors import FileError, ProviderError, StoreUnreachable
from assay.records import MetricReport, Progress, Report
from assay.records.page import ConversationPage, LogPage
from assay.web.serve import serve_in_thread
from assay.web.site import create_web

HEADERS = {"X-Assay-Token": TOKEN}


def lines(client: TestClient, path: str, payload: object = None) -> list[dict[str, Any]]:
    response = client.post(path, json=payload, headers=HEADERS)
    assert response.status_code == 200
    assert response.headers["content-type"] == "application/x-ndjson"
    return [json.loads(line) for line in response.text.splitlines()]


def test_records_survive_the_way_through_json(client: TestClient) -> None:
    assert msgspec.json.decode(client.get("/api/report").content, type=Report) == REPORT
    answer = client.get("/api/estimate/resolved").content
    assert msgspec.json.decode(answer, type=MetricReport) == REPORT.metrics[0]
    page = msgspec.json.decode(client.get("/api/logs?q=turns > 1&limit=2").content, type=LogPage)
    assert page.total == 12_430
    address = "/api/conversations/" + quote(HOSTILE_ID, safe="")
    conversation = msgspec.json.decode(client.get(address).content, type=ConversationPage)
    assert conversation.turns[1].turn.output == "The policy says so. " * 52_429
    assert [hour["accounting"]["lost"] for hour in client.get("/api/accounting/resolved").json()] == [0, 1]


def test_policies_and_their_books(client: TestClient) -> None:
    assert [one["name"] for one in client.get("/api/policies").json()] == ["daily", "gold", "old"]
    books = client.get("/api/accounting/policies/daily").json()
    assert (books["accounting"]["drawn"], books["accounting"]["balanced"]) == (1_204, True)
    assert [hour["accounting"]["lost"] for hour in books["hours"]] == [0, 2]
    assert [metric["metric"] for metric in books["metrics"]] == ["resolved", "valid_json", "tone"]
    assert client.get("/api/accounting/policies/nope").status_code == 404


def test_errors_are_json_with_their_place(client: TestClient, pages: FakePages) -> None:
    reply = client.get("/api/logs", params={"q": "sginal.x"})
    assert reply.status_code == 400
    assert reply.json()["error"] == {
        "type": "FilterError",
        "message": "`sginal.refusal` is no field; did you mean `signal.refusal`?",
        "exit_code": 2,
        "position": 0,
    }
    assert client.get("/api/estimate/nope").status_code == 404
    assert client.get("/api/conversations/nope").json()["error"]["type"] == "UnknownName"
    assert client.get("/api/nowhere").json()["error"]["message"] == "Not Found"
    pages.error = StoreUnreachable("no answer")
    reply = client.get("/api/report")
    assert (reply.status_code, "Retry-After" in reply.headers) == (503, True)


def test_a_filter_is_completed_where_the_cursor_stands(client: TestClient, pages: FakePages) -> None:
    (found,) = client.get("/api/complete", params={"q": "signal.ref and judged", "cursor": "10"}).json()
    assert found == {"insert": "refusal ", "start": 7, "end": 11, "kind": "signal", "meaning": SCRIPT}
    (found,) = client.get("/api/complete?q=version = &unit=interaction").json()
    assert (json.loads(found["insert"]), found["meaning"]) == (CLOSING, "interaction")
    assert client.get("/api/complete?q=nothing like it ").json() == []
    for wrong in ("cursor=-1", "cursor=1e3", "cursor=٣", "unit=talk"):
        assert client.get(f"/api/complete?q=x&{wrong}").status_code == 400


def test_an_operation_reports_progress_and_then_its_result(client: TestClient) -> None:
    assert lines(client, "/api/run/sample", {"policy": "main"}) == [
        {"progress": ["reading", 1, 2]},
        {"progress": ["reading", 2, 2]},
        {"result": {"decided": 7, "payload": {"policy": "main"}}},
    ]


@pytest.mark.parametrize(
    ("error", "fields"),
    [
        (FileError("no such column", row=3, column="text"), {"exit_code": 2, "row": 3, "column": "text"}),
        (ProviderError("429", retryable=True), {"exit_code": 4, "retryable": True}),
    ],
)
def test_an_error_on_the_way_is_the_last_line(
    client: TestClient, pages: FakePages, error: Exception, fields: dict[str, Any]
) -> None:
    pages.error = error
    last = lines(client, "/api/run/sample", {})[-1]
    assert last == {"error": {"type": type(error).__name__, "message": str(error), **fields}}


def test_an_unknown_operation_is_an_error_line(client: TestClient) -> None:
    assert lines(client, "/api/run/nope", {})[-1]["error"]["type"] == "UnknownName"


@pytest.mark.parametrize("token", [b"", b"wrong", "ünï".encode("latin-1")])
def test_without_the_token_nothing_runs(client: TestClient, token: bytes) -> None:
    reply = client.post("/api/run/sample", json={}, headers=[(b"X-Assay-Token", token)])
    assert reply.status_code == 403
    assert TOKEN not in reply.text


def test_a_project_without_a_token_runs_nothing_for_anybody(client: TestClient, pages: FakePages) -> None:
    pages.token = ""
    assert client.post("/api/run/sample", json={}, headers={"X-Assay-Token": ""}).status_code == 403


@pytest.mark.parametrize("body", [b"[1]", b"{", b"\xff", b"[" * 100_000])
def test_a_body_that_is_no_object_is_refused(client: TestClient, body: bytes) -> None:
    reply = client.post("/api/run/sample", content=body, headers=HEADERS)
    assert reply.status_code == 400
    assert "not a JSON object" in reply.json()["error"]["message"]


def test_an_operation_stops_when_its_caller_goes_away() -> None:
    stopped = threading.Event()

    class Endless(FakePages):
        def run_operation(self, name: str, payload: Mapping[str, Any], progress: Progress) -> Any:
            try:
                for done in range(100_000):
                    progress("working", done, None)
            finally:
                stopped.set()

    serving = serve_in_thread(create_web(Endless(), warm=False))
    try:
        url = f"{serving.address}/api/run/evaluate"
        with httpx.Client() as caller, caller.stream("POST", url, json={}, headers=HEADERS) as response:
            assert '"progress"' in next(response.iter_lines())
        assert stopped.wait(10)
    finally:
        serving.stop()
