"""Senders that stop in the middle are given up, and take no one's place meanwhile."""

from __future__ import annotations

import asyncio
import random
from typing import Any

import pytest
from starlette.requests import Request
from starlette.types import Message, Receive
from tests.web.door import FakeDoor

from assay.errors import PayloadError
from assay.web.body import Intake
from assay.web.receive import Receiver

SCOPE: dict[str, Any] = {
    "type": "http",
    "method": "POST",
    "path": "/v1/traces",
    "headers": [(b"content-type", b"application/x-protobuf"), (b"host", b"localhost")],
}


def sends(*chunks: bytes, whole: bool = False) -> Receive:
    """A sender of these chunks, after which nothing comes unless they are `whole`."""
    left = list(chunks)

    async def receive() -> Message:
        if not left:
            await asyncio.Event().wait()
        chunk = left.pop(0)
        return {"type": "http.request", "body": chunk, "more_body": bool(left) or not whole}

    return receive


def test_a_stalled_request_is_answered_and_let_go() -> None:
    door = FakeDoor()

    async def nothing(*_: Any) -> None:
        raise AssertionError("it is the receiver's")

    receiver = Receiver(
        nothing,
        lambda: door,
        host_allowed=lambda host: True,
        rng=random.Random(1),
        most_waiting_bytes=150,
        patience_s=0.01,
    )

    async def ask(receive: Receive) -> tuple[int, dict[bytes, bytes]]:
        told: list[Message] = []

        async def send(message: Message) -> None:
            told.append(message)

        await receiver(SCOPE, receive, send)
        return told[0]["status"], dict(told[0]["headers"])

    async def run() -> None:
        status, headers = await ask(sends(b"x" * 60, b"x" * 40))
        assert (status, headers[b"connection"]) == (408, b"close")
        assert (await ask(sends(b"x" * 100, whole=True)))[0] == 200

    asyncio.run(asyncio.wait_for(run(), 30))
    assert door.refusals == [(408, "http")]
    assert [len(one.body) for one in door.arrivals] == [100]


def test_what_is_read_for_a_view_is_let_go_as_well() -> None:
    intake = Intake(most_waiting=150, patience_s=0.01)

    async def run() -> bytes:
        with pytest.raises(PayloadError, match="nothing more") as stalled:
            async with intake.read(Request(SCOPE, sends(b"x" * 100))):
                raise AssertionError("it is not whole")
        assert stalled.value.http_status == 408
        async with intake.read(Request(SCOPE, sends(b"x" * 60, b"y" * 40, whole=True))) as body:
            await asyncio.sleep(0.02)  # what is done with it may take longer
            return body

    assert asyncio.run(asyncio.wait_for(run(), 30)) == b"x" * 60 + b"y" * 40
