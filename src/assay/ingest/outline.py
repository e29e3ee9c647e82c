"""The cheap check of a request before it is acknowledged."""

from __future__ import annotations

from dataclasses import dataclass

from assay.ingest.otlp import EPOCH, decode_otlp
from assay.ingest.payload import Limits, Payload
from assay.ingest.rejection import Rejection


@dataclass(frozen=True, slots=True, kw_only=True)
class Outline:
    """What a request holds: `items` spans or records that will be kept, and those that won't."""

    items: int
    rejections: tuple[Rejection, ...]


def outline(payload: Payload, limits: Limits) -> Outline:
    """Count what a request holds without keeping it; `decode_traces` and `decode_logs` reject the same.

    Raises PayloadError for the whole: 400 undecodable, 413 too large after decompression or too
    many spans, 415 a content type or encoding not known.
    """
    found = decode_otlp(
        payload.body, payload.content_type, payload.content_encoding, limits, received_at=EPOCH
    )
    rejections = (Rejection(reason="; ".join(found.reasons), count=found.rejected),) if found.rejected else ()
    return Outline(items=found.accepted, rejections=rejections)
