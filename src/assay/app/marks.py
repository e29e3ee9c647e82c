"""What people and other programs said, written down as scores."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final

import pyarrow as pa

from assay.app.parts import Parts
from assay.app.requests import Mark, RecordRequest, Todo, TodoItem, TodoRequest, Written
from assay.errors import CallerError
from assay.metrics.transcript import parts_of, render
from assay.records import MetricInfo, Unit, Window
from assay.runs.fates import SCORES
from assay.store.state import register_metric
from assay.store.state.picks import list_picks
from assay.store.telemetry import logs, scores, selections

BATCH: Final = 1_000
_TOLD: Final = ["metric", "metric_version", "kind", "fate", "log_id", "rater", "value", "explanation"]
VERSIONS: Final = {"human": "human", "judge": "import", "code": "import"}


def record(parts: Parts, request: RecordRequest) -> Written:
    """Write the marks of logs that have settled; count those that have not, or that nobody knows.

    Raises CallerError for a value outside 0 to 1, and where the metric has another unit or goal."""
    for mark in request.marks:
        if not 0.0 <= mark.value <= 1.0:
            raise CallerError(
                f"metric {request.metric}, log {mark.log_id[:100]!r}: a value lies between 0 and 1, "
                f"not {mark.value:g}"
            )
    info = _info(parts, request)
    known = _known(parts, info.unit, request.marks)
    rows = [_redacted(parts, mark) for mark in request.marks if mark.log_id in known]
    register_metric(parts.state, parts.project, info, {"source": request.source}, now=parts.clock())
    new = _changed(parts, info, rows, known)
    if new:
        scores.insert_scores(parts.telemetry, _table(parts, info, request, new, known))
    return Written(
        rows=len(rows),
        unknown=len(request.marks) - len(rows),
        outside_sample=_outside(parts, info, {mark.log_id: known[mark.log_id] for mark in rows}),
    )


def _redacted(parts: Parts, mark: Mark) -> Mark:
    """The mark with nothing in its comment that is not to be kept."""
    if parts.redactor is None or not mark.comment:
        return mark
    return replace(mark, comment=parts.redactor.text(mark.comment))


def todo(parts: Parts, request: TodoRequest, window: Window) -> Todo:
    """The logs drawn for people that nobody has labelled, each as a transcript."""
    info = parts.info(request.metric)
    ids = (_picked if request.picked else _drawn)(parts, info, window)[: request.limit]
    found = {log.log_id: log for log in logs.read_logs(parts.telemetry, info.unit, ids)}
    metric = parts.metrics.get(info.name)
    question = str(metric.definition.get("criteria", "")) if metric is not None else ""
    return Todo(
        metric=info.name,
        question=" ".join((question or info.target or info.name).split()),
        items=tuple(
            TodoItem(log_id=key, unit=info.unit, transcript=render(parts_of(found[key]), "#"))
            for key in ids
            if key in found and not found[key].expired
        ),
    )


def _drawn(parts: Parts, info: MetricInfo, window: Window) -> list[str]:
    waiting = scores.to_label(parts.telemetry, parts.question(info, window))
    return [str(log_id) for log_id in waiting["log_id"].to_pylist()]


def _picked(parts: Parts, info: MetricInfo, window: Window) -> list[str]:
    """What somebody picked, the first one first, whenever it began."""
    picked = [one.log_id for one in list_picks(parts.state, parts.project, info.unit)]
    begun = logs.started_of(parts.telemetry, info.unit, picked)
    told: set[str] = set()
    for some in _batches(begun):
        for row in scores.scores_of(parts.telemetry, info.unit, some).select(_TOLD).to_pylist():
            if (row["metric"], row["kind"], row["fate"]) == (info.name, "human", "scored"):
                told.add(row["log_id"])
    return [log_id for log_id in picked if log_id in begun and log_id not in told]


def _info(parts: Parts, request: RecordRequest) -> MetricInfo:
    """The identity under which the marks are kept: people answer the machine metric's question."""
    machine = parts.infos().get(request.metric)
    unit = request.unit or (machine.unit if machine else "conversation")
    if machine is not None:
        if machine.unit != unit:
            raise CallerError(
                f"metric {request.metric} is about {machine.unit}s, these are about {unit}s; "
                f"name another metric, or give --unit {machine.unit}"
            )
        if request.goal is not None and request.goal != machine.goal:
            raise CallerError(
                f"metric {request.metric}: its good end is {machine.goal!r}, not {request.goal!r}; "
                f"turn the values round, or name another metric"
            )
    return MetricInfo(
        name=request.metric,
        version=VERSIONS[request.kind],
        kind=request.kind,
        unit=unit,
        goal=machine.goal if machine else request.goal or "high",
        target=machine.target if machine else "",
    )


def _outside(parts: Parts, info: MetricInfo, begun: Mapping[str, datetime]) -> int:
    """How many of these labelled logs the metric's policy did not draw for people."""
    if info.kind != "human":
        return 0
    if not parts.is_drawn(info):
        return len(begun)
    policy, drawn = parts.policy_of(info).name, set()
    for some in _batches(begun):
        for one in selections.selections_of(parts.telemetry, info.unit, some):
            if one.policy == policy and one.stage == "label" and one.selected:
                drawn.add(one.log_id)
    return len(set(begun) - drawn)


def _known(parts: Parts, unit: Unit, marks: tuple[Mark, ...]) -> Mapping[str, datetime]:
    """When each of the marked logs started, of those that have their facts."""
    return logs.started_of(parts.telemetry, unit, [mark.log_id for mark in marks])


def _batches(begun: Mapping[str, datetime]) -> Iterator[dict[str, datetime]]:
    """The logs in time order, some at a time."""
    entries = sorted(begun.items(), key=lambda entry: entry[1])
    for start in range(0, len(entries), BATCH):
        yield dict(entries[start : start + BATCH])


def _changed(
    parts: Parts, info: MetricInfo, marks: Sequence[Mark], begun: Mapping[str, datetime]
) -> list[Mark]:
    """The marks that say something else than what is written down: the others keep their time."""
    said: set[tuple[str, str, float, str]] = set()
    for some in _batches({mark.log_id: begun[mark.log_id] for mark in marks}):
        found = scores.scores_of(parts.telemetry, info.unit, some)
        said.update(
            (row["log_id"], row["rater"], row["value"], row["explanation"])
            for row in found.select(_TOLD).to_pylist()
            if (row["metric"], row["metric_version"], row["kind"], row["fate"])
            == (info.name, info.version, info.kind, "scored")
        )
    return [mark for mark in marks if (mark.log_id, _rater(info, mark), mark.value, mark.comment) not in said]


def _rater(info: MetricInfo, mark: Mark) -> str:
    return (mark.rater or "unnamed") if info.kind == "human" else ""


def _table(
    parts: Parts,
    info: MetricInfo,
    request: RecordRequest,
    marks: list[Mark],
    started: Mapping[str, datetime],
) -> pa.Table:
    now = parts.clock()
    return pa.Table.from_pylist(
        [
            {
                "metric": info.name,
                "metric_version": info.version,
                "kind": info.kind,
                "unit": info.unit,
                "log_id": mark.log_id,
                "started": started[mark.log_id],
                "fate": "scored",
                "value": mark.value,
                "category": "",
                "explanation": mark.comment,
                "reason": "",
                "cost_usd": 0.0,
                "latency_ms": 0.0,
                "rater": _rater(info, mark),
                "model": request.source if info.kind != "human" else "",
                "simulated": int(request.simulated),
                "run_id": "",
                "scored_at": now,
            }
            for mark in marks
        ],
        schema=SCORES,
    )
