"""What is fixed of a day serves all of it: its metric, its model, and who fixed it first."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta

import pyarrow as pa
import pytest

from assay.query import parse
from assay.records import MetricInfo, Stage
from assay.sampling import OwnDays, Policy, Sources, apply_new, load_policy, version_of
from assay.sampling.base import FloatArray, Parameters
from assay.store.telemetry.connection import Telemetry

DAY = date(2026, 5, 4)
MORNING, NOON = datetime(2026, 5, 4, 6, tzinfo=UTC), datetime(2026, 5, 4, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
Put = Callable[..., None]


class Flat:
    """A model that foretells the same of all."""

    def __init__(self, version: str, chance: float) -> None:
        self.version = version
        self._chance = chance

    def chances(self, features: pa.Table) -> FloatArray:
        return pa.array([self._chance] * features.num_rows).to_numpy()


def info(name: str) -> MetricInfo:
    return MetricInfo(name=name, version="v1", kind="judge", unit="conversation")


def composed() -> Policy:
    parts = [{"kind": "uniform", "share": 1.0}, {"kind": "importance", "share": 9.0}]
    return load_policy("daily", {"budget": 400, "parts": parts})


def expected(t: Telemetry, prefix: str) -> float:
    (row,) = t.query(
        "SELECT sum(probability) AS sum FROM selections FINAL WHERE startsWith(log_id, {p:String})",
        {"p": prefix},
    ).to_pylist()
    return float(row["sum"])


def test_a_day_fixed_without_a_model_goes_on_without(telemetry: Telemetry, put_logs: Put) -> None:
    """Its scale belongs to the chance that was taken for all; by a model, a tenth would be drawn."""
    policy, days = composed(), OwnDays()
    put_logs([f"a{n}" for n in range(1000)], MORNING, computed_at=MORNING)
    apply_new(telemetry, policy, parse, NOON, sources=Sources(days=days))
    put_logs([f"b{n}" for n in range(1000)], MORNING, computed_at=NOON)
    found = Sources(days=days, risk=lambda *_: Flat("m1", 0.03), metric=info)
    apply_new(telemetry, policy, parse, NOON + HOUR, sources=found)
    assert expected(telemetry, "b") == pytest.approx(expected(telemetry, "a"))
    assert days.read("daily", version_of(policy), "judge", DAY)["risk"] == ""


def test_a_day_keeps_the_metric_that_it_was_fixed_with(telemetry: Telemetry, put_logs: Put) -> None:
    """Another metric has models of its own, and is served from the next day on."""
    policy, days = composed(), OwnDays()
    asked: list[tuple[str, str]] = []

    def risk(metric: str, day: date, version: str) -> Flat:
        asked.append((metric, version))
        return Flat(f"of {metric or 'short'}", 0.4 if metric in ("", "short") else 0.03)

    put_logs([f"a{n}" for n in range(1000)], MORNING, computed_at=MORNING)
    before = Sources(days=days, risk=risk, metric=lambda name: info(name or "short"))
    apply_new(telemetry, policy, parse, NOON, sources=before)
    put_logs([f"b{n}" for n in range(1000)], MORNING, computed_at=NOON)
    after = Sources(days=days, risk=risk, metric=lambda name: info(name or "polite"))
    asked.clear()
    apply_new(telemetry, policy, parse, NOON + HOUR, sources=after)
    assert set(asked) == {("short", "of short")}
    assert expected(telemetry, "b") == pytest.approx(expected(telemetry, "a"))


def test_who_fixes_a_day_second_decides_by_what_the_first_fixed(telemetry: Telemetry, put_logs: Put) -> None:
    """Two processes count at once, with other logs settled: one day has one scale."""

    class Overtaken(OwnDays):
        def write(
            self,
            policy: str,
            version: str,
            stage: Stage,
            day: date,
            parameters: Parameters,
            known: Parameters,
        ) -> Parameters:
            scales = dict(parameters["scales"], share=parameters["scales"]["share"] / 4)
            first = dict(parameters, scales=scales)
            super().write(policy, version, stage, day, first, {})
            return super().write(policy, version, stage, day, parameters, known)

    policy = load_policy("daily", {"budget": 400, "parts": [{"kind": "uniform"}]})
    put_logs([f"a{n}" for n in range(1000)], MORNING, computed_at=MORNING)
    apply_new(telemetry, policy, parse, NOON, sources=Sources())
    whole = expected(telemetry, "a")
    telemetry.command("TRUNCATE TABLE selections")
    telemetry.command("TRUNCATE TABLE settled")
    apply_new(telemetry, policy, parse, NOON, sources=Sources(days=Overtaken()))
    assert expected(telemetry, "a") == pytest.approx(whole / 4)
