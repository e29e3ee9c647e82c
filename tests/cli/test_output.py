"""What the commands print: it fits a terminal of 80 columns and says what it must."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.web.fake import BIDI, EMPTY, REPORT, ROWS, focus_row

from assay.cli.evaluate import show_runs
from assay.cli.logs import show_log
from assay.cli.report import show_report
from assay.cli.sample import show_sample
from assay.cli.terminal import out
from assay.records import Accounting, Report, RunReport, SampleReport, StratumCount, Window

RUN = RunReport(
    run_id="r",
    metric="resolved",
    metric_version="3f9a1c",
    todo=1_781,
    scored=1_700,
    failed=6,
    skipped=0,
    over_budget=75,
    cost_usd=0.3,
    seconds=12.0,
    failures={"timeout": 2, "unparsable": 4},
    notes=("the price of m is not known: its cost is booked as 0",),
)
SAMPLE = SampleReport(
    policy="daily",
    policy_version="c82b630999df",
    unit="conversation",
    decided=8_781,
    strata=(StratumCount(stratum="rest", logs=6_406, judge=1_379, label=236),),
)


@pytest.fixture(autouse=True)
def narrow(monkeypatch: pytest.MonkeyPatch) -> None:
    """A terminal of 80 columns."""
    monkeypatch.setattr(out, "_width", 80)


def report_lines(report: Report) -> list[str]:
    with out.capture() as captured:
        show_report(report)
    return captured.get().splitlines()


def test_the_tables_of_a_report_fit() -> None:
    lines = report_lines(REPORT)
    start = lines.index("  failures concentrate here:")
    table = [line for line in lines[start:] if line.startswith(("where", "signal", "attr"))]
    assert len(table) > 4
    assert max(map(len, table)) <= 80
    assert any(line.startswith('attr["topic"] = "billing"') and "2,104" in line for line in table)


def test_the_days_of_the_trend_fit() -> None:
    days = [line for line in report_lines(REPORT) if "●" in line]
    assert len(days) == 13
    assert max(map(len, days)) <= 80


def test_a_report_names_the_last_day_that_is_in_it() -> None:
    assert report_lines(REPORT)[0] == "support-assistant, 07 Nov to 20 Nov 2025 (UTC)"
    day = Window.of_day(REPORT.window.start.date())
    assert report_lines(replace(REPORT, window=day))[0] == "support-assistant, 07 Nov 2025 (UTC)"


def test_five_groups_that_do_not_stand_out_are_enough() -> None:
    many = tuple(focus_row(f"dull{i}", 0.1, distinct=False, logs=100, share=0.01) for i in range(9))
    metric = replace(REPORT.metrics[0], focus=many)
    lines = report_lines(replace(REPORT, metrics=(metric,)))
    assert sum(line.startswith("signal.dull") for line in lines) == 5
    assert "  failures concentrate here:" not in lines


def test_a_failure_is_named_in_few_words() -> None:
    assert "  a failure: not resolved, says the judge; share: of all failures" in report_lines(REPORT)


def test_the_books_show_every_fate_that_some_log_has() -> None:
    lines = report_lines(REPORT)
    assert "  the books: 12,430 seen = 11,215 not sampled + 11 failed + 1,204 scored" in lines
    lost = replace(REPORT.metrics[0].accounting, seen=12_431)
    assert isinstance(lost, Accounting)
    lines = report_lines(replace(REPORT, metrics=(replace(REPORT.metrics[0], accounting=lost),)))
    assert any(line.startswith("  the books: 12,431 seen ≠ ") for line in lines)


def test_an_empty_project_says_what_to_do() -> None:
    assert any("assay import FILE" in line for line in report_lines(EMPTY))


def test_a_run_says_why_logs_failed_and_what_it_noted() -> None:
    with out.capture() as captured:
        show_runs((RUN,))
    lines = captured.get().splitlines()
    assert lines[-4:] == [
        "  resolved: 4 failed: unparsable",
        "  resolved: 2 failed: timeout",
        "  resolved: 75 left: the budget is spent; the next run goes on there",
        "  resolved: the price of m is not known: its cost is booked as 0",
    ]
    assert max(map(len, lines[:3])) <= 80


def test_a_sample_says_how_many_were_drawn() -> None:
    with out.capture() as captured:
        show_sample(SAMPLE)
    first, *_, last = captured.get().splitlines()
    assert first == "policy daily (version c82b630999df), conversations: 8,781 new decisions"
    assert last.split() == ["rest", "6,406", "1,379", "236"]


def test_a_log_is_two_lines_of_harmless_text() -> None:
    hostile = replace(ROWS[0], input=f"\x1b[2J[red]{BIDI}\n{'x' * 200}")
    with out.capture() as captured:
        show_log(hostile)
    lines = captured.get().splitlines()
    assert len(lines) == 2
    assert hostile.log_id[:6] in lines[0]
    assert len(lines[1]) <= 80
    assert "[red]" in lines[1]
    assert not any(ord(c) < 32 or c in "\u202e\u2066" for line in lines for c in line)
