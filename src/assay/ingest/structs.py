"""OTLP's messages in JSON: any member may be absent or null, members not named here are passed over.

None can hold itself, so the collector of cycles need not know them: that halves the time of reading."""

from __future__ import annotations

import msgspec

Number = int | float | str | None
"""64-bit numbers come as text or numbers, enums as numbers or names."""


class Values(msgspec.Struct, rename="camel", gc=False):
    values: list[Value] | None = None


class Pairs(msgspec.Struct, rename="camel", gc=False):
    values: list[Attribute] | None = None


class Value(msgspec.Struct, rename="camel", gc=False):
    string_value: str | None = None
    bool_value: bool | None = None
    int_value: Number = None
    double_value: Number = None
    array_value: Values | None = None
    kvlist_value: Pairs | None = None
    bytes_value: str | None = None


class Attribute(msgspec.Struct, rename="camel", gc=False):
    key: str = ""
    value: Value | None = None


class Event(msgspec.Struct, rename="camel", gc=False):
    time_unix_nano: Number = None
    name: str | None = None
    attributes: list[Attribute] | None = None


class Link(msgspec.Struct, rename="camel", gc=False):
    trace_id: str | None = None
    span_id: str | None = None
    trace_state: str | None = None
    attributes: list[Attribute] | None = None


class Status(msgspec.Struct, rename="camel", gc=False):
    message: str | None = None
    code: Number = None


class Span(msgspec.Struct, rename="camel", gc=False):
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


class Record(msgspec.Struct, rename="camel", gc=False):
    trace_id: str | None = None
    span_id: str | None = None
    time_unix_nano: Number = None
    observed_time_unix_nano: Number = None
    severity_number: Number = None
    severity_text: str | None = None
    body: Value | None = None
    attributes: list[Attribute] | None = None
    flags: Number = None
    event_name: str | None = None


class Scope(msgspec.Struct, rename="camel", gc=False):
    name: str | None = None
    version: str | None = None
    attributes: list[Attribute] | None = None


class SpanScope(msgspec.Struct, rename="camel", gc=False):
    scope: Scope | None = None
    items: list[Span] | None = msgspec.field(default=None, name="spans")
    schema_url: str | None = None


class RecordScope(msgspec.Struct, rename="camel", gc=False):
    scope: Scope | None = None
    items: list[Record] | None = msgspec.field(default=None, name="logRecords")
    schema_url: str | None = None


class Resource(msgspec.Struct, rename="camel", gc=False):
    attributes: list[Attribute] | None = None


class SpanGroup(msgspec.Struct, rename="camel", gc=False):
    resource: Resource | None = None
    scopes: list[SpanScope] | None = msgspec.field(default=None, name="scopeSpans")
    schema_url: str | None = None


class RecordGroup(msgspec.Struct, rename="camel", gc=False):
    resource: Resource | None = None
    scopes: list[RecordScope] | None = msgspec.field(default=None, name="scopeLogs")
    schema_url: str | None = None


class Traces(msgspec.Struct, gc=False):
    groups: list[SpanGroup] | None = msgspec.field(default=None, name="resourceSpans")


class Logs(msgspec.Struct, gc=False):
    groups: list[RecordGroup] | None = msgspec.field(default=None, name="resourceLogs")
