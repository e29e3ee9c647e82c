"""Saved filters from the command line, while a server has the project open."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.scenarios.project import SETTINGS, Project

ROWS = [{"id": f"c-{n}", "input": text, "output": "Here."} for n, text in enumerate(["Where?", "A refund"])]


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """Two conversations, one of them about a refund."""
    made = Project(tmp_path_factory.mktemp("shop"), SETTINGS)
    with made.serving():
        made.run("import", made.write("rows.jsonl", ROWS))
        yield made


def test_a_filter_is_saved_used_listed_and_forgotten(project: Project) -> None:
    assert "no saved filters" in project.run("filters").out
    saved = project.run("filters", "save", "money", 'says "refund"')
    assert saved.out == 'saved.money is says "refund"\n'
    kept = project.run("filters", "save", "other", "not saved.money", "--unit", "interaction", "--json").json
    assert (kept["name"], kept["text"], kept["unit"]) == ("other", "not saved.money", "interaction")
    assert [row["log_id"] for row in project.run("logs", "saved.money", "--json").json["rows"]] == ["c-1"]
    found = project.run("logs", "turns = 1", "--saved", "other", "--json").json
    assert (found["unit"], [row["conversation_id"] for row in found["rows"]]) == ("interaction", ["c-0"])
    found = project.run("logs", "--saved", "other", "--unit", "conversation", "--json").json
    assert (found["unit"], [row["log_id"] for row in found["rows"]]) == ("conversation", ["c-0"])
    assert project.run("filters").out.splitlines() == [
        'money  conversations: says "refund"',
        "other  interactions: not saved.money",
    ]
    assert [one["name"] for one in project.run("filters", "--json").json] == ["money", "other"]
    assert "asked for by saved.other" in project.run("filters", "remove", "money", code=2).err
    assert project.run("filters", "remove", "other").out == "saved.other is forgotten\n"
    project.run("filters", "remove", "money")
    assert "no saved filters" in project.run("filters").out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("save", "x", "turnz > 3"), "did you mean `turns`"),
        (("save", "two words", "judged"), "can't name a filter"),
        (("save", "x", "judged", "--unit", "span"), "`conversation` or `interaction`"),
        (("remove", "nothing"), "no saved filter `nothing`"),
    ],
)
def test_a_mistake_is_said(project: Project, arguments: tuple[str, ...], said: str) -> None:
    assert said in project.run("filters", *arguments, code=2).err
