"""A way in that takes everything."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

from assay.errors import AssayError
from assay.records import (
    Arrival,
    Feedback,
    Received,
)


class FakeDoor:
    """Takes everything, from a thread of its own as the real one does. Set `error` to have it raise it,
    `late` to have it answer with that."""

    def __init__(self) -> None:
        self.error: Exception | None = None
        self.late: AssayError | None = None
        self.arrivals: list[Arrival] = []
        self.given: list[Feedback] = []
        self.refusals: list[tuple[int, str]] = []
        self.answered = Received(accepted=3)
        self.quick, self.started = True, False

    def start(self) -> None:
        self.started = True

    def take(self, arrival: Arrival, answer: Callable[[Received | AssayError], None]) -> None:
        if self.error is not None:
            raise self.error
        self.arrivals.append(arrival)
        threading.Thread(target=answer, args=(self.late or self.answered,)).start()

    def take_soon(self, arrival: Arrival, answer: Callable[[Received | AssayError], None]) -> bool:
        if self.quick:
            self.take(arrival, answer)
        return self.quick

    def feedback(self, given: Sequence[Feedback], transport: str, agent: str) -> None:
        if self.error is not None:
            raise self.error
        self.given.extend(given)

    def refused(self, status: int, transport: str, agent: str) -> None:
        self.refusals.append((status, transport))
