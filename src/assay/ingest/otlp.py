"""OTLP: request bodies become tables in the columns of `otel_traces` and `otel_logs`."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

import pyarrow as pa
from google.protobuf.message import DecodeError

from assay.errors import PayloadError
from assay.ingest import columnar
from assay.ingest.batch import Batch
from assay.ingest.columns import LOG_SCHEMA, SPAN_SCHEMA, spans_table
from assay.ingest.glance import count_sound
from assay.ingest.inflate import Content, unpack
from assay.ingest.notation import read_json
from assay.ingest.payload import Limits, Payload
from assay.ingest.rejection import Rejection, count_of, message_of
from assay.ingest.reply import error_body, response_type
from assay.ingest.reply import success_body as _success_body
from assay.ingest.scan import LARGE
from assay.ingest.shapes import Tree
from assay.ingest.wire import read_wire

COLUMNS_FROM = 16_384 if columnar.is_available else 2**63
"""Bytes of requests that are read as columns together: fewer are sooner read item by item."""


class DecodedSpans(NamedTuple):
    """`spans` in the columns of `otel_traces`, in the order of the payloads."""

    spans: pa.Table
    rejections: tuple[Rejection, ...]


class DecodedRecords(NamedTuple):
    """`records` in the columns of `otel_logs`, in the order of the payloads."""

    records: pa.Table
    rejections: tuple[Rejection, ...]


def decode_traces(
    payloads: Sequence[Payload], limits: Limits, *, columns_from: int = COLUMNS_FROM
) -> DecodedSpans:
    """The spans of many requests as one table. A payload gives the same rows in whatever company.

    A span that can't be taken (no valid ids, an attribute over the limit) is rejected alone; one
    without a time gets that of its payload and says so in `assay.repaired`. Raises nothing: a
    payload that can't be read at all is one rejection (`outline` has told its sender)."""
    table, rejections = _decode("traces", payloads, limits, columns_from)
    return DecodedSpans(table, rejections)


def decode_logs(
    payloads: Sequence[Payload], limits: Limits, *, columns_from: int = COLUMNS_FROM
) -> DecodedRecords:
    """The log records of many requests as one table, as `decode_traces` does it."""
    table, rejections = _decode("logs", payloads, limits, columns_from)
    return DecodedRecords(table, rejections)


class _Decoder:
    """Collects tables and rejections. Requests that hold nothing out of the ordinary gather in a
    run and become columns together; any other is read item by item, in its place."""

    def __init__(self, tree: Tree, limits: Limits, columns_from: int) -> None:
        self.tables = [(SPAN_SCHEMA if tree == "traces" else LOG_SCHEMA).empty_table()]
        self.rejections: list[Rejection] = []
        self._tree, self._limits, self._columns_from = tree, limits, columns_from
        self._run: list[tuple[bytes, int]] = []
        self._run_bytes = 0

    def take(self, payload: Payload) -> None:
        try:
            content = unpack(
                payload.body, payload.content_type, payload.content_encoding, self._limits.max_request_bytes
            )
            if not content.is_json and (payload.is_sound or self._is_sound(content.raw)):
                if self._run_bytes + len(content.raw) > LARGE:
                    self.finish()
                self._run.append((content.raw, payload.received_ns))
                self._run_bytes += len(content.raw)
                return
            self.finish()
            self._read(content, payload.received_ns)
        except PayloadError as error:
            self.rejections.append(Rejection(reason=str(error)))

    def finish(self) -> None:
        """Read the run."""
        run, size_bytes = self._run, self._run_bytes
        self._run, self._run_bytes = [], 0
        if run and size_bytes >= self._columns_from:
            try:
                contents, received_ns = zip(*run, strict=True)
                self.tables.append(columnar.read_columns(self._tree, contents, received_ns))
                return
            except columnar.UNREADABLE:
                pass  # item by item, then
        for raw, time_ns in run:
            self._read(Content(raw, is_json=False), time_ns)

    def _is_sound(self, raw: bytes) -> bool:
        try:
            return count_sound(self._tree, raw, self._limits) is not None
        except DecodeError:
            return False

    def _read(self, content: Content, received_ns: int) -> None:
        batch = read_items(self._tree, content, self._limits, received_ns)
        self.tables.append(batch.table(self._tree))
        self.rejections.extend(batch.rejections.found())


def _decode(
    tree: Tree, payloads: Sequence[Payload], limits: Limits, columns_from: int
) -> tuple[pa.Table, tuple[Rejection, ...]]:
    decoder = _Decoder(tree, limits, columns_from)
    for payload in payloads:
        decoder.take(payload)
    decoder.finish()
    return pa.concat_tables(decoder.tables), tuple(decoder.rejections)


def read_items(tree: Tree, content: Content, limits: Limits, received_ns: int, *, keep: bool = True) -> Batch:
    """One request, item by item. Raises PayloadError (400, 413)."""
    batch = Batch(limits, received_ns, keep=keep)
    try:
        (read_json if content.is_json else read_wire)(tree, content.raw, batch)
    except DecodeError:
        raise undecodable(tree, content.raw) from None
    return batch


def undecodable(tree: Tree, content: bytes) -> PayloadError:
    request = "ExportTraceServiceRequest" if tree == "traces" else "ExportLogsServiceRequest"
    return PayloadError(
        f"the body ({len(content):,} bytes) is no valid OTLP protobuf: it was damaged or cut off, "
        f"or is no {request}"
    )


class Decoded(NamedTuple):
    spans: pa.Table
    accepted: int
    rejected: int
    reasons: tuple[str, ...]


def decode_otlp(
    body: bytes, content_type: str, content_encoding: str, limits: Limits, *, received_at: datetime
) -> Decoded:
    batch = read_items(
        "traces",
        unpack(body, content_type, content_encoding, limits.max_request_bytes),
        limits,
        int(received_at.timestamp() * 1_000_000) * 1000,
    )
    found = batch.rejections.found()
    return Decoded(
        spans_table(batch.spans, batch.origins),
        batch.items,
        count_of(found),
        (message_of(found),) if found else (),
    )


def success_body(decoded: Decoded, content_type: str) -> bytes:
    return _success_body("traces", content_type, decoded.rejected, "; ".join(decoded.reasons))


__all__ = ["Decoded", "Limits", "decode_otlp", "error_body", "response_type", "success_body"]
