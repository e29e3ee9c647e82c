"""The way in: what arrives is checked, written to the journal, acknowledged, and then stored."""

from __future__ import annotations

import fcntl
import logging
import threading
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import IO, Literal

import pyarrow as pa

from assay.app.hold import journal_folder
from assay.app.parts import Parts
from assay.app.shelf import News, StoreShelf
from assay.errors import AssayError, PayloadError, StoreError, StoreHeld
from assay.ingest.apply import Applier, Redacts, RowKind
from assay.ingest.feedback import feedback_records
from assay.ingest.journal import Backlog, Journal
from assay.ingest.metrics import count_metrics
from assay.ingest.otlp import decode_logs, decode_traces
from assay.ingest.outline import Outline, outline, outline_soon
from assay.ingest.payload import Limits, Payload
from assay.ingest.rejection import count_of, message_of
from assay.ingest.segment import Parcel, list_segments
from assay.ingest.tally import Sender, Tally
from assay.records import Arrival, Feedback, Received
from assay.store.telemetry.connection import Telemetry

log = logging.getLogger(__name__)

MB = 2**20
ARROW = "application/vnd.apache.arrow.stream"
Answer = Callable[[Received | AssayError], None]
"""Called once, from another thread: what was taken is on disk, or why it is not."""


class Door:
    """One project's. The journal is opened, and what it holds is stored, at `start` or when first needed."""

    def __init__(
        self,
        telemetry: Telemetry,
        folder: Path,
        limits: Limits,
        *,
        clock: Callable[[], datetime],
        max_waiting_bytes: int,
        redactor: Redacts | None = None,
        patience_s: float = 60.0,
        metrics: Collection[str] = (),
    ) -> None:
        self.folder, self.max_waiting_bytes = folder, max_waiting_bytes
        self.tally = Tally(clock)
        self._telemetry, self._limits = telemetry, limits
        self._clock, self._redactor, self._patience_s = clock, redactor, patience_s
        self._metrics = metrics
        self._news = News(telemetry, self.tally, folder / "dead", clock)
        self._lock = threading.Lock()
        self._journal: Journal | None = None
        self._applier: Applier | None = None
        self._held: IO[bytes] | None = None
        self._closed = False

    # --- taking -------------------------------------------------------------------------------

    def take_soon(self, arrival: Arrival, answer: Answer) -> bool:
        """`take` it, if that is done within some milliseconds; False where it was left alone."""
        if self._redactor is not None or self._journal is None or arrival.kind == "metrics":
            return False
        payload = self._payload(arrival, arrival.kind)
        found = outline_soon(payload, self._limits)
        if found is not None:
            self._write(payload, found, arrival, answer)
        return found is not None

    def take(self, arrival: Arrival, answer: Answer) -> None:
        """Check an OTLP request and have it written; `answer` is called once it is on disk.

        Raises PayloadError (400, 413, 415, 503) and StoreError at once, then `answer` is not called."""
        if arrival.kind == "metrics":
            points = count_metrics(arrival.body, arrival.content_type, arrival.content_encoding, self._limits)
            self.tally.dropped("metrics")
            answer(Received(accepted=0, rejected=points, reasons=("metrics are not kept",)))
            return
        payload = self._payload(arrival, arrival.kind)
        self._write(payload, outline(payload, self._limits), arrival, answer)

    def _payload(self, arrival: Arrival, kind: Literal["traces", "logs"]) -> Payload:
        return Payload(
            kind=kind,
            body=arrival.body,
            content_type=arrival.content_type,
            content_encoding=arrival.content_encoding,
            received_ns=self._now_ns(),
        )

    def _write(self, payload: Payload, found: Outline, arrival: Arrival, answer: Answer) -> None:
        if found.is_sound:
            payload = replace(payload, is_sound=True)
        parcel = self._parcel(payload, found, arrival)
        rejected = count_of(found.rejections)
        received = Received(
            accepted=found.items,
            rejected=rejected,
            reasons=(message_of(found.rejections),) if rejected else (),
        )

        def written(error: AssayError | None) -> None:
            if error is None:
                self.tally.arrived(parcel)
            answer(error or received)

        self._opened().append(parcel, written)

    def receive(self, arrival: Arrival) -> Received:
        """The same, returning once the request is on disk."""
        done = threading.Event()
        told: list[Received | AssayError] = []

        def answer(given: Received | AssayError) -> None:
            told.append(given)
            done.set()

        self.take(arrival, answer)
        if not done.wait(self._patience_s):
            raise StoreError(
                f"the spans were not on disk after {self._patience_s:g} s: send them again (that is "
                "harmless, should they be written yet)"
            )
        if isinstance(told[0], AssayError):
            raise told[0]
        return told[0]

    def put(self, kind: RowKind, table: pa.Table, transport: str, agent: str = "") -> None:
        """Rows in the store's own columns; on disk when this returns."""
        if self._redactor is not None:
            table = self._redactor.spans(table) if kind == "spans" else self._redactor.records(table)
        payload = Payload(kind=kind, body=_stream(table), content_type=ARROW, received_ns=self._now_ns())
        parcel = Parcel(
            payload=payload,
            transport=transport,
            agent=agent,
            items=table.num_rows,
            size_bytes=len(payload.body),
        )
        self._opened().put(parcel, self._patience_s)
        self.tally.arrived(parcel)

    def feedback(self, given: Sequence[Feedback], transport: str, agent: str = "") -> None:
        """Feedback and scores; on disk when this returns. What people say under a metric's name is a review,
        whoever sends it: reviewers see what was drawn, so no policy may go by that."""
        told = [replace(one, source="annotator") if self._reviews(one) else one for one in given]
        self.put("records", feedback_records(told, self._now_ns()), transport, agent)

    def _reviews(self, one: Feedback) -> bool:
        return one.source == "human" and one.name in self._metrics

    def refused(self, status: int, transport: str, agent: str) -> None:
        """Count a request that was answered with an error."""
        self.tally.refused(status, transport, agent)

    # --- storing ------------------------------------------------------------------------------

    def start(self) -> None:
        """Open the journal; what an earlier process left there is stored in the background."""
        self._opened()

    def flush(self, timeout_s: float = 60.0) -> None:
        """Return once all that was acknowledged can be queried. Raises StoreError where that can't be."""
        if self._applier is None and (self._closed or not list_segments(self.folder)):
            return
        self._opened()
        assert self._applier is not None
        self._applier.flush(timeout_s)

    def drain(self, timeout_s: float = 60.0) -> None:
        """`flush`, after which the journal's files hold nothing of it any more."""
        self.flush(timeout_s)
        if self._journal is not None:
            self._journal.roll()

    def keep_rejected(self) -> None:
        """Write to the store what was turned away."""
        self._news.keep_rejected()

    def lag_ms(self) -> tuple[float | None, float | None]:
        """The median and the 99th percentile of the time from the answer to the store, lately."""
        return self.tally.lag_ms(0.5), self.tally.lag_ms(0.99)

    @property
    def run(self) -> str:
        """This process's name in what is counted."""
        return self._news.run

    def backlog(self) -> Backlog:
        return self._journal.backlog() if self._journal is not None else Backlog(0, 0)

    @property
    def problem(self) -> str:
        """Why nothing can be stored just now; empty where all is well."""
        return self._applier.problem if self._applier is not None else ""

    @property
    def dead_folder(self) -> Path:
        return self._news.dead_folder

    def close(self) -> None:
        """Take nothing more; store what the journal holds if that can be done soon."""
        with self._lock:
            self._closed = True
        if self._journal is not None and self._applier is not None:
            self._journal.stop_taking()
            self._applier.close()
            self._journal.close()
        if self._held is not None:
            self._held.close()
        self._news.keep_counts()

    def _now_ns(self) -> int:
        return int(self._clock().timestamp() * 1_000_000) * 1000

    def _opened(self) -> Journal:
        if self._journal is None or self._closed:
            with self._lock:
                if self._closed:
                    raise PayloadError("the server is stopping: send again in a few seconds", http_status=503)
                if self._journal is None:
                    self._held = hold_folder(self.folder)
                    journal = Journal(
                        self.folder,
                        max_waiting_bytes=self.max_waiting_bytes,
                        reserve_bytes=self._telemetry.reserve_bytes,
                    )
                    shelf = StoreShelf(self._telemetry)
                    self._applier = Applier(journal, shelf, self._news, self._limits, redactor=self._redactor)
                    self._journal = journal
        return self._journal

    def _parcel(self, payload: Payload, found: Outline, arrival: Arrival) -> Parcel:
        """What goes to the journal: the body as it came, or without what may not be kept."""
        size = len(payload.body)
        if self._redactor is not None:
            traces = payload.kind == "traces"
            if traces:
                table = self._redactor.spans(decode_traces([payload], self._limits).spans)
            else:
                table = self._redactor.records(decode_logs([payload], self._limits).records)
            body = _stream(table)
            size = len(body)
            payload = Payload(
                kind="spans" if traces else "records",
                body=body,
                content_type=ARROW,
                received_ns=payload.received_ns,
            )
            sender = Sender(payload.received_ns, arrival.kind, arrival.agent, arrival.transport)
            self.tally.rejected(sender, found.rejections)
        return Parcel(
            payload=payload,
            transport=arrival.transport,
            agent=arrival.agent,
            items=found.items,
            size_bytes=max(size, found.size_bytes),
        )


