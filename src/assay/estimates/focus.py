"""Where should we focus? Signals and slices where failures concentrate."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Literal, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from assay.estimates.ledger import applicable, failing_floats, read_drawn
from assay.query import SignalIs, quote, to_text
from assay.records import Estimate, FocusRow, MetricInfo
from assay.stats.groups import Comparison, Rates, Sums, compare_groups, row_sums
from assay.stats.multiple import benjamini_hochberg

JUDGED_MINIMUM = 10
"""Fewer judged logs in a group give no rate."""

FALSE_DISCOVERY_RATE = 0.1

MACHINE_VERDICT = "machine verdict (inverse probability, Wilson-t interval)"
HUMAN_VERDICT = "labels alone (inverse probability, Wilson-t interval)"


class _Group(NamedTuple):
    kind: Literal["signal", "slice"]
    name: str
    filter: str
    meaning: str
    logs: int


def find_focus(
    ledger_rows: pa.Table,
    seen: int,
    info: MetricInfo,
    *,
    signal_counts: Mapping[str, int],
    slice_counts: Mapping[str, Sequence[tuple[str, int]]],
    meanings: Mapping[str, str] | None = None,
    decided: int | None = None,
    level: float = 0.95,
) -> tuple[FocusRow, ...]:
    """A row for each signal and slice value: its failure rate, that of the rest, what it explains.

    The rates are those of the machine's verdict (a human metric's: of the labels), weighted, *not*
    corrected by labels: groups are compared with each other, by the same judge. The ledger carries `signals`
    (lists of names) and a text column for each field of `slice_counts` (`version`, `attr["topic"]`), whose
    counts are over all logs. `distinct`: inside is higher than outside, by one-sided tests over all
    rows at a false discovery rate of 10 %. Sorted by the failures that the group has beyond its share.
    """
    rows = _summands(ledger_rows, seen, decided, info)
    groups, sums, everything = _sums(rows, seen, signal_counts, slice_counts, meanings or {})
    if not groups:
        return ()
    compared = compare_groups(sums, everything, level=level)
    testable = (sums.rows >= JUDGED_MINIMUM) & (compared.rows_outside >= JUDGED_MINIMUM)
    p_values = [
        p if ok else float("nan") for p, ok in zip(compared.p_value.tolist(), testable.tolist(), strict=True)
    ]
    found = benjamini_hochberg(
        pa.array(p_values, pa.float64()).to_numpy(zero_copy_only=False), rate=FALSE_DISCOVERY_RATE
    )
    made = [
        _row(group, _Place(compared, sums, index), bool(found.rejected[index]), seen, info, level)
        for index, group in enumerate(groups)
    ]
    return tuple(sorted(made, key=_order))


class _Place(NamedTuple):
    compared: Comparison
    sums: Sums
    at: int


def _row(group: _Group, place: _Place, distinct: bool, seen: int, info: MetricInfo, level: float) -> FocusRow:
    compared, i = place.compared, place.at
    judged = round(float(place.sums.rows[i]))
    human = info.kind == "human"
    empty = Estimate(
        metric=info.name,
        value=None,
        low=None,
        high=None,
        level=level,
        method=HUMAN_VERDICT if human else MACHINE_VERDICT,
        n_seen=group.logs,
        n_judged=0 if human else judged,
        n_labelled=judged if human else 0,
        simulated=info.simulated,
        metric_version=info.version,
    )
    inside = _rate(empty, judged, compared.inside, i)
    others = round(float(compared.rows_outside[i]))
    outside = replace(
        empty,
        n_seen=max(seen - group.logs, 0),
        n_judged=0 if human else others,
        n_labelled=others if human else 0,
    )
    share = float(compared.share_of_failures[i])
    return FocusRow(
        kind=group.kind,
        name=group.name,
        filter=group.filter,
        failing_filter=f"{group.filter} and {failing_condition(info)}",
        meaning=group.meaning,
        logs=group.logs,
        share=min(group.logs / seen, 1.0) if seen else 0.0,
        judged=judged,
        failing=round(float(place.sums.failing[i])),
        failure=inside,
        rest=_rate(outside, others, compared.outside, i),
        share_of_failures=min(max(share, 0.0), 1.0) if inside.known and share == share else None,
        distinct=distinct and inside.known,
    )


def _rate(empty: Estimate, judged: int, rates: Rates, index: int) -> Estimate:
    if judged < JUDGED_MINIMUM:
        return replace(empty, reason=f"only {judged} judged: at least {JUDGED_MINIMUM} are needed")
    return replace(
        empty,
        value=float(rates.value[index]),
        low=float(rates.low[index]),
        high=float(rates.high[index]),
        n_effective=float(rates.n_kish[index]),
    )


def _order(row: FocusRow) -> tuple[bool, bool, float, int, str]:
    """Distinct first, then those with a rate by the failures beyond their share, then the larger."""
    known = row.failure.value is not None and row.rest.value is not None
    excess = row.logs * ((row.failure.value or 0.0) - (row.rest.value or 0.0)) if known else 0.0
    return not row.distinct, not known, -excess, -row.logs, row.name


def failing_condition(info: MetricInfo) -> str:
    """What the filter language says of a log that fails this metric."""
    source = "label" if info.kind == "human" else "score"
    return f"{source}.{info.name} {'<' if info.goal == 'high' else '>='} 0.5"


def _sums(
    rows: pa.Table,
    seen: int,
    signal_counts: Mapping[str, int],
    slice_counts: Mapping[str, Sequence[tuple[str, int]]],
    meanings: Mapping[str, str],
) -> tuple[list[_Group], Sums, Sums]:
    """The groups to look at, their sums in the same order, and the sums over all rows."""
    names = [name for name in rows.column_names if name.startswith("sum.")]
    groups: list[_Group] = []
    found: list[pa.Table] = []
    wanted = {name: logs for name, logs in signal_counts.items() if logs > 0}
    if wanted:
        groups += [
            _Group("signal", name, to_text(SignalIs(name=name)), meanings.get(name, ""), logs)
            for name, logs in wanted.items()
        ]
        found.append(_in_order(_by_signal(rows, names), list(wanted), names))
    for field, counts in slice_counts.items():
        values = {value: logs for value, logs in counts if 0 < logs < seen}
        if not values:
            continue
        groups += [_slice(field, value, logs) for value, logs in values.items()]
        found.append(_in_order(_by_value(rows, field, names), list(values), names))
    every = rows.select(names).group_by([]).aggregate([(name, "sum") for name in names])
    total = _to_sums(every, names)
    return groups, _to_sums(pa.concat_tables(found), names) if found else total, total


def _slice(field: str, value: str, logs: int) -> _Group:
    shown = value or "(none)"
    meaning = f"logs whose {field} is {shown}" if value else f"logs without a {field}"
    return _Group("slice", f"{field} = {shown}", f"{field} = {quote(value)}", meaning, logs)


def _summands(ledger_rows: pa.Table, seen: int, decided: int | None, info: MetricInfo) -> pa.Table:
    """The rows with a verdict, and beside their columns the summands of `Sums`."""
    drawn, kept = read_drawn(ledger_rows, seen, decided), applicable(ledger_rows)
    if info.kind == "human":
        verdict = pa.array(drawn.label, from_pandas=True)
        probability = pa.array(drawn.p1 * drawn.p2_labelled)
    else:
        verdict = pa.array(drawn.value, from_pandas=True)
        probability = pa.array(drawn.p1_scored)
    known = verdict.is_valid()
    fails = failing_floats(verdict.filter(known), high_is_good=info.goal == "high")
    rows = kept.filter(known)
    for name, column in zip(Sums._fields, row_sums(fails, probability.filter(known).to_numpy()), strict=True):
        rows = rows.append_column(f"sum.{name}", pa.array(column))
    return rows


def _by_signal(rows: pa.Table, names: list[str]) -> pa.Table:
    signals = rows["signals"].combine_chunks()
    exploded = rows.select(names).take(pc.list_parent_indices(signals))
    return _grouped(exploded.append_column("group", pc.list_flatten(signals).cast(pa.string())), names)


def _by_value(rows: pa.Table, field: str, names: list[str]) -> pa.Table:
    values = rows[field].cast(pa.string()).combine_chunks().fill_null("")
    return _grouped(rows.select(names).append_column("group", values), names)


def _grouped(rows: pa.Table, names: list[str]) -> pa.Table:
    return rows.group_by("group").aggregate([(name, "sum") for name in names])


def _in_order(found: pa.Table, wanted: list[str], names: list[str]) -> pa.Table:
    """The sums of the wanted groups in that order, nulls where no row is in one."""
    places = pc.index_in(pa.array(wanted, pa.string()), value_set=found["group"].combine_chunks())
    return found.select([f"{name}_sum" for name in names]).take(places)


def _to_sums(table: pa.Table, names: list[str]) -> Sums:
    return Sums(*(table[f"{name}_sum"].combine_chunks().fill_null(0.0).to_numpy() for name in names))
