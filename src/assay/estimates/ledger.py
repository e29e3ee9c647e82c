"""A ledger's columns as the arrays that `stats` takes.

A ledger has one row for each log that was selected for the judge: log_id, started, day, stratum, p1,
p2 (null unless selected for a human), fate (null while pending), value (null unless scored), label (null
unless labelled), simulated.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from assay.stats.response import answered_probability
from assay.stats.wilson import CodeArray, FlagArray, FloatArray


class Drawn(NamedTuple):
    """One entry per judge-selected log that the metric applies to; NaN where there is nothing.

    `p1_scored` and `p2_labelled` are the probabilities of being drawn *and* answered, where logs still
    without an answer are taken to be like those of their stratum and day that have one. `asked`: drawn for
    people. `population` is how many logs of the window the metric applies to: estimated, if it skipped some.
    """

    value: FloatArray
    label: FloatArray
    p1: FloatArray
    p2_labelled: FloatArray
    p1_scored: FloatArray
    scored: FlagArray
    stratum: CodeArray
    population: float
    rows: int
    judged: int
    asked: int
    labelled: int
    outside: int
    simulated: bool


def applicable(rows: pa.Table) -> pa.Table:
    """The rows without those that the metric skipped: it does not apply to them."""
    fate = rows["fate"].cast(pa.string()).combine_chunks().fill_null("pending")
    return rows.filter(pc.not_equal(fate, pa.scalar("skipped")))


def read_drawn(rows: pa.Table, seen: int, decided: int | None = None) -> Drawn:
    """The arrays of a ledger over `seen` logs. Labels outside the label sample are left out.

    Where the policy has `decided` fewer than all, the others are taken to be like them.
    """
    kept = applicable(rows)
    everything, applies = _weight(rows), _weight(kept)
    p1, value, label = (kept[name].cast(pa.float64()).combine_chunks() for name in ("p1", "value", "label"))
    p2 = kept["p2"].cast(pa.float64()).combine_chunks()
    asked, scored = p2.is_valid(), value.is_valid()
    labelled = pc.and_(asked, label.is_valid())
    codes = _codes(kept["stratum"])
    cells = codes + (int(codes.max(initial=0)) + 1) * _codes(kept["day"])
    reached = 1.0 if decided is None or not seen else min(max(decided, kept.num_rows) / seen, 1.0)
    first = _floats(p1) * reached
    return Drawn(
        value=_floats(value),
        label=_floats(pc.if_else(labelled, label, pa.scalar(None, pa.float64()))),
        p1=first,
        p2_labelled=answered_probability(_floats(p2), cells, _flags(asked), _flags(labelled), codes),
        p1_scored=answered_probability(first, cells, _flags(p1.is_valid()), _flags(scored), codes),
        scored=_flags(scored),
        stratum=codes,
        population=max(seen * applies / everything if everything else 0.0, float(kept.num_rows)),
        rows=kept.num_rows,
        judged=_count(scored),
        asked=_count(asked),
        labelled=_count(labelled),
        outside=_count(pc.and_(label.is_valid(), pc.invert(asked))),
        simulated=_count(kept["simulated"].cast(pa.bool_()).combine_chunks()) > 0,
    )


def failing_floats(values: pa.Array[Any], *, high_is_good: bool) -> FloatArray:
    """1.0 where a value is a failure, 0.0 where not. `values` has no nulls."""
    half = pa.scalar(0.5)
    return _floats(
        (pc.less(values, half) if high_is_good else pc.greater_equal(values, half)).cast(pa.float64())
    )


def _weight(rows: pa.Table) -> float:
    return float((1.0 / _floats(rows["p1"].cast(pa.float64()).combine_chunks())).sum())


def _floats(column: pa.Array[Any]) -> FloatArray:
    floats: FloatArray = column.to_numpy(zero_copy_only=False)
    return floats


def _flags(column: pa.Array[Any]) -> FlagArray:
    flags: FlagArray = column.to_numpy(zero_copy_only=False)
    return flags


def _codes(column: pa.ChunkedArray[Any]) -> CodeArray:
    text = column.cast(pa.string()).combine_chunks().fill_null("")
    codes: CodeArray = text.dictionary_encode().indices.cast(pa.int64()).to_numpy()
    return codes


def _count(flags: pa.Array[Any]) -> int:
    return int(flags.sum().as_py() or 0)
