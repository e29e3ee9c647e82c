"""The books see every loss: rows that go missing between the steps leave them open by just so many logs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.app.conftest import NOW, Open
from tests.app.test_keeping import said, send
from tests.store.spans import trace_id

from assay.app.application import Application
from assay.app.requests import (
    EvaluateRequest,
    ExamineRequest,
    Mark,
    RecordRequest,
    RemapRequest,
    SampleRequest,
)
from assay.records import Accounting, PolicyAccounting, Unit, Window
from assay.store.telemetry.connection import Telemetry

METRICS = """
from assay import Skip, metric

@metric(unit="conversation")
def short(log):
    return Skip(reason="talk7") if log.log_id == "talk7" else len(log.output) < 100

@metric(unit="interaction")
def polite(log):
    return 1.0
"""
POLICIES = """
[policies.talks]
rate = 0.6
label_rate = 0.5
where = 'user_id != "user2"'

[policies.turns]
unit = "interaction"
rate = 0.6
label_rate = 0.5
"""
METRIC_OF: Mapping[Unit, str] = {"conversation": "short", "interaction": "polite"}
POLICY_OF: Mapping[Unit, str] = {"conversation": "talks", "interaction": "turns"}
TABLES = ("signals", "selections", "scores", "receipts")
TALKS = tuple(f"talk{n}" for n in range(14))
EVERY = Window(start=NOW - timedelta(days=9), end=NOW)
Log = tuple[Unit, str]


class Loss(NamedTuple):
    """Rows of a log that are lost: those of `table`, before or after the step that reads them has run."""

    log: Log
    table: str
    before: bool


def logs() -> list[Log]:
    """Fourteen conversations, the first seven of two turns, over five hours of two days."""
    turns: list[Log] = [("interaction", trace_id(f"{talk}.0")) for talk in TALKS]
    turns += [("interaction", trace_id(f"{talk}.1")) for talk in TALKS[:7]]
    return [*turns, *(("conversation", talk) for talk in TALKS)]


@pytest.fixture
def whole(open_project: Open, telemetry: Telemetry) -> Application:
    """A project in which every step has run and nothing was lost."""
    project = open_project(METRICS, POLICIES)
    turns = []
    for number, talk in enumerate(TALKS):
        begin = NOW - timedelta(hours=21 - number % 5 * 5)
        turns += [
            said(f"user{number % 3}", f"{talk}.{turn}", talk, begin, turn) for turn in range(1 + (number < 7))
        ]
    send(project, *turns)
    project.sample(SampleRequest())
    project.evaluate(EvaluateRequest())
    marks = tuple(Mark(log_id=talk, value=1.0, rater=rater) for talk in TALKS[:4] for rater in ("ann", "bea"))
    project.record(RecordRequest(metric="short", kind="human", marks=marks))
    pass_by(telemetry, "now64(3) + INTERVAL 3 DAY")
    return project


def pass_by(t: Telemetry, upto: str) -> None:
    """Say that settling has passed by whatever was touched before."""
    t.command("INSERT INTO settled (name, upto, at) SELECT 'interactions', " + upto + ", now64(6) + 60")


def books(project: Application) -> Iterator[tuple[Unit, Accounting | PolicyAccounting]]:
    for unit in METRIC_OF:
        found = project.accounting_by_policy(POLICY_OF[unit], EVERY)
        assert found.accounting.seen == sum(hour.accounting.seen for hour in found.hours)
        assert found.accounting.lost == sum(abs(hour.accounting.lost) for hour in found.hours)
        yield unit, found.accounting
        (metric,) = found.metrics
        assert metric.metric == METRIC_OF[unit]
        yield unit, metric


def test_books_of_which_nothing_was_lost_balance(whole: Application) -> None:
    seen = {"conversation": 14, "interaction": 21}
    for unit, account in books(whole):
        assert account.balanced
        assert account.seen == seen[unit]
    talks = whole.accounting_by_policy("talks", EVERY)
    (short,) = talks.metrics
    assert talks.accounting.filtered == short.filtered == 4
    assert talks.accounting.not_sampled == short.not_sampled > 0
    assert talks.accounting.drawn == short.scored + short.skipped > talks.accounting.people > 0
    assert len(talks.hours) == 5


def test_rows_lost_at_random_between_the_steps_are_all_seen(whole: Application, telemetry: Telemetry) -> None:
    kept = {table: telemetry.query(f"SELECT * FROM {table}") for table in TABLES}
    losses = st.builds(
        Loss, st.sampled_from(logs()), st.sampled_from(("signals", "selections", "scores")), st.booleans()
    )

    @settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
    @given(lost=st.lists(losses, max_size=6))
    def law(lost: list[Loss]) -> None:
        rows, hit = drop(kept, lost)
        for table, left in rows.items():
            telemetry.command(f"TRUNCATE TABLE {table}")
            telemetry.insert(table, left)
        for unit, account in books(whole):
            of_policy = isinstance(account, PolicyAccounting)
            expected = {
                log_id
                for kind, log_id, table in hit
                if kind == unit and not (of_policy and table == "scores")
            }
            assert account.lost == len(expected)
            assert account.balanced is not bool(expected)

    law()


def drop(
    kept: Mapping[str, pa.Table], lost: list[Loss]
) -> tuple[dict[str, pa.Table], set[tuple[Unit, str, str]]]:
    """What is left of the tables, and of which logs some row, by table, was lost.

    What is lost before the next step has run never reaches that one: nothing is written of it there."""
    rows, hit = dict(kept), set()
    for (unit, log_id), table, before in lost:
        if not holds(rows[table], unit, log_id):
            continue
        hit.add((unit, log_id, table))
        rows[table] = without(rows[table], unit, log_id)
        if before and table != "scores":
            later = ("selections", "scores") if table == "signals" else ("scores",)
            for name in later:
                rows[name] = without(rows[name], unit, log_id)
            steps = ["decision", "score"] if table == "signals" else ["score"]
            rows["receipts"] = without(rows["receipts"], unit, log_id, steps)
            hit -= {(unit, log_id, name) for name in later}
    return rows, hit


def holds(rows: pa.Table, unit: Unit, log_id: str) -> bool:
    return bool(pc.any(_of(rows, unit, log_id)).as_py())


def without(rows: pa.Table, unit: Unit, log_id: str, steps: list[str] | None = None) -> pa.Table:
    mask = _of(rows, unit, log_id)
    if steps is not None:
        mask = pc.and_(mask, pc.is_in(rows["step"].cast(pa.string()), pa.array(steps)))
    return rows.filter(pc.invert(mask))


def _of(rows: pa.Table, unit: Unit, log_id: str) -> Any:
    is_unit = pc.equal(rows["unit"].cast(pa.string()), pa.scalar(unit))
    return pc.and_(is_unit, pc.equal(rows["log_id"], pa.scalar(log_id)))


def test_what_is_lost_shows_on_every_way_and_the_next_run_makes_it_good(
    whole: Application, telemetry: Telemetry
) -> None:
    before = whole.accounting_by_policy("talks", EVERY)
    telemetry.command("DELETE FROM selections WHERE policy = 'talks' AND stage = 'judge' AND selected = 0")
    telemetry.command("DELETE FROM scores WHERE metric = 'short' AND kind = 'code' AND fate = 'scored'")
    after = whole.accounting_by_policy("talks", EVERY)
    assert after.accounting.lost == before.accounting.not_sampled
    assert after.metrics[0].lost == before.accounting.not_sampled + before.metrics[0].scored
    checks = {check.name: check for check in whole.examine(ExamineRequest())}
    assert checks["books"].verdict == "fail"
    assert f"talks ({after.accounting.lost} logs)" in checks["books"].found
    hours = whole.accounting_by_hour("short", EVERY)
    assert sum(hour.accounting.lost for hour in hours) == after.metrics[0].lost
    whole.sample(SampleRequest())
    whole.evaluate(EvaluateRequest())
    again = whole.accounting_by_policy("talks", EVERY)
    assert again == before
    checks = {check.name: check for check in whole.examine(ExamineRequest())}
    assert (checks["books"].verdict, checks["books"].found) == ("ok", "they add up: talks, turns")


def test_a_log_of_which_no_row_is_left_is_remembered_by_its_trace(
    whole: Application, telemetry: Telemetry
) -> None:
    for table in TABLES:
        telemetry.command(f"DELETE FROM {table} WHERE log_id IN ('talk3', '{trace_id('talk3.0')}')")
    telemetry.command(f"DELETE FROM signals WHERE log_id = '{trace_id('talk3.1')}'")
    for unit, account in books(whole):
        assert account.lost == (1 if unit == "conversation" else 2)


def test_facts_that_were_lost_are_computed_again(whole: Application, telemetry: Telemetry) -> None:
    before = [account for _, account in books(whole)]
    telemetry.command(f"DELETE FROM signals WHERE log_id IN ('talk3', 'talk9', '{trace_id('talk9.0')}')")
    telemetry.command(f"DELETE FROM signals WHERE log_id = '{trace_id('talk5.1')}'")
    assert [account.lost for _, account in books(whole)] == [2, 2, 2, 2]
    pass_by(telemetry, "now64(3)")
    whole.remap(RemapRequest(again=True))
    assert [account for _, account in books(whole)] == before


def test_what_has_not_settled_yet_is_not_lost(whole: Application, telemetry: Telemetry) -> None:
    telemetry.command("TRUNCATE TABLE settled")
    telemetry.command(f"DELETE FROM signals WHERE log_id = '{trace_id('talk9.0')}'")
    telemetry.command("DELETE FROM signals WHERE log_id = 'talk9'")
    for table in TABLES[1:]:
        telemetry.command(f"DELETE FROM {table} WHERE log_id IN ('talk9', '{trace_id('talk9.0')}')")
    assert all(account.balanced for _, account in books(whole))
