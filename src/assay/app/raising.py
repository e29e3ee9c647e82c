"""The team's own signals at work: functions of many logs, that may go wrong without stopping anything.

A function runs on a thread of its own, so that one that never comes back holds nobody up: a thread can't be
ended, but it can be left alone.
"""

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
from assay.store.telemetry.made import Named

_END: Final = "\x1f"
"""What ends a name: it can't stand in one."""

LIMIT_S: Final = 60.0
"""How long a function may take over a batch of some thousand logs."""

log = logging.getLogger("assay.signals")


class Raising:
    """Runs the functions, and keeps what went wrong last with each, SQL included. Thread-safe."""

    def __init__(
        self, signals: Mapping[str, BatchSignal], clock: Callable[[], datetime], *, limit_s: float = LIMIT_S
    ) -> None:
        self._signals = signals
        self._clock = clock
        self._limit_s = limit_s
        self._running: dict[str, _Call] = {}
        self._lock = threading.Lock()
        self._faults: dict[str, SignalFault] = {}

    @property
    def names(self) -> frozenset[str]:
        return frozenset(self._signals)

    def functions(self) -> dict[Unit, Callable[[pa.RecordBatch], Named]]:
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

    def _function(self, unit: Unit) -> Callable[[pa.RecordBatch], Named]:
        own = [made for made in self._signals.values() if made.signal.unit == unit]

        def names_of(batch: pa.RecordBatch) -> Named:
            raised = {made.name: self._column(made, batch) for made in own}
            silent = pa.array([""] * batch.num_rows, pa.string())
            columns: list[Any] = [silent if column is None else column for column in raised.values()]
            joined: Any = pc.binary_join_element_wise(*columns, pa.scalar(""))
            split: Any = pc.split_pattern(joined, _END)
            words = split.flatten()
            counts: Any = pc.subtract(pc.list_value_length(split), pa.scalar(1, pa.int32()))
            ends: Any = pc.cumulative_sum(counts)
            offsets = pa.concat_arrays([pa.array([0], pa.int32()), ends.cast(pa.int32())])
            names = pa.ListArray.from_arrays(offsets, words.filter(pc.not_equal(words, pa.scalar(""))))
            return Named(names, frozenset(name for name, column in raised.items() if column is None))

        return names_of

    def _column(self, made: BatchSignal, batch: pa.RecordBatch) -> pa.Array[Any] | None:
        """The name or nothing for each row; None where the function went wrong."""
        try:
            truth = self._call(made, batch)
            column: pa.Array[Any] = pc.if_else(truth, pa.scalar(made.name + _END), pa.scalar(""))
        except (Exception, SystemExit) as error:
            self.note(made.name, error, batch.num_rows)
            return None
        return column

    def _call(self, made: BatchSignal, batch: pa.RecordBatch) -> pa.BooleanArray:
        """What the function gives. Raises what it raises, and SignalLate where it does not come back."""
        with self._lock:
            before = self._running.get(made.name)
            if before is not None and before.is_alive():
                raise SignalLate("an earlier call has not come back yet: it is not called again until it has")
            self._running.pop(made.name, None)
        call = _Call(made, batch)
        call.start()
        call.join(self._limit_s)
        if call.is_alive():
            with self._lock:
                self._running[made.name] = call
            raise SignalLate(f"no answer within {self._limit_s:g} s for {batch.num_rows:,} logs")
        if call.error is not None:
            raise call.error
        assert call.found is not None
        return call.found

    def note(self, name: str, error: BaseException, logs: int) -> None:
        """Take note of what went wrong with a signal of the team's, and on how many logs."""
        detail = f"{type(error).__name__}: {error}"[:500]
        fault = SignalFault(name=name, detail=detail, logs=logs, at=self._clock())
        with self._lock:
            before = self._faults.get(name)
            self._faults[name] = fault if before is None else replace(fault, logs=before.logs + logs)
        if before is None or before.detail != detail:
            log.warning("signal %s failed on %d logs, which carry no such signal: %s", name, logs, detail)


class SignalLate(Exception):
    """A function took too long."""


class _Call(threading.Thread):
    """One call of a function."""

    def __init__(self, made: BatchSignal, batch: pa.RecordBatch) -> None:
        super().__init__(name=f"assay-signal-{made.name}", daemon=True)
        self._made = made
        self._batch = batch
        self.found: pa.BooleanArray | None = None
        self.error: BaseException | None = None

    def run(self) -> None:
        try:
            self.found = self._made.raised(self._batch)
        except (Exception, SystemExit) as error:
            self.error = error
