"""Saved filters, of one project each."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from assay.records import SavedFilter
from assay.store.state import State, list_filters, remove_filter, save_filter

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)


def test_a_filter_is_kept_until_it_is_removed(state: State) -> None:
    save_filter(state, "shop", "b", unit="interaction", text="judged", now=NOW)
    save_filter(state, "shop", "a", unit="conversation", text="labelled", now=NOW)
    save_filter(state, "other", "a", unit="conversation", text="turns > 3", now=NOW)
    later = NOW + timedelta(hours=1)
    save_filter(state, "shop", "a", unit="interaction", text="turns > 9", now=later)
    assert list_filters(state, "shop") == [
        SavedFilter(name="a", unit="interaction", text="turns > 9", saved_at=later),
        SavedFilter(name="b", unit="interaction", text="judged", saved_at=NOW),
    ]
    assert [remove_filter(state, "shop", "a") for _ in range(2)] == [True, False]
    assert [saved.name for saved in list_filters(state, "shop")] == ["b"]
    assert [saved.text for saved in list_filters(state, "other")] == ["turns > 3"]
