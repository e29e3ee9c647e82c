"""Files come in: their spans and records in pieces that any server takes, then signals, then labels.

Everything that is written may be written again. A note beside the project says how far a file has come,
so that an import that was broken off goes on there."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from assay.app.notes import Notes, Progressed
from assay.app.operations import Operations
from assay.app.requests import LocateRequest, Mark, RecordRequest, SettleRequest, SpansRequest, Telling
from assay.errors import PayloadError
from assay.ingest.files import ImportPlan
from assay.ingest.plan import Batch, Plan, Traces, texts_in
from assay.records import Goal, ImportReport, MetricKind, Progress

PIECE_BYTES: Final = 16 * 2**20
MARKS: Final = 5_000
EXAMPLES: Final = 5
MARGIN: Final = timedelta(hours=1)
MOST_RECENT: Final = 20_000

Reject = Callable[[str, int, str, Any], None]
"""Called with the file, the row, the reason and what the row held."""


@dataclass(slots=True, kw_only=True)
class Importer:
    """One `assay import`. `options_key` tells apart what was asked for; `goal` is that of new metrics;
    conversations are settled once idle for `idle`."""

    project: Operations
    notes: Notes
    options_key: str
    goal: Goal | None
    now: datetime
    reject: Reject
    progress: Progress
    idle: timedelta = timedelta(0)
    restart: bool = False
    _recent: set[str] = field(default_factory=set)
    _reports: dict[str, ImportReport] = field(default_factory=dict)

    def is_begun(self, identity: str) -> bool:
        """Whether an earlier import of the file was broken off."""
        note = None if self.restart else self.notes.read(self._key(identity))
        return note is not None and not note.done

    def finished(self, identity: str) -> Progressed | None:
        """The note of a file that was imported whole, and has not changed since."""
        note = None if self.restart else self.notes.read(self._key(identity))
        return note if note is not None and note.done else None

    def write(self, plan: Plan) -> None:
        """Bring the file's spans and records into the store."""
        key = self._key(plan.identity)
        begun = None if self.restart else self.notes.read(key)
        if begun is None or begun.done:
            begun = Progressed(file=plan.file)
        note, traces, examples = begun, Traces(), list[str]()
        for batch in plan.batches(begun.rows):
            spans, records = self._send(batch)
            for one in batch.rejected:
                self.reject(plan.file, one.row, one.reason, one.cells)
                if len(examples) < EXAMPLES:
                    examples.append(one.reason)
            traces.add(batch.spans)
            self._notice_recent(batch.spans)
            note = replace(
                note,
                rows=batch.rows,
                spans=note.spans + spans,
                records=note.records + records,
                rejected=note.rejected + len(batch.rejected),
            )
            self.notes.write(key, note)
            self.progress(f"import {plan.file}", note.rows, plan.total)
        self._reports[plan.identity] = ImportReport(
            file=plan.file,
            format=plan.format,
            rows=plan.rows if isinstance(plan, ImportPlan) else note.rows,
            conversations=plan.conversations if isinstance(plan, ImportPlan) else None,
            interactions=plan.interactions if isinstance(plan, ImportPlan) else traces.count(),
            spans=note.spans,
            evaluations=note.records,
            rejected=note.rejected,
            examples=tuple(examples),
            resumed=begun.rows,
        )

    def finish(self, plans: Sequence[Plan]) -> list[ImportReport]:
        """Signals for what the files brought; then their labels and scores, since those need logs."""
        if plans:
            self.project.settle(SettleRequest(ended=tuple(sorted(self._recent))), self.progress)
        return [self._mark(plan, self._reports[plan.identity]) for plan in plans]

    def _send(self, batch: Batch) -> tuple[int, int]:
        for piece in pieces(batch.spans, PIECE_BYTES):
            self._deliver("spans", piece)
        records = self._located(batch.records)
        for piece in pieces(records, PIECE_BYTES):
            self._deliver("records", piece)
        return batch.spans.num_rows, records.num_rows

    def _deliver(self, kind: Telling, table: pa.Table) -> None:
        """Send it; in halves where that is more than the server takes at once."""
        try:
            self.project.spans(SpansRequest(arrow=stream_of(table), kind=kind))
        except PayloadError as error:
            if error.http_status != 413 or table.num_rows < 2:
                raise
            half = table.num_rows // 2
            self._deliver(kind, table.slice(0, half))
            self._deliver(kind, table.slice(half))

    def _located(self, records: pa.Table) -> pa.Table:
        """Records that name a span and no trace get the span's trace, where the store has it."""
        lost = records.filter((pc.field("TraceId") == pc.scalar("")) & (pc.field("SpanId") != pc.scalar("")))
        spans = texts_in(lost["SpanId"])
        if not spans:
            return records
        found = self.project.locate(LocateRequest(span_ids=tuple(spans))).traces
        traces = [
            trace or found.get(str(span), "")
            for trace, span in zip(records["TraceId"].to_pylist(), records["SpanId"].to_pylist(), strict=True)
        ]
        place = records.schema.get_field_index("TraceId")
        return records.set_column(place, "TraceId", pa.array(traces, pa.string()))

    def _notice_recent(self, spans: pa.Table) -> None:
        """What ended lately would still count as going on: a file's logs don't."""
        if not spans.num_rows or len(self._recent) >= MOST_RECENT:
            return
        after = pa.scalar(int((self.now - self.idle - MARGIN).timestamp()) * 10**9, pa.int64())
        ends = pc.add(spans["Timestamp"].cast(pa.int64()), spans["Duration"].cast(pa.int64(), safe=False))
        late = texts_in(spans["TraceId"].filter(pc.greater_equal(ends, after)))
        self._recent.update(late[: MOST_RECENT - len(self._recent)])

    def _mark(self, plan: Plan, report: ImportReport) -> ImportReport:
        counts: dict[MetricKind, Counter[str]] = defaultdict(Counter)
        unsettled: Counter[str] = Counter()
        for kind, table in plan.marks():
            for metric, marks in _by_metric(table):
                for start in range(0, len(marks), MARKS):
                    written = self.project.record(
                        RecordRequest(
                            metric=metric,
                            kind=kind,
                            marks=tuple(marks[start : start + MARKS]),
                            unit=plan.unit,
                            goal=self.goal,
                            source=plan.file,
                        )
                    )
                    counts[kind][metric] += written.rows
                    unsettled[f"{'labels' if kind == 'human' else 'scores'} of {metric}"] += written.unknown
        missing = {what: count for what, count in unsettled.items() if count}
        key = self._key(plan.identity)
        if missing:
            self.notes.drop(key)
        else:
            self.notes.write(
                key, Progressed(file=plan.file, rows=report.rows, done=self.now.isoformat(timespec="seconds"))
            )
        scores = counts["judge"] + counts["code"]
        return replace(
            report,
            labels=dict(counts["human"]),
            scores=dict(scores),
            notes=(*plan.notes(), *_left_out(missing)),
        )

    def _key(self, identity: str) -> str:
        return f"{identity}\0{self.options_key}"


def pieces(table: pa.Table, most_bytes: int) -> Iterator[pa.Table]:
    """The table, in parts of about `most_bytes` or of one row."""
    if not table.num_rows:
        return
    if table.nbytes <= most_bytes or table.num_rows == 1:
        yield table
        return
    half = table.num_rows // 2
    yield from pieces(table.slice(0, half), most_bytes)
    yield from pieces(table.slice(half), most_bytes)


def stream_of(table: pa.Table) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return sink.getvalue().to_pybytes()


def _by_metric(table: pa.Table) -> list[tuple[str, list[Mark]]]:
    groups: dict[str, list[Mark]] = defaultdict(list)
    for row in table.to_pylist():
        groups[row["metric"]].append(
            Mark(log_id=row["log_id"], value=row["value"], rater=row["rater"], comment=row["comment"])
        )
    return list(groups.items())


def _left_out(counts: dict[str, int]) -> list[str]:
    return [
        f"{count:,} {what} left out: their logs have not settled yet; import the file again in a while"
        for what, count in counts.items()
    ]
