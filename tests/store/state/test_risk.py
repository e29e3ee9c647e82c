"""Models of risk are kept by version, and found by the day that they may serve."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from assay.store.state import State
from assay.store.state.risk import RiskModel, find_risk, keep_risk

DAY = datetime(2026, 11, 20, tzinfo=UTC)
MODEL = RiskModel(
    metric="resolved", version="v1", fitted_at=DAY, known_until=DAY, definition={"rows": 3, "words": "é"}
)


def test_a_model_comes_back_as_it_was_kept(state: State) -> None:
    keep_risk(state, "p", MODEL)
    assert find_risk(state, "p", "resolved", version="v1") == MODEL
    assert find_risk(state, "p", "resolved", version="v2") is None
    assert find_risk(state, "p", "other") is None
    assert find_risk(state, "other", "resolved") is None


def test_what_is_kept_is_never_changed(state: State) -> None:
    keep_risk(state, "p", MODEL)
    keep_risk(state, "p", replace(MODEL, definition={}, fitted_at=DAY + timedelta(days=1)))
    assert find_risk(state, "p", "resolved") == MODEL


def test_the_newest_that_knows_of_nothing_later_is_found(state: State) -> None:
    models = [
        replace(MODEL, version=f"v{number}", known_until=DAY + timedelta(days=number)) for number in range(3)
    ]
    for model in models:
        keep_risk(state, "p", model)
    assert find_risk(state, "p", "resolved") == models[2]
    assert find_risk(state, "p", "resolved", until=DAY + timedelta(days=1, hours=5)) == models[1]
    assert find_risk(state, "p", "resolved", until=DAY) == models[0]
    assert find_risk(state, "p", "resolved", until=DAY - timedelta(seconds=1)) is None
