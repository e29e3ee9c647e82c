"""The server: a free port, a clear refusal of a taken one, and a clean end."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import textwrap
import threading

import httpx
import pytest
from tests.web.fake import FakePages

from assay.errors import ConfigError
from assay.web.serve import address_of, listen, serve_in_thread
from assay.web.site import create_web


def test_a_server_in_a_thread_answers_and_stops() -> None:
    serving = serve_in_thread(create_web(FakePages(), warm=False))
    reply = httpx.get(serving.address + "/healthz")
    assert (reply.status_code, reply.text) == (200, "ok\n")
    assert "server" not in reply.headers
    serving.stop()
    serving.stop()
    with pytest.raises(httpx.ConnectError):
        httpx.get(serving.address + "/healthz")
    assert not [thread for thread in threading.enumerate() if thread.name == "assay-web"]


def test_a_taken_port_is_a_sentence() -> None:
    with listen("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ConfigError, match=f"can't listen on 127.0.0.1:{port}: .*--port"):
            serve_in_thread(create_web(FakePages(), warm=False), port=port)


def test_addresses_for_a_browser() -> None:
    with listen("0.0.0.0", 0) as everywhere:
        assert address_of(everywhere) == f"http://127.0.0.1:{everywhere.getsockname()[1]}"
    if socket.has_ipv6:
        try:
            with listen("::1", 0) as six:
                assert address_of(six) == f"http://[::1]:{six.getsockname()[1]}"
        except ConfigError:
            pytest.skip("this machine has no IPv6")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_server_and_returns_to_the_caller(number: signal.Signals) -> None:
    script = """
        from starlette.applications import Starlette
        from assay.web.serve import serve
        serve(Starlette(), host="127.0.0.1", port=0, on_ready=lambda address: print(address, flush=True))
        print("closed", flush=True)
    """
    process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(script)], stdout=subprocess.PIPE, text=True, env=os.environ
    )
    with process:
        assert process.stdout is not None
        assert process.stdout.readline().startswith("http://127.0.0.1:")
        process.send_signal(number)
        assert process.stdout.readline() == "closed\n"
        assert process.wait(10) == 0
