"""`assay import`: a file of conversations or interactions, checked whole before anything is written."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

import pyarrow as pa

from assay.errors import FileError
from assay.ingest.cells import attributes_of, documents_of, mark_of, text_of, time_ns_of
from assay.ingest.columns import Origin, SpanRow, spans_table
from assay.ingest.conversations import Conversation, conversation_spans, times_of, trace_id_of
from assay.ingest.messages import Message, read_messages
from assay.ingest.options import TEXTS, ImportOptions, Mark, check_options, parse_columns
from assay.ingest.rows import Row, RowFile, open_rows
from assay.records import Progress, Unit, no_progress

SPANS_AT_ONCE = 2_000
DAY_NS = 86_400 * 10**9
_REPORT_ROWS = 1_000

_TYPES: dict[str, pa.DataType] = {
    "metric": pa.string(),
    "unit": pa.string(),
    "log_id": pa.string(),
    "started": pa.timestamp("us", "UTC"),
    "value": pa.float64(),
}
MARK_SCHEMA = pa.schema(_TYPES)


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportPlan:
    """A file that was read whole and found good. Counts, then `labels` and `scores` with the columns
    of MARK_SCHEMA; `span_tables` reads the file again. `unit` is that of labels and scores."""

    file: str
    unit: Unit
    rows: int
    conversations: int
    interactions: int
    spans: int
    labels: pa.Table
    scores: pa.Table
    notes: tuple[str, ...]
    _reader: _Reader

    def span_tables(self) -> Iterator[pa.Table]:
        """The spans in the columns of `otel_traces`, about 2,000 a table, never a row's over two."""
        return self._reader.span_tables()


def read_file(path: Path, options: ImportOptions, progress: Progress = no_progress) -> ImportPlan:
    """Read and check a JSONL, CSV or Parquet file. Importing it again makes the same spans.

    Raises FileError for the first thing that is wrong, with its row and column: then nothing
    is to be written.
    """
    file = open_rows(path)
    reader = _Reader(
        file, options, check_options(file, options), path.stat().st_mtime_ns, path.stat().st_size
    )
    return reader.plan(progress)


@dataclass(slots=True)
class _Tally:
    """What the first pass counts and collects."""

    rows: int = 0
    interactions: int = 0
    spans: int = 0
    ids: dict[bytes, int] = field(default_factory=dict)
    conversations: set[bytes] = field(default_factory=set)
    marks: dict[str, list[tuple[str, str, int, float]]] = field(
        default_factory=lambda: {"label": [], "score": []}
    )
    textless: int = 0
    undated: int = 0
    untimed: int = 0
    odd_meta: int = 0


