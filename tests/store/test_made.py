"""A team's own SQL and functions on rows that stand: they add names, change no fact, and stop nothing."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pyarrow as pa
from tests.store.spans import START, put, trace_id, turn
from tests.store.test_settle import SIGNALS, rows

from assay.records import SettleReport, Signal, Unit
from assay.signals import load_words
from assay.store.telemetry.connection import Telemetry
from assay.store.telemetry.made import Named
from assay.store.telemetry.resignal import recompute
from assay.store.telemetry.settle import settle

FACTS = "SELECT * EXCEPT (signals, computed_at) FROM signals FINAL ORDER BY unit, log_id"


def run(t: Telemetry, signals: Any = SIGNALS, **more: Any) -> SettleReport:
    given: dict[str, Any] = {
        "words": load_words(),
        "prices": (),
        "idle_s": 900.0,
        "now": START + timedelta(days=9),
    }
    return settle(t, signals, **(given | more))


def score(value: str) -> dict[str, Any]:
    return {"assay.attr.score": value}


def own(sql: str, unit: Unit = "interaction", name: str = "own") -> tuple[Signal, None]:
    return Signal(code=f"T-{name}", name=name, severity="low", meaning="", unit=unit, sql=sql), None


def test_sql_of_a_team_that_fails_on_a_log_stops_nothing(telemetry: Telemetry) -> None:
    signals = (
        *SIGNALS,
        own("toFloat64(attributes['score']) > 3"),
        own("turns = 1", name="single"),
        own("toFloat64(attributes['score']) > 3", "conversation", "scored"),
    )
    good = [f"t{number}" for number in range(20)]
    put(telemetry, *(turn(name, name, error=True, **score("5")) for name in good))
    put(telemetry, turn("bad", "bad", error=True, **score("n/a")))
    faults: dict[str, tuple[str, int]] = {}

    def fault(name: str, error: Exception, logs: int) -> None:
        faults[name] = (str(error), logs)

    assert run(telemetry, signals, fault=fault).interactions == 21
    found, talks = rows(telemetry, "interaction"), rows(telemetry)
    assert found[trace_id("bad")]["signals"] == ["error", "single"]
    without = [name for name in good if "own" not in found[trace_id(name)]["signals"]]
    unscored = [name for name in good if "scored" not in talks[name]["signals"]]
    assert max(len(without), len(unscored)) < 10, "only what shares a part with the bad one goes without"
    assert (faults["own"][1], faults["scored"][1]) == (len(without) + 1, len(unscored) + 1)
    assert "n/a: Cannot parse Float64" in faults["own"][0]
    assert [found[trace_id(name)]["signals"] for name in without] == [["error", "single"]] * len(without)


def test_no_sql_of_a_team_changes_a_fact(telemetry: Telemetry) -> None:
    """Names are refused; this is what holds where one gets through."""
    put(telemetry, turn("a", "talk", asked="Where is it?", seconds=7))
    run(telemetry)
    facts = telemetry.query(FACTS)
    put(telemetry, turn("a", "talk", asked="Where is it?", seconds=7))
    sql = "(0 AS latency_ms) = 0 AND ('gone' AS input) = 'gone' AND (1 AS is_deleted) = 1"
    signals = (own(sql), own(sql, "conversation", "too"))
    run(telemetry, signals)
    assert rows(telemetry)["talk"]["signals"] == ["own", "too"]
    assert telemetry.query(FACTS).equals(facts)
    recompute(telemetry, signals, words=load_words())
    assert telemetry.query(FACTS).equals(facts)


def test_functions_of_a_team_add_their_names(telemetry: Telemetry) -> None:
    def short(batch: pa.RecordBatch) -> Named:
        texts: list[Any] = batch["input"].to_pylist()
        names: list[Any] = [["short"] if len(text) < 10 else [] for text in texts]
        return Named(pa.array(names, pa.list_(pa.string())))

    def single(batch: pa.RecordBatch) -> Named:
        names: list[Any] = [["single"] if turns == 1 else [] for turns in batch["turns"].to_pylist()]
        return Named(pa.array(names, pa.list_(pa.string())))

    put(telemetry, turn("a", "t", asked="Hello"), turn("b", "t", minute=1), turn("c", "u", error=True))
    run(telemetry, made={"interaction": short, "conversation": single})
    turns = rows(telemetry, "interaction")
    assert [turns[trace_id(name)]["signals"] for name in "abc"] == [["short"], [], ["error"]]
    assert {key: row["signals"] for key, row in rows(telemetry).items()} == {
        "t": ["short"],
        "u": ["error", "single"],
    }
