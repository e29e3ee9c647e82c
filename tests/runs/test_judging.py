"""Judges over a real endpoint that behaves badly: every log has one fate, and the money adds up."""

from __future__ import annotations

import asyncio
import json
import random
import threading
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
import pytest
from tests.llm.endpoint import Answer, chat, error, free_port, serve, verdict
from tests.metrics.logs import STARTED, make_log, make_turn

import assay
from assay.errors import CallerError, ConfigError, ProviderError, StoreFull
from assay.llm.base import ChatReply, ChatRequest, Provider
from assay.llm.openai import OpenAIProvider
from assay.llm.retry import Retry
from assay.metrics.judge import JudgeMetric
from assay.records import Log, RunReport
from assay.runs.fates import SCORES
from assay.runs.local import evaluate
from assay.runs.options import RunOptions

NOW = datetime(2026, 5, 5, tzinfo=UTC)
PRICES = {"m": (1.0, 2.0)}


def judge(**changes: Any) -> JudgeMetric:
    return assay.judge("resolved", criteria="Was it solved?", model="m", **changes)


class Collected:
    """A sink that keeps what it is given."""

    def __init__(self) -> None:
        self.tables: list[pa.Table] = []

    def __call__(self, rows: pa.Table) -> None:
        assert rows.schema == SCORES
        self.tables.append(rows)

    @property
    def rows(self) -> list[dict[str, Any]]:
        return [row for table in self.tables for row in table.to_pylist()]

    def by_id(self) -> dict[str, dict[str, Any]]:
        rows = self.rows
        found = {row["log_id"]: row for row in rows}
        assert len(found) == len(rows), "a log has two fates"
        return found


async def no_sleep(seconds: float) -> None:
    await asyncio.sleep(0)


def run(
    provider: Provider | None,
    todo: Iterable[Sequence[Log]],
    sink: Collected,
    *,
    metric: JudgeMetric | None = None,
    prices: Mapping[str, tuple[float, float]] = PRICES,
    **options: Any,
) -> RunReport:
    given: dict[str, Any] = {"timeout_s": 30.0, "retry": Retry(attempts=3)}
    return evaluate(
        metric or judge(),
        todo,
        run_id="run-1",
        sink=sink,
        now=lambda: NOW,
        rng=random.Random(5),
        provider=provider,
        prices=prices,
        options=RunOptions(**(given | options)),
        sleep=no_sleep,
    )


def logs_of(*texts: str) -> list[Log]:
    return [make_log(f"c{number}", make_turn(text)) for number, text in enumerate(texts)]


def moody(asked: dict[str, Any], times: int) -> Answer:
    """Does what the log says."""
    text = asked["messages"][1]["content"]
    answers: dict[str, Answer] = {
        "DO pass": verdict("pass"),
        "DO fail": verdict("fail"),
        "DO 429 once": verdict() if times else error(429, "slow", retry_after="9"),
        "DO 500 twice": verdict() if times >= 2 else error(500, "oops"),
        "DO 500 always": error(500, "oops"),
        "DO cut once": verdict() if times else verdict()._replace(fault="cut"),
        "DO cut always": verdict()._replace(fault="cut"),
        "DO html": Answer("<html></html>", content_type="text/html"),
        "DO prose": chat("I think it went well."),
        "DO shape": Answer('{"answer": 42}'),
        "DO reject": error(400, "the prompt exceeds the context size"),
        "DO surrogate": chat('{"reasoning": "\\ud800", "verdict": "pass"}'),
    }
    return next(answer for words, answer in answers.items() if words in text)


