"""From the journal to the store: one thread decodes many requests as one table and inserts it.

What the store can't take just now stays in the journal; what it never takes is put aside with its
reason, alone. After a crash, or an insert that broke half-way, rows that already stand there are
left out (`Shelf.put_again`), so that nothing is lost and nothing doubled."""

from __future__ import annotations

import logging
import re
import threading
import time
import traceback
from collections.abc import Callable, Sequence
from io import BytesIO
from pathlib import Path
from typing import Literal, NamedTuple, Protocol

import pyarrow as pa

from assay.errors import AssayError, StoreError, StoreFull, StoreHeld, StoreUnreachable
from assay.ingest.journal import Journal, name_thread
from assay.ingest.otlp import decode_logs, decode_traces
from assay.ingest.payload import Kind, Limits, Payload
from assay.ingest.rejection import Rejection
from assay.ingest.segment import Entry, Parcel, Position

log = logging.getLogger(__name__)

BATCH_BYTES, BATCH_ITEMS = 24 * 2**20, 20_000
ENOUGH_BYTES = 16 * 2**20
GATHER_S, LONGEST_S, REST = 0.2, 0.8, 4.0
"""A batch waits for `GATHER_S` at least and `LONGEST_S` at most; between, until `REST` times as long
has passed as the last insert took, so that inserts take at most a fifth of one core while little comes."""
FIRST_DELAY_S, LONGEST_DELAY_S = 0.5, 10.0
DRAIN_S = 5.0
"""On the way out: what is not stored by then is stored at the next start."""
HOPELESS, PATIENCE = 8, 6
"""So many rows refused and none taken: it is the store. So many times out of memory: it is the row."""

RowKind = Literal["spans", "records"]
_PASSING = (StoreFull, StoreHeld, StoreUnreachable, OSError, MemoryError)
"""Faults that have nothing to do with the rows."""
_OF_CONTENT = frozenset(
    {6, 12, 25, 26, 27, 38, 41, 53, 69, 70, 72, 117, 125, 128, 131, 153, 190, 306, 321, 349, 376, 395, 407}
    | {427, 441, 467, 675, 676}
)
"""What the store says of values that it can't read or keep; any other word of it may be a passing fault."""
_MEMORY, _PARTS = 241, 252


class Redacts(Protocol):
    """Takes out of tables what may not be kept; doing so again changes nothing."""

    def spans(self, table: pa.Table) -> pa.Table: ...

    def records(self, table: pa.Table) -> pa.Table: ...


class Shelf(Protocol):
    """Where rows go. Both return when they are on disk, and raise StoreError."""

    def put(self, kind: RowKind, rows: pa.Table) -> None: ...

    def put_again(self, kind: RowKind, rows: pa.Table) -> None:
        """The same for rows of which some may stand there already: those are left out."""
        ...


class News(Protocol):
    """Who wants to know what was stored, and what was not."""

    def applied(self, parcels: Sequence[Parcel], rows: Rows) -> None: ...

    def tick(self) -> None:
        """Called about twice a second while there is nothing to do, and after each batch."""
        ...

    def rejected(self, parcel: Parcel, rejections: Sequence[Rejection]) -> None: ...

    def buried(self, name: str, content: bytes, parcel: Parcel | None, reason: str) -> None:
        """Keep what can never be stored, and say why."""
        ...


class Rows(NamedTuple):
    """What requests hold: tables for `otel_traces` and `otel_logs`."""

    spans: tuple[pa.Table, ...] = ()
    records: tuple[pa.Table, ...] = ()
    rejections: tuple[Rejection, ...] = ()


class _Stuck(Exception):
    """The store refuses rows, and not for what they hold, or it is not proved that it takes others."""


class _Batch:
    """What is still to do for some requests: tables to insert, and rows to put aside with the reason."""

    def __init__(self, rows: Rows) -> None:
        self.rows = rows
        self.spans, self.records = rows.spans, rows.records
        self.refused: list[tuple[RowKind, pa.Table, str]] = []

    def add(self, rows: Rows) -> None:
        self.rows = _added(self.rows, rows)
        self.spans = _joined((*self.spans, *rows.spans))
        self.records = _joined((*self.records, *rows.records))


