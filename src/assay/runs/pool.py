"""Running a code metric in processes of its own, so that a check that hangs or crashes costs one
log its score and nobody anything else.

The processes are spawned, never forked: the embedded store in this process must not be copied."""

from __future__ import annotations

import json
import os
import pickle
import signal
import subprocess
import sys
import time
from collections import deque
from collections.abc import Generator, Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from multiprocessing.connection import Connection, wait
from typing import NamedTuple

from assay.errors import MetricError
from assay.metrics.base import Check
from assay.records import Failure, Log, Score
from assay.runs.fates import Result
from assay.runs.options import RunOptions
from assay.runs.worker import Answer, Task

_CHUNK = 32
_LOGS_FOR_ANOTHER = 200
_START_S = 60.0
_BOOT = (
    "import sys, json; sys.path[:] = json.loads(sys.argv[1]); "
    "from assay.runs.worker import work; work(int(sys.argv[2]), int(sys.argv[3]))"
)


class Checked(NamedTuple):
    """`error` where the result speaks against the metric: it hung, or took its process down."""

    result: Result
    error: MetricError | None = None


@dataclass(slots=True)
class _Worker:
    """A process, the logs it still owes an answer for, and when the next answer is due."""

    process: subprocess.Popen[bytes]
    requests: Connection
    answers: Connection
    due: float
    owed: deque[Log] = field(default_factory=deque)
    ready: bool = False
    alone: bool = False


def _is_late(worker: _Worker) -> bool:
    """Whether its answer is overdue, and not merely unread because this process was busy."""
    owes = bool(worker.owed) or not worker.ready
    return owes and worker.due <= time.monotonic() and not worker.answers.poll(0)


def check_all(metric: Check, logs: Iterator[Log], options: RunOptions) -> Generator[Checked, None, None]:
    """Score every log, in any order. Raises MetricError where the metric can't be loaded."""
    pool = _Pool(metric, logs, options)
    try:
        yield from pool.run()
    finally:
        pool.close()


class _Pool:
    def __init__(self, metric: Check, logs: Iterator[Log], options: RunOptions) -> None:
        self._name = metric.info.name
        self._task = Task(pickle.dumps(metric), options.time_limit_s, options.memory_mb)
        self._options = options
        self._most = options.workers or os.cpu_count() or 1
        self._logs = logs
        self._taken = 0
        self._again: deque[list[Log]] = deque()
        self._suspects: deque[Log] = deque()
        self._workers: list[_Worker] = []

    def run(self) -> Iterator[Checked]:
        self._deal()
        while self._workers:
            due = min(worker.due for worker in self._workers)
            heard = wait([w.answers for w in self._workers], timeout=max(0.0, due - time.monotonic()))
            for worker in [w for w in self._workers if w.answers in heard]:
                yield from self._hear(worker)
            for worker in [w for w in self._workers if _is_late(w)]:
                yield from self._too_late(worker)
            self._deal()

    def close(self) -> None:
        for worker in list(self._workers):
            self._end(worker)

    def _deal(self) -> None:
        """Give work to those who have none, start another while there is much, end who is idle."""
        for worker in [w for w in self._workers if w.ready and not w.owed]:
            chunk, alone = self._next_chunk()
            if not chunk:
                self._end(worker)
                continue
            self._give(worker, chunk, alone)
        busy = len(self._workers)
        if busy < min(self._most, 1 + self._taken // _LOGS_FOR_ANOTHER):
            chunk, alone = self._next_chunk()
            if chunk:
                worker = self._start()
                worker.owed, worker.alone = deque(chunk), alone

    def _next_chunk(self) -> tuple[list[Log], bool]:
        if self._suspects:
            return [self._suspects.popleft()], True
        if self._again:
            return self._again.popleft(), False
        chunk = []
        for log in self._logs:
            chunk.append(log)
            if len(chunk) == _CHUNK:
                break
        self._taken += len(chunk)
        return chunk, False

    def _start(self) -> _Worker:
        ours, theirs = os.pipe(), os.pipe()
        try:
            process = subprocess.Popen(
                [sys.executable, "-c", _BOOT, json.dumps(sys.path), str(ours[0]), str(theirs[1])],
                stdin=subprocess.DEVNULL,
                pass_fds=(ours[0], theirs[1]),
                start_new_session=True,
            )
        except OSError:
            os.close(ours[1])
            os.close(theirs[0])
            raise
        finally:
            os.close(ours[0])
            os.close(theirs[1])
        worker = _Worker(
            process=process,
            requests=Connection(ours[1], readable=False),
            answers=Connection(theirs[0], writable=False),
            due=time.monotonic() + _START_S,
        )
        self._workers.append(worker)
        with suppress(OSError):
            worker.requests.send(tuple(self._task))
        return worker

    def _give(self, worker: _Worker, chunk: list[Log], alone: bool) -> None:
        worker.owed, worker.alone = deque(chunk), alone
        worker.due = time.monotonic() + self._options.time_limit_s
        with suppress(OSError):
            worker.requests.send_bytes(pickle.dumps(chunk))

    def _hear(self, worker: _Worker) -> Iterator[Checked]:
        try:
            answer: Answer = worker.answers.recv()
        except (EOFError, OSError, pickle.UnpicklingError):
            yield from self._died(worker)
            return
        if answer.kind == "broken":
            self._end(worker)
            raise MetricError(f"metric {self._name} can't be loaded by a worker: {answer.detail}")
        if answer.kind == "ready":
            worker.ready = True
            self._give(worker, list(worker.owed), worker.alone)
            return
        worker.due = time.monotonic() + self._options.time_limit_s
        log, outcome = worker.owed.popleft(), answer.outcome
        if isinstance(outcome, (Score, Failure)):
            outcome = replace(outcome, latency_ms=answer.latency_ms)
        yield Checked(Result(log, outcome, latency_ms=answer.latency_ms))

    def _too_late(self, worker: _Worker) -> Iterator[Checked]:
        self._end(worker)
        limit_s = self._options.time_limit_s
        if not worker.ready:
            raise MetricError(f"metric {self._name} was not loaded by a worker within {_START_S:g} s")
        log = worker.owed.popleft()
        self._put_back(worker)
        failure = Failure(
            reason="timeout", detail=f"no answer within {limit_s:g} s", latency_ms=limit_s * 1000.0
        )
        yield Checked(
            Result(log, failure, latency_ms=limit_s * 1000.0),
            MetricError(f"metric {self._name} gives no answer within {limit_s:g} s, log after log"),
        )

    def _died(self, worker: _Worker) -> Iterator[Checked]:
        """The log it was at is tried again alone: it may have been somebody else's doing."""
        self._end(worker)
        status = worker.process.returncode
        how = f"signal {signal.Signals(-status).name}" if status < 0 else f"exit status {status}"
        if not worker.ready:
            raise MetricError(f"metric {self._name}: its worker ended by {how} while loading it")
        if not worker.owed:
            return
        log = worker.owed.popleft()
        self._put_back(worker)
        if not worker.alone:
            self._suspects.append(log)
            return
        yield Checked(
            Result(log, Failure(reason="worker_died", detail=f"the process ended by {how}")),
            MetricError(f"metric {self._name} ends its process by {how}, log after log"),
        )

    def _put_back(self, worker: _Worker) -> None:
        if worker.owed:
            self._again.append(list(worker.owed))

    def _end(self, worker: _Worker) -> None:
        """End the process and whatever it has started."""
        self._workers.remove(worker)
        worker.requests.close()
        worker.answers.close()
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(worker.process.pid, signal.SIGKILL)
        worker.process.wait()
