"""What is deleted: whole days that have outlived their time, and all that is kept of one user."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from io import BytesIO
from typing import Any

import pyarrow as pa
import pytest
from tests.app.conftest import NOW, SETTINGS, Open
from tests.store.spans import trace_id, turn

from assay.app.application import Application
from assay.app.requests import (
    EstimateRequest,
    EvaluateRequest,
    ForgetRequest,
    Mark,
    RecordRequest,
    RetainRequest,
    SampleRequest,
    SettleRequest,
    Span,
    SpansRequest,
    TodoRequest,
)
from assay.errors import CallerError
from assay.ingest.columns import SPAN_SCHEMA
from assay.records import ForgetReport
from assay.store.telemetry.connection import Telemetry
from assay.store.telemetry.conventions import KEYS, Field
from assay.store.telemetry.erase import USER_KEY

CODE = """
from assay import metric

@metric(unit="conversation")
def short(log):
    return len(log.output) < 100
"""


def send(application: Application, *turns: Sequence[dict[str, Any]]) -> None:
    rows = [span for spans in turns for span in spans]
    table = pa.Table.from_pylist(rows, schema=SPAN_SCHEMA)
    sink = BytesIO()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    application.spans(SpansRequest(arrow=sink.getvalue()))
    application.settle(SettleRequest(even_active=True))


def said(user: str, name: str, talk: str, day: datetime, minute: int = 0) -> list[dict[str, Any]]:
    who: Any = {"user.id": user} if user else {}
    return turn(name, talk, asked=f"secret of {name}", start=day, minute=minute, **who)


def rows(t: Telemetry, sql: str) -> list[dict[str, Any]]:
    return t.query(sql).to_pylist()


@pytest.fixture(autouse=True)
def impatient(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """The engine removes old files in its own time: one test waits for it."""
    if "slow" not in request.keywords:
        monkeypatch.setattr("assay.store.telemetry.erase.WAIT_S", 0.0)


def left(report: ForgetReport) -> int:
    return sum(table.after for table in report.tables)


@pytest.fixture
def project(open_project: Open) -> Application:
    """Jane alone in `one` and with Rob in `both`; Rob alone in `two`."""
    application = open_project(CODE)
    day = NOW - timedelta(days=1)
    send(
        application,
        said("jane", "a", "one", day),
        said("", "b", "one", day, 1),
        said("jane", "c", "both", day),
        said("rob", "d", "both", day, 1),
        said("rob", "e", "two", day),
        said("jane", "f", "", day),
    )
    application.sample(SampleRequest())
    application.evaluate(EvaluateRequest())
    marks = tuple(Mark(log_id=log, value=1.0, rater="ann", comment=f"about {log}") for log in ("one", "two"))
    application.record(RecordRequest(metric="short", kind="human", marks=marks))
    return application


def test_a_user_is_forgotten_everywhere_and_others_are_not(
    project: Application, telemetry: Telemetry
) -> None:
    asked = project.forget(ForgetRequest(user="jane", dry_run=True))
    assert (asked.interactions, asked.conversations, asked.shared, asked.verified) == (4, 2, 1, False)
    assert asked.tables == project.forget(ForgetRequest(user="jane", dry_run=True)).tables

    done = project.forget(ForgetRequest(user="jane"))
    assert not left(done)
    before = {table.table: table.before for table in done.tables}
    assert before["otel_traces"] == before["interactions"] == 4
    assert before["signals"] == 4 + 3
    assert before["scores"] == 4
    own = {trace_id(name) for name in "abcf"}
    for table, column in (("otel_traces", "TraceId"), ("interactions", "trace_id"), ("signals", "log_id")):
        kept_ids = {row["id"] for row in rows(telemetry, f"SELECT {column} AS id FROM {table}")}
        assert kept_ids
        assert not kept_ids & (own | {"one"})
    assert {row["log_id"] for row in rows(telemetry, "SELECT log_id FROM scores")} == {"two"}
    for text in ("jane", "secret of a", "secret of b", "about one"):
        for table in ("otel_traces", "signals", "scores"):
            every = f"SELECT toString(tuple(*)) AS said FROM {table}"
            found = rows(telemetry, f"SELECT count() AS n FROM ({every}) WHERE position(said, '{text}') > 0")
            assert found == [{"n": 0}]
    assert project.conversation("one") is None
    assert project.conversation("two") is not None

    project.settle(SettleRequest(even_active=True))
    both = project.conversation("both")
    assert both is not None
    assert (both.facts.user_id, both.facts.turns, both.facts.input) == ("rob", 1, "secret of d")
    again = project.forget(ForgetRequest(user="jane"))
    assert not left(again)
    assert not any(table.before for table in again.tables)


def test_a_number_that_says_something_else_is_nobodys_id(open_project: Open, telemetry: Telemetry) -> None:
    """Ids are numbers in many applications, and so are ages and counts."""
    application = open_project(CODE)
    day = NOW - timedelta(days=1)
    number: Any = "42"
    about = {"a": "user.age", "b": "llm.user_message_count", "c": "metadata.user_turns", "d": "superuser"}
    own = {"e": "metadata.user_id", "f": "app.userId", "g": "enduser.pseudo.id", "h": "app.EndUser.id"}
    own |= {"i": "session.currentUserId", "j": "app_user", "k": "user.email"}
    send(
        application,
        *(turn(name, f"talk {name}", start=day, **{key: number}) for name, key in (about | own).items()),
        said("7", "l", "talk l", day),
    )
    done = application.forget(ForgetRequest(user="42"))
    assert (done.interactions, left(done)) == (len(own), 0)
    found = {row["id"] for row in rows(telemetry, "SELECT DISTINCT TraceId AS id FROM otel_traces")}
    assert found == {trace_id(name) for name in (*about, "l")}


def test_every_key_that_the_mapping_knows_names_a_user() -> None:
    assert [key for key in KEYS[Field.USER] if not re.search(USER_KEY, key)] == []


def test_evaluations_without_a_trace_go_too(open_project: Open, telemetry: Telemetry) -> None:
    application = open_project(CODE)
    day = NOW - timedelta(days=1)
    answered: Any = {"user.id": "jane", "gen_ai.response.id": "resp-1"}
    send(application, turn("a", "one", start=day, **answered), said("rob", "b", "two", day))
    for name, attributes in {
        "resp-1": {"gen_ai.response.id": "resp-1"},
        "one": {"gen_ai.conversation.id": "one"},
        "two": {"gen_ai.conversation.id": "two"},
    }.items():
        result = {"event.name": "gen_ai.evaluation.result", "gen_ai.evaluation.name": "tone"}
        row = {"Timestamp": day, "Body": f"about {name}", "EventName": "gen_ai.evaluation.result"}
        pairs = pa.array([list((result | attributes).items())], pa.map_(pa.string(), pa.string()))
        table = pa.table({**{key: [value] for key, value in row.items()}, "LogAttributes": pairs})
        telemetry.insert("otel_logs", table)
    done = application.forget(ForgetRequest(user="jane"))
    assert {table.table: table.before for table in done.tables}["otel_logs"] == 2
    assert not left(done)
    assert [row["Body"] for row in rows(telemetry, "SELECT Body FROM otel_logs")] == ["about two"]
    keys = {row["trace_id"] for row in rows(telemetry, "SELECT DISTINCT trace_id FROM interactions")}
    assert trace_id("b") in keys
    assert not keys & {trace_id("a"), "response:resp-1", "conversation:one"}


def test_the_books_balance_after_a_deletion(project: Application) -> None:
    project.forget(ForgetRequest(user="jane"))
    project.settle(SettleRequest(even_active=True))
    for hour in project.accounting_by_hour("short"):
        assert hour.accounting.balanced


def test_one_conversation_is_forgotten(project: Application, telemetry: Telemetry) -> None:
    done = project.forget(ForgetRequest(conversation="one"))
    assert (done.interactions, left(done)) == (2, 0)
    assert project.conversation("one") is None
    assert len(rows(telemetry, "SELECT DISTINCT TraceId FROM otel_traces")) == 4
    for wrong in (ForgetRequest(), ForgetRequest(user="a", conversation="b")):
        with pytest.raises(CallerError, match="one of them"):
            project.forget(wrong)


@pytest.mark.slow
def test_verified_means_gone_from_the_disk(project: Application, telemetry: Telemetry) -> None:
    """The engine removes old files when it likes, later where it had nothing to remove for long."""
    done = project.forget(ForgetRequest(user="jane"))
    assert left(done) == 0
    if not done.verified:
        assert done.old_files
        return
    parts = rows(
        telemetry,
        "SELECT count() AS n FROM system.parts WHERE NOT active AND database = 'default' "
        "AND table IN ('otel_traces', 'signals', 'scores', 'interactions')",
    )
    assert parts == [{"n": 0}]


def test_a_hashed_user_is_found_by_the_id(open_project: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = SETTINGS + "[redaction]\nhash_user_ids = true\n"
    with pytest.raises(Exception, match="needs a key"):
        open_project("", settings)
    application = open_project("", settings, environ={"ASSAY_REDACTION_KEY": "k"})
    send(application, said("jane", "a", "one", NOW - timedelta(days=1)))
    page = application.conversation("one")
    assert page is not None
    assert page.facts.user_id.startswith("[user:")
    assert application.forget(ForgetRequest(user="jane")).interactions == 1
    assert application.conversation("one") is None


# --- retention ------------------------------------------------------------------------------------

KEEP = SETTINGS + "[retention]\ncontent_days = 7\nfacts_days = 30\nscores_days = 30\n"


def kept(t: Telemetry, table: str, column: str = "started") -> list[date]:
    found = rows(t, f"SELECT DISTINCT toDate({column}) AS day FROM {table} ORDER BY day")
    return [row["day"] for row in found]


@pytest.fixture
def aged(open_project: Open) -> Application:
    application = open_project(CODE, KEEP)
    for days in (1, 7, 8, 30, 31):
        send(application, said("jane", f"day {days}", f"talk {days}", NOW - timedelta(days=days)))
    application.sample(SampleRequest())
    return application


def test_whole_days_go_by_their_class(aged: Application, telemetry: Telemetry) -> None:
    days = {number: (NOW - timedelta(days=number)).date() for number in (1, 7, 8, 30, 31)}
    planned = aged.retain(RetainRequest(dry_run=True))
    assert len(kept(telemetry, "otel_traces", "Timestamp")) == 5
    done = aged.retain(RetainRequest())
    assert done.removed == planned.removed
    assert {(one.table, one.what, one.days, one.first) for one in done.removed} == {
        ("otel_traces", "rows", 3, days[31]),
        ("interactions", "rows", 3, days[31]),
        ("embeddings", "rows", 3, days[31]),
        ("signals", "rows", 1, days[31]),
        ("baselines", "rows", 1, days[31]),
        ("selections", "rows", 1, days[31]),
        ("receipts", "rows", 1, days[31]),
        ("signals", "texts", 2, days[30]),
    }
    assert kept(telemetry, "otel_traces", "Timestamp") == [days[7], days[1]]
    assert kept(telemetry, "signals") == [days[30], days[8], days[7], days[1]]
    texts = rows(
        telemetry, "SELECT DISTINCT toDate(started) AS day FROM signals WHERE input != '' OR output != ''"
    )
    assert {row["day"] for row in texts} == {days[7], days[1]}
    assert aged.retain(RetainRequest()).removed == ()


def test_what_has_no_texts_is_not_judged_and_says_so(aged: Application) -> None:
    aged.retain(RetainRequest())
    (run,) = aged.evaluate(EvaluateRequest())
    assert (run.todo, run.scored, run.skipped) == (4, 2, 2)
    assert "retention.content_days" in run.notes[-1]
    assert aged.evaluate(EvaluateRequest())[0].todo == 0
    assert all(item.transcript for item in aged.todo(TodoRequest(metric="short")).items)
    page = aged.conversation("talk 8")
    assert page is not None
    assert page.expired
    assert (page.facts.turns, len(page.turns)) == (1, 1)
    fresh = aged.conversation("talk 7")
    assert fresh is not None
    assert not fresh.expired


def test_a_conversation_that_lost_a_part_is_not_judged(aged: Application) -> None:
    send(aged, said("jane", "begun", "half", NOW - timedelta(days=9)))
    send(aged, said("jane", "ended", "half", NOW - timedelta(days=6)))
    aged.sample(SampleRequest())
    aged.retain(RetainRequest())
    send(aged, said("jane", "again", "half", NOW - timedelta(days=6), 1))
    page = aged.conversation("half")
    assert page is not None
    assert (page.facts.turns, page.expired, page.facts.started) == (3, 1, NOW - timedelta(days=9))
    (run,) = aged.evaluate(EvaluateRequest())
    assert (run.todo, run.scored, run.skipped) == (5, 2, 3)
    assert "half" not in {item.log_id for item in aged.todo(TodoRequest(metric="short", limit=100)).items}


def test_an_estimate_says_that_its_filter_lacks_texts(aged: Application) -> None:
    aged.retain(RetainRequest())
    aged.evaluate(EvaluateRequest())
    long, short = (Span(since=NOW - timedelta(days=days), until=NOW) for days in (20, 5))
    said_so = (
        f"texts before {(NOW - timedelta(days=7)).date()} were removed: the filter can't find them there"
    )
    for span, where, reason in (
        (long, 'input contains "secret"', said_so),
        (long, 'user_id = "jane" and text contains "secret"', said_so),
        (long, 'user_id = "jane"', ""),
        (short, 'input contains "secret"', ""),
    ):
        estimate = aged.estimate(EstimateRequest(metric="short", range=span, where=where))
        assert (estimate.known, estimate.reason) == (True, reason)


def test_spans_are_left_to_their_owner_where_asked(open_project: Open, telemetry: Telemetry) -> None:
    application = open_project(CODE, KEEP.replace("[retention]\n", "[retention]\nspans = false\n"))
    send(application, said("jane", "old", "talk", NOW - timedelta(days=8)))
    done = application.retain(RetainRequest())
    assert [(one.table, one.what) for one in done.removed] == [("interactions", "rows"), ("signals", "texts")]
    assert len(kept(telemetry, "otel_traces", "Timestamp")) == 1
    texts = "SELECT 1 AS one FROM signals WHERE input != '' OR output != ''"
    assert (rows(telemetry, texts), rows(telemetry, "SELECT 1 AS one FROM interactions")) == ([], [])


def test_nothing_goes_by_default(open_project: Open) -> None:
    application = open_project(CODE)
    send(application, said("jane", "old", "talk", NOW - timedelta(days=3000)))
    assert application.retain(RetainRequest()).removed == ()
