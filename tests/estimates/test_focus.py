from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from tests.estimates.ledgers import JUDGE, ledger, row

from assay.estimates.focus import find_focus
from assay.query import Names, parse
from assay.records import FocusRow


def planted(seed: int, *, logs: int = 3_000, p: float = 1.0, inside: float = 0.6) -> list[dict[str, Any]]:
    """5 % of logs refuse and fail with rate `inside`; 20 % are slow and, like the rest, fail at 8 %."""
    rng = np.random.default_rng(seed)
    rows = []
    for i in range(logs):
        refusal, slow = rng.random() < 0.05, rng.random() < 0.2
        bad = rng.random() < (inside if refusal else 0.08)
        signals = ["refusal"] * refusal + ["slow"] * slow
        version = "v1" if rng.random() < 0.5 else "v2"
        if rng.random() < p:
            rows.append(row(i, p1=p, value=float(not bad), signals=signals, version=version))
    return rows


COUNTS = {"refusal": 150, "slow": 600, "loop": 2}
VERSIONS = {"version": [("v1", 1_500), ("v2", 1_500)]}


def by_name(rows: tuple[FocusRow, ...]) -> dict[str, FocusRow]:
    return {each.name: each for each in rows}


def test_the_planted_signal_stands_out_and_comes_first() -> None:
    found = find_focus(
        ledger(planted(1)),
        3_000,
        JUDGE,
        signal_counts=COUNTS,
        slice_counts=VERSIONS,
        meanings={"refusal": "the assistant refuses"},
    )
    first = found[0]
    assert (first.name, first.kind, first.distinct) == ("refusal", "signal", True)
    assert first.meaning == "the assistant refuses"
    assert [each.name for each in found if each.distinct] == ["refusal"]
    assert first.failure.value == pytest.approx(0.6, abs=0.12)
    assert first.rest.value == pytest.approx(0.08, abs=0.03)
    assert first.share_of_failures == pytest.approx(0.03 / (0.03 + 0.95 * 0.08), abs=0.06)
    assert first.logs == 150
    assert first.share == 0.05
    assert first.failure.n_judged == first.judged
    assert first.judged + first.rest.n_judged == 3_000


def test_counts_and_rates_are_those_of_a_plain_loop() -> None:
    rows = planted(2)
    found = by_name(find_focus(ledger(rows), 3_000, JUDGE, signal_counts=COUNTS, slice_counts=VERSIONS))
    groups = {
        "refusal": [each for each in rows if "refusal" in each["signals"]],
        "slow": [each for each in rows if "slow" in each["signals"]],
        "version = v2": [each for each in rows if each["version"] == "v2"],
    }
    for name, members in groups.items():
        failing = sum(each["value"] < 0.5 for each in members)
        assert (found[name].judged, found[name].failing) == (len(members), failing)
        assert found[name].failure.value == pytest.approx(failing / len(members))


def test_logs_that_are_drawn_more_often_do_not_count_more() -> None:
    rng = np.random.default_rng(3)
    rows = []
    for i in range(4_000):
        refusal, bad = rng.random() < 0.1, rng.random() < 0.3
        p = 1.0 if bad else 0.1
        if rng.random() < p:
            rows.append(row(i, p1=p, value=float(not bad), signals=["refusal"] if refusal else []))
    [only] = find_focus(ledger(rows), 4_000, JUDGE, signal_counts={"refusal": 400}, slice_counts={})
    assert only.failing / only.judged > 0.7
    assert only.failure.low is not None
    assert only.failure.high is not None
    assert only.failure.low <= 0.3 <= only.failure.high
    assert only.share_of_failures == pytest.approx(0.1, abs=0.04)


def test_a_group_with_few_judged_logs_has_no_rate() -> None:
    rows = [row(i, signals=["loop"] if i < 9 else []) for i in range(60)]
    [only] = find_focus(ledger(rows), 60, JUDGE, signal_counts={"loop": 9}, slice_counts={})
    assert only.failure.value is None
    assert only.failure.reason == "only 9 judged: at least 10 are needed"
    assert only.share_of_failures is None
    assert not only.distinct
    assert only.rest.known


