"""Lists of logs in the terminal: columns, counts, and going on where a list ended."""

from __future__ import annotations

import json as decode
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.web.desk import breakdown
from tests.web.fake import ROWS

from assay.app.requests import BreakdownRequest, FiltersRequest, LogsRequest
from assay.cli import logs as module
from assay.cli.logs import logs
from assay.errors import CallerError, UnknownName
from assay.records import Breakdown, LogPage, SavedFilter


class Asked:
    """A project of which only lists are asked."""

    def __init__(self) -> None:
        self.requests: list[Any] = []

    def logs(self, request: LogsRequest) -> LogPage:
        self.requests.append(request)
        rows = (replace(ROWS[0], priority="high"), ROWS[1])
        return LogPage(unit=request.unit, filter=request.filter, total=7, rows=rows, next="5.c-2")

    def filters(self, request: FiltersRequest) -> tuple[SavedFilter, ...]:
        return (
            SavedFilter(name="slow", unit="interaction", text="latency_ms > 1", saved_at=ROWS[0].started),
        )

    def breakdown(self, request: BreakdownRequest) -> Breakdown:
        self.requests.append(request)
        return breakdown(request.unit, request.filter, 12_430)


@pytest.fixture(autouse=True)
def asked(monkeypatch: pytest.MonkeyPatch) -> Asked:
    project = Asked()

    @contextmanager
    def connect(config: Path | None, command: str) -> Iterator[Asked]:
        yield project

    monkeypatch.setattr(module, "connect", connect)
    return project


def test_columns_are_shown_under_each_log(capsys: pytest.CaptureFixture[str]) -> None:
    logs("turns > 1", column=["cost_usd", "ttft_ms", 'attr["topic"]', "cost_usd", "ended"])
    out = capsys.readouterr().out
    assert "high  3 turns  refusal, asks_for_human" in out
    assert 'cost_usd 0.0041  ttft_ms -  attr["topic"] billing<script>' in out
    assert f"ended {ROWS[1].ended.isoformat(timespec='seconds')}" in out
    assert "\x1b" not in out
    assert "next:" not in out


def test_a_column_that_there_is_not_is_refused(asked: Asked) -> None:
    with pytest.raises(UnknownName, match="did you mean `cost_usd`"):
        logs(column=["cost_us"])
    assert asked.requests == []


def test_a_list_goes_on_where_it_ended(asked: Asked, capsys: pytest.CaptureFixture[str]) -> None:
    logs(after="9.c-1", limit=2)
    assert asked.requests[0].after == "9.c-1"
    out = capsys.readouterr().out
    assert "7 conversations, older ones:" in out
    assert "next: --after 5.c-2" in out


@pytest.mark.parametrize(
    ("text", "saved", "whole"),
    [
        ("", "slow", "saved.slow"),
        ("a = 1 or b = 2", "slow", "saved.slow and (a = 1 or b = 2)"),
        ("x", "", "x"),
    ],
)
def test_a_saved_filter_is_asked_for_by_its_name(asked: Asked, text: str, saved: str, whole: str) -> None:
    logs(text, saved=saved)
    assert asked.requests[0].filter == whole
    assert asked.requests[0].unit == ("interaction" if saved else "conversation")
    logs(text, saved=saved, unit="conversation")
    assert asked.requests[1].unit == "conversation"


def test_facets_are_counted(asked: Asked, capsys: pytest.CaptureFixture[str]) -> None:
    logs("turns > 1", facets=True, unit="interaction")
    assert asked.requests == [BreakdownRequest(unit="interaction", filter="turns > 1")]
    out = capsys.readouterr().out
    assert "12,430 interactions" in out
    assert "asks_for_human    410" in out
    assert "(none)" in out
    assert "and 20 more" in out
    assert "\u202e" not in out


def test_json_is_the_whole_record(capsys: pytest.CaptureFixture[str]) -> None:
    logs("turns > 1", facets=True, json=True)
    made = decode.loads(capsys.readouterr().out)
    assert made["facets"][0]["values"][1]["choose"] == "turns > 1 and signal.asks_for_human"
    logs(json=True)
    page = decode.loads(capsys.readouterr().out)
    assert (page["next"], page["rows"][0]["priority"]) == ("5.c-2", "high")
    assert page["rows"][0]["started"] == (ROWS[0].started).isoformat().replace("+00:00", "Z")


def test_a_unit_that_there_is_not_is_refused() -> None:
    with pytest.raises(CallerError, match="--unit"):
        logs(unit="week")
