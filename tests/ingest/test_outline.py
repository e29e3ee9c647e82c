"""Before a request is acknowledged: what is in it, what will be turned away, or why all of it is."""

from __future__ import annotations

import gzip
import resource
from collections.abc import Callable
from typing import Any

import pytest
from tests.ingest.bodies import (
    ALWAYS,
    JSON,
    NEVER,
    PROTOBUF,
    json_request,
    json_span,
    json_text,
    payload,
    request,
)

from assay.errors import PayloadError
from assay.ingest.otlp import decode_traces
from assay.ingest.outline import Outline, outline, outline_soon
from assay.ingest.payload import Limits
from assay.ingest.rejection import Rejection, Rejections, count_of, message_of

NO_TRACE = "no valid trace id (16 bytes, not all zero)"
NO_SPAN = "no valid span id (8 bytes, not all zero)"


def outlined(body: bytes, content_type: str = PROTOBUF, encoding: str = "", **limits: int) -> Outline:
    """What decoding says, too, in columns and item by item."""
    sent = payload(body, content_type, encoding)
    found = outline(sent, Limits(**limits))
    for columns_from in (ALWAYS, NEVER):
        decoded = decode_traces([sent], Limits(**limits), columns_from=columns_from)
        assert (decoded.spans.num_rows, decoded.rejections) == (found.items, found.rejections)
    return found


def changed(change: Callable[[Any], None], count: int = 3) -> bytes:
    return bytes(request(count, change).SerializeToString())


def test_good_spans_are_counted() -> None:
    body, text = request(3).SerializeToString(), json_request([json_span(1), json_span(2)])
    assert outlined(body) == Outline(items=3, rejections=(), is_sound=True, size_bytes=len(body))
    assert outlined(text, JSON) == Outline(items=2, rejections=(), size_bytes=len(text))
    assert outlined(gzip.compress(body, mtime=0), encoding="gzip").size_bytes == len(body)


def test_what_takes_long_is_not_looked_at_soon() -> None:
    """Not many bytes can hold much work: packed, of many parts, of many fields in one, or to be mended."""

    def soon(body: bytes, content_type: str = PROTOBUF, encoding: str = "", **limits: int) -> Outline | None:
        return outline_soon(payload(body, content_type, encoding), Limits(**limits))

    usual = request(200).SerializeToString()
    assert soon(usual) == outlined(usual)
    assert soon(usual, max_request_bytes=100) is soon(usual, max_spans=100) is None
    assert soon(gzip.compress(usual, mtime=0), encoding="gzip") is None
    assert soon(json_request([json_span(1)]), JSON) is soon(usual, "text/plain") is None
    assert soon(30 * usual) is None
    assert soon(changed(lambda span: setattr(span, "trace_id", b""))) is None

    def grow(span: Any) -> None:
        span.attributes.add(key="text").value.string_value = "x" * 30_000

    assert soon(changed(grow)) is None
    for part in (b"\x0a\x00" * 6_000, b"\x0a\xe0\x5d" + b"\x12\x00" * 6_000, usual[:-1], b"\x0a"):
        assert soon(part) is None
    resource = request(1)
    resource.resource_spans[0].resource.attributes.add(key="text").value.string_value = "x" * 30_000
    assert soon(resource.SerializeToString()) is None
    large = request(100)
    for span in large.resource_spans[0].scope_spans[0].spans:
        span.attributes.add(key="text").value.string_value = "x" * 15_000
    assert soon(large.SerializeToString()) == outlined(large.SerializeToString())
    assert soon(2 * large.SerializeToString()) is None


def test_a_large_request_is_read_in_pieces() -> None:
    export = request(100)
    for span in export.resource_spans[0].scope_spans[0].spans:
        span.attributes.add(key="text").value.string_value = "x" * 50_000
    large = export.SerializeToString()

    def grow(span: Any) -> None:
        span.attributes.add(key="text").value.string_value = "x" * 3_000_000

    for body, items in (
        (large, 100),
        (large + changed(grow), 103),
        (changed(grow) + b"\x0a\x00" + changed(grow, 1), 4),
    ):
        found = outlined(body)
        assert (found.items, found.rejections, found.is_sound) == (items, (), True)
    spoilt = outlined(large + changed(lambda span: setattr(span, "trace_id", b"")))
    assert (spoilt.items, count_of(spoilt.rejections)) == (102, 1)


