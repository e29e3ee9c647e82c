"""The journal: what is acknowledged stands here, synced to disk, until the store has it.

One thread writes: requests that arrive while it waits for the disk share the next sync. One reader
takes what has been written, from memory while it keeps up, from the files when it falls behind or
after a restart, and says how far the store has it (`checkpoint`)."""

from __future__ import annotations

import errno
import logging
import os
import shutil
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from assay.errors import AssayError, PayloadError, StoreError, StoreFull
from assay.ingest.bookmark import Bookmark
from assay.ingest.segment import (
    FILE_HEAD,
    Damage,
    Entry,
    Parcel,
    Position,
    SegmentReader,
    SegmentWriter,
    list_segments,
    segment_path,
)

log = logging.getLogger(__name__)

_MB = 2**20
_GROUP_BYTES = 64 * _MB
_NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
Done = Callable[[AssayError | None], None]
"""Called once, from the writing thread: with None when the parcel is on disk, else with the reason."""


class _Waiting(NamedTuple):
    parcel: Parcel
    done: Done


class Taken(NamedTuple):
    """The next entries, and up to where that is: `checkpoint` there once the store has them."""

    entries: list[Entry]
    upto: Position


class Backlog(NamedTuple):
    """What is acknowledged and not yet in the store."""

    bytes: int
    oldest_ns: int


