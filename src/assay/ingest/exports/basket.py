"""What the rows of an export gave: spans in their product's own attributes, and opinions of them."""

from __future__ import annotations

import ast
import json
import re
from base64 import b64decode
from binascii import Error as NoBase64
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any, Final, NamedTuple, cast

import msgspec
import pyarrow as pa

from assay.errors import FileError
from assay.ingest.cells import time_ns_of
from assay.ingest.columns import (
    LOG_SCHEMA,
    Attributes,
    EventRow,
    LinkRow,
    Origin,
    SpanRow,
    Text,
    spans_table,
)
from assay.ingest.options import Mark
from assay.ingest.values import Plain, float_text, plain_text
from assay.records import USERS_OWN, MetricKind

EVALUATION: Final = "gen_ai.evaluation.result"
SCOPE: Final = "assay.import"

_HEX: Final = re.compile(r"(?:0x)?[0-9a-f]+", re.IGNORECASE)
_LONGEST_LITERAL: Final = 2**20
_FAR_NS: Final = 2**63 - 1


class OpinionMark(NamedTuple):
    """An opinion that is taken as a label: what was said of the interaction `log_id`."""

    metric: str
    log_id: str
    value: float
    rater: str
    comment: str


class Basket:
    """Collects what a few rows gave; `labels` names the opinions that become labels, by metric."""

    def __init__(self, labels: Sequence[Mark] = (), service: str = "") -> None:
        self._labels = {mark.column: mark.metric for mark in labels}
        self._service = service
        self._origins: dict[tuple[str, str, tuple[tuple[str, str], ...]], int] = {}
        self._spans: list[SpanRow] = []
        self._records: list[dict[str, Any]] = []
        self.marks: dict[MetricKind, list[OpinionMark]] = {}
        self.weight_bytes = 0
        self.unscaled: dict[str, int] = {}

    @property
    def size(self) -> int:
        return len(self._spans) + len(self._records)

    def span(
        self,
        *,
        trace_id: str,
        span_id: str,
        parent_id: str = "",
        name: str,
        start_ns: int,
        end_ns: int | None,
        attributes: Mapping[str, object],
        resource: Mapping[str, object] | None = None,
        scope: str = "",
        status: str = "Unset",
        message: str = "",
        events: Sequence[EventRow] = (),
        links: Sequence[LinkRow] = (),
    ) -> None:
        """A span; ids in lower hex. Attributes that are None, "" or empty are left out."""
        told = texts_of(attributes)
        self.weight_bytes += 200 + sum(len(key) + len(text) for key, text in told.items())
        end = start_ns if end_ns is None else max(start_ns, end_ns)
        self._spans.append(
            SpanRow(
                start_ns,
                trace_id,
                span_id,
                parent_id,
                "",
                name,
                "Internal",
                self._origin(scope, resource or {}),
                cast("Attributes", told),
                end - start_ns,
                status,
                message,
                events,
                links,
            )
        )

    def opinion(
        self,
        *,
        time_ns: int,
        trace_id: str,
        span_id: str = "",
        name: str,
        value: object = None,
        label: str = "",
        explanation: str = "",
        source: str = "code",
        rater: str = "",
        attributes: Mapping[str, object] | None = None,
    ) -> None:
        """What a person (`human`), a judge (`llm`) or a program (`code`) said of a trace or span: a log
        record, as evaluations travel in OpenTelemetry; or a label, where that was asked for.
        What no name tells to be users' own is reviewers' (`annotator`)."""
        number = number_of(value)
        metric = self._labels.get(name)
        if metric is not None and trace_id:
            if number is not None and 0 <= number <= 1:
                kind: MetricKind = "human" if source == "human" else "judge" if source == "llm" else "code"
                self.marks.setdefault(kind, []).append(
                    OpinionMark(metric, trace_id, number, rater, explanation)
                )
                return
            self.unscaled[name] = self.unscaled.get(name, 0) + 1
        if source == "human" and not re.search(USERS_OWN, name):
            source = "annotator"
        told = texts_of(
            {
                "event.name": EVALUATION,
                "gen_ai.evaluation.name": name,
                "gen_ai.evaluation.score.value": "" if number is None else float_text(number),
                "gen_ai.evaluation.score.label": label,
                "gen_ai.evaluation.explanation": explanation,
                "assay.source": source,
                "assay.rater": rater,
                **(attributes or {}),
            }
        )
        self.weight_bytes += 200 + sum(map(len, told.values()))
        self._records.append(
            {
                "Timestamp": time_ns,
                "TraceId": trace_id,
                "SpanId": span_id,
                "ServiceName": self._service,
                "LogAttributes": list(told.items()),
                "EventName": EVALUATION,
            }
        )

    def tables(self) -> tuple[pa.Table, pa.Table]:
        """The spans and the records, as tables."""
        origins = [Origin(service, dict(resource), scope, "") for service, scope, resource in self._origins]
        return spans_table(self._spans, origins), records_table(self._records)

    def _origin(self, scope: str, resource: Mapping[str, object]) -> int:
        told = texts_of(resource)
        if self._service:
            told["service.name"] = self._service
        key = (told.get("service.name", ""), scope or SCOPE, tuple(told.items()))
        return self._origins.setdefault(key, len(self._origins))