def decode(
    payloads: Sequence[Payload], limits: Limits, redactor: Redacts | None = None, *, again: bool = False
) -> Rows:
    """The rows of many payloads. Raises what the damaged one of them raises.

    Requests as they were sent are redacted here; tables were before they were journalled, unless an
    earlier process, which perhaps did not redact, wrote them (`again`)."""
    of_kind: dict[Kind, list[Payload]] = {"traces": [], "logs": [], "spans": [], "records": []}
    for payload in payloads:
        of_kind[payload.kind].append(payload)
    rejections: tuple[Rejection, ...] = ()
    spans = [_read_arrow(payload) for payload in of_kind["spans"]]
    records = [_read_arrow(payload) for payload in of_kind["records"]]
    if redactor is not None and again:
        spans, records = [redactor.spans(one) for one in spans], [redactor.records(one) for one in records]
    if of_kind["traces"]:
        traces = decode_traces(of_kind["traces"], limits)
        spans.append(traces.spans if redactor is None else redactor.spans(traces.spans))
        rejections += traces.rejections
    if of_kind["logs"]:
        logs = decode_logs(of_kind["logs"], limits)
        records.append(logs.records if redactor is None else redactor.records(logs.records))
        rejections += logs.rejections
    return Rows(_joined(spans), _joined(records), rejections)


def _read_arrow(payload: Payload) -> pa.Table:
    return pa.ipc.open_stream(BytesIO(payload.body)).read_all()


def _joined(tables: Sequence[pa.Table]) -> tuple[pa.Table, ...]:
    """One table of each schema."""
    groups: list[list[pa.Table]] = []
    for table in tables:
        for group in groups:
            if group[0].schema.equals(table.schema):
                group.append(table)
                break
        else:
            groups.append([table])
    joined = (pa.concat_tables(group) for group in groups)
    return tuple(table for table in joined if table.num_rows)


