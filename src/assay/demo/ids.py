"""Trace and span ids of a simulated exchange."""

from __future__ import annotations

from hashlib import blake2b
from typing import NamedTuple


class SpanIds(NamedTuple):
    """`trace` has 16 bytes, each of `spans` (the root first) and `feedback` 8; `chance` is a byte
    that decides how the spans travel."""

    trace: bytes
    spans: tuple[bytes, ...]
    feedback: bytes
    chance: int


def span_ids(conversation_id: str, turn: int) -> SpanIds:
    """The ids of one turn's spans: at most five besides the feedback."""
    digest = blake2b(f"{conversation_id}:{turn}".encode(), digest_size=64).digest()
    return SpanIds(
        trace=digest[:16],
        spans=(digest[16:24], digest[24:32], digest[32:40], digest[40:48], digest[48:56]),
        feedback=digest[56:64],
        chance=digest[0],
    )


def trace_id(conversation_id: str, turn: int) -> str:
    """The id that assay gives the interaction: 32 hexadecimal digits."""
    return span_ids(conversation_id, turn).trace.hex()
