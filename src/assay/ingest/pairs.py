"""Attributes of many items as columns: keys, values, and where each item's begin."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import pyarrow as pa

from assay.ingest.columns import MAP
from assay.ingest.texts import Column, numbers, offsets_of, pc, texts, utf8

_DENSE = 64


class Pairs(NamedTuple):
    """The pairs of item i stand from `offsets[i]` to `offsets[i + 1]`."""

    offsets: Column
    keys: Column
    values: Column

    def rows(self) -> Column:
        """For each pair, the item that it belongs to."""
        return pc.list_parent_indices(pa.ListArray.from_arrays(self.offsets, self.keys))


def read_pairs(lists: Column) -> Pairs:
    """Of lists of key and AnyValue. Raises as `texts`."""
    flat = lists.flatten()
    return Pairs(offsets_from_zero(lists), utf8(flat.field("key")), texts(flat.field("value")))


def with_pair(pairs: Pairs, rows: Column, key: str, values: Column) -> Pairs:
    """One more pair, the last, for each of these rows (ascending)."""
    if not len(rows):
        return pairs
    order = pc.array_sort_indices(pa.concat_arrays([pairs.rows(), rows]))  # keeps what is equal in order
    keys = pa.concat_arrays([pairs.keys, pa.repeat(key, len(rows))])
    has_more = pc.is_in(numbers(len(pairs.offsets) - 1), value_set=rows)
    more = pa.concat_arrays([pa.array([0], pa.int64()), pc.cumulative_sum(has_more.cast(pa.int64()))])
    return Pairs(
        pc.add(pairs.offsets, more).cast(pa.int32()),
        keys.take(order),
        pa.concat_arrays([pairs.values, values]).take(order),
    )


def last_values(pairs: Pairs, key: str, items: int) -> Column:
    """Of each item the value of that key, the last; empty where there is none."""
    is_it = pc.equal(pairs.keys, key)
    rows, values = pairs.rows().filter(is_it), pairs.values.filter(is_it)
    place = pc.inverse_permutation(rows, max_index=items - 1, output_type=pa.int64())
    return pc.fill_null(values.take(place), "")


def map_of(pairs: Pairs) -> Column:
    """The pairs as maps; of a key that comes twice, the last value."""
    from_arrays: Callable[..., Column] = pa.MapArray.from_arrays  # its stubs know 64-bit offsets only
    maps = from_arrays(pairs.offsets, pairs.keys, pairs.values)
    if not len(pairs.keys):
        return maps
    codes = pairs.keys.dictionary_encode()
    width = len(codes.dictionary)
    cells = pc.add(pc.multiply(pairs.rows().cast(pa.int64()), width), codes.indices.cast(pa.int64()))
    if _distinct(cells, len(maps) * width) == len(cells):
        return maps
    counted = pc.value_counts(cells)
    doubled = counted.field("values").filter(pc.greater(counted.field("counts"), 1))
    rows = sorted(set(pc.divide(doubled, width).to_pylist()))
    fixed = pa.array([list(dict(maps[row].as_py()).items()) for row in rows], MAP)
    which = list(range(len(maps)))
    for i, row in enumerate(rows):
        which[row] = len(maps) + i
    return pa.concat_arrays([maps, fixed]).take(pa.array(which, pa.int64()))


def offsets_from_zero(lists: Column) -> Column:
    """Where each list begins in what `flatten` gives, and where the last ends."""
    offsets = offsets_of(lists)
    first = offsets[0].as_py()
    return pc.subtract(offsets, first).cast(pa.int32()) if first else offsets


def _distinct(cells: Column, size: int) -> int:
    """How many different numbers there are below `size`."""
    if size > _DENSE * len(cells):
        return int(pc.count_distinct(cells).as_py())
    taken = pc.inverse_permutation(cells, max_index=size - 1, output_type=pa.int64())
    return size - int(taken.null_count)