class Journal:
    """Append-only files in `folder`; one process at a time may have them open.

    `max_waiting_bytes` bounds what is not yet applied, `memory_bytes` how much of it is also kept in
    memory, `reserve_bytes` is left free on the disk."""

    def __init__(
        self,
        folder: Path,
        *,
        max_waiting_bytes: int = 1024 * _MB,
        memory_bytes: int = 24 * _MB,
        segment_bytes: int = 64 * _MB,
        reserve_bytes: int = 0,
        open_segment: Callable[[Path, int], SegmentWriter] = SegmentWriter,
    ) -> None:
        self.folder = folder
        self.max_waiting_bytes = max_waiting_bytes
        self._memory_bytes, self._segment_bytes = memory_bytes, segment_bytes
        self._reserve_bytes = reserve_bytes
        self._open_segment = open_segment
        folder.mkdir(parents=True, exist_ok=True)
        self._bookmark = Bookmark(folder / "applied")
        self._damages: list[Damage] = []
        self._new_damages: list[tuple[Damage, bytes]] = []
        self._lock = threading.Lock()
        self._writing = threading.Lock()
        self._asked = threading.Condition(self._lock)
        self.landed = threading.Condition(self._lock)
        self._queue: list[_Waiting] = []
        self._queued_bytes = 0
        self._closed = self._stopped = False
        self._sizes: dict[int, int] = {}
        """The segments that are there, oldest first, and how many bytes of each count."""
        self._writer: SegmentWriter | None = None
        self._window: deque[Entry] = deque()
        self._window_bytes = 0
        self._spilled = False
        self._oldest_ns = 0
        self._find_segments()
        self._thread = threading.Thread(target=self._run, name="assay-journal", daemon=True)
        self._thread.start()

    # --- writing ------------------------------------------------------------------------------

    def append(self, parcel: Parcel, done: Done) -> None:
        """Queue a parcel. Raises PayloadError (503) at once where too much waits, or after `close`."""
        size = len(parcel.payload.body)
        with self._lock:
            if self._closed:
                raise PayloadError("the server is stopping: send again in a few seconds", http_status=503)
            waiting = self._unapplied() + self._queued_bytes
            if (self._queue or self.is_behind()) and waiting + size > self.max_waiting_bytes:
                raise PayloadError(
                    f"{waiting / _MB:.0f} MB wait to be stored (ingest.max_waiting_mb): "
                    "send again in a few seconds",
                    http_status=503,
                )
            self._queue.append(_Waiting(parcel, done))
            self._queued_bytes += size
            if len(self._queue) == 1:
                self._asked.notify()

    def put(self, parcel: Parcel, timeout_s: float | None = None) -> None:
        """Append, and return once it is on disk. Raises what kept it from that; TimeoutError."""
        future: Future[None] = Future()

        def done(error: AssayError | None) -> None:
            if error is None:
                future.set_result(None)
            else:
                future.set_exception(error)

        self.append(parcel, done)
        future.result(timeout_s)

    def stop_taking(self) -> None:
        """Refuse what comes from now on; what has queued is written."""
        with self._lock:
            self._closed = True
            self._asked.notify()

    def roll(self) -> None:
        """Write to a new file from here on; files that the store has whole are deleted."""
        with self._writing, self._lock:
            if self._writer is not None:
                self._writer.close()
                self._writer = None
            self._drop_applied()

    def close(self) -> None:
        """Take nothing more, write what has queued, close the files. Closing twice is harmless."""
        if self._stopped:
            return
        self.stop_taking()
        self._thread.join()
        self.roll()
        with self._lock:
            self._stopped = True
            self.landed.notify_all()
        self._bookmark.close()

    def _run(self) -> None:
        name_thread("assay-journal")
        while group := self._gather():
            problem: AssayError | None = None
            try:
                with self._writing:  # until they are kept: else `roll` would take their file for applied
                    entries = self._write(group)
                    with self._lock:
                        self._keep(entries)
            except OSError as error:
                problem = _explained(error, self.folder)
            except AssayError as error:
                problem = error
            except Exception as error:  # nothing may end this thread
                log.exception("the journal could not be written")
                problem = StoreError(
                    f"the journal could not be written ({type(error).__name__}): send again in a few seconds"
                )
            with self._lock:
                self._queued_bytes -= sum(len(waiting.parcel.payload.body) for waiting in group)
            for waiting in group:
                try:
                    waiting.done(problem)
                except Exception:  # whoever waited has gone
                    log.debug("nobody waits for this answer", exc_info=True)

    def _gather(self) -> list[_Waiting]:
        """What has queued, up to a bound; nothing when closed and empty."""
        with self._lock:
            while not self._queue and not self._closed:
                self._asked.wait()
            group, size = 0, 0
            for waiting in self._queue:
                size += len(waiting.parcel.payload.body)
                if group and size > _GROUP_BYTES:
                    break
                group += 1
            taken, self._queue = self._queue[:group], self._queue[group:]
            return taken

    def _write(self, group: Sequence[_Waiting]) -> list[Entry]:
        """The group on disk, or none of it."""
        self._check_room(sum(len(waiting.parcel.payload.body) for waiting in group))
        writer = self._current()
        before = writer.size
        pieces: list[bytes] = []
        entries: list[Entry] = []
        end = before
        for waiting in group:
            packed = writer.pack(waiting.parcel)
            pieces += packed
            end += sum(map(len, packed))
            entries.append(Entry(waiting.parcel, Position(writer.number, end), again=False))
        written = False
        try:
            writer.write(pieces)
            written = True
            writer.sync()
        except Exception as error:
            too_large = isinstance(error, OSError) and error.errno == errno.EFBIG
            self._take_back(writer, before, keep=not written and not too_large)
            raise
        return entries

    def _take_back(self, writer: SegmentWriter, size: int, *, keep: bool) -> None:
        """Nothing may stay of a write that failed. After a sync that failed, or where it can't be taken
        back, the file is not written to again (`keep`): nobody knows what the disk has of it."""
        try:
            writer.cut(size)
        except OSError:
            keep = False
        if not keep:
            with suppress(OSError):
                writer.close()
            self._writer = None
            with self._lock:
                if size <= FILE_HEAD:
                    self._drop([writer.number])

    def _current(self) -> SegmentWriter:
        """The segment to write to: a new one where there is none or it is large."""
        if self._writer is not None and self._writer.size >= self._segment_bytes:
            self._writer.close()
            self._writer = None
        if self._writer is None:
            self._number += 1
            self._writer = self._open_segment(self.folder, self._number)
            with self._lock:
                self._sizes[self._number] = self._writer.size
        return self._writer

    def _check_room(self, size: int) -> None:
        if not self._reserve_bytes:
            return
        free = shutil.disk_usage(self.folder).free
        if free - size < self._reserve_bytes:
            raise StoreFull(
                f"{free:,} bytes are free at {self.folder} and {self._reserve_bytes:,} are kept in "
                "reserve: nothing was written; make room and try again"
            )

    def _keep(self, entries: Sequence[Entry]) -> None:
        """Let the reader have them: from memory while there is room, else from the files."""
        if not self.is_behind():
            self._oldest_ns = entries[0].parcel.payload.received_ns
        self._end = entries[-1].end
        self._sizes[self._end.segment] = self._end.offset
        for entry in entries:
            size = len(entry.parcel.payload.body)
            if self._spilled or (self._window and self._window_bytes + size > self._memory_bytes):
                self._spilled = True
                break
            self._window.append(entry)
            self._window_bytes += size
        self.landed.notify_all()

    # --- reading ------------------------------------------------------------------------------

    @property
    def end(self) -> Position:
        """Behind the newest record that is on disk."""
        return self._end

    @property
    def applied(self) -> Position:
        """Up to here the store has everything."""
        return self._applied

    def is_behind(self) -> bool:
        """Whether something is on disk that the store does not have."""
        return self._applied < self._end

    @property
    def memory_bytes(self) -> int:
        """How much of the backlog is also kept in memory."""
        return self._window_bytes

    @property
    def is_closed(self) -> bool:
        return self._closed

    def backlog(self) -> Backlog:
        with self._lock:
            behind = self.is_behind()
            return Backlog(self._unapplied() if behind else 0, self._oldest_ns if behind else 0)

    def wait(self, timeout_s: float | None) -> bool:
        """Wait for something that was not taken yet; False when there is none, or after `close`."""
        until = None if timeout_s is None else time.monotonic() + timeout_s
        with self._lock:
            while self._taken >= self._end and not self._stopped:
                left = None if until is None else until - time.monotonic()
                if left is not None and left <= 0:
                    break
                self.landed.wait(left)
            return self._taken < self._end

    def take(self, max_bytes: int, max_items: int) -> Taken:
        """The next entries in order, up to these bounds (after decompression), at least one if any."""
        with self._lock:
            taken: list[Entry] = []
            size = items = 0
            while self._window:
                entry = self._window[0]
                size += max(entry.parcel.size_bytes, len(entry.parcel.payload.body))
                items += entry.parcel.items
                if taken and (size > max_bytes or items > max_items):
                    break
                taken.append(self._window.popleft())
                self._window_bytes -= len(entry.parcel.payload.body)
                self._taken = entry.end
            if taken or self._taken >= self._end:
                return Taken(taken, self._taken)
            plan = self._plan()
            end = self._end
        return self._read(plan, end, max_bytes, max_items)

    def checkpoint(self, position: Position, newest_ns: int = 0) -> None:
        """The store has everything before `position`, received until `newest_ns`: note it, and delete
        what is not needed any more."""
        self._bookmark.write(position)
        with self._lock:
            self._applied = position
            self._oldest_ns = self._window[0].parcel.payload.received_ns if self._window else newest_ns
            self._drop_applied()
            self.landed.notify_all()

    def pop_damages(self) -> list[tuple[Damage, bytes]]:
        """The damaged places that reading has met since the last call, with what stands there."""
        found, self._new_damages = self._new_damages, []
        return found

    def untaken_bytes(self) -> int:
        """How much waits to be taken."""
        with self._lock:
            if not self._spilled:
                return self._window_bytes
            return sum(stop - start for _, start, stop in self._plan())

    def rewind(self, position: Position) -> None:
        """Take again from here on (what was taken since could not be stored)."""
        with self._lock:
            self._window.clear()
            self._window_bytes = 0
            self._taken = position
            self._spilled = self._taken < self._end

    def _plan(self) -> list[tuple[int, int, int]]:
        """What to read: segment, from, to. Under the lock."""
        found = []
        for number, size in self._sizes.items():
            start = self._taken.offset if number == self._taken.segment else FILE_HEAD
            if number >= self._taken.segment and start < size:
                found.append((number, start, size))
        return found

    def _read(
        self, plan: Sequence[tuple[int, int, int]], end: Position, max_bytes: int, max_items: int
    ) -> Taken:
        taken: list[Entry] = []
        size = items = 0
        for number, start, stop in plan:
            reader = SegmentReader(self.folder, number, start, stop, number <= self._found)
            try:
                for entry in reader.entries(self._note):
                    size += max(entry.parcel.size_bytes, len(entry.parcel.payload.body))
                    items += entry.parcel.items
                    if taken and (size > max_bytes or items > max_items):
                        return self._took(taken)
                    taken.append(entry)
            finally:
                reader.close()
        return self._took(taken, end)

    def _took(self, taken: list[Entry], upto: Position | None = None) -> Taken:
        position = upto or taken[-1].end
        with self._lock:
            self._taken = position
            self._spilled = position < self._end
        return Taken(taken, position)

    def _note(self, damage: Damage) -> None:
        if damage.torn:
            log.warning(
                "the journal's segment %d ends in a record that was not acknowledged (%d bytes left out)",
                damage.segment,
                damage.stop - damage.start,
            )
        elif damage not in self._damages:
            self._damages.append(damage)
            with segment_path(self.folder, damage.segment).open("rb") as file:
                file.seek(damage.start)
                self._new_damages.append((damage, file.read(damage.stop - damage.start)))

    # --- files --------------------------------------------------------------------------------

    def _find_segments(self) -> None:
        """What an earlier process left; it is read, and never written to again."""
        numbers = list_segments(self.folder)
        self._sizes = {number: segment_path(self.folder, number).stat().st_size for number in numbers}
        self._found = numbers[-1] if numbers else 0
        self._applied = self._bookmark.read() or Position(0, 0)
        last = self._found
        self._number = max(last, self._applied.segment)
        self._end = max(self._applied, Position(last, self._sizes[last]) if last else Position(0, 0))
        self._taken = self._applied
        self._spilled = self._taken < self._end
        self._oldest_ns = time.time_ns()
        self._drop_applied()

    def _unapplied(self) -> int:
        """Bytes on disk that the store does not have; under the lock."""
        return sum(
            size - (self._applied.offset if number == self._applied.segment else 0)
            for number, size in self._sizes.items()
            if number >= self._applied.segment
        )

    def _drop_applied(self) -> None:
        """Delete the files that hold nothing more to apply and are not written to; under the lock."""
        written = self._writer.number if self._writer is not None else 0
        done = [n for n, size in self._sizes.items() if Position(n, max(size, FILE_HEAD)) <= self._applied]
        empty = [n for n, size in self._sizes.items() if size <= FILE_HEAD]
        self._drop([n for n in (*done, *empty) if n != written])

    def _drop(self, numbers: Sequence[int]) -> None:
        for number in numbers:
            with suppress(OSError):
                segment_path(self.folder, number).unlink()
            self._sizes.pop(number, None)


def name_thread(name: str) -> None:
    """Tell the system this thread's name (15 characters), so that `top -H` can show it."""
    with suppress(OSError):
        Path(f"/proc/self/task/{threading.get_native_id()}/comm").write_text(name, encoding="ascii")


def _explained(error: OSError, folder: Path) -> StoreError:
    if error.errno in _NO_ROOM:
        return StoreFull(f"the disk has no room for {folder}: nothing was written; make room and try again")
    log.error("the journal could not be written", exc_info=error)
    return StoreError(f"{folder} could not be written ({os.strerror(error.errno or 0)}): send again")
