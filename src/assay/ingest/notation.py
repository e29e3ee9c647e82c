"""OTLP in JSON: hex ids, enums as numbers or names, 64-bit numbers as text or numbers."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence

import msgspec

from assay.errors import PayloadError
from assay.ingest.batch import Batch
from assay.ingest.columns import KINDS, STATUSES, EventRow, LinkRow, Origin, Text
from assay.ingest.payload import Limits
from assay.ingest.scan import expect, share, too_large, too_many
from assay.ingest.shapes import Tree
from assay.ingest.structs import (
    Attribute,
    Logs,
    Number,
    Record,
    RecordGroup,
    RecordScope,
    Resource,
    Scope,
    Span,
    SpanGroup,
    SpanScope,
    Status,
    Traces,
    Value,
)
from assay.ingest.values import Plain, plain_text

_MAX_OBJECTS = 4_000_000
_DEEPEST = 100  # lists and maps within each other: what is further in is null
_SEVERITIES = ("TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL")


def read_json(tree: Tree, content: bytes, batch: Batch) -> None:
    """Read an export request in JSON into the batch. Raises PayloadError (400, 413)."""
    if not content.strip():
        return
    if content.count(b"{") > _MAX_OBJECTS:
        raise PayloadError(
            f"the request has more than {_MAX_OBJECTS:,} JSON objects: send smaller batches", http_status=413
        )
    groups = _export(content, Traces if tree == "traces" else Logs).groups or ()
    _expect_few(groups, batch.limits)
    # what is smaller than the limit holds nothing that is larger
    bounded = len(content) > batch.limits.max_attribute_bytes
    shared = [(group, some, _origin(group, some)) for group in groups for some in group.scopes or ()]
    share(sum(len(some.items or ()) * _size(origin) for _, some, origin in shared), batch.limits)
    for group, some, origin in shared:
        _read_scope(group, some, origin, batch, bounded)


def _expect_few(groups: Sequence[SpanGroup | RecordGroup], limits: Limits) -> None:
    scopes = [some for group in groups for some in group.scopes or ()]
    expect(len(groups) + len(scopes) + sum(len(some.items or ()) for some in scopes), limits)


def _export(content: bytes, kind: type[Traces | Logs]) -> Traces | Logs:
    """The request; text that is no valid UTF-8 or half a surrogate pair is repaired."""
    try:
        return msgspec.json.decode(content, type=kind)
    except msgspec.ValidationError as error:
        raise PayloadError(f"the body is no OTLP/JSON: {error}") from None
    except (msgspec.DecodeError, UnicodeError) as error:
        first = error
    except RecursionError:
        raise PayloadError("the body is no OTLP/JSON: it is nested too deeply") from None
    try:
        return msgspec.convert(json.loads(content.decode("utf-8", "replace")), type=kind)
    except msgspec.ValidationError as error:
        raise PayloadError(f"the body is no OTLP/JSON: {error}") from None
    except (ValueError, RecursionError):
        raise PayloadError(f"the body is no JSON: {first}") from None


def _size(origin: Origin) -> int:
    texts = (*origin.resource, *origin.resource.values(), *origin.scope_attributes.values(), origin.scope)
    return sum(map(len, texts))


def _read_scope(
    group: SpanGroup | RecordGroup,
    some: SpanScope | RecordScope,
    origin: Origin,
    batch: Batch,
    bounded: bool,
) -> None:
    items = some.items or ()
    batch.open(origin)
    for owner, attributes, texts in (
        ("resource", (group.resource or Resource()).attributes, origin.resource),
        ("scope", (some.scope or Scope()).attributes, origin.scope_attributes),
    ):
        if reason := _excess(len(attributes or ()), texts.items() if bounded else (), batch.limits):
            batch.reject(f"{owner}: {reason}", len(items))
            return
    for item in items:
        if isinstance(item, Span):
            _read_span(item, batch, bounded)
        else:
            _read_record(item, batch, bounded)


def _origin(group: SpanGroup | RecordGroup, some: SpanScope | RecordScope) -> Origin:
    resource = _texts((group.resource or Resource()).attributes or ())
    scope = some.scope or Scope()
    return Origin(
        resource.get("service.name", ""),
        resource,
        scope.name or "",
        scope.version or "",
        _texts(scope.attributes or ()),
        group.schema_url or "",
        some.schema_url or "",
    )


def _read_span(span: Span, batch: Batch, bounded: bool) -> None:
    attributes, events, links = span.attributes or (), span.events or (), span.links or ()
    trace, identity = _hex(span.trace_id), _hex(span.span_id)
    texts: dict[Text, Text] = {}
    event_rows: list[EventRow] = []
    link_rows: list[LinkRow] = []
    if batch.keep or bounded:
        texts = _texts(attributes)
        event_rows = [
            EventRow(_whole(e.time_unix_nano), e.name or "", _texts(e.attributes or ())) for e in events
        ]
        link_rows = [
            LinkRow(_hex(k.trace_id), _hex(k.span_id), k.trace_state or "", _texts(k.attributes or ()))
            for k in links
        ]
    inner = [one.attributes or () for one in (*events, *links)]
    many = max(len(attributes) + sum(map(len, inner)), len(attributes) + len(events) + len(links))
    found = (texts, *(row.attributes for row in event_rows), *(row.attributes for row in link_rows))
    pairs = [pair for one in found for pair in one.items()] if bounded else []
    if reason := _excess(many, pairs, batch.limits):
        batch.reject(reason, trace=trace, span=identity)
        return
    if not batch.keep:
        batch.admits(trace, identity)
        return
    status = span.status or Status()
    batch.add_span(
        trace,
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


def _read_record(record: Record, batch: Batch, bounded: bool) -> None:
    attributes, body = record.attributes or (), ""
    trace, span = _hex(record.trace_id), _hex(record.span_id)
    texts: dict[Text, Text] = {}
    if batch.keep or bounded:
        texts, body = _texts(attributes), _text(record.body)
    pairs: list[tuple[Text, Text]] = [*texts.items(), ("", body)] if bounded else []
    if reason := _excess(len(attributes) + 1, pairs, batch.limits):
        batch.reject(reason, trace=trace, span=span)
        return
    batch.add_record(
        trace,
        span,
        _whole(record.flags),
        _whole(record.time_unix_nano) or _whole(record.observed_time_unix_nano),
        _severity(record.severity_number),
        record.severity_text or "",
        body,
        texts,
        record.event_name or "",
    )


def _excess(many: int, pairs: Iterable[tuple[Text, Text]], limits: Limits) -> str:
    if many > limits.max_attributes:
        return too_many(limits)
    limit = limits.max_attribute_bytes
    for key, value in pairs:
        if len(value) * 4 > limit and (size_bytes := len(str(value).encode("utf-8", "replace"))) > limit:
            return too_large(str(key), size_bytes, limits)
    return ""


def _texts(attributes: Sequence[Attribute]) -> dict[Text, Text]:
    return {one.key: _text(one.value) for one in attributes}


def _text(value: Value | None) -> str:
    if value is None:
        return ""
    return value.string_value if value.string_value is not None else plain_text(_plain(value))


def _plain(value: Value | None, depth: int = 0) -> Plain:
    if value is None or depth > _DEEPEST:
        return None
    if value.int_value is not None:
        return _whole(value.int_value)
    if value.double_value is not None:
        return _real(value.double_value)
    if value.array_value is not None:
        return [_plain(one, depth + 1) for one in value.array_value.values or ()]
    if value.kvlist_value is not None:
        return {one.key: _plain(one.value, depth + 1) for one in value.kvlist_value.values or ()}
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


def _enum(value: Number, prefix: str, names: Sequence[str]) -> int:
    name = value.removeprefix(prefix).capitalize() if isinstance(value, str) else ""
    return names.index(name) if name in names else _whole(value)


def _severity(value: Number) -> int:
    """1 to 24, or SEVERITY_NUMBER_TRACE to SEVERITY_NUMBER_FATAL4."""
    name = value.removeprefix("SEVERITY_NUMBER_") if isinstance(value, str) else ""
    word, step = (name[:-1], name[-1]) if name[-1:] in tuple("234") else (name, "1")
    return _SEVERITIES.index(word) * 4 + int(step) if word in _SEVERITIES else _whole(value)


def _hex(value: str | None) -> str:
    try:
        return bytes.fromhex(value or "").hex()
    except ValueError:
        return ""
