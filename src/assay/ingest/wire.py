"""OTLP in protobuf's wire format.

The messages here are OTLP's own with three liberties that the wire format allows: text is read
as bytes, so one invalid UTF-8 byte can't take a batch down; repeated messages are read as bytes,
so a small body can't unfold into gigabytes of objects; and an attribute's value is read as bytes,
because in most of them the text starts two or three bytes in.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any, NamedTuple

# protobuf ships no type information of its own
from google.protobuf import (
    descriptor_pb2,
    descriptor_pool,
    message_factory,
)
from google.protobuf.message import DecodeError

from assay.ingest.batch import LATEST_NS, Batch
from assay.ingest.columns import EventRow, LinkRow, Origin, Text
from assay.ingest.values import Plain, plain_text

_Field = descriptor_pb2.FieldDescriptorProto
_BYTES, _FIXED64, _INT32 = _Field.TYPE_BYTES, _Field.TYPE_FIXED64, _Field.TYPE_INT32
_PACKAGE = "assay.ingest.wire"

# message -> (field, number, type or message name, repeated)
_SHAPES: dict[str, tuple[tuple[str, int, int | str, bool], ...]] = {
    "Export": (("resource_spans", 1, "ResourceSpans", True),),
    "ResourceSpans": (("resource", 1, _BYTES, False), ("scope_spans", 2, "ScopeSpans", True)),
    "Resource": (("attributes", 1, "Attribute", True),),
    "ScopeSpans": (("scope", 1, "Scope", False), ("spans", 2, _BYTES, True)),
    "Scope": (("name", 1, _BYTES, False), ("version", 2, _BYTES, False)),
    "Attribute": (("key", 1, _BYTES, False), ("value", 2, _BYTES, False)),
    "Span": (
        ("trace_id", 1, _BYTES, False),
        ("span_id", 2, _BYTES, False),
        ("trace_state", 3, _BYTES, False),
        ("parent_span_id", 4, _BYTES, False),
        ("name", 5, _BYTES, False),
        ("kind", 6, _INT32, False),
        ("start_time_unix_nano", 7, _FIXED64, False),
        ("end_time_unix_nano", 8, _FIXED64, False),
        ("attributes", 9, "Attribute", True),
        ("events", 11, "Event", True),
        ("links", 13, "Link", True),
        ("status", 15, "Status", False),
    ),
    "Event": (
        ("time_unix_nano", 1, _FIXED64, False),
        ("name", 2, _BYTES, False),
        ("attributes", 3, "Attribute", True),
    ),
    "Link": (
        ("trace_id", 1, _BYTES, False),
        ("span_id", 2, _BYTES, False),
        ("trace_state", 3, _BYTES, False),
        ("attributes", 4, "Attribute", True),
    ),
    "Status": (("message", 2, _BYTES, False), ("code", 3, _INT32, False)),
    # what a large request and a large span hold, before it is unfolded: its id, and all that can be many
    "Groups": (("resource_spans", 1, _BYTES, True),),
    "Scopes": (("scope_spans", 2, _BYTES, True),),
    "Outline": (
        ("span_id", 2, _BYTES, False),
        ("attributes", 9, _BYTES, True),
        ("events", 11, _BYTES, True),
        ("links", 13, _BYTES, True),
    ),
    "Parts": (
        ("of_resource", 1, _BYTES, True),
        ("of_event", 3, _BYTES, True),
        ("of_link", 4, _BYTES, True),
    ),
    "Value": (
        ("string_value", 1, _BYTES, False),
        ("bool_value", 2, _Field.TYPE_BOOL, False),
        ("int_value", 3, _Field.TYPE_INT64, False),
        ("double_value", 4, _Field.TYPE_DOUBLE, False),
        ("array_value", 5, "Values", False),
        ("kvlist_value", 6, "Pairs", False),
        ("bytes_value", 7, _BYTES, False),
    ),
    "Values": (("values", 1, "Value", True),),
    "Pairs": (("values", 1, "Pair", True),),
    "Pair": (("key", 1, _BYTES, False), ("value", 2, "Value", False)),
}


class _Messages(NamedTuple):
    export: Any
    groups: Any
    scopes: Any
    resource: Any
    span: Any
    outline: Any
    parts: Any
    attribute: Any
    value: Any


@cache
def _messages() -> _Messages:
    file = descriptor_pb2.FileDescriptorProto(
        name="assay/ingest/wire.proto", package=_PACKAGE, syntax="proto3"
    )
    for name, shape in _SHAPES.items():
        message = file.message_type.add(name=name)
        if name == "Value":
            message.oneof_decl.add(name="value")
        for field, number, kind, repeated in shape:
            label = _Field.LABEL_REPEATED if repeated else _Field.LABEL_OPTIONAL
            one = message.field.add(name=field, number=number, label=label)
            if isinstance(kind, str):
                one.type, one.type_name = _Field.TYPE_MESSAGE, f".{_PACKAGE}.{kind}"
            else:
                one.type = _Field.Type.ValueType(kind)
            if name == "Value":
                one.oneof_index = 0
    pool = descriptor_pool.DescriptorPool()
    pool.AddSerializedFile(file.SerializeToString())
    names = (
        "Export",
        "Groups",
        "Scopes",
        "Resource",
        "Span",
        "Outline",
        "Parts",
        "Attribute",
        "Value",
    )
    return _Messages(
        *(message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{_PACKAGE}.{name}")) for name in names)
    )


def read_wire(body: bytes, batch: Batch) -> None:
    """Read an ExportTraceServiceRequest into the batch. Raises DecodeError where it is none."""
    message, texts = _messages(), _Texts()
    if len(body) > _LARGE:
        _expect_few(body, batch, message)
    scopes = [
        (group.resource, scope)
        for group in message.export.FromString(body).resource_spans
        for scope in group.scope_spans
    ]
    batch.expect(sum(len(scope.spans) for _, scope in scopes))
    for raw_resource, some in scopes:
        parts = message.parts.FromString(raw_resource).of_resource
        if not _keeps_limits(parts, "resource", len(some.spans), batch, message):
            continue
        resource = texts.of(message.resource.FromString(raw_resource).attributes)
        service = resource.get(b"service.name", b"")
        batch.open(Origin(service, resource, some.scope.name, some.scope.version), len(some.spans))
        for raw in some.spans:
            try:
                if len(raw) <= _SMALL or _is_takeable(raw, batch, message):
                    _read_span(message.span.FromString(raw), batch, texts)
            except DecodeError:
                batch.reject("a span is no valid protobuf")


def _expect_few(body: bytes, batch: Batch, message: _Messages) -> None:
    """Refuse a large request of a great many empty resources and scopes before they are unfolded."""
    groups = message.groups.FromString(body).resource_spans
    batch.expect(len(groups))
    for raw in groups:
        batch.expect(len(message.scopes.FromString(raw).scope_spans))


def _read_span(span: Any, batch: Batch, texts: _Texts) -> None:
    # An absent list or message costs as much to look at as a present one: look once.
    events, links, status = span.events, span.links, span.status
    batch.add(
        span.trace_id.hex(),
        span.span_id.hex(),
        span.parent_span_id.hex(),
        span.trace_state,
        span.name,
        span.kind,
        span.start_time_unix_nano,
        span.end_time_unix_nano,
        status.code,
        status.message,
        texts.of(span.attributes),
        [EventRow(min(e.time_unix_nano, LATEST_NS), e.name, texts.of(e.attributes)) for e in events]
        if events
        else (),
        [LinkRow(k.trace_id.hex(), k.span_id.hex(), k.trace_state, texts.of(k.attributes)) for k in links]
        if links
        else (),
    )


_SMALL, _LARGE = 65_536, 4 * 2**20


def _is_takeable(raw: bytes, batch: Batch, message: _Messages) -> bool:
    """Whether a large span keeps the limits; if not, it is rejected without unfolding it."""
    outline = message.outline.FromString(raw)
    span = f"span {outline.span_id.hex()[:16]}"
    most = batch.limits.max_attributes
    parts = list(outline.attributes)
    if max(len(outline.events), len(outline.links)) > most:
        batch.reject(f"{span} has more than {most:,} events or links")
        return False
    for event in outline.events:
        parts += message.parts.FromString(event).of_event
    for link in outline.links:
        parts += message.parts.FromString(link).of_link
    return _keeps_limits(parts, span, 1, batch, message)


def _keeps_limits(parts: Sequence[bytes], owner: str, spans: int, batch: Batch, message: _Messages) -> bool:
    if len(parts) > batch.limits.max_attributes:
        batch.reject(f"{owner} has more than {batch.limits.max_attributes:,} attributes", spans)
        return False
    for part in parts:
        if len(part) > batch.limits.max_attribute_bytes:
            one = message.attribute.FromString(part)
            size_bytes = len(_text_of(one.value) if one.value[:1] == _TEXT_TAG else one.value)
            if size_bytes > batch.limits.max_attribute_bytes:
                batch.too_large(owner, one.key.decode("utf-8", "replace"), size_bytes, spans)
                return False
    return True


_TEXT_TAG = b"\x0a"


class _Texts(dict[bytes, bytes]):
    """Values as text. Short ones repeat (models, numbers, roles) and are decoded once a request."""

    def of(self, attributes: Any) -> dict[Text, Text]:
        """Keys and texts; of a key that comes twice, the last."""
        found: dict[Text, Text] = {}
        for one in attributes:
            raw = one.value
            found[one.key] = self[raw] if len(raw) < 40 else _text_of(raw)
        return found

    def __missing__(self, raw: bytes) -> bytes:
        text = self[raw] = _text_of(raw)
        return text


def _text_of(raw: bytes) -> bytes:
    """The text of an AnyValue. Plain text follows its tag (0x0a) and its length, 7 bits a byte."""
    size = len(raw)
    if size > 1 and raw[0] == 0x0A:
        if size < 130:
            if raw[1] == size - 2:
                return raw[2:]
        elif size < 16_387:
            if raw[1] == (size - 3) & 0x7F | 0x80 and raw[2] == (size - 3) >> 7:
                return raw[3:]
        elif size < 2_097_156 and (
            raw[1] == (size - 4) & 0x7F | 0x80
            and raw[2] == (size - 4) >> 7 & 0x7F | 0x80
            and raw[3] == (size - 4) >> 14
        ):
            return raw[4:]
    value = _messages().value.FromString(raw)
    if value.WhichOneof("value") == "string_value":
        text: bytes = value.string_value
        return text
    return plain_text(_plain(value)).encode()


def _plain(value: Any) -> Plain:
    kind = value.WhichOneof("value")
    if kind is None:
        return None
    if kind == "string_value":
        return str(value.string_value, "utf-8", "replace")
    if kind == "array_value":
        return [_plain(one) for one in value.array_value.values]
    if kind == "kvlist_value":
        return {str(one.key, "utf-8", "replace"): _plain(one.value) for one in value.kvlist_value.values}
    scalar: Plain = getattr(value, kind)
    return scalar


__all__ = ["DecodeError", "read_wire"]
