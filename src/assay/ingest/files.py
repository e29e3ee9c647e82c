"""Files of conversations or interactions: a row each, checked whole before anything is written."""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from assay.errors import FileError
from assay.ingest.cells import attributes_of, documents_of, mark_of, text_of, time_ns_of
from assay.ingest.columns import Origin, SpanRow, spans_table
from assay.ingest.conversations import Conversation, conversation_spans, trace_id_of
from assay.ingest.messages import Message, read_messages
from assay.ingest.options import TEXTS, ImportOptions, Mark, check_options, parse_columns
from assay.ingest.plan import (
    BYTES_AT_ONCE,
    MARK_SCHEMA,
    MARKS_AT_ONCE,
    SPANS_AT_ONCE,
    Batch,
    Rejected,
)
from assay.ingest.rows import Row, RowFile, open_rows
from assay.ingest.sources import Source, local_source
from assay.records import MetricKind, Progress, Unit, no_progress

DAY_NS = 86_400 * 10**9
_REPORT_ROWS = 1_000
_ROWS_AT_ONCE = 5_000


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportPlan:
    """A file that was read whole and found good, but for the rows in `bad`, which are left out
    (`--skip-bad`). `batches` reads the file again. `unit` is that of labels and scores."""

    file: str
    identity: str
    unit: Unit
    rows: int
    conversations: int
    interactions: int
    spans: int
    bad: frozenset[int] = frozenset()
    format: str = "rows"
    _reader: _Reader
    _notes: tuple[str, ...]

    @property
    def total(self) -> int | None:
        return self.rows + len(self.bad)

    def batches(self, after: int = 0) -> Iterator[Batch]:
        """What comes after the first `after` rows; a row is never in two batches."""
        return self._reader.batches(after, self.bad)

    def marks(self) -> Iterator[tuple[MetricKind, pa.Table]]:
        """The labels (`human`) and scores (`judge`) that the rows hold, in tables of MARK_SCHEMA."""
        return self._reader.marks(self.bad)

    def span_tables(self) -> Iterator[pa.Table]:
        """The spans of all batches."""
        return (batch.spans for batch in self.batches() if batch.spans.num_rows)

    def notes(self) -> tuple[str, ...]:
        """What was left out, and what was made up."""
        return self._notes


def read_file(place: Source | Path, options: ImportOptions, progress: Progress = no_progress) -> ImportPlan:
    """Read and check a file of rows. Importing it again makes the same spans.

    Raises FileError for the first thing that is wrong, with its row and column: then nothing
    is to be written. With `skip_bad` what is wrong with a row leaves that row out alone.
    """
    source = local_source(place) if isinstance(place, Path) else place
    file = open_rows(source)
    return _Reader(source, file, options, check_options(file, options)).plan(progress)


@dataclass(slots=True)
class _Tally:
    """What the first pass counts. Of ids a hash of 8 bytes is kept: a file may have many."""

    rows: int = 0
    interactions: int = 0
    spans: int = 0
    ids: array[int] = field(default_factory=lambda: array("q"))
    numbers: array[int] = field(default_factory=lambda: array("q"))
    talks: array[int] = field(default_factory=lambda: array("q"))
    marks: dict[str, array[int]] = field(default_factory=lambda: {"label": array("q"), "score": array("q")})
    bad: dict[int, str] = field(default_factory=dict)
    textless: int = 0
    undated: int = 0
    untimed: int = 0
    odd_meta: int = 0


