"""What a composed policy finds beside a uniform one at equal judging cost, and whether its estimates hold.

    python -m bench.sampling FOLDER [--only toxic_chat,demo] [--replications 1000] [--stream]

FOLDER keeps the sets that `bench.sets` imports. Of each set every log is labelled, so the truth is known. The
policies are the shipped code, of two parts: a uniform one, and importance by the chance of failure.
`measures` gives a quarter of the budget to the first and draws in proportion to the chance; `hunts` gives it
a tenth and draws by the chance's fourth power. Chances are those of models that never saw the log nor any
that belongs with it (five folds). Without --stream one day with all logs is drawn again and again; with it,
logs come in a random order on ten days (the demo's on its own), the first day has nothing but severities to
go by, and each later day learns from what the policy itself has drawn before.

`ceiling`: no sample of this size can find more than so many times what a uniform one finds. `signals`: what
the logs of highest chance would find, were they all that is drawn."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
import pyarrow as pa
from bench.sets import DATA, DEMO, labelled_sets, prepare

from assay.records import Severity
from assay.sampling.base import Day, FloatArray
from assay.sampling.composed import Composed
from assay.sampling.parts import Even, Importance
from assay.sampling.risk import EPOCH, fit_risk, read_risk
from assay.signals.catalogue import Thresholds, catalogue
from assay.stats.small import clopper_pearson
from assay.stats.weighted import weighted_mean

FOLDS, SHARE, LEAST, DAYS = 5, 0.1, 40.0, 10


class Shape(NamedTuple):
    """A policy: the uniform part's share of the budget, and the power of the chance."""

    even: float
    power: float


