"""The telemetry connection: what it binds, returns and refuses."""

from __future__ import annotations

import errno
import shutil
import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import pyarrow as pa
import pytest
from clickhouse_connect.driver.exceptions import DatabaseError
from tests.store.traffic import span, table

from assay.errors import ConfigError, StoreError, StoreFull, StoreHeld, StoreUnreachable
from assay.store.telemetry.connection import Telemetry, open_telemetry, translated
from assay.store.telemetry.engine import connect_server, read_dsn
from assay.store.telemetry.schema import Topology

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

MOMENT = datetime(2026, 3, 4, 5, 6, 7, 123456, tzinfo=UTC)
OPEN = (
    "import sys; from assay.store.telemetry.connection import open_telemetry; s = open_telemetry(sys.argv[1])"
)


def test_a_bound_time_keeps_its_microseconds_and_its_zone(telemetry: Telemetry) -> None:
    east = MOMENT.astimezone(timezone(timedelta(hours=3)))
    sql = "SELECT {t:DateTime64(6, 'UTC')} AS t, {many:Array(DateTime64(6, 'UTC'))} AS many"
    rows = telemetry.query(sql, {"t": east, "many": [east, MOMENT.replace(microsecond=0)]}).to_pylist()
    assert rows == [{"t": MOMENT, "many": [MOMENT, MOMENT.replace(microsecond=0)]}]


def test_hostile_text_is_bound_and_comes_back_as_it_was(telemetry: Telemetry) -> None:
    text = "'); DROP TABLE otel_traces; -- \\ {x:String} \n\t 🙂 %s"
    rows = telemetry.query(
        "SELECT {a:String} AS a, {b:Array(String)} AS b, {c:Bool} AS c",
        {"a": text, "b": [text, ""], "c": True},
    )
    assert rows.to_pylist() == [{"a": text, "b": [text, ""], "c": True}]


def test_text_comes_back_plain_whatever_its_column(telemetry: Telemetry) -> None:
    schema = telemetry.query("SELECT toLowCardinality('x') AS low, 'x' AS text").schema
    assert schema.field("low").type == schema.field("text").type == pa.string()


def test_a_statement_that_fails_says_its_first_line_and_why(telemetry: Telemetry) -> None:
    with pytest.raises(StoreError, match=r"UNKNOWN_TABLE.*in: SELECT 1 FROM nowhere"):
        telemetry.query("SELECT 1 FROM nowhere\nWHERE 1")


def test_threads_share_it(telemetry: Telemetry) -> None:
    with ThreadPoolExecutor(8) as threads:
        jobs = [
            threads.submit(telemetry.query, "SELECT {n:UInt32} + sleepEachRow(0.01) AS n", {"n": n})
            for n in range(32)
        ]
        assert [job.result().column("n").to_pylist() for job in jobs] == [[n] for n in range(32)]


def test_an_insert_of_nothing_is_nothing(telemetry: Telemetry) -> None:
    telemetry.insert("otel_traces", table([]))
    assert telemetry.query("SELECT count() AS n FROM otel_traces").to_pylist() == [{"n": 0}]


def test_a_disk_below_its_reserve_refuses_and_writes_nothing(telemetry: Telemetry) -> None:
    assert telemetry.path is not None
    free_bytes = shutil.disk_usage(telemetry.path).free
    telemetry.reserve_bytes, kept = 2 * free_bytes, telemetry.reserve_bytes
    try:
        with pytest.raises(StoreFull, match="nothing was written"):
            telemetry.insert("otel_traces", table([span("a")]))
    finally:
        telemetry.reserve_bytes = kept
    assert telemetry.query("SELECT count() AS n FROM otel_traces").to_pylist() == [{"n": 0}]


def test_an_engine_that_finds_no_room_says_so() -> None:
    for error in (DatabaseError("no room", code=243), OSError(errno.ENOSPC, "No space left on device")):
        with pytest.raises(StoreFull, match="nothing was written"), translated("INSERT"):
            raise error


