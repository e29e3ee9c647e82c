"""Phoenix: tables of `get_spans_dataframe`, spans of its REST API, and annotations of either.

Attributes are OpenInference's; lists in them are flattened again (`llm.input_messages.0.message.role`).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from assay.errors import FileError
from assay.ingest.exports.basket import (
    Basket,
    event_rows,
    hex_id,
    moment,
    moment_or_none,
    number_of,
    object_of,
    objects_of,
    parsed,
    without_none,
)
from assay.ingest.rows import Row

ID, TRACE = "context.span_id", "context.trace_id"
_PREFIX: Final = "attributes."
_TAKEN: Final = {
    ID,
    TRACE,
    "context",
    "name",
    "span_kind",
    "parent_id",
    "start_time",
    "end_time",
    "status_code",
    "status_message",
    "events",
    "attributes",
    "id",
}
_ANNOTATION: Final = {
    "id",
    "span_id",
    "trace_id",
    "context.span_id",
    "name",
    "annotation_name",
    "annotator_kind",
    "label",
    "score",
    "explanation",
    "result",
    "result.label",
    "result.score",
    "result.explanation",
    "metadata",
    "created_at",
    "updated_at",
    "identifier",
    "source",
    "user_id",
}
_KINDS: Final = {"HUMAN": "human", "LLM": "llm", "CODE": "code"}
_STATUSES: Final = {"OK": "Ok", "ERROR": "Error"}
_ONE_TEXT: Final = re.compile(r"(^|[._])(metadata|variables|parameters|json_schema|arguments)$")
_INSIDE: Final = re.compile(r"^((?:.*[.])?(?:metadata|prompt_template[.]variables))[.](.+)$")
"""Objects that are one JSON text in OpenInference; the REST API flattens some of them."""


def fits(columns: set[str]) -> bool:
    return (
        {ID, TRACE} <= columns
        or {TRACE, "span_kind"} <= columns
        or {"context", "span_kind", "start_time"} <= columns
        or _is_annotation(columns)
    )


def _is_annotation(columns: set[str]) -> bool:
    return "annotator_kind" in columns and bool(columns & {"span_id", "trace_id", ID})


def unknown(columns: set[str]) -> set[str]:
    """Columns that are not taken."""
    if _is_annotation(columns):
        return columns - _ANNOTATION
    return {one for one in columns - _TAKEN if not one.startswith(_PREFIX)}


def take(row: Row, basket: Basket) -> None:
    """Put what the row holds into the basket. Raises FileError where it holds no span."""
    if _is_annotation(set(row.cells)):
        _annotation(row, basket)
        return
    cells = row.cells
    context = object_of(cells.get("context"))
    trace = cells.get(TRACE) or context.get("trace_id")
    span = cells.get(ID) or context.get("span_id")
    if not span and cells.get("name"):
        raise FileError(
            f"row {row.number} has no `{ID}`: that column is the table's index; write it too "
            "(df.reset_index() before to_json or to_csv)",
            row=row.number,
            column=ID,
        )
    status = str(cells.get("status_code") or "").upper()
    trace_id, span_id = hex_id(trace, 32, row.number, TRACE), hex_id(span, 16, row.number, ID)
    attributes = _flattened(_attributes(cells))
    kind = cells.get("span_kind")
    if kind and kind not in ("UNKNOWN", "INTERNAL"):
        attributes.setdefault("openinference.span.kind", str(kind))
    parent = cells.get("parent_id")
    start_ns = moment(cells.get("start_time"), row.number, "start_time")
    basket.span(
        trace_id=trace_id,
        span_id=span_id,
        parent_id=hex_id(parent, 16, row.number, "parent_id") if _says(parent) else "",
        name=str(cells.get("name") or "span"),
        start_ns=start_ns,
        end_ns=moment_or_none(cells.get("end_time"), row.number, "end_time"),
        attributes=attributes,
        scope="phoenix",
        status=_STATUSES.get(status, "Unset"),
        message=str(cells.get("status_message") or ""),
        events=event_rows(cells.get("events"), row.number),
    )
    for place, one in enumerate(objects_of(cells.get("annotations"))):
        if "annotator_kind" in one:
            _annotation(Row(row.number, {"span_id": span_id, "trace_id": trace_id, **one}), basket, place)


def _says(cell: object) -> bool:
    return cell is not None and cell == cell and cell != ""


def _attributes(cells: Mapping[str, Any]) -> dict[str, Any]:
    found = {name[len(_PREFIX) :]: cell for name, cell in cells.items() if name.startswith(_PREFIX)}
    return found or object_of(cells.get("attributes"))


def _flattened(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """Lists and objects as OpenInference flattens them; what is one JSON text there is one here."""
    found: dict[str, Any] = {}
    groups: dict[str, dict[str, Any]] = {}
    for key, value in _leaves(attributes):
        inside = _INSIDE.match(key)
        if inside:
            groups.setdefault(inside[1], {})[inside[2]] = value
        else:
            found[key] = value
    return found | {key: json_like(group) for key, group in groups.items() if key not in found}


def _leaves(attributes: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for key, cell in attributes.items():
        if not _says(cell):
            continue
        if isinstance(cell, str) and ".token_count." in key:  # a table's text of a fraction
            yield key, _whole(number_of(cell))
        elif isinstance(cell, str) and key.endswith("value"):
            yield key, cell
        elif isinstance(cell, str) and _ONE_TEXT.search(key):
            value = parsed(cell)
            yield key, json_like(value) if cell[1:2] == "'" and isinstance(value, dict) else cell
        else:
            yield from _flat(key, parsed(cell))


def _whole(value: Any) -> Any:
    """Numbers of columns that hold none in other rows are read as fractions."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _flat(key: str, value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict) and value and _ONE_TEXT.search(key):
        yield key, json_like(value)
    elif isinstance(value, dict) and value:
        for name, one in value.items():
            yield from _flat(f"{key}.{name}", one)
    elif isinstance(value, list) and any(isinstance(one, dict) for one in value):
        for place, one in enumerate(value):
            yield from _flat(f"{key}.{place}", one)
    elif _says(value):
        yield key, _whole(value)


