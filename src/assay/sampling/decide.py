"""The decision itself: arrays in, arrays out, no store, no clock, no chance of its own."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from assay.records import Stage
from assay.sampling.base import MIN_PROBABILITY, BoolArray, Chances, FloatArray, IntArray, Policy

TIME = pa.timestamp("us", tz="UTC")
FEW = 64
"""So many different probabilities are written out in full where a log is not drawn; of more, one digit."""
CLOSED: Final = "lost, and written anew without a chance: the log has had no less than it would get now"
"""Why a decision that was lost and can't be made again draws nothing."""


def decide(
    policy: Policy,
    version: str,
    stage: Stage,
    logs: pa.Table,
    chances: Chances,
    *,
    decided_at: datetime,
) -> pa.Table:
    """The rows of `selections` for logs (log_id, started, facts_at, occasion, missed, draw), drawn or not.

    A log is selected where its draw lies below its probability; one without a probability is left out,
    to be decided later. On a later occasion a log that had the chance P gets a further one where the
    policy would now give it p > P: (p - P) / (1 - P), so that it has had p in all. It gets it whether or
    not it was drawn before, or the weights would be wrong. An occasion that was `lost` is written anew, with
    no chance where there is none to add: the books close.
    Raises ValueError for a probability outside [1e-6, 1]."""
    chance = chances.probability
    if ((chance < MIN_PROBABILITY) | (chance > 1)).any():
        wrong = chance[(chance < MIN_PROBABILITY) | (chance > 1)][0]
        raise ValueError(f"a probability must lie in [{MIN_PROBABILITY:g}, 1], got {wrong:g}")
    occasion: IntArray = logs["occasion"].to_numpy().astype(np.int64)
    missed: FloatArray = logs["missed"].to_numpy()
    again = occasion > 0
    added = (chance - (1 - missed)) / np.maximum(missed, MIN_PROBABILITY)
    probability = np.where(again, np.minimum(added, 1.0), chance)
    adds = ~again | (probability >= MIN_PROBABILITY)
    lost: BoolArray = logs["lost"].to_numpy() if "lost" in logs.column_names else np.zeros(len(again), bool)
    kept = np.flatnonzero(~np.isnan(chance) & (adds | lost))
    probability = np.where(adds, probability, 0.0)[kept]
    rows = logs.take(kept)
    draw: FloatArray = rows["draw"].to_numpy()
    selected = draw < probability
    texts = _explain(chances, kept, selected, missed)
    same = {"policy": policy.name, "policy_version": version, "stage": stage, "unit": policy.unit}
    n = rows.num_rows
    return pa.table(
        {
            **{name: pa.repeat(pa.scalar(value, pa.string()), n) for name, value in same.items()},
            "log_id": rows["log_id"],
            "started": rows["started"].cast(TIME),
            "stratum": _named(policy, chances.group[kept]),
            "probability": pa.array(probability, pa.float64()),
            "draw": rows["draw"],
            "selected": pa.array(selected.astype(np.uint8)),
            "reason": pc.if_else(
                pa.array(probability > 0), _reasons(texts, probability, draw, selected), CLOSED
            ),
            "decided_at": pa.repeat(pa.scalar(decided_at.astimezone(UTC), TIME), n),
            "occasion": pa.array(occasion[kept], pa.uint32()),
            "facts_at": rows["facts_at"].cast(TIME),
        }
    )


def _named(policy: Policy, group: IntArray) -> pa.Array[Any]:
    names = pa.array(policy.groups, pa.string())
    return pa.DictionaryArray.from_arrays(group, names).cast(pa.string())


def _explain(chances: Chances, kept: IntArray, selected: BoolArray, missed: FloatArray) -> list[str]:
    """Why the selected ones were selected."""
    which = kept[selected]
    return [
        text if had == 1 else f"its facts changed; {text}, before {1 - had:.2g}"
        for text, had in zip(chances.explain(which), missed[which].tolist(), strict=True)
    ]


def _reasons(
    texts: list[str], probability: FloatArray, draw: FloatArray, selected: BoolArray
) -> pa.Array[Any]:
    """Why each was drawn or not. Numbers are rounded, so that few texts serve many rows that were not:
    draws up and probabilities down, so that the one never seems below the other."""
    out = ~selected
    of, at = np.unique(probability[out], return_inverse=True)
    digits = 3
    if len(of) > FEW:
        of, at = np.unique(_rounded(probability[out], np.floor, 1), return_inverse=True)
        digits = 2
    refused, which = np.unique(np.minimum(1.0, _rounded(draw[out], np.ceil, digits)), return_inverse=True)
    pairs, place = np.unique(at * len(refused) + which, return_inverse=True)
    said = [
        f"not drawn: {refused[pair % len(refused)]:.3g} >= {of[pair // len(refused)]:.3g}"
        for pair in pairs.tolist()
    ]
    index: IntArray = np.empty(len(draw), dtype=np.int64)
    index[selected] = np.arange(len(texts))
    index[out] = len(texts) + place
    return pa.DictionaryArray.from_arrays(index, pa.array([*texts, *said], pa.string())).cast(pa.string())


def _rounded(numbers: FloatArray, how: Any, digits: int) -> FloatArray:  # a numpy ufunc has no plain type
    exponent = np.floor(np.log10(np.maximum(numbers, MIN_PROBABILITY)))
    unit = 10.0 ** (exponent - digits + 1)
    result: FloatArray = how(numbers / unit - 1e-9 if how is np.ceil else numbers / unit + 1e-9) * unit
    return result