def test_a_second_process_hears_who_holds_the_path(telemetry: Telemetry) -> None:
    script = f"{OPEN}\n"
    ran = subprocess.run(
        [sys.executable, "-c", script, f"chdb://{telemetry.path}"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode != 0
    assert "StoreHeld: process " in ran.stderr
    assert "talk to it over HTTP" in ran.stderr


def test_a_path_is_free_again_when_its_process_ends_and_its_rows_are_there(tmp_path: Path) -> None:
    dsn = f"chdb://{tmp_path / 'store'}"
    write = f"{OPEN}; s.command('INSERT INTO selections (log_id) SELECT 1'); import os; os._exit(9)"
    read = f"{OPEN}; print(s.query('SELECT count() AS n FROM selections').to_pylist()); s.close(); s.close()"
    for script, code, said in ((write, 9, ""), (read, 0, "[{'n': 1}]\n")):
        ran = subprocess.run([sys.executable, "-c", script, dsn], capture_output=True, text=True, check=False)
        assert (ran.returncode, ran.stdout) == (code, said), ran.stderr


def test_the_same_process_may_not_open_a_path_twice(telemetry: Telemetry) -> None:
    with pytest.raises(StoreHeld):
        open_telemetry(f"chdb://{telemetry.path}")


def test_a_server_that_does_not_answer_is_unreachable() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    with pytest.raises(StoreUnreachable, match="no answer"):
        open_telemetry(f"clickhouse://user:secret@127.0.0.1:{port}/assay")


@pytest.mark.parametrize("dsn", ["chdb://relative/path", "chdb:///", "postgres://host/db", "/just/a/path"])
def test_a_dsn_that_names_no_store_is_refused(dsn: str) -> None:
    with pytest.raises(ConfigError, match="telemetry dsn"):
        read_dsn(dsn)


def test_a_dsn_says_which_topology() -> None:
    server = read_dsn("clickhouse://me:p%40ss@db:8443/traces?secure=1")
    assert (server.topology.kind, server.password, server.database, server.secure) == (
        "server",
        "p@ss",
        "traces",
        True,
    )
    cluster = read_dsn("clickhouse://db/traces?cluster=main")
    assert (cluster.topology.kind, cluster.topology.cluster) == ("cluster", "main")


@pytest.mark.parametrize(("options", "order"), [("", None), ("?cluster=main", "in_order")])
def test_a_cluster_is_read_where_one_wrote(
    monkeypatch: pytest.MonkeyPatch, options: str, order: str | None
) -> None:
    given: dict[str, Any] = {}
    monkeypatch.setattr("clickhouse_connect.get_client", lambda **options: given.update(options))
    connect_server(read_dsn(f"clickhouse://db/traces{options}"))
    assert given["settings"].get("load_balancing") == order


def test_a_closing_store_leaves_nobody_waiting_for_a_handle() -> None:
    class Quick:
        def command(self, sql: str, parameters: object) -> None:
            time.sleep(0.0005)

        def close(self) -> None:
            pass

    def work(store: Telemetry) -> None:
        with suppress(StoreError):
            while True:
                store.command("again")

    for _ in range(60):
        store = Telemetry(lambda: cast("Client", Quick()), Topology(kind="server"), handles=2)
        threads = [threading.Thread(target=work, args=(store,), daemon=True) for _ in range(8)]
        for thread in threads:
            thread.start()
        time.sleep(0.01)
        store.close()
        for thread in threads:
            thread.join(5)
        assert not any(thread.is_alive() for thread in threads)


@pytest.mark.parametrize("failing", ["sum(length(x))", "x"])
def test_a_statement_that_fails_on_the_way_spoils_no_other(embedded: Telemetry, failing: str) -> None:
    rows = "SELECT if(toFloat64(if(number = 70000, 'n/a', '5')) > 3, 'a', '') AS x FROM numbers(100000)"
    for _ in range(8):  # whichever handle is taken
        with pytest.raises(StoreError, match="n/a"):
            embedded.query(f"SELECT {failing} AS found FROM ({rows})")
        assert embedded.query("SELECT 7 AS seven").to_pylist() == [{"seven": 7}]
        with pytest.raises(StoreError, match="n/a"):
            embedded.query(f"SELECT {failing} AS found FROM ({rows})")
        assert [batch.to_pylist() for batch in embedded.stream("SELECT 7 AS seven")] == [[{"seven": 7}]]
