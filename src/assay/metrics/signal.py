"""Signals that are Python functions over many logs at once."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, get_args

from assay.errors import MetricError
from assay.query.fields import FIELDS, OPTIONAL
from assay.records import Severity, Signal, Unit

if TYPE_CHECKING:
    import pyarrow as pa

    Function = Callable[[pa.RecordBatch], Any]

_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchSignal:
    """A signal that `function` raises; calling it calls the function, as a test would."""

    signal: Signal
    function: Function = field(compare=False)

    @property
    def name(self) -> str:
        return self.signal.name

    def __call__(self, batch: pa.RecordBatch) -> Any:
        return self.function(batch)

    def raised(self, batch: pa.RecordBatch) -> pa.BooleanArray:
        """For each row of facts whether it is raised; unknown is no.

        Raises MetricError where the function gives anything but one truth value a row, and whatever
        the function raises."""
        return _to_truth(self.name, self.function(to_facts(batch)), batch.num_rows)


def signal(
    *,
    unit: Unit = "interaction",
    severity: Severity = "medium",
    meaning: str = "",
    name: str = "",
) -> Callable[[Function], BatchSignal]:
    """Make a signal of a function of many logs: it takes a `pyarrow.RecordBatch` with a column for each
    fact of the filter language, and `attributes`, a map, and returns one boolean a row.

    `unit` says what the rows are, `meaning` is a line for people (default: the docstring's first line).
    It sees facts only, each log by itself: what it returns for a log must not depend on the others.

    Raises MetricError at once where the definition is wrong."""

    def decorate(function: Function) -> BatchSignal:
        named = name or getattr(function, "__name__", "")
        _check(named, unit, severity, function)
        doc = (inspect.getdoc(function) or "").strip().partition("\n")[0]
        made = Signal(
            code=f"T-{named}", name=named, severity=severity, meaning=meaning or doc.rstrip("."), unit=unit
        )
        return BatchSignal(signal=made, function=function)

    return decorate


def try_out(made: BatchSignal) -> None:
    """Call it with no log, then with three made-up ones. Raises what `BatchSignal.raised` raises."""
    rows = [_plain_log(number) for number in range(3)]
    for some in (rows[:0], rows):
        made.raised(facts_of(some))


def facts_of(rows: list[dict[str, Any]]) -> pa.RecordBatch:
    """Rows of facts as the batch that a signal is given: for trying one out, and for tests of one's own.

    What a row does not say is empty, zero, or, where it may be unknown, null."""
    import pyarrow as pa

    filled = [{**_plain_log(0, empty=True), **row} for row in rows]
    arrays = [pa.array([row[one.name] for row in filled], type=one.type) for one in _schema()]
    return pa.RecordBatch.from_arrays(arrays, schema=_schema())


def to_facts(batch: pa.RecordBatch) -> pa.RecordBatch:
    """The facts that the filter language knows, whatever their width in the store: texts, 64-bit floats,
    times in UTC, and the attributes."""
    import pyarrow as pa
    import pyarrow.compute as pc

    arrays = []
    for one in _schema():
        if one.name == "tokens" and "tokens" not in batch.schema.names:
            column = pc.add(batch.column("input_tokens"), batch.column("output_tokens"))
        else:
            column = batch.column(one.name)
        if one.name == "attributes" and column.type != one.type:
            column = pa.array([list(pairs or ()) for pairs in column.to_pylist()], type=one.type)
        arrays.append(column.cast(one.type))
    return pa.RecordBatch.from_arrays(arrays, schema=_schema())


def _schema() -> pa.Schema:
    import pyarrow as pa

    kinds: dict[str, pa.DataType] = {
        "text": pa.string(),
        "number": pa.float64(),
        "time": pa.timestamp("us", "UTC"),
    }
    facts = [(one.name, kinds[one.kind]) for one in FIELDS.values() if one.kind in kinds]
    return pa.schema([*facts, ("attributes", pa.map_(pa.string(), pa.string()))])


def _plain_log(number: int, *, empty: bool = False) -> dict[str, Any]:
    row: dict[str, Any] = {"attributes": [] if empty or number == 0 else [("tags", "x")]}
    for one in FIELDS.values():
        if one.kind == "text":
            row[one.name] = "" if empty or number == 0 else f"{one.name} {number}"
        elif one.kind == "number":
            unknown = one.name in OPTIONAL and (empty or number == 1)
            row[one.name] = None if unknown else float(0 if empty else number)
        elif one.kind == "time":
            row[one.name] = datetime(2026, 1, 1, tzinfo=UTC)
    return row


def _check(name: str, unit: Unit, severity: Severity, function: object) -> None:
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise MetricError(
            f"signal name {name!r} must be letters, digits and underscores, not begin with a digit, "
            'and have at most 64 characters; give name="..."'
        )
    if unit not in get_args(Unit):
        raise MetricError(f'signal {name}: unit must be "conversation" or "interaction", not {unit!r}')
    if severity not in get_args(Severity):
        raise MetricError(f"signal {name}: severity must be one of {', '.join(get_args(Severity))}")
    if not callable(function) or inspect.iscoroutinefunction(function):
        raise MetricError(f"signal {name} must be a plain function, not {type(function).__name__}")
    try:
        inspect.signature(function).bind(None)
    except TypeError:
        raise MetricError(f"signal {name} must take one argument: the batch of logs") from None
    except ValueError:
        pass  # a builtin without a signature: trying it out will tell


def _to_truth(name: str, value: Any, rows: int) -> pa.BooleanArray:
    import pyarrow as pa

    try:
        array: Any = value if isinstance(value, pa.Array | pa.ChunkedArray) else pa.array(value)
        array = array.combine_chunks() if isinstance(array, pa.ChunkedArray) else array
        array = array.cast(pa.bool_()) if pa.types.is_null(array.type) else array
    except (pa.ArrowException, TypeError, ValueError) as error:
        raise MetricError(
            f"signal {name} returned {type(value).__name__}: return one boolean a row ({error})"
        ) from None
    if not pa.types.is_boolean(array.type):
        raise MetricError(f"signal {name} returned an array of {array.type}: return one boolean a row")
    if len(array) != rows:
        raise MetricError(f"signal {name} returned {len(array)} values for {rows} rows: one boolean a row")
    found: pa.BooleanArray = array.fill_null(False)
    return found
