"""The cheap check of a request before it is acknowledged."""

from __future__ import annotations

from dataclasses import dataclass

from google.protobuf.message import DecodeError

from assay.ingest.batch import Batch
from assay.ingest.glance import count_soon, count_sound
from assay.ingest.inflate import PROTOBUF, media_type, unpack
from assay.ingest.otlp import read_items, undecodable
from assay.ingest.payload import Limits, Payload
from assay.ingest.rejection import Rejection
from assay.ingest.shapes import Tree


@dataclass(frozen=True, slots=True, kw_only=True)
class Outline:
    """What a request holds: `items` spans or records that will be kept, and those that won't.

    `is_sound`: nothing in it must be looked at item by item; a Payload that says so is decoded sooner.
    `size_bytes` is what it holds after decompression."""

    items: int
    rejections: tuple[Rejection, ...]
    is_sound: bool = False
    size_bytes: int = 0


def outline(payload: Payload, limits: Limits) -> Outline:
    """Count what a request holds without keeping it; `decode_traces` and `decode_logs` reject the same.

    Raises PayloadError for the whole: 400 undecodable, 413 too large after decompression or too
    many spans, 415 a content type or encoding not known.
    """
    tree: Tree = "logs" if payload.kind == "logs" else "traces"
    content = unpack(payload.body, payload.content_type, payload.content_encoding, limits.max_request_bytes)
    if not content.is_json:
        try:
            items = count_sound(tree, content.raw, limits)
        except DecodeError:
            raise undecodable(tree, content.raw) from None
        if items is not None:
            return Outline(items=items, rejections=(), is_sound=True, size_bytes=len(content.raw))
    batch = Batch(limits, keep=False)
    read_items(tree, content, batch, payload.received_ns)
    return Outline(items=batch.items, rejections=batch.rejections.taken(), size_bytes=len(content.raw))


def outline_soon(payload: Payload, limits: Limits) -> Outline | None:
    """The same within some milliseconds, which is most requests: protobuf that is not packed, as many
    spans or records as an exporter sends, all of them good. None for any other."""
    size_bytes = len(payload.body)
    if payload.content_encoding or media_type(payload.content_type) != PROTOBUF:
        return None
    if size_bytes > limits.max_request_bytes:
        return None
    items = count_soon("logs" if payload.kind == "logs" else "traces", payload.body, limits)
    return (
        None if items is None else Outline(items=items, rejections=(), is_sound=True, size_bytes=size_bytes)
    )
