"""ClickHouse's HTTP interface, as far as the driver uses it, over the embedded engine.

No server, but what stands between assay and one is real: the driver, HTTP, parameters and formats.
Run as a program: `standin.py FOLDER` prints the port and answers until its standard input ends."""

from __future__ import annotations

import os
import re
import sys
import tempfile
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

TRANSPORT = {"query", "query_id", "database", "session_id", "default_format", "client_protocol_version"} | {
    "wait_end_of_query",
    "buffer_size",
    "enable_http_compression",
    "send_progress_in_http_headers",
    "http_headers_progress_interval_ms",
    "cancel_http_readonly_queries_on_client_close",
    "role",
}
FORMAT = re.compile(r"\s+FORMAT\s+(\w+)\s*;?\s*$", re.IGNORECASE)


def serve(folder: Path) -> None:
    from chdb import dbapi  # noqa: F401  # the engine says here whether it can be loaded
    from chdb.state import sqlitelike

    connection = sqlitelike.Connection(f"{folder}?max_server_memory_usage=1200000000")
    lock = threading.Lock()

    def run(sql: str, form: str, settings: dict[str, str], bound: dict[str, str]) -> bytes:
        with lock:
            for name, value in settings.items():
                escaped = value.replace("\\", "\\\\").replace("'", "\\'")
                connection.query(f"SET {name} = '{escaped}'", "Null")
            try:
                return bytes(connection.query(sql, form, params=bound).bytes())
            finally:
                for name in settings:  # they are of this request alone
                    connection.query(f"SET {name} = DEFAULT", "Null")

    class Answer(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self._send(200, b"Ok.\n", {})

        def do_POST(self) -> None:
            given = dict(parse_qsl(urlsplit(self.path).query, keep_blank_values=True))
            body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
            bound = {name[6:]: value for name, value in given.items() if name.startswith("param_")}
            settings = {
                name: value
                for name, value in given.items()
                if name not in TRANSPORT and not name.startswith("param_")
            }
            sql = given.get("query", "")
            database = given.get("database", "")
            try:
                if database and database not in ("default", "__default__"):
                    run(f"USE {database}", "Null", {}, {})
                if sql and body:
                    answer = self._insert(sql, body, settings, bound)
                else:
                    answer = self._ask(sql or body.decode(), settings, bound)
            except Exception as error:  # what the engine says goes to the driver, as a server's would
                text = str(error)
                code = re.search(r"Code: (\d+)", text)
                number = code[1] if code else "1"
                self._send(500, text.encode(), {"X-ClickHouse-Exception-Code": number})
                return
            self._send(200, answer, {"X-ClickHouse-Summary": "{}", "X-ClickHouse-Timezone": "UTC"})

        def _ask(self, sql: str, settings: dict[str, str], bound: dict[str, str]) -> bytes:
            found = FORMAT.search(sql)
            form = found[1] if found else "TabSeparated"
            return run(FORMAT.sub("", sql), form, settings, bound)

        def _insert(self, sql: str, body: bytes, settings: dict[str, str], bound: dict[str, str]) -> bytes:
            found = FORMAT.search(sql)
            assert found is not None
            with tempfile.NamedTemporaryFile() as rows:
                rows.write(body)
                rows.flush()
                into = FORMAT.sub("", sql)
                return run(f"{into} FROM INFILE '{rows.name}' FORMAT {found[1]}", "Null", settings, bound)

        def _send(self, status: int, body: bytes, headers: dict[str, str]) -> None:
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *arguments: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    print(server.server_address[1], flush=True)  # for whoever started this
    threading.Thread(target=server.serve_forever, daemon=True).start()
    sys.stdin.read()
    os._exit(0)  # the engine takes minutes to end in order; the folder is only a test's


if __name__ == "__main__":
    serve(Path(sys.argv[1]))
