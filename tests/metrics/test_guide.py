"""Every Python block of the guide is a metrics.py that loads; the reference names every argument."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import pytest
from tests.metrics.logs import make_log, make_turn

import assay
from assay.metrics.base import Check
from assay.metrics.load import load_metrics
from assay.records import Score, ToolCall

DOCS = Path(__file__).resolve().parents[2] / "docs"
BLOCKS = re.findall(
    r"```python\n(.*?)```", (DOCS / "guides/metrics.md").read_text(encoding="utf-8"), re.DOTALL
)


def test_there_are_blocks() -> None:
    assert len(BLOCKS) == 3


@pytest.mark.parametrize("block", BLOCKS)
def test_each_block_loads(block: str, tmp_path: Path) -> None:
    (tmp_path / "metrics.py").write_text(block, encoding="utf-8")
    metrics = load_metrics(tmp_path / "metrics.py")
    assert len(metrics) == 1
    call = ToolCall(name="search", arguments="{")
    for metric in metrics.values():
        if isinstance(metric, Check):
            outcome = metric.score(make_log("c", make_turn(answered="", tool_calls=(call,))))
            assert isinstance(outcome, Score)
            assert outcome.value == 0.0


@pytest.mark.parametrize("function", [assay.metric, assay.judge])
def test_the_reference_names_every_argument(function: object) -> None:
    text = (DOCS / "reference/metrics.md").read_text(encoding="utf-8")
    assert callable(function)
    assert [
        name for name in inspect.signature(function).parameters if f"`{name}`" not in text and name != "name"
    ] == []
