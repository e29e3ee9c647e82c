"""OTLP/HTTP: from the body of `POST /v1/traces` to a table of spans, and the answers to it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

import pyarrow as pa
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from assay.errors import PayloadError
from assay.ingest.batch import Batch, Decoded, Limits
from assay.ingest.columns import SPAN_SCHEMA
from assay.ingest.inflate import inflate
from assay.ingest.notation import read_json
from assay.ingest.payload import Payload
from assay.ingest.rejection import Rejection
from assay.ingest.wire import DecodeError, read_wire

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
PROTOBUF, JSON = "application/x-protobuf", "application/json"


class DecodedSpans(NamedTuple):
    """`spans` in the columns of `otel_traces`, in the order of the payloads."""

    spans: pa.Table
    rejections: tuple[Rejection, ...]


def decode_traces(payloads: Sequence[Payload], limits: Limits) -> DecodedSpans:
    """The spans of many requests as one table. A payload gives the same rows in whatever company.

    Raises nothing: a payload that can't be read is one rejection (`outline` tells a sender so)."""
    tables, rejections = [SPAN_SCHEMA.empty_table()], []
    for one in payloads:
        received_at = EPOCH + timedelta(microseconds=one.received_ns // 1000)
        try:
            found = decode_otlp(
                one.body, one.content_type, one.content_encoding, limits, received_at=received_at
            )
        except PayloadError as error:
            rejections.append(Rejection(reason=str(error)))
            continue
        tables.append(found.spans)
        if found.rejected:
            rejections.append(Rejection(reason="; ".join(found.reasons), count=found.rejected))
    return DecodedSpans(pa.concat_tables(tables), tuple(rejections))


def decode_otlp(
    body: bytes, content_type: str, content_encoding: str, limits: Limits, *, received_at: datetime
) -> Decoded:
    """The spans of an ExportTraceServiceRequest, in the columns of `otel_traces`.

    A span that can't be taken (no valid ids, an attribute over the limit) is rejected alone; a
    span without a start time starts at `received_at` and says so in `assay.repaired`. Raises
    PayloadError for the whole: 400 undecodable, 413 too large, 415 a type or encoding not known.
    """
    media_type = _media_type(content_type)
    if media_type not in (PROTOBUF, JSON):
        raise PayloadError(
            f"content type {content_type[:100]!r} is not supported: send {PROTOBUF} or {JSON}",
            http_status=415,
        )
    content = inflate(body, content_encoding, limits.max_request_bytes)
    batch = Batch(limits=limits, received_ns=int(received_at.timestamp() * 1_000_000) * 1000)
    if media_type == PROTOBUF:
        try:
            read_wire(content, batch)
        except DecodeError:
            raise PayloadError(
                f"the body ({len(content):,} bytes) is no valid OTLP protobuf: it was damaged or cut off, "
                "or is no ExportTraceServiceRequest"
            ) from None
    elif content.strip():
        read_json(content, batch)
    return batch.decoded()


def success_body(decoded: Decoded, content_type: str) -> bytes:
    """An ExportTraceServiceResponse; rejected spans and why are its `partial_success`."""
    message = "; ".join(decoded.reasons)
    if response_type(content_type) == JSON:
        partial = {"rejectedSpans": str(decoded.rejected), "errorMessage": message}
        return json.dumps({"partialSuccess": partial} if decoded.rejected else {}).encode()
    response = ExportTraceServiceResponse()
    if decoded.rejected:
        response.partial_success.rejected_spans = decoded.rejected
        response.partial_success.error_message = message
    body: bytes = response.SerializeToString()
    return body


def error_body(message: str, content_type: str) -> bytes:
    """A google.rpc.Status with the message, in the request's content type."""
    if response_type(content_type) == JSON:
        return json.dumps({"message": message}).encode()
    text = message.encode("utf-8", "replace")
    return b"\x12" + _varint(len(text)) + text  # Status.message is field 2; code may be left out


def response_type(content_type: str) -> str:
    """The content type of the answer: the request's; JSON where that is not known."""
    return PROTOBUF if _media_type(content_type) == PROTOBUF else JSON


def _media_type(content_type: str) -> str:
    return content_type.partition(";")[0].strip().lower()


def _varint(number: int) -> bytes:
    low = bytearray()
    while number > 0x7F:
        low.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes((*low, number))


__all__ = ["Decoded", "Limits", "decode_otlp", "error_body", "response_type", "success_body"]
