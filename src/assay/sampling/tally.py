"""What came before a log on its day: by this its chance is slowed down, whatever was expected of the day."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa

from assay.sampling.base import BoolArray, Chances, FloatArray, IntArray
from assay.sampling.brake import chance_before, first_time, number_within


@dataclass(slots=True, kw_only=True)
class Tally:
    """Of one day at one stage, what is decided: how many `logs`, and how many of them are expected to be
    drawn (`spent`), by the policy of whatever version; by this version how many (`own`), and how many in each
    of the `groups`; how many in each slice, and how many of which a condition holds."""

    spent: float = 0.0
    logs: float = 0.0
    own: float = 0.0
    groups: dict[str, float] = field(default_factory=dict)
    slices: list[Counter[str]] = field(default_factory=list)
    conditions: dict[str, float] = field(default_factory=dict)

    def lay_beside(self, logs: pa.Table) -> pa.Table:
        """The logs with the columns `spent`, `nth`, `nth.N`, `nth.when.NAME` and `decided.GROUP`."""
        first = first_time(logs)
        added: dict[str, FloatArray] = {
            "spent": np.full(logs.num_rows, self.spent),
            "nth": _number(np.zeros(logs.num_rows, dtype=np.int64), first, [self.logs]),
        }
        for number, known in enumerate(self.slices):
            names, code = _code(logs, number)
            added[f"nth.{number}"] = _number(code, first, [known[name] for name in names])
        for name, count in self.conditions.items():
            holds = logs[f"when.{name}"].to_numpy().astype(np.int64)
            added[f"nth.when.{name}"] = _number(holds, first, [0.0, count])
        for name, count in self.groups.items():
            added[f"decided.{name}"] = np.full(logs.num_rows, count)
        for column, values in added.items():
            logs = logs.append_column(column, pa.array(values, pa.float64()))
        return logs

    def add(self, logs: pa.Table, chances: Chances) -> None:
        """Count those of the logs that were decided on with these chances."""
        decided = ~np.isnan(chances.probability)
        new = decided & first_time(logs)
        given = np.maximum(0.0, chances.probability - chance_before(logs))
        self.spent += float(given[decided].sum())
        self.logs += int(new.sum())
        self.own += int(new.sum())
        for name, count in zip(
            self.groups, np.bincount(chances.group[new], minlength=len(self.groups)), strict=True
        ):
            self.groups[name] += float(count)
        for number, known in enumerate(self.slices):
            names, code = _code(logs, number)
            known.update(names[one] for one in code[new].tolist())
        for name in self.conditions:
            self.conditions[name] += float(np.count_nonzero(logs[f"when.{name}"].to_numpy()[new]))


def tally_of(
    groups: Iterable[str],
    decided: pa.Table,
    slices: Iterable[Mapping[str, int]] = (),
    conditions: Mapping[str, float] | None = None,
) -> Tally:
    """The tally of `decided`: by `stratum` and whether this version decided (`own`), `logs` and `spent`."""
    rows = decided.to_pylist()
    own = {row["stratum"]: float(row["logs"]) for row in rows if row["own"]}
    return Tally(
        spent=sum(row["spent"] for row in rows),
        logs=sum(row["logs"] for row in rows),
        own=sum(own.values()),
        groups={group: own.get(group, 0.0) for group in groups},
        slices=[Counter(known) for known in slices],
        conditions=dict(conditions or {}),
    )


def _number(code: IntArray, first: BoolArray, before: list[float]) -> FloatArray:
    return number_within(code, first, np.array(before or [0.0]))


def _code(logs: pa.Table, number: int) -> tuple[list[str], IntArray]:
    """The slices that the logs have, and of each log the number of its own."""
    texts = np.asarray([str(text) for text in logs[f"slice.{number}"].to_pylist()], dtype=object)
    names, code = np.unique(texts, return_inverse=True)
    return names.tolist(), code
