"""Protobuf, many requests at once: columns from end to end, without a loop over items or attributes.

`ptars` turns messages into nested columns, and what follows is arithmetic on columns. The rows are
those that `wire` and `batch` give item by item; the tests hold the two together.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache
from typing import Any, NamedTuple

import pyarrow as pa
from google.protobuf.message import DecodeError

from assay.ingest.columns import (
    EARLIEST_NS,
    EVENT_NAME,
    KINDS,
    LATEST_NS,
    LOG_SCHEMA,
    REPAIRED,
    SPAN_SCHEMA,
    STATUSES,
    TIME,
    Origin,
    maps_of,
    texts_of,
)
from assay.ingest.pairs import last_values, map_of, offsets_from_zero, read_pairs, with_pair
from assay.ingest.scan import Shared
from assay.ingest.shapes import Tree, file_of
from assay.ingest.texts import Ambiguous, Column, hexed, pc, texts, utf8
from assay.ingest.wire import origin_of

try:  # not on every platform
    from ptars import HandlerPool
except ImportError:
    is_available = False
else:
    is_available = True

UNREADABLE = (Ambiguous, DecodeError, ValueError, pa.ArrowException)

_ZERO, _EARLIEST, _LATEST = (pa.scalar(time_ns, pa.uint64()) for time_ns in (0, EARLIEST_NS, LATEST_NS))


class _Items(NamedTuple):
    """Spans or log records, the time of receipt of each, and where it comes from."""

    fields: Column
    received: Column
    origin: Column
    origins: list[Origin]


def read_columns(tree: Tree, contents: Sequence[bytes], received_ns: Sequence[int]) -> pa.Table:
    """The items of requests, in order. `glance` has found nothing in them that needs care.

    Raises one of UNREADABLE where one of them can't be read this way."""
    items = _items(tree, _nested(tree, contents), received_ns)
    if not len(items.fields):
        return (SPAN_SCHEMA if tree == "traces" else LOG_SCHEMA).empty_table()
    return _spans(items) if tree == "traces" else _records(items)


@cache
def reader_of(tree: Tree) -> Any:
    """What makes nested columns of export requests."""
    file = file_of(tree)
    export = file.message_types_by_name["Columns"].nested_types_by_name["Export"]
    return HandlerPool([file]).get_for_message(export)


def _nested(tree: Tree, contents: Sequence[bytes]) -> Column:
    try:
        return reader_of(tree).list_to_record_batch(list(contents)).column(0)
    except BaseException as error:
        if type(error).__name__ == "PanicException":  # Rust's, and no Exception
            raise ValueError(str(error)) from None
        raise


def _items(tree: Tree, requests: Column, received_ns: Sequence[int]) -> _Items:
    groups, request_of_group = requests.flatten(), pc.list_parent_indices(requests)
    scopes, group_of_scope = _inner(groups, "scopes")
    fields, scope_of_item = _inner(scopes, "items")
    shared: Iterable[tuple[bytes, bytes, bytes, bytes]] = zip(
        groups.field("resource").take(group_of_scope).to_pylist(),
        groups.field("schema_url").take(group_of_scope).to_pylist(),
        scopes.field("scope").to_pylist(),
        scopes.field("schema_url").to_pylist(),
        strict=True,
    )
    known: dict[tuple[bytes, bytes, bytes, bytes], int] = {}
    which = [known.setdefault(one, len(known)) for one in shared]
    received = pa.array(received_ns, pa.uint64()).take(request_of_group).take(group_of_scope)
    return _Items(
        fields,
        received.take(scope_of_item),
        pa.array(which, pa.int32()).take(scope_of_item),
        [origin_of(tree, Shared(*one)) for one in known],
    )


def _inner(outer: Column, name: str) -> tuple[Column, Column]:
    """The elements of a list column, and for each the row that it is from."""
    lists = outer.field(name)
    return lists.flatten(), pc.list_parent_indices(lists)


def _spans(items: _Items) -> pa.Table:
    span = items.fields
    start, end = span.field("start_time_unix_nano"), span.field("end_time_unix_nano")
    has_start = _is_time(start)
    start = pc.if_else(has_start, start, items.received)
    has_end = pc.and_(pc.less_equal(start, end), pc.less_equal(end, _LATEST))
    duration = pc.if_else(has_end, pc.subtract(end, start), _ZERO)
    attributes = read_pairs(span.field("attributes"))
    is_repaired = pc.invert(pc.and_(has_start, has_end))
    mended = pc.if_else(has_start.filter(is_repaired), "end_time", "start_time")
    attributes = with_pair(attributes, _where(is_repaired), REPAIRED, mended)
    code, message = _status(span)
    columns = {
        "Timestamp": _time(start),
        "TraceId": hexed(span.field("trace_id")),
        "SpanId": hexed(span.field("span_id")),
        "ParentSpanId": _id(span.field("parent_span_id"), 8),
        "TraceState": utf8(span.field("trace_state")),
        "SpanName": utf8(span.field("name")),
        "SpanKind": _named(span.field("kind"), KINDS),
        "ServiceName": _shared(items, "service"),
        "ResourceAttributes": _shared_map(items, "resource"),
        "ScopeName": _shared(items, "scope"),
        "ScopeVersion": _shared(items, "scope_version"),
        "SpanAttributes": map_of(attributes),
        "Duration": duration,
        "StatusCode": _named(code, STATUSES),
        "StatusMessage": utf8(message),
        **_events(span.field("events"), start),
        **_links(span.field("links")),
    }
    return pa.Table.from_arrays([columns[name] for name in SPAN_SCHEMA.names], schema=SPAN_SCHEMA)


