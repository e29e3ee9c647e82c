"""A bucket on this machine: as much of S3's protocol as reading needs."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import escape

MODIFIED = 1_777_888_800  # 2026-05-04 10:00 UTC


@contextmanager
def serve_bucket(name: str, objects: dict[str, bytes]) -> Iterator[tuple[str, list[str]]]:
    """Serve the objects of a bucket; its endpoint, and the keys that were read, as they are."""
    read: list[str] = []

    class Answers(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_HEAD(self) -> None:
            body = objects.get(self._key())
            if body is None:
                self._answer(404, b"", 0)
            else:
                self._answer(200, b"", len(body))

        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            query = parse_qs(parts.query)
            if "list-type" in query:
                listing = _listing(name, objects, query).encode()
                self._answer(200, listing, len(listing))
                return
            body = objects.get(self._key())
            if body is None:
                self._answer(404, b"", 0)
                return
            read.append(self._key())
            first, last = 0, len(body) - 1
            if asked := self.headers.get("Range", ""):
                low, _, high = asked.removeprefix("bytes=").partition("-")
                first, last = int(low), min(int(high or last), last)
            part = body[first : last + 1]
            self._answer(206 if asked else 200, part, len(part), f"bytes {first}-{last}/{len(body)}")

        def _key(self) -> str:
            return unquote(urlsplit(self.path).path).removeprefix(f"/{name}").lstrip("/")

        def _answer(self, status: int, body: bytes, length: int, span: str = "") -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(length))
            self.send_header("Last-Modified", formatdate(MODIFIED, usegmt=True))
            self.send_header("ETag", '"e"')
            if span:
                self.send_header("Content-Range", span)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"127.0.0.1:{server.server_address[1]}", read
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _listing(name: str, objects: dict[str, bytes], query: dict[str, list[str]]) -> str:
    prefix, delimiter = query.get("prefix", [""])[0], query.get("delimiter", [""])[0]
    contents, folders = [], set()
    for key, body in sorted(objects.items()):
        rest = key.removeprefix(prefix)
        if not key.startswith(prefix):
            continue
        if delimiter and delimiter in rest:
            folders.add(prefix + rest.split(delimiter)[0] + delimiter)
        else:
            contents.append(
                f"<Contents><Key>{escape(key)}</Key><LastModified>2026-05-04T10:00:00.000Z</LastModified>"
                f'<ETag>"e"</ETag><Size>{len(body)}</Size><StorageClass>STANDARD</StorageClass></Contents>'
            )
    common = "".join(f"<CommonPrefixes><Prefix>{escape(one)}</Prefix></CommonPrefixes>" for one in folders)
    return (
        '<?xml version="1.0" encoding="UTF-8"?>'
        '<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
        f"<Name>{name}</Name><Prefix>{escape(prefix)}</Prefix><KeyCount>{len(contents)}</KeyCount>"
        f"<MaxKeys>1000</MaxKeys><IsTruncated>false</IsTruncated>{''.join(contents)}{common}</ListBucketResult>"
    )
