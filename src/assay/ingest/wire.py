"""Protobuf, item by item: whatever can be read of a request is read, the rest turned away alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from google.protobuf.message import DecodeError

from assay.ingest.batch import Batch
from assay.ingest.columns import EventRow, LinkRow, Origin, Text
from assay.ingest.scan import ATTRIBUTE, VALUE, Shared, excess, unfold
from assay.ingest.shapes import Tree, message
from assay.ingest.values import Plain, plain_text

_LAYOUTS = {
    "traces": {9: ATTRIBUTE, 11: 3, 13: 4},  # attributes, events and links
    "logs": {5: VALUE, 6: ATTRIBUTE},  # body, attributes
}
_OF_RESOURCE, _OF_SCOPE = {1: ATTRIBUTE}, {3: ATTRIBUTE}


def read_wire(tree: Tree, content: bytes, batch: Batch) -> None:
    """Read an export request into the batch.

    Raises DecodeError where it is none, PayloadError (413) where it holds too much."""
    values = Values(tree)
    item, read = message(tree, "Lean.Item"), _READERS[tree]
    for shared in unfold(tree, content, batch.limits):
        if not _open(shared, batch, values):
            continue
        for raw in shared.items:
            try:
                if reason := excess(raw, _LAYOUTS[tree], batch.limits):
                    _turn_away(reason, raw, tree, batch)
                else:
                    read(item.FromString(raw), batch, values)
            except DecodeError:
                batch.reject("no valid protobuf")


def _open(shared: Shared, batch: Batch, values: Values) -> bool:
    """Whether what the items share can be kept; if not, all of them are rejected."""
    try:
        batch.open(Origin())
        for owner, raw, layout in (
            ("resource", shared.resource, _OF_RESOURCE),
            ("scope", shared.scope, _OF_SCOPE),
        ):
            if reason := excess(raw, layout, batch.limits):
                batch.reject(f"{owner}: {reason}", len(shared.items))
                return False
        batch.open(values.origin(shared))
    except DecodeError:
        batch.reject("the resource or scope is no valid protobuf", len(shared.items))
        return False
    return True


def _turn_away(reason: str, raw: bytes, tree: Tree, batch: Batch) -> None:
    found = message(tree, "Ids.Item").FromString(raw)
    batch.reject(reason, trace=found.trace_id.hex(), span=found.span_id.hex())


def _read_span(span: Any, batch: Batch, values: Values) -> None:
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
        values.texts(span.attributes),
        [EventRow(e.time_unix_nano, e.name, values.texts(e.attributes)) for e in events] if events else (),
        [LinkRow(k.trace_id.hex(), k.span_id.hex(), k.trace_state, values.texts(k.attributes)) for k in links]
        if links
        else (),
    )


def _read_record(record: Any, batch: Batch, values: Values) -> None:
    batch.add_record(
        record.trace_id.hex(),
        record.span_id.hex(),
        record.flags,
        record.time_unix_nano or record.observed_time_unix_nano,
        record.severity_number,
        record.severity_text,
        values.text(record.body),
        values.texts(record.attributes),
        record.event_name,
    )


_READERS: dict[Tree, Callable[[Any, Batch, Values], None]] = {"traces": _read_span, "logs": _read_record}


class Values(dict[bytes, bytes]):
    """Values as text. Short ones repeat (models, numbers, roles) and are read once."""

    def __init__(self, tree: Tree) -> None:
        self._value = message(tree, "Strict.Value")
        self._resource = message(tree, "Lean.Resource")
        self._scope = message(tree, "Lean.Scope")

    def origin(self, shared: Shared) -> Origin:
        """What items share, read. Raises DecodeError."""
        resource = self.texts(self._resource.FromString(shared.resource).attributes)
        scope = self._scope.FromString(shared.scope)
        return Origin(
            resource.get(b"service.name", b""),
            resource,
            scope.name,
            scope.version,
            self.texts(scope.attributes),
            shared.resource_schema,
            shared.scope_schema,
        )

    def texts(self, attributes: Any) -> dict[Text, Text]:
        """Keys and texts; of a key that comes twice, the last."""
        found: dict[Text, Text] = {}
        for one in attributes:
            raw = one.value
            found[one.key] = self[raw] if len(raw) < 40 else self.text(raw)
        return found

    def __missing__(self, raw: bytes) -> bytes:
        text = self[raw] = self.text(raw)
        return text

    def text(self, raw: bytes) -> bytes:
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
        value = self._value.FromString(raw)
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


__all__ = ["DecodeError", "Values", "read_wire"]