@pytest.mark.parametrize("content_type", [PROTOBUF, JSON])
@pytest.mark.parametrize("body", [b"", gzip.compress(b"", mtime=0)])
def test_an_empty_request_is_no_spans(body: bytes, content_type: str) -> None:
    assert outlined(body, content_type, "gzip" if body else "").items == 0


@pytest.mark.parametrize(
    ("field", "value", "trace_id", "span_id", "reason"),
    [
        ("trace_id", b"", "", "02" * 8, NO_TRACE),
        ("trace_id", bytes(16), "00" * 16, "02" * 8, NO_TRACE),
        ("span_id", b"1234", "01" * 16, "31323334", NO_SPAN),
        ("span_id", bytes(8), "01" * 16, "00" * 8, NO_SPAN),
    ],
)
def test_a_span_without_ids_is_rejected_alone(
    field: str, value: bytes, trace_id: str, span_id: str, reason: str
) -> None:
    found = outlined(changed(lambda span: setattr(span, field, value)))
    expected = Rejection(trace_id=trace_id, span_id=span_id, service="shop", reason=reason)
    assert (found.items, found.rejections) == (2, (expected,))


@pytest.mark.parametrize("content_type", [PROTOBUF, JSON])
def test_a_large_attribute_rejects_its_span_alone(content_type: str) -> None:
    limit = 100_000

    def body(size: int) -> bytes:
        if content_type == JSON:
            spans = [json_span(1), json_span(2) | {"attributes": [json_text("input.value", "x" * size)]}]
            return json_request(spans)

        def change(span: Any) -> None:
            span.attributes.add(key="input.value").value.string_value = "x" * size

        return changed(change, 2)

    assert outlined(body(limit), content_type, max_attribute_bytes=limit).items == 2
    found = outlined(body(limit + 1), content_type, max_attribute_bytes=limit)
    assert (found.items, [one.span_id for one in found.rejections]) == (1, ["02" * 8])
    assert message_of(found.rejections) == (
        f"span {'02' * 8}: attribute 'input.value' is 0.1 MB; the limit is 0.1 MB (ingest.max_attribute_mb)"
    )


def test_a_large_attribute_of_an_event_or_a_resource_is_found_too() -> None:
    def change(span: Any) -> None:
        span.events.add(name="e").attributes.add(key="message").value.string_value = "x" * 200_000

    assert count_of(outlined(changed(change, 2), max_attribute_bytes=100_000).rejections) == 1
    export = request(2)
    export.resource_spans[0].resource.attributes.add(key="big").value.string_value = "x" * 200_000
    found = outlined(export.SerializeToString(), max_attribute_bytes=100_000)
    assert (found.items, count_of(found.rejections)) == (0, 2)
    assert found.rejections[0].reason.startswith("resource: attribute 'big' is 0.2 MB")


@pytest.mark.parametrize("owner", ["span", "event"])
def test_a_flood_of_attributes_rejects_its_span(owner: str) -> None:
    def change(span: Any) -> None:
        attributes = span.attributes if owner == "span" else span.events.add().attributes
        for i in range(20_000):
            attributes.add(key=f"{i}")

    found = outlined(changed(change, 2))
    assert (found.items, count_of(found.rejections)) == (1, 1)
    assert "10,000 attributes" in found.rejections[0].reason


def test_a_flood_of_values_in_lists_rejects_its_span_in_little_memory() -> None:
    span = request(1).resource_spans[0].scope_spans[0].spans[0].SerializeToString()
    value = _wrapped(b"\x0a\x00" * 900_000, 5)
    span += _wrapped(b"\x0a\x01k" + _wrapped(value, 2), 9) * 4
    body = request(1).SerializeToString() + _wrapped(_wrapped(_wrapped(span, 2), 2), 1)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    found = outlined(body)
    assert (found.items, count_of(found.rejections)) == (1, 1)
    assert "100,000 values" in found.rejections[0].reason
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 150_000


