"""What policies have fixed of a day: kept once, added to, never changed, on every database."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

from assay.store.state import State
from assay.store.state.days import read_policy_day, write_policy_day

NOW = datetime(2026, 5, 4, 12, 30, tzinfo=UTC)
DAY = date(2026, 5, 4)
KEY: dict[str, Any] = {"policy": "daily", "version": "v1", "stage": "judge", "day": DAY}


def test_what_is_fixed_is_added_to_and_never_changed(state: State) -> None:
    assert read_policy_day(state, "shop", **KEY) == {}
    first = {"rest": {"probability": 0.1 + 0.2, "how": "counted"}}
    assert write_policy_day(state, "shop", **KEY, parameters=first, now=NOW) == first
    assert read_policy_day(state, "shop", **KEY) == first
    later = {"rest": {"probability": 0.9}, "trouble": {"probability": 1.0}}
    known, at = read_policy_day(state, "shop", **KEY), NOW + timedelta(hours=1)
    kept = write_policy_day(state, "shop", **KEY, parameters=later, known=known, now=at)
    assert kept == read_policy_day(state, "shop", **KEY) == {**later, **first}


def test_of_two_that_fix_a_day_at_once_the_first_stands(state: State) -> None:
    """A scale of the one beside a model of the other would be numbers that belong to nobody."""
    first = {"risk": "m1", "scales": {"share": 0.25}}
    write_policy_day(state, "shop", **KEY, parameters=first, now=NOW)
    other = {"risk": "m2", "scales": {"share": 0.5}, "more": 1.0}
    assert write_policy_day(state, "shop", **KEY, parameters=other, now=NOW) == first
    assert read_policy_day(state, "shop", **KEY) == first


def test_versions_stages_days_and_projects_are_apart(state: State) -> None:
    write_policy_day(state, "shop", **KEY, parameters={"scale": 2.0}, now=NOW)
    for other in (
        KEY | {"policy": "other"},
        KEY | {"version": "v2"},
        KEY | {"stage": "label"},
        KEY | {"day": DAY + timedelta(days=1)},
    ):
        assert read_policy_day(state, "shop", **other) == {}
    assert read_policy_day(state, "desk", **KEY) == {}
