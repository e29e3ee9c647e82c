"""Logs that somebody picked to be reviewed, beside those that were drawn."""

from __future__ import annotations

from assay.app.parts import Parts
from assay.app.requests import Picked, PickRequest, PicksRequest
from assay.errors import CallerError
from assay.records import Pick
from assay.store.state.picks import add_picks, count_picks, list_picks, remove_picks
from assay.store.telemetry import logs

MOST: int = 10_000
"""Logs in one request: a person reads fewer."""

MOST_NOTE: int = 2_000
"""Characters that say why."""


def pick(parts: Parts, request: PickRequest) -> Picked:
    """Remember settled logs to be reviewed, or forget them again. Raises CallerError for too many, and for
    a long note."""
    if len(request.log_ids) > MOST:
        raise CallerError(f"{len(request.log_ids):,} logs are more than anybody reviews: {MOST:,} at a time")
    if len(request.note) > MOST_NOTE:
        raise CallerError(f"the note has {len(request.note):,} characters; the most is {MOST_NOTE:,}")
    ids, unit, project = list(dict.fromkeys(request.log_ids)), request.unit, parts.project
    if request.remove:
        done, unknown = remove_picks(parts.state, project, unit, ids), 0
    else:
        known = logs.started_of(parts.telemetry, unit, ids)
        mine = [log_id for log_id in ids if log_id in known]
        done = add_picks(parts.state, project, unit, mine, note=request.note, now=parts.clock())
        unknown = len(ids) - len(mine)
    return Picked(changed=done, unknown=unknown, waiting=count_picks(parts.state, project, unit))


def picks(parts: Parts, request: PicksRequest) -> tuple[Pick, ...]:
    """What is picked, the first one first."""
    return tuple(list_picks(parts.state, parts.project, request.unit, limit=request.limit))
