"""The whole demo by stage: seconds, and the peak memory of its processes.

    python -m bench.demo [--per-day 5000] [--keep FOLDER]

Runs `python -m assay.demo --no-serve` in a new folder, which `--keep` names where it is wanted
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
        _run((given.keep or Path(temporary) / "demo").resolve(), given.per_day, yardstick_s)


def _run(folder: Path, per_day: int, yardstick_s: float) -> None:
    command = [sys.executable, "-m", "assay.demo", "--no-serve", "--folder", str(folder)]
    began = time.perf_counter()
    with subprocess.Popen([*command, "--per-day", str(per_day)], stdout=subprocess.PIPE, text=True) as child:
        with Watch(child.pid) as watch:
            said, _ = child.communicate()
        wall_s = time.perf_counter() - began
    if child.returncode:
        raise SystemExit(f"{said}\nthe demo ended with {child.returncode}")
    stages: dict[str, float] = json.loads((folder / "seconds.json").read_text(encoding="utf-8"))
    for name, seconds in (*stages.items(), ("with start and end", wall_s)):
        print(f"{name:<24}{seconds:>8.1f} s{seconds / yardstick_s:>8.2f} x encoding")
    print(f"processor time {watch.cpu_s:.1f} s, peak memory of all processes {watch.peak_mb:,.0f} MB")


if __name__ == "__main__":
    main()