def test_one_unreadable_span_is_rejected_alone() -> None:
    body = request(3).SerializeToString()
    where = body.index(b"span 1") - 2  # the tag of the name: an end-group tag that nothing opened
    found = outlined(body[:where] + b"\x2c" + body[where + 1 :])
    assert (found.items, found.rejections) == (2, (Rejection(service="shop", reason="no valid protobuf"),))


@pytest.mark.parametrize(
    ("body", "content_type", "encoding", "status", "says"),
    [
        (b"\xff" * 64, PROTOBUF, "", 400, "no valid OTLP protobuf"),
        (b"{", JSON, "", 400, "no JSON"),
        (b"[1]", JSON, "", 400, "no OTLP/JSON"),
        (b'{"resourceSpans": [{"scopeSpans": 3}]}', JSON, "", 400, "resourceSpans"),
        (b"[" * 100_000, JSON, "", 400, "JSON"),
        (b"{}", "text/plain", "", 415, "text/plain"),
        (b"", "", "", 415, "content type"),
        (b"x", PROTOBUF, "br", 415, "'br'"),
        (b"x", PROTOBUF, "gzip", 400, "gzip"),
        (b"x" * 2000, PROTOBUF, "", 413, "max_request_mb"),
        (gzip.compress(bytes(2000), mtime=0), PROTOBUF, "gzip", 413, "max_request_mb"),
    ],
)
def test_what_cannot_be_read_is_refused_with_its_status(
    body: bytes, content_type: str, encoding: str, status: int, says: str
) -> None:
    limits = Limits(max_request_bytes=1000 if len(body) < 90_000 else 2**20)
    sent = payload(body, content_type, encoding)
    with pytest.raises(PayloadError, match=says) as refused:
        outline(sent, limits)
    assert refused.value.http_status == status
    decoded = decode_traces([sent], limits)
    assert (decoded.spans.num_rows, decoded.rejections) == (0, (Rejection(reason=str(refused.value)),))


@pytest.mark.parametrize(
    "content_type",
    ["application/x-protobuf; charset=utf-8", "Application/X-Protobuf", "application/protobuf"],
)
def test_content_types_may_have_parameters(content_type: str) -> None:
    assert outlined(request(2).SerializeToString(), content_type).items == 2


def test_a_truncated_body_is_refused_wherever_it_is_cut() -> None:
    body = request(3).SerializeToString()
    for cut in range(1, len(body)):
        with pytest.raises(PayloadError) as refused:
            outline(payload(body[:cut]), Limits())
        assert refused.value.http_status == 400


def _wrapped(content: bytes, number: int) -> bytes:
    """As the length-delimited field of that number."""
    size = [len(content) >> shift & 0x7F | 0x80 for shift in (0, 7, 14, 21)]
    return bytes((number << 3 | 2, *size[:3], size[3] & 0x7F)) + content


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (b"\x0a\x00" * 2_200_000, PROTOBUF),
        (_wrapped(_wrapped(b"\x12\x00" * 150_000, 2), 1), PROTOBUF),
        (json_request([{}] * 150_000), JSON),
    ],
)
def test_a_flood_of_spans_is_refused_before_it_is_unfolded(body: bytes, content_type: str) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(PayloadError, match="100,000 spans") as refused:
        outline(payload(body, content_type), Limits())
    assert refused.value.http_status == 413
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 150_000


def test_a_large_resource_on_many_spans_is_refused() -> None:
    export = request(200)
    export.resource_spans[0].resource.attributes.add(key="big").value.string_value = "x" * 100_000
    with pytest.raises(PayloadError, match="resource and scope attributes"):
        outline(payload(export.SerializeToString()), Limits(max_request_bytes=2**20))


def test_many_rejections_are_summed_and_none_is_forgotten() -> None:
    rejections = Rejections()
    for i in range(5_000):
        rejections.add(Rejection(span_id=f"{i:016x}", service=f"s{i % 2}", reason="why"))
    found = rejections.taken()
    assert (len(found), count_of(found)) == (1_002, 5_000)
    assert message_of(found[:3]).count(";") == 2
    assert rejections.taken() == ()
