"""OTLP: request bodies become tables in the columns of `otel_traces` and `otel_logs`."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import NamedTuple

import pyarrow as pa
from google.protobuf.message import DecodeError

from assay.errors import PayloadError
from assay.ingest import columnar
from assay.ingest.batch import Batch
from assay.ingest.columns import LOG_SCHEMA, SPAN_SCHEMA
from assay.ingest.glance import count_sound
from assay.ingest.inflate import Content, unpack
from assay.ingest.notation import read_json
from assay.ingest.payload import Limits, Payload
from assay.ingest.rejection import Rejection
from assay.ingest.scan import cut
from assay.ingest.shapes import Tree
from assay.ingest.wire import read_wire

log = logging.getLogger(__name__)

COLUMNS_FROM = 131_072 if columnar.is_available else 2**63
"""Bytes of requests that are read as columns together: fewer are sooner read item by item."""
_RUN_BYTES = 6 * 2**20
"""So many at most: values of two bytes become columns of fifty."""


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
        self._tree, self._limits, self._columns_from = tree, limits, columns_from
        self._tables: list[pa.Table] = []
        self._rejections: list[Rejection] = []
        self._run: list[tuple[bytes, int]] = []
        self._run_bytes = 0
        self._batch = Batch(limits)

    def take(self, payload: Payload) -> None:
        try:
            content = unpack(
                payload.body, payload.content_type, payload.content_encoding, self._limits.max_request_bytes
            )
            if not content.is_json and (payload.is_sound or self._is_sound(content.raw)):
                for piece in cut(self._tree, content.raw, self._limits):
                    if self._run_bytes + len(piece) > _RUN_BYTES:
                        self._finish_run()
                    self._run.append((piece, payload.received_ns))
                    self._run_bytes += len(piece)
            else:
                self._finish_run()
                read_items(self._tree, content, self._batch, payload.received_ns)
                self._rejections += self._batch.rejections.taken()
        except PayloadError as error:
            self._rejections.append(Rejection(reason=str(error)))

    def finish(self) -> tuple[pa.Table, tuple[Rejection, ...]]:
        self._finish_run()
        self._finish_batch()
        empty = SPAN_SCHEMA if self._tree == "traces" else LOG_SCHEMA
        return pa.concat_tables(self._tables or [empty.empty_table()]), tuple(self._rejections)

    def _finish_run(self) -> None:
        run, size_bytes = self._run, self._run_bytes
        self._run, self._run_bytes = [], 0
        if run and size_bytes >= self._columns_from:
            try:
                contents, received_ns = zip(*run, strict=True)
                table = columnar.read_columns(self._tree, contents, received_ns)
            except columnar.UNREADABLE as error:
                log.debug("requests are read item by item: %r", error)
            else:
                self._finish_batch()
                self._tables.append(table)
                return
        for raw, time_ns in run:
            read_items(self._tree, Content(raw, is_json=False), self._batch, time_ns)

    def _finish_batch(self) -> None:
        if self._batch.items:
            self._tables.append(self._batch.table(self._tree))
        self._batch = Batch(self._limits)

    def _is_sound(self, raw: bytes) -> bool:
        try:
            return count_sound(self._tree, raw, self._limits) is not None
        except DecodeError:
            return False


def _decode(
    tree: Tree, payloads: Sequence[Payload], limits: Limits, columns_from: int
) -> tuple[pa.Table, tuple[Rejection, ...]]:
    decoder = _Decoder(tree, limits, columns_from)
    for payload in payloads:
        decoder.take(payload)
    return decoder.finish()


def read_items(tree: Tree, content: Content, batch: Batch, received_ns: int) -> None:
    """Read one request into the batch, item by item. Raises PayloadError (400, 413)."""
    batch.received_ns = received_ns
    try:
        (read_json if content.is_json else read_wire)(tree, content.raw, batch)
    except DecodeError:
        raise undecodable(tree, content.raw) from None


def undecodable(tree: Tree, content: bytes) -> PayloadError:
    request = "ExportTraceServiceRequest" if tree == "traces" else "ExportLogsServiceRequest"
    return PayloadError(
        f"the body ({len(content):,} bytes) is no valid OTLP protobuf: it was damaged or cut off, "
        f"or is no {request}"
    )
