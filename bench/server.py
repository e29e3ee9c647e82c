"""A server in a process of its own, for as long as a block runs; `assay serve` above all."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any, NamedTuple

PATIENCE_S = 30.0


class Server(NamedTuple):
    pid: int
    port: int

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


@contextmanager
def serve(folder: Path, wait_s: float = 60.0) -> Iterator[Server]:
    """Serve the project in `folder` on a free port, and stop when the block ends."""
    port = free_port()
    command = [sys.executable, "-m", "assay.cli", "serve", "--port", str(port)]
    with run(command, folder, port, ready="/healthz", wait_s=wait_s) as server:
        yield server


@contextmanager
def run(
    command: Sequence[str],
    folder: Path,
    port: int,
    *,
    ready: str,
    environ: Mapping[str, str] | None = None,
    wait_s: float = 120.0,
) -> Iterator[Server]:
    """Run a server in `folder`, with its output in `serve.log` there, once `ready` answers 200."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that the server ends with the benchmark
    path = folder / "serve.log"
    with path.open("a", encoding="utf-8") as log:
        child = subprocess.Popen(
            command,
            cwd=folder,
            stdout=log,
            stderr=subprocess.STDOUT,
            env={**os.environ, **(environ or {})},
            start_new_session=True,
        )
        try:
            _wait(command[0], port, ready, child, path, time.monotonic() + wait_s)
            yield Server(child.pid, port)
        finally:
            end(child)


def end(child: subprocess.Popen[bytes], wait_s: float = 60.0) -> None:
    """Ask it to stop; what is left of it and its children after a while is killed."""
    if child.poll() is None:
        child.terminate()
    with suppress(subprocess.TimeoutExpired):
        child.wait(wait_s)
    kill(child.pid)
    child.wait()


def kill(pid: int) -> None:
    """End a server that `run` started and all its children, at once."""
    with suppress(ProcessLookupError):  # all of them have ended
        os.killpg(pid, signal.SIGKILL)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def get(port: int, path: str) -> tuple[float, bytes]:
    """Seconds for the whole answer, and its body; anything but 200 ends the benchmark."""
    return ask(port, "GET", path)


def get_json(port: int, path: str) -> Any:
    return json.loads(get(port, path)[1])


def post_json(port: int, path: str, tree: object, headers: Mapping[str, str] | None = None) -> Any:
    """The answer to a JSON document."""
    return json.loads(ask(port, "POST", path, json.dumps(tree).encode(), headers)[1])


def ask(
    port: int, method: str, path: str, body: bytes | None = None, headers: Mapping[str, str] | None = None
) -> tuple[float, bytes]:
    """Seconds for the whole answer, and its body; anything but 200 ends the benchmark, and after
    `PATIENCE_S` there is a TimeoutError."""
    link = HTTPConnection("127.0.0.1", port, timeout=PATIENCE_S)
    told = (
        {"Content-Type": "application/json", **(headers or {})} if body is not None else dict(headers or {})
    )
    began = time.perf_counter()
    link.request(method, path, body, told)
    answer = link.getresponse()
    content = answer.read()
    took_s = time.perf_counter() - began
    link.close()
    if answer.status != 200:
        raise SystemExit(f"{method} {path}: {answer.status} {content[:500]!r}")
    return took_s, content


def _wait(name: str, port: int, ready: str, child: subprocess.Popen[bytes], log: Path, until: float) -> None:
    while time.monotonic() < until and child.poll() is None:
        try:
            get(port, ready)
        except (OSError, HTTPException, SystemExit):
            time.sleep(0.1)
        else:
            return
    raise SystemExit(f"{name} did not start:\n{log.read_text(encoding='utf-8')[-2000:]}")
