"""The web application over a fake project."""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest
from starlette.testclient import TestClient
from tests.web.fake import EMPTY, FakePages

from assay.web.charts import Charts
from assay.web.site import create_web

LOCAL = "http://localhost"


@pytest.fixture
def pages() -> FakePages:
    """A project with data; tests change it before they ask."""
    return FakePages()


@pytest.fixture(scope="session")
def charts() -> Charts:
    """Drawings that tests share: each takes a while."""
    return Charts()


@pytest.fixture
def client(pages: FakePages, charts: Charts) -> Iterator[TestClient]:
    """A client of the pages, on this machine."""
    web = create_web(pages, warm=False, rng=random.Random(1), charts=charts)
    with TestClient(web, base_url=LOCAL) as made:
        yield made


@pytest.fixture
def empty_client() -> Iterator[TestClient]:
    """A client of a project without logs and metrics."""
    with TestClient(create_web(FakePages(EMPTY), warm=False), base_url=LOCAL) as made:
        yield made
