"""Run the pages: in the foreground until a signal, or in a thread until told to stop."""

from __future__ import annotations

import signal
import socket
import threading
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from types import FrameType

import uvicorn
from starlette.types import ASGIApp

from assay.errors import ConfigError
from assay.web.base import Pages
from assay.web.body import MEBIBYTE
from assay.web.site import create_web

GRACE_S = 10
KEEP_ALIVE_S = 65
"""Longer than exporters pause between batches, so that they need not connect anew each time."""


class Server(uvicorn.Server):
    """uvicorn, saying when it answers, and returning from a signal so that the caller can close."""

    def __init__(self, app: ASGIApp, on_ready: Callable[[], None]) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                access_log=False,
                log_config=None,
                server_header=False,
                ws="none",
                timeout_keep_alive=KEEP_ALIVE_S,
                timeout_graceful_shutdown=GRACE_S,
            )
        )
        self._on_ready = on_ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started and not self.should_exit:
            self._on_ready()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """As uvicorn does, but a signal that stopped the server does not then kill the process."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return

        def stop(number: int, frame: FrameType | None) -> None:
            self.handle_exit(number, frame)

        before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


class Serving:
    """A server in a thread of its own. `address` is where it answers."""

    def __init__(self, server: Server, thread: threading.Thread, address: str) -> None:
        self._server = server
        self._thread = thread
        self.address = address

    def stop(self) -> None:
        """Let running requests end, then stop. Stopping twice is harmless."""
        self._server.should_exit = True
        self._thread.join()


def serve(app: ASGIApp, *, host: str, port: int, on_ready: Callable[[str], None]) -> None:
    """Serve until SIGINT or SIGTERM. Port 0 takes a free one; `on_ready` gets the address.

    Raises ConfigError where the address can't be listened on."""
    listener = listen(host, port)
    address = address_of(listener)
    with listener:
        Server(app, lambda: on_ready(address)).run([listener])


def serve_project(
    app: Pages,
    *,
    host: str,
    port: int,
    on_ready: Callable[[str], None],
    allowed_hosts: Collection[str] = (),
    most_request_bytes: int = 64 * MEBIBYTE,
    decides: bool = True,
) -> None:
    """`serve` the pages of a project. A trace request may have `most_request_bytes`."""
    web = create_web(
        app,
        allowed_hosts=allowed_hosts,
        decides=decides,
        most_request_bytes=most_request_bytes,
        most_waiting_bytes=max(256 * MEBIBYTE, 2 * most_request_bytes),
    )
    serve(web, host=host, port=port, on_ready=on_ready)


def serve_in_thread(app: ASGIApp, *, host: str = "127.0.0.1", port: int = 0) -> Serving:
    """Serve beside the caller; returns once it answers.

    Raises ConfigError where the address can't be listened on or the application can't start."""
    listener = listen(host, port)
    ready = threading.Event()
    server = Server(app, ready.set)

    def run() -> None:
        with listener:
            try:
                server.run([listener])
            finally:
                ready.set()

    thread = threading.Thread(target=run, name="assay-web", daemon=True)
    address = address_of(listener)
    thread.start()
    ready.wait()
    if not server.started:
        thread.join()
        raise ConfigError(f"the pages could not start at {address}; the log says why")
    return Serving(server, thread, address)


def listen(host: str, port: int) -> socket.socket:
    """A listening socket, or ConfigError that says what to do."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=2048)
    except OSError as error:
        raise ConfigError(
            f"can't listen on {host}:{port}: {error.strerror or error}; choose another with --port, "
            "or stop what listens there"
        ) from error


def address_of(listener: socket.socket) -> str:
    """The address for a browser on this machine."""
    host, port = listener.getsockname()[:2]
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104  read, not bound
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
