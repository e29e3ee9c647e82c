"""Requests get their vectors; a log's nearest ones are found by them."""

from __future__ import annotations

import logging
from dataclasses import replace

from assay.app.parts import Parts
from assay.app.requests import NeighboursRequest
from assay.app.views import told
from assay.discovery.apply import embed_logs
from assay.discovery.endpoint import EndpointEmbedder
from assay.errors import OutsideError, UnknownName
from assay.records import EmbedReport, Neighbour, Neighbourhood, Progress, Unit, no_progress
from assay.store.telemetry import logs
from assay.store.telemetry.embeddings import nearest
from assay.store.telemetry.timeline import read_lines

log = logging.getLogger(__name__)

PAID_BATCH = 512
"""What an endpoint has answered is written down before so much more is asked of it."""

BATCH = 4_000
PASS = 10_000
"""Logs embedded before others that wait for their turn may have it."""


def units(parts: Parts) -> tuple[Unit, ...]:
    """The logs that get a vector: conversations, and whatever else policies draw."""
    drawn = {policy.unit for policy in parts.policies.values()}
    return ("conversation", "interaction") if "interaction" in drawn else ("conversation",)


def embed(parts: Parts, limit: int | None, progress: Progress = no_progress) -> EmbedReport:
    """Embed what has no vector yet: all of it, or one pass of at most `limit` logs.

    Raises OutsideError where an endpoint can't be asked."""
    done = _pass(parts, PASS if limit is None else limit, progress)
    while limit is None and done.waiting:
        more = _pass(parts, PASS, _counted_from(done.embedded, progress))
        generation = more.generation or done.generation
        done = replace(more, embedded=done.embedded + more.embedded, generation=generation)
    return done


def try_to_embed(parts: Parts, progress: Progress) -> None:
    """A pass for a step that goes on without: its logs then have no cell, and are told apart less."""
    try:
        _pass(parts, PASS, progress)
    except OutsideError as error:
        log.warning("requests could not be embedded, so `diverse` knows less of them: %s", error)


def _pass(parts: Parts, limit: int, progress: Progress) -> EmbedReport:
    if parts.embedder is None:
        return EmbedReport(model="")
    paid = isinstance(parts.embedder, EndpointEmbedder)
    return embed_logs(
        parts.telemetry,
        parts.embedder,
        units(parts),
        memory=parts.embedded,
        limit=limit,
        batch=PAID_BATCH if paid else BATCH,
        progress=progress,
    )


def _counted_from(before: int, progress: Progress) -> Progress:
    return lambda step, done, total: progress(step, before + done, total)


def neighbours(parts: Parts, request: NeighboursRequest) -> Neighbourhood:
    """The logs nearest in meaning, or why none can be told. Raises UnknownName where there is no such log."""
    unit, log_id = request.unit, request.log_id
    if parts.embedder is None:
        reason = 'embeddings are off: `embedder = "off"` in [embeddings] of assay.toml'
        return Neighbourhood(unit=unit, log_id=log_id, model="", reason=reason)
    model = parts.embedder.model
    found = nearest(parts.telemetry, unit, log_id, model, request.limit)
    reason = "" if found else "nothing is like it yet" if found is not None else _missing(parts, unit, log_id)
    near_logs = told(parts, unit, [near.row for near in found or ()])
    rows = tuple(
        Neighbour(log=row, similarity=near.similarity, alike=near.alike)
        for row, near in zip(near_logs, found or (), strict=True)
    )
    return Neighbourhood(unit=unit, log_id=log_id, model=model, rows=rows, reason=reason)


def _missing(parts: Parts, unit: Unit, log_id: str) -> str:
    if not _is_known(parts, unit, log_id):
        raise UnknownName(f"no {unit} `{log_id[:100]}`")
    if unit not in units(parts):
        return f"{unit}s have no vectors: no policy draws them"
    return "its request has no vector: it came in just now (`assay embed` makes them), or says nothing"


def _is_known(parts: Parts, unit: Unit, log_id: str) -> bool:
    """Whether there is such a log, settled or not."""
    if logs.started_of(parts.telemetry, unit, [log_id]):
        return True
    if unit == "interaction":
        return bool(read_lines(parts.telemetry, (log_id,), 1))
    return logs.conversation_detail(parts.telemetry, log_id) is not None
