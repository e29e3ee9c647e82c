from __future__ import annotations

import pytest

from assay.estimates.focus import MACHINE_VERDICT
from assay.estimates.metric import JUDGE_ALONE
from assay.estimates.wording import (
    basis_text,
    describe_estimate,
    estimate_text,
    interval_text,
    percent,
    supported_digits,
)
from assay.records import Estimate


def made(value: float | None, low: float | None, high: float | None, **fields: object) -> Estimate:
    plain = Estimate(
        metric="resolved",
        value=value,
        low=low,
        high=high,
        level=0.95,
        method="labels alone",
        n_seen=4_800,
        n_judged=1_200,
        n_labelled=61,
        metric_version="2",
    )
    for name, each in fields.items():
        object.__setattr__(plain, name, each)
    return plain


@pytest.mark.parametrize(
    ("estimate", "text"),
    [
        (made(0.9312, 0.9184, 0.9419), "93.1 % (91.8 to 94.2)"),
        (made(0.9312, 0.8512, 0.9733), "93 % (85 to 98)"),
        (made(0.9312, 0.9301, 0.9329), "93.12 % (93.01 to 93.29)"),
        (made(0.0, 0.0, 0.021), "0.0 % (0.0 to 2.1)"),
        (made(0.0002, 0.0, 0.03), "< 0.1 % (0.0 to 3.0)"),
        (made(0.998, 0.93, 1.0), "> 99 % (93 to 100)"),
        (made(0.75, 0.75, 0.75), "75.0 % (exact)"),
        (made(None, None, None, labels_needed=14), "no value: 14 more labels needed"),
        (made(None, None, None, labels_needed=1), "no value: 1 more label needed"),
        (made(None, None, None, reason="no logs"), "no value: no logs"),
        (made(None, None, None), "no value"),
    ],
)
def test_an_estimate_in_words(estimate: Estimate, text: str) -> None:
    assert estimate_text(estimate) == text


def test_an_interval_is_rounded_outwards() -> None:
    assert interval_text(made(0.5, 0.4449, 0.5551)) == "44 to 56"
    assert interval_text(made(0.5, 0.29, 0.57)) == "29 to 57"
    assert interval_text(made(None, None, None)) == ""


def test_digits_follow_the_width() -> None:
    assert [supported_digits(made(0.5, 0.5 - w / 2, 0.5 + w / 2)) for w in (0.2, 0.051, 0.02, 0.004)] == [
        0,
        0,
        1,
        2,
    ]


def test_nearly_all_is_never_all() -> None:
    assert percent(0.9999, 1) == "> 99.9 %"
    assert percent(1.0, 1) == "100.0 %"
    assert percent(0.0, 0) == "0 %"
    assert percent(0.001, 0) == "< 1 %"


def test_the_lines_of_the_terminal() -> None:
    raw = made(0.96, 0.951, 0.968)
    lines = describe_estimate(made(0.9312, 0.9184, 0.9419, raw=raw, n_effective=480.2, simulated=True))
    assert lines == (
        "resolved (version 2): 93.1 % (91.8 to 94.2)",
        "  95 % interval; labels alone",
        "  61 labels, 1,200 of 4,800 logs judged",
        "  as precise as 480 labels drawn at random",
        "  the judge alone, not corrected: 96.0 % (95.1 to 96.8)",
        "  from simulated scores or labels: not about your application",
    )
    missing = describe_estimate(made(None, None, None, labels_needed=3, reason="7 labels: at least 10"))
    assert missing[:2] == ("resolved (version 2): no value: 3 more labels needed", "  7 labels: at least 10")
    wider = describe_estimate(made(0.9, 0.8, 0.95, labels_needed=120))
    assert wider[-1] == "  120 more labels needed for the width asked for"


def test_a_judge_that_saw_everything_does_not_look_certain_and_one_that_is_useless_is_said_to_be() -> None:
    raw = made(0.1887, 0.1887, 0.1887, method=JUDGE_ALONE, reason="the judge does not follow the labels")
    lines = describe_estimate(made(0.41, 0.34, 0.48, raw=raw))
    assert lines[-2:] == (
        "  the judge alone, not corrected: 18.9 % (all judged)",
        "  the judge does not follow the labels",
    )
    assert interval_text(made(0.3, 0.3, 0.3, method=MACHINE_VERDICT)) == "all judged"
    assert interval_text(made(0.3, 0.3, 0.3)) == "exact"


def test_the_basis_names_what_there_is() -> None:
    assert basis_text(made(0.9, 0.8, 0.95, n_judged=0)) == "61 labels of 4,800 logs"
    assert basis_text(made(0.9, 0.8, 0.95, n_labelled=0)) == "1,200 of 4,800 logs judged"
    assert basis_text(made(None, None, None, n_labelled=0, n_judged=0)) == "0 of 4,800 logs judged"