class _Reader:
    def __init__(
        self,
        file: RowFile,
        options: ImportOptions,
        columns: dict[str, str],
        modified_ns: int,
        size_bytes: int,
    ) -> None:
        self._file, self._options, self._columns = file, options, columns
        self._modified_ns, self._size_bytes = modified_ns, size_bytes
        # A day that is over, so that its logs are settled and its sizes are known.
        self._undated_ns = max(modified_ns // DAY_NS - 1, 1) * DAY_NS
        marks = (*options.labels, *options.scores)
        self._wanted = {*columns.values(), *(mark.column for mark in marks)}
        # a row of a conversation that is told elsewhere, by several rows, is an interaction
        one_of_many = "conversation_id" in columns and "messages" not in columns
        self._unit: Unit = "interaction" if one_of_many else "conversation"

    def plan(self, progress: Progress) -> ImportPlan:
        tally = _Tally()
        for row in self._file.read(self._wanted):
            self._count(row, tally)
            if tally.rows % _REPORT_ROWS == 0:
                progress("checking", tally.rows, None)
        if not tally.rows:
            raise FileError(f"{self._file.path} has no rows")
        progress("checking", tally.rows, tally.rows)
        return ImportPlan(
            file=str(self._file.path),
            unit=self._unit,
            rows=tally.rows,
            conversations=len(tally.conversations),
            interactions=tally.interactions,
            spans=tally.spans,
            labels=_marks_table(tally.marks["label"], self._unit),
            scores=_marks_table(tally.marks["score"], self._unit),
            notes=tuple(self._notes(tally)),
            _reader=self,
        )

    def span_tables(self) -> Iterator[pa.Table]:
        state = self._file.path.stat()
        if (state.st_mtime_ns, state.st_size) != (self._modified_ns, self._size_bytes):
            raise FileError(f"{self._file.path} changed while it was read: import it again")
        origins: dict[tuple[str, str, str], int] = {}
        rows: list[SpanRow] = []
        for row in self._file.read(self._wanted):
            where = origins.setdefault(self._origin(row), len(origins))
            rows += conversation_spans(self._conversation(row), where)
            if len(rows) >= SPANS_AT_ONCE:
                yield spans_table(rows, [_as_origin(*key) for key in origins])
                origins, rows = {}, []
        if rows:
            yield spans_table(rows, [_as_origin(*key) for key in origins])

    def _cell(self, row: Row, name: str) -> Any:
        column = self._columns.get(name)
        return None if column is None else row.cells.get(column)

    def _origin(self, row: Row) -> tuple[str, str, str]:
        return (
            text_of(self._cell(row, "service")),
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

    def _count(self, row: Row, tally: _Tally) -> None:
        conversation = self._conversation(row)
        first = tally.ids.setdefault(_short(conversation.row_id), row.number)
        if first != row.number:
            column = self._columns["id"]
            raise FileError(
                f"rows {first} and {row.number} have the same `{column}` {conversation.row_id[:80]!r}: "
                "each row needs an id of its own",
                row=row.number,
                column=column,
            )
        tally.rows += 1
        tally.conversations.add(_short(conversation.conversation_id))
        tally.interactions += len(conversation.exchanges)
        tally.spans += len(conversation_spans(conversation, 0))
        untold = all(one.time_ns is None for one in conversation.messages)
        tally.textless += not any(one.text for one in conversation.messages)
        tally.untimed += untold
        tally.undated += untold and not self._cell(row, "timestamp")
        tally.odd_meta += self._options.keep_meta and not attributes_of(self._cell(row, "meta"))[1]
        self._mark("label", self._options.labels, row, conversation, tally)
        self._mark("score", self._options.scores, row, conversation, tally)

    def _mark(
        self, kind: str, marks: Sequence[Mark], row: Row, conversation: Conversation, tally: _Tally
    ) -> None:
        for mark in marks:
            value = mark_of(row.cells.get(mark.column), row.number, mark.column)
            if value is not None:
                log_id = (
                    conversation.conversation_id
                    if self._unit == "conversation"
                    else trace_id_of(conversation.source, conversation.row_id, 0)
                )
                started_ns = times_of(conversation.messages, conversation.started_ns)[0]
                tally.marks[kind].append((mark.metric, log_id, started_ns, value))

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
            logs = Counter((metric, log_id) for metric, log_id, _, _ in marks)
            if twice := sum(count > 1 for count in logs.values()):
                yield f"{twice:,} conversations have more than one {kind} of a metric: the last one counts"


def _as_origin(service: str, environment: str, version: str) -> Origin:
    named = {
        "service.name": service,
        "deployment.environment.name": environment,
        "service.version": version,
    }
    return Origin(service, {key: text for key, text in named.items() if text}, "assay.import")


def _short(text: str) -> bytes:
    return sha256(text.encode("utf-8", "backslashreplace")).digest()[:12]


def _marks_table(marks: list[tuple[str, str, int, float]], unit: Unit) -> pa.Table:
    columns: dict[str, list[Any]] = {
        "metric": [mark[0] for mark in marks],
        "unit": [unit] * len(marks),
        "log_id": [mark[1] for mark in marks],
        "started": [mark[2] // 1000 for mark in marks],
        "value": [mark[3] for mark in marks],
    }
    return pa.Table.from_pydict(columns, schema=MARK_SCHEMA)


__all__ = ["ImportOptions", "ImportPlan", "Mark", "parse_columns", "read_file"]
