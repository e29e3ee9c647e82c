"""Another site's page can neither read nor post, whatever name it gives this machine."""

from __future__ import annotations

import pytest
from starlette.testclient import TestClient
from tests.web.fake import TOKEN, FakePages

from assay.web.guard import HEADERS
from assay.web.site import create_web


@pytest.mark.parametrize(
    "host",
    ["localhost", "localhost:4318", "127.0.0.1:4318", "[::1]:4318", "LOCALHOST.", "demo.localhost:80"],
)
def test_names_of_this_machine_are_answered(client: TestClient, host: str) -> None:
    assert client.get("/", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "localhost.evil.example",
        "127.0.0.1.nip.io",
        "127.0.0.1@evil",
        "",
        "[::1",
        "a b",
        "10.0.0.7",
    ],
)
def test_other_names_are_refused(client: TestClient, pages: FakePages, host: str) -> None:
    for path in ("/", "/api/report", "/static/assay.css"):
        response = client.get(path, headers={"Host": host})
        assert response.status_code == 421
        assert response.headers["Content-Security-Policy"] == HEADERS["Content-Security-Policy"]
    assert client.post("/v1/traces", headers={"Host": host}).status_code == 421
    assert pages.windows == []


def test_allowed_hosts_and_the_wild_card() -> None:
    for allowed in (["assay.example"], ["*"]):
        client = TestClient(create_web(FakePages(), warm=False, allowed_hosts=allowed))
        assert client.get("/logs", headers={"Host": "Assay.Example:8443"}).status_code == 200
        assert client.get("/logs", headers={"Host": "127.0.0.1"}).status_code == 200


def test_probes_may_use_any_name(client: TestClient) -> None:
    response = client.get("/healthz", headers={"Host": "10.1.2.3:4318"})
    assert (response.status_code, response.text) == (200, "ok\n")


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": "http://localhost", "Sec-Fetch-Site": "cross-site"},
    ],
)
def test_posts_of_other_sites_are_refused(client: TestClient, headers: dict[str, str]) -> None:
    response = client.post("/api/run/sample", headers={**headers, "X-Assay-Token": TOKEN})
    assert response.status_code == 403


def test_own_pages_and_programs_may_post(client: TestClient) -> None:
    for headers in ({}, {"Origin": "http://localhost", "Sec-Fetch-Site": "same-origin"}):
        response = client.post("/api/run/sample", headers={**headers, "X-Assay-Token": TOKEN})
        assert response.status_code == 200


def test_other_sites_get_no_leave_to_read(client: TestClient) -> None:
    response = client.get("/api/report", headers={"Origin": "https://evil.example"})
    assert not [name for name in response.headers if name.startswith("access-control")]
    assert response.headers["Cross-Origin-Resource-Policy"] == "same-origin"
