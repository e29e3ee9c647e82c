"""What arrives, counted by minute: of whom, how much, how late, what was turned away and why."""

from __future__ import annotations

import math
import re
import threading
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from assay.ingest.columns import REPAIRED
from assay.ingest.rejection import Rejection
from assay.ingest.segment import Parcel
from assay.records import RejectedSpan

REDACTED = "assay.redactions"
OTHERS = "(others)"
_NAMES = 500
"""Names of one dimension that are counted apart in one minute; senders choose them."""
_REJECTED = 1_000
"""Rejected spans that are listed one by one in one minute; the others are summed by reason."""
KEPT_MINUTES = 15
_NUMBER = re.compile(r"(?<=[._])\d+(?=[._]|$)")
_STEPS = 20
"""Lag is kept in classes, 20 to a factor of ten."""

Key = tuple[int, str, str]
"""Minute (since 1970), dimension, name."""


class Count(NamedTuple):
    requests: int = 0
    spans: int = 0
    records: int = 0
    bytes: int = 0
    rejected: int = 0

    def plus(self, other: Count) -> Count:
        return Count(*map(sum, zip(self, other, strict=True)))


class Sender(NamedTuple):
    """Whose request it was, as far as it is known."""

    received_ns: int
    kind: str = ""
    agent: str = ""
    transport: str = ""