def hold_folder(folder: Path, wait_s: float = 30.0) -> IO[bytes]:
    """Have the journal for this process alone, until what is returned is closed.

    Raises StoreHeld where another process has it: two commands beside each other on a server's store."""
    folder.mkdir(parents=True, exist_ok=True)
    lock = (folder / "lock").open("ab")
    until = time.monotonic() + wait_s
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() < until:
                time.sleep(0.1)
                continue
            lock.close()
            raise StoreHeld(f"another process writes to {folder}; run this again when it has ended") from None
        return lock


def _stream(table: pa.Table) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return sink.getvalue().to_pybytes()


def open_door(parts: Parts, folder: Path | None = None) -> Door:
    """The project's door. Its journal stands beside an embedded store, else in the project's folder."""
    settings = parts.settings.ingest
    limits = Limits(
        max_request_bytes=int(settings.max_request_mb * MB),
        max_attribute_bytes=int(settings.max_attribute_mb * MB),
    )
    return Door(
        parts.telemetry,
        folder or journal_folder(parts.settings.folder, parts.telemetry.path),
        limits,
        clock=parts.clock,
        max_waiting_bytes=int(settings.max_waiting_mb * MB),
        redactor=parts.redactor,
        metrics={*parts.metrics, *parts.declared},
    )
