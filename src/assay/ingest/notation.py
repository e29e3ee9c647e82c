"""OTLP in JSON: hex ids, enums as numbers or names, 64-bit numbers as text or numbers."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence

import msgspec

from assay.errors import PayloadError
from assay.ingest.batch import LATEST_NS, Batch
from assay.ingest.columns import KINDS, STATUSES, EventRow, LinkRow, Origin, Text
from assay.ingest.values import Plain, plain_text

Number = int | float | str | None
_MAX_OBJECTS = 4_000_000


class Values(msgspec.Struct, rename="camel"):
    values: list[Value] | None = None


class Pairs(msgspec.Struct, rename="camel"):
    values: list[Attribute] | None = None


class Value(msgspec.Struct, rename="camel"):
    string_value: str | None = None
    bool_value: bool | None = None
    int_value: Number = None
    double_value: Number = None
    array_value: Values | None = None
    kvlist_value: Pairs | None = None
    bytes_value: str | None = None


class Attribute(msgspec.Struct, rename="camel"):
    key: str = ""
    value: Value | None = None


class Event(msgspec.Struct, rename="camel"):
    time_unix_nano: Number = None
    name: str | None = None
    attributes: list[Attribute] | None = None


class Link(msgspec.Struct, rename="camel"):
    trace_id: str | None = None
    span_id: str | None = None
    trace_state: str | None = None
    attributes: list[Attribute] | None = None


class Status(msgspec.Struct, rename="camel"):
    message: str | None = None
    code: Number = None


class Span(msgspec.Struct, rename="camel"):
    trace_id: str | None = None
    span_id: str | None = None
    parent_span_id: str | None = None
    trace_state: str | None = None
    name: str | None = None
    kind: Number = None
    start_time_unix_nano: Number = None
    end_time_unix_nano: Number = None
    attributes: list[Attribute] | None = None
    events: list[Event] | None = None
    links: list[Link] | None = None
    status: Status | None = None


class Scope(msgspec.Struct, rename="camel"):
    name: str | None = None
    version: str | None = None


class ScopeSpans(msgspec.Struct, rename="camel"):
    scope: Scope | None = None
    spans: list[Span] | None = None


class Resource(msgspec.Struct, rename="camel"):
    attributes: list[Attribute] | None = None


class ResourceSpans(msgspec.Struct, rename="camel"):
    resource: Resource | None = None
    scope_spans: list[ScopeSpans] | None = None


class Export(msgspec.Struct, rename="camel"):
    resource_spans: list[ResourceSpans] | None = None


def read_json(body: bytes, batch: Batch) -> None:
    """Read an ExportTraceServiceRequest in JSON into the batch. Raises PayloadError (400, 413)."""
    if body.count(b"{") > _MAX_OBJECTS:
        raise PayloadError(
            f"the request has more than {_MAX_OBJECTS:,} JSON objects: send smaller batches", http_status=413
        )
    groups = _export(body).resource_spans or ()
    for group in groups:
        for scope in group.scope_spans or ():
            batch.expect(len(scope.spans or ()))
    for group in groups:
        attributes = (group.resource and group.resource.attributes) or ()
        resource = _texts(attributes)
        for some in group.scope_spans or ():
            spans, scope_of = some.spans or (), some.scope or Scope()
            if not _keeps_limits(resource.items(), len(attributes), "resource", len(spans), batch):
                continue
            service = resource.get("service.name", "")
            batch.open(Origin(service, resource, scope_of.name or "", scope_of.version or ""), len(spans))
            for span in spans:
                _read_span(span, batch)


def _export(body: bytes) -> Export:
    """The request; text that is no valid UTF-8 or half a surrogate pair is repaired."""
    try:
        return msgspec.json.decode(body, type=Export)
    except msgspec.ValidationError as error:
        raise PayloadError(f"the body is no OTLP/JSON: {error}") from None
    except (msgspec.DecodeError, UnicodeError) as error:
        first = error
    except RecursionError:
        raise PayloadError("the body is no OTLP/JSON: it is nested too deeply") from None
    try:
        return msgspec.convert(json.loads(body.decode("utf-8", "replace")), type=Export)
    except msgspec.ValidationError as error:
        raise PayloadError(f"the body is no OTLP/JSON: {error}") from None
    except (ValueError, RecursionError):
        raise PayloadError(f"the body is no JSON: {first}") from None


def _read_span(span: Span, batch: Batch) -> None:
    attributes, events, links = span.attributes or (), span.events or (), span.links or ()
    texts = _texts(attributes)
    event_rows = [
        EventRow(_clamped(_whole(e.time_unix_nano)), e.name or "", _texts(e.attributes or ())) for e in events
    ]
    link_rows = [
        LinkRow(_hex(k.trace_id), _hex(k.span_id), k.trace_state or "", _texts(k.attributes or ()))
        for k in links
    ]
    inner = [row.attributes for row in event_rows] + [row.attributes for row in link_rows]
    pairs = [*texts.items(), *(pair for one in inner for pair in one.items())]
    many = max(len(attributes) + sum(map(len, inner)), len(events), len(links))
    identity = _hex(span.span_id)
    if not _keeps_limits(pairs, many, f"span {identity[:16]}", 1, batch):
        return
    status = span.status or Status()
    batch.add(
        _hex(span.trace_id),
        identity,
        _hex(span.parent_span_id),
        span.trace_state or "",
        span.name or "",
        _enum(span.kind, "SPAN_KIND_", KINDS),
        _whole(span.start_time_unix_nano),
        _whole(span.end_time_unix_nano),
        _enum(status.code, "STATUS_CODE_", STATUSES),
        status.message or "",
        texts,
        event_rows,
        link_rows,
    )


def _keeps_limits(
    pairs: Iterable[tuple[Text, Text]], many: int, owner: str, spans: int, batch: Batch
) -> bool:
    limit = batch.limits.max_attribute_bytes
    if many > batch.limits.max_attributes:
        batch.reject(
            f"{owner} has more than {batch.limits.max_attributes:,} attributes, events or links", spans
        )
        return False
    for key, value in pairs:
        if len(value) * 4 > limit and (size_bytes := len(str(value).encode("utf-8", "replace"))) > limit:
            batch.too_large(owner, str(key), size_bytes, spans)
            return False
    return True


def _texts(attributes: Sequence[Attribute]) -> dict[Text, Text]:
    return {one.key: _text(one.value) for one in attributes}


def _text(value: Value | None) -> str:
    if value is None:
        return ""
    return value.string_value if value.string_value is not None else plain_text(_plain(value))


def _plain(value: Value | None) -> Plain:
    if value is None:
        return None
    if value.int_value is not None:
        return _whole(value.int_value)
    if value.double_value is not None:
        return _real(value.double_value)
    if value.array_value is not None:
        return [_plain(one) for one in value.array_value.values or ()]
    if value.kvlist_value is not None:
        return {one.key: _plain(one.value) for one in value.kvlist_value.values or ()}
    scalars = (value.string_value, value.bool_value, value.bytes_value)
    return next((one for one in scalars if one is not None), None)


def _real(value: int | float | str) -> float | str:
    try:
        return float(value)
    except (ValueError, OverflowError):
        return str(value)


def _whole(value: Number) -> int:
    """A 64-bit number; 0 where it is none."""
    try:
        return int(value or 0)
    except (ValueError, OverflowError):
        return 0


def _clamped(time_ns: int) -> int:
    return min(max(time_ns, 0), LATEST_NS)


def _enum(value: Number, prefix: str, names: Sequence[str]) -> int:
    name = value.removeprefix(prefix).capitalize() if isinstance(value, str) else ""
    return names.index(name) if name in names else _whole(value)


def _hex(value: str | None) -> str:
    try:
        return bytes.fromhex(value or "").hex()
    except ValueError:
        return ""
