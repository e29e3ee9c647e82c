"""Policies and priorities from the command line, while a server has the project open."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.scenarios.project import SETTINGS, Project

RULES = """
[[priorities]]
level = "high"
when = 'attr["plan"] = "gold"'
"""
ROWS = [
    {"id": f"c-{n}", "input": "Where is it?", "output": "Here.", "meta": {"plan": plan}}
    for n, plan in enumerate(["gold", "free", "free"])
]


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """Three conversations, one of them with the plan `gold`."""
    made = Project(tmp_path_factory.mktemp("shop"), SETTINGS + RULES)
    with made.serving():
        made.run("import", made.write("rows.jsonl", ROWS))
        yield made


def test_a_policy_is_kept_used_printed_and_forgotten(project: Project, tmp_path: Path) -> None:
    kept = project.run("policies", "save", "gold", "--where", 'priority = "high"', "--rate", "1")
    assert "kept gold, version" in kept.out
    listed = project.run("policies")
    assert [line.split()[0] for line in listed.out.splitlines()] == ["daily", "gold"]
    assert "of assay.toml" in listed.out
    (report,) = project.run("sample", "--policy", "gold", "--json").json
    assert report["decided"] >= 1
    shown = project.run("policies", "show", "gold")
    assert tomllib.loads(shown.out) == {"policies": {"gold": {"rate": 1.0, "where": 'priority = "high"'}}}

    file = tmp_path / "policy.toml"
    file.write_text(shown.out.replace("rate = 1.0", "rate = 0.5"), encoding="utf-8")
    taken = project.run("policies", "save", "gold", "--file", file, code=2)
    assert "saved already" in taken.err
    changed = project.run("policies", "save", "gold", "--file", file, "--replace", "--json").json
    assert changed["settings"] == {"rate": 0.5, "where": 'priority = "high"'}
    project.run("policies", "remove", "gold")
    assert [one["name"] for one in project.run("policies", "--json").json] == ["daily"]


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("save", "daily", "--rate", "0.5"), 2, "assay.toml has a policy of this name"),
        (("save", "odd", "--rate", "0.5", "--where", "turn > 1"), 2, "did you mean `turns`"),
        (("save", "odd"), 2, "policy odd"),
        (("save", "odd", "--rate", "0.5", "--file", "x.toml"), 2, "leave out rate"),
        (("save", "odd", "--file", "nowhere.toml"), 2, "nowhere.toml"),
        (("show", "dialy"), 2, "did you mean `daily`"),
        (("remove", "daily"), 2, "take it out there"),
        (("remove", "nope"), 2, "no saved policy `nope`"),
    ],
)
def test_what_can_t_be_kept_is_said(
    project: Project, arguments: tuple[str, ...], code: int, said: str
) -> None:
    assert said in project.run("policies", *arguments, code=code).err


def test_priorities_are_counted_and_on_every_log(project: Project) -> None:
    shown = project.run("priorities")
    assert 'high: attr["plan"] = "gold"' in shown.out
    counts = {one["level"]: one["logs"] for one in project.run("priorities", "--json").json}
    assert counts == {"high": 1, "medium": 0, "low": 2}
    page = project.run("logs", 'priority = "high"', "--json").json
    assert [(row["log_id"], row["priority"]) for row in page["rows"]] == [("c-0", "high")]


def test_the_policy_of_a_file_may_have_parts(project: Project, tmp_path: Path) -> None:
    file = tmp_path / "nightly.toml"
    parts: list[dict[str, Any]] = [
        {"kind": "exhaustive", "when": 'input contains "Où"'},
        {"kind": "uniform", "share": 1.0},
    ]
    lines = ",\n".join(
        "{ "
        + ", ".join(f"{key} = {json.dumps(value, ensure_ascii=False)}" for key, value in one.items())
        + " }"
        for one in parts
    )
    file.write_text(f"budget = 20\nparts = [\n{lines}\n]\n", encoding="utf-8")
    project.run("policies", "save", "nightly", "--file", file)
    shown = tomllib.loads(project.run("policies", "show", "nightly").out)
    assert shown["policies"]["nightly"] == {"budget": 20, "parts": parts}
    project.run("policies", "remove", "nightly")
