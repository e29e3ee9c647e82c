"""A project behind a server answers and refuses as the project itself would."""

from __future__ import annotations

import json

import httpx
import pytest

from assay.app.hold import Holder
from assay.app.remote import RemoteApplication
from assay.app.requests import LogsRequest, RecordRequest, SpansRequest
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


def answering(*responses: httpx.Response | Exception) -> tuple[RemoteApplication, list[float]]:
    """A project whose server answers so, one after another; and how long was waited between."""
    left, waits = list(responses), list[float]()

    def answer(_: httpx.Request) -> httpx.Response:
        one = left.pop(0)
        if isinstance(one, Exception):
            raise one
        return one

    return RemoteApplication(HOLDER, httpx.MockTransport(answer), sleep=waits.append), waits


def error(status: int, kind: str, message: str, **headers: str) -> httpx.Response:
    return httpx.Response(
        status, content=lines({"error": {"type": kind, "message": message}}), headers=headers
    )


def test_spans_are_sent_again_while_the_server_is_busy_or_away() -> None:
    project, waits = answering(
        httpx.ConnectError("refused"),
        httpx.ReadError("reset"),
        error(503, "StoreError", "full", **{"Retry-After": "7"}),
        error(429, "PayloadError", "too many"),
        httpx.Response(502, content=b"<html>"),
        httpx.Response(200, content=lines({"error": {"type": "StoreFull", "message": "no disk"}})),
        httpx.Response(200, content=lines({"result": {"rows": 3}})),
    )
    stages: list[str] = []
    written = project.spans(SpansRequest(arrow=b"x"), lambda stage, done, total: stages.append(stage))
    assert written.rows == 3
    assert waits == [0.5, 1.0, 7.0, 4.0, 8.0, 16.0]
    assert stages == ["waiting for the server"] * 6
    project.close()


def test_a_server_that_stays_away_is_said_in_the_end() -> None:
    project, waits = answering(*[httpx.ConnectError("refused")] * 9)
    with pytest.raises(StoreError, match="stopped answering"):
        project.spans(SpansRequest(arrow=b"x"))
    assert sum(waits) == 91.5
    project.close()


def test_what_is_wrong_with_a_request_is_not_sent_again() -> None:
    project, waits = answering(error(413, "PayloadError", "too large"))
    with pytest.raises(PayloadError, match="too large") as caught:
        project.spans(SpansRequest(arrow=b"x"))
    assert (caught.value.http_status, waits) == (413, [])
    project.close()


def test_a_server_that_was_started_again_is_found_where_it_is_now() -> None:
    asked: list[tuple[str, str]] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append((str(request.url.host), request.headers["x-assay-token"]))
        if request.url.host != "127.0.0.3":
            raise httpx.ConnectError("refused")
        if request.headers["x-assay-token"] != "new":
            return error(403, "CallerError", "X-Assay-Token is missing or wrong")
        return httpx.Response(200, content=lines({"result": {"rows": 1}}))

    def holder(host: str, token: str) -> Holder:
        return Holder(pid=1, command="serve", address=f"http://{host}:1", token=token)

    found = [None, holder("127.0.0.2", "b"), holder("127.0.0.2", "b"), holder("127.0.0.3", "old")]
    found += [holder("127.0.0.3", "new")] * 2
    project = RemoteApplication(
        holder("127.0.0.1", "a"),
        httpx.MockTransport(answer),
        sleep=lambda _: None,
        find=lambda: found.pop(0),
    )
    assert project.spans(SpansRequest(arrow=b"x")).rows == 1
    assert asked == [("127.0.0.1", "a"), ("127.0.0.2", "b"), ("127.0.0.3", "old"), ("127.0.0.3", "new")]
    project.close()


def test_a_wrong_token_is_not_tried_again() -> None:
    project, waits = answering(error(403, "CallerError", "X-Assay-Token is missing or wrong"))
    with pytest.raises(CallerError, match="X-Assay-Token"):
        project.spans(SpansRequest(arrow=b"x"))
    assert waits == []
    project.close()
