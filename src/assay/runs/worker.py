"""The other end of `assay.runs.pool`: a process that runs one code metric, log by log.

It loads little, and nothing that a check does to it can reach the process that asked."""

from __future__ import annotations

import os
import pickle
import resource
import signal
import time
from multiprocessing.connection import Connection
from typing import Literal, NamedTuple

from assay.metrics.base import Check
from assay.records import Log, Outcome

_GRACE_S = 5.0


class Task(NamedTuple):
    """What a worker is told first: the pickled metric and its limits."""

    metric: bytes
    time_limit_s: float
    memory_mb: int | None


class Answer(NamedTuple):
    """`ready` once; then one `outcome` for each log, in order. `broken`: the metric won't load."""

    kind: Literal["ready", "outcome", "broken"]
    outcome: Outcome | None = None
    latency_ms: float = 0.0
    detail: str = ""


def work(reading: int, writing: int) -> None:
    """Serve until the other side hangs up."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.dup2(2, 1)
    with Connection(reading, writable=False) as requests, Connection(writing, readable=False) as answers:
        try:
            metric, task = _prepare(requests)
        except EOFError:
            return
        except BaseException as error:
            answers.send(Answer("broken", detail=f"{type(error).__name__}: {error}"))
            return
        answers.send(Answer("ready"))
        try:
            while True:
                logs: list[Log] = pickle.loads(requests.recv_bytes())  # noqa: S301 - from our own parent
                for log in logs:
                    answers.send(_score(metric, log, task.time_limit_s))
        except (EOFError, BrokenPipeError):
            return


def _prepare(requests: Connection) -> tuple[Check, Task]:
    task = Task(*requests.recv())
    if task.memory_mb is not None:
        most = task.memory_mb * 1024 * 1024
        resource.setrlimit(resource.RLIMIT_AS, (most, most))
    metric = pickle.loads(task.metric)  # noqa: S301 - from our own parent
    return metric, task


def _score(metric: Check, log: Log, time_limit_s: float) -> Answer:
    # The kernel ends this process if it hangs and nobody is left to end it.
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.setitimer(signal.ITIMER_REAL, time_limit_s + _GRACE_S)
    begun = time.perf_counter()
    outcome = metric.score(log)
    latency_ms = (time.perf_counter() - begun) * 1000.0
    signal.setitimer(signal.ITIMER_REAL, 0.0)
    return Answer("outcome", outcome, latency_ms)
