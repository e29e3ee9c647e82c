"""What a protobuf message holds, seen without unfolding it: a small body can't become gigabytes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from google.protobuf.message import DecodeError

from assay.errors import PayloadError
from assay.ingest.payload import Limits, megabytes
from assay.ingest.shapes import Tree, message

LARGE = 2 * 2**20
"""Larger requests are looked into before they are unfolded, and cut into pieces."""

_LEVELS = (1, 2, 2)  # groups, scopes, items
ATTRIBUTE, VALUE = 0, -1
_LIST, _MAP = 5, 6
_MOST_VALUES = 100_000
"""In the lists and maps of one large item."""


class Shared(NamedTuple):
    """What some items of a request share, and those items, each as its bytes."""

    resource: bytes
    resource_schema: bytes
    scope: bytes
    scope_schema: bytes
    items: Sequence[bytes] = ()


def unfold(tree: Tree, content: bytes, limits: Limits) -> list[Shared]:
    """The items of an export request, each still closed.

    Raises DecodeError where it is no such request, PayloadError (413) where it holds too many
    items, or where what they share, kept with each of them, would become a flood."""
    if len(content) > LARGE:
        expect(_count(memoryview(content), 0, limits), limits)
    groups = message(tree, "Shell.Export").FromString(content).groups
    expect(len(groups), limits)
    expect(len(groups) + sum(len(group.scopes) for group in groups), limits)
    found = [
        Shared(group.resource, group.schema_url, some.scope, some.schema_url, list(some.items))
        for group in groups
        for some in group.scopes
    ]
    expect(len(groups) + len(found) + sum(len(one.items) for one in found), limits)
    share(sum(len(one.items) * (len(one.resource) + len(one.scope)) for one in found), limits)
    return found


def cut(tree: Tree, content: bytes, limits: Limits) -> Iterator[bytes]:
    """A request as requests that are not large, or have one item. Raises as `unfold`."""
    if len(content) <= LARGE:
        yield content
        return
    export, size_bytes = message(tree, "Shell.Export")(), 0
    for shared in unfold(tree, content, limits):
        for items in _handfuls(shared.items):
            more_bytes = sum(map(len, items)) + len(shared.resource) + len(shared.scope)
            if size_bytes and size_bytes + more_bytes > LARGE:
                yield export.SerializeToString()
                export, size_bytes = message(tree, "Shell.Export")(), 0
            group = export.groups.add(resource=shared.resource, schema_url=shared.resource_schema)
            group.scopes.add(scope=shared.scope, schema_url=shared.scope_schema, items=items)
            size_bytes += more_bytes
    yield export.SerializeToString()


def _handfuls(items: Sequence[bytes]) -> Iterator[Sequence[bytes]]:
    """Neighbours that together are half as large as may be, or one alone."""
    begin = size_bytes = 0
    for i, item in enumerate(items):
        if size_bytes and size_bytes + len(item) > LARGE // 2:
            yield items[begin:i]
            begin, size_bytes = i, 0
        size_bytes += len(item)
    if begin < len(items):
        yield items[begin:]


def expect(messages: int, limits: Limits) -> None:
    """Raise PayloadError (413) where a request holds more than `max_spans`."""
    if messages > limits.max_spans:
        raise PayloadError(
            f"the request has more than {limits.max_spans:,} spans or records, scopes and resources: "
            "send smaller batches (OTEL_BSP_MAX_EXPORT_BATCH_SIZE in most SDKs)",
            http_status=413,
        )


def share(size_bytes: int, limits: Limits) -> None:
    """Raise PayloadError (413) where resources and scopes, kept with each item, come to too much."""
    if size_bytes > 4 * limits.max_request_bytes:
        raise PayloadError(
            f"resource and scope attributes, repeated on each item, come to more than "
            f"{megabytes(4 * limits.max_request_bytes)}: send smaller batches",
            http_status=413,
        )


def excess(raw: bytes, layout: Mapping[int, int], limits: Limits) -> str:
    """Why a message is over the limits for attributes; empty where it is not.

    `layout` has the numbers of the fields that count: ATTRIBUTE, VALUE, or else the number of the
    attributes within."""
    if len(raw) <= small(limits):
        return ""
    attributes = others = values = 0
    for number, part in fields(memoryview(raw)):
        inner = layout.get(number)
        if inner is None:
            continue
        others += 1
        for one in (part,) if inner <= 0 else (some for at, some in fields(part) if at == inner):
            attributes += 1
            if attributes > limits.max_attributes:
                break
            if len(one) > limits.max_attribute_bytes or len(raw) > LARGE:
                key, value = ("", one) if inner == VALUE else _pair(one)
                size_bytes = text_bytes(value)
                if size_bytes > limits.max_attribute_bytes:
                    return too_large(key, size_bytes, limits)
                values += _count_values(value)
                if values > _MOST_VALUES:
                    return f"more than {_MOST_VALUES:,} values in lists and maps"
        if max(attributes, others) > limits.max_attributes:
            return too_many(limits)
    return ""


def small(limits: Limits) -> int:
    """A message of so many bytes can't be over the limits: the smallest attribute takes two."""
    return min(2 * limits.max_attributes, limits.max_attribute_bytes)


