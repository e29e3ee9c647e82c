"""Saved policies, of one project each, the oldest first."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from assay.store.state import State
from assay.store.state.policies import SavedPolicy, list_saved_policies, remove_policy, save_policy

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
LATER = NOW + timedelta(hours=1)


def test_a_policy_is_kept_until_it_is_removed(state: State) -> None:
    kept = [
        save_policy(state, "shop", "b", {"rate": 0.5}, now=NOW, replace=False),
        save_policy(
            state, "shop", "a", {"budget": 20, "parts": [{"kind": "uniform"}]}, now=LATER, replace=False
        ),
        save_policy(state, "other", "a", {"rate": 1.0}, now=NOW, replace=False),
    ]
    assert kept == [True, True, True]
    assert list_saved_policies(state, "shop") == [
        SavedPolicy(name="b", settings={"rate": 0.5}, saved_at=NOW),
        SavedPolicy(name="a", settings={"budget": 20, "parts": [{"kind": "uniform"}]}, saved_at=LATER),
    ]
    assert [remove_policy(state, "shop", "a") for _ in range(2)] == [True, False]
    assert [one.name for one in list_saved_policies(state, "shop")] == ["b"]
    assert [one.name for one in list_saved_policies(state, "other")] == ["a"]


def test_a_name_is_taken_over_only_where_that_is_asked_for(state: State) -> None:
    save_policy(state, "shop", "a", {"rate": 0.5}, now=NOW, replace=False)
    assert not save_policy(state, "shop", "a", {"rate": 0.7}, now=LATER, replace=False)
    assert list_saved_policies(state, "shop")[0].settings == {"rate": 0.5}
    assert save_policy(state, "shop", "a", {"rate": 0.7}, now=LATER, replace=True)
    assert list_saved_policies(state, "shop") == [
        SavedPolicy(name="a", settings={"rate": 0.7}, saved_at=LATER)
    ]