class _Reader:
    def __init__(
        self, source: Source, file: RowFile, options: ImportOptions, columns: dict[str, str]
    ) -> None:
        self._source, self._file, self._options, self._columns = source, file, options, columns
        # A day that is over, so that its logs are settled and its sizes are known.
        self._undated_ns = max(source.modified_ns // DAY_NS - 1, 1) * DAY_NS
        marks = (*options.labels, *options.scores)
        self._wanted = {*columns.values(), *(mark.column for mark in marks)}
        # a row of a conversation that is told elsewhere, by several rows, is an interaction
        one_of_many = "conversation_id" in columns and "messages" not in columns
        self._unit: Unit = "interaction" if one_of_many else "conversation"

    def plan(self, progress: Progress) -> ImportPlan:
        tally = _Tally()
        for row in self._file.read(self._wanted):
            self._check(row, tally)
            if tally.rows % _REPORT_ROWS == 0:
                progress("checking", tally.rows, self._file.rows)
        self._refuse_twins(tally)
        if not tally.rows:
            some = f": {next(iter(tally.bad.values()))}" if tally.bad else ""
            raise FileError(f"{self._file.name} has no rows{' that can be imported' if some else ''}{some}")
        progress("checking", tally.rows, tally.rows)
        return ImportPlan(
            file=self._source.name,
            identity=self._source.identity,
            unit=self._unit,
            rows=tally.rows,
            conversations=_distinct(tally.talks),
            interactions=tally.interactions,
            spans=tally.spans,
            bad=frozenset(tally.bad),
            _reader=self,
            _notes=tuple(self._notes(tally)),
        )

    def batches(self, after: int, bad: frozenset[int]) -> Iterator[Batch]:
        self._source.check_unchanged()
        pen = _Pen()
        for row in self._file.read(self._wanted):
            if row.number <= after:
                continue
            if row.number in bad:
                pen.rejected.append(Rejected(row.number, self._reason(row), row.cells))
            else:
                pen.add(conversation_spans(self._conversation(row), pen.origin(self._origin(row))))
            pen.rows = row.number
            if pen.is_full:
                yield pen.batch()
                pen = _Pen()
        if pen.rows:
            yield pen.batch()

    def marks(self, bad: frozenset[int]) -> Iterator[tuple[MetricKind, pa.Table]]:
        kinds: list[tuple[MetricKind, Sequence[Mark]]] = []
        kinds += [("human", self._options.labels)] if self._options.labels else []
        kinds += [("judge", self._options.scores)] if self._options.scores else []
        waiting: dict[MetricKind, list[_Marked]] = {kind: [] for kind, _ in kinds}
        for row in self._file.read(self._wanted) if kinds else ():
            for kind, columns in kinds if row.number not in bad else ():
                waiting[kind] += self._marks(columns, row)
                if len(waiting[kind]) >= MARKS_AT_ONCE:
                    yield kind, _marks_table(waiting[kind])
                    waiting[kind] = []
        for kind, marks in waiting.items():
            if marks:
                yield kind, _marks_table(marks)

    def _reason(self, row: Row) -> str:
        try:
            self._told(row)
        except FileError as error:
            return str(error)
        return f"row {row.number} has the `{self._columns['id']}` of another row"

    def _check(self, row: Row, tally: _Tally) -> None:
        try:
            conversation, labels, scores = self._told(row)
        except FileError as error:
            if not self._options.skip_bad:
                raise
            tally.bad[row.number] = str(error)
            return
        tally.ids.append(_short(conversation.row_id))
        tally.numbers.append(row.number)
        tally.talks.append(_short(conversation.conversation_id))
        tally.rows += 1
        tally.interactions += len(conversation.exchanges)
        tally.spans += len(conversation_spans(conversation, 0))
        for kind, marks in (("label", labels), ("score", scores)):
            tally.marks[kind].extend(_short(f"{mark[0]}\0{mark[1]}") for mark in marks)
        untold = all(one.time_ns is None for one in conversation.messages)
        tally.textless += not any(one.text for one in conversation.messages)
        tally.untimed += untold
        tally.undated += untold and not self._cell(row, "timestamp")
        tally.odd_meta += self._options.keep_meta and not attributes_of(self._cell(row, "meta"))[1]

    def _told(self, row: Row) -> tuple[Conversation, list[_Marked], list[_Marked]]:
        """All that the row says. Raises FileError where it says something wrong."""
        if row.problem is not None:
            raise row.problem
        return (
            self._conversation(row),
            self._marks(self._options.labels, row),
            self._marks(self._options.scores, row),
        )

    def _refuse_twins(self, tally: _Tally) -> None:
        """No two rows may have the same id."""
        if not (suspects := _repeated(tally.ids)):
            return
        first: dict[str, int] = {}
        numbers = set(tally.numbers)
        column = self._columns["id"]
        for row in self._file.read(self._wanted):
            if row.number not in numbers:
                continue
            row_id = self._row_id(row)
            if _short(row_id) in suspects and first.setdefault(row_id, row.number) != row.number:
                error = FileError(
                    f"rows {first[row_id]} and {row.number} have the same `{column}` {row_id[:80]!r}: "
                    "each row needs an id of its own",
                    row=row.number,
                    column=column,
                )
                if not self._options.skip_bad:
                    raise error
                self._take_back(row, tally, str(error))

    def _take_back(self, row: Row, tally: _Tally, reason: str) -> None:
        conversation = self._conversation(row)
        tally.bad[row.number] = reason
        tally.rows -= 1
        tally.interactions -= len(conversation.exchanges)
        tally.spans -= len(conversation_spans(conversation, 0))

    def _cell(self, row: Row, name: str) -> Any:
        column = self._columns.get(name)
        return None if column is None else row.cells.get(column)

    def _origin(self, row: Row) -> tuple[str, str, str]:
        return (
            text_of(self._cell(row, "service")) or self._options.service,
            text_of(self._cell(row, "environment")),
            text_of(self._cell(row, "version")),
        )

    def _conversation(self, row: Row) -> Conversation:
        row_id = self._row_id(row)
        messages = self._messages(row)
        meta, _ = attributes_of(self._cell(row, "meta") if self._options.keep_meta else None)
        return Conversation(
            source=self._options.source,
            row_id=row_id,
            conversation_id=text_of(self._cell(row, "conversation_id")) or row_id,
            messages=messages,
            started_ns=self._started_ns(row, messages),
            user_id=text_of(self._cell(row, "user_id")),
            model=text_of(self._cell(row, "model")),
            context=documents_of(self._cell(row, "context")),
            attributes=meta,
        )

    def _row_id(self, row: Row) -> str:
        row_id = text_of(self._cell(row, "id"))
        if not row_id:
            column = self._columns["id"]
            raise FileError(
                f"row {row.number} has no `{column}`: each row needs an id of its own",
                row=row.number,
                column=column,
            )
        return row_id

    def _messages(self, row: Row) -> list[Message]:
        """The row's messages; `output` is the answer where they end without one and don't hold it."""
        messages = read_messages(self._cell(row, "messages"), row.number, self._columns.get("messages", ""))
        asked, answer = text_of(self._cell(row, "input")), text_of(self._cell(row, "output"))
        if not messages and asked:
            messages = [Message(role="user", text=asked)]
            is_answered = False
        else:
            texts = {one.text.strip() for one in messages}
            is_answered = bool(messages) and (messages[-1].role != "user" or answer.strip() in texts)
        if answer and not is_answered:
            messages.append(Message(role="assistant", text=answer))
        if all(one.role == "system" for one in messages):
            messages.append(Message(role="user", text=""))
        return messages

    def _started_ns(self, row: Row, messages: Sequence[Message]) -> int:
        """The first message's time, else the row's, else a later one's, else the day before the file's."""
        told = [one.time_ns for one in messages if one.time_ns is not None]
        own = time_ns_of(self._cell(row, "timestamp"), row.number, self._columns.get("timestamp", ""))
        if messages[0].time_ns is not None:
            return messages[0].time_ns
        if own is not None:
            return min(own, told[0]) if told else own
        return told[0] if told else self._undated_ns + row.number * 1000

    def _marks(self, marks: Sequence[Mark], row: Row) -> list[_Marked]:
        found = []
        for mark in marks:
            value = mark_of(row.cells.get(mark.column), row.number, mark.column)
            if value is not None:
                row_id = self._row_id(row)
                talk = text_of(self._cell(row, "conversation_id")) or row_id
                of_trace = self._unit == "interaction"
                log_id = trace_id_of(self._options.source, row_id, 0) if of_trace else talk
                found.append((mark.metric, log_id, value))
        return found

    def _notes(self, tally: _Tally) -> Iterator[str]:
        left_out = [f"`{name}`" for name in self._file.columns if name not in self._wanted]
        if left_out:
            yield f"columns left out: {', '.join(left_out)}"
        if not any(name in self._columns for name in TEXTS):
            yield "no column holds text: logs were made for the labels and scores alone"
        elif tally.textless:
            yield f"{tally.textless:,} of {tally.rows:,} rows have no text"
        if tally.undated:
            yield (
                f"{tally.undated:,} of {tally.rows:,} rows have no time: they are taken to be of the UTC day "
                "before the file was last changed"
            )
        if tally.untimed:
            untimed = f"{tally.untimed:,} of {tally.rows:,} rows"
            yield f"{untimed} have no message times: their latency is not known and stored as 0"
        if tally.odd_meta:
            yield f"{tally.odd_meta:,} of {tally.rows:,} rows have a `meta` that is no JSON object: left out"
        for kind, marks in tally.marks.items():
            if twice := len(_repeated(marks)):
                yield f"{twice:,} conversations have more than one {kind} of a metric: the last one counts"


_Marked = tuple[str, str, float]


@dataclass(slots=True)
class _Pen:
    """A batch while it is written."""

    rows: int = 0
    spans: list[SpanRow] = field(default_factory=list)
    origins: dict[tuple[str, str, str], int] = field(default_factory=dict)
    rejected: list[Rejected] = field(default_factory=list)
    size_bytes: int = 0

    @property
    def is_full(self) -> bool:
        many = len(self.spans) >= SPANS_AT_ONCE or len(self.rejected) >= _ROWS_AT_ONCE
        return many or self.size_bytes >= BYTES_AT_ONCE

    def origin(self, key: tuple[str, str, str]) -> int:
        return self.origins.setdefault(key, len(self.origins))

    def add(self, spans: Sequence[SpanRow]) -> None:
        self.spans += spans
        self.size_bytes += sum(200 + sum(map(len, span.attributes.values())) for span in spans)

    def batch(self) -> Batch:
        return Batch(
            rows=self.rows,
            spans=spans_table(self.spans, [_as_origin(*key) for key in self.origins]),
            rejected=tuple(self.rejected),
        )


def _as_origin(service: str, environment: str, version: str) -> Origin:
    named = {
        "service.name": service,
        "deployment.environment.name": environment,
        "service.version": version,
    }
    return Origin(service, {key: text for key, text in named.items() if text}, "assay.import")


def _short(text: str) -> int:
    digest = sha256(text.encode("utf-8", "backslashreplace")).digest()
    return int.from_bytes(digest[:8], "big", signed=True)


def _distinct(hashes: array[int]) -> int:
    return int(pc.count_distinct(pa.array(hashes, pa.int64())).as_py())


def _repeated(hashes: array[int]) -> set[int]:
    """The hashes that are there more than once."""
    if len(hashes) == _distinct(hashes):
        return set()
    ordered = pa.array(hashes, pa.int64()).sort()
    same = pc.equal(ordered.slice(1), ordered.slice(0, len(ordered) - 1))
    return {int(str(one)) for one in ordered.slice(1).filter(same).to_pylist()}


def _marks_table(marks: Sequence[_Marked]) -> pa.Table:
    columns: dict[str, list[Any]] = {
        "metric": [mark[0] for mark in marks],
        "log_id": [mark[1] for mark in marks],
        "value": [mark[2] for mark in marks],
        "rater": [""] * len(marks),
        "comment": [""] * len(marks),
    }
    return pa.Table.from_pydict(columns, schema=MARK_SCHEMA)


__all__ = ["ImportOptions", "ImportPlan", "Mark", "parse_columns", "read_file"]
