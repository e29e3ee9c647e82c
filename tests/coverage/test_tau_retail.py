"""Real conversations with a verified outcome: does the interval hold the known failure rate?

212 retail conversations of tau-bench, 41 % of them failed, and a heuristic "judge" that is almost
useless. The window is small, so that finite population, small samples and a bad judge meet.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from numpy.typing import NDArray
from tests.estimates.ledgers import ledger, row

from assay.estimates.metric import estimate_metric
from assay.records import MetricInfo

SEEDS = 200
INFO = MetricInfo(name="failed", version="1", kind="judge", unit="conversation", goal="low")


class Retail(NamedTuple):
    failed: NDArray[np.float64]
    judge: NDArray[np.float64]
    busy: NDArray[np.bool_]


@pytest.fixture(scope="module")
def retail(shared: Path) -> Retail:
    file = shared / "data" / "tau_retail" / "tau_retail.parquet"
    if not file.is_file():
        pytest.skip(f"{file} is absent")
    table = pq.read_table(file)
    calls = [
        sum((message["tool_calls"] or "") not in ("", "[]") for message in messages)
        for messages in (entry["messages"] for entry in table.select(["messages"]).to_pylist())
    ]
    return Retail(
        table["label"].cast(pa.float64()).to_numpy(),
        table["judge_label"].cast(pa.float64()).to_numpy(),
        np.array(calls) > np.median(calls),
    )


class Draw(NamedTuple):
    """Probabilities for quiet and for busy conversations (more tool calls than the median)."""

    p1: tuple[float, float]
    p2: tuple[float, float]


DRAWS = {
    "all judged, 30 % labelled": Draw((1.0, 1.0), (0.3, 0.3)),
    "half judged, half of these labelled": Draw((0.5, 0.5), (0.5, 0.5)),
    "busy ones judged and labelled more": Draw((0.4, 0.9), (0.5, 0.7)),
    "few labels": Draw((1.0, 1.0), (0.1, 0.1)),
}


@pytest.mark.shared
@pytest.mark.parametrize("kind", ["judge", "human"])
@pytest.mark.parametrize("name", DRAWS)
def test_the_interval_holds_the_known_failure_rate(retail: Retail, name: str, kind: str) -> None:
    design, size, truth = DRAWS[name], retail.failed.size, float(retail.failed.mean())
    p1, p2 = (np.where(retail.busy, each[1], each[0]) for each in design)
    info = (
        INFO if kind == "judge" else MetricInfo(name="failed", version="1", kind="human", unit="conversation")
    )
    hits, widths = 0, []
    for seed in range(SEEDS):
        rng = np.random.default_rng([seed, *name.encode()])
        first, second = rng.random(size) < p1, rng.random(size) < p2
        rows = [
            row(
                int(i),
                stratum="busy" if retail.busy[i] else "quiet",
                p1=float(p1[i]),
                value=float(retail.judge[i]),
                p2=float(p2[i]) if second[i] else None,
                label=float(retail.failed[i]) if second[i] else None,
            )
            for i in np.flatnonzero(first)
        ]
        found = estimate_metric(ledger(rows), size, info)
        assert found.low is not None
        assert found.high is not None
        hits += found.low <= truth <= found.high
        widths.append(found.high - found.low)
    assert 0.92 <= hits / SEEDS <= 0.995
    assert np.mean(widths) < 0.6


@pytest.mark.shared
def test_the_judge_alone_is_far_off_and_says_so_beside_the_estimate(retail: Retail) -> None:
    """It flags 19 % where 41 % failed: a rate without labels would be wrong by half."""
    rows = [row(i, value=float(retail.judge[i]), p2=1.0, label=float(retail.failed[i])) for i in range(212)]
    found = estimate_metric(ledger(rows), 212, INFO)
    assert found.value == pytest.approx(float(retail.failed.mean()))
    assert found.low == found.high == found.value
    assert found.raw is not None
    assert found.raw.value == pytest.approx(0.19, abs=0.01)
