"""Spans and log records as rows, and rows as a table with the columns of `otel_traces` or `otel_logs`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

import pyarrow as pa

Text = str | bytes
"""Text, or its bytes in UTF-8 (checked, and repaired where they are not, when a table is built)."""
Attributes = Mapping[Text, Text]

KINDS = ("Unspecified", "Internal", "Server", "Client", "Producer", "Consumer")
STATUSES = ("Unset", "Ok", "Error")

REPAIRED = "assay.repaired"
"""The attribute that names what was mended: `start_time` or `end_time` of a span, `time` of a record."""
EVENT_NAME = "event.name"
"""The attribute that names an event, where a record has no such field of its own."""

EARLIEST_NS, LATEST_NS = 946_684_800 * 10**9, 4_102_444_800 * 10**9
"""2000 and 2100: a time outside is none."""

TIME: pa.DataType = pa.timestamp("ns", "UTC")
MAP: pa.DataType = pa.map_(pa.string(), pa.string())
_NONE: Attributes = MappingProxyType({})

SPAN_SCHEMA = pa.schema(
    [
        ("Timestamp", TIME),
        ("TraceId", pa.string()),
        ("SpanId", pa.string()),
        ("ParentSpanId", pa.string()),
        ("TraceState", pa.string()),
        ("SpanName", pa.string()),
        ("SpanKind", pa.string()),
        ("ServiceName", pa.string()),
        ("ResourceAttributes", MAP),
        ("ScopeName", pa.string()),
        ("ScopeVersion", pa.string()),
        ("SpanAttributes", MAP),
        ("Duration", pa.uint64()),
        ("StatusCode", pa.string()),
        ("StatusMessage", pa.string()),
        ("Events.Timestamp", pa.list_(TIME)),
        ("Events.Name", pa.list_(pa.string())),
        ("Events.Attributes", pa.list_(MAP)),
        ("Links.TraceId", pa.list_(pa.string())),
        ("Links.SpanId", pa.list_(pa.string())),
        ("Links.TraceState", pa.list_(pa.string())),
        ("Links.Attributes", pa.list_(MAP)),
    ]
)

LOG_SCHEMA = pa.schema(
    [
        ("Timestamp", TIME),
        ("TraceId", pa.string()),
        ("SpanId", pa.string()),
        ("TraceFlags", pa.uint8()),
        ("SeverityText", pa.string()),
        ("SeverityNumber", pa.uint8()),
        ("ServiceName", pa.string()),
        ("Body", pa.string()),
        ("ResourceSchemaUrl", pa.string()),
        ("ResourceAttributes", MAP),
        ("ScopeSchemaUrl", pa.string()),
        ("ScopeName", pa.string()),
        ("ScopeVersion", pa.string()),
        ("ScopeAttributes", MAP),
        ("LogAttributes", MAP),
        ("EventName", pa.string()),
    ]
)
"""The columns of `otel_logs`, but for `TimestampTime`, which the table makes itself."""


class EventRow(NamedTuple):
    """Something that happened at one moment inside a span."""

    time_ns: int
    name: Text
    attributes: Attributes


class LinkRow(NamedTuple):
    """A span that this one refers to; ids in lower hex."""

    trace_id: str
    span_id: str
    trace_state: Text
    attributes: Attributes


class Origin(NamedTuple):
    """What many spans share: the resource and the scope that they come from."""

    service: Text = ""
    resource: Attributes = _NONE
    scope: Text = ""
    scope_version: Text = ""
    scope_attributes: Attributes = _NONE
    resource_schema: Text = ""
    scope_schema: Text = ""


class SpanRow(NamedTuple):
    """One span; `origin` is its position in the list of origins, ids are lower hex."""

    start_ns: int
    trace_id: str
    span_id: str
    parent_id: str
    trace_state: Text
    name: Text
    kind: str
    origin: int
    attributes: Attributes
    duration_ns: int
    status: str
    message: Text
    events: Sequence[EventRow] = ()
    links: Sequence[LinkRow] = ()


class RecordRow(NamedTuple):
    """One log record; `origin` is its position in the list of origins, ids are lower hex or empty."""

    time_ns: int
    trace_id: str
    span_id: str
    flags: int
    severity_text: Text
    severity: int
    body: Text
    origin: int
    attributes: Attributes
    event: Text


def records_table(rows: Sequence[RecordRow], origins: Sequence[Origin]) -> pa.Table:
    """The rows in the columns of `otel_logs`. Invalid UTF-8 becomes U+FFFD."""
    if not rows:
        return LOG_SCHEMA.empty_table()
    time, trace, span, flags, severity_text, severity, body, origin, attributes, event = zip(
        *rows, strict=True
    )
    which = pa.array(origin, pa.int32())
    columns = [
        times_of(time),
        texts_of(trace),
        texts_of(span),
        pa.array(flags, pa.uint8()),
        texts_of(severity_text),
        pa.array(severity, pa.uint8()),
        texts_of([one.service for one in origins]).take(which),
        texts_of(body),
        texts_of([one.resource_schema for one in origins]).take(which),
        maps_of([one.resource for one in origins]).take(which),
        texts_of([one.scope_schema for one in origins]).take(which),
        texts_of([one.scope for one in origins]).take(which),
        texts_of([one.scope_version for one in origins]).take(which),
        maps_of([one.scope_attributes for one in origins]).take(which),
        maps_of(attributes),
        texts_of(event),
    ]
    return pa.Table.from_arrays(columns, schema=LOG_SCHEMA)


def spans_table(rows: Sequence[SpanRow], origins: Sequence[Origin]) -> pa.Table:
    """The rows in the columns of `otel_traces`. Invalid UTF-8 becomes U+FFFD."""
    if not rows:
        return SPAN_SCHEMA.empty_table()
    (start, trace, span, parent, state, name, kind, origin, attributes, duration, status, message, ev, ln) = (
        zip(*rows, strict=True)
    )
    which = pa.array(origin, pa.int32())
    events = [event for some in ev for event in some]
    links = [link for some in ln for link in some]
    columns = [
        times_of(start),
        texts_of(trace),
        texts_of(span),
        texts_of(parent),
        texts_of(state),
        texts_of(name),
        texts_of(kind),
        texts_of([one.service for one in origins]).take(which),
        maps_of([one.resource for one in origins]).take(which),
        texts_of([one.scope for one in origins]).take(which),
        texts_of([one.scope_version for one in origins]).take(which),
        maps_of(attributes),
        pa.array(duration, pa.uint64()),
        texts_of(status),
        texts_of(message),
        *_lists(
            ev,
            [
                times_of([e[0] for e in events]),
                texts_of([e[1] for e in events]),
                maps_of([e[2] for e in events]),
            ],
        ),
        *_lists(
            ln,
            [
                texts_of([link[0] for link in links]),
                texts_of([link[1] for link in links]),
                texts_of([link[2] for link in links]),
                maps_of([link[3] for link in links]),
            ],
        ),
    ]
    return pa.Table.from_arrays(columns, schema=SPAN_SCHEMA)


def times_of(values: Sequence[int]) -> pa.Array[Any]:
    return pa.array(values, pa.int64()).view(TIME)


def texts_of(values: Sequence[Text]) -> pa.Array[Any]:
    try:
        return pa.array(values, pa.string())
    except (pa.ArrowInvalid, UnicodeError):
        return pa.array([_repaired(value) for value in values], pa.string())


def _repaired(value: Text) -> str:
    raw = value if isinstance(value, bytes) else value.encode("utf-8", "surrogatepass")
    return raw.decode("utf-8", "replace")


def maps_of(maps: Iterable[Attributes]) -> pa.Array[Any]:
    keys: list[Text] = []
    values: list[Text] = []
    offsets = [0]
    for one in maps:
        keys.extend(one)
        values.extend(one.values())
        offsets.append(len(keys))
    from_arrays: Callable[..., pa.Array[Any]] = pa.MapArray.from_arrays  # its stubs know 64-bit offsets only
    return from_arrays(pa.array(offsets, pa.int32()), texts_of(keys), texts_of(values))


def _lists(groups: Iterable[Sequence[object]], columns: Sequence[pa.Array[Any]]) -> list[pa.Array[Any]]:
    offsets, end = [0], 0
    for group in groups:
        end += len(group)
        offsets.append(end)
    where = pa.array(offsets, pa.int32())
    return [pa.ListArray.from_arrays(where, column) for column in columns]
