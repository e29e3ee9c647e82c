"""What arrives: a body as it was sent, and what it may weigh."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Kind = Literal["traces", "logs", "spans", "records"]
"""`traces` and `logs` are OTLP request bodies; `spans` and `records` are Arrow streams in the
columns of `otel_traces` and `otel_logs`."""

_MB = 2**20


@dataclass(frozen=True, slots=True, kw_only=True)
class Payload:
    """One request: its bytes untouched, and when they came (Unix time, nanoseconds).

    `is_sound`: its outline has found nothing that must be looked at item by item."""

    kind: Kind
    body: bytes
    content_type: str
    content_encoding: str = ""
    received_ns: int
    is_sound: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a request may weigh. Bytes count after decompression; `max_spans` counts log records too."""

    max_request_bytes: int = 64 * _MB
    max_attribute_bytes: int = 4 * _MB
    max_attributes: int = 10_000
    max_spans: int = 100_000


def megabytes(size_bytes: int) -> str:
    return f"{size_bytes / _MB:.1f} MB"
