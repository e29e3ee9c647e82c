"""What an experiment asks of each server: start, take traces, answer the same questions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Final, NamedTuple, Protocol

from bench.ingest.load import Load
from bench.server import Server

PROTOBUF: Final = "application/x-protobuf"
QUESTIONS: Final = (
    "newest 100",
    "errors, last hour",
    "mean latency per day",
    "count by status per day",
    "attribute filter",
    "text search",
    "session lookup",
)


class Seen(NamedTuple):
    """What a server says it has: traces, traces that failed, and the answer of the late trace."""

    traces: int
    errors: int
    late_output: str


class System(Protocol):
    """A server under test, as its package installs it."""

    @property
    def name(self) -> str: ...

    @property
    def version(self) -> str: ...

    @property
    def traces_path(self) -> str: ...

    @property
    def headers(self) -> Mapping[str, str]: ...

    def serving(self, folder: Path) -> AbstractContextManager[Server]:
        """Serve from `folder`, where all data is, until the block ends."""

    def traces(self, port: int, load: Load) -> int:
        """How many traces can be queried: the cheapest question of all."""

    def seen(self, port: int, load: Load) -> Seen: ...

    def settled(self, port: int, load: Load) -> bool:
        """Whether it has also computed what it computes of traces later; peers compute nothing."""

    def spans(self, port: int, load: Load) -> int:
        """How many of the load's spans can be queried."""

    def trace_spans(self, port: int, trace_id: str) -> int:
        """How many spans of this trace can be asked for; 0 where it is unknown."""

    def questions(self, port: int, load: Load) -> Mapping[str, Callable[[], int]]:
        """By the names of QUESTIONS: ask it over HTTP and say how many rows were answered."""

    def clone(self, folder: Path, load: Load, times: int) -> None:
        """With the server stopped: multiply its rows by SQL, each copy as a further week before.
        Raises NotImplementedError where loading them is quicker."""


def disk_bytes(folder: Path) -> int:
    """What the files below take, as allocated."""
    return sum(path.stat().st_blocks * 512 for path in folder.rglob("*") if path.is_file())