def records_table(rows: Sequence[Mapping[str, Any]]) -> pa.Table:
    """The rows in the columns of `otel_logs`; what a row does not tell is empty."""
    none: dict[str, Any] = {"TraceFlags": 0, "SeverityNumber": 0, "ScopeName": SCOPE}
    columns = []
    for column in LOG_SCHEMA:
        otherwise: Any = [] if pa.types.is_map(column.type) else none.get(column.name, "")
        values = [row.get(column.name, otherwise) for row in rows]
        if column.name == "Timestamp":
            columns.append(pa.array(values, pa.int64()).view(column.type))
        else:
            columns.append(pa.array(values, column.type))
    return pa.Table.from_arrays(columns, schema=LOG_SCHEMA)


# --- what cells of exports say ---------------------------------------------------------------------


def texts_of(attributes: Mapping[str, object]) -> dict[str, str]:
    """Attributes as text, without those that say nothing."""
    told: dict[str, str] = {}
    for key, value in attributes.items():
        text = attribute_text(value)
        if text:
            told[key] = text
    return told


def attribute_text(value: object) -> str:
    if isinstance(value, str):
        return value if value.isascii() else value.encode("utf-8", "replace").decode()
    if value is None or value != value:  # NaN: how tables without nulls write "none"
        return ""
    if isinstance(value, datetime):
        return (value.replace(tzinfo=UTC) if value.tzinfo is None else value).isoformat()
    if isinstance(value, dict | list):
        return json_text(value) if value else ""
    if isinstance(value, bool | int | float | bytes):
        return plain_text(cast("Plain", value))
    return str(value)


def json_text(value: object) -> str:
    """Structured values as compact JSON; text as it is."""
    if isinstance(value, str):
        return value
    told = without_none(value)
    try:
        return msgspec.json.encode(told).decode()
    except (TypeError, ValueError, UnicodeError, RecursionError):  # half a surrogate pair, odd keys
        text = json.dumps(told, ensure_ascii=False, separators=(",", ":"), default=str)
        return text.encode("utf-8", "replace").decode()


def without_none(value: object) -> object:
    """Columnar files give each object the keys of all: those that say nothing are left out."""
    if isinstance(value, dict):
        return {
            key: without_none(one) if isinstance(one, dict | list) else one
            for key, one in value.items()
            if one is not None
        }
    if isinstance(value, list):
        return [without_none(one) if isinstance(one, dict | list) else one for one in value]
    return value


def parsed(cell: object) -> Any:
    """A list or an object, or the JSON (or Python literal: tables written by pandas) text of one; else
    the cell itself."""
    if not isinstance(cell, str) or cell[:1] not in ("{", "["):
        return cell
    try:
        return json.loads(cell)
    except (ValueError, RecursionError):
        pass
    if len(cell) > _LONGEST_LITERAL:
        return cell
    try:
        value = ast.literal_eval(cell)
    except (ValueError, SyntaxError, RecursionError, MemoryError, TypeError):
        return cell
    return value if isinstance(value, dict | list) else cell


