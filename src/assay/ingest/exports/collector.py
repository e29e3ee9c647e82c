"""OTLP in files: what the Collector's file exporter writes, or bodies of requests as they were sent."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath

import msgspec
import pyarrow as pa

from assay.errors import FileError
from assay.ingest.columns import LOG_SCHEMA, SPAN_SCHEMA
from assay.ingest.options import ImportOptions
from assay.ingest.otlp import decode_logs, decode_traces
from assay.ingest.payload import Kind, Limits, Payload
from assay.ingest.plan import BYTES_AT_ONCE, Batch, Rejected
from assay.ingest.rejection import Rejection
from assay.ingest.rows import json_values, lines_of
from assay.ingest.sources import Source
from assay.records import MetricKind, Unit

_LARGEST = 2**30
_LIMITS = Limits(max_request_bytes=_LARGEST, max_spans=10**9)
_PROTOBUF, _JSON = "application/x-protobuf", "application/json"
_TRACES = (b"resourceSpans", b"resource_spans")
_LOGS = (b"resourceLogs", b"resource_logs")
_HEAD = 2_000


@dataclass(slots=True, kw_only=True)
class CollectorPlan:
    """Requests, one after another; a request counts as a row."""

    source: Source
    options: ImportOptions
    format: str = "otlp"
    unit: Unit = "interaction"
    total: int | None = None
    _metrics: int = field(default=0)

    @property
    def file(self) -> str:
        return self.source.name

    @property
    def identity(self) -> str:
        return self.source.identity

    def batches(self, after: int = 0) -> Iterator[Batch]:
        """What comes after the first `after` requests, in order."""
        waiting: list[tuple[int, Payload]] = []
        rejected: list[Rejected] = []
        size, read = 0, 0
        for number, kind, body, content_type in self._requests():
            read = number
            if number <= after:
                continue
            if kind is None:
                if b"resourceMetrics" in body[:_HEAD]:
                    self._metrics += 1
                else:
                    reason = f"{self.source.name} row {number} is no OTLP traces or logs"
                    rejected.append(Rejected(number, reason, body[:_HEAD].decode("utf-8", "replace")))
                continue
            received_ns = self.source.modified_ns or 1
            waiting.append(
                (number, Payload(kind=kind, body=body, content_type=content_type, received_ns=received_ns))
            )
            size += len(body)
            if size >= BYTES_AT_ONCE:
                yield _decoded(read, waiting, rejected)
                waiting, rejected, size = [], [], 0
        yield _decoded(read, waiting, rejected)

    def marks(self) -> Iterator[tuple[MetricKind, pa.Table]]:
        """None: what people and judges said travels as log records."""
        return iter(())

    def notes(self) -> tuple[str, ...]:
        """What people should know, once the file is read."""
        if not self._metrics:
            return ()
        return (f"{self._metrics:,} requests held metrics: assay keeps none",)

    def _requests(self) -> Iterator[tuple[int, Kind | None, bytes, str]]:
        if self.source.kind == "otlp":
            kind: Kind = "logs" if "log" in PurePosixPath(self.source.name).name.lower() else "traces"
            for number, body in enumerate(_frames(self.source), 1):
                yield number, kind, body, _PROTOBUF
        elif self.source.kind == "jsonl":
            for number, line in lines_of(self.source):
                yield number, _kind_of(line), line, _JSON
        else:
            for number, value in enumerate(json_values(self.source), 1):
                body = msgspec.json.encode(value)
                yield number, _kind_of(body), body, _JSON


def _kind_of(body: bytes) -> Kind | None:
    head = body[:_HEAD]
    if any(name in head for name in _TRACES):
        return "traces"
    return "logs" if any(name in head for name in _LOGS) else None


def _frames(source: Source) -> Iterator[bytes]:
    """One body, or the Collector's messages, each after its length (4 bytes, big-endian)."""
    with source.open() as stream:
        start = stream.read(4)
        if start[:1] != b"\0":
            yield start + stream.read(_LARGEST)
            if stream.read(1):
                raise FileError(f"{source.name} is one request of over {_LARGEST:,} bytes: split it")
            return
        while len(start) == 4:
            (length,) = struct.unpack(">I", start)
            body = stream.read(length)
            if len(body) < length:
                raise FileError(f"{source.name} ends inside a message: it was cut off")
            yield body
            start = stream.read(4)
        if start:
            raise FileError(f"{source.name} ends inside a message: it was cut off")


def _decoded(read: int, waiting: Sequence[tuple[int, Payload]], rejected: Sequence[Rejected]) -> Batch:
    traces = [one for _, one in waiting if one.kind == "traces"]
    logs = [one for _, one in waiting if one.kind == "logs"]
    first = waiting[0][0] if waiting else read
    found: list[Rejection] = []
    spans, records = SPAN_SCHEMA.empty_table(), LOG_SCHEMA.empty_table()
    if traces:
        decoded = decode_traces(traces, _LIMITS)
        spans = decoded.spans
        found += decoded.rejections
    if logs:
        told = decode_logs(logs, _LIMITS)
        records = told.records
        found += told.rejections
    left_out = [
        Rejected(first, one.reason, {"spans": one.count, "trace_id": one.trace_id, "span_id": one.span_id})
        for one in found
    ]
    return Batch(rows=read, spans=spans, records=records, rejected=(*rejected, *left_out))
