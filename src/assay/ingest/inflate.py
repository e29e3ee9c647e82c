"""Request bodies as they were before compression, within a bound."""

from __future__ import annotations

import zlib

from assay.errors import PayloadError

_STEP_BYTES = 2**20
_GZIP, _ZLIB, _RAW = 31, 15, -15


def inflate(body: bytes, content_encoding: str, max_bytes: int) -> bytes:
    """The body decompressed (gzip, deflate or identity).

    Raises PayloadError: 415 for another encoding, 413 as soon as more than `max_bytes` have come
    out, 400 where the data is damaged. Holds at most `max_bytes` and a little.
    """
    encoding = content_encoding.strip().lower()
    if encoding in ("", "identity"):
        _check(len(body), max_bytes)
        return body
    if encoding in ("gzip", "x-gzip"):
        return _unzip(body, _GZIP, max_bytes, encoding)
    if encoding == "deflate":
        # RFC 9110 means zlib's format; some clients send the bare stream.
        is_zlib = len(body) > 1 and body[0] & 0x0F == 8 and int.from_bytes(body[:2], "big") % 31 == 0
        return _unzip(body, _ZLIB if is_zlib else _RAW, max_bytes, encoding)
    raise PayloadError(
        f"content encoding {content_encoding[:50]!r} is not supported: send gzip, deflate or none",
        http_status=415,
    )


def _unzip(body: bytes, window_bits: int, max_bytes: int, encoding: str) -> bytes:
    pieces: list[bytes] = []
    size_bytes, rest = 0, body
    while rest:
        stream = zlib.decompressobj(window_bits)
        while not stream.eof:
            try:
                piece = stream.decompress(rest, _STEP_BYTES)
            except zlib.error as error:
                raise PayloadError(f"the body is no valid {encoding} data: {error}") from None
            rest = stream.unconsumed_tail
            size_bytes += len(piece)
            _check(size_bytes, max_bytes)
            pieces.append(piece)
            if not piece and not rest and not stream.eof:
                raise PayloadError(f"the {encoding} body ends in the middle: it was cut off on its way")
        # gzip may have several members, one after the other; padding of zeros is customary
        rest = stream.unused_data.lstrip(b"\0") if window_bits == _GZIP else b""
    return b"".join(pieces)


def _check(size_bytes: int, max_bytes: int) -> None:
    if size_bytes > max_bytes:
        raise PayloadError(
            f"the request is larger than {max_bytes / 2**20:.0f} MB after decompression "
            "(ingest.max_request_mb): send smaller batches",
            http_status=413,
        )
