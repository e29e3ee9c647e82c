"""The guide's traces arrive: its program, run as it stands, with the variables that it names."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from tests.docs.pages import ROOT, blocks
from tests.scenarios.project import Project

GUIDE = ROOT / "docs/guides/traces.md"
ADDRESS = "http://127.0.0.1:4318"


def variables(address: str) -> dict[str, str]:
    """What the guide exports, with the server's own address in place of the usual one."""
    text = "".join(block.text for block in blocks("sh") if block.page == GUIDE)
    found = dict(re.findall(r"^export (\w+)=(\S+)$", text, re.MULTILINE))
    assert "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT" in found
    return {name: value.replace(ADDRESS, address) for name, value in found.items()}


@pytest.mark.slow
def test_the_program_of_the_guide_is_received(tmp_path: Path) -> None:
    [program] = [block for block in blocks("python") if block.page == GUIDE]
    (tmp_path / "shop.py").write_text(program.text, encoding="utf-8")
    project = Project(tmp_path)
    with project.serving() as server:
        subprocess.run(
            [sys.executable, "shop.py"], cwd=tmp_path, env=os.environ | variables(server.url), check=True
        )
        project.run("sample")
        [log] = project.json("logs", 'attr["topic"] = "returns"')["rows"]
    assert (log["log_id"], log["turns"]) == ("c-42", 1)
    assert (log["input"], log["output"]) == ("How long may I return shoes?", "Within 30 days, unworn.")
    assert (log["service"], log["version"], log["environment"]) == ("support-assistant", "1.9", "production")
