"""The team's own signals at work: functions of many logs, that may go wrong without stopping anything."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any, Final, get_args

import pyarrow as pa
import pyarrow.compute as pc

from assay.metrics.signal import BatchSignal
from assay.records import SignalFault, Unit

_END: Final = "\x1f"
"""What ends a name: it can't stand in one."""

log = logging.getLogger("assay.signals")


class Raising:
    """Runs the functions, and keeps what went wrong last with each. Thread-safe."""

    def __init__(self, signals: Mapping[str, BatchSignal], clock: Callable[[], datetime]) -> None:
        self._signals = signals
        self._clock = clock
        self._lock = threading.Lock()
        self._faults: dict[str, SignalFault] = {}

    @property
    def names(self) -> frozenset[str]:
        return frozenset(self._signals)

    def functions(self) -> dict[Unit, Callable[[pa.RecordBatch], pa.Array[Any]]]:
        """By unit, what gives for each row of a batch of facts the names that are raised; it never raises.

        Units that no signal is about are left out."""
        units = {made.signal.unit for made in self._signals.values()}
        return {unit: self._function(unit) for unit in get_args(Unit) if unit in units}

    def faults(self) -> dict[str, SignalFault]:
        """By name, what went wrong since this process began: the last time, and of how many logs in all."""
        with self._lock:
            return dict(self._faults)

    def forgive(self, name: str) -> None:
        """Forget what went wrong with that one, before it is tried again."""
        with self._lock:
            self._faults.pop(name, None)

    def _function(self, unit: Unit) -> Callable[[pa.RecordBatch], pa.Array[Any]]:
        own = [made for made in self._signals.values() if made.signal.unit == unit]

        def names_of(batch: pa.RecordBatch) -> pa.Array[Any]:
            columns: list[Any] = [self._column(made, batch) for made in own]
            joined: Any = pc.binary_join_element_wise(*columns, pa.scalar(""))
            split: Any = pc.split_pattern(joined, _END)
            words = split.flatten()
            counts: Any = pc.subtract(pc.list_value_length(split), pa.scalar(1, pa.int32()))
            ends: Any = pc.cumulative_sum(counts)
            offsets = pa.concat_arrays([pa.array([0], pa.int32()), ends.cast(pa.int32())])
            return pa.ListArray.from_arrays(offsets, words.filter(pc.not_equal(words, pa.scalar(""))))

        return names_of

    def _column(self, made: BatchSignal, batch: pa.RecordBatch) -> pa.Array[Any]:
        try:
            column: pa.Array[Any] = pc.if_else(made.raised(batch), pa.scalar(made.name + _END), pa.scalar(""))
        except (Exception, SystemExit) as error:
            self._note(made.name, error, batch.num_rows)
            return pa.array([""] * batch.num_rows, pa.string())
        return column

    def _note(self, name: str, error: BaseException, logs: int) -> None:
        detail = f"{type(error).__name__}: {error}"[:500]
        fault = SignalFault(name=name, detail=detail, logs=logs, at=self._clock())
        with self._lock:
            before = self._faults.get(name)
            self._faults[name] = fault if before is None else replace(fault, logs=before.logs + logs)
        if before is None or before.detail != detail:
            log.warning("signal %s failed on %d logs, which carry no such signal: %s", name, logs, detail)
