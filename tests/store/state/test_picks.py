"""Logs that somebody picked: remembered once, in order, on every database."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from assay.records import Pick, Unit
from assay.store.state import State
from assay.store.state.picks import add_picks, count_picks, list_picks, picked_among, remove_picks

NOW = datetime(2026, 5, 4, 12, 30, tzinfo=UTC)
LATER = NOW + timedelta(hours=1)


def test_a_pick_is_remembered_once(state: State) -> None:
    assert add_picks(state, "shop", "conversation", ["b", "a", "b"], note="odd", now=NOW) == 2
    assert add_picks(state, "shop", "conversation", ["a", "c"], note="new", now=LATER) == 1
    assert list_picks(state, "shop", "conversation") == [
        Pick(unit="conversation", log_id="a", note="odd", picked_at=NOW),
        Pick(unit="conversation", log_id="b", note="odd", picked_at=NOW),
        Pick(unit="conversation", log_id="c", note="new", picked_at=LATER),
    ]
    assert [one.log_id for one in list_picks(state, "shop", "conversation", limit=1)] == ["a"]
    assert count_picks(state, "shop", "conversation") == 3


def test_units_and_projects_are_apart(state: State) -> None:
    add_picks(state, "shop", "conversation", ["a"], now=NOW)
    add_picks(state, "shop", "interaction", ["a"], now=NOW)
    add_picks(state, "desk", "conversation", ["a"], now=NOW)
    assert remove_picks(state, "shop", "conversation", ["a", "z"]) == 1
    assert [count_picks(state, *which) for which in PLACES] == [0, 1, 1]


PLACES: tuple[tuple[str, Unit], ...] = (
    ("shop", "conversation"),
    ("shop", "interaction"),
    ("desk", "conversation"),
)


def test_many_are_found_and_removed(state: State) -> None:
    ids = [f"log {number}" for number in range(1_201)]
    assert add_picks(state, "shop", "conversation", ids, now=NOW) == 1_201
    assert picked_among(state, "shop", "conversation", [*ids[::2], "other"]) == frozenset(ids[::2])
    assert picked_among(state, "shop", "conversation", []) == frozenset()
    assert remove_picks(state, "shop", "conversation", ids) == 1_201
    assert list_picks(state, "shop", "conversation") == []
