"""Feedback and Langfuse's calls over HTTP."""

from __future__ import annotations

import pytest
from starlette.testclient import TestClient
from tests.web.fake import FakePages

from assay.errors import StoreFull

TRACE = "0af7651916cd43dd8448eb211c80319c"


def test_feedback_is_taken(client: TestClient, pages: FakePages) -> None:
    reply = client.post("/v1/feedback", json={"trace_id": TRACE, "value": "up"})
    assert (reply.status_code, reply.json()) == (200, {"accepted": 1})
    many = client.post("/v1/feedback", json=[{"conversation_id": "c", "value": 1}] * 3)
    assert many.json() == {"accepted": 3}
    assert [one.trace_id or one.conversation_id for one in pages.door.given] == [TRACE, "c", "c", "c"]


def test_what_is_wrong_is_said_and_whether_to_send_again(client: TestClient, pages: FakePages) -> None:
    reply = client.post("/v1/feedback", json={"value": 1})
    assert reply.status_code == 400
    assert "about what" in reply.json()["message"]
    assert client.post("/v1/feedback", content=b"x" * (5 * 2**20)).status_code == 413
    pages.door.error = StoreFull("200 MB are left")
    full = client.post("/v1/feedback", json={"trace_id": TRACE, "value": 1})
    assert full.status_code == 503
    assert 1 <= int(full.headers["Retry-After"]) <= 5
    assert pages.door.refusals == [(400, "feedback"), (413, "feedback"), (503, "feedback")]


def test_a_note_of_media_is_read_within_the_same_bound(client: TestClient, pages: FakePages) -> None:
    assert client.post("/api/public/media", content=b"x" * (5 * 2**20)).status_code == 413
    for odd in (b"", b"[]", b"{nope", b'{"sha256Hash": "\\ud800"}', b"[" * 100_000):
        assert client.post("/api/public/media", content=odd).status_code == 201
    assert pages.door.given == []


def test_another_site_can_give_none(client: TestClient, pages: FakePages) -> None:
    headers = {"Origin": "https://evil.example", "Content-Type": "text/plain"}
    reply = client.post(
        "/v1/feedback", content=b'{"trace_id": "%s", "value": 1}' % TRACE.encode(), headers=headers
    )
    assert reply.status_code == 403
    assert pages.door.given == []


@pytest.mark.parametrize("authorization", ["", "Basic cGstbGYteDpzay1sZi14"])
def test_langfuse(client: TestClient, pages: FakePages, authorization: str) -> None:
    client.headers["Authorization"] = authorization
    score = {"traceId": TRACE, "name": "good", "value": 1, "id": "s-1"}
    assert client.post("/api/public/scores", json=score).json() == {"id": "s-1"}
    batch = client.post("/api/public/scores", json=[score, score])
    assert (batch.status_code, batch.json()) == (202, {"message": "Accepted"})
    mixed = client.post("/api/public/scores", json=[score, {"name": "x", "value": 1}])
    assert (mixed.status_code, mixed.json()["accepted"], mixed.json()["rejected"]) == (207, 1, 1)
    event = {"id": "e-1", "type": "score-create", "body": score}
    older = client.post("/api/public/ingestion", json={"batch": [event]})
    assert (older.status_code, older.json()) == (
        207,
        {"successes": [{"id": "e-1", "status": 201}], "errors": []},
    )
    assert len(pages.door.given) == 5
    assert client.get("/api/public/health").json()["status"] == "OK"
    assert client.get("/api/public/projects").json()["data"][0]["name"] == pages.project
    media = client.post("/api/public/media", json={"sha256Hash": "abc", "contentType": "image/png"})
    assert media.json()["uploadUrl"] is None
    assert client.patch(f"/api/public/media/{media.json()['mediaId']}", json={}).status_code == 204