def test_every_log_has_exactly_one_fate_whatever_the_endpoint_does() -> None:
    wanted = {
        "DO pass": ("scored", 1.0, ""),
        "DO fail": ("scored", 0.0, ""),
        "DO 429 once": ("scored", 1.0, ""),
        "DO 500 twice": ("scored", 1.0, ""),
        "DO 500 always": ("failed", None, "server_error"),
        "DO cut once": ("scored", 1.0, ""),
        "DO cut always": ("failed", None, "disconnected"),
        "DO html": ("failed", None, "not_json"),
        "DO prose": ("failed", None, "unparsable"),
        "DO shape": ("failed", None, "not_understood"),
        "DO reject": ("failed", None, "bad_request"),
        "DO surrogate": ("scored", 1.0, ""),
    }
    sink = Collected()
    with serve(moody) as endpoint:
        report = run(OpenAIProvider(base_url=endpoint.base_url), [logs_of(*wanted)], sink)
    rows = sink.by_id()
    found = {
        text: (rows[f"c{number}"]["fate"], rows[f"c{number}"]["value"], rows[f"c{number}"]["reason"])
        for number, text in enumerate(wanted)
    }
    assert found == wanted
    assert (report.todo, report.scored, report.failed) == (12, 6, 6)
    assert report.failures == {reason: 1 for _, _, reason in wanted.values() if reason}
    each = (100 * 1.0 + 10 * 2.0) / 1e6
    assert rows["c8"]["cost_usd"] == pytest.approx(each), "an unparsable reply was paid for too"
    assert report.cost_usd == pytest.approx(7 * each)
    assert report.cost_usd == pytest.approx(sum(row["cost_usd"] for row in rows.values()))


def test_a_row_says_who_judged_what_when_and_at_what_price() -> None:
    sink = Collected()
    with serve(moody) as endpoint:
        run(OpenAIProvider(base_url=endpoint.base_url), [logs_of("DO fail")], sink)
    [row] = sink.rows
    assert row.pop("latency_ms") > 0.0
    assert row.pop("cost_usd") == pytest.approx(120e-6)
    assert row == {
        "metric": "resolved",
        "metric_version": judge().info.version,
        "kind": "judge",
        "unit": "conversation",
        "log_id": "c0",
        "started": STARTED,
        "fate": "scored",
        "value": 0.0,
        "category": "fail",
        "explanation": "because",
        "reason": "",
        "rater": "",
        "model": "m-2026",
        "simulated": 0,
        "run_id": "run-1",
        "scored_at": NOW,
    }


def test_a_request_that_hangs_costs_its_log_alone() -> None:
    def script(asked: dict[str, Any], times: int) -> Answer:
        hangs = "DO hang" in asked["messages"][1]["content"]
        return Answer("", fault="hang") if hangs else verdict()

    sink = Collected()
    with serve(script) as endpoint:
        todo = [logs_of("ok", "DO hang", "fine")]
        report = run(
            OpenAIProvider(base_url=endpoint.base_url), todo, sink, timeout_s=1.5, retry=Retry(attempts=1)
        )
    assert (report.scored, report.failures) == (2, {"timeout": 1})
    assert sink.by_id()["c1"]["fate"] == "failed"


def test_nobody_there_ends_the_run_with_the_address() -> None:
    base_url = f"http://127.0.0.1:{free_port()}/v1"
    sink = Collected()
    with pytest.raises(ProviderError, match=base_url):
        run(OpenAIProvider(base_url=base_url), [logs_of(*["DO pass"] * 30)], sink)
    assert sink.rows == [], "the logs stay to be judged"


@pytest.mark.parametrize("status", [401, 404])
def test_a_wrong_key_or_model_ends_the_run_at_once(status: int) -> None:
    sink = Collected()
    with serve(lambda asked, times: error(status, "no")) as endpoint:
        provider = OpenAIProvider(base_url=endpoint.base_url)
        with pytest.raises(ProviderError, match=str(status)):
            run(provider, [logs_of(*["x"] * 50)], sink, concurrency=2)
        assert len(endpoint.asked) <= 4
    assert sink.rows == []


def test_an_endpoint_that_dies_midway_ends_the_run_and_keeps_what_was_done() -> None:
    def script(asked: dict[str, Any], times: int) -> Answer:
        dead = int(asked["messages"][1]["content"].partition("LOG ")[2].partition(".")[0]) >= 10
        return error(503, "overloaded") if dead else verdict()

    sink = Collected()
    todo = [logs_of(*[f"LOG {number}." for number in range(200)])]
    with serve(script) as endpoint, pytest.raises(ProviderError, match="overloaded"):
        run(OpenAIProvider(base_url=endpoint.base_url), todo, sink, concurrency=4, give_up_after=6)
    assert sorted(sink.by_id()) == sorted(f"c{number}" for number in range(10))
    assert all(row["fate"] == "scored" for row in sink.rows)


