"""Functions of a team's own raise signals, and stop nothing where they go wrong."""

from __future__ import annotations

import logging
from datetime import UTC, datetime

import pyarrow as pa
import pyarrow.compute as pc
import pytest

import assay
from assay.app.raising import Raising
from assay.metrics.signal import BatchSignal, facts_of

NOW = datetime(2026, 11, 2, tzinfo=UTC)


@assay.signal()
def long_talk(batch: pa.RecordBatch) -> object:
    return pc.greater(batch.column("turns"), pa.scalar(5.0))


@assay.signal()
def failed(batch: pa.RecordBatch) -> object:
    return pc.greater(batch.column("errors"), pa.scalar(0.0))


@assay.signal(unit="conversation")
def rich(batch: pa.RecordBatch) -> object:
    return pc.greater(batch.column("cost_usd"), pa.scalar(1.0))


@assay.signal()
def broken(batch: pa.RecordBatch) -> object:
    raise SystemExit("no network")


def raising(*signals: BatchSignal) -> Raising:
    return Raising({one.name: one for one in signals}, lambda: NOW)


ROWS = [{"turns": 9}, {"turns": 9, "errors": 1}, {}]


def test_each_row_gets_the_names_that_are_raised() -> None:
    functions = raising(long_talk, failed, rich).functions()
    assert list(functions) == ["interaction", "conversation"]
    found = functions["interaction"](facts_of(ROWS))
    assert found.type == pa.list_(pa.string())
    assert found.to_pylist() == [["long_talk"], ["long_talk", "failed"], []]
    assert functions["conversation"](facts_of([{"cost_usd": 2}, {}])).to_pylist() == [["rich"], []]
    assert functions["interaction"](facts_of([])).to_pylist() == []


def test_a_unit_that_no_signal_is_about_is_left_out() -> None:
    assert list(raising(rich).functions()) == ["conversation"]
    assert raising().functions() == {}


def test_one_that_goes_wrong_raises_nothing_and_the_others_do(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING, "assay.signals")
    made = raising(long_talk, broken)
    names_of = made.functions()["interaction"]
    assert names_of(facts_of(ROWS)).to_pylist() == [["long_talk"], ["long_talk"], []]
    names_of(facts_of(ROWS[:1]))
    (fault,) = made.faults().values()
    assert (fault.name, fault.detail, fault.logs, fault.at) == ("broken", "SystemExit: no network", 4, NOW)
    assert len(caplog.records) == 1  # the same again is counted, not told again
    made.forgive("broken")
    assert made.faults() == {}
