"""How often do the intervals hold the truth? The long form of tests/coverage, as a table.

    python bench/coverage.py [--runs 1000] [--size 20000]

Prints Markdown for docs/explain/estimates.md: seeded, so that it prints the same again.
"""

from __future__ import annotations

import argparse
import importlib.util
import sys
import time
from functools import partial
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from tests.coverage import worlds
else:  # beside the tests, which are no installed package
    file = Path(__file__).resolve().parents[1] / "tests" / "coverage" / "worlds.py"
    spec = importlib.util.spec_from_file_location("worlds", file)
    worlds = importlib.util.module_from_spec(spec)
    sys.modules["worlds"] = worlds
    spec.loader.exec_module(worlds)

RATES = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.4)
JUDGES = ((0.9, 0.05), (0.75, 0.1), (0.6, 0.02))


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--runs", type=int, default=1_000)
    options.add_argument("--size", type=int, default=20_000)
    given = options.parse_args()
    began = time.perf_counter()
    binary_grid(given.runs, given.size)
    graded_grid(given.runs, given.size)
    designs(given.runs)
    useless(given.runs)
    print(f"\n{given.runs} worlds a cell, {given.size} logs a world, {time.perf_counter() - began:.0f} s.")


def binary_grid(runs: int, size: int) -> None:
    print("\n| labels | draw | lowest | mean | width | PPI++ Wald, lowest | PPI++ Wald, mean |")
    print("|---:|---|---:|---:|---:|---:|---:|")
    for labels, halves in product((20, 30, 50, 100, 200, 400), (False, True)):
        ours: list[worlds.Coverage] = []
        theirs: list[worlds.Coverage] = []
        for index, (rate, (sensitivity, false_alarm)) in enumerate(product(RATES, JUDGES)):
            rng = np.random.default_rng([10, labels, halves, index])
            draw = partial(
                worlds.binary_world,
                rng,
                rate=rate,
                sensitivity=sensitivity,
                false_alarm=false_alarm,
                labels=labels,
                halves=halves,
                size=size,
            )
            found = worlds.measure(
                draw, [worlds.chosen] if halves else [worlds.chosen, worlds.ppi_wald], runs
            )
            ours.append(found[0])
            theirs += found[1:]
        wald = f"{_low(theirs)} | {_mean(theirs)}" if theirs else "- | -"
        width = np.mean([each.width for each in ours])
        name = "half by verdict" if halves else "uniform"
        print(f"| {labels} | {name} | {_low(ours)} | {_mean(ours)} | {width:.3f} | {wald} |", flush=True)


def graded_grid(runs: int, size: int) -> None:
    print("\n| graded judge: labels | draw | lowest | mean | width, of labels alone |")
    print("|---:|---|---:|---:|---:|")
    for labels, halves in product((30, 100, 400), (False, True)):
        ours, ratios = [], []
        for index, (rate, signal) in enumerate(product((0.01, 0.05, 0.2), (1.0, 2.5))):
            rng = np.random.default_rng([11, labels, halves, index])
            draw = partial(
                worlds.graded_world, rng, rate=rate, signal=signal, labels=labels, halves=halves, size=size
            )
            found, alone = worlds.measure(draw, [worlds.chosen, worlds.labels_only], runs)
            ours.append(found)
            ratios.append(found.width / alone.width)
        name = "half by verdict" if halves else "uniform"
        print(f"| {labels} | {name} | {_low(ours)} | {_mean(ours)} | {np.mean(ratios):.2f} |", flush=True)


def designs(runs: int) -> None:
    print("\n| stratified Poisson draws in both phases | assay | width | labels alone | width |")
    print("|---|---:|---:|---:|---:|")
    for index, (name, design) in enumerate(worlds.DESIGNS.items()):
        rng = np.random.default_rng([12, index])
        found, alone = worlds.measure(
            partial(worlds.stratified_world, rng, design), [worlds.chosen, worlds.labels_only], runs
        )
        print(f"| {name} | {found.share:.3f} | {found.width:.3f} | {alone.share:.3f} | {alone.width:.3f} |")


def useless(runs: int) -> None:
    print("\n| useless judge: labels | assay | width and error, of labels alone |")
    print("|---:|---:|---|")
    for labels in (60, 300):
        rng = np.random.default_rng([13, labels])
        draw = partial(worlds.binary_world, rng, rate=0.15, sensitivity=0.3, false_alarm=0.3, labels=labels)
        found, alone = worlds.measure(draw, [worlds.chosen, worlds.labels_only], runs)
        ratios = f"{found.width / alone.width:.2f}, {found.rmse / alone.rmse:.2f}"
        print(f"| {labels} | {found.share:.3f} | {ratios} |")


def _low(found: list[worlds.Coverage]) -> str:
    return f"{min(each.share for each in found):.3f}"


def _mean(found: list[worlds.Coverage]) -> str:
    return f"{np.mean([each.share for each in found]):.3f}"


if __name__ == "__main__":
    main()
