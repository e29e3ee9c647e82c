"""Rows as files, from the server."""

from __future__ import annotations

import csv
import io
import json
import traceback
from collections.abc import Callable
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from starlette.testclient import TestClient

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


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ("/api/export/nothing", "no rows `nothing`"),
        ("/api/export/labels?form=xls", "form='xls' is unknown"),
        ("/api/export/labels?unit=day", "unit='day' is unknown"),
        ("/api/export/labels?since=soon", "since='soon' is no ISO 8601 time"),
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
