from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest
from tests.estimates.ledgers import JUDGE, START, ledger, row, simulate

from assay.estimates.metric import (
    CODE_ALONE,
    JUDGE_ALONE,
    LABELS_ALONE,
    METHODS,
    NO_METHOD,
    estimate_metric,
)
from assay.records import MetricInfo

CODE = replace(JUDGE, kind="code", name="valid_json")
HUMAN = replace(JUDGE, kind="human")


def test_a_judge_is_corrected_by_labels_and_its_own_rate_stands_beside() -> None:
    """A judge that is wrong on purpose: 20 % false alarms. The labels put it right."""
    drawn = simulate(np.random.default_rng(1), logs=4_000, false_alarm=0.2)
    found = estimate_metric(drawn.rows, drawn.seen, JUDGE)
    assert found.known
    assert found.low is not None
    assert found.high is not None
    assert found.low <= drawn.truth <= found.high
    assert found.high - found.low < 0.1
    assert found.method == METHODS["poststratified"]
    assert found.raw is not None
    assert found.raw.high is not None
    assert found.raw.high < drawn.truth
    assert found.raw.method == JUDGE_ALONE
    assert found.n_seen == 4_000
    assert (found.n_judged, found.n_labelled) == (drawn.rows.num_rows, len(drawn.rows["label"].drop_null()))
    assert found.n_effective is not None
    assert found.metric_version == "1"
    assert found.raw.n_labelled == 0


def test_too_few_labels_give_no_value_a_reason_and_what_is_missing() -> None:
    rows = [row(i, p2=0.1 if i < 4 else None, label=1.0 if i < 4 else None) for i in range(60)]
    rows += [row(100 + i, label=0.0) for i in range(3)]
    found = estimate_metric(ledger(rows), 63, JUDGE)
    assert (found.value, found.low, found.high) == (None, None, None)
    assert found.method == NO_METHOD
    assert found.labels_needed == 6
    assert found.reason == (
        "4 labels in the label sample: at least 10 are needed (3 outside the sample can't count); "
        "only 4 drawn for people: a larger label_size draws more of the days to come"
    )
    waiting = [row(i, p2=0.5, label=1.0 if i < 4 else None) for i in range(60)]
    assert estimate_metric(ledger(waiting), 60, JUDGE).reason.endswith("at least 10 are needed")
    nobody = estimate_metric(ledger([row(i) for i in range(60)]), 60, JUDGE)
    assert nobody.reason.endswith("no log is drawn for people: give the policy a label_size")
    assert found.raw is not None
    assert found.raw.value == 1.0


def test_labels_outside_the_label_sample_never_count() -> None:
    """Reviewers looked at what they liked: 200 hand-picked bad logs must not move the estimate."""
    rng = np.random.default_rng(2)
    sampled = [row(i, p2=0.5, label=float(rng.random() < 0.9)) for i in range(80)]
    picked = [row(1_000 + i) for i in range(200)]
    with_labels = [each | {"label": 0.0} for each in picked]
    assert estimate_metric(ledger(sampled + picked), 280, JUDGE) == estimate_metric(
        ledger(sampled + with_labels), 280, JUDGE
    )


def test_a_code_metric_needs_no_labels() -> None:
    rng = np.random.default_rng(3)
    rows = [row(i, p1=0.25, value=float(rng.random() < 0.8)) for i in range(500)]
    found = estimate_metric(ledger(rows), 2_000, CODE)
    assert found.method == CODE_ALONE
    assert found.value == pytest.approx(0.8, abs=0.06)
    assert (found.labels_needed, found.raw, found.n_labelled) == (0, None, 0)
    census = estimate_metric(ledger([each | {"p1": 1.0} for each in rows]), 500, CODE)
    assert census.low == census.value == census.high


def test_few_scores_give_a_rate_only_if_they_are_all_there_is() -> None:
    rows = [row(i, p1=0.5) for i in range(4)]
    assert estimate_metric(ledger(rows), 8, CODE).reason == "4 scored logs: at least 10 are needed"
    all_of_them = estimate_metric(ledger([row(i) for i in range(4)]), 4, CODE)
    assert (all_of_them.low, all_of_them.value, all_of_them.high) == (1.0, 1.0, 1.0)


