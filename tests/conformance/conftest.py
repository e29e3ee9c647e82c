"""The stores that must behave alike."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from urllib.parse import quote
from uuid import uuid4

import pytest

from assay.store.telemetry.connection import Telemetry, open_telemetry
from assay.store.telemetry.engine import Address, connect_server, read_dsn
from assay.store.telemetry.schema import local_name, on_cluster

STORES = ("embedded", "standin", "server")
EMPTIED = (
    "otel_traces",
    "otel_logs",
    "interactions",
    "signals",
    "selections",
    "scores",
    "settling",
    "settled",
)


@pytest.fixture(scope="session", params=STORES)
def opened(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Telemetry]:
    """The embedded engine; a stand-in that speaks HTTP; and the server that ASSAY_TEST_TELEMETRY names."""
    if request.param == "embedded":
        yield request.getfixturevalue("embedded")
    elif request.param == "standin":
        yield from _standin(tmp_path_factory.mktemp("standin"))
    elif dsn := os.environ.get("ASSAY_TEST_TELEMETRY"):
        yield from _in_a_new_database(dsn)
    else:
        pytest.skip("ASSAY_TEST_TELEMETRY names no server")


@pytest.fixture
def store(opened: Telemetry) -> Telemetry:
    """The same, empty."""
    for table in EMPTIED:
        place = f"{local_name(table, opened.topology)}{on_cluster(opened.topology)}"
        opened.command(f"TRUNCATE TABLE {place}")
    return opened


def _standin(folder: Path) -> Iterator[Telemetry]:
    program = Path(__file__).with_name("standin.py")
    with subprocess.Popen(
        [sys.executable, str(program), str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as server:
        assert server.stdout is not None
        port = server.stdout.readline().strip()
        store = open_telemetry(f"clickhouse://default@127.0.0.1:{port}/default")
        try:
            yield store
        finally:
            store.close()
            assert server.stdin is not None
            server.stdin.close()


def _in_a_new_database(dsn: str) -> Iterator[Telemetry]:
    """Nothing that is there is touched."""
    address, name = read_dsn(dsn), f"assay_test_{uuid4().hex[:8]}"
    place = on_cluster(address.topology)
    _run(address, f"CREATE DATABASE {name}{place}")
    store = open_telemetry(_dsn(replace(address, database=name)))
    try:
        yield store
    finally:
        store.close()
        _run(address, f"DROP DATABASE {name}{place} SYNC")


def _run(address: Address, sql: str) -> None:
    client = connect_server(address)
    client.command(sql)
    client.close()


def _dsn(address: Address) -> str:
    who = f"{quote(address.user or 'default')}:{quote(address.password)}@"
    cluster = f"cluster={address.topology.cluster}&" if address.topology.cluster else ""
    port = f":{address.port}" if address.port else ""
    return f"clickhouse://{who}{address.host}{port}/{address.database}?{cluster}secure={int(address.secure)}"
