"""Metrics are accepted and not kept: their data points are counted, so that a sender can be told."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import msgspec
from google.protobuf.message import DecodeError

from assay.errors import PayloadError
from assay.ingest.inflate import unpack
from assay.ingest.payload import Limits
from assay.ingest.scan import fields

_POINTS = frozenset({5, 7, 9, 10, 11})
"""The fields of a metric that hold data points: gauge, sum, histogram, exponential histogram, summary."""
_MOST = 1_000_000


def count_metrics(body: bytes, content_type: str, content_encoding: str, limits: Limits) -> int:
    """The data points of an ExportMetricsServiceRequest; counting stops at a million.

    Raises PayloadError: 400 undecodable, 413 too large, 415 a content type or encoding not known."""
    content = unpack(body, content_type, content_encoding, limits.max_request_bytes)
    count = 0
    try:
        for _ in _json_points(content.raw) if content.is_json else _points(memoryview(content.raw)):
            count += 1
            if count == _MOST:
                break
    except (DecodeError, msgspec.MsgspecError, UnicodeError, RecursionError):
        raise PayloadError(
            f"the body ({len(content.raw):,} bytes) is no valid ExportMetricsServiceRequest"
        ) from None
    return count


def _points(request: memoryview) -> Iterator[object]:
    found: Iterable[memoryview] = (request,)
    for number in (1, 2, 2):  # resource metrics, scope metrics, metrics
        found = _inner(found, frozenset({number}))
    return _inner(_inner(found, _POINTS), frozenset({1}))


def _inner(outer: Iterable[memoryview], numbers: frozenset[int]) -> Iterator[memoryview]:
    return (part for one in outer for number, part in fields(one) if number in numbers)


class _Points(msgspec.Struct):
    points: list[msgspec.Raw] | None = msgspec.field(default=None, name="dataPoints")


class _Metric(msgspec.Struct, rename="camel"):
    gauge: _Points | None = None
    sum: _Points | None = None
    histogram: _Points | None = None
    exponential_histogram: _Points | None = None
    summary: _Points | None = None


class _Scope(msgspec.Struct):
    metrics: list[_Metric] | None = None


class _Group(msgspec.Struct):
    scopes: list[_Scope] | None = msgspec.field(default=None, name="scopeMetrics")


class _Export(msgspec.Struct):
    groups: list[_Group] | None = msgspec.field(default=None, name="resourceMetrics")


def _json_points(raw: bytes) -> Iterator[object]:
    if not raw.strip():
        return
    for group in msgspec.json.decode(raw, type=_Export).groups or ():
        for scope in group.scopes or ():
            for metric in scope.metrics or ():
                for one in (getattr(metric, name) for name in _Metric.__struct_fields__):
                    yield from (one and one.points) or ()
