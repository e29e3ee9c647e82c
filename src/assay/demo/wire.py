"""The few pieces of OTLP's protobuf encoding that the simulator needs, written directly.

Building messages object by object costs several times as much; tests compare with the official
library. Field numbers: opentelemetry-proto `trace/v1` and `common/v1`."""

from __future__ import annotations

import struct
from collections.abc import Iterable

INTERNAL, SERVER, CLIENT = 1, 2, 3
ERROR = 2

_DOUBLE = struct.Struct("<d").pack
_FIXED64 = struct.Struct("<Q").pack


def _encode_varint(number: int) -> bytes:
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


_SHORT = tuple(_encode_varint(n) for n in range(1 << 14))


def varint(number: int) -> bytes:
    """A non-negative whole number, seven bits a byte."""
    return _SHORT[number] if number < 1 << 14 else _encode_varint(number)


def field(tag: bytes, content: bytes) -> bytes:
    """A length-delimited field; `tag` is its encoded number and wire type."""
    return tag + varint(len(content)) + content


def key(name: str) -> bytes:
    """The name of an attribute, to be encoded once and handed to `text`, `integer` or `real`."""
    return field(b"\x0a", name.encode())


def text(name: bytes, value: str) -> bytes:
    """A span attribute that holds text; `name` comes from `key`."""
    raw = value.encode()
    size = varint(len(raw))
    inner = len(raw) + len(size) + 1
    head = name + b"\x12" + varint(inner) + b"\x0a" + size
    return b"\x4a" + varint(len(head) + len(raw)) + head + raw


def texts(name: bytes, values: Iterable[str]) -> bytes:
    """A span attribute that holds a list of texts."""
    listed = b"".join(field(b"\x0a", field(b"\x0a", value.encode())) for value in values)
    return field(b"\x4a", name + field(b"\x12", field(b"\x2a", listed)))


def integer(name: bytes, value: int) -> bytes:
    """A span attribute that holds a non-negative whole number."""
    return field(b"\x4a", name + field(b"\x12", b"\x18" + varint(value)))


def real(name: bytes, value: float) -> bytes:
    """A span attribute that holds a floating-point number."""
    return field(b"\x4a", name + b"\x12\x09\x21" + _DOUBLE(value))


def status(code: int, message: str = "") -> bytes:
    """A span's status."""
    return field(b"\x7a", field(b"\x12", message.encode()) + b"\x18" + varint(code))


def event(name: str, at_ns: int, attributes: bytes) -> bytes:
    """A span event. `attributes` as for a span: an event numbers them differently, hence the tag."""
    content = b"\x09" + _FIXED64(at_ns) + field(b"\x12", name.encode()) + attributes
    return field(b"\x5a", content)


def event_attribute(attribute: bytes) -> bytes:
    """A span's attribute as one of an event: field 3 instead of 9."""
    return b"\x1a" + attribute[1:]


def span(
    trace_id: bytes,
    span_id: bytes,
    parent_id: bytes,
    name: str,
    kind: int,
    start_ns: int,
    end_ns: int,
    rest: bytes,
) -> bytes:
    """A span as a field of ScopeSpans. `rest`: its attributes, events and status, encoded."""
    content = b"".join(
        (
            b"\x0a\x10",
            trace_id,
            b"\x12\x08",
            span_id,
            b"\x22\x08" + parent_id if parent_id else b"",
            field(b"\x2a", name.encode()),
            b"\x30",
            varint(kind),
            b"\x39",
            _FIXED64(start_ns),
            b"\x41",
            _FIXED64(end_ns),
            rest,
        )
    )
    return b"\x12" + varint(len(content)) + content


def resource(attributes: dict[str, str]) -> bytes:
    """A Resource as a field of ResourceSpans."""
    pairs = (text(key(name), value) for name, value in attributes.items())
    return field(b"\x0a", b"".join(b"\x0a" + pair[1:] for pair in pairs))


def scope_spans(name: str, version: str, spans: Iterable[bytes]) -> bytes:
    """A ScopeSpans as a field of ResourceSpans."""
    scope = field(b"\x0a", field(b"\x0a", name.encode()) + field(b"\x12", version.encode()))
    return field(b"\x12", scope + b"".join(spans))


def request(resource_piece: bytes, scopes: Iterable[bytes]) -> bytes:
    """An ExportTraceServiceRequest of one resource."""
    return field(b"\x0a", resource_piece + b"".join(scopes))
