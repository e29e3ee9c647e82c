"""Logs are picked for review from the command line, listed with their notes, and taken back."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.scenarios.project import SETTINGS, Project

ROWS = [{"id": f"c-{n}", "input": text, "output": "Here."} for n, text in enumerate(["Where?", "A refund"])]


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """Two conversations."""
    made = Project(tmp_path_factory.mktemp("shop"), SETTINGS)
    with made.serving():
        made.run("import", made.write("rows.jsonl", ROWS))
        yield made


def test_logs_are_picked_listed_and_taken_back(project: Project) -> None:
    assert "no conversations are picked" in project.run("picks").out
    added = project.run("picks", "add", "c-1", "c-0", "c-9", "--note", "odd \x1b[31m\ntone")
    assert (
        added.out == "2 conversations added to review, 2 picked now; 1 left out: not settled, or not here\n"
    )
    assert project.run("picks", "add", "c-1", "--json").json == {"changed": 0, "unknown": 0, "waiting": 2}
    listed = project.run("picks").out
    assert [line.split("  ")[1] for line in listed.splitlines()] == ["c-0", "c-1"]
    assert "odd " in listed
    assert "\x1b" not in listed
    assert "no interactions are picked" in project.run("picks", "--unit", "interaction").out
    assert project.run("picks", "remove", "c-0").out == "1 conversation taken back, 1 picked now\n"
    assert [one["log_id"] for one in project.run("picks", "--json").json] == ["c-1"]


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("picks", "add", "nope"), 2, "no settled conversation has that id"),
        (("picks", "add", "nope", "no", "no"), 2, "no settled conversation has any of those ids"),
        (("picks", "--unit", "span"), 2, "`conversation` or `interaction`"),
        (("neighbours", "nope"), 2, "no conversation `nope`"),
        (("neighbours", "nope", "--unit", "interaction"), 2, "no interaction `nope`"),
        (("logs", "--since", "2026-11-25", "--until", "2026-11-24"), 2, "swap --since and --until"),
        (("logs", "--saved", "fi or turns > 0"), 2, "no saved filter `fi or turns > 0`"),
        (("logs", "--saved", "munny"), 2, "no saved filter `munny`"),
    ],
)
def test_a_mistake_is_said(project: Project, arguments: tuple[str, ...], code: int, said: str) -> None:
    assert said in project.run(*arguments, code=code).err