def json_like(value: object) -> str:
    """JSON as OpenInference's instrumentations write it."""
    return json.dumps(without_none(value), ensure_ascii=False, default=str)


def _annotation(row: Row, basket: Basket, place: int = 0) -> None:
    cells = row.cells
    result = object_of(cells.get("result"))
    span = cells.get("span_id") or cells.get(ID)
    trace = cells.get("trace_id")
    when = cells.get("updated_at") or cells.get("created_at")
    name = cells.get("annotation_name") or cells.get("name")
    if not name:
        raise FileError(f"row {row.number} is an annotation without a name", row=row.number)
    if not (span or trace):
        raise FileError(f"row {row.number} is an annotation of no span", row=row.number, column="span_id")
    said = {
        part: next(
            (one for one in (cells.get(f"result.{part}"), cells.get(part), result.get(part)) if _says(one)),
            None,
        )
        for part in ("label", "score", "explanation")
    }
    kind = str(cells.get("annotator_kind") or "").upper()
    basket.opinion(
        time_ns=moment_or_none(when, row.number, "created_at") or place + 1,
        trace_id=hex_id(trace, 32, row.number, "trace_id") if _says(trace) else "",
        span_id=hex_id(span, 16, row.number, "span_id") if _says(span) else "",
        name=str(name),
        value=said["score"],
        label=str(said["label"] or ""),
        explanation=str(said["explanation"] or ""),
        source=_KINDS.get(kind, "code"),
        rater=str(cells.get("identifier") or cells.get("user_id") or "") if kind == "HUMAN" else "",
        attributes={"phoenix.annotation.metadata": parsed(cells.get("metadata"))},
    )
