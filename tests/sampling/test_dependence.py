"""What chances may depend on: never on what was drawn, or on what became known because of it."""

from __future__ import annotations

from typing import Any

import pytest

from assay.errors import ConfigError
from assay.query import parse
from assay.sampling import group_logs, load_policy, version_of


@pytest.mark.parametrize(
    "where", ["not judged", "labelled", "score.resolved < 0.5", "errors > 0 or any(label.resolved = 1)"]
)
def test_scores_cannot_say_which_logs_a_policy_is_about(where: str) -> None:
    """Those that were drawn and judged would leave it, and the others alone get a second chance."""
    policy = load_policy("daily", {"where": where, "rate": 0.2})
    with pytest.raises(ConfigError, match=r"policy daily, where: scores and labels .* drawn"):
        group_logs(policy, parse)


@pytest.mark.parametrize(
    ("when", "again"),
    [
        ("feedback < 0.5", True),
        ('attr["evaluation.purchase"] = "1"', True),
        ('attr["evaluation.quality"] < 0.5', False),
        ('errors > 0 or not attr["evaluation.quality"] is known', False),
        ("score.resolved < 0.5", False),
    ],
)
def test_a_chance_that_may_follow_from_a_draw_is_given_once(when: str, again: bool) -> None:
    strata = [{"name": "bad", "when": when, "rate": 0.8}]
    policy = load_policy("daily", {"rate": 0.2, "strata": strata})
    assert group_logs(policy, parse).again is again
    rare = {"kind": "rare", "by": 'attr["evaluation.quality"]', "at_least": 2}
    parts = [{"kind": "exhaustive", "when": when}, rare, {"kind": "uniform"}]
    assert not group_logs(load_policy("daily", {"budget": 9, "parts": parts}), parse).again


UNHAPPY = {"strata": [{"name": "bad", "when": "feedback < 0.5", "rate": 0.8}], "rate": 0.2}
COMPOSED = {"budget": 9, "parts": [{"kind": "exhaustive", "when": "feedback < 0.5"}, {"kind": "uniform"}]}


@pytest.mark.parametrize("settings", [UNHAPPY, COMPOSED])
def test_a_policy_may_give_no_second_chances(settings: dict[str, Any]) -> None:
    """That is another policy, of another version; those that give them keep the version that they had."""
    plain, told, once = (
        load_policy("daily", settings | more) for more in ({}, {"again": True}, {"again": False})
    )
    assert group_logs(plain, parse).again
    assert not group_logs(once, parse).again
    assert version_of(plain) == version_of(told) != version_of(once)
    assert "again" not in plain.definition
    with pytest.raises(ConfigError, match="again must be true or false, got 1"):
        load_policy("daily", settings | {"again": 1})