def test_a_signal_on_every_log_has_nothing_to_be_compared_with() -> None:
    rows = [row(i, signals=["long"], value=float(i % 2)) for i in range(40)]
    [only] = find_focus(
        ledger(rows), 40, JUDGE, signal_counts={"long": 40}, slice_counts={"version": [("v1", 40)]}
    )
    assert only.name == "long"
    assert only.failure.value == 0.5
    assert only.rest.value is None
    assert not only.distinct
    assert only.share_of_failures == 1.0


def test_the_goal_says_which_side_fails() -> None:
    rows = [row(i, signals=["refusal"] if i % 2 else [], value=0.9 if i % 2 else 0.1) for i in range(60)]
    low = replace(JUDGE, goal="low")
    [found] = find_focus(ledger(rows), 60, low, signal_counts={"refusal": 30}, slice_counts={})
    assert found.failure.value == 1.0
    assert found.rest.value == 0.0
    assert found.failing_filter == "signal.refusal and score.resolved >= 0.5"
    [high] = find_focus(ledger(rows), 60, JUDGE, signal_counts={"refusal": 30}, slice_counts={})
    assert high.failing_filter == "signal.refusal and score.resolved < 0.5"
    assert not high.distinct


def test_a_human_metric_counts_labels_of_the_sample() -> None:
    rows = [
        row(i, signals=["refusal"] if i % 2 else [], value=None, fate=None, p2=0.5, label=float(i % 2 == 0))
        for i in range(60)
    ]
    rows += [row(100 + i, value=None, fate=None, label=0.0) for i in range(60)]
    human = replace(JUDGE, kind="human")
    [found] = find_focus(ledger(rows), 120, human, signal_counts={"refusal": 30}, slice_counts={})
    assert (found.failure.value, found.rest.value) == (1.0, 0.0)
    assert (found.failure.n_labelled, found.failure.n_judged) == (30, 0)
    assert found.failing_filter == "signal.refusal and label.resolved < 0.5"
    assert found.distinct


def test_hostile_slice_values_stay_inside_their_quotes() -> None:
    evil = 'x" or judged or version = "\\'
    rows = [row(i, version=evil if i % 2 else "v1") for i in range(40)]
    found = find_focus(
        ledger(rows),
        40,
        JUDGE,
        signal_counts={},
        slice_counts={"version": [(evil, 20), ("v1", 20)], 'attr["topic"]': [("", 30), ("refund", 10)]},
    )
    for each in found:
        parse(each.filter, Names(metrics=frozenset({"resolved"})))
        parse(each.failing_filter, Names(metrics=frozenset({"resolved"})))
    row_of_evil = by_name(found)[f"version = {evil}"]
    assert row_of_evil.filter == 'version = "x\\" or judged or version = \\"\\\\"'
    assert row_of_evil.judged == 20
    missing = by_name(found)['attr["topic"] = (none)']
    assert missing.filter == 'attr["topic"] = ""'


def test_nothing_to_look_at_gives_no_rows() -> None:
    assert find_focus(ledger([]), 0, JUDGE, signal_counts={}, slice_counts={}) == ()
    [only] = find_focus(ledger([]), 5, JUDGE, signal_counts={"a": 2}, slice_counts={})
    assert only.failure.value is None


def test_false_discoveries_stay_rare() -> None:
    """30 signals that mean nothing, 60 worlds: at most about 10 % of them may call any of them distinct."""
    rng = np.random.default_rng(4)
    names = [f"s{i}" for i in range(30)]
    worlds = 0
    for _ in range(60):
        raised = rng.random((600, 30)) < 0.1
        bad = rng.random(600) < 0.1
        rows = [
            row(
                i,
                value=float(not bad[i]),
                signals=[name for name, on in zip(names, raised[i], strict=True) if on],
            )
            for i in range(600)
        ]
        found = find_focus(ledger(rows), 600, JUDGE, signal_counts=dict.fromkeys(names, 60), slice_counts={})
        worlds += any(each.distinct for each in found)
    assert worlds <= 12
