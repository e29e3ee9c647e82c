"""What OTLP senders are answered: what was taken, what was not, and whether to send again."""

from __future__ import annotations

import json

from assay.ingest.inflate import media_type
from assay.records import ArrivalKind

PROTOBUF, JSON = "application/x-protobuf", "application/json"
_REJECTED = {"traces": "rejectedSpans", "logs": "rejectedLogRecords", "metrics": "rejectedDataPoints"}
CODES = {400: 3, 408: 4, 413: 8, 415: 3, 429: 8, 503: 14, 500: 13}
"""The gRPC code of an HTTP status: INVALID_ARGUMENT, DEADLINE_EXCEEDED, RESOURCE_EXHAUSTED, UNAVAILABLE,
INTERNAL."""


def success_body(kind: ArrivalKind, content_type: str, rejected: int = 0, message: str = "") -> bytes:
    """The Export...ServiceResponse of that kind of request; it is empty where all was taken."""
    if response_type(content_type) == JSON:
        partial = {_REJECTED[kind]: str(rejected), "errorMessage": message}
        return json.dumps({"partialSuccess": partial} if rejected else {}).encode()
    if not rejected:
        return b""
    partial_success = b"\x08" + varint(rejected) + _text(b"\x12", message)
    return b"\x0a" + varint(len(partial_success)) + partial_success


def error_body(message: str, content_type: str, http_status: int = 400) -> bytes:
    """A google.rpc.Status in the request's content type."""
    code = CODES.get(http_status, 2)
    if response_type(content_type) == JSON:
        return json.dumps({"code": code, "message": message}).encode()
    return b"\x08" + varint(code) + _text(b"\x12", message)


def retry_status(message: str, http_status: int, after_s: int) -> bytes:
    """A google.rpc.Status with RetryInfo, as gRPC carries it."""
    seconds = b"\x08" + varint(after_s)
    info = b"\x0a" + varint(len(seconds)) + seconds
    detail = _text(b"\x0a", "type.googleapis.com/google.rpc.RetryInfo") + b"\x12" + varint(len(info)) + info
    return error_body(message, PROTOBUF, http_status) + b"\x1a" + varint(len(detail)) + detail


def response_type(content_type: str) -> str:
    """The content type of the answer: the request's; JSON where that is not known."""
    return PROTOBUF if media_type(content_type) == PROTOBUF else JSON


def _text(tag: bytes, text: str) -> bytes:
    raw = text.encode("utf-8", "replace")
    return tag + varint(len(raw)) + raw


def varint(number: int) -> bytes:
    low = bytearray()
    while number > 0x7F:
        low.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes((*low, number))
