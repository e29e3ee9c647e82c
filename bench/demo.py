"""The whole demo by stage: seconds, and the peak memory of its processes.

    python -m bench.demo [--per-day 5000] [--keep FOLDER]

Runs `assay demo --no-serve --json` in an empty folder, which `--keep` names where it is wanted
afterwards (for `bench.first_page`). The yardstick: generating and encoding the same traffic alone."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from bench.tree import Watch

from assay.demo.traffic import requests
from assay.demo.world import World


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--per-day", type=int, default=5_000, help="conversations a day, of 14 days")
    parser.add_argument("--keep", type=Path, help="where the project is left")
    given = parser.parse_args()
    print(f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    world = World(last_day=datetime.now(UTC).date() - timedelta(days=1), per_day=given.per_day)
    began = time.perf_counter()
    spans = sum(request.spans for request in requests(world))
    yardstick_s = time.perf_counter() - began
    print(f"{world.total:,} conversations, {spans:,} spans; encoding them alone {yardstick_s:.1f} s")
    with tempfile.TemporaryDirectory() as temporary:
        folder = (given.keep or Path(temporary) / "demo").resolve()
        folder.mkdir(parents=True, exist_ok=True)
        _run(folder, given.per_day, yardstick_s)


def _run(folder: Path, per_day: int, yardstick_s: float) -> None:
    command = [sys.executable, "-m", "assay.cli", "demo", "--no-serve", "--json", "--per-day", str(per_day)]
    began = time.perf_counter()
    with subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, text=True) as child:
        with Watch(child.pid) as watch:
            output, _ = child.communicate()
        wall_s = time.perf_counter() - began
        if child.returncode:
            raise SystemExit(f"assay demo ended with {child.returncode}")
    for name, seconds in _stages(json.loads(output)).items():
        print(f"{name:<24}{seconds:>8.1f} s{seconds / yardstick_s:>8.2f} x encoding")
    print(f"{'all, with start and end':<24}{wall_s:>8.1f} s{wall_s / yardstick_s:>8.2f} x encoding")
    print(f"processor time {watch.cpu_s:.1f} s, peak memory {watch.peak_mb:,.0f} MB, in {folder}")


def _stages(said: dict[str, Any]) -> dict[str, float]:
    """`stages` of the command's answer: seconds by name, in order."""
    stages = said.get("stages")
    if not isinstance(stages, dict):
        raise SystemExit(f"assay demo --json gave no stages; it gave {', '.join(said)}")
    return {str(name): float(seconds) for name, seconds in stages.items()}


if __name__ == "__main__":
    main()
