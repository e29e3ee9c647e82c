"""The commands as a shell sees them: exit codes, what goes where, and nothing hostile on a terminal."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.scenarios.project import Project, assay

COMMANDS = ("init", "serve", "import", "logs", "sample", "evaluate", "label", "estimate", "report")
EVIL = "\x1b[31mred\x1b]0;title\x07 \u202eback\u2066 a\nnew\r\tline \x9b2J [/b] [link=http://x]y[/link]"
"""Colours, a window title, text turned round, line breaks, and the markup of our own tables."""


def harmful(text: str) -> set[str]:
    """The characters of a text that must not reach a terminal."""
    return {c for c in text if not c.isprintable() and c != "\n"}


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """As `assay init` leaves it, with two conversations, one of them hostile. It is served, so that
    commands need not each open the store."""
    folder = tmp_path_factory.mktemp("shop")
    assert assay("init", folder, folder=folder.parent).code == 0
    made = Project(folder, (folder / "assay.toml").read_text(encoding="utf-8"))
    evil = {"id": EVIL, "input": EVIL, "output": EVIL, "version": EVIL, "model": EVIL, "meta": {"plan": EVIL}}
    good = {"id": "c-2", "input": "Where is it?", "output": "Here.", "version": "v2", "meta": {"plan": "pro"}}
    odd = made.write("odd [/b] name.jsonl", [{**row, "bad [/b] \x1b[31m": 1} for row in (evil, good)])
    with made.serving():
        done = made.run("import", odd)
        assert "2 rows, 2 conversations, 2 interactions" in done.out
        assert not harmful(done.out + done.err)
        yield made


def test_help_names_every_command_and_each_explains_itself(tmp_path: Path) -> None:
    shown = assay("--help", folder=tmp_path)
    assert shown.code == 0
    for command in COMMANDS:
        assert f"\n  {command} " in shown.out
    for command in ("import", "estimate"):
        one = assay(command, "--help", folder=tmp_path)
        assert one.code == 0
        assert f"Usage: assay {command}" in one.out
        assert "--json" in one.out


def test_version(tmp_path: Path) -> None:
    shown = assay("--version", folder=tmp_path)
    assert shown.code == 0
    assert shown.out.startswith("assay 0.")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("estimte",), "estimte"),
        (("logs", "--limt", "3"), "--limt"),
        (("logs", "--limit", "0"), "--limit"),
        (("estimate",), "metric"),
        (("label", "resolved"), "--todo"),
        (("logs", "--unit", "span"), "`conversation` or `interaction`"),
        (("report", "--since", "last tuesday"), "2026-11-01"),
        (("import", "x.csv", "--column", "input"), "NAME=COLUMN"),
        (("import", "x.csv", "--lower-is-better"), "--label or --score"),
    ],
)
def test_what_was_typed_wrong_is_said(tmp_path: Path, arguments: tuple[str, ...], said: str) -> None:
    done = assay(*arguments, folder=tmp_path)
    assert done.code == 2
    assert said in done.err
    assert done.out == ""


def test_without_a_project_the_next_step_is_told(tmp_path: Path) -> None:
    for arguments in (("report",), ("serve",), ("sample", "-c", "nowhere")):
        done = assay(*arguments, folder=tmp_path)
        assert (done.code, done.out) == (3, "")
        assert "`assay init` makes one" in done.err


def test_init_writes_nothing_over(project: Project) -> None:
    before = (project.folder / "assay.toml").read_bytes()
    done = project.run("init", code=3)
    assert "nothing was written" in done.err
    assert (project.folder / "assay.toml").read_bytes() == before


@pytest.mark.parametrize(
    ("file", "text", "code", "said"),
    [
        ("assay.toml", "[policies.daily]\nszie = 3\n", 3, "policies.daily.szie"),
        ("assay.toml", "[policies", 3, "assay.toml can't be read"),
        ("assay.toml", '[policies.daily]\nrate = 1.0\nwhere = "turns >"\n', 3, "policy daily"),
        ("metrics.py", "import assay\n1 / 0\n", 5, "metrics.py:2:"),
        ("metrics.py", "def (:\n", 5, "metrics.py"),
    ],
)
def test_wrong_files_are_named(tmp_path: Path, file: str, text: str, code: int, said: str) -> None:
    project = Project(tmp_path)
    (tmp_path / file).write_text(text, encoding="utf-8")
    done = project.run("report", code=code)
    assert said in done.err
    assert file in done.err or said == "policy daily"
    assert done.out == ""
    assert not (tmp_path / ".assay" / "telemetry").exists(), "it is found out before the store is opened"


def test_a_project_without_data_says_what_is_missing(tmp_path: Path) -> None:
    assert assay("init", "new", folder=tmp_path).code == 0
    project = Project(tmp_path / "new", (tmp_path / "new" / "assay.toml").read_text(encoding="utf-8"))
    done = project.run("estimate", "resolved")
    assert "resolved" in done.out
    assert "%" not in done.out.partition("level")[0].replace("95 %", "")
    answer = project.json("estimate", "resolved")
    assert answer["value"] is None
    assert answer["reason"]
    assert "`assay import FILE`" in project.run("report").out


def test_no_text_of_a_log_reaches_the_terminal_as_it_came(project: Project) -> None:
    shown = project.run("logs")
    assert "c-2" in shown.out
    assert "red" in shown.out
    for arguments in (("logs", "--unit", "interaction"), ("sample",), ("report",), ("estimate", "resolved")):
        shown = project.run(*arguments)
        assert not harmful(shown.out + shown.err), arguments
    shown = project.run("logs", f'nosuch = "{EVIL}"', code=2)
    assert not harmful(shown.err)


def test_every_answer_is_one_json_document(project: Project) -> None:
    for arguments in (
        ("sample",),
        ("evaluate", "always_answers"),
        ("logs",),
        ("estimate", "always_answers"),
        ("report",),
    ):
        done = project.run(*arguments, "--json")
        assert isinstance(json.loads(done.out), dict | list), arguments
    rows = {row["log_id"]: row for row in project.json("logs")["rows"]}
    assert rows[EVIL]["input"] == EVIL
    assert rows[EVIL]["attributes"] == {"plan": EVIL}


def test_labels_find_their_way_back_through_a_spreadsheet(project: Project) -> None:
    """What is to be labelled is written, filled in and read again, ids of any kind included."""
    project.run("sample")
    done = project.run("label", "always_answers", "--todo", "todo.csv")
    assert not harmful(done.out)
    with (project.folder / "todo.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert EVIL in {row["id"] for row in rows}
    with (project.folder / "done.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows({**row, "label": "yes"} for row in rows)
    assert project.json("label", "always_answers", "done.csv") == {
        "rows": len(rows),
        "unknown": 0,
        "outside_sample": 0,
    }
    strange = project.write("strange.jsonl", [{"id": "c-2", "label": 1}, {"id": "nobody", "label": 0}])
    done = project.run("label", "odd [/b] metric", strange, code=None)
    assert not harmful(done.out + done.err)
