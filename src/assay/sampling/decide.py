"""The decision itself: arrays in, arrays out, no store, no clock, no chance of its own."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from assay.records import Stage
from assay.sampling.base import MIN_PROBABILITY, Policy, Quota, version_of

EPOCH = date(1970, 1, 1)
DAY_US = 86_400_000_000
TIME = pa.timestamp("us", tz="UTC")
EARLY = 1 / 24
"""The first hour counts as whole: a few logs after midnight say little of the day to come."""

FloatArray = np.ndarray[Any, np.dtype[np.float64]]
IntArray = np.ndarray[Any, np.dtype[np.int64]]
BoolArray = np.ndarray[Any, np.dtype[np.bool_]]


class Fixed(NamedTuple):
    """The probability of a stratum's logs of one day, and in words where it comes from."""

    probability: float
    note: str


def fix_probabilities(
    policy: Policy,
    stage: Stage,
    logs: Mapping[str, float],
    *,
    fixed: Mapping[str, float],
    before: Mapping[str, float],
    over: float,
    include_open: bool = False,
) -> dict[str, Fixed]:
    """One day's probability per stratum, for the strata that can be decided now.

    `logs`: how many the day has by stratum (at stage `label`: the expected number drawn for the
    judge). What is `fixed` already stays, so that late logs of the day get the chance of the others
    and none is drawn twice. A size needs to know the day: while no more than the share `over` (0 to
    1) of it has passed, its strata wait, or, with `include_open`, take the probability of the day
    `before`, or failing that one from the logs so far, projected to the whole day.
    """
    result = {}
    for stratum in policy.strata():
        quota = stratum.quota(stage)
        if quota is None or stratum.name not in logs:
            continue
        here = f"stratum {stratum.name}"
        if quota.rate is not None:
            result[stratum.name] = Fixed(quota.rate, f"{here}: rate {quota.rate:.3g}")
        elif (p := fixed.get(stratum.name)) is not None:
            result[stratum.name] = Fixed(p, f"{here}: probability {p:.3g}, as for the day's others")
        elif over >= 1:
            result[stratum.name] = _divided(here, stage, quota, logs[stratum.name], "")
        elif include_open and (p := before.get(stratum.name)) is not None:
            result[stratum.name] = Fixed(p, f"{here}: probability {p:.3g}, as the day before")
        elif include_open:
            whole = logs[stratum.name] / max(over, EARLY)
            result[stratum.name] = _divided(here, stage, quota, whole, " by the day's end")
    return result


def _divided(here: str, stage: Stage, quota: Quota, logs: float, when: str) -> Fixed:
    p = quota.probability(logs)
    of = f"{logs:.0f}{when}" if stage == "judge" else f"{logs:.1f} expected{when}"
    return Fixed(p, f"{here}: {quota.size:g} a day of {of}, probability {p:.3g}")


def decide(
    policy: Policy,
    stage: Stage,
    candidates: pa.Table,
    fixed: Mapping[tuple[date, str], Fixed],
    *,
    decided_at: datetime,
) -> pa.Table:
    """The rows of `selections` for candidates (log_id, started, stratum, draw), drawn or not.

    A log is selected where its draw lies below the probability of its UTC day and stratum; those
    whose day and stratum have none yet are left out, to be decided later.
    Raises ValueError for a probability outside [1e-6, 1]."""
    names = sorted({str(name) for name in candidates["stratum"].unique().to_pylist()})
    codes = pc.index_in(candidates["stratum"], value_set=pa.array(names, pa.string()))
    of_names: IntArray = codes.to_numpy().astype(np.int64)
    cells, cell = np.unique(_days(candidates) * len(names) + of_names, return_inverse=True)
    chances = [
        fixed.get((EPOCH + timedelta(days=int(code // len(names))), names[int(code % len(names))]))
        for code in cells
    ]
    for chance in chances:
        if chance is not None and not MIN_PROBABILITY <= chance.probability <= 1:
            raise ValueError(f"a probability must lie in [{MIN_PROBABILITY:g}, 1], got {chance}")
    known = np.array([chance is not None for chance in chances], dtype=bool)[cell]
    rows, cell = candidates.filter(pa.array(known)), cell[known]
    probability = np.array([chance.probability if chance else np.nan for chance in chances])[cell]
    draw: FloatArray = rows["draw"].to_numpy()
    selected = draw < probability
    return _selections(
        rows,
        {
            "policy": policy.name,
            "policy_version": version_of(policy),
            "stage": stage,
            "unit": policy.unit,
        },
        probability=probability,
        selected=selected,
        reason=_reasons(cell.astype(np.int64), draw, selected, chances),
        decided_at=decided_at,
    )


def _days(candidates: pa.Table) -> IntArray:
    started: IntArray = candidates["started"].cast(TIME).cast(pa.int64()).to_numpy()
    return started // DAY_US


def _reasons(
    cell: IntArray, draw: FloatArray, selected: BoolArray, chances: list[Fixed | None]
) -> pa.Array[Any]:
    """Why each was drawn or not. Draws are rounded to 3 digits, so that few texts serve many rows."""
    refused, out = draw[~selected], cell[~selected]
    exponent = np.floor(np.log10(np.maximum(refused, MIN_PROBABILITY))).astype(np.int64)
    digits = np.round(refused * 10.0 ** (2 - exponent)).astype(np.int64)
    # One integer per text: the cell, the exponent (0 to -6) and the digits (at most 1000).
    keys, key = np.unique((out * 8 - exponent) * 1024 + digits, return_inverse=True)
    texts = [chance.note if chance else "" for chance in chances]
    index = cell.copy()
    index[~selected] = len(texts) + key
    for code in keys.tolist():
        chance = chances[code // 8192]
        assert chance is not None
        rounded = (code % 1024) * 10.0 ** (-(code // 1024 % 8) - 2)
        texts.append(f"not drawn: {rounded:.3g} >= {chance.probability:.3g}")
    return pa.DictionaryArray.from_arrays(index, pa.array(texts, pa.string())).cast(pa.string())


def _selections(
    rows: pa.Table,
    same: Mapping[str, str],
    *,
    probability: FloatArray,
    selected: BoolArray,
    reason: pa.Array[Any],
    decided_at: datetime,
) -> pa.Table:
    n = rows.num_rows
    return pa.table(
        {
            **{name: pa.repeat(pa.scalar(value, pa.string()), n) for name, value in same.items()},
            "log_id": rows["log_id"],
            "started": rows["started"].cast(TIME),
            "stratum": rows["stratum"].cast(pa.string()),
            "probability": pa.array(probability, pa.float64()),
            "draw": rows["draw"],
            "selected": pa.array(selected.astype(np.uint8)),
            "reason": reason,
            "decided_at": pa.repeat(pa.scalar(decided_at.astimezone(UTC), TIME), n),
        }
    )
