"""How soon a filter that searches texts is answered: the page, and its count.

    python -m bench.search FOLDER [--requests 9]

FOLDER holds a project that `bench.scale make FOLDER --interactions 1000000` made. Each filter is asked
for as the Logs page asks (the newest 50 and how many there are), of conversations and of interactions,
in this process: within the page's budget, and then for the whole (`deep`). The yardstick is the same
question with `contains` of a part that no index can answer, which reads every text. Under load only
the processor time says something."""

from __future__ import annotations

import argparse
import os
import time
from pathlib import Path
from statistics import median
from typing import Final, NamedTuple

from assay.app.application import Application
from assay.app.open import open_application
from assay.config import load_settings
from assay.records import Unit

YARDSTICK: Final = "one that reads everything"
FILTERS: Final = {
    "a word, in 1 of 200": 'says "refund"',
    "a word, in every one": 'says "order"',
    "a word, never": 'says "xylophone"',
    "a number, once": 'input says "{number}"',
    "a word in the answer": 'output says "vortenko"',
    "part of a word": 'input contains "efun"',
    "phrase, in 1 of 200": 'says "refund please"',
    "phrase, once": 'input says "order {number}"',
    "phrase, never": 'says "purple xylophone"',
    "word and facts": 'says "refund" and latency_ms > 15000 and not signal.slow',
    "word in some turn": 'any(input says "refund" and signal.refusal)',
    YARDSTICK: 'input contains "d p" or output contains "d p"',
}


class Took(NamedTuple):
    """Milliseconds of the clock at the median, of processor time on average; what was found."""

    wall_ms: float
    cpu_ms: float
    found: str


def ask(project: Application, unit: Unit, text: str, requests: int, *, deep: bool) -> Took:
    """Ask the same several times."""
    walls, cpu = [], time.process_time()
    for _ in range(requests):
        began = time.perf_counter()
        page = project.list_logs(unit, text, deep=deep)
        walls.append(1e3 * (time.perf_counter() - began))
    found = f"{page.total:,}{' so far' if page.total_since else ''}"
    return Took(median(walls), 1e3 * (time.process_time() - cpu) / requests, found)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--requests", type=int, default=9)
    given = parser.parse_args()
    project = open_application(load_settings(given.folder / "assay.toml"), "bench")
    try:
        number = project.list_logs("interaction", "turns = 1").rows[20].input.rpartition(" ")[2]
        print(f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
        for unit in ("conversation", "interaction"):
            print(f"\n{unit + 's':<24}{'page':>8}{'CPU':>8}{'deep':>8}{'CPU':>8}  (ms)  found")
            every: list[Took] = []
            for name, text in FILTERS.items():
                asked = text.format(number=number)
                page = ask(project, unit, asked, given.requests, deep=False)
                deep = ask(project, unit, asked, given.requests, deep=True)
                every += [deep] if name != YARDSTICK else []
                took = "".join(f"{ms:>8,.0f}" for one in (page, deep) for ms in one[:2])
                print(f"{name:<24}{took}        {deep.found}", flush=True)
            wall_ms, cpu_ms = median(one.wall_ms for one in every), median(one.cpu_ms for one in every)
            print(f"{'median of all but it':<40}{wall_ms:>8,.0f}{cpu_ms:>8,.0f}")
    finally:
        project.close()


if __name__ == "__main__":
    main()
