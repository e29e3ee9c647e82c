"""Bodies as they were before compression, within a bound."""

from __future__ import annotations

import gzip
import resource
import zlib
from contextlib import suppress

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assay.errors import PayloadError
from assay.ingest.inflate import inflate

BODY = b"".join(str(i).encode() for i in range(200_000))


def packed(body: bytes) -> list[tuple[bytes, str]]:
    bare = zlib.compressobj(wbits=-15)
    return [
        (gzip.compress(body), "gzip"),
        (gzip.compress(body[:50]) + gzip.compress(body[50:]) + bytes(9), "x-gzip"),
        (zlib.compress(body), "deflate"),
        (bare.compress(body) + bare.flush(), "DEFLATE"),
        (pa.compress(body, codec="zstd", asbytes=True), "zstd"),
        (body, "identity"),
        (body, ""),
    ]


@pytest.mark.parametrize("body", [b"", b"x", BODY], ids=["empty", "one", "large"])
def test_compressed_bodies_are_read(body: bytes) -> None:
    for content, encoding in packed(body):
        assert inflate(content, encoding, len(body)) == body


@pytest.mark.parametrize("encoding", ["gzip", "x-gzip", "deflate", "DEFLATE", "zstd"])
def test_bodies_that_are_cut_off_or_damaged_are_refused(encoding: str) -> None:
    body = next(content for content, name in packed(BODY) if name == encoding)
    broken_bodies = [body[:-10], body[: len(body) // 2], b"garbage" * 9]
    if encoding != "zstd":  # it comes without a checksum
        broken_bodies.append(body[:100] + b"\xff" * 50 + body[150:])
    for broken in broken_bodies:
        with pytest.raises(PayloadError) as refused:
            inflate(broken, encoding, 2**24)
        assert refused.value.http_status == 400


def test_a_wrong_checksum_is_seen() -> None:
    body = gzip.compress(BODY)
    with pytest.raises(PayloadError, match="no valid gzip data"):
        inflate(body[:-8] + bytes(4) + body[-4:], "gzip", 2**24)


@pytest.mark.parametrize("encoding", ["gzip", "zstd"])
def test_a_bomb_is_refused_in_little_memory(encoding: str) -> None:
    if encoding == "gzip":
        bomb = gzip.compress(bytes(2**24), 6) * 20  # 320 MB, in 20 members
    else:
        bomb = pa.compress(bytes(320 * 2**20), codec="zstd", asbytes=True)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(PayloadError, match="64 MB") as refused:
        inflate(bomb, encoding, 64 * 2**20)
    assert refused.value.http_status == 413
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 150_000


@settings(max_examples=200, deadline=None)
@given(
    at=st.integers(0, 10_000),
    junk=st.binary(max_size=8),
    which=st.integers(0, 4),
)
def test_damage_is_a_refusal_and_never_more(at: int, junk: bytes, which: int) -> None:
    body, encoding = packed(BODY[:3000])[which]
    at %= len(body)
    with suppress(PayloadError):
        inflate(body[:at] + junk + body[at + len(junk) :], encoding, 2**20)
