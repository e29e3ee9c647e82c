"""Permanent random numbers: chance that is decided once per log and can be repeated by anybody."""

from __future__ import annotations

from hashlib import sha256

from assay.records import Stage


def draw(salt: str, log_id: str) -> float:
    """The log's number in [0, 1) for that salt: the first 8 bytes of a hash, over 2^64.

    A log is drawn where its number lies below its probability, so a higher probability keeps all
    that was drawn with the lower one. The store computes the same number in SQL.
    """
    return int.from_bytes(sha256(f"{salt}:{log_id}".encode()).digest()[:8], "big") / 2**64


def salt_of(policy: str, stage: Stage, occasion: int = 0) -> str:
    """One salt per policy name, so that versions agree, per stage, so that stages are independent of
    each other, and per further occasion on which a log is decided on, for the same reason."""
    return f"{policy}:{stage}:{occasion}" if occasion else f"{policy}:{stage}"
