"""Decisions: draw against probability, recorded whole, the same for ever."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.records import Stage
from assay.sampling import Fixed, decide, draw, fix_probabilities, load_policy, salt_of, version_of

DAY = date(2026, 5, 4)
NOW = datetime(2026, 5, 6, 1, tzinfo=UTC)
SALT = salt_of("daily", "judge")
POLICY = load_policy(
    "daily",
    {
        "size": 140,
        "label_rate": 0.5,
        "strata": [{"name": "trouble", "when": "errors > 0", "size": 60, "label_size": 10}],
    },
)
RATES = load_policy(
    "daily", {"rate": 0.1, "strata": [{"name": "trouble", "when": "errors > 0", "rate": 0.5}]}
)


def candidates(ids: Iterable[str], stratum: str = "rest", day: date = DAY, salt: str = SALT) -> pa.Table:
    ids = list(ids)
    at = datetime(day.year, day.month, day.day, 23, 59, 59, 999_999, tzinfo=UTC)
    return pa.table(
        {
            "log_id": pa.array(ids, pa.string()),
            "started": pa.array([at] * len(ids), pa.timestamp("us", tz="UTC")),
            "stratum": pa.array([stratum] * len(ids), pa.string()),
            "draw": pa.array([draw(salt, log_id) for log_id in ids], pa.float64()),
        }
    )


def fix(p: float, note: str = "why", stratum: str = "rest", day: date = DAY) -> dict[tuple[date, str], Fixed]:
    return {(day, stratum): Fixed(p, note)}


def test_every_decision_is_recorded_whole() -> None:
    rows = candidates([f"log{n}" for n in range(200)])
    decided = decide(POLICY, "judge", rows, fix(0.25, "stratum rest: x"), decided_at=NOW)
    assert decided.num_rows == 200
    for row in decided.to_pylist():
        assert row["selected"] == (row["draw"] < 0.25)
        assert row["draw"] == draw("daily:judge", row["log_id"])
        assert (row["policy"], row["policy_version"]) == ("daily", version_of(POLICY))
        assert (row["stage"], row["unit"], row["stratum"]) == ("judge", "conversation", "rest")
        assert (row["probability"], row["decided_at"]) == (0.25, NOW)
        if row["selected"]:
            assert row["reason"] == "stratum rest: x"
        else:
            assert row["reason"] == f"not drawn: {row['draw']:.3g} >= 0.25"
    assert 0 < sum(row["selected"] for row in decided.to_pylist()) < 200


def test_each_day_and_stratum_has_its_own_probability() -> None:
    ids = [f"log{n}" for n in range(50)]
    cells = [(DAY, "rest", 0.1), (DAY, "trouble", 0.9), (DAY + timedelta(days=1), "rest", 0.5)]
    rows = pa.concat_tables([candidates(ids, stratum, day) for day, stratum, _ in cells])
    fixed = {(day, stratum): Fixed(p, f"{stratum} {p}") for day, stratum, p in cells}
    decided = decide(POLICY, "judge", rows, fixed, decided_at=NOW).to_pylist()
    for row in decided:
        assert row["probability"] == fixed[row["started"].date(), row["stratum"]].probability
        assert row["selected"] == (row["draw"] < row["probability"])
        assert (row["reason"] == fixed[row["started"].date(), row["stratum"]].note) == row["selected"]
    assert len(decided) == 150


def test_a_log_without_a_probability_waits() -> None:
    rows = pa.concat_tables([candidates(["a", "b"]), candidates(["c"], "trouble")])
    decided = decide(POLICY, "judge", rows, fix(1.0, stratum="trouble"), decided_at=NOW)
    assert decided["log_id"].to_pylist() == ["c"]
    assert decide(POLICY, "judge", rows, {}, decided_at=NOW).num_rows == 0
    assert decide(POLICY, "judge", candidates([]), fix(0.5), decided_at=NOW).num_rows == 0


@pytest.mark.parametrize("wrong", [0.0, 1e-9, 1.0001, float("nan"), -0.5])
def test_a_probability_that_is_none_is_refused(wrong: float) -> None:
    with pytest.raises(ValueError, match="a probability must lie in"):
        decide(POLICY, "judge", candidates(["a"]), fix(wrong), decided_at=NOW)


@given(
    ids=st.lists(st.text(max_size=12), unique=True, max_size=60),
    low=st.floats(1e-6, 1),
    high=st.floats(1e-6, 1),
)
def test_looking_at_more_keeps_what_was_looked_at(ids: list[str], low: float, high: float) -> None:
    low, high = sorted((low, high))
    few, many = (
        {row["log_id"] for row in decided.to_pylist() if row["selected"]}
        for decided in (decide(POLICY, "judge", candidates(ids), fix(p), decided_at=NOW) for p in (low, high))
    )
    assert few <= many


@given(st.permutations(range(30)), st.integers(0, 30))
def test_order_and_batches_change_nothing(order: list[int], cut: int) -> None:
    def run(numbers: Iterable[int]) -> dict[str, bool]:
        rows = candidates([f"log{n}" for n in numbers])
        decided = decide(POLICY, "judge", rows, fix(0.4), decided_at=NOW)
        return {row["log_id"]: row["selected"] for row in decided.to_pylist()}

    assert run(order[:cut]) | run(order[cut:]) == run(range(30))


@given(st.floats(0, 1, exclude_max=True), st.floats(1e-6, 1))
def test_a_reason_says_the_draw_to_three_digits(u: float, p: float) -> None:
    rows = candidates(["a"]).set_column(3, "draw", pa.array([u], pa.float64()))
    (row,) = decide(POLICY, "judge", rows, fix(p), decided_at=NOW).to_pylist()
    if u < p:
        assert row["reason"] == "why"
    else:
        said, of = row["reason"].removeprefix("not drawn: ").split(" >= ")
        assert float(said) == pytest.approx(u, rel=6e-3)
        assert float(of) == pytest.approx(p, rel=6e-3)


@given(st.text(), st.text())
def test_draws_lie_in_the_unit_interval_and_repeat(salt: str, log_id: str) -> None:
    assert 0 <= draw(salt, log_id) < 1
    assert draw(salt, log_id) == draw(salt, log_id)


def test_a_draw_is_the_one_that_was_agreed() -> None:
    # Written down, because changing it would draw every sample anew.
    assert draw("daily:judge", "4bf92f3577b34da6a3ce929d0e0e4736") == 0xA094E45671316FD2 / 2**64


def test_stages_draw_apart() -> None:
    ids = [f"log{n}" for n in range(2000)]
    drawn = [{i for i in ids if draw(salt_of("daily", stage), i) < 0.3} for stage in ("judge", "label")]
    assert abs(len(drawn[0] & drawn[1]) / 2000 - 0.09) < 4 * (0.09 * 0.91 / 2000) ** 0.5


def probabilities(
    stage: Stage,
    logs: dict[str, float],
    *,
    fixed: dict[str, float] | None = None,
    before: dict[str, float] | None = None,
    over: float = 1.0,
    include_open: bool = False,
) -> dict[str, tuple[float, str]]:
    found = fix_probabilities(
        POLICY, stage, logs, fixed=fixed or {}, before=before or {}, over=over, include_open=include_open
    )
    return {name: (chance.probability, chance.note) for name, chance in found.items()}


def test_a_closed_day_is_divided_by_its_logs() -> None:
    assert probabilities("judge", {"trouble": 412, "rest": 14_000}) == {
        "trouble": (60 / 412, "stratum trouble: 60 a day of 412, probability 0.146"),
        "rest": (0.01, "stratum rest: 140 a day of 14000, probability 0.01"),
    }
    assert probabilities("label", {"trouble": 60.0, "rest": 140.0}) == {
        "trouble": (10 / 60, "stratum trouble: 10 a day of 60.0 expected, probability 0.167"),
        "rest": (0.5, "stratum rest: rate 0.5"),
    }


def test_what_is_fixed_stays_for_late_logs() -> None:
    assert probabilities("judge", {"trouble": 9000}, fixed={"trouble": 0.146}) == {
        "trouble": (0.146, "stratum trouble: probability 0.146, as for the day's others")
    }


def test_an_open_day_waits_for_its_end_unless_its_rate_is_given() -> None:
    assert probabilities("judge", {"trouble": 4, "rest": 90}, over=0.5) == {}
    assert probabilities("label", {"trouble": 4, "rest": 90}, over=0.5) == {
        "rest": (0.5, "stratum rest: rate 0.5")
    }
    before = {"trouble": 0.2}
    assert probabilities("judge", {"trouble": 4}, before=before, over=0.5) == {}


def test_an_open_day_asked_for_takes_the_day_before_then_itself() -> None:
    found = probabilities(
        "judge", {"trouble": 4, "rest": 700}, before={"trouble": 0.2}, over=0.5, include_open=True
    )
    assert found == {
        "trouble": (0.2, "stratum trouble: probability 0.2, as the day before"),
        "rest": (0.1, "stratum rest: 140 a day of 1400 by the day's end, probability 0.1"),
    }
    people = probabilities("label", {"trouble": 20.0}, over=0.5, include_open=True)
    assert people["trouble"][1] == (
        "stratum trouble: 10 a day of 40.0 expected by the day's end, probability 0.25"
    )


def test_the_first_minutes_of_a_day_do_not_promise_millions() -> None:
    for over in (-1.0, 0.0, 1 / 1440, 1 / 24):
        assert probabilities("judge", {"rest": 70}, over=over, include_open=True)["rest"][0] == 140 / 1680


def test_a_closed_day_does_not_look_at_the_day_before() -> None:
    assert probabilities("judge", {"trouble": 600}, before={"trouble": 0.9})["trouble"][0] == 0.1


def test_a_stage_without_quota_is_not_decided() -> None:
    assert fix_probabilities(RATES, "label", {"rest": 9.0}, fixed={}, before={}, over=1.0) == {}
