"""The tree keeps its shape: sizes, rooms, the map of behaviours, a light import."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SOURCES = sorted((ROOT / "src" / "assay").rglob("*.py"))
LAYER_FOLDERS = {"types", "models", "services", "helpers", "utils", "common", "core", "misc"}


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_file_reads_in_one_sitting(path: Path) -> None:
    lines = path.read_text(encoding="utf-8").splitlines()
    assert len(lines) <= 500, f"{path} has {len(lines)} lines: it is two files"
    for node in ast.walk(ast.parse("\n".join(lines))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = (node.end_lineno or node.lineno) - node.lineno + 1
            assert length <= 80, f"{path}:{node.lineno} {node.name} has {length} lines: it is two functions"


def test_no_folder_is_named_after_a_layer() -> None:
    folders = {path.name for path in (ROOT / "src" / "assay").rglob("*") if path.is_dir()}
    assert not folders & LAYER_FOLDERS


def test_where_names_only_paths_that_exist() -> None:
    text = (ROOT / "docs" / "where.md").read_text(encoding="utf-8")
    paths = re.findall(r"`((?:src|tests|docs|bench)/[^`]+)`", text)
    assert len(paths) > 30
    assert [path for path in paths if not (ROOT / path).exists()] == []


def test_where_names_every_room() -> None:
    text = (ROOT / "docs" / "where.md").read_text(encoding="utf-8")
    rooms = {path.name for path in (ROOT / "src" / "assay").iterdir() if (path / "__init__.py").exists()}
    assert {room for room in rooms if f"src/assay/{room}/" not in text} == set()


def test_every_room_is_in_the_import_contract() -> None:
    contract = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"][0]
    named = {name.strip(" ()") for layer in contract["layers"] for name in layer.split("|")}
    rooms = {
        path.stem
        for path in (ROOT / "src" / "assay").iterdir()
        if path.stem not in ("__init__", "__pycache__", "py")
    }
    assert contract["exhaustive"] is True
    assert rooms <= named


def test_importing_assay_brings_nothing_heavy() -> None:
    heavy = "numpy pyarrow openai chdb pydantic sqlalchemy starlette scipy rich typer"
    code = f"import sys, assay; print([m for m in '{heavy}'.split() if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_starting_the_command_line_loads_no_engine() -> None:
    heavy = "chdb scipy openai altair vl_convert pandas sqlalchemy"
    code = f"import sys, assay.cli.commands; print([m for m in '{heavy}'.split() if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
