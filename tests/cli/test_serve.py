"""What `assay serve` makes of the settings."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient
from starlette.types import ASGIApp
from tests.web.fake import FakePages

from assay.cli.serve import serve

SETTINGS = """
[server]
port = 4444
grpc_port = -1
allowed_hosts = ["assay.example"]
[ingest]
max_request_mb = 0.001
"""


class Project(FakePages):
    """Pages that can be closed."""

    closed = False

    def close(self) -> None:
        self.closed = True


def test_the_settings_reach_the_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "assay.toml").write_text(SETTINGS)
    project, given = Project(), dict[str, Any]()

    def run(app: ASGIApp, **options: Any) -> None:
        given.update(options, app=app)

    monkeypatch.setattr("assay.app.open.open_application", lambda settings, command: project)
    monkeypatch.setattr("assay.app.live.settle_regularly", lambda application, every_s, **how: nullcontext())
    monkeypatch.setattr("assay.web.serve.serve", run)
    serve(config=tmp_path)
    assert (given["host"], given["port"]) == ("127.0.0.1", 4444)
    assert project.closed
    client = TestClient(given["app"], base_url="http://assay.example")
    sizes = {size: client.post("/v1/traces", content=b" " * size).status_code for size in (1000, 1100)}
    assert sizes[1100] == 413
    assert sizes[1000] == 200
    assert project.door.started
    assert TestClient(given["app"], base_url="http://evil.example").get("/").status_code == 421
