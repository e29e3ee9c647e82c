"""Decisions: draw against probability, recorded whole, the same for ever."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.records import Stage
from assay.sampling import Chances, Day, Policy, decide, draw, load_policy, salt_of, version_of

DAY = date(2026, 5, 4)
NOW = datetime(2026, 5, 6, 1, tzinfo=UTC)
AT = datetime(2026, 5, 4, 23, 59, 59, 999_999, tzinfo=UTC)
TIME = pa.timestamp("us", tz="UTC")
TROUBLE = {"name": "trouble", "when": "errors > 0"}
POLICY = load_policy(
    "daily", {"size": 140, "label_rate": 0.5, "strata": [TROUBLE | {"size": 60, "label_size": 10}]}
)
RATES = load_policy("daily", {"rate": 0.1, "strata": [TROUBLE | {"rate": 0.5}]})


def candidates(
    ids: Iterable[str], *, occasion: int = 0, missed: float = 1.0, draws: Sequence[float] | None = None
) -> pa.Table:
    ids, salt = list(ids), salt_of("daily", "judge", occasion)
    return pa.table(
        {
            "log_id": pa.array(ids, pa.string()),
            "started": pa.array([AT] * len(ids), TIME),
            "facts_at": pa.array([NOW] * len(ids), TIME),
            "occasion": pa.array([occasion] * len(ids), pa.uint32()),
            "missed": pa.array([missed] * len(ids), pa.float64()),
            "draw": pa.array(draws or [draw(salt, log_id) for log_id in ids], pa.float64()),
        }
    )


def decided(rows: pa.Table, p: float | Sequence[float], why: str = "why", group: int = 1) -> pa.Table:
    """What policy `daily` makes of these logs, of the rest unless said, with these chances."""
    chances = Chances(
        np.broadcast_to(np.asarray(p, dtype=float), rows.num_rows).copy(),
        np.full(rows.num_rows, group),
        lambda which: [why for _ in which],
    )
    return decide(POLICY, version_of(POLICY), "judge", rows, chances, decided_at=NOW)


def selected(rows: pa.Table) -> set[str]:
    return {row["log_id"] for row in rows.to_pylist() if row["selected"]}


def test_every_decision_is_recorded_whole() -> None:
    found = decided(candidates([f"log{n}" for n in range(200)]), 0.25, "stratum rest: x")
    assert found.num_rows == 200
    for row in found.to_pylist():
        assert row["selected"] == (row["draw"] < 0.25)
        assert row["draw"] == draw("daily:judge", row["log_id"])
        assert (row["policy"], row["policy_version"]) == ("daily", version_of(POLICY))
        assert (row["stage"], row["unit"], row["stratum"]) == ("judge", "conversation", "rest")
        assert (row["probability"], row["decided_at"], row["facts_at"]) == (0.25, NOW, NOW)
        assert (row["started"], row["occasion"]) == (AT, 0)
        if row["selected"]:
            assert row["reason"] == "stratum rest: x"
        else:
            assert row["reason"].startswith("not drawn: ")
            assert row["reason"].endswith(" >= 0.25")
    assert 0 < len(selected(found)) < 200


def test_each_log_has_its_own_probability_and_group() -> None:
    ids = [f"log{n}" for n in range(300)]
    p = [0.001 * (n + 1) for n in range(300)]
    found = decided(candidates(ids), p, group=0).to_pylist()
    assert [row["probability"] for row in found] == p
    assert {row["stratum"] for row in found} == {"trouble"}
    for row in found:
        assert row["selected"] == (row["draw"] < row["probability"])


def test_a_log_without_a_probability_waits() -> None:
    found = decided(candidates(["a", "b", "c"]), [float("nan"), float("nan"), 1.0])
    assert found["log_id"].to_pylist() == ["c"]
    assert decided(candidates(["a"]), float("nan")).num_rows == 0
    assert decided(candidates([]), 0.5).num_rows == 0


@pytest.mark.parametrize("wrong", [0.0, 1e-9, 1.0001, -0.5, float("inf")])
def test_a_probability_that_is_none_is_refused(wrong: float) -> None:
    with pytest.raises(ValueError, match="a probability must lie in"):
        decided(candidates(["a", "b"]), [0.5, wrong])


def test_on_a_later_occasion_a_log_gets_what_it_has_not_had_yet() -> None:
    rows = candidates(["a", "b"], occasion=2, missed=0.75, draws=[0.1, 0.9])
    found = decided(rows, 0.7, "importance: chance of failure 0.6, probability 0.7").to_pylist()
    for row in found:
        assert row["probability"] == pytest.approx((0.7 - 0.25) / 0.75)
        assert row["occasion"] == 2
    assert [row["selected"] for row in found] == [1, 0]
    said = "its facts changed; importance: chance of failure 0.6, probability 0.7, before 0.25"
    assert found[0]["reason"] == said


@pytest.mark.parametrize("p", [0.25, 0.2, 1e-6])
def test_a_later_occasion_never_takes_a_chance_away(p: float) -> None:
    assert decided(candidates(["a"], occasion=1, missed=0.75), p).num_rows == 0
    assert decided(candidates(["a"], occasion=1, missed=0.0), 1.0).num_rows == 0


@given(p0=st.floats(1e-6, 1), p1=st.floats(1e-6, 1), p2=st.floats(1e-6, 1))
def test_all_occasions_together_give_the_highest_chance(p0: float, p1: float, p2: float) -> None:
    missed = 1 - p0
    for occasion, p in enumerate((p1, p2), start=1):
        rows = decided(candidates(["a"], occasion=occasion, missed=missed), p)
        if rows.num_rows:
            missed *= 1 - rows["probability"][0].as_py()
    assert 1 - missed == pytest.approx(max(p0, p1, p2), abs=2e-6)


@given(
    ids=st.lists(st.text(max_size=12), unique=True, max_size=60),
    low=st.floats(1e-6, 1),
    high=st.floats(1e-6, 1),
)
def test_looking_at_more_keeps_what_was_looked_at(ids: list[str], low: float, high: float) -> None:
    low, high = sorted((low, high))
    few, many = (selected(decided(candidates(ids), p)) for p in (low, high))
    assert few <= many


@given(st.permutations(range(30)), st.integers(0, 30))
def test_order_and_batches_change_nothing(order: list[int], cut: int) -> None:
    def run(numbers: Iterable[int]) -> dict[str, bool]:
        found = decided(candidates([f"log{n}" for n in numbers]), 0.4)
        return {row["log_id"]: row["selected"] for row in found.to_pylist()}

    assert run(order[:cut]) | run(order[cut:]) == run(range(30))


@given(st.floats(0, 1, exclude_max=True), st.floats(1e-6, 1))
def test_a_reason_says_the_draw_to_three_digits(u: float, p: float) -> None:
    (row,) = decided(candidates(["a"], draws=[u]), p).to_pylist()
    if u < p:
        assert row["reason"] == "why"
    else:
        said, of = row["reason"].removeprefix("not drawn: ").split(" >= ")
        assert float(said) == pytest.approx(u, rel=1.1e-2)
        assert float(of) == pytest.approx(p, rel=6e-3)


def test_many_refusals_take_few_words() -> None:
    chance = np.random.default_rng(1)
    u, p = chance.random(20_000), np.exp(chance.uniform(np.log(1e-5), np.log(0.9), 20_000))
    found = decided(candidates(map(str, range(20_000)), draws=u.tolist()), p.tolist())
    out = [row for row in found.to_pylist() if not row["selected"]]
    assert len({row["reason"] for row in out}) < len(out) / 4
    for row in out:
        said, of = row["reason"].removeprefix("not drawn: ").split(" >= ")
        assert float(said) >= float(of)
        assert float(said) == pytest.approx(row["draw"], rel=0.11)
        assert float(of) == pytest.approx(row["probability"], rel=0.51)


@given(st.text(), st.text())
def test_draws_lie_in_the_unit_interval_and_repeat(salt: str, log_id: str) -> None:
    assert 0 <= draw(salt, log_id) < 1
    assert draw(salt, log_id) == draw(salt, log_id)


def test_a_draw_is_the_one_that_was_agreed() -> None:
    # Written down, because changing it would draw every sample anew.
    assert draw("daily:judge", "4bf92f3577b34da6a3ce929d0e0e4736") == 0xA094E45671316FD2 / 2**64
    assert (salt_of("daily", "judge"), salt_of("daily", "label", 3)) == ("daily:judge", "daily:label:3")


def test_stages_and_occasions_draw_apart() -> None:
    ids = [f"log{n}" for n in range(2000)]
    salts = [salt_of("daily", "judge"), salt_of("daily", "label"), salt_of("daily", "judge", 1)]
    drawn = [{i for i in ids if draw(salt, i) < 0.3} for salt in salts]
    for other in drawn[1:]:
        assert abs(len(drawn[0] & other) / 2000 - 0.09) < 4 * (0.09 * 0.91 / 2000) ** 0.5


# --- the probabilities of groups with a size or a rate -------------------------------------------


def counted(logs: dict[str, float]) -> pa.Table:
    return pa.table(
        {
            "when.trouble": pa.array([name == "trouble" for name in logs], pa.bool_()),
            "logs": pa.array([float(n) for n in logs.values()], pa.float64()),
        }
    )


def probabilities(
    stage: Stage,
    logs: dict[str, float],
    *,
    policy: Policy = POLICY,
    before: dict[str, float] | None = None,
    **day: Any,
) -> dict[str, tuple[float, str]]:
    """By stratum: the probability, and why, once the day is fixed; what waits is left out."""
    yesterday = counted(before) if before is not None else None
    fixed = policy.fix(stage, Day(day=DAY, logs=counted(logs), before=yesterday, **day))
    rows = counted(dict.fromkeys(("trouble", "rest"), 1.0))
    found = policy.chances(stage, rows, fixed)
    words = found.explain(np.arange(2))
    return {
        policy.groups[found.group[row]]: (float(found.probability[row]), words[row])
        for row in range(2)
        if not np.isnan(found.probability[row])
    }


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
    found = probabilities("judge", {"trouble": 9000}, decided={"trouble": 0.146})
    assert found == {"trouble": (0.146, "stratum trouble: probability 0.146, as for the day's others")}
    known = POLICY.fix("judge", Day(day=DAY, logs=counted({"trouble": 600})))
    again = POLICY.fix("judge", Day(day=DAY, logs=counted({"trouble": 9000, "rest": 10}), known=known))
    assert again["trouble"] == known["trouble"]
    assert again["rest"]["probability"] == 1.0


def test_an_open_day_waits_for_its_end_unless_its_rate_is_given() -> None:
    assert probabilities("judge", {"trouble": 4, "rest": 90}, over=0.5) == {}
    assert probabilities("label", {"trouble": 4, "rest": 90}, over=0.5) == {
        "rest": (0.5, "stratum rest: rate 0.5")
    }
    assert probabilities("judge", {"trouble": 4}, before={"trouble": 300}, over=0.5) == {}


def test_an_open_day_asked_for_takes_the_day_before_then_itself() -> None:
    found = probabilities(
        "judge", {"trouble": 4, "rest": 700}, before={"trouble": 300}, over=0.5, include_open=True
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
    assert probabilities("judge", {"trouble": 600}, before={"trouble": 70})["trouble"][0] == 0.1


def test_a_stage_without_quota_does_not_take_place() -> None:
    assert (RATES.stages, POLICY.stages) == (("judge",), ("judge", "label"))
    assert probabilities("label", {"rest": 9.0}, policy=RATES) == {}
