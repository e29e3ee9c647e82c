"""Group commit: requests that arrive together share one durable insert."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from threading import Condition, Thread
from typing import NamedTuple

import pyarrow as pa

from assay.errors import PayloadError, StoreFull, StoreHeld, StoreUnreachable

_PASSING = (StoreFull, StoreHeld, StoreUnreachable)
"""Reasons that have nothing to do with the rows: each member alone would fare no better."""


class _Member(NamedTuple):
    table: pa.Table
    done: Future[None]
    bytes: int


class GroupCommit:
    """A thread that inserts whatever has queued, as one table, again and again.

    `insert` must be durable when it returns: only then are futures resolved. While one insert
    runs the next group gathers, so a busy server makes few large inserts and an idle one
    answers at once. `max_rows` and `max_bytes` bound one insert, `max_waiting_bytes` what is
    decoded and not yet written. If a combined insert fails its members are tried one by one,
    so one that the store refuses takes no other down.
    """

    def __init__(
        self,
        insert: Callable[[pa.Table], None],
        *,
        max_rows: int = 100_000,
        max_bytes: int = 128 * 2**20,
        max_waiting_bytes: int = 256 * 2**20,
    ) -> None:
        self._insert = insert
        self._max_rows, self._max_bytes = max_rows, max_bytes
        self._max_waiting_bytes = max_waiting_bytes
        self._queue: deque[_Member] = deque()
        self._waiting_bytes = 0
        self._closed = False
        self._changed = Condition()
        self._thread = Thread(target=self._run, name="group-commit", daemon=True)
        self._thread.start()

    @property
    def waiting_bytes(self) -> int:
        """What is decoded and not yet durable."""
        return self._waiting_bytes

    def submit(self, table: pa.Table) -> Future[None]:
        """Queue a table; the future resolves once its rows are durable, or has why they are not.

        Raises PayloadError (503) at once where too much waits already, or after `close`.
        """
        member = _Member(table, Future(), table.nbytes)
        if not table.num_rows:
            member.done.set_result(None)
            return member.done
        with self._changed:
            if self._closed:
                raise PayloadError("the server is stopping: send again in a few seconds", http_status=503)
            if self._waiting_bytes and self._waiting_bytes + member.bytes > self._max_waiting_bytes:
                raise PayloadError(
                    f"{self._waiting_bytes / 2**20:.0f} MB of spans wait to be written "
                    "(ingest.max_waiting_mb): send again in a few seconds",
                    http_status=503,
                )
            self._waiting_bytes += member.bytes
            self._queue.append(member)
            self._changed.notify()
        return member.done

    def close(self) -> None:
        """Take nothing more, write what has queued, and return when that is done."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        self._thread.join()

    def _run(self) -> None:
        while group := self._take():
            try:
                self._commit(group)
            finally:
                with self._changed:
                    self._waiting_bytes -= sum(member.bytes for member in group)

    def _take(self) -> list[_Member]:
        """The next group in order of arrival; none when closed and empty."""
        with self._changed:
            while not self._queue and not self._closed:
                self._changed.wait()
            group: list[_Member] = []
            rows = size_bytes = 0
            while self._queue:
                rows += self._queue[0].table.num_rows
                size_bytes += self._queue[0].bytes
                if group and (rows > self._max_rows or size_bytes > self._max_bytes):
                    break
                group.append(self._queue.popleft())
            return group

    def _commit(self, group: Sequence[_Member]) -> None:
        error = self._try(group)
        if error is None or len(group) == 1 or isinstance(error, _PASSING):
            for member in group:
                _resolve(member.done, error)
            return
        for member in group:
            _resolve(member.done, self._try([member]))

    def _try(self, group: Sequence[_Member]) -> Exception | None:
        try:
            self._insert(pa.concat_tables([member.table for member in group]))
        except Exception as error:
            return error
        return None


def _resolve(done: Future[None], error: Exception | None) -> None:
    # A caller that went away has cancelled: its rows are kept all the same.
    if not done.set_running_or_notify_cancel():
        return
    if error is None:
        done.set_result(None)
    else:
        done.set_exception(error)