def object_of(cell: object) -> dict[str, Any]:
    value = parsed(cell)
    return value if isinstance(value, dict) else {}


def objects_of(cell: object) -> list[dict[str, Any]]:
    value = parsed(cell)
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def number_of(value: object) -> float | None:
    if isinstance(value, bool):
        return float(value)
    if isinstance(value, str):
        word = value.strip().lower()
        if word in ("true", "false"):
            return float(word == "true")
        try:
            value = float(word)
        except ValueError:
            return None
    if isinstance(value, int | float):
        number = float(value)
        return number if number == number and abs(number) < float("inf") else None
    return None


def hex_id(cell: object, digits: int, row: int, column: str) -> str:
    """An id of OpenTelemetry's length in lower hex: hex as it is, a UUID's leading digits, base64's bytes;
    of any other text its hash, the same each time. Raises FileError where there is none."""
    text = str(cell).strip() if cell is not None and cell == cell else ""
    if not text:
        raise FileError(f"row {row} has no `{column}`", row=row, column=column)
    text = text.removeprefix("tr-")
    plain = text.replace("-", "").lower() if len(text) == 36 else text.lower()
    if _HEX.fullmatch(plain):
        plain = plain.removeprefix("0x")
        if len(plain) == 32:
            return plain[:digits] if plain.strip("0") else _hashed(text, digits)
        if len(plain) <= digits and plain.strip("0"):
            return plain.rjust(digits, "0")
    if len(text) in (12, 24) and text.endswith("="):
        try:
            raw = b64decode(text, validate=True).hex()
        except (NoBase64, ValueError):
            raw = ""
        if len(raw) == digits and raw.strip("0"):
            return raw
    return _hashed(text, digits)


def _hashed(text: str, digits: int) -> str:
    return sha256(text.encode("utf-8", "backslashreplace")).hexdigest()[:digits]


def moment(cell: object, row: int, column: str) -> int:
    """Nanoseconds since 1970. Raises FileError where there is none."""
    found = moment_or_none(cell, row, column)
    if found is None:
        raise FileError(f"row {row} has no `{column}`: a span needs its time", row=row, column=column)
    return found


def moment_or_none(cell: object, row: int, column: str) -> int | None:
    if cell is None or cell != cell or cell == "":
        return None
    if isinstance(cell, int) and not isinstance(cell, bool) and 10**17 < cell <= _FAR_NS:
        return cell  # nanoseconds, exact
    if isinstance(cell, str) and cell.isdigit() and len(cell) == 19 and int(cell) <= _FAR_NS:
        return int(cell)
    if isinstance(cell, str) and (nanoseconds := _fraction(cell)):
        return nanoseconds
    return time_ns_of(cell, row, column)


_FINE: Final = re.compile(r"(\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d)[.](\d{7,9})(Z|[+-]\d\d:?\d\d)?")


def _fraction(text: str) -> int | None:
    """A time with nanoseconds, which Python's datetime would cut."""
    found = _FINE.fullmatch(text.strip())
    if not found:
        return None
    try:
        when = datetime.fromisoformat(found[1] + (found[3] or "+00:00"))
    except ValueError:
        return None
    return int(when.timestamp()) * 10**9 + int(found[2].ljust(9, "0"))


def event_rows(cells: object, row: int) -> list[EventRow]:
    """Span events in the shapes that exports write: {name, timestamp or time_unix_nano, attributes}."""
    rows = []
    for one in objects_of(cells):
        when = one.get("time_unix_nano") or one.get("timestamp") or one.get("time")
        attributes = texts_of(object_of(one.get("attributes")))
        rows.append(
            EventRow(
                moment_or_none(when, row, "events") or 0,
                str(one.get("name") or "event"),
                cast("Mapping[Text, Text]", attributes),
            )
        )
    return rows
