from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
from tests.estimates.ledgers import JUDGE, START, ledger, row, simulate

from assay.estimates.report import Population, build_report, metric_report
from assay.records import Accounting, Totals, Window

NOW = datetime(2026, 5, 20, tzinfo=UTC)


def books(**fields: int) -> Accounting:
    fates = ("filtered", "not_sampled", "over_budget", "failed", "skipped", "pending", "scored")
    counts = dict.fromkeys(fates, 0) | fields
    return Accounting(metric="resolved", metric_version="1", **({"seen": sum(counts.values())} | counts))


def test_a_metric_from_its_parts() -> None:
    drawn = simulate(np.random.default_rng(1))
    made = metric_report(
        JUDGE,
        drawn.rows,
        seen_by_day=drawn.seen_by_day,
        population=Population(signals={"refusal": 12}, slices={"version": [("v1", 900), ("v2", 1_100)]}),
        accounting=books(not_sampled=1_000, scored=1_000),
        cost_usd=1.5,
    )
    assert made.overall.n_seen == 2_000
    assert made.latest == made.trend[-1]
    assert len(made.trend) == 10
    assert {row.kind for row in made.focus} == {"signal", "slice"}
    assert made.overall.known


def test_a_project_without_logs_has_a_report_too() -> None:
    made = metric_report(
        JUDGE, ledger([]), seen_by_day={}, population=Population(), accounting=books(), cost_usd=0.0
    )
    assert (made.latest, made.trend, made.focus) == (None, (), ())
    assert made.overall.reason == "no logs"


def test_the_report_says_what_must_not_be_taken_at_its_face() -> None:
    rows = simulate(np.random.default_rng(2), logs=100).rows
    made = metric_report(
        JUDGE,
        rows,
        seen_by_day={START: 100},
        population=Population(),
        accounting=books(pending=3, failed=2, scored=5, seen=11),
        cost_usd=0.0,
    )
    totals = Totals(
        interactions=300, conversations=100, judged=5, labelled=0, cost_usd=0.0, first=None, last=None
    )
    report = build_report("shop", Window.of_day(START), NOW, totals, [made], notes=["first"])
    assert report.notes == (
        "first",
        "resolved: the books do not balance: 11 logs seen",
        "resolved: 3 logs still wait to be drawn or scored",
        "resolved: 2 logs could not be scored",
    )


def test_a_focus_by_a_judge_that_is_no_help_is_said_to_be_one() -> None:
    each = np.arange(200)
    rows = [
        row(int(i), value=float(i // 10 % 2), p2=0.5, label=float(i % 10 < 5), signals=["refusal"][: i % 2])
        for i in each
    ]
    made = metric_report(
        JUDGE,
        ledger(rows),
        seen_by_day={START: 200},
        population=Population(signals={"refusal": 100}),
        accounting=books(scored=200, seen=200),
        cost_usd=0.0,
    )
    totals = Totals(
        interactions=200, conversations=200, judged=200, labelled=200, cost_usd=0.0, first=None, last=None
    )
    report = build_report("shop", Window.of_day(START), NOW, totals, [made])
    assert report.notes == (
        "resolved: the judge does not follow the labels; where failures concentrate is its word alone",
    )
