"""The demo's project is a valid one at every scale."""

from __future__ import annotations

from pathlib import Path

import pytest

from assay.config import load_settings
from assay.demo.project import write_project
from assay.metrics.load import load_metrics
from assay.query.parse import parse


@pytest.mark.parametrize("per_day", [1, 40, 500, 5_000])
def test_project_is_valid_and_its_sizes_fit(tmp_path: Path, per_day: int) -> None:
    settings = load_settings(write_project(tmp_path / "demo", per_day=per_day), {})
    policy = settings.policies["daily"]
    sizes = [policy.size or 0, *(s.size or 0 for s in policy.strata)]
    labels = [policy.label_size or 0, *(s.label_size or 0 for s in policy.strata)]
    assert sum(sizes) <= max(200, len(sizes))
    assert sum(labels) <= max(40, len(labels))
    assert all(label <= size for size, label in zip(sizes, labels, strict=True))
    assert sum(sizes) <= max(per_day * 0.6, len(sizes))
    assert settings.judge.provider == "assay.demo.judge:provider"
    assert {"gpt-5-mini", "claude-haiku-4-5"} <= set(settings.prices)
    for stratum in policy.strata:
        parse(stratum.when)
    assert (
        list(load_metrics(settings.metrics_file)) == ["resolved", "always_answers"] == list(settings.metrics)
    )