def _records(items: _Items) -> pa.Table:
    record = items.fields
    time, observed = record.field("time_unix_nano"), record.field("observed_time_unix_nano")
    time = pc.if_else(pc.equal(time, _ZERO), observed, time)
    has_time = _is_time(time)
    attributes = read_pairs(record.field("attributes"))
    event, named = utf8(record.field("event_name")), last_values(attributes, EVENT_NAME, len(record))
    unnamed = pc.and_(pc.not_equal(event, ""), pc.equal(named, ""))
    attributes = with_pair(attributes, _where(unnamed), EVENT_NAME, event.filter(unnamed))
    late = _where(pc.invert(has_time))
    attributes = with_pair(attributes, late, REPAIRED, pa.repeat("time", len(late)))
    severity = record.field("severity_number")
    known = pc.and_(pc.greater_equal(severity, 0), pc.less(severity, 256))
    columns = {
        "Timestamp": _time(pc.if_else(has_time, time, items.received)),
        "TraceId": _id(record.field("trace_id"), 16),
        "SpanId": _id(record.field("span_id"), 8),
        "TraceFlags": pc.bit_wise_and(record.field("flags"), pa.scalar(0xFF, pa.uint32())).cast(pa.uint8()),
        "SeverityText": utf8(record.field("severity_text")),
        "SeverityNumber": pc.if_else(known, severity, 0).cast(pa.uint8()),
        "ServiceName": _shared(items, "service"),
        "Body": texts(record.field("body")),
        "ResourceSchemaUrl": _shared(items, "resource_schema"),
        "ResourceAttributes": _shared_map(items, "resource"),
        "ScopeSchemaUrl": _shared(items, "scope_schema"),
        "ScopeName": _shared(items, "scope"),
        "ScopeVersion": _shared(items, "scope_version"),
        "ScopeAttributes": _shared_map(items, "scope_attributes"),
        "LogAttributes": map_of(attributes),
        "EventName": pc.if_else(pc.equal(event, ""), named, event),
    }
    return pa.Table.from_arrays([columns[name] for name in LOG_SCHEMA.names], schema=LOG_SCHEMA)


def _events(lists: Column, start: Column) -> dict[str, Column]:
    event, span = lists.flatten(), pc.list_parent_indices(lists)
    if not len(event):
        return _lists(lists, _empty("Events."))
    time = event.field("time_unix_nano")
    return _lists(
        lists,
        {
            "Events.Timestamp": _time(pc.if_else(_is_time(time), time, start.take(span))),
            "Events.Name": utf8(event.field("name")),
            "Events.Attributes": map_of(read_pairs(event.field("attributes"))),
        },
    )


def _links(lists: Column) -> dict[str, Column]:
    link = lists.flatten()
    if not len(link):
        return _lists(lists, _empty("Links."))
    return _lists(
        lists,
        {
            "Links.TraceId": hexed(link.field("trace_id")),
            "Links.SpanId": hexed(link.field("span_id")),
            "Links.TraceState": utf8(link.field("trace_state")),
            "Links.Attributes": map_of(read_pairs(link.field("attributes"))),
        },
    )


def _empty(prefix: str) -> dict[str, Column]:
    return {one.name: pa.nulls(0, one.type.value_type) for one in SPAN_SCHEMA if one.name.startswith(prefix)}


def _lists(lists: Column, columns: dict[str, Column]) -> dict[str, Column]:
    offsets = offsets_from_zero(lists)
    return {name: pa.ListArray.from_arrays(offsets, column) for name, column in columns.items()}


def _status(span: Column) -> tuple[Column, Column]:
    status = span.field("status")
    return pc.fill_null(status.field("code"), 0), pc.fill_null(status.field("message"), b"")


def _shared(items: _Items, name: str) -> Column:
    return texts_of([getattr(one, name) for one in items.origins]).take(items.origin)


def _shared_map(items: _Items, name: str) -> Column:
    return maps_of([getattr(one, name) for one in items.origins]).take(items.origin)


def _where(mask: Column) -> Column:
    return pc.indices_nonzero(mask).cast(pa.int64())


def _is_time(time: Column) -> Column:
    return pc.and_(pc.greater_equal(time, _EARLIEST), pc.less_equal(time, _LATEST))


def _time(time: Column) -> Column:
    return time.cast(pa.int64()).view(TIME)


def _id(raw: Column, size: int) -> Column:
    """Ids as lower hex; empty where they are none."""
    is_id = pc.and_(pc.equal(pc.binary_length(raw), size), pc.not_equal(raw, bytes(size)))
    return pc.if_else(is_id, hexed(raw), "")


def _named(number: Column, names: Sequence[str]) -> Column:
    is_known = pc.and_(pc.greater_equal(number, 0), pc.less(number, len(names)))
    return pa.array(names).take(pc.if_else(is_known, number, 0))