def test_a_human_metric_has_no_judge_to_lean_on() -> None:
    rng = np.random.default_rng(4)
    for labels, method in ((20, METHODS["exact"]), (60, LABELS_ALONE)):
        rows = [row(i, p2=0.1, label=float(rng.random() < 0.7), value=None, fate=None) for i in range(labels)]
        rows += [row(1_000 + i, value=None, fate=None) for i in range(9 * labels)]
        found = estimate_metric(ledger(rows), 10 * labels, HUMAN)
        assert found.method == method
        assert (found.raw, found.n_judged, found.n_labelled) == (None, 0, labels)


def test_a_judge_that_does_not_follow_the_labels_is_named() -> None:
    """300 logs, 40 % of them bad; the judge is right on 90, 40 and 60 % of either kind."""
    each = np.arange(300)
    bad, place = each // 10 % 5 < 2, each % 10
    says = {
        "": np.where(place < 9, ~bad, bad),
        "the judge does not follow the labels": np.where(place < 4, ~bad, bad),
        "the judge hardly follows the labels: it explains 4 % of their variance": np.where(
            place < 6, ~bad, bad
        ),
    }
    for reason, verdict in says.items():
        rows = [row(i, value=float(verdict[i]), p2=0.5, label=float(not bad[i])) for i in range(300)]
        found = estimate_metric(ledger(rows), 300, JUDGE)
        assert found.raw is not None
        assert found.raw.reason == reason
    few = estimate_metric(ledger(rows[:29]), 300, JUDGE)
    assert few.raw is not None
    assert few.raw.reason == ""


def test_labels_alone_serve_while_the_judge_has_said_nothing() -> None:
    rows = [row(i, p2=0.5, label=1.0, value=None, fate="failed") for i in range(40)]
    found = estimate_metric(ledger(rows), 80, JUDGE)
    assert found.method == LABELS_ALONE
    assert found.raw is None


def test_a_score_that_failed_is_no_zero_and_its_log_still_counts() -> None:
    """The judge fails on half of the bad logs: dropping them would hide failures."""
    rng = np.random.default_rng(5)
    rows = []
    for i in range(3_000):
        bad = rng.random() < 0.3
        lost = bad and rng.random() < 0.5
        drawn = rng.random() < 0.2
        rows.append(
            row(
                i,
                fate="failed" if lost else "scored",
                value=None if lost else float(not bad),
                p2=0.2 if drawn else None,
                label=float(not bad) if drawn else None,
            )
        )
    found = estimate_metric(ledger(rows), 3_000, JUDGE)
    assert found.value == pytest.approx(0.7, abs=0.03)
    assert found.raw is not None
    assert found.raw.value == pytest.approx(0.7 / 0.85, abs=0.03)
    assert found.n_judged == sum(each["value"] is not None for each in rows)


def test_scores_still_pending_widen_the_judges_rate() -> None:
    rng = np.random.default_rng(6)
    rows = [row(i, value=float(rng.random() < 0.8)) for i in range(400)]
    whole = estimate_metric(ledger(rows), 400, CODE)
    half = [each | ({"fate": None, "value": None} if i % 2 else {}) for i, each in enumerate(rows)]
    partial = estimate_metric(ledger(half), 400, CODE)
    assert whole.low == whole.high
    assert partial.low is not None
    assert partial.high is not None
    assert 0.04 < partial.high - partial.low < 0.12


def test_labels_still_missing_are_no_census() -> None:
    """All 200 were sent to people, who did 100: the other half is not known."""
    rng = np.random.default_rng(7)
    rows = [
        row(i, p2=1.0, label=float(rng.random() < 0.8) if i % 2 else None, value=None, fate=None)
        for i in range(200)
    ]
    found = estimate_metric(ledger(rows), 200, HUMAN)
    assert found.low is not None
    assert found.high is not None
    assert found.high - found.low > 0.05


def test_logs_that_the_policy_has_not_decided_yet_are_no_census() -> None:
    rng = np.random.default_rng(11)
    rows = ledger([row(i, value=float(rng.random() < 0.8)) for i in range(200)])
    decided = estimate_metric(rows, 200, CODE, decided=200)
    waiting = estimate_metric(rows, 400, CODE, decided=200)
    assert decided.low == decided.high
    assert waiting.value == decided.value
    assert waiting.low is not None
    assert waiting.high is not None
    assert 0.05 < waiting.high - waiting.low < 0.12


