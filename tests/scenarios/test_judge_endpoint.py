"""A judge behind an endpoint on this machine: it scores, costs, goes away, comes back, talks
nonsense, and never costs more than it may."""

from __future__ import annotations

import itertools
import shutil
from pathlib import Path
from typing import Any

import pytest
from tests.llm.endpoint import Answer, chat, free_port, serve, verdict
from tests.scenarios.project import SETTINGS, Project

pytestmark = pytest.mark.slow

METRICS = """\
import assay

kind = assay.judge("kind", unit="conversation", model="judge-1", criteria="Was the answer kind?")
"""
PRICE_USD = (100 * 2.0 + 10 * 8.0) / 1e6
"""Of one reply: the endpoint counts 100 tokens read and 10 written."""
LOGS = 40


def configure(project: Project, base_url: str, more: str = "") -> None:
    judge = f'\n[judge]\nbase_url = "{base_url}"\nattempts = 2\ntimeout_s = 10\n{more}\n'
    prices = '\n[prices."judge-1"]\ninput = 2.0\noutput = 8.0\n'
    project.configure(SETTINGS + judge + prices)


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Forty conversations, all drawn for a judge that nobody has run yet."""
    made = Project(tmp_path_factory.mktemp("drawn"), metrics=METRICS)
    rows = [{"id": f"c-{n}", "input": f"Question {n}?", "output": f"Answer {n}."} for n in range(LOGS)]
    made.run("import", made.write("logs.jsonl", rows))
    made.run("sample")
    return made.folder


@pytest.fixture
def project(drawn: Path, tmp_path: Path) -> Project:
    """A copy of that project: it is all in its folder."""
    return Project(shutil.copytree(drawn, tmp_path / "project", symlinks=True))


def asked(request: dict[str, Any]) -> int:
    """The number of the conversation that the judge is shown."""
    return int(str(request["messages"]).partition("Question ")[2].partition("?")[0])


def test_scores_come_with_their_cost_and_failures_with_their_reason(project: Project) -> None:
    def script(request: dict[str, Any], times: int) -> Answer:
        number = asked(request)
        if number % 10 == 3:
            return chat("I would rather not say.")
        return verdict("fail" if number % 4 == 0 else "pass")

    with serve(script) as endpoint:
        configure(project, endpoint.base_url)
        (run,) = project.json("evaluate")
    assert (run["todo"], run["scored"], run["failed"], run["over_budget"]) == (LOGS, 36, 4, 0)
    assert sum(run["failures"].values()) == 4
    assert run["cost_usd"] == pytest.approx(PRICE_USD * len(endpoint.asked))
    rows = {row["log_id"]: row for row in project.json("logs", "--limit", "100")["rows"]}
    for number in range(LOGS):
        (score,) = rows[f"c-{number}"]["scores"]
        if number % 10 == 3:
            assert (score["fate"], score["value"]) == ("failed", None)
            assert score["reason"] in run["failures"]
        else:
            assert (score["fate"], score["value"]) == ("scored", 0.0 if number % 4 == 0 else 1.0)
            assert score["explanation"] == "because"
            assert score["cost_usd"] == pytest.approx(PRICE_USD)
    assert project.json("evaluate")[0]["todo"] == 0, "what failed is not tried again unasked"
    with serve(lambda request, times: verdict()) as endpoint:
        configure(project, endpoint.base_url)
        (again,) = project.json("evaluate", "--retry-failed")
    assert (again["todo"], again["scored"]) == (4, 4)
    assert project.json("report")["totals"]["cost_usd"] > 0


def test_an_endpoint_that_is_away_loses_nothing(project: Project) -> None:
    url = f"http://127.0.0.1:{free_port()}/v1"
    configure(project, url)
    away = project.run("evaluate", code=4)
    last = away.err.strip().splitlines()[-1]
    assert last.startswith("error: ")
    for part in (url, "judge.base_url"):
        assert part in last
    assert away.out == ""
    with serve(lambda request, times: verdict()) as endpoint:
        configure(project, endpoint.base_url)
        (run,) = project.json("evaluate")
    assert (run["todo"], run["scored"]) == (LOGS, LOGS)


def test_an_endpoint_that_goes_away_half_way_is_gone_on_with(project: Project) -> None:
    answered = itertools.count()

    def script(request: dict[str, Any], times: int) -> Answer:
        return verdict() if next(answered) < 15 else Answer("", fault="cut")

    with serve(script) as endpoint:
        configure(project, endpoint.base_url)
        project.run("evaluate", code=None)
    scored = project.json("logs", "score.kind = 1")["total"]
    assert scored == 15
    with serve(lambda request, times: verdict()) as endpoint:
        configure(project, endpoint.base_url)
        project.json("evaluate", "--retry-failed")
    assert len(endpoint.asked) == LOGS - 15, "nothing is paid for twice"
    assert project.json("logs", "score.kind = 1")["total"] == LOGS


def test_a_budget_is_kept_and_the_rest_waits(project: Project) -> None:
    budget = 0.02
    with serve(lambda request, times: verdict()) as endpoint:
        configure(project, endpoint.base_url, f"budget_usd = {budget}")
        (run,) = project.json("evaluate")
        assert 0 < run["scored"] < LOGS
        assert run["scored"] + run["over_budget"] == LOGS
        assert run["cost_usd"] == pytest.approx(PRICE_USD * run["scored"])
        assert run["cost_usd"] <= budget
        (metric,) = project.json("report")["metrics"]
        books = metric["accounting"]
        assert (books["seen"], books["scored"], books["over_budget"]) == (
            LOGS,
            run["scored"],
            LOGS - run["scored"],
        )
        (rest,) = project.json("evaluate", "--budget-usd", "1")
    assert (rest["todo"], rest["scored"]) == (LOGS - run["scored"], LOGS - run["scored"])


def test_a_key_that_is_refused_says_where_it_comes_from(project: Project) -> None:
    refusal = Answer('{"error": {"message": "bad key"}}', 401)
    with serve(lambda request, times: refusal) as endpoint:
        configure(project, endpoint.base_url, 'api_key_env = "MY_KEY"')
        said = project.run("evaluate", code=4, environ={"MY_KEY": "sk-secret"}).err
    assert "judge.api_key_env" in said
    assert "sk-secret" not in said
