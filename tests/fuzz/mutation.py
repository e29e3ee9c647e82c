"""Damage: what transport, bugs and ill will do to a body."""

from __future__ import annotations

from random import Random

_TAGS = bytes(
    (0x0A, 0x12, 0x1A, 0x22, 0x2A, 0x32, 0x4A, 0x5A, 0x6A, 0x7A, 0x0B, 0x0C, 0x10, 0x18, 0x21, 0x39)
)
_TOKENS = (
    b"null", b"[]", b"{}", b"-1", b"1e999", b"\"NaN\"", b"18446744073709551616", b"\\ud800", b"\xff", b"[",
)  # fmt: skip


def damaged(raw: bytes, other: bytes, rng: Random) -> bytes:
    """A body with one to six changes; `other` is one to take pieces from."""
    body = bytearray(raw)
    for _ in range(rng.choice((1, 1, 1, 2, 3, 6))):
        at, step = rng.randrange(len(body) + 1), rng.randrange(1, 9)
        match rng.randrange(11):
            case 0 if at < len(body):
                body[at] = rng.randrange(256)
            case 1 if at < len(body):
                body[at] ^= 1 << rng.randrange(8)
            case 2:
                body[at:at] = rng.randbytes(step)
            case 3:
                del body[at : at + step]
            case 4:
                begin = rng.randrange(len(body) + 1)
                body[at:at] = body[begin : begin + rng.randrange(1, 80)]
            case 5:
                begin = rng.randrange(len(other) + 1)
                body[at : at + step] = other[begin : begin + rng.randrange(1, 80)]
            case 6 if at < len(body):
                body[at] = rng.choice(_TAGS)
            case 7:
                body[at:at] = bytes((rng.choice(_TAGS), 0)) * rng.randrange(1, 90)
            case 8:
                body[at : at + step] = rng.choice(_TOKENS)
            case 9 if rng.random() < 0.2:
                del body[at:]
            case 10 if rng.random() < 0.2:
                body += other
            case _:
                pass
    return bytes(body)
