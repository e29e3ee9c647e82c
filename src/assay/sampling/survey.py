"""What a policy needs of logs, as it needs it: facts from the store, and what models make of them."""

from __future__ import annotations

from collections.abc import Generator, Iterable
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Final

import numpy as np
import pyarrow as pa

from assay.errors import PluginError
from assay.records import Stage, Window
from assay.sampling.base import Day, FloatArray, IntArray, Needs, Parameters, Policy, Risk
from assay.sampling.draw import salt_of
from assay.sampling.quotas import Quotas
from assay.sampling.sources import Sources
from assay.sampling.tally import Tally, tally_of
from assay.store.telemetry import selections
from assay.store.telemetry.connection import Telemetry
from assay.store.telemetry.grouping import Grouping
from assay.store.telemetry.spread import past_scores

ONE_DAY: Final = timedelta(days=1)
PAST: Final = timedelta(days=28)
"""So far back the scores go by which strata are weighed."""

NEARLY: Final = 0.9
"""Of a day's logs so many were decided on by a version, or its number of labels tells nothing of the next."""

FINENESS: Final = 64
"""Steps of one unit of log-odds in which chances are told apart when a day is counted."""

MIDDLING: Final = 0.5
"""The chance of failure where there is no model: it is the same for all, so it favours none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Surveyor:
    """Reads one policy's logs at one stage, a day at a time."""

    telemetry: Telemetry
    policy: Policy
    grouping: Grouping
    stage: Stage
    sources: Sources

    @property
    def needs(self) -> Needs:
        return self.policy.needs(self.stage)

    def read_day(
        self, day: date, *, over: float = 1.0, include_open: bool = False, known: Parameters | None = None
    ) -> Day:
        """All that fixing the day's parameters may use."""
        window, known = Window.of_day(day), known or {}
        model = self.model(day, known)
        early = over < 1 and include_open
        return Day(
            day=day,
            logs=self._count(window, model),
            over=over,
            include_open=include_open,
            before=self._before(day, model) if early else None,
            usual=self._usual(day) if early else 0,
            known=known,
            decided={} if known else self._fixed(window),
            risk="" if model is None else model.version,
            metric=self._metric(known),
            spread=self._spread(day),
        )

    def model(self, day: date, known: Parameters) -> Risk | None:
        """The model that serves the day: the one it was fixed with, none if it was fixed without, or else
        the newest."""
        if self.needs.risk is None or known.get("risk") == "":
            return None
        name = known.get("metric") or self.needs.risk
        return self.sources.risk(name, day, known.get("risk", ""))

    def candidates(
        self, day: date, since: datetime | None, *, few: bool = False
    ) -> Generator[pa.Table, None, None]:
        """Logs of the day that are yet to be decided on, as the store knows them."""
        return selections.candidates(
            self.telemetry,
            self.grouping,
            self.stage,
            Window.of_day(day),
            salt=salt_of(self.policy.name, self.stage),
            since=since,
            few=few,
        )

    def tally(self, day: date) -> Tally:
        """What the policy has decided of the day so far."""
        window, needs = Window.of_day(day), self.needs
        plain = replace(self.grouping, conditions=(), slices=(), cell=False, features=False)
        slices = [
            self._decided(replace(plain, slices=(by,)), window, "slice.0") for by in self.grouping.slices
        ]
        holding = {}
        for name, condition in self.grouping.conditions:
            if name in needs.counted:
                found = self._decided(replace(plain, conditions=((name, condition),)), window, f"when.{name}")
                holding[name] = float(sum(count for holds, count in found.items() if int(holds)))
        known = selections.tally(self.telemetry, self.grouping, self.stage, window)
        return tally_of(self.policy.groups, known, slices, holding)

    def _decided(self, grouping: Grouping, window: Window, column: str) -> dict[str, int]:
        """How many of the logs that are decided have each value."""
        found = selections.decided_facts(self.telemetry, grouping, self.stage, window)
        return {str(row[column]): row["logs"] for row in found.to_pylist()}

    def _metric(self, known: Parameters) -> str:
        """Whose failures are foretold: a headline that changes does not change a day that is fixed."""
        name = self.needs.risk
        if name is None or "metric" in known:
            return str(known.get("metric", ""))
        info = self.sources.metric(name)
        return name if info is None else info.name

    def _count(self, window: Window, model: Risk | None, *, own: bool = False) -> pa.Table:
        """What the policy needs of the window's logs, alike ones together, with their number `logs`."""
        tables = selections.survey(self.telemetry, self.grouping, self.stage, window, own=own)
        return add_up(with_chances(table, model) if self.grouping.features else table for table in tables)

    def _before(self, day: date, model: Risk | None) -> pa.Table | None:
        """The day before; what was drawn of it only where this version decided nearly all of it."""
        window = Window.of_day(day - ONE_DAY)
        if self.stage == "label":
            known = selections.tally(self.telemetry, self.grouping, "judge", window)
            decided = tally_of(self.policy.groups, known).own
            if decided < NEARLY * selections.count_logs(self.telemetry, self.grouping, window):
                return None
        return self._count(window, model, own=True)

    def _usual(self, day: date) -> int:
        """The logs of the day by which the number of today's is foretold."""
        ago = 7 if self.stage == "judge" else 1
        return selections.count_logs(self.telemetry, self.grouping, Window.of_day(day - ago * ONE_DAY))

    def _fixed(self, window: Window) -> dict[str, float]:
        if not isinstance(self.policy, Quotas):
            return {}
        return selections.fixed_probabilities(self.telemetry, self.grouping, self.stage, window)

    def _spread(self, day: date) -> pa.Table | None:
        if self.needs.spread is None or (info := self.sources.metric(self.needs.spread)) is None:
            return None
        start = Window.of_day(day).start
        return past_scores(self.telemetry, self.grouping, info, Window(start=start - PAST, end=start))


