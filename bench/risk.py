"""What fitting the model of risk costs: so many judged logs of some 190 different words and names each.

    python -m bench.risk [--logs 20000]

Nothing foretells the failures, which is the hardest to fit; the figure is processor time."""

from __future__ import annotations

import argparse
import time
from typing import Any

import numpy as np
import pyarrow as pa

from assay.sampling.risk import fit_risk
from assay.store.telemetry.features import FACTS, NAMED, SPOKEN


def outcomes(logs: int) -> pa.Table:
    """The columns of `read_outcomes`, drawn at random; words come as often as Zipf says."""
    rng = np.random.default_rng(1)

    def places(each: int, first: int, size: int) -> pa.Array[Any]:
        rows = [np.unique(first + rng.zipf(1.3, each) % size).astype(np.uint32) for _ in range(logs)]
        return pa.array(rows, pa.list_(pa.uint32()))

    raised = [["error"] if yes else [] for yes in rng.random(logs) < 0.1]
    return pa.table(
        {
            "x_facts": pa.array(list(rng.normal(size=(logs, len(FACTS)))), pa.list_(pa.float64())),
            "x_signals": pa.array(raised, pa.list_(pa.string())),
            "x_asked": places(150, 0, SPOKEN),
            "x_answered": places(250, SPOKEN, SPOKEN),
            "x_named": places(8, 2 * SPOKEN, NAMED),
            "failed": pa.array((rng.random(logs) < 0.06).astype(float)),
            "group": pa.array(np.arange(logs), pa.uint64()),
        }
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--logs", type=int, default=20_000)
    logs = parser.parse_args().logs
    table = outcomes(logs)
    began = time.process_time()
    learned = fit_risk(table, {"error": "high"})
    took = time.process_time() - began
    print(f"fitted to {logs:,} logs in {took:.1f} s, strength {learned['strength']:g}")


if __name__ == "__main__":
    main()
