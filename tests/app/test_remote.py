"""A project behind a server answers and refuses as the project itself would."""

from __future__ import annotations

import json

import httpx
import pytest

from assay.app.hold import Holder
from assay.app.remote import RemoteApplication
from assay.app.requests import LogsRequest, RecordRequest
from assay.errors import CallerError, PayloadError, StoreError

HOLDER = Holder(pid=1, command="serve", address="http://127.0.0.1:1", token="t")
ODD = "line\u2028paragraph\u2029next\u0085form\x0cend"


def remote(status: int, body: bytes) -> RemoteApplication:
    transport = httpx.MockTransport(lambda _: httpx.Response(status, content=body))
    return RemoteApplication(HOLDER, transport)


def lines(*messages: object) -> bytes:
    return b"".join(json.dumps(message, ensure_ascii=False).encode() + b"\n" for message in messages)


def test_text_with_every_line_separator_arrives_whole() -> None:
    page = {"unit": "conversation", "filter": ODD, "total": 0, "rows": [], "next": None}
    project = remote(200, lines({"progress": [ODD, 1, None]}, {"result": page}))
    stages: list[str] = []
    answer = project.logs(LogsRequest(), lambda stage, done, total: stages.append(stage))
    assert answer.filter == ODD
    assert stages == [ODD]
    project.close()


@pytest.mark.parametrize("status", [200, 413])
def test_an_error_comes_back_as_its_own_class(status: int) -> None:
    body = lines({"error": {"type": "PayloadError", "message": "too large"}})
    project = remote(status, body)
    with pytest.raises(PayloadError, match=r"^too large$") as caught:
        project.record(RecordRequest(metric="m", kind="human", marks=()))
    assert caught.value.exit_code == CallerError.exit_code
    project.close()


@pytest.mark.parametrize("body", [b"<html>", b"[]", b'{"error": 3}', b"{}"])
def test_an_answer_of_something_else_is_quoted(body: bytes) -> None:
    project = remote(502, body)
    with pytest.raises(StoreError, match="answered 502"):
        project.logs(LogsRequest())
    project.close()


def test_an_answer_that_ends_early_is_an_error() -> None:
    project = remote(200, lines({"progress": ["sample", 1, 2]}))
    with pytest.raises(StoreError, match="closed the connection"):
        project.logs(LogsRequest())
    project.close()
