"""A real `assay serve` in a process of its own, for as long as a block runs."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any, NamedTuple


class Server(NamedTuple):
    pid: int
    port: int

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


@contextmanager
def serve(folder: Path, wait_s: float = 60.0) -> Iterator[Server]:
    """Serve the project in `folder` on a free port, and stop when the block ends."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that the server ends with the benchmark
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with open(folder / "serve.log", "w", encoding="utf-8") as log:
        command = [sys.executable, "-m", "assay.cli", "serve", "--port", str(port)]
        child = subprocess.Popen(command, cwd=folder, stdout=log, stderr=subprocess.STDOUT)
        try:
            _wait(port, child, folder / "serve.log", time.monotonic() + wait_s)
            yield Server(child.pid, port)
        finally:
            child.terminate()
            try:
                child.wait(30)
            except subprocess.TimeoutExpired:
                child.kill()


def get(port: int, path: str) -> tuple[float, bytes]:
    """Seconds for the whole answer, and its body; anything but 200 ends the benchmark."""
    link = HTTPConnection("127.0.0.1", port, timeout=120)
    began = time.perf_counter()
    link.request("GET", path)
    answer = link.getresponse()
    body = answer.read()
    took_s = time.perf_counter() - began
    link.close()
    if answer.status != 200:
        raise SystemExit(f"GET {path}: {answer.status} {body[:300]!r}")
    return took_s, body


def get_json(port: int, path: str) -> Any:
    return json.loads(get(port, path)[1])


def _wait(port: int, child: subprocess.Popen[bytes], log: Path, until: float) -> None:
    while time.monotonic() < until and child.poll() is None:
        try:
            get(port, "/healthz")
        except (OSError, HTTPException):
            time.sleep(0.1)
        else:
            return
    raise SystemExit(f"assay serve did not start:\n{log.read_text(encoding='utf-8')[-2000:]}")
