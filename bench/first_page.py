"""How long the pages take on a project that is served.

    python -m bench.first_page FOLDER [--requests 30]

FOLDER holds an assay.toml; `python -m bench.demo --keep FOLDER` leaves one. Each page is asked
for on a fresh connection, one after the other; "first" is the first time since the server started.
The yardstick: /healthz, which does nothing."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from statistics import median

from bench.server import get, get_json, serve
from bench.tree import Watch

PAGES = ("/", "/logs", "/logs?q=signal.refusal", "/metrics", "/explain/resolved", "/operations", "/healthz")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--requests", type=int, default=30)
    given = parser.parse_args()
    with serve(given.folder) as server, Watch(server.pid) as watch:
        firsts = {path: get(server.port, path) for path in PAGES}
        total = get_json(server.port, "/api/logs?unit=conversation&limit=1")["total"]
        print(f"{total:,} conversations; load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
        print(f"{'page':<28}{'first ms':>10}{'median ms':>11}{'p95 ms':>9}{'max ms':>9}{'kB':>7}")
        for path, (first_s, body) in firsts.items():
            took_s = sorted(get(server.port, path)[0] for _ in range(given.requests))
            p95_s = took_s[min(int(0.95 * len(took_s)), len(took_s) - 1)]
            print(
                f"{path:<28}{first_s * 1e3:>10,.0f}{median(took_s) * 1e3:>11,.1f}{p95_s * 1e3:>9,.1f}"
                f"{took_s[-1] * 1e3:>9,.1f}{len(body) / 1e3:>7,.0f}"
            )
    print(f"peak memory of the server {watch.peak_mb:,.0f} MB")


if __name__ == "__main__":
    main()
