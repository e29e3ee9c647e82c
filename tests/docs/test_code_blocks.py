"""Every code block of the documentation is what it says: it parses, loads or runs."""

from __future__ import annotations

import json
import runpy
import tomllib
from pathlib import Path

import pytest
from tests.docs.pages import ROOT, Block, blocks, files_of, pages

from assay.app.open import wire
from assay.config.settings import Settings, load_settings
from assay.store.state import open_state

KNOWN = {"", "console", "csv", "json", "jsonl", "python", "sh", "text", "toml", "yaml"}


def test_every_block_names_a_known_language() -> None:
    fences = sum(page.read_text(encoding="utf-8").count("\n```") for page in pages())
    assert fences == 2 * len(blocks(*KNOWN))
    assert {block.info for block in blocks(*KNOWN) if " " in block.info} <= {"python no-run"}
    assert [str(block) for block in blocks("")] == []


@pytest.mark.parametrize("block", blocks("python"), ids=str)
def test_python_compiles_and_runs(block: Block, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    compile(block.text, str(block), "exec", dont_inherit=True)
    if not block.is_illustration:
        monkeypatch.chdir(tmp_path)
        Path("page.py").write_text(block.text, encoding="utf-8")
        runpy.run_path("page.py")


@pytest.mark.parametrize("block", blocks("toml"), ids=str)
def test_toml_parses_and_loads_as_settings(block: Block, tmp_path: Path) -> None:
    tree = tomllib.loads(block.text)
    assert tree
    assert tree.keys() <= Settings.model_fields.keys()
    (tmp_path / "assay.toml").write_text(block.text, encoding="utf-8")
    settings = load_settings(tmp_path / "assay.toml", {})
    state = open_state(settings.state_url)
    wire(settings, state)  # policies, strata, signals and words fit together
    state.close()


@pytest.mark.parametrize("block", blocks("json", "jsonl"), ids=str)
def test_json_parses(block: Block) -> None:
    texts = block.text.splitlines() if block.language == "jsonl" else [block.text]
    for text in texts:
        assert isinstance(json.loads(text), dict)


def test_the_files_of_the_quickstart_parse() -> None:
    files = files_of(ROOT / "docs/start/quickstart.md")
    rows = [json.loads(line) for line in files["conversations.jsonl"].splitlines()]
    labels = files["labels.csv"].splitlines()[1:]
    assert [row["id"] for row in rows] == [line.partition(",")[0] for line in labels]
