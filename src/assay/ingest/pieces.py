"""Columns of texts and attributes as Arrow keeps them: taken apart, and put together again."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import pyarrow as pa
import pyarrow.compute

Column: TypeAlias = Any
"""An Arrow array; the stubs tell neither what a map has nor what a kernel takes."""

pc: Any = pyarrow.compute
_map_of: Callable[..., Column] = pa.MapArray.from_arrays


@dataclass(slots=True, kw_only=True)
class Piece:
    """The texts of one column, with the key that each stands under (an empty one, outside attributes).

    `inner` are the offsets of the attributes of a row, or of an event where `outer` are those of the
    events of a row."""

    column: str
    keys: Column
    values: Column
    inner: Column | None = None
    outer: Column | None = None
    changed: bool = False

    @classmethod
    def of_texts(cls, name: str, column: Column) -> Piece:
        return cls(column=name, keys=pa.repeat("", len(column)), values=column)

    @classmethod
    def of_map(cls, name: str, column: Column) -> Piece | None:
        """The attributes of a column, or of the events in it; None for a column of anything else."""
        outer = None
        if pa.types.is_list(column.type) and pa.types.is_map(column.type.value_type):
            outer, column = column.offsets, column.values
        if not pa.types.is_map(column.type):
            return None
        return cls(column=name, keys=column.keys, values=column.items, inner=column.offsets, outer=outer)

    @property
    def is_map(self) -> bool:
        return self.inner is not None

    def by_row(self, found: Counter[int]) -> Counter[int]:
        """What was counted by the place of a text, by row."""
        for offsets in (self.inner, self.outer):
            if offsets is not None and found:
                starts, rows = offsets.to_pylist(), Counter[int]()
                for place, count in found.items():
                    rows[bisect_right(starts, place) - 1] += count
                found = rows
        return found

    def leave_out(self, gone: Column) -> Counter[int]:
        """Let go of these attributes; how many they were in each row."""
        places = pc.indices_nonzero(gone).to_pylist()
        if not places:
            return Counter()
        left = self.by_row(Counter(places))
        kept = pc.invert(gone)
        ends = pc.cumulative_sum(pc.cast(kept, pa.int32()))
        self.inner = pa.concat_arrays([pa.array([0], pa.int32()), ends]).take(self.inner)
        self.keys, self.values = self.keys.filter(kept), self.values.filter(kept)
        self.changed = True
        return left

    def blank(self) -> Counter[int]:
        """Let go of every text of the column; the rows that had one."""
        rows = pc.indices_nonzero(
            pc.fill_null(pc.greater(pc.binary_length(self.values), 0), False)
        ).to_pylist()
        if rows:
            self.values, self.changed = pa.repeat("", len(self.values)), True
        return Counter(rows)

    def rebuilt(self) -> Column:
        """The column again, with the texts as they are now."""
        if self.inner is None:
            return self.values
        column = _map_of(self.inner, self.keys, self.values)
        return column if self.outer is None else pa.ListArray.from_arrays(self.outer, column)


def in_one(column: pa.ChunkedArray[Any]) -> Column:
    """A column in one piece; texts as plain ones, however they came."""
    whole = column.combine_chunks()
    array: Column = whole.chunk(0) if hasattr(whole, "chunk") else whole
    kind = array.type
    if pa.types.is_dictionary(kind) or pa.types.is_large_string(kind):
        return array.cast(pa.string())
    return array


def mask_of(places: Iterable[int], size: int) -> Column:
    """True at these places."""
    bits = bytearray((size + 7) // 8)
    for place in places:
        bits[place >> 3] |= 1 << (place & 7)
    return pa.Array.from_buffers(pa.bool_(), size, [None, pa.py_buffer(bits)])


def with_counts(column: Column, name: str, counts: Mapping[int, int]) -> Column:
    """Attributes with one more on these rows, the count; it takes the place of one of that name."""
    starts, keys, values = column.offsets.to_pylist(), column.keys, column.items
    taken = pc.indices_nonzero(pc.equal(keys, name)).to_pylist()
    new_keys, new_values, new_starts = [], [], [0]
    copied, size = starts[0], 0
    for row in range(len(column)):
        start, end = starts[row], starts[row + 1]
        size += end - start
        if row in counts:
            same = taken[bisect_left(taken, start) : bisect_left(taken, end)]
            stop = same[0] if same else end
            new_keys += [keys.slice(copied, stop - copied), pa.array([name])]
            new_values += [values.slice(copied, stop - copied), pa.array([str(counts[row])])]
            copied = stop + 1 if same else stop
            size += 0 if same else 1
        new_starts.append(size)
    new_keys.append(keys.slice(copied, starts[-1] - copied))
    new_values.append(values.slice(copied, starts[-1] - copied))
    return _map_of(pa.array(new_starts, pa.int32()), pa.concat_arrays(new_keys), pa.concat_arrays(new_values))
