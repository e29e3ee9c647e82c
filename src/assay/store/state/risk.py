"""Models of risk: what foretold a metric's failures, from which logs, for which days."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select

from assay.store.state.connection import State
from assay.store.state.tables import RISK_MODELS
from assay.store.state.versions import ensure_project, insert_once


@dataclass(frozen=True, slots=True, kw_only=True)
class RiskModel:
    """One version of what foretells a metric's failures, learned from logs begun before `known_until`."""

    metric: str
    version: str
    fitted_at: datetime
    known_until: datetime
    definition: Mapping[str, Any]


def keep_risk(state: State, project: str, model: RiskModel) -> None:
    """Remember the model. A version that is known stays as it is."""
    values = {
        "project": project,
        "metric": model.metric,
        "version": model.version,
        "fitted_at": model.fitted_at,
        "known_until": model.known_until,
        "definition": dict(model.definition),
    }
    with state.write() as connection:
        ensure_project(connection, project, model.fitted_at)
        insert_once(connection, RISK_MODELS, values)


def find_risk(
    state: State, project: str, metric: str, *, until: datetime | None = None, version: str = ""
) -> RiskModel | None:
    """That version of the metric's model, or the newest that knows of no log begun after `until`."""
    table = RISK_MODELS
    query = select(table).where(table.c.project == project, table.c.metric == metric)
    if version:
        query = query.where(table.c.version == version)
    if until is not None:
        query = query.where(table.c.known_until <= until)
    query = query.order_by(table.c.known_until.desc(), table.c.fitted_at.desc(), table.c.version).limit(1)
    with state.read() as connection:
        row = connection.execute(query).one_or_none()
    if row is None:
        return None
    return RiskModel(
        metric=row.metric,
        version=row.version,
        fitted_at=row.fitted_at,
        known_until=row.known_until,
        definition=row.definition,
    )
