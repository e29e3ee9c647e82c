"""What the team calls critical, in its own words, and what is critical where it says nothing."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from tests.app.conftest import NOW, SETTINGS, Open

from assay.app.application import Application
from assay.app.requests import LogsRequest, PrioritiesRequest
from assay.errors import ConfigError, FilterError

Put = Callable[..., None]
RULES = """
[[priorities]]
level = "high"
when = 'attr["tier"] = "gold" and turns > 2'

[[priorities]]
level = "low"
when = 'service = "bot"'

[[priorities]]
level = "medium"
when = "signal.refusal or turns > 5"
"""
START = NOW - timedelta(hours=2)


def shown(project: Application, asked: str = "") -> dict[str, str]:
    page = project.logs(LogsRequest(filter=asked))
    return {row.log_id: row.priority for row in page.rows}


def put_four(put_logs: Put) -> None:
    put_logs(
        ["gold", "bot", "long", "short"],
        START,
        turns=[3, 9, 9, 1],
        service=["chat", "bot", "chat", "chat"],
        attributes=[{"tier": "gold"}, {}, {"tier": "gone"}, {"tier": "gold"}],
    )


def test_the_first_rule_that_holds_tells_the_priority(open_project: Open, put_logs: Put) -> None:
    put_four(put_logs)
    project = open_project(settings=SETTINGS + RULES)
    levels = {"gold": "high", "bot": "low", "long": "medium", "short": "low"}
    assert shown(project) == levels
    for level in ("high", "medium", "low"):
        found = shown(project, f'priority = "{level}"')
        assert found == {name: own for name, own in levels.items() if own == level}
    assert shown(project, 'priority != "low" and turns < 5') == {"gold": "high"}
    counted = project.priorities(PrioritiesRequest())
    assert [(one.level, one.logs) for one in counted] == [("high", 1), ("medium", 1), ("low", 2)]
    assert counted[0].rules == ('attr["tier"] = "gold" and turns > 2',)


def test_without_rules_a_log_is_as_grave_as_its_gravest_signal(open_project: Open, put_logs: Put) -> None:
    put_logs(
        ["failed", "refused", "sorry", "fine"],
        START,
        signals=[["apology", "error", "refusal"], ["refusal"], ["apology"], []],
    )
    project = open_project()
    assert shown(project) == {"failed": "high", "refused": "medium", "sorry": "low", "fine": "low"}
    page = project.conversation("failed")
    assert page is not None
    assert page.facts.priority == "high"


def test_a_signal_of_the_team_s_own_counts_by_its_severity(open_project: Open, put_logs: Put) -> None:
    put_logs(["sued"], START, signals=[["lawyer"]])
    own = '[signals.lawyer]\nexpression = "input contains \\"my lawyer\\""\nseverity = "high"\n'
    assert shown(open_project(settings=SETTINGS + own)) == {"sued": "high"}


@pytest.mark.parametrize(
    ("when", "said"),
    [
        ("turn > 2", "unknown field `turn`; did you mean `turns`"),
        ("last 24h", "depends on when it is asked"),
        ("selected", "policies go by priorities"),
        ('priority = "high"', "priority"),
        ("signal.refusl", "did you mean `refusal`"),
    ],
)
def test_a_rule_that_can_t_be_is_refused_with_its_number(open_project: Open, when: str, said: str) -> None:
    rule = "[[priorities]]\nlevel = 'high'\nwhen = '{}'\n"
    rules = rule.format("turns > 1") + rule.format(when)
    with pytest.raises((ConfigError, FilterError)) as caught:
        open_project(settings=SETTINGS + rules)
    assert "priorities, rule 2" in str(caught.value)
    assert said in str(caught.value)


def test_a_level_that_there_is_not_is_refused(open_project: Open) -> None:
    with pytest.raises(ConfigError, match="priorities"):
        open_project(settings=SETTINGS + '[[priorities]]\nlevel = "urgent"\nwhen = "turns > 1"\n')
