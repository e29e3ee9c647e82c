"""What every telemetry store does alike: embedded, over HTTP, on a server, on a cluster."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pyarrow as pa
import pytest
from tests.store.spans import START, put, trace_id, turn

from assay.errors import StoreError
from assay.query import parse
from assay.records import MetricInfo, Price, SettleReport, Signal, Window
from assay.store.telemetry.accounting import accounting
from assay.store.telemetry.connection import Telemetry
from assay.store.telemetry.derive import PRESENT, derive, feed_again, is_behind
from assay.store.telemetry.export import KINDS, Kind, export
from assay.store.telemetry.health import PROBE_DAY, find_probe, read_health, remove_probes
from assay.store.telemetry.ledger import read_ledger
from assay.store.telemetry.logs import conversation_detail, count_logs, list_logs, read_logs
from assay.store.telemetry.migrations import MIGRATIONS, applied_migrations, migrate
from assay.store.telemetry.rebuild import remap
from assay.store.telemetry.scope import Question
from assay.store.telemetry.scores import scores_of, unscored
from assay.store.telemetry.settle import settle
from assay.store.telemetry.spans import read_spans

WINDOW = Window(start=START - timedelta(hours=1), end=START + timedelta(days=2))
QUESTION = Question(
    MetricInfo(name="resolved", version="v1", kind="judge", unit="conversation"), "daily", WINDOW
)
ERROR = Signal(
    code="E", name="error", severity="high", meaning="", unit="interaction", expression="errors > 0"
)


def fill(t: Telemetry) -> None:
    """Ten conversations of two turns, with calls, a tool, errors, text that is hard to keep; some twice."""
    turns = [
        turn(
            f"t{talk}-{place}",
            f"c{talk}",
            asked=f"Question {talk}? “ñ” '); DROP TABLE x; -- \\ {{a:String}}",
            minute=60 * talk + place,
            error=talk == 3 and place == 1,
            tool_error=False if talk % 2 else None,
            calls=(("small", 100, 10),),
            user=f"u{talk % 3}",
        )
        for talk in range(10)
        for place in range(2)
    ]
    put(t, *turns[10:])
    put(t, *turns)


def settle_all(t: Telemetry) -> SettleReport:
    return settle(
        t,
        [(ERROR, parse("errors > 0"))],
        words={"common": []},
        prices=[Price(model="small", input=1.0, output=10.0)],
        idle_s=0.0,
        now=START + timedelta(days=3),
    )


def insert(t: Telemetry, table: str, ids: Iterable[str], **columns: Any) -> None:
    names = list(ids)
    rows = {"log_id": names, **{key: [value] * len(names) for key, value in columns.items()}}
    t.insert(table, pa.table(rows))


@pytest.fixture
def settled(store: Telemetry) -> Telemetry:
    fill(store)
    report = settle_all(store)
    assert (report.conversations, report.interactions) == (10, 20)
    return store


def judged(t: Telemetry) -> Telemetry:
    """All are decided, c0 to c5 are drawn, c0 to c2 are scored, c0 is labelled."""
    ids = [f"c{n}" for n in range(10)]
    same = {
        "unit": "conversation",
        "started": START,
        "policy": "daily",
        "policy_version": "p1",
        "stage": "judge",
    }
    fate = {"stratum": "rest", "probability": 0.6, "draw": 0.1, "reason": "", "decided_at": START}
    insert(t, "selections", ids[:6], **same, **fate, selected=1)
    insert(t, "selections", ids[6:], **same, **fate, selected=0)
    score = {"metric": "resolved", "metric_version": "v1", "unit": "conversation", "started": START}
    insert(t, "scores", ids[:3], **score, kind="judge", fate="scored", value=1.0, scored_at=START)
    insert(
        t, "scores", ids[:1], **score, kind="human", fate="scored", value=0.0, rater="ann", scored_at=START
    )
    return t


def test_it_is_at_the_newest_migration_and_stays_there(store: Telemetry) -> None:
    assert applied_migrations(store) == {step.number for step in MIGRATIONS}
    assert migrate(store) == ()
    assert not is_behind(store)


def test_what_is_wrong_is_said_by_the_engine(store: Telemetry) -> None:
    with pytest.raises(StoreError, match=r"UNKNOWN_TABLE.*in: SELECT 1 FROM nowhere"):
        store.query("SELECT 1 FROM nowhere")


def test_spans_become_interactions_once(store: Telemetry) -> None:
    fill(store)
    rows = store.query("SELECT * FROM interactions_final ORDER BY started, trace_id").to_pylist()
    assert len(rows) == 20
    assert [row["spans"] for row in rows] == [2 + (talk % 2) for talk in range(10) for _ in range(2)]
    assert sum(row["input_tokens"] for row in rows) == 2000
    assert rows[0]["input"] == "Question 0? “ñ” '); DROP TABLE x; -- \\ {a:String}"
    assert read_spans(store, [trace_id("t1-0")]).num_rows == 3
    feed_again(store, "TraceId IN {ids:Array(String)}", {"ids": [trace_id("t1-0")]})
    assert store.query("SELECT * FROM interactions_final").num_rows == 20


def test_conversations_settle_and_are_found(settled: Telemetry) -> None:
    assert count_logs(settled, "conversation", WINDOW) == 10
    assert count_logs(settled, "conversation", WINDOW, parse('user_id = "u1"')) == 3
    assert count_logs(settled, "interaction", WINDOW, parse("signal.error")) == 1
    page = list_logs(settled, "conversation", WINDOW, parse("tool_calls > 0"), limit=3)
    assert [row.log_id for row in page.rows] == ["c9", "c7", "c5"]
    after = list_logs(settled, "conversation", WINDOW, parse("tool_calls > 0"), limit=3, after=page.next)
    assert [row.log_id for row in after.rows] == ["c3", "c1"]
    assert page.rows[0].cost_usd == pytest.approx(2 * (100 * 1.0 + 10 * 10.0) / 1e6)
    (log,) = read_logs(settled, "conversation", ["c3"])
    assert [turn.error for turn in log.turns] == ["", "it broke"]
    detail = conversation_detail(settled, "c4")
    assert detail is not None
    assert (detail.settled, len(detail.turns)) == (True, 2)
    assert settle_all(settled).conversations == 0, "again it changes nothing"


def test_a_late_span_opens_its_conversation_again(settled: Telemetry) -> None:
    put(settled, turn("late", "c4", minute=60 * 4 + 2))
    detail = conversation_detail(settled, "c4")
    assert detail is not None
    assert not detail.settled
    assert settle_all(settled).conversations == 1
    assert count_logs(settled, "conversation", WINDOW, parse("turns = 3")) == 1


def test_decisions_scores_and_books_add_up(settled: Telemetry) -> None:
    judged(settled)
    assert set(unscored(settled, QUESTION).to_pydict()["log_id"]) == {"c3", "c4", "c5"}
    books = accounting(settled, QUESTION)
    assert books.balanced
    assert (books.seen, books.scored, books.pending, books.not_sampled) == (10, 3, 3, 4)
    ledger = read_ledger(settled, QUESTION)
    assert ledger.seen == 10
    rows = {row["log_id"]: row for row in ledger.rows.to_pylist()}
    assert (rows["c0"]["value"], rows["c0"]["label"], rows["c5"]["fate"]) == (1.0, 0.0, None)
    assert scores_of(settled, "conversation", {"c0": START}).num_rows == 2


def test_history_is_mapped_again(settled: Telemetry) -> None:
    spans = PRESENT.feeds[0]
    other = replace(spans, select=lambda source: spans.select(source).replace("gen_ai.request.model", "x"))
    poor = replace(PRESENT, feeds=(other, *PRESENT.feeds[1:]))
    derive(settled, poor)
    put(settled, turn("poor", "poor", calls=(("small", 100, 10),)))
    derive(settled)
    changed = [each for each in remap(settled) if each.changed]
    assert [(each.interactions, each.changed) for each in changed] == [(21, 1)]
    settle_all(settled)
    assert count_logs(settled, "interaction", WINDOW, parse('model = "small"')) == 21


@pytest.mark.parametrize("kind", KINDS)
def test_everything_comes_out(settled: Telemetry, kind: Kind) -> None:
    judged(settled)
    expected = {"spans": 76, "records": 0, "interactions": 20, "conversations": 10, "signals": 10}
    expected |= {"selections": 10, "scores": 3, "labels": 1}
    found = export(settled, kind)
    rows = pa.Table.from_batches(list(found.batches), found.schema)
    assert rows.num_rows == expected[kind]
    if kind not in ("spans", "records"):
        some = export(settled, kind, condition=parse('user_id = "u1"'))
        few = {"interactions": 6, "conversations": 3, "signals": 3, "selections": 3, "scores": 1, "labels": 0}
        assert sum(batch.num_rows for batch in some.batches) == few[kind]


def test_it_says_how_it_is_and_lets_a_test_span_through(settled: Telemetry) -> None:
    health = read_health(settled)
    assert (health.behind, health.broken_off, health.ahead) == (False, False, {})
    assert health.bytes > 0
    midday = START.replace(year=PROBE_DAY.year, month=PROBE_DAY.month, day=PROBE_DAY.day)
    put(settled, turn("probe", asked="Is it there?", start=midday))
    assert find_probe(settled, trace_id("probe")) == (1, "Is it there?")
    assert remove_probes(settled) == 2
    assert find_probe(settled, trace_id("probe")) == (0, "")
    assert settled.query("SELECT count() AS n FROM interactions_final").to_pylist() == [{"n": 20}]