MEASURES, HUNTS = Shape(0.25, 1.0), Shape(0.1, 4.0)
STREAMS: Final = 20
STREAM_HEAD: Final = (
    "| set | logs | failing | drawn a day | measures: found, by day | days that hold the truth |",
    "|---|---|---|---|---|---|",
)
DAY_HEAD: Final = (
    "| set | logs | failing | drawn | ceiling | signals | measures: found | holds the truth | width "
    "| hunts: found | holds the truth | width | uniform holds the truth |",
    "|---|---|---|---|---|---|---|---|---|---|---|---|---|",
)
ON: Final = date(2026, 11, 25)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--only", default="")
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--replications", type=int, default=1_000)
    parser.add_argument("--stream", action="store_true")
    given = parser.parse_args()
    names = given.only.split(",") if given.only else [*labelled_sets(given.data), DEMO]
    print(f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    print(*(STREAM_HEAD if given.stream else DAY_HEAD), sep="\n")
    for name in names:
        table = prepare(given.folder, name, given.data)
        for shown, rows in variants(name, table):
            row = stream_row(shown, rows) if given.stream else day_row(shown, rows, given.replications)
            print(row, flush=True)


def variants(name: str, table: pa.Table) -> Iterator[tuple[str, pa.Table]]:
    """The set; the demo's also without its words, since its answers are made of few texts."""
    yield name, table
    if name == DEMO:
        empty: Any = pa.array([[]] * table.num_rows, pa.list_(pa.uint32()))
        for column in ("x_asked", "x_answered"):
            table = table.set_column(table.column_names.index(column), column, empty)
        yield f"{name}, without words", table


def severities() -> dict[str, Severity]:
    return {signal.name: signal.severity for signal in catalogue(Thresholds())}


def foretell(table: pa.Table) -> FloatArray:
    """Each log's chance of failing, by a model of the other folds."""
    group = table["group"].to_numpy().astype(np.uint64)
    fold = (group * np.uint64(2_654_435_761) % np.uint64(2**32) % np.uint64(FOLDS)).astype(np.int64)
    chance = np.zeros(table.num_rows)
    for number in range(FOLDS):
        inside = fold == number
        definition = fit_risk(table.filter(pa.array(~inside)), severities())
        model = read_risk("", EPOCH, definition)
        chance[inside] = model.chances(table.filter(pa.array(inside)))
    return chance


def probabilities(chance: FloatArray, budget: float, shape: Shape) -> FloatArray:
    """What the shipped policy gives each log of a day that is over."""
    logs = pa.table({"chance": chance, "logs": np.ones(chance.size)})
    importance = Importance(name="importance", share=1 - shape.even, metric="", power=shape.power)
    parts = (Even(name="uniform", share=shape.even), importance)
    policy = Composed(name="bench", unit="conversation", budget=budget, parts=parts)
    return policy.chances(
        "judge", logs, policy.fix("judge", Day(day=ON, logs=logs, risk="bench"))
    ).probability


class Held(NamedTuple):
    """Of many replications: how many intervals hold the truth, and how wide they are."""

    times: int
    of: int
    width: float

    @property
    def text(self) -> str:
        low, high = clopper_pearson(self.times, self.of)
        return f"{100 * self.times / self.of:.1f} % ({100 * low:.1f} to {100 * high:.1f})"


def replicate(failed: FloatArray, p: FloatArray, times: int, seed: int = 1) -> Held:
    """Draw again and again; each sample says how many fail, by the estimator of the product."""
    rng = np.random.default_rng(seed)
    truth, held, widths = float(failed.mean()), 0, []
    for _ in range(times):
        drawn = rng.random(p.size) < p
        if not drawn.any():
            continue
        found = weighted_mean(failed[drawn], p[drawn], population=float(p.size))
        held += found.low <= truth <= found.high
        widths.append(found.high - found.low)
    return Held(held, len(widths), float(np.mean(widths)))


def day_row(name: str, table: pa.Table, times: int) -> str:
    """One day with all logs, a tenth of them drawn (40 at least)."""
    failed: FloatArray = table["failed"].to_numpy()
    n, rate = failed.size, float(failed.mean())
    chance, budget = foretell(table), max(SHARE * n, LEAST)
    first = np.argsort(-chance, kind="stable")[: round(budget)]
    even = replicate(failed, np.full(n, budget / n), times)
    told = []
    for shape in (MEASURES, HUNTS):
        p = probabilities(chance, budget, shape)
        found = float((p * failed).sum()) / float(p.sum()) / rate
        held = replicate(failed, p, times)
        told.append(f"| **{found:.1f}** | {held.text} | {held.width / even.width:.2f} ")
    return (
        f"| {name} | {n:,} | {100 * rate:.1f} % | {budget:.0f} | {min(1 / rate, n / budget):.1f} "
        f"| {float(failed[first].mean()) / rate:.1f} {''.join(told)}| {even.text} |"
    )


def stream_row(name: str, table: pa.Table) -> str:
    failed: FloatArray = table["failed"].to_numpy()
    day = _own_days(table) if name.startswith(DEMO) else None
    lifts, held, of, drawn = [], 0, 0, 0.0
    for number in range(STREAMS):
        rng = np.random.default_rng(number)
        days = rng.integers(0, DAYS, failed.size) if day is None else day
        found, kept, asked, size = run_stream(table, failed, days, rng.random)
        lifts.append(found)
        held, of, drawn = held + kept, of + asked, drawn + size / STREAMS
    low, high = clopper_pearson(held, of)
    shown = " ".join(f"{lift:.1f}" for lift in np.nanmean(np.array(lifts), axis=0))
    return (
        f"| {name} | {failed.size:,} | {100 * failed.mean():.1f} % | {drawn:.0f} | {shown} "
        f"| {100 * held / of:.1f} % ({100 * low:.1f} to {100 * high:.1f}) |"
    )


def _own_days(table: pa.Table) -> np.ndarray[Any, np.dtype[np.int64]]:
    begun = table["started"].cast(pa.timestamp("us")).cast(pa.int64()).to_numpy() // 86_400_000_000
    return np.asarray(begun - begun.min())


def run_stream(
    table: pa.Table,
    failed: FloatArray,
    days: np.ndarray[Any, np.dtype[np.int64]],
    random: Callable[[int], FloatArray],
) -> tuple[list[float], int, int, float]:
    """Day after day: what was found in times of uniform, and how many days' intervals hold the truth."""
    judged = np.zeros(failed.size, dtype=bool)
    found: list[float] = []
    held = of = 0
    sizes = []
    for number in range(int(days.max()) + 1):
        here = np.flatnonzero(days == number)
        model = read_risk("", EPOCH, fit_risk(table.filter(pa.array(judged)), severities()))
        chance = model.chances(table.take(here))
        budget = max(SHARE * here.size, LEAST)
        p = probabilities(chance, budget, MEASURES)
        truth = float(failed[here].mean())
        uniform = float(p.sum()) * truth
        found.append(float((p * failed[here]).sum()) / uniform if uniform else float("nan"))
        drawn = random(here.size) < p
        sizes.append(float(p.sum()))
        judged[here[drawn]] = True
        if drawn.sum() >= 10:
            made = weighted_mean(failed[here][drawn], p[drawn], population=float(here.size))
            held, of = held + (made.low <= truth <= made.high), of + 1
    return found, held, of, float(np.mean(sizes))


if __name__ == "__main__":
    main()
