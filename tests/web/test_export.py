"""Rows as files, from the server."""

from __future__ import annotations

import asyncio
import csv
import io
import json
import random
import threading
import traceback
from collections.abc import Callable, Generator
from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from starlette.applications import Starlette
from starlette.routing import Route
from starlette.testclient import TestClient
from starlette.types import Message
from tests.web.fake import FakePages

from assay.app.requests import ExportRequest
from assay.store.telemetry.export import Exported
from assay.web.base import Site
from assay.web.charts import Charts
from assay.web.export import Exports
from assay.web.render import Renderer

ROWS = [{"kind": "labels 0", "filter": "turns > 1"}, {"kind": "labels 1", "filter": "turns > 1"}]


@pytest.mark.parametrize("form", ["parquet", "arrow", "jsonl", "csv"])
def test_rows_come_in_the_form_that_is_asked_for(client: TestClient, form: str) -> None:
    got = client.get("/api/export/labels", params={"q": "turns > 1", "form": form})
    assert got.status_code == 200
    assert got.headers["content-disposition"] == f'attachment; filename="labels.{form}"'
    content = io.BytesIO(got.content)
    read: dict[str, Callable[[], list[Any]]] = {
        "parquet": lambda: pq.read_table(content).to_pylist(),
        "arrow": lambda: pa.ipc.open_stream(content).read_all().to_pylist(),
        "jsonl": lambda: [json.loads(line) for line in got.text.splitlines()],
        "csv": lambda: list(csv.DictReader(io.StringIO(got.text))),
    }
    assert read[form]() == ROWS


def test_without_a_form_it_is_parquet(client: TestClient) -> None:
    assert pq.read_table(io.BytesIO(client.get("/api/export/labels").content)).num_rows == 2


def test_every_way_to_say_a_period_is_understood(client: TestClient, pages: FakePages) -> None:
    client.get("/api/export/labels?from=2026-11-20&to=2026-11-21")
    client.get("/api/export/labels?last=6h")
    client.get("/api/export/labels")
    days, hours, all_time = (request.range for request in pages.exported[-3:])
    assert (days.since, days.until) == (
        datetime(2026, 11, 20, tzinfo=UTC),
        datetime(2026, 11, 22, tzinfo=UTC),
    )
    assert hours.since is not None
    assert hours.until is not None
    assert hours.until - hours.since == timedelta(hours=6)
    assert (all_time.since, all_time.until) == (None, None)


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ("/api/export/nothing", "no rows `nothing`"),
        ("/api/export/labels?form=xls", "form='xls' is unknown"),
        ("/api/export/labels?unit=day", "unit='day' is unknown"),
        ("/api/export/labels?since=soon", "since='soon' is no ISO 8601 time"),
        ("/api/export/labels?last=always", "last='always' is unknown"),
    ],
)
def test_what_is_wrong_is_said_before_the_first_row(client: TestClient, asked: str, said: str) -> None:
    got = client.get(asked)
    assert got.status_code == 400
    assert said in got.json()["error"]["message"]


def test_a_reading_that_fails_half_way_cuts_the_connection(client: TestClient) -> None:
    with pytest.raises(ExceptionGroup) as broken:
        client.get("/api/export/broken", params={"form": "jsonl"})
    assert "the disk is gone" in "".join(traceback.format_exception(broken.value))


class Endless(FakePages):
    """Rows without an end; `ended` once they are let go."""

    def __init__(self) -> None:
        super().__init__()
        self.ended = threading.Event()

    def export(self, request: ExportRequest) -> Exported:
        schema = pa.schema([pa.field("text", pa.string())])

        def batches() -> Generator[pa.RecordBatch]:
            try:
                while True:
                    yield pa.RecordBatch.from_pylist([{"text": "x" * 1000}], schema=schema)
            finally:
                self.ended.set()

        return Exported(schema, batches())


class Caller:
    """Takes `most` parts of an answer; then nothing any more, or all that comes."""

    def __init__(
        self, pages: Endless, *, most: int = 2, sticks: bool = True, patience_s: float = 30.0
    ) -> None:
        site = Site(app=pages, render=Renderer("shop"), charts=Charts(), rng=random.Random(1))
        exports = Exports(site, most=1, patience_s=patience_s)
        self._web = Starlette(routes=[Route("/api/export/{kind}", exports.rows)])
        self._most, self._sticks = most, sticks
        self.stuck, self.gone = asyncio.Event(), asyncio.Event()

    async def ask(self) -> list[Message]:
        told: list[Message] = []

        async def receive() -> Message:
            await self.gone.wait()
            return {"type": "http.disconnect"}

        async def send(message: Message) -> None:
            if len(told) >= self._most:
                self.stuck.set()
                if self._sticks:
                    await asyncio.Event().wait()
            told.append(message)

        asked = {"type": "http", "method": "GET", "path": "/api/export/spans", "query_string": b"form=jsonl"}
        await self._web({**asked, "headers": [], "asgi": {"spec_version": "2.3"}}, receive, send)
        return told


def test_a_caller_who_takes_nothing_is_given_up() -> None:
    async def run() -> None:
        pages = Endless()
        caller = Caller(pages, patience_s=0.01)
        for _ in range(2):  # the place is free again
            told = await caller.ask()
            assert [one.get("more_body") for one in told] == [None, True]
            assert told[0]["status"] == 200
            assert pages.ended.is_set()
            pages.ended.clear()

    asyncio.run(asyncio.wait_for(run(), 30))


@pytest.mark.parametrize("sticks", [True, False])
def test_a_caller_who_goes_away_lets_the_store_go(sticks: bool) -> None:
    async def run() -> None:
        pages = Endless()
        caller = Caller(pages, most=9, sticks=sticks)
        asking = asyncio.create_task(caller.ask())
        await caller.stuck.wait()
        caller.gone.set()
        await asking
        assert pages.ended.is_set()

    asyncio.run(asyncio.wait_for(run(), 30))


def test_only_some_are_read_at_once() -> None:
    async def run() -> None:
        caller = Caller(Endless())
        first = asyncio.create_task(caller.ask())
        await caller.stuck.wait()
        (start, body) = await caller.ask()
        assert start["status"] == 503
        assert b"retry-after" in dict(start["headers"])
        assert b"1 exports are being read" in body["body"]
        caller.gone.set()
        await first

    asyncio.run(asyncio.wait_for(run(), 30))