def too_many(limits: Limits) -> str:
    return f"more than {limits.max_attributes:,} attributes, events and links"


def too_large(key: str, size_bytes: int, limits: Limits) -> str:
    return (
        f"{f'attribute {key[:100]!r}' if key else 'the body'} is {megabytes(size_bytes)}; "
        f"the limit is {megabytes(limits.max_attribute_bytes)} (ingest.max_attribute_mb)"
    )


def text_bytes(value: memoryview) -> int:
    """The size of a value's text; of a value that is no text, its own."""
    return next((len(part) for number, part in fields(value) if number == 1), len(value))


def _count_values(value: memoryview) -> int:
    """How many values a list or a map holds in all; counting stops where they are too many."""
    count, unopened = 0, [value]
    while unopened:
        for number, part in fields(unopened.pop()):
            for at, one in fields(part) if number in (_LIST, _MAP) else ():
                count += 1
                if count > _MOST_VALUES:
                    return count
                unopened.extend(_values_in(at, one, number))
    return count


def _values_in(at: int, one: memoryview, number: int) -> Iterator[memoryview]:
    if at == 1 and number == _LIST:
        yield one
    elif at == 1:
        yield from (part for inner, part in fields(one) if inner == 2)


def _pair(attribute: memoryview) -> tuple[str, memoryview]:
    parts = dict(fields(attribute))
    return bytes(parts.get(1, b"")).decode("utf-8", "replace") or "(no name)", parts.get(2, memoryview(b""))


def fields(raw: memoryview) -> Iterator[tuple[int, memoryview]]:
    """The fields that hold bytes, text or messages, with their numbers. Raises DecodeError."""
    at, end = 0, len(raw)
    while at < end:
        tag, at = (raw[at], at + 1) if raw[at] < 0x80 else _varint(raw, at)
        kind = tag & 7
        if kind == 2:
            size, at = (raw[at], at + 1) if at < end and raw[at] < 0x80 else _varint(raw, at)
            if at + size > end:
                raise DecodeError("a field is longer than its message")
            yield tag >> 3, raw[at : at + size]
            at += size
        elif kind == 0:
            _, at = _varint(raw, at)
        elif kind == 1:
            at += 8
        elif kind == 5:
            at += 4


def _varint(raw: memoryview, at: int) -> tuple[int, int]:
    """Seven bits a byte, the lowest first; the last has no eighth."""
    number, end = 0, min(len(raw), at + 10)
    for place in range(at, end):
        byte = raw[place]
        number |= (byte & 0x7F) << 7 * (place - at)
        if byte < 0x80:
            return number, place + 1
    raise DecodeError("a number has no end")


def _count(raw: memoryview, level: int, limits: Limits) -> int:
    """How many groups, scopes and items there are; stops soon after there are too many."""
    count = 0
    for number, part in fields(raw):
        if number == _LEVELS[level]:
            count += 1
            if level + 1 < len(_LEVELS):
                count += _count(part, level + 1, limits)
            if count > limits.max_spans:
                break
    return count