def test_a_few_troubles_are_failures_of_their_logs() -> None:
    def script(asked: dict[str, Any], times: int) -> Answer:
        return error(500, "oops") if "DO break" in asked["messages"][1]["content"] else verdict()

    sink = Collected()
    texts = ["DO break", "DO break", "ok"] * 5 + ["DO break"] * 2
    with serve(script) as endpoint:
        provider = OpenAIProvider(base_url=endpoint.base_url)
        report = run(provider, [logs_of(*texts)], sink, concurrency=1, give_up_after=3)
    assert (report.scored, report.failed) == (5, 12)


class Counting:
    """Answers in this process. Knows what it was asked, and how many at once."""

    name = "counting"
    simulated = False

    def __init__(self, tokens: tuple[int, int] = (100, 10)) -> None:
        self.tokens = tokens
        self.keys: list[str] = []
        self.at_once = self.most_at_once = 0
        self.closed = 0

    async def complete(self, request: ChatRequest) -> ChatReply:
        self.keys.append(request.key)
        self.at_once += 1
        self.most_at_once = max(self.at_once, self.most_at_once)
        for _ in range(3):
            await asyncio.sleep(0)
        self.at_once -= 1
        text = json.dumps({"reasoning": "", "verdict": "pass"})
        given, taken = self.tokens
        return ChatReply(text=text, input_tokens=given, output_tokens=taken, model="m")

    async def close(self) -> None:
        self.closed += 1


class Simulated(Counting):
    simulated = True


def test_requests_in_flight_are_bounded_and_the_provider_is_closed() -> None:
    provider = Counting()
    run(provider, [logs_of(*["x"] * 40)], Collected(), concurrency=5)
    assert provider.most_at_once == 5
    assert provider.closed == 1


@pytest.mark.parametrize("concurrency", [1, 7, 100])
def test_a_budget_is_never_passed_and_what_is_left_says_so(concurrency: int) -> None:
    provider, sink = Counting(tokens=(1000, 100)), Collected()
    each = 1200e-6
    logs = logs_of(*["x" * 100] * 100)
    report = run(
        provider, [logs], sink, metric=judge(max_tokens=200), budget_usd=30.5 * each, concurrency=concurrency
    )
    assert report.cost_usd <= 30.5 * each
    assert report.cost_usd == pytest.approx(report.scored * each)
    assert 27 <= report.scored <= 30
    assert report.over_budget == 100 - report.scored
    assert sorted(provider.keys) == sorted(row["log_id"] for row in sink.rows if row["fate"] == "scored")
    rows = sink.by_id()
    assert len(rows) == 100
    scored = [rows[log.log_id]["fate"] == "scored" for log in logs]
    assert scored == sorted(scored, reverse=True), (
        "what is left over is the end of the list, not the dear ones"
    )


def test_a_dear_log_is_not_passed_over_for_cheaper_ones() -> None:
    provider = Counting(tokens=(100, 0))
    logs = logs_of("short", "long " * 4000, "short", "short")
    report = run(provider, [logs], Collected(), metric=judge(max_tokens=1), budget_usd=0.005, concurrency=4)
    assert provider.keys == ["c0"]
    assert (report.scored, report.over_budget) == (1, 3)


def test_a_budget_of_nothing_asks_nothing() -> None:
    provider = Counting()
    report = run(provider, [logs_of("a", "b")], Collected(), budget_usd=0.0)
    assert (report.over_budget, provider.keys, report.cost_usd) == (2, [], 0.0)


def test_an_unknown_price_is_noted_once_and_refuses_a_budget() -> None:
    sink = Collected()
    report = run(Counting(), [logs_of("a", "b", "c")], sink, prices={})
    assert [row["cost_usd"] for row in sink.rows] == [0.0] * 3
    [note] = report.notes
    assert '[prices."m"]' in note
    with pytest.raises(ConfigError, match="budget"):
        run(Counting(), [logs_of("a")], sink, prices={}, budget_usd=1.0)


def test_an_endpoint_that_counts_no_tokens_is_booked_at_the_most_it_can_have_cost() -> None:
    sink = Collected()
    report = run(Counting(tokens=(0, 0)), [logs_of("a", "b")], sink, metric=judge(max_tokens=500))
    assert report.cost_usd > 2 * 500 * 2e-6
    assert "counts no tokens" in " ".join(report.notes)


