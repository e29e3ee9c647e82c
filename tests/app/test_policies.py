"""Policies that were saved beside those of assay.toml: listed, changed, in force at once."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from tests.app.conftest import NOW, SETTINGS, Open

from assay.app.requests import PoliciesRequest, RemovePolicyRequest, SampleRequest, SavePolicyRequest
from assay.errors import CallerError, ConfigError, UnknownName
from assay.store.state import State
from assay.store.state.policies import list_saved_policies, save_policy

Put = Callable[..., None]
START = NOW - timedelta(hours=2)


def save(name: str, **settings: Any) -> SavePolicyRequest:
    return SavePolicyRequest(name=name, settings=settings)


def names(project: Any) -> list[tuple[str, str]]:
    return [(one.name, one.origin) for one in project.policies(PoliciesRequest())]


def test_a_saved_policy_decides_at_once_and_in_every_process(open_project: Open, put_logs: Put) -> None:
    put_logs(["gold", "plain"], START, attributes=[{"tier": "gold"}, {}])
    project, other = open_project(), open_project()
    made = project.save_policy(save("gold", where='attr["tier"] = "gold"', rate=1.0))
    assert (made.origin, made.unit, made.saved_at, made.problem) == ("saved", "conversation", NOW, "")
    assert names(other) == [("daily", "file"), ("gold", "saved")]
    (report,) = other.sample(SampleRequest(policy="gold"))
    assert (report.policy_version, report.decided) == (made.version, 1)
    assert [report.policy for report in other.sample(SampleRequest())] == ["daily", "gold"]
    project.remove_policy(RemovePolicyRequest(name="gold"))
    assert names(other) == [("daily", "file")]
    with pytest.raises(UnknownName, match="no policy `gold`"):
        other.sample(SampleRequest(policy="gold"))


def test_a_changed_policy_has_another_version(open_project: Open) -> None:
    project = open_project()
    first = project.save_policy(save("more", rate=0.5))
    with pytest.raises(CallerError, match="saved already"):
        project.save_policy(save("more", rate=0.7))
    second = project.save_policy(SavePolicyRequest(name="more", settings={"rate": 0.7}, replace=True))
    assert first.version != second.version
    assert second.settings == {"rate": 0.7}


def test_what_stands_in_the_file_goes_before(open_project: Open, state: State) -> None:
    project = open_project()
    with pytest.raises(CallerError, match=r"assay\.toml has a policy of this name"):
        project.save_policy(save("daily", rate=0.5))
    with pytest.raises(CallerError, match="take it out there"):
        project.remove_policy(RemovePolicyRequest(name="daily"))
    save_policy(state, project.project, "daily", {"rate": 0.25}, now=NOW, replace=False)
    own, saved = project.policies()
    assert (own.origin, own.settings["rate"], own.problem) == ("file", 1.0, "")
    assert saved.problem == "assay.toml has a policy of this name, and that one decides"
    project.remove_policy(RemovePolicyRequest(name="daily"))
    assert list_saved_policies(state, project.project) == []


@pytest.mark.parametrize(
    ("name", "settings", "said"),
    [
        ("no good", {"rate": 0.5}, "is no name for a policy"),
        ("odd", {"rate": 0.5, "wher": "turns > 1"}, "wher"),
        ("odd", {"rate": 1.5}, "rate"),
        ("odd", {"rate": 0.5, "where": "turn > 1"}, "did you mean `turns`"),
        ("odd", {}, "odd"),
        ("odd", {"rate": 0.5, "where": "last 24h"}, "`last` depends on when it is asked"),
        ("odd", {"rate": 0.5, "where": "selected"}, "`selected` is what policies decide"),
        ("odd", {"rate": 0.5, "where": "judged"}, "scores and labels are there of logs that were drawn"),
        ("odd", {"rate": 0.5, "where": "saved.angry"}, "saved"),
        ("odd", {"size": 5, "label_size": 50}, "label_size = 50 can't be more than size = 5"),
    ],
)
def test_a_policy_that_can_t_be_is_refused_and_not_kept(
    open_project: Open, name: str, settings: dict[str, Any], said: str
) -> None:
    project = open_project()
    with pytest.raises(CallerError) as caught:
        project.save_policy(SavePolicyRequest(name=name, settings=settings))
    assert said in str(caught.value)
    assert names(project) == [("daily", "file")]


def test_one_that_can_t_be_read_any_more_keeps_no_other_from_deciding(
    open_project: Open, state: State, put_logs: Put
) -> None:
    put_logs(["a"], START)
    project = open_project()
    save_policy(state, project.project, "old", {"rate": 1.0, "where": "signal.gone"}, now=NOW, replace=False)
    project.save_policy(save("new", rate=1.0))
    assert [report.policy for report in project.sample(SampleRequest())] == ["daily", "new"]
    old = next(one for one in project.policies() if one.name == "old")
    assert "unknown signal `gone`" in old.problem


def test_a_metric_may_follow_a_saved_policy_which_then_stays(open_project: Open, state: State) -> None:
    follows = SETTINGS + '[metrics.polite]\nkind = "human"\npolicy = "gold"\n'
    with pytest.raises(ConfigError, match=r"no policy `gold` in assay\.toml, and none is saved"):
        open_project(settings=follows)
    save_policy(state, "my-assistant", "gold", {"rate": 1.0}, now=NOW, replace=False)
    project = open_project(settings=follows)
    with pytest.raises(CallerError, match=r"metrics\.polite of assay\.toml goes by it"):
        project.remove_policy(RemovePolicyRequest(name="gold"))


def test_a_server_decides_before_there_are_scores(open_project: Open) -> None:
    """Strata of what was judged would stay empty, and nobody would know why."""
    strata = 'strata = [{ name = "bad", when = "score.short < 0.5", rate = 0.9 }]\n'
    table = f"[policies.daily]\nrate = 0.05\n{strata}"
    with pytest.raises(ConfigError, match=r"policy daily, stratum bad: a server decides .* never holds"):
        open_project(settings=table)
    project = open_project(settings=f"{table}[server]\nsample = false\n")
    assert names(project) == [("daily", "file")]
    parts = [{"kind": "exhaustive", "when": "labelled"}, {"kind": "uniform"}]
    with pytest.raises(CallerError, match=r"policy bad, part exhaustive: a server decides"):
        open_project().save_policy(save("bad", budget=9, parts=parts))