class Tally:
    """Counts in memory, safe between threads. What `drain` hands over is to be kept elsewhere."""

    def __init__(self, clock: Callable[[], datetime]) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._counts: dict[Key, Count] = {}
        self._changed: set[Key] = set()
        self._names: dict[tuple[int, str], int] = defaultdict(int)
        self._lags: dict[int, dict[int, int]] = defaultdict(lambda: defaultdict(int))
        self._rejected: dict[tuple[object, ...], RejectedSpan] = {}
        self._listed: dict[int, int] = defaultdict(int)

    def arrived(self, parcel: Parcel) -> None:
        """A request was acknowledged."""
        items = parcel.items
        is_log = parcel.payload.kind in ("logs", "records")
        count = Count(1, 0 if is_log else items, items if is_log else 0, len(parcel.payload.body))
        with self._lock:
            minute = self._minute()
            for dimension, name in (
                ("all", ""),
                ("transport", parcel.transport),
                ("agent", parcel.agent),
                ("answer", "200"),
            ):
                self._add(minute, dimension, name, count)

    def refused(self, status: int, transport: str, agent: str) -> None:
        """A request was answered with an error."""
        with self._lock:
            minute = self._minute()
            self._add(minute, "answer", str(status), Count(requests=1))
            self._add(minute, "refused", "", Count(requests=1))

    def dropped(self, what: str) -> None:
        """A request was taken and not kept (metrics)."""
        with self._lock:
            self._add(self._minute(), "dropped", what, Count(requests=1))

    def stored(
        self, parcels: Sequence[Parcel], spans: Iterable[pa.Table], records: Iterable[pa.Table]
    ) -> None:
        """Rows can be queried from now on."""
        found: list[tuple[str, str, Count]] = []
        for tables, is_log in ((spans, False), (records, True)):
            for table in tables:
                found += _look(table, is_log)
        now_ns = int(self._clock().timestamp() * 1e9)
        with self._lock:
            minute = self._minute()
            for dimension, name, count in found:
                self._add(minute, dimension, name, count)
            classes = self._lags[minute]
            for parcel in parcels:
                lag_ms = max(0.0, (now_ns - parcel.payload.received_ns) / 1e6)
                classes[round(_STEPS * math.log10(1.0 + lag_ms))] += max(1, parcel.items)

    def rejected(self, sender: Sender, rejections: Sequence[Rejection]) -> None:
        """Spans or records were turned away."""
        at = datetime.fromtimestamp(sender.received_ns / 1e9, UTC)
        with self._lock:
            minute = self._minute()
            for one in rejections:
                self._add(minute, "all", "", Count(rejected=one.count))
                if one.service:
                    self._add(minute, "service", one.service, Count(rejected=one.count))
                row = RejectedSpan(
                    received_at=at,
                    kind=sender.kind,
                    trace_id=one.trace_id[:64],
                    span_id=one.span_id[:64],
                    service=one.service[:200],
                    reason=one.reason[:1000],
                    user_agent=sender.agent[:200],
                    transport=sender.transport,
                    count=one.count,
                )
                self._list(minute, row)

    def drain(self) -> dict[Key, Count]:
        """What was counted since the last call: the whole of each minute and name that has changed."""
        with self._lock:
            changed = {key: self._counts[key] for key in self._changed}
            self._changed.clear()
            oldest = self._minute() - KEPT_MINUTES
            self._counts = {key: count for key, count in self._counts.items() if key[0] >= oldest}
            for minute in [minute for minute in self._lags if minute < oldest]:
                del self._lags[minute]
            for minute in [minute for minute in self._listed if minute < oldest]:
                del self._listed[minute]
            for name in [name for name in self._names if name[0] < oldest]:
                del self._names[name]
            return changed

    def restore(self, changed: dict[Key, Count]) -> None:
        """What `drain` handed over could not be kept: hand it over again next time."""
        with self._lock:
            for key, count in changed.items():
                self._counts.setdefault(key, count)
            self._changed.update(changed)

    def recent(self) -> dict[Key, Count]:
        """All that was counted in the last minutes, kept or not."""
        with self._lock:
            return dict(self._counts)

    def drain_rejected(self) -> tuple[RejectedSpan, ...]:
        """What was turned away since the last call."""
        with self._lock:
            rows = tuple(self._rejected.values())
            self._rejected.clear()
            return rows

    def restore_rejected(self, rows: Sequence[RejectedSpan]) -> None:
        """What `drain_rejected` handed over could not be kept."""
        with self._lock:
            for row in rows:
                self._list(self._minute(), row)

    def lag_ms(self, share: float, minutes: int = 5) -> float | None:
        """The lag that this share of the spans of the last minutes kept within; None without any."""
        with self._lock:
            newest = self._minute()
            classes: dict[int, int] = defaultdict(int)
            for minute, found in self._lags.items():
                if minute > newest - minutes:
                    for step, spans in found.items():
                        classes[step] += spans
        left = share * sum(classes.values())
        for step in sorted(classes):
            left -= classes[step]
            if left <= 0:
                return float(10 ** (step / _STEPS) - 1.0)
        return None

    def spans_per_s(self) -> float:
        """Spans and records acknowledged in the last minute or so."""
        now = self._clock().timestamp()
        minute, since = divmod(now, 60.0)
        with self._lock:
            this = self._counts.get((int(minute), "all", ""), Count())
            last = self._counts.get((int(minute) - 1, "all", ""), Count())
        share = 1.0 - since / 60.0
        return (this.spans + this.records + share * (last.spans + last.records)) / 60.0

    def _minute(self) -> int:
        return int(self._clock().timestamp() // 60)

    def _add(self, minute: int, dimension: str, name: str, count: Count) -> None:
        key = (minute, dimension, name[:200])
        if key not in self._counts:
            if self._names[minute, dimension] >= _NAMES:
                key = (minute, dimension, OTHERS)
            else:
                self._names[minute, dimension] += 1
        self._counts[key] = self._counts.get(key, Count()).plus(count)
        self._changed.add(key)

    def _list(self, minute: int, row: RejectedSpan) -> None:
        """Add a row; beyond a number of them in a minute, to the sum of those that share its reason."""
        self._listed[minute] += 1
        if self._listed[minute] > _REJECTED:
            at = datetime.fromtimestamp(60 * minute, UTC)
            row = replace(row, trace_id="", span_id="", received_at=at)
        key = (row.received_at, row.kind, row.trace_id, row.span_id, row.service, row.reason)
        before = self._rejected.get(key)
        self._rejected[key] = replace(row, count=row.count + before.count) if before else row


def normal_key(key: str) -> str:
    """An attribute key with its numbers as `N`: `llm.tools.3.name` and `llm.tools.4.name` are one."""
    return _NUMBER.sub("N", key)


def _look(table: pa.Table, is_log: bool) -> list[tuple[str, str, Count]]:
    """How many rows there are of each service, scope and SDK, and which attributes they have."""
    found: list[tuple[str, str, Count]] = []
    numbered = table.select(["ServiceName", "ScopeName"]).append_column(
        "row", pa.array(range(table.num_rows), pa.int64())
    )
    aggregates: Any = [("row", "min"), ("row", "count")]
    for group in numbered.group_by(["ServiceName", "ScopeName"]).aggregate(aggregates).to_pylist():
        rows = group["row_count"]
        count = Count(records=rows) if is_log else Count(spans=rows)
        resource = dict(table["ResourceAttributes"][group["row_min"]].as_py() or ())
        found.append(("service", group["ServiceName"] or "", count))
        found.append(("scope", group["ScopeName"] or "", count))
        sdk = " ".join(
            str(resource.get(f"telemetry.sdk.{part}", "")) for part in ("name", "language", "version")
        )
        if sdk.strip():
            found.append(("sdk", sdk.strip(), count))
    column = table["LogAttributes" if is_log else "SpanAttributes"]
    for chunk in column.chunks:
        found += _keys(chunk, is_log)
    return found


def _keys(attributes: Any, is_log: bool) -> list[tuple[str, str, Count]]:
    """How often each attribute occurs; what was repaired, and how much was redacted."""
    found: list[tuple[str, str, Count]] = []
    for item in pc.value_counts(attributes.keys).to_pylist():
        key, rows = item["values"], item["counts"]
        count = Count(records=rows) if is_log else Count(spans=rows)
        if key == REPAIRED:
            found.append(("repaired", "", count))
        elif key == REDACTED:
            is_it: Any = pc.is_in(attributes.keys, pa.array([REDACTED]))
            values = attributes.items.filter(is_it).to_pylist()
            redactions = sum(int(value) for value in values if value and value.isdigit())
            found.append(("redacted", "", Count(records=redactions)))
        elif key:
            found.append(("key", normal_key(key), count))
    return found
