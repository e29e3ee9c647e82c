"""Logs picked by hand: put beside those drawn for people, labelled, and in no estimate."""

from __future__ import annotations

from io import BytesIO
from urllib.parse import parse_qs

import httpx
import pyarrow as pa
import pytest
from tests.app.conftest import NOW, Open
from tests.app.test_application import settled

from assay.app.application import Application
from assay.app.picks import MOST
from assay.app.requests import (
    EstimateRequest,
    ExportRequest,
    ForgetRequest,
    Mark,
    PickRequest,
    PicksRequest,
    RecordRequest,
    SampleRequest,
    TodoRequest,
)
from assay.app.served import read_served
from assay.errors import CallerError

METRICS = """
from assay import metric

@metric(unit="conversation")
def short(log):
    return len(log.output) < 100
"""
NOBODY = "[policies.daily]\nrate = 0.0001\nlabel_rate = 0.0001\n"


def ids_of(numbers: range) -> tuple[str, ...]:
    return tuple(f"{number:032x}" for number in numbers)


def test_settled_logs_are_picked_once_and_given_up(open_project: Open) -> None:
    project = open_project()
    settled(project, 3)
    ids = ids_of(range(1, 6))
    done = project.pick(PickRequest(log_ids=ids, note="look"))
    assert (done.changed, done.unknown, done.waiting) == (3, 2, 3)
    assert project.pick(PickRequest(log_ids=ids[:1])).changed == 0
    assert [one.log_id for one in project.picks(PicksRequest())] == list(ids[:3])
    assert project.picks(PicksRequest())[0].picked_at == NOW
    assert project.explore("conversation", "").picked == frozenset(ids[:3])
    gone = project.pick(PickRequest(log_ids=ids, remove=True))
    assert (gone.changed, gone.unknown, gone.waiting) == (3, 0, 0)


def test_too_many_at_once_are_refused(open_project: Open) -> None:
    with pytest.raises(CallerError, match="10,000 at a time"):
        open_project().pick(PickRequest(log_ids=tuple(map(str, range(MOST + 1)))))


def test_a_note_is_short(open_project: Open) -> None:
    with pytest.raises(CallerError, match="the note has 2,001 characters"):
        open_project().pick(PickRequest(log_ids=("a",), note="x" * 2_001))


def test_picked_logs_are_labelled_and_carry_no_estimate(open_project: Open) -> None:
    project = open_project(METRICS, NOBODY)
    settled(project, 20)
    project.sample(SampleRequest())
    assert project.todo(TodoRequest(metric="short")).items == ()
    ids = ids_of(range(3, 7))
    project.pick(PickRequest(log_ids=ids))
    work = project.todo(TodoRequest(metric="short", picked=True))
    assert {item.log_id for item in work.items} == set(ids)
    assert all(item.transcript for item in work.items)
    marks = tuple(Mark(log_id=log_id, value=0.0, rater="ana") for log_id in ids[:3])
    written = project.record(RecordRequest(metric="short", kind="human", marks=marks))
    assert (written.rows, written.outside_sample) == (3, 3)
    left = project.todo(TodoRequest(metric="short", picked=True))
    assert [item.log_id for item in left.items] == [ids[3]]
    estimate = project.estimate(EstimateRequest(metric="short"))
    assert estimate.n_labelled == 0


def test_what_is_forgotten_is_no_longer_picked(open_project: Open) -> None:
    project = open_project()
    settled(project, 3)
    ids = ids_of(range(1, 4))
    project.pick(PickRequest(log_ids=ids))
    project.forget(ForgetRequest(conversation=ids[1]))
    assert {one.log_id for one in project.picks(PicksRequest())} == {ids[0], ids[2]}


@pytest.mark.parametrize("text", ["", "turns > 0"])
def test_named_logs_are_exported_alone(open_project: Open, text: str) -> None:
    project = open_project()
    settled(project, 6)
    ids = ids_of(range(2, 5))
    rows = export_ids(project, ExportRequest(kind="conversations", filter=text, log_ids=ids))
    assert sorted(rows) == sorted(ids)
    none = ExportRequest(kind="conversations", filter="turns > 99", log_ids=ids)
    assert export_ids(project, none) == []


def export_ids(project: Application, request: ExportRequest) -> list[str]:
    exported = project.export(request)
    return [row["id"] for batch in exported.batches for row in batch.to_pylist()]


def test_named_logs_are_exported_by_a_server_too() -> None:
    asked: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        return httpx.Response(200, content=sink.getvalue())

    sink = BytesIO()
    with pa.ipc.new_stream(sink, pa.schema([pa.field("id", pa.string())])) as stream:
        stream.write_batch(pa.RecordBatch.from_pylist([{"id": "a&b"}]))
    http = httpx.Client(transport=httpx.MockTransport(answer), base_url="http://localhost")
    request = ExportRequest(kind="conversations", filter="turns > 0", log_ids=("a&b", "ü"))
    exported = read_served(http, request, lambda response: CallerError(response.text))
    assert [row["id"] for batch in exported.batches for row in batch.to_pylist()] == ["a&b"]
    assert asked[0].method == "POST"
    assert parse_qs(asked[0].content.decode()) == {"id": ["a&b", "ü"]}
    assert asked[0].url.params["q"] == "turns > 0"