def test_simulated_answers_are_marked_and_free() -> None:
    sink = Collected()
    report = run(Simulated(tokens=(0, 0)), [logs_of("a")], sink, prices={}, budget_usd=1.0)
    assert (report.cost_usd, report.notes, sink.rows[0]["simulated"]) == (0.0, (), 1)


def test_an_endpoint_without_schemas_is_noted() -> None:
    def script(asked: dict[str, Any], times: int) -> Answer:
        return error(400, "unknown field response_format") if "response_format" in asked else verdict()

    with serve(script) as endpoint:
        report = run(OpenAIProvider(base_url=endpoint.base_url), [logs_of("a", "b")], Collected())
    assert report.scored == 2
    assert "takes no JSON Schema" in report.notes[0]


def test_rows_are_handed_on_while_the_run_goes_on() -> None:
    """So that a run that is killed loses only what was under way."""
    sink = Collected()

    def todo() -> Iterable[list[Log]]:
        yield logs_of(*["x"] * 600)
        done = sum(len(table) for table in sink.tables)
        assert done >= 256
        yield [make_log("last")]

    assert run(Counting(), todo(), sink).todo == 601
    assert len(sink.by_id()) == 601


def test_an_interrupt_keeps_what_was_done() -> None:
    class Interrupting(Counting):
        async def complete(self, request: ChatRequest) -> ChatReply:
            if len(self.keys) == 10:
                raise KeyboardInterrupt
            return await super().complete(request)

    sink, provider = Collected(), Interrupting()
    with pytest.raises(KeyboardInterrupt):
        run(provider, [logs_of(*["x"] * 50)], sink, concurrency=1)
    assert len(sink.by_id()) == 10
    assert provider.closed == 1


def test_a_full_disk_ends_the_run() -> None:
    class Full(Collected):
        def __call__(self, rows: pa.Table) -> None:
            raise StoreFull("no space left")

    provider = Counting()
    with pytest.raises(StoreFull):
        run(provider, [logs_of(*["x"] * 2000)], Full())
    assert len(provider.keys) < 300
    assert provider.closed == 1


def test_a_log_that_comes_twice_is_judged_once() -> None:
    provider, sink = Counting(), Collected()
    assert run(provider, [logs_of("a", "b"), logs_of("a", "b", "c")], sink).todo == 3
    assert len(provider.keys) == 3


def test_a_judge_of_ones_own_that_raises_fails_its_log_and_pays_its_price() -> None:
    class Raising:
        def __init__(self) -> None:
            self.info = judge().info
            self.definition: Mapping[str, object] = {}
            self.model = "m"

        async def judge(self, log: Log, complete: Any) -> Any:
            await complete(ChatRequest(key=log.log_id, model="m", system="", user=""))
            raise ZeroDivisionError("by zero")

    sink = Collected()
    report = evaluate(
        Raising(),
        [logs_of("a")],
        run_id="r",
        sink=sink,
        now=lambda: NOW,
        rng=random.Random(1),
        provider=Counting(),
        prices=PRICES,
    )
    assert report.failures == {"raised": 1}
    assert sink.rows[0]["explanation"] == "ZeroDivisionError: by zero"
    assert sink.rows[0]["cost_usd"] == report.cost_usd == pytest.approx(120e-6)


def test_no_provider_and_the_wrong_unit_are_told() -> None:
    with pytest.raises(ConfigError, match="provider"):
        run(None, [logs_of("a")], Collected())
    with pytest.raises(CallerError, match="interaction"):
        run(Counting(), [[make_log(unit="interaction")]], Collected())


def test_a_run_can_be_made_in_any_thread() -> None:
    sink, reports = Collected(), []
    thread = threading.Thread(target=lambda: reports.append(run(Counting(), [logs_of("a")], sink)))
    thread.start()
    thread.join()
    assert reports[0].scored == 1


def test_nothing_to_do_is_a_report_too() -> None:
    report = run(Counting(), [], Collected())
    assert (report.todo, report.cost_usd, report.failures) == (0, 0.0, {})