class Applier:
    """The thread. `flush` waits for what has been acknowledged; `problem` says why that takes longer."""

    def __init__(
        self,
        journal: Journal,
        shelf: Shelf,
        news: News,
        limits: Limits,
        *,
        redactor: Redacts | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.problem = ""
        self._journal, self._shelf, self._news = journal, shelf, news
        self._limits, self._clock, self._redactor = limits, clock, redactor
        self._uncertain_bytes = 2 * BATCH_BYTES
        """Of what an earlier process left, so much may have been stored without its bookmark."""
        self._changed = threading.Condition()
        self._broken = False
        self._hurry_to = Position(0, 0)
        self._closing_at: float | None = None
        self._attempts = self._tries = 0
        self._idle_from, self._took_s = 0.0, 0.0
        self._taken_at: float | None = None
        self._thread = threading.Thread(target=self._run, name="assay-apply", daemon=True)
        self._thread.start()

    def flush(self, timeout_s: float) -> None:
        """Return once all that is acknowledged can be queried. Raises StoreError where that can't be."""
        target = self._journal.end
        until = self._clock() + timeout_s
        with self._changed:
            attempts = self._attempts
            while self._journal.applied < target:
                self._hurry_to = max(self._hurry_to, target)
                self._changed.notify_all()
                if self.problem and self._attempts > attempts + 1:
                    raise StoreError(f"what was taken in waits in the journal: {self.problem}")
                if (left := until - self._clock()) <= 0:
                    raise StoreError(
                        f"what was taken in is not in the store after {timeout_s:g} s; the journal has it"
                    )
                self._changed.wait(min(left, 0.5))

    def close(self) -> None:
        """Store what the journal holds if that can be done soon, then stop."""
        with self._changed:
            self._closing_at = self._clock()
            self._changed.notify_all()
        self._thread.join()

    def _run(self) -> None:
        name_thread("assay-apply")
        delay_s, going = FIRST_DELAY_S, True
        while going:
            try:
                going = self._turn()
                delay_s = FIRST_DELAY_S
            except Exception as error:  # nothing may end this thread
                log.error("what was taken in could not be stored (%s)", _whence(error))
                self._journal.rewind(self._journal.applied)
                self._broken = True
                self._tell(f"it could not be read or written ({type(error).__name__})")
                going, delay_s = self._pause(delay_s), min(2 * delay_s, LONGEST_DELAY_S)

    def _turn(self) -> bool:
        """Store the next batch; False when all is done or there is no more time."""
        if not self._gather():
            return False
        taken = self._journal.take(BATCH_BYTES, BATCH_ITEMS)
        began = self._taken_at = self._clock()
        for damage, content in self._journal.pop_damages():
            self._news.buried("journal", content, None, f"damaged bytes of {damage.place}")
        stored = self._apply(taken.entries, taken.upto)
        self._tick()
        name_thread("assay-apply")  # again: the embedded engine gives threads other names
        self._idle_from = self._clock()
        self._took_s = self._idle_from - began
        with self._changed:
            self._changed.notify_all()
        return stored

    def _tick(self) -> None:
        try:
            self._news.tick()
        except Exception as error:  # counts are never worth what they count
            log.error("what was counted could not be kept (%s)", _whence(error))

    def _tell(self, problem: str) -> None:
        with self._changed:
            self.problem, self._attempts = problem, self._attempts + 1
            self._changed.notify_all()

    def _gather(self) -> bool:
        """Wait until a batch is worth its insert; False when all is done or there is no more time."""
        arrived = self._taken_at  # what waits already came after that
        while not self._journal.wait(0.5 if arrived is None else 0.0):
            arrived = None
            self._tick()
            if self._closing_at is not None:
                return False
        arrived = self._clock() if arrived is None else arrived
        due = min(max(arrived + GATHER_S, self._idle_from + REST * self._took_s), arrived + LONGEST_S)
        with self._changed:
            while self._journal.applied >= self._hurry_to and self._closing_at is None:
                if (left := due - self._clock()) <= 0 or self._journal.untaken_bytes() >= ENOUGH_BYTES:
                    break
                self._changed.wait(min(left, 0.1))
            out_of_time = self._closing_at is not None and self._clock() - self._closing_at > DRAIN_S
        return not out_of_time

    def _apply(self, entries: list[Entry], upto: Position) -> bool:
        """Store a batch, however long that takes; False when the application closes before."""
        careful, delay_s = self._is_uncertain(entries) or self._broken, FIRST_DELAY_S
        parcels, again = [entry.parcel for entry in entries], any(entry.again for entry in entries)
        batch = _Batch(self._decode(parcels, again))
        self._tries = more_bytes = more_items = 0
        while True:
            self._tries += 1
            try:
                self._put(batch, careful)
                self._journal.checkpoint(upto, max((one.payload.received_ns for one in parcels), default=0))
            except (_Stuck, *_PASSING) as error:
                log.warning("what was taken in can't be stored yet, trying again: %s", error)
                self._tell(str(error))
                if not self._pause(delay_s):
                    return False
                careful, delay_s = True, min(2 * delay_s, LONGEST_DELAY_S)
                if isinstance(error, _Stuck) and more_bytes < BATCH_BYTES and more_items < BATCH_ITEMS:
                    more = self._journal.take(BATCH_BYTES // 4, BATCH_ITEMS // 4)
                    added, upto = [entry.parcel for entry in more.entries], more.upto
                    more_bytes += sum(_size(parcel) for parcel in added)
                    more_items += sum(parcel.items for parcel in added)
                    parcels = [*parcels, *added]
                    batch.add(self._decode(added, any(entry.again for entry in more.entries)))
            else:
                self.problem, self._broken = "", False
                self._news.applied(parcels, batch.rows)
                return True

    def _is_uncertain(self, entries: Sequence[Entry]) -> bool:
        """Whether an earlier process may have stored some of these."""
        found = [entry.parcel for entry in entries if entry.again]
        uncertain = bool(found) and self._uncertain_bytes > 0
        self._uncertain_bytes -= sum(_size(one) for one in found)
        return uncertain

    def _pause(self, seconds: float) -> bool:
        """Wait; False at once when the application closes."""
        with self._changed:
            return not self._changed.wait_for(lambda: self._closing_at is not None, seconds)

    def _put(self, batch: _Batch, careful: bool) -> None:
        """Store what is left of the batch. What is done stays done when something else raises."""
        while batch.spans:
            batch.refused += self._store("spans", batch.spans[0], careful)
            batch.spans = batch.spans[1:]
        while batch.records:
            batch.refused += self._store("records", batch.records[0], careful)
            batch.records = batch.records[1:]
        while batch.refused:
            kind, row, reason = batch.refused[0]
            self._news.buried(kind, _write_arrow(row), None, reason)
            del batch.refused[0]

    def _decode(self, parcels: Sequence[Parcel], again: bool) -> Rows:
        """The rows of these parcels; one that can't be read is put aside, alone."""
        if not parcels:
            return Rows()
        try:
            rows = decode([parcel.payload for parcel in parcels], self._limits, self._redactor, again=again)
        except MemoryError:
            raise
        except Exception as error:
            if len(parcels) > 1:
                half = len(parcels) // 2
                return _added(self._decode(parcels[:half], again), self._decode(parcels[half:], again))
            log.error("a request can't be decoded and is put aside (%s)", _whence(error))
            self._news.buried("request", parcels[0].payload.body, parcels[0], f"{type(error).__name__}")
            return Rows()
        if rows.rejections:
            if len(parcels) == 1:
                self._news.rejected(parcels[0], rows.rejections)
            else:
                for parcel in parcels:
                    one = decode([parcel.payload], self._limits)
                    if one.rejections:
                        self._news.rejected(parcel, one.rejections)
        return rows

    def _store(self, kind: RowKind, rows: pa.Table, careful: bool) -> list[tuple[RowKind, pa.Table, str]]:
        """Insert; where the store refuses, all but the rows that it refuses alone, which are returned."""
        try:
            (self._shelf.put_again if careful else self._shelf.put)(kind, rows)
        except _PASSING:
            raise
        except Exception as error:
            return self._sift(kind, rows, error)
        return []

    def _sift(self, kind: RowKind, rows: pa.Table, error: Exception) -> list[tuple[RowKind, pa.Table, str]]:
        """Store these rows but those that are refused alone, for what they hold. Raises _Stuck unless
        others were taken."""
        todo, stored, refused = [rows], 0, list[tuple[RowKind, pa.Table, str]]()
        while todo:
            part = todo.pop()
            try:
                if part is not rows:
                    self._shelf.put_again(kind, part)
                    stored += part.num_rows
                    continue
            except _PASSING:
                raise
            except Exception as again:
                error = again
            if not _is_of_rows(error) and not _is_of_size(error):
                raise _Stuck(_named(error))
            if part.num_rows > 1:
                half = part.num_rows // 2
                halves = [part.slice(half), part.slice(0, half)]
                todo += halves if len(refused) % 2 == 0 else halves[::-1]
                continue
            if not _is_of_rows(error) and (_code(error) != _MEMORY or self._tries < PATIENCE):
                raise _Stuck(_named(error))
            refused.append((kind, part, _named(error)))
            todo.sort(key=lambda part: part.num_rows)  # look elsewhere: its neighbours may be like it
            if not stored and len(refused) >= HOPELESS:
                break
        if not stored:
            raise _Stuck(_named(error))
        return refused


def _size(parcel: Parcel) -> int:
    return max(parcel.size_bytes, len(parcel.payload.body))


def _code(error: Exception) -> int:
    found = re.search(r"Code: (\d+)", str(error))
    return int(found[1]) if found else 0


def _is_of_rows(error: Exception) -> bool:
    """Whether it is about what the rows hold: the store says so, or they could not even be sent."""
    return _code(error) in _OF_CONTENT if isinstance(error, AssayError) else True


def _is_of_size(error: Exception) -> bool:
    """Whether fewer rows at once may be taken: memory, or days that one insert may touch."""
    return _code(error) == _MEMORY or (_code(error) == _PARTS and "partitions" in str(error))


def _named(error: Exception) -> str:
    """What the store said, without what it may have quoted from the rows."""
    text = str(error)
    code, name = re.search(r"Code: (\d+)", text), re.search(r"\(([A-Z][A-Z_]{4,})\)", text)
    said = [found[1] for found in (code, name) if found] or [type(error).__name__]
    return f"the store refuses it ({' '.join(said)})"


def _whence(error: Exception) -> str:
    """What kind of fault and where, without its text, which may quote what was sent."""
    steps = list(traceback.walk_tb(error.__traceback__))[-3:]
    places = (f"{Path(frame.f_code.co_filename).name}:{line}" for frame, line in steps)
    return f"{type(error).__name__} at {' > '.join(places)}"


def _added(one: Rows, other: Rows) -> Rows:
    return Rows(
        _joined((*one.spans, *other.spans)),
        _joined((*one.records, *other.records)),
        (*one.rejections, *other.rejections),
    )


def _write_arrow(rows: pa.Table) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, rows.schema) as writer:
        writer.write_table(rows)
    return sink.getvalue().to_pybytes()