def test_logs_that_the_metric_skips_are_outside_its_population() -> None:
    rows = [row(i, value=1.0) for i in range(50)]
    rows += [row(100 + i, fate="skipped", value=None) for i in range(50)]
    found = estimate_metric(ledger(rows), 100, CODE)
    assert (found.value, found.low, found.high) == (1.0, 1.0, 1.0)
    assert found.n_judged == 50


def test_unequal_probabilities_are_weighed() -> None:
    """Suspicious logs are drawn 20 times as often; the raw count would say 50 % good."""
    rows = [row(i, p1=0.05, stratum="uneventful", value=1.0) for i in range(100)]
    rows += [row(500 + i, p1=1.0, stratum="suspicious", value=0.0) for i in range(100)]
    found = estimate_metric(ledger(rows), 2_100, CODE)
    assert found.value == pytest.approx(2_000 / 2_100)


def test_days_that_are_labelled_less_do_not_count_less() -> None:
    """Twelve good days, all labelled; two bad ones of which a third is: the newest are always behind."""
    rows = []
    for i in range(14 * 30):
        day, place = divmod(i, 30)
        late = day >= 12
        told = not late or place % 3 == 0
        good = place % 2 == 0 if late else place > 0
        rows.append(
            row(
                i,
                day=START + timedelta(days=day),
                p2=0.9,
                label=float(good) if told else None,
                value=None,
                fate=None,
            )
        )
    found = estimate_metric(ledger(rows), len(rows), HUMAN)
    assert found.value == pytest.approx((12 * 29 / 30 + 2 * 0.5) / 14)


def test_a_width_asked_for_says_how_many_labels_it_takes() -> None:
    drawn = simulate(np.random.default_rng(8), logs=4_000, p1=1.0, p2=0.05)
    now = estimate_metric(drawn.rows, drawn.seen, JUDGE)
    assert now.labels_needed == 0
    assert now.high is not None
    assert now.low is not None
    half = estimate_metric(drawn.rows, drawn.seen, JUDGE, target_width=(now.high - now.low) / 2)
    assert 2 * now.n_labelled < half.labels_needed < 3.2 * now.n_labelled
    assert "drawn for people" in half.reason  # all 200 of the sample are labelled
    assert estimate_metric(drawn.rows, drawn.seen, JUDGE, target_width=0.9).labels_needed == 0
    sampled = simulate(np.random.default_rng(9), logs=4_000, p1=0.1, p2=0.9)
    never = estimate_metric(sampled.rows, sampled.seen, JUDGE, target_width=0.01)
    assert never.labels_needed == 0
    assert "judge more logs" in never.reason
    nothing = estimate_metric(ledger([row(i) for i in range(50)]), 5_000, JUDGE, target_width=0.1)
    assert nothing.labels_needed > 60


def test_what_was_simulated_says_so() -> None:
    rows = [row(i, simulated=i == 3) for i in range(20)]
    assert estimate_metric(ledger(rows), 20, CODE).simulated
    assert not estimate_metric(ledger(rows[4:]), 16, CODE).simulated
    assert estimate_metric(ledger(rows[4:]), 16, replace(CODE, simulated=True)).simulated


@pytest.mark.parametrize("info", [JUDGE, CODE, HUMAN])
@pytest.mark.parametrize(("seen", "reason"), [(0, "no logs"), (40, "no log is selected yet")])
def test_an_empty_ledger_has_a_reason(info: MetricInfo, seen: int, reason: str) -> None:
    found = estimate_metric(ledger([]), seen, info)
    assert (found.value, found.reason) == (None, reason)


def test_no_score_at_all_has_a_reason() -> None:
    found = estimate_metric(ledger([row(value=None, fate=None)]), 40, CODE)
    assert found.reason == "no selected log is scored yet"


def test_the_level_is_the_callers() -> None:
    drawn = simulate(np.random.default_rng(10))
    narrow, wide = (estimate_metric(drawn.rows, drawn.seen, JUDGE, level=level) for level in (0.8, 0.99))
    assert narrow.low is not None
    assert wide.low is not None
    assert wide.low < narrow.low
    assert (narrow.level, wide.level) == (0.8, 0.99)
    assert narrow.value == wide.value
