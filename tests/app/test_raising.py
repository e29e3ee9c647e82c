"""Functions of a team's own raise signals, and stop nothing where they go wrong."""

from __future__ import annotations

import logging
import threading
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
    found = functions["interaction"](facts_of(ROWS)).names
    assert found.type == pa.list_(pa.string())
    assert found.to_pylist() == [["long_talk"], ["long_talk", "failed"], []]
    assert functions["conversation"](facts_of([{"cost_usd": 2}, {}])).names.to_pylist() == [["rich"], []]
    assert functions["interaction"](facts_of([])).names.to_pylist() == []


def test_a_unit_that_no_signal_is_about_is_left_out() -> None:
    assert list(raising(rich).functions()) == ["conversation"]
    assert raising().functions() == {}


def test_one_that_goes_wrong_raises_nothing_and_the_others_do(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING, "assay.signals")
    made = raising(long_talk, broken)
    names_of = made.functions()["interaction"]
    found = names_of(facts_of(ROWS))
    assert (found.names.to_pylist(), found.failed) == (
        [["long_talk"], ["long_talk"], []],
        frozenset({"broken"}),
    )
    names_of(facts_of(ROWS[:1]))
    (fault,) = made.faults().values()
    assert (fault.name, fault.detail, fault.logs, fault.at) == ("broken", "SystemExit: no network", 4, NOW)
    assert len(caplog.records) == 1  # the same again is counted, not told again
    made.forgive("broken")
    assert made.faults() == {}


def test_one_that_does_not_come_back_holds_nobody_up() -> None:
    go_on, calls = threading.Event(), []

    @assay.signal()
    def hangs(batch: pa.RecordBatch) -> object:
        calls.append(batch.num_rows)
        go_on.wait()
        return [True] * batch.num_rows

    made = Raising({"hangs": hangs, "long_talk": long_talk}, lambda: NOW, limit_s=0.2)
    names_of = made.functions()["interaction"]
    for detail in ("no answer within 0.2 s for 3 logs", "an earlier call has not come back yet"):
        found = names_of(facts_of(ROWS))
        assert (found.names.to_pylist(), found.failed) == (
            [["long_talk"], ["long_talk"], []],
            frozenset({"hangs"}),
        )
        assert detail in made.faults()["hangs"].detail
    assert calls == [3], "it is not called again while it hangs"
    go_on.set()
    for thread in threading.enumerate():
        if thread.name == "assay-signal-hangs":
            thread.join()
    found = names_of(facts_of(ROWS))
    assert (sorted(found.names[0].as_py()), found.failed) == (["hangs", "long_talk"], frozenset())