def with_chances(logs: pa.Table, model: Risk | None) -> pa.Table:
    """The logs with column `chance` instead of the features that it is made from."""
    none = np.full(logs.num_rows, MIDDLING)
    chance = none if model is None or not logs.num_rows else model.chances(logs)
    if unknown := int(np.count_nonzero(~((chance > 0) & (chance < 1)))):
        assert model is not None
        raise PluginError(
            f"model of risk {model.version} says of {unknown:,} of {logs.num_rows:,} logs no chance between "
            "0 and 1 that they fail: nothing is decided by it"
        )
    kept = [name for name in logs.column_names if not name.startswith("x_")]
    return logs.select(kept).append_column("chance", pa.array(chance, pa.float64()))


def add_up(tables: Iterable[pa.Table]) -> pa.Table:
    """Rows that are alike, together: `logs` is their sum, and `chance` the mean of those in one small
    step of log-odds, so that a day of any size takes little memory."""
    found: list[pa.Table] = []
    for table in tables:
        some = table.filter(pa.array(table["logs"].to_numpy() > 0))
        if some.num_rows:
            found.append(_grouped(some))
        if len(found) > 8:
            found = [_grouped(pa.concat_tables(found))]
    if not found:
        return pa.table({"logs": pa.array([], pa.float64())})
    return _grouped(pa.concat_tables(found))


def _grouped(table: pa.Table) -> pa.Table:
    chances = "chance" in table.column_names
    if chances:
        chance: FloatArray = table["chance"].to_numpy()
        number: FloatArray = table["logs"].to_numpy()
        step: IntArray = np.round(np.log(chance / (1 - chance)) * FINENESS).astype(np.int64)
        table = table.drop_columns(["chance"]).append_column("step", pa.array(step))
        table = table.append_column("failing", pa.array(chance * number))
    summed = ["logs", "failing"] if chances else ["logs"]
    keys = [name for name in table.column_names if name not in summed]
    result = table.group_by(keys).aggregate([(name, "sum") for name in summed])
    result = result.rename_columns([name.removesuffix("_sum") for name in result.column_names])
    if not chances:
        return result
    mean = result["failing"].to_numpy() / result["logs"].to_numpy()
    return result.drop_columns(["step", "failing"]).append_column("chance", pa.array(mean))
