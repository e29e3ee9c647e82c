"""Protobuf, item by item: whatever can be read of a request is read, the rest turned away alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

from google.protobuf.message import DecodeError

from assay.ingest.batch import Batch
from assay.ingest.columns import EventRow, LinkRow, Origin, Text
from assay.ingest.glance import LAYOUTS, shared_excess
from assay.ingest.scan import Shared, excess, unfold
from assay.ingest.shapes import Tree, message
from assay.ingest.values import Plain, plain_text


def read_wire(tree: Tree, content: bytes, batch: Batch) -> None:
    """Read an export request into the batch.

    Raises DecodeError where it is none, PayloadError (413) where it holds too much."""
    item, read = message(tree, "Strict.Item"), _READERS[tree]
    for shared in unfold(tree, content, batch.limits):
        if not _open(tree, shared, batch):
            continue
        for raw in shared.items:
            try:
                if reason := excess(raw, LAYOUTS[tree], batch.limits):
                    _turn_away(reason, raw, tree, batch)
                else:
                    read(item.FromString(raw), batch)
            except DecodeError:
                batch.reject("no valid protobuf")


def _open(tree: Tree, shared: Shared, batch: Batch) -> bool:
    """Whether what the items share can be kept; if not, all of them are rejected."""
    try:
        batch.open(Origin())
        if reason := shared_excess(shared, batch.limits):
            batch.reject(reason, len(shared.items))
            return False
        batch.open(origin_of(tree, shared))
    except DecodeError:
        batch.reject("the resource or scope is no valid protobuf", len(shared.items))
        return False
    return True


def _turn_away(reason: str, raw: bytes, tree: Tree, batch: Batch) -> None:
    found = message(tree, "Ids.Item").FromString(raw)
    batch.reject(reason, trace=found.trace_id.hex(), span=found.span_id.hex())


def _read_span(span: Any, batch: Batch) -> None:
    # An absent list or message costs as much to look at as a present one: look once.
    events, links, status = span.events, span.links, span.status
    batch.add_span(
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
        _texts(span.attributes),
        [EventRow(e.time_unix_nano, e.name, _texts(e.attributes)) for e in events] if events else (),
        [LinkRow(k.trace_id.hex(), k.span_id.hex(), k.trace_state, _texts(k.attributes)) for k in links]
        if links
        else (),
    )


def _read_record(record: Any, batch: Batch) -> None:
    batch.add_record(
        record.trace_id.hex(),
        record.span_id.hex(),
        record.flags,
        record.time_unix_nano or record.observed_time_unix_nano,
        record.severity_number,
        record.severity_text,
        _text(record.body),
        _texts(record.attributes),
        record.event_name,
    )


_READERS: dict[Tree, Callable[[Any, Batch], None]] = {"traces": _read_span, "logs": _read_record}


def origin_of(tree: Tree, shared: Shared) -> Origin:
    """What items share, read. Raises DecodeError."""
    resource = _texts(message(tree, "Strict.Resource").FromString(shared.resource).attributes)
    scope = message(tree, "Strict.Scope").FromString(shared.scope)
    return Origin(
        resource.get(b"service.name", b""),
        resource,
        scope.name,
        scope.version,
        _texts(scope.attributes),
        shared.resource_schema,
        shared.scope_schema,
    )


def nested_text(member: Literal["array_value", "kvlist_value"], pieces: list[bytes]) -> str:
    """The text of a list or a map that came in pieces. Raises DecodeError."""
    value = message("traces", "Strict.Value")()
    getattr(value, member).MergeFromString(b"".join(pieces))
    return plain_text(_plain(value, member))


def _texts(attributes: Any) -> dict[Text, Text]:
    """Keys and texts; of a key that comes twice, the last."""
    return {one.key: _text(one.value) for one in attributes}


def _text(value: Any) -> Text:
    kind = value.WhichOneof("value")
    if kind == "string_value":
        text: bytes = value.string_value
        return text
    return plain_text(_plain(value, kind))


def _plain(value: Any, kind: str | None) -> Plain:
    if kind is None:
        return None
    if kind == "string_value":
        return str(value.string_value, "utf-8", "replace")
    if kind == "array_value":
        return [_plain(one, one.WhichOneof("value")) for one in value.array_value.values]
    if kind == "kvlist_value":
        return {
            str(one.key, "utf-8", "replace"): _plain(one.value, one.value.WhichOneof("value"))
            for one in value.kvlist_value.values
        }
    scalar: Plain = getattr(value, kind)
    return scalar


__all__ = ["DecodeError", "nested_text", "origin_of", "read_wire"]
