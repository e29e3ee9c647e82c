"""Where the journal's rows go, and who hears of it: the telemetry store, the counts, the dead."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from uuid import uuid4

import pyarrow as pa

from assay.errors import AssayError
from assay.ingest.apply import RowKind, Rows
from assay.ingest.feedback import SCOPE
from assay.ingest.rejection import Rejection
from assay.ingest.segment import Parcel, sync_folder
from assay.ingest.tally import Sender, Tally
from assay.store.telemetry.again import insert_again
from assay.store.telemetry.connection import Telemetry
from assay.store.telemetry.intake import IntakeRow, write_intake, write_rejected
from assay.store.telemetry.spans import insert_records, insert_spans, locate_recent

log = logging.getLogger(__name__)

KEEP_S = 60.0


class StoreShelf:
    """Puts rows into the telemetry store."""

    def __init__(self, telemetry: Telemetry) -> None:
        self._telemetry = telemetry

    def put(self, kind: RowKind, rows: pa.Table) -> None:
        if kind == "spans":
            insert_spans(self._telemetry, rows)
        else:
            insert_records(self._telemetry, self._placed(rows))

    def put_again(self, kind: RowKind, rows: pa.Table) -> None:
        if kind == "spans":
            insert_again(self._telemetry, "otel_traces", rows)
        else:
            placed = self._placed(rows)
            insert_again(self._telemetry, "otel_logs", placed, None if placed is rows else rows)

    def _placed(self, records: pa.Table) -> pa.Table:
        """The records, with its trace at each feedback that names a span and no trace. Spans that came
        before it are stored by now. What names a conversation alone is linked when that settles."""
        columns = (records[name].to_pylist() for name in ("ScopeName", "TraceId", "SpanId"))
        rows = list(zip(*columns, strict=True))
        lost = {str(span) for scope, trace, span in rows if scope == SCOPE and span and not trace}
        known = locate_recent(self._telemetry, sorted(lost)) if lost else {}
        if not known:
            return records
        traces = [
            known.get(str(span), "") if scope == SCOPE and not trace else trace for scope, trace, span in rows
        ]
        place = records.column_names.index("TraceId")
        return records.set_column(place, "TraceId", pa.array(traces, pa.string()))


class News:
    """Counts what is stored and keeps the counts; puts aside what can never be stored."""

    def __init__(
        self, telemetry: Telemetry, tally: Tally, dead_folder: Path, clock: Callable[[], datetime]
    ) -> None:
        self.dead_folder = dead_folder
        self.run = uuid4().hex
        self._telemetry, self._tally, self._clock = telemetry, tally, clock
        self._kept_at = clock()

    def applied(self, parcels: Sequence[Parcel], rows: Rows) -> None:
        try:
            self._tally.stored(parcels, rows.spans, rows.records)
        except Exception:  # a count is never worth what it counts
            log.exception("what was stored could not be counted")

    def tick(self) -> None:
        if (self._clock() - self._kept_at).total_seconds() >= KEEP_S:
            self.keep_counts()

    def rejected(self, parcel: Parcel, rejections: Sequence[Rejection]) -> None:
        self._tally.rejected(_sender(parcel), rejections)

    def buried(self, name: str, content: bytes, parcel: Parcel | None, reason: str) -> None:
        """A file with what it was and one that says why; raises OSError where that can't be written."""
        self.dead_folder.mkdir(parents=True, exist_ok=True)
        stem = f"{self._clock():%Y%m%dT%H%M%S}-{uuid4().hex[:12]}-{name}"
        why = {"reason": reason, "what": name, "bytes": len(content)}
        if parcel is not None:
            why |= {
                "kind": parcel.payload.kind,
                "content_type": parcel.payload.content_type,
                "content_encoding": parcel.payload.content_encoding,
                "transport": parcel.transport,
                "user_agent": parcel.agent,
            }
        _write(self.dead_folder / f"{stem}.bin", content)
        _write(self.dead_folder / f"{stem}.json", json.dumps(why).encode())
        sync_folder(self.dead_folder)
        log.error("%s: %s; it is kept in %s", name, reason, self.dead_folder / f"{stem}.bin")
        ids: dict[str, str] = {}
        if name in ("spans", "records"):
            row = pa.ipc.open_stream(BytesIO(content)).read_all().select(["TraceId", "SpanId", "ServiceName"])
            trace_id, span_id, service = (str(row[column][0].as_py() or "") for column in row.column_names)
            ids = {"trace_id": trace_id, "span_id": span_id, "service": service}
        count = parcel.items if parcel is not None else 1
        now_ns = int(self._clock().timestamp() * 1e6) * 1000
        sender = Sender(now_ns, kind=name) if parcel is None else _sender(parcel)
        self._tally.rejected(sender, [Rejection(**ids, reason=reason, count=max(1, count))])

    def keep_counts(self) -> None:
        """Write what was counted since the last time; what can't be written now is, later."""
        self._kept_at = self._clock()
        changed = self._tally.drain()
        rows = [
            IntakeRow(datetime.fromtimestamp(60 * minute, UTC), dimension, name, *count)
            for (minute, dimension, name), count in changed.items()
        ]
        try:
            write_intake(self._telemetry, self.run, rows, self._clock())
        except (AssayError, OSError) as error:
            self._tally.restore(changed)
            log.warning("what was counted could not be kept, trying again: %s", error)
        self.keep_rejected()

    def keep_rejected(self) -> None:
        """The same for what was turned away."""
        rejected = self._tally.drain_rejected()
        try:
            write_rejected(self._telemetry, rejected)
        except (AssayError, OSError) as error:
            self._tally.restore_rejected(rejected)
            log.warning("what was turned away could not be kept, trying again: %s", error)


def _sender(parcel: Parcel) -> Sender:
    payload = parcel.payload
    return Sender(payload.received_ns, payload.kind, parcel.agent, parcel.transport)


def _write(path: Path, content: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
    except OSError:
        with suppress(OSError):
            path.unlink()
        raise
