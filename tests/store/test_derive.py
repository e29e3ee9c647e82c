"""What is made from spans keeps up with the mapping: on open, and over history while in use."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pytest
from tests.store.alone import alone
from tests.store.traffic import START, interactions, span, table

from assay.errors import StoreError, StoreFull
from assay.ingest.columns import LOG_SCHEMA
from assay.store.telemetry import derive as deriving
from assay.store.telemetry import rebuild as rebuilding
from assay.store.telemetry.carry import carry_over
from assay.store.telemetry.connection import Telemetry, open_telemetry
from assay.store.telemetry.derive import PRESENT, Derived, derive, is_behind
from assay.store.telemetry.engine import connect_embedded
from assay.store.telemetry.migrations import MIGRATIONS, Migration, applied_migrations, migrate
from assay.store.telemetry.rebuild import Changed, remap, running_inserts
from assay.store.telemetry.schema import Table, Topology, create_table

STORES = Path(__file__).parent / "stores"
SPANS = PRESENT.feeds[0]


def poorly(derived: Derived = PRESENT) -> Derived:
    """A mapping that knows no models."""
    feed = replace(SPANS, select=lambda source: SPANS.select(source).replace("gen_ai.request.model", "x"))
    return replace(derived, feeds=(feed, *derived.feeds[1:]))


def narrower() -> Derived:
    """A mapping whose table has another key index: another table for the store."""
    return replace(PRESENT, table=replace(PRESENT.table, settings=("index_granularity = 512",)))


@pytest.fixture
def mapped(telemetry: Telemetry) -> Iterator[Telemetry]:
    """The store, empty and as the present mapping has it, also afterwards."""
    derive(telemetry)
    yield telemetry
    for table_name in ("otel_traces", "otel_logs", "interactions"):
        telemetry.command(f"TRUNCATE TABLE {table_name}")
    derive(telemetry)
    list(remap(telemetry))


def put_days(t: Telemetry, days: int = 3, traces: int = 4) -> None:
    spans = [
        span(
            f"s{n}",
            trace=f"t{day}-{n}",
            at=86_400 * day,
            gen_ai__operation__name="chat",
            gen_ai__request__model=f"m{n % 2}",
            metadata=f"{n}",
        )
        for day in range(days)
        for n in range(traces)
    ]
    t.insert("otel_traces", table(spans))


def test_opening_again_asks_and_does_nothing(mapped: Telemetry, monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    monkeypatch.setattr(mapped, "command", lambda sql, params=None: said.append(sql))
    derive(mapped)
    assert said == []
    assert not is_behind(mapped)


def test_a_changed_query_maps_what_comes_and_leaves_history(mapped: Telemetry) -> None:
    mapped.insert(
        "otel_traces",
        table([span("a", trace="t1", gen_ai__operation__name="chat", gen_ai__request__model="m")]),
    )
    derive(mapped, poorly())
    mapped.insert(
        "otel_traces",
        table([span("b", trace="t2", gen_ai__operation__name="chat", gen_ai__request__model="m")]),
    )

    assert [row["calls"][0]["model"] if row["calls"] else "" for row in interactions(mapped)] == ["m", ""]
    assert is_behind(mapped, poorly())
    derive(mapped)
    assert is_behind(mapped), "some of it came while the other mapping was in use"


def test_history_is_mapped_again_day_by_day(mapped: Telemetry) -> None:
    derive(mapped, poorly())
    put_days(mapped)
    derive(mapped)
    expected = len(interactions(mapped))

    changed = list(remap(mapped))

    assert [(each.interactions, each.changed) for each in changed] == [(4, 4)] * 3
    assert [each.day for each in changed] == sorted((each.day for each in changed), reverse=True)
    rows = interactions(mapped)
    assert len(rows) == expected == 12
    assert {row["model"] for row in rows} == {"m0", "m1"}
    assert not is_behind(mapped)
    assert list(remap(mapped)) == []
    assert leftovers(mapped) == []


def leftovers(t: Telemetry) -> list[str]:
    rows = t.query(
        "SELECT name FROM system.tables WHERE database = currentDatabase() AND name LIKE '%\\_next'"
    )
    return [row["name"] for row in rows.to_pylist()]


def test_only_what_changed_is_touched(mapped: Telemetry) -> None:
    derive(mapped, poorly())
    mapped.insert(
        "otel_traces",
        table([span("a", trace="t1", gen_ai__operation__name="chat", gen_ai__request__model="m")]),
    )
    mapped.insert("otel_traces", table([span("a", trace="t2", input__value="hello")]))
    before = touched(mapped)
    derive(mapped)

    (changed,) = remap(mapped)

    assert (changed.interactions, changed.changed) == (2, 1)
    assert touched(mapped)["t1"] > before["t1"]


def touched(t: Telemetry) -> dict[str, datetime]:
    rows = t.query("SELECT trace_id, touched FROM interactions_final").to_pylist()
    return {row["trace_id"]: row["touched"] for row in rows}


def test_a_table_of_other_columns_takes_the_place_of_the_old(mapped: Telemetry) -> None:
    put_days(mapped)
    expected = interactions(mapped)
    derive(mapped, narrower())
    assert interactions(mapped) == expected
    assert "index_granularity = 512" in created(mapped)
    mapped.insert("otel_traces", table([span("late", trace="t0-0", at=1)]))
    assert len(interactions(mapped)) == len(expected)
    assert sum(row["spans"] for row in interactions(mapped)) == sum(row["spans"] for row in expected) + 1
    derive(mapped)
    assert "index_granularity = 512" not in created(mapped)
    assert leftovers(mapped) == []


def created(t: Telemetry) -> str:
    rows = t.query(
        "SELECT create_table_query AS q FROM system.tables "
        "WHERE database = currentDatabase() AND name = 'interactions'"
    )
    return str(rows.to_pylist()[0]["q"])


class BrokenOff(Exception):
    pass


STEPS = ("mapped", "exchange", "touched", "after")


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("how", ["remap", "open"])
def test_broken_off_anywhere_it_goes_on(
    mapped: Telemetry, monkeypatch: pytest.MonkeyPatch, step: str, how: str
) -> None:
    derive(mapped, poorly())
    put_days(mapped)
    if how == "remap":
        derive(mapped)
    target = PRESENT if how == "remap" else narrower()

    def run() -> list[Changed]:
        if how == "remap":
            return list(remap(mapped, target))
        derive(mapped, target)
        return []

    with monkeypatch.context() as patch:
        _break(patch, step)
        with pytest.raises(BrokenOff):
            run()
    mapped.insert(
        "otel_traces",
        table([span("late", trace="late", gen_ai__operation__name="chat", gen_ai__request__model="m0")]),
    )
    run()

    rows = interactions(mapped)
    assert len(rows) == 13
    assert {row["model"] for row in rows} == {"m0", "m1"}
    assert leftovers(mapped) == []
    assert not is_behind(mapped, target)


def _break(patch: pytest.MonkeyPatch, step: str) -> None:
    """Raise once: after the second day, right before or after the exchange, or when all but done."""
    said = deriving.remember
    days = iter(range(10))

    def remember(t: Telemetry, name: str, part: str, text: str) -> None:
        said(t, name, part, text)
        if name == "mapped" and next(days) == 1:
            raise BrokenOff

    def stop(*arguments: object) -> None:
        raise BrokenOff

    exchange = rebuilding._exchange

    def exchanged(t: Telemetry, table: Table) -> None:
        exchange(t, table)
        raise BrokenOff

    match step:
        case "mapped":
            patch.setattr(rebuilding, "remember", remember)
        case "exchange":
            patch.setattr(rebuilding, "_exchange", exchanged)
        case "touched":
            patch.setattr(rebuilding, "_drop_feeds_beside", lambda t, derived: None)
            patch.setattr(rebuilding, "_drop_beside", stop)
        case "after":
            patch.setattr(rebuilding, "_remember_all", stop)


def test_what_arrives_while_history_is_mapped_again_is_in(mapped: Telemetry) -> None:
    derive(mapped, poorly())
    put_days(mapped, days=5)
    derive(mapped)
    stop = threading.Event()
    sent: list[str] = []

    def send() -> None:
        while not stop.is_set():
            name = f"new{len(sent)}"
            mapped.insert(
                "otel_traces",
                table([span("a", trace=name, gen_ai__operation__name="chat", gen_ai__request__model="m0")]),
            )
            sent.append(name)

    thread = threading.Thread(target=send)
    thread.start()
    try:
        list(remap(mapped))
    finally:
        stop.set()
        thread.join()
    rows = {row["trace_id"]: row["model"] for row in interactions(mapped)}
    assert len(sent) > 3
    assert {rows.get(name) for name in sent} == {"m0"}
    assert len(rows) == 20 + len(sent)


def evaluation(trace: str, name: str, days: float = 0) -> pa.Table:
    attributes = {
        "event.name": "gen_ai.evaluation.result",
        "gen_ai.evaluation.name": name,
        "gen_ai.evaluation.score.value": "1",
    }
    row = {
        "Timestamp": START + timedelta(days=days),
        "TraceId": trace,
        "LogAttributes": list(attributes.items()),
    }
    fields = {field.name: "" for field in LOG_SCHEMA if pa.types.is_string(field.type)}
    maps: dict[str, list[str]] = {field.name: [] for field in LOG_SCHEMA if pa.types.is_map(field.type)}
    numbers = {"TraceFlags": 0, "SeverityNumber": 0}
    return pa.Table.from_pylist([{**fields, **maps, **numbers, **row}], schema=LOG_SCHEMA)


@pytest.mark.parametrize("how", ["remap", "open"])
def test_what_the_sources_no_longer_have_is_carried_over(mapped: Telemetry, how: str) -> None:
    put_days(mapped)
    mapped.insert("otel_traces", table([span("long", trace="t1-0")]))
    for trace, name, days in (("t0-1", "early", 0), ("t1-1", "kept", 1), ("t2-1", "late", 2)):
        mapped.insert("otel_logs", evaluation(trace, name, days))
    expected = interactions(mapped)
    mapped.command("ALTER TABLE otel_traces DROP PARTITION '2026-03-04'")
    mapped.command("ALTER TABLE otel_logs DROP PARTITION '2026-03-06'")

    if how == "remap":
        assert [each.changed for each in remap(mapped, again=True)] == [0, 0, 0]
    else:
        derive(mapped, narrower())

    assert interactions(mapped) == expected
    assert {row["trace_id"]: row["spans"] for row in expected}["t1-0"] == 2
    assert leftovers(mapped) == []


def test_what_can_be_mapped_again_is_not_carried_over(mapped: Telemetry) -> None:
    derive(mapped, poorly())
    put_days(mapped, days=2)
    derive(mapped)
    mapped.command("ALTER TABLE otel_traces DROP PARTITION '2026-03-04'")
    list(remap(mapped))
    models = {row["trace_id"]: row["model"] for row in interactions(mapped)}
    assert models == {"t0-0": "", "t0-1": "", "t0-2": "", "t0-3": "", "t1-0": "m0", "t1-1": "m1"} | {
        "t1-2": "m0",
        "t1-3": "m1",
    }


def small(t: Telemetry, name: str, facts: str) -> Table:
    made = replace(
        PRESENT.table,
        name=name,
        columns=("trace_id String", "day Date", f"facts SimpleAggregateFunction({facts})"),
        indexes=(),
    )
    t.command(create_table(made, t.topology)[0])
    return made


def test_what_is_carried_over_is_converted_by_the_names_of_its_fields(mapped: Telemetry) -> None:
    old = small(mapped, "small_old", "maxMap, Map(String, Tuple(n UInt8, s String))")
    new = small(mapped, "small_new", "maxMap, Map(String, Tuple(s String, more String, n UInt64))")
    other = small(mapped, "small_other", "max, UInt8")
    try:
        mapped.command("INSERT INTO small_old VALUES ('gone', '2026-03-04', map('a', (7, 'x')))")
        carry_over(mapped, old, new, lambda *_: None)
        carry_over(mapped, old, new, lambda *_: None)
        (row,) = mapped.query("SELECT trace_id, facts['a'] AS a FROM small_new FINAL").to_pylist()
        assert row == {"trace_id": "gone", "a": {"s": "x", "more": "", "n": 7}}
        with pytest.raises(StoreError, match=r"1 interactions of 1 days \(2026-03-04 to 2026-03-04\).*facts"):
            carry_over(mapped, old, other, lambda *_: None)
        assert mapped.query("SELECT * FROM small_other").num_rows == 0
    finally:
        for made in (old, new, other):
            mapped.command(f"DROP TABLE {made.name}")


@pytest.mark.parametrize("how", ["remap", "open"])
def test_a_disk_below_its_reserve_builds_nothing(
    mapped: Telemetry, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    put_days(mapped)
    monkeypatch.setattr(mapped, "reserve_bytes", 2**60)
    with pytest.raises(StoreFull, match="making interactions anew needs about"):
        list(remap(mapped, again=True)) if how == "remap" else derive(mapped, narrower())
    assert leftovers(mapped) == []
    assert "index_granularity = 512" not in created(mapped)


def test_a_step_that_copies_looks_for_room_first(mapped: Telemetry, monkeypatch: pytest.MonkeyPatch) -> None:
    put_days(mapped)
    step = Migration(
        number=max(applied_migrations(mapped)) + 1,
        title="copy",
        statements=lambda _: ("CREATE TABLE copied AS interactions",),
        copied=("interactions",),
    )
    monkeypatch.setattr(mapped, "reserve_bytes", 2**60)
    with pytest.raises(StoreFull, match="making interactions anew"):
        migrate(mapped, (*MIGRATIONS, step))
    assert mapped.query("SELECT 1 AS one FROM system.tables WHERE name = 'copied'").num_rows == 0


def test_inserts_are_waited_for_on_every_node(mapped: Telemetry) -> None:
    here = running_inserts(mapped.topology)
    assert mapped.query(here, {"since": 0.0}).to_pylist() == [{"n": 0}]
    everywhere = running_inserts(Topology(kind="cluster", cluster="main"))
    assert everywhere == here.replace("system.processes", "clusterAllReplicas('main', system.processes)")


def test_what_missed_the_table_beside_is_mapped_after_the_exchange(
    mapped: Telemetry, monkeypatch: pytest.MonkeyPatch
) -> None:
    exchange = rebuilding._exchange

    def late(t: Telemetry, made: Table) -> None:
        t.command("DROP VIEW interactions_feed_next")
        t.insert("otel_traces", table([span("late", trace="late")]))
        exchange(t, made)

    monkeypatch.setattr(rebuilding, "_exchange", late)
    put_days(mapped, days=1)
    list(remap(mapped, again=True))
    assert "late" in {row["trace_id"] for row in interactions(mapped)}


def test_a_table_of_an_older_collector_is_used_as_it_is(tmp_path: Path) -> None:
    assert alone(_open_collectors, str(tmp_path / "store")) == {
        "events": ["", "gen_ai.evaluation.result"],
        "at": [True, True],
        "extra": "kept",
        "evaluations": ["good"],
    }


def _open_collectors(path: str) -> dict[str, object]:
    """A database that a Collector has written to: no EventName, an index and a column of its own."""
    from assay.store.telemetry.schema import OTEL_LOGS, OTEL_TRACES, Topology

    Path(path).mkdir()
    client = connect_embedded(Path(path))
    logs = replace(
        OTEL_LOGS,
        columns=tuple(c for c in OTEL_LOGS.columns if not c.startswith(("EventName", "TimestampTime"))),
        partition_by="toDate(Timestamp)",
        primary_key="",
        order_by="(ServiceName, Timestamp)",
    )
    traces = replace(OTEL_TRACES, columns=(*OTEL_TRACES.columns, "Team String DEFAULT 'kept'"))
    for made in (logs, traces):
        client.command(create_table(made, Topology(kind="server"))[0])
    client.insert_arrow(
        "otel_traces", table([span("a", gen_ai__operation__name="chat", gen_ai__request__model="m")])
    )
    client.close()
    store = open_telemetry(f"chdb://{path}")
    columns = deriving.source_columns(store, PRESENT)
    feed = replace(SPANS, source="otel_logs")
    source = deriving.from_of(feed, "otel_logs", {"otel_logs": _columns(store, "otel_logs"), **columns})
    store.command("INSERT INTO otel_logs (Timestamp, Body) SELECT now64(9), 'hello'")
    record = evaluation("t1", "good")
    column = record.schema.get_field_index("EventName")
    store.insert("otel_logs", record.set_column(column, "EventName", pa.array(["gen_ai.evaluation.result"])))
    events = store.query(
        f"SELECT EventName AS event, TimestampTime = toDateTime(Timestamp) AS at FROM {source} ORDER BY event"
    ).to_pylist()
    (row,) = store.query("SELECT Team AS extra FROM otel_traces").to_pylist()
    (found_one,) = interactions(store)
    found = {
        "events": [event["event"] for event in events],
        "at": [bool(event["at"]) for event in events],
        "extra": row["extra"],
        "evaluations": [each["name"] for each in found_one["evaluations"]],
    }
    store.close()
    return found


def _columns(t: Telemetry, name: str) -> frozenset[str]:
    rows = t.query("SELECT name FROM system.columns WHERE table = {name:String}", {"name": name})
    return frozenset(row["name"] for row in rows.to_pylist())


@pytest.mark.parametrize("number", [1, 2, 3, 4])
def test_a_store_of_an_earlier_version_comes_forward(tmp_path: Path, number: int) -> None:
    found = alone(_come_forward, str(tmp_path / "store"), number)
    assert found["migrations"] == [step.number for step in MIGRATIONS]
    assert found["interactions"] == [["old", "m", 1], ["once more", "m", 1]]
    kept = {"signals": ["old"], "selections": ["old"], "scores": ["old"]}
    assert {name: found[name] for name in kept} == (kept if number >= 3 else {name: [] for name in kept})
    assert found["settled"] == (1 if number >= 4 else 0)
    assert found["indexes"] == 2


def _come_forward(path: str, number: int) -> dict[str, object]:
    Path(path).mkdir()
    client = connect_embedded(Path(path))
    text = (STORES / "0004.sql").read_text(encoding="utf-8")
    for statement in text.rstrip().removesuffix(";").split(";\n\n"):
        client.command(statement)
        if statement.startswith(f"INSERT INTO assay_migrations (number, title) VALUES ({number},"):
            break
    client.insert_arrow(
        "otel_traces",
        table([span("a", trace="old", gen_ai__operation__name="chat", gen_ai__request__model="m")]),
    )
    if number >= 3:
        for name in ("signals", "selections", "scores"):
            row = "SELECT 'conversation', 'old', '2026-03-04 12:00:00'"
            client.command(f"INSERT INTO {name} (unit, log_id, started) {row}")
    if number >= 4:
        client.command("INSERT INTO settled (name, upto, at) VALUES ('interactions', now64(3), now64(6))")
    client.close()
    store = open_telemetry(f"chdb://{path}")
    store.insert(
        "otel_traces",
        table([span("a", trace="once more", gen_ai__operation__name="chat", gen_ai__request__model="m")]),
    )
    found: dict[str, object] = {
        "migrations": sorted(applied_migrations(store)),
        "interactions": [(row["trace_id"], row["model"], row["spans"]) for row in interactions(store)],
        "settled": store.query("SELECT * FROM settled FINAL").num_rows,
        "indexes": store.query(
            "SELECT name FROM system.data_skipping_indices WHERE table = 'otel_traces'"
        ).num_rows,
    }
    for name in ("signals", "selections", "scores"):
        found[name] = store.query(f"SELECT log_id FROM {name} FINAL").column("log_id").to_pylist()
    store.close()
    return found
