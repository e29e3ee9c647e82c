"""OTLP: request bodies become tables in the columns of `otel_traces` and `otel_logs`."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

import pyarrow as pa
from google.protobuf.message import DecodeError

from assay.errors import PayloadError
from assay.ingest.batch import Batch
from assay.ingest.columns import LOG_SCHEMA, SPAN_SCHEMA, records_table, spans_table
from assay.ingest.inflate import Content, unpack
from assay.ingest.notation import read_json
from assay.ingest.payload import Limits, Payload
from assay.ingest.rejection import Rejection, count_of, message_of
from assay.ingest.reply import error_body, response_type
from assay.ingest.reply import success_body as _success_body
from assay.ingest.shapes import Tree
from assay.ingest.wire import read_wire


class DecodedSpans(NamedTuple):
    """`spans` in the columns of `otel_traces`, in the order of the payloads."""

    spans: pa.Table
    rejections: tuple[Rejection, ...]


class DecodedRecords(NamedTuple):
    """`records` in the columns of `otel_logs`, in the order of the payloads."""

    records: pa.Table
    rejections: tuple[Rejection, ...]


def decode_traces(payloads: Sequence[Payload], limits: Limits) -> DecodedSpans:
    """The spans of many requests as one table. A payload gives the same rows in whatever company.

    A span that can't be taken (no valid ids, an attribute over the limit) is rejected alone; one
    without a time gets that of its payload and says so in `assay.repaired`. Raises nothing: a
    payload that can't be read at all is one rejection (`outline` has told its sender)."""
    table, rejections = _decode("traces", payloads, limits)
    return DecodedSpans(table, rejections)


def decode_logs(payloads: Sequence[Payload], limits: Limits) -> DecodedRecords:
    """The log records of many requests as one table, as `decode_traces` does it."""
    table, rejections = _decode("logs", payloads, limits)
    return DecodedRecords(table, rejections)


def _decode(
    tree: Tree, payloads: Sequence[Payload], limits: Limits
) -> tuple[pa.Table, tuple[Rejection, ...]]:
    tables = [(SPAN_SCHEMA if tree == "traces" else LOG_SCHEMA).empty_table()]
    rejections: list[Rejection] = []
    for payload in payloads:
        try:
            batch = read(tree, _unpack(payload, limits), limits, payload.received_ns)
        except PayloadError as error:
            rejections.append(Rejection(reason=str(error)))
            continue
        if batch.items:
            tables.append(
                spans_table(batch.spans, batch.origins)
                if tree == "traces"
                else records_table(batch.records, batch.origins)
            )
        rejections.extend(batch.rejections.found())
    return pa.concat_tables(tables), tuple(rejections)


def _unpack(payload: Payload, limits: Limits) -> Content:
    return unpack(payload.body, payload.content_type, payload.content_encoding, limits.max_request_bytes)


def read(tree: Tree, content: Content, limits: Limits, received_ns: int, *, keep: bool = True) -> Batch:
    """One request, item by item. Raises PayloadError (400, 413)."""
    batch = Batch(limits, received_ns, keep=keep)
    try:
        (read_json if content.is_json else read_wire)(tree, content.raw, batch)
    except DecodeError:
        raise undecodable(tree, content) from None
    return batch


def undecodable(tree: Tree, content: Content) -> PayloadError:
    request = "ExportTraceServiceRequest" if tree == "traces" else "ExportLogsServiceRequest"
    return PayloadError(
        f"the body ({len(content.raw):,} bytes) is no valid OTLP protobuf: it was damaged or cut off, "
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
    batch = read(
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
