"""What a composed policy finds beside a uniform one at equal judging cost, and whether its estimates hold.

    python -m bench.sampling FOLDER [--only toxic_chat,demo] [--replications 1000] [--power 1]

FOLDER keeps the sets that `bench.sets` imports. Of each set every log is labelled, so the truth is known. The
policy is the shipped code: a uniform part with a quarter of the budget, and importance by the chance of
failure. Chances are those of models that never saw the log nor any that belongs with it (five folds).
Without --stream one day with all logs is drawn again and again; with it, logs come in a random order on ten
days (the demo's on its own), the first day has nothing but severities to go by, and each later day learns
from what the policy itself has drawn before.

`ceiling`: no sample of this size can find more than so many times what a uniform one finds. `signals`: what
the logs of highest chance would find, were they all that is drawn. `with a quarter`: the same, with a quarter
of the budget left to chance, as estimates need it."""

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

FOLDS, SHARE, LEAST, EVEN, DAYS = 5, 0.1, 40.0, 0.25, 10
STREAMS: Final = 20
ON: Final = date(2026, 11, 25)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--only", default="")
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--replications", type=int, default=1_000)
    parser.add_argument("--power", type=float, default=1.0)
    parser.add_argument("--stream", action="store_true")
    given = parser.parse_args()
    names = given.only.split(",") if given.only else [*labelled_sets(given.data), DEMO]
    print(f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores; power {given.power:g}")
    if given.stream:
        print("| set | logs | failing | drawn a day | found x uniform by day | days that hold the truth |")
        print("|---|---|---|---|---|---|")
    else:
        print(
            "| set | logs | failing | drawn | ceiling | signals | with a quarter | found x uniform | "
            "holds the truth | uniform | width x uniform |"
        )
        print("|---|---|---|---|---|---|---|---|---|---|---|")
    for name in names:
        table = prepare(given.folder, name, given.data)
        for shown, rows in variants(name, table):
            if given.stream:
                print(stream_row(shown, rows, given.power), flush=True)
            else:
                print(day_row(shown, rows, given.power, given.replications), flush=True)


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


def policy_of(budget: float, power: float) -> Composed:
    importance = Importance(name="importance", share=1 - EVEN, metric="", power=power)
    parts = (Even(name="uniform", share=EVEN), importance)
    return Composed(name="bench", unit="conversation", budget=budget, parts=parts)


def probabilities(chance: FloatArray, budget: float, power: float) -> FloatArray:
    """What the shipped policy gives each log of a day that is over."""
    logs = pa.table({"chance": chance, "logs": np.ones(chance.size)})
    policy = policy_of(budget, power)
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


class Finds(NamedTuple):
    """What a policy finds of a set, as times what a uniform sample of the same size finds."""

    drawn: float
    ceiling: float
    signals: float
    found: float
    probability: FloatArray

    @property
    def attainable(self) -> float:
        """By signals, with a quarter of the budget left to chance."""
        return EVEN + (1 - EVEN) * self.signals


def find(failed: FloatArray, chance: FloatArray, power: float) -> Finds:
    """One day with all logs, a tenth of them drawn (40 at least)."""
    n, rate = failed.size, float(failed.mean())
    budget = max(SHARE * n, LEAST)
    p = probabilities(chance, budget, power)
    first = np.argsort(-chance, kind="stable")[: round(budget)]
    return Finds(
        drawn=float(p.sum()),
        ceiling=min(1 / rate, n / budget),
        signals=float(failed[first].mean()) / rate,
        found=float((p * failed).sum()) / float(p.sum()) / rate,
        probability=p,
    )


def day_row(name: str, table: pa.Table, power: float, times: int) -> str:
    failed: FloatArray = table["failed"].to_numpy()
    finds = find(failed, foretell(table), power)
    mine = replicate(failed, finds.probability, times)
    even = replicate(failed, np.full(failed.size, finds.drawn / failed.size), times)
    return (
        f"| {name} | {failed.size:,} | {100 * failed.mean():.1f} % | {finds.drawn:.0f} | {finds.ceiling:.1f} "
        f"| {finds.signals:.1f} | {finds.attainable:.1f} | {finds.found:.1f} | {mine.text} | {even.text} "
        f"| {mine.width / even.width:.2f} |"
    )


def stream_row(name: str, table: pa.Table, power: float) -> str:
    failed: FloatArray = table["failed"].to_numpy()
    day = _own_days(table) if name.startswith(DEMO) else None
    lifts, held, of, drawn = [], 0, 0, 0.0
    for number in range(STREAMS):
        rng = np.random.default_rng(number)
        days = rng.integers(0, DAYS, failed.size) if day is None else day
        found, kept, asked, size = run_stream(table, failed, days, power, rng.random)
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
    power: float,
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
        p = probabilities(chance, budget, power)
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
