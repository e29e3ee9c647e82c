"""What the logs of a filter are made of: its counts are those that lists give."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from tests.app.conftest import Open

from assay.app.application import Application
from assay.app.facets import MOST_VALUES, break_down, step_of
from assay.app.requests import BreakdownRequest, LogsRequest, Span
from assay.errors import FilterError
from assay.records import Breakdown, Facet, Window

FIRST = datetime(2025, 11, 10, 5, 30, tzinfo=UTC)
LOGS = 240
FILTERS = [
    "",
    'model = "large" and turns > 2',
    'version in ("v1", "v2") and not signal.slow',
    'not feedback < 0.5 and service != "shop"',
    "turns > 3 or errors > 0",
    "last 5d",
]


@pytest.fixture
def project(open_project: Open, put_logs: Callable[..., None]) -> Application:
    rng = random.Random(3)
    starts = [FIRST + timedelta(minutes=rng.randrange(9 * 1440)) for _ in range(LOGS)]
    put_logs(
        [f"log {number}" for number in range(LOGS)],
        starts,
        input=[f"log {number}" for number in range(LOGS)],
        service=rng.choices(["shop", "desk"], k=LOGS),
        version=rng.choices(["v1", "v2", 'v"3'], k=LOGS),
        model=rng.choices(["large", "small", ""], k=LOGS),
        turns=rng.choices([1, 2, 3, 4], k=LOGS),
        errors=rng.choices([0, 0, 0, 1], k=LOGS),
        feedback=rng.choices([None, 0.0, 0.5, 1.0], k=LOGS),
        signals=[rng.sample(["error", "slow", "refusal"], rng.randrange(4)) for _ in range(LOGS)],
    )
    return open_project()


def found(project: Application, text: str) -> int:
    return project.logs(LogsRequest(filter=text, limit=1)).total


def by_name(made: Breakdown) -> dict[str, Facet]:
    return {facet.name: facet for facet in made.facets}


@pytest.mark.parametrize("text", FILTERS)
def test_every_count_is_that_of_the_list_it_leads_to(project: Application, text: str) -> None:
    made = project.breakdown(BreakdownRequest(filter=text))
    assert made.total == found(project, text)
    assert sum(bar.logs for bar in made.bars) == made.total
    assert sum(bar.failed for bar in made.bars) == found(
        project, f"({text}) and errors > 0" if text else "errors > 0"
    )
    for facet in made.facets:
        for value in (*facet.values[:1], *(value for value in facet.values[1:] if value.state)):
            if value.state == "" and not any(other.state for other in facet.values):
                assert found(project, value.choose) == value.logs, value
            after = by_name(project.breakdown(BreakdownRequest(filter=value.choose)))
            again = [one for one in after[facet.name].values if one.value == value.value]
            assert again[0].state == ("" if value.state == "chosen" else "chosen")
            if value.state == "":
                out = by_name(project.breakdown(BreakdownRequest(filter=value.exclude)))
                left = [one for one in out[facet.name].values if one.value == value.value]
                assert left[0].state == "excluded"
                assert found(project, value.exclude) == made.total - found(
                    project, f"{value.filter} and ({text})" if text else value.filter
                )


def test_a_chosen_value_is_counted_beside_those_it_excludes(project: Application) -> None:
    every = by_name(project.breakdown(BreakdownRequest()))["version"]
    chosen = by_name(project.breakdown(BreakdownRequest(filter='version = "v1"')))["version"]
    assert {value.value: value.logs for value in chosen.values} == {
        value.value: value.logs for value in every.values
    }
    (two,) = [value for value in chosen.values if value.value == "v2"]
    assert two.choose == 'version in ("v1", "v2")'


def test_signals_are_counted_together(project: Application) -> None:
    signals = by_name(project.breakdown(BreakdownRequest(filter="signal.error and not signal.slow")))[
        "signals"
    ]
    states = {value.value: (value.state, value.logs) for value in signals.values}
    assert states["error"][0] == "chosen"
    assert states["slow"] == ("excluded", 0)
    assert states["refusal"] == ("", found(project, "signal.error and not signal.slow and signal.refusal"))


def test_rating_one_way_gives_way_to_the_other(project: Application) -> None:
    rated = by_name(project.breakdown(BreakdownRequest(filter="turns > 1 and feedback < 0.5")))["feedback"]
    assert [(value.value, value.choose) for value in rated.values] == [
        ("negative", "turns > 1"),
        ("positive", "turns > 1 and feedback >= 0.5"),
    ]


def test_a_range_is_counted_alone(project: Application) -> None:
    since, until = FIRST + timedelta(days=2), FIRST + timedelta(days=2, hours=8)
    span = Span(since=since, until=until)
    made = project.breakdown(BreakdownRequest(range=span))
    assert made.total == project.logs(LogsRequest(range=span, limit=1)).total
    assert made.step_minutes == 5
    assert all(since < bar.at + timedelta(minutes=5) and bar.at < until for bar in made.bars)


def test_a_clock_that_was_wrong_hides_no_others(project: Application, put_logs: Callable[..., None]) -> None:
    before = project.breakdown(BreakdownRequest())
    put_logs(["old", "coming"], [datetime(1999, 1, 1, tzinfo=UTC), datetime(2060, 1, 1, tzinfo=UTC)])
    after = project.breakdown(BreakdownRequest())
    assert after.total == before.total + 2
    assert sum(bar.logs for bar in after.bars) == before.total
    assert after.shown.end - after.shown.start == timedelta(days=366)


def test_a_budget_counts_the_newest_and_says_so(project: Application) -> None:
    window = project._window(Span(), whole=True)
    parts = project._parts
    made = break_down(parts, "conversation", "signal.error", window, budget_ms=1e-3)
    assert made.since is not None
    assert 0 < made.total < found(project, "signal.error")
    since = f'signal.error and started >= "{made.since.isoformat()}"'
    assert made.total == found(project, since)
    whole = break_down(parts, "conversation", "signal.error", window)
    assert whole.since is None
    remembered = break_down(parts, "conversation", "signal.error", window, budget_ms=1e-3)
    assert remembered == whole


def test_of_many_values_the_most_frequent_are_shown(
    open_project: Open, put_logs: Callable[..., None]
) -> None:
    versions = [f"v{number}" if number % 2 else "often" for number in range(200)]
    put_logs([str(number) for number in range(200)], FIRST, version=versions)
    project = open_project()
    facet = by_name(project.breakdown(BreakdownRequest(filter='version != "v99"')))["version"]
    assert facet.values[0].value == "often"
    assert (len(facet.values), facet.more) == (MOST_VALUES + 1, 60)
    assert [value.value for value in facet.values if value.state == "excluded"] == ["v99"]


def test_a_wrong_filter_is_refused(project: Application) -> None:
    with pytest.raises(FilterError, match="did you mean `errors`"):
        project.breakdown(BreakdownRequest(filter="erors > 1"))


@pytest.mark.parametrize(
    ("length", "minutes"),
    [
        (timedelta(minutes=40), 1),
        (timedelta(hours=2), 1),
        (timedelta(hours=24), 15),
        (timedelta(days=30), 360),
        (timedelta(days=120), 1440),
        (timedelta(days=121), 2880),
        (timedelta(days=3650), 31 * 1440),
    ],
)
def test_bars_stay_few(length: timedelta, minutes: int) -> None:
    assert step_of(Window(start=FIRST, end=FIRST + length)) == minutes


def test_a_list_holds_the_beginning_of_long_texts(open_project: Open, put_logs: Callable[..., None]) -> None:
    put_logs(["long"], FIRST, input="ä" * 1_048_576, output="b" * 3_000, attributes=[{"a": "b"}])
    (row,) = open_project().logs(LogsRequest(filter='input contains "ää"')).rows
    assert (row.input, row.output, row.attributes) == ("ä" * 2_000, "b" * 2_000, {"a": "b"})
