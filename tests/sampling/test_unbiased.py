"""What all of this is for: whatever is looked at harder, the weighted answer is right on average."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pyarrow as pa

from assay.records import Stage
from assay.sampling import decide, draw, load_policy, salt_of

NOW = datetime(2026, 5, 6, 1, tzinfo=UTC)
LOGS, DRAWS = 400, 400
POLICY = load_policy(
    "daily",
    {
        "rate": 0.05,
        "label_rate": 0.4,
        "strata": [{"name": "trouble", "when": "errors > 0", "rate": 0.5, "label_rate": 0.7}],
    },
)
IDS = [f"{number:032x}" for number in range(LOGS)]
TROUBLE = np.arange(LOGS) % 8 == 0
FAILS = (np.arange(LOGS) * 7919 % 100) < np.where(TROUBLE, 60, 8)
CHANCE = {
    "judge": {"trouble": 0.5, "rest": 0.05},
    "label": {"trouble": 0.7, "rest": 0.4},
}


def select(stage: str, name: str, members: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Which of the members are drawn, and every log's probability."""
    salt = salt_of(name, "judge" if stage == "judge" else "label")
    index = np.flatnonzero(members)
    rows = pa.table(
        {
            "log_id": [IDS[i] for i in index],
            "started": pa.array([NOW.replace(day=4)] * len(index), pa.timestamp("us", tz="UTC")),
            "facts_at": pa.array([NOW] * len(index), pa.timestamp("us", tz="UTC")),
            "occasion": pa.array(np.zeros(len(index)), pa.uint32()),
            "missed": pa.array(np.ones(len(index)), pa.float64()),
            "draw": pa.array([draw(salt, IDS[i]) for i in index], pa.float64()),
            "when.trouble": pa.array(TROUBLE[index]),
        }
    )
    kind: Stage = "judge" if stage == "judge" else "label"
    decided = decide(POLICY, "v", kind, rows, POLICY.chances(kind, rows, {}), decided_at=NOW)
    selected, probability = np.zeros(LOGS, bool), np.ones(LOGS)
    selected[index] = decided["selected"].to_numpy().astype(bool)
    probability[index] = decided["probability"].to_numpy()
    return selected, probability


def test_weighted_totals_are_right_on_average_and_counts_are_as_recorded() -> None:
    judged_totals, labelled_totals = [], []
    times = np.zeros((2, LOGS))
    for number in range(DRAWS):
        judged, p1 = select("judge", f"policy{number}", np.ones(LOGS, bool))
        labelled, p2 = select("label", f"policy{number}", judged)
        assert not (labelled & ~judged).any()
        judged_totals.append((FAILS * judged / p1).sum())
        labelled_totals.append((FAILS * labelled / (p1 * p2)).sum())
        times += judged, labelled
    truth = FAILS.sum()
    for totals in (np.array(judged_totals), np.array(labelled_totals)):
        assert abs(totals.mean() - truth) < 3 * totals.std(ddof=1) / DRAWS**0.5
    # The naive share, by contrast, is far off: trouble is drawn ten times as often.
    naive = FAILS[TROUBLE].sum() * 0.5 + FAILS[~TROUBLE].sum() * 0.05
    assert naive / (TROUBLE.sum() * 0.5 + (~TROUBLE).sum() * 0.05) > 1.5 * FAILS.mean()
    for stratum, here in (("trouble", TROUBLE), ("rest", ~TROUBLE)):
        first, second = CHANCE["judge"][stratum], CHANCE["label"][stratum]
        for row, p in ((times[0], first), (times[1], first * second)):
            n = here.sum() * DRAWS
            assert abs(row[here].sum() / n - p) < 4 * (p * (1 - p) / n) ** 0.5


def test_the_naive_weights_would_be_noticed() -> None:
    totals = []
    for number in range(DRAWS):
        judged, _ = select("judge", f"policy{number}", np.ones(LOGS, bool))
        totals.append((FAILS * judged).sum() / judged.mean())
    spread = np.array(totals).std(ddof=1) / DRAWS**0.5
    assert abs(np.array(totals).mean() - FAILS.sum()) > 3 * spread
