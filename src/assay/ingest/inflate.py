"""Request bodies as they were before compression, within a bound."""

from __future__ import annotations

import zlib
from typing import Any, NamedTuple

import pyarrow as pa

from assay.errors import PayloadError

try:  # three times as fast; not on every platform
    from isal import isal_zlib

    _unzipper: Any = isal_zlib
except ImportError:
    _unzipper = zlib

PROTOBUF, JSON = "application/x-protobuf", "application/json"

_STEP_BYTES = 2**20
_GZIP, _ZLIB, _RAW = 31, 15, -15
_SYNONYMS = {"application/protobuf": PROTOBUF, "application/vnd.google.protobuf": PROTOBUF, "text/json": JSON}


class Content(NamedTuple):
    """A body as it was before compression; `is_json` if it is no protobuf."""

    raw: bytes
    is_json: bool


def unpack(body: bytes, content_type: str, content_encoding: str, max_bytes: int) -> Content:
    """The content of a request. Raises PayloadError: as `inflate`, and 415 for another content type."""
    media = media_type(content_type)
    if media not in (PROTOBUF, JSON):
        raise PayloadError(
            f"content type {content_type[:100]!r} is not supported: send {PROTOBUF} or {JSON}",
            http_status=415,
        )
    return Content(inflate(body, content_encoding, max_bytes), media == JSON)


def media_type(content_type: str) -> str:
    """Without parameters, in lower case, and by the name that OTLP uses."""
    named = content_type.partition(";")[0].strip().lower()
    return _SYNONYMS.get(named, named)


def inflate(body: bytes, content_encoding: str, max_bytes: int) -> bytes:
    """The body decompressed (gzip, deflate, zstd or identity).

    Raises PayloadError: 415 for another encoding, 413 as soon as more than `max_bytes` have come
    out, 400 where the data is damaged. Holds at most `max_bytes` and a little.
    """
    encoding = content_encoding.strip().lower()
    if encoding in ("", "identity"):
        _check(len(body), max_bytes)
        return body
    if encoding in ("gzip", "x-gzip"):
        # The last four bytes say how large it was: what is too large is read without being held.
        if int.from_bytes(body[-4:], "little") > max_bytes:
            _unzip(body, _GZIP, max_bytes, encoding, keep=False)
        return _unzip(body, _GZIP, max_bytes, encoding)
    if encoding == "deflate":
        # RFC 9110 means zlib's format; some clients send the bare stream.
        is_zlib = len(body) > 1 and body[0] & 0x0F == 8 and int.from_bytes(body[:2], "big") % 31 == 0
        return _unzip(body, _ZLIB if is_zlib else _RAW, max_bytes, encoding)
    if encoding == "zstd":
        return _unzstd(body, max_bytes)
    raise PayloadError(
        f"content encoding {content_encoding[:50]!r} is not supported: send gzip, deflate, zstd or none",
        http_status=415,
    )


def _unzip(body: bytes, window_bits: int, max_bytes: int, encoding: str, *, keep: bool = True) -> bytes:
    pieces: list[bytes] = []
    size_bytes, rest = 0, body
    while rest:
        stream = _unzipper.decompressobj(window_bits)
        while not stream.eof:
            try:
                piece = stream.decompress(rest, _STEP_BYTES)
            except _unzipper.error as error:
                raise PayloadError(f"the body is no valid {encoding} data: {error}") from None
            rest = stream.unconsumed_tail
            size_bytes += len(piece)
            _check(size_bytes, max_bytes)
            if keep:
                pieces.append(piece)
            if not piece and not rest and not stream.eof:
                raise PayloadError(f"the {encoding} body ends in the middle: it was cut off on its way")
        # gzip may have several members, one after the other; padding of zeros is customary
        rest = stream.unused_data.lstrip(b"\0") if window_bits == _GZIP else b""
    return b"".join(pieces)


def _unzstd(body: bytes, max_bytes: int) -> bytes:
    pieces: list[bytes] = []
    size_bytes = 0
    try:
        with pa.CompressedInputStream(pa.BufferReader(body), "zstd") as stream:
            while piece := stream.read(_STEP_BYTES):
                size_bytes += len(piece)
                _check(size_bytes, max_bytes)
                pieces.append(piece)
    except OSError as error:
        raise PayloadError(f"the body is no valid zstd data: {error}") from None
    return b"".join(pieces)


def _check(size_bytes: int, max_bytes: int) -> None:
    if size_bytes > max_bytes:
        raise PayloadError(
            f"the request is larger than {max_bytes / 2**20:.0f} MB after decompression "
            "(ingest.max_request_mb): send smaller batches",
            http_status=413,
        )
