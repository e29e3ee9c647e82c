"""Saved filters, and what the project offers to whoever writes one."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from tests.app.conftest import NOW, Open

from assay.app.application import Application
from assay.app.requests import FiltersRequest, LogsRequest, RemoveFilterRequest, SaveFilterRequest
from assay.errors import CallerError, FilterError, UnknownName

PutLogs = Callable[..., None]


def save(project: Application, name: str, text: str) -> None:
    project.save_filter(SaveFilterRequest(name=name, filter=text))


def test_a_saved_filter_is_asked_for_by_its_name(open_project: Open, put_logs: PutLogs) -> None:
    put_logs(["a", "b", "c"], NOW, version=["v6", "v7", "v7"], turns=[1, 1, 9])
    project = open_project()
    save(project, "newest", ' version = "v7" ')
    save(project, "long_ones", "turns > 5 and saved.newest")
    assert {row.log_id for row in project.logs(LogsRequest(filter="saved.newest")).rows} == {"b", "c"}
    assert {row.log_id for row in project.logs(LogsRequest(filter="not saved.long_ones")).rows} == {"a", "b"}
    found = {saved.name: saved for saved in project.filters(FiltersRequest())}
    assert list(found) == ["long_ones", "newest"]
    assert (found["newest"].text, found["newest"].unit, found["newest"].saved_at) == (
        'version = "v7"',
        "conversation",
        NOW,
    )


def test_saving_again_takes_the_place(open_project: Open, put_logs: PutLogs) -> None:
    put_logs(["a", "b"], NOW, version=["v6", "v7"])
    project = open_project()
    save(project, "mine", 'version = "v7"')
    save(project, "mine", 'version = "v6"')
    assert [row.log_id for row in project.logs(LogsRequest(filter="saved.mine")).rows] == ["a"]


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("two words", "judged", "can't name a filter"),
        ("9lives", "judged", "can't name a filter"),
        ("a" * 65, "judged", "can't name a filter"),
        ("empty", "  ", "the filter is empty"),
        ("wrong", "turnz > 3", "did you mean `turns`"),
        ("itself", "saved.itself", "unknown saved filter"),
        ("known", "not saved.known", "go in a circle"),
        ("known", "saved.user", "go in a circle"),
    ],
)
def test_what_can_not_be_saved_is_said(open_project: Open, name: str, text: str, said: str) -> None:
    project = open_project()
    save(project, "known", "judged")
    save(project, "user", "saved.known or labelled")
    with pytest.raises((CallerError, FilterError), match=said):
        save(project, name, text)
    assert [saved.text for saved in project.filters(FiltersRequest())] == [
        "judged",
        "saved.known or labelled",
    ]


def test_a_filter_that_others_ask_for_stays(open_project: Open) -> None:
    project = open_project()
    save(project, "inner", "judged")
    save(project, "outer", "not saved.inner")
    with pytest.raises(CallerError, match=r"asked for by saved\.outer"):
        project.remove_filter(RemoveFilterRequest(name="inner"))
    with pytest.raises(UnknownName, match="did you mean `outer`"):
        project.remove_filter(RemoveFilterRequest(name="outre"))
    for name in ("outer", "inner"):
        assert project.remove_filter(RemoveFilterRequest(name=name)).rows == 1
    assert project.filters(FiltersRequest()) == ()


def test_a_filter_that_can_not_be_used_any_longer_says_why(open_project: Open) -> None:
    own = '[signals.odd]\nexpression = "turns = 7"\n'
    project = open_project(settings=own)
    save(project, "strange", "signal.odd")
    save(project, "fine", "turns = 7")
    project = open_project()
    found = {saved.name: saved.wrong for saved in project.filters(FiltersRequest())}
    assert found["fine"] == ""
    assert "`strange` can't be used: unknown signal `odd`" in found["strange"]
    assert project.remove_filter(RemoveFilterRequest(name="strange")).rows == 1


def test_completions_know_the_project(open_project: Open, put_logs: PutLogs) -> None:
    put_logs(["a", "b"], NOW, version="v7", attributes=[[("tier", "gold"), ("tags", "x, y")]] * 2)
    project = open_project()
    save(project, "mine", "turns > 3")

    def offered(text: str) -> list[str]:
        return [found.insert for found in project.complete(text, len(text), "conversation")]

    assert offered("version = ") == ['"v7" ']
    assert offered('attr["tier"] = ') == ['"gold" ']
    assert offered("tag = ") == ['"x" ', '"y" ']
    assert offered("saved.") == ["mine "]
    assert offered("selected.") == ["daily "]
    assert "signal.refusal " in offered("refus")
    assert "@refusal " in offered("input mentions ")


def test_new_values_are_offered_after_a_while(
    open_project: Open, put_logs: PutLogs, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = open_project()
    monkeypatch.setattr("assay.app.filters.FRESH", timedelta(0))
    assert project.complete("version = ", 10, "conversation") == ()
    put_logs(["a"], NOW, version="v7")
    assert [found.insert for found in project.complete("version = ", 10, "conversation")] == ['"v7" ']
