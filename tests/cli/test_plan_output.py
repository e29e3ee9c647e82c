"""What `assay sample --dry-run` prints."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest

from assay.cli.sample import show_plan
from assay.cli.terminal import out
from assay.records import PlannedGroup, PlannedMetric, PlannedWidth, SamplePlan

GROUPS = tuple(
    PlannedGroup(
        group=name,
        logs=logs,
        judge=judge,
        label=label,
        failures=failing,
        judge_usd=judge * 0.02,
        label_usd=1.5,
    )
    for name, logs, judge, label, failing in (
        ("importance", 4_801.0, 131.8, 29.7, 67.5),
        ("every[/]refund", 12.0, 12.0, 2.7, 3.0),
    )
)
PLAN = SamplePlan(
    policy="daily",
    policy_version="c82b630999df",
    unit="conversation",
    first=date(2026, 11, 19),
    last=date(2026, 11, 19),
    days=1,
    logs=4_813.0,
    groups=GROUPS,
    judge=143.8,
    label=32.4,
    failures=70.5,
    uniform_failures=23.5,
    judge_usd=2.876,
    label_usd=3.0,
    metrics=(PlannedMetric(metric="resolved", usd_each=0.02),),
    width=PlannedWidth(metric="resolved", rate=0.1, low=0.06, high=0.16, effect=1.31, uniform_width=0.08),
    notes=("labels cost nothing yet",),
)


@pytest.fixture(autouse=True)
def narrow(monkeypatch: pytest.MonkeyPatch) -> None:
    """A terminal of 80 columns."""
    monkeypatch.setattr(out, "_width", 80)


def printed(plan: SamplePlan) -> list[str]:
    with out.capture() as captured:
        show_plan(plan)
    return captured.get().splitlines()


def test_a_plan_says_what_is_drawn_found_paid_and_told() -> None:
    lines = printed(PLAN)
    assert "a day like 2026-11-19, 4,813 logs; nothing is decided" in lines[0]
    table = [line.split() for line in lines if line.startswith(("importance", "every", "all"))]
    assert table[0] == ["importance", "4,801", "131.8", "67.5", "29.7", "$2.64", "$1.50"]
    assert table[1][0] == "every[/]refund"
    assert table[2] == ["all", "4,813", "143.8", "70.5", "32.4", "$2.88", "$3.00"]
    assert max(len(line) for line in lines if line.startswith(("importance", "every", "all"))) <= 80
    said = "\n".join(lines)
    assert "70.5 expected, 3.0 times as many as a uniform sample" in said
    assert "6.0 to 16.0 %, 10.0 points wide (uniform: 8.0; design effect 1.31)" in said
    assert "resolved $0.0200" in said
    assert "note: labels cost nothing yet" in said


def test_what_is_not_known_is_no_number_and_a_plan_of_nothing_has_no_table() -> None:
    assert "?" in "\n".join(printed(replace(PLAN, judge_usd=None)))
    nothing = replace(PLAN, days=0, first=None, last=None, groups=(), width=None, uniform_failures=0.0)
    lines = printed(nothing)
    assert "a day like none" in lines[0]
    assert not any(line.startswith("all") for line in lines)
    assert "failures found" not in "\n".join(lines)


def test_several_days_are_named() -> None:
    lines = printed(replace(PLAN, days=3, first=date(2026, 11, 17)))
    assert "the 3 from 2026-11-17 to 2026-11-19" in lines[0]
