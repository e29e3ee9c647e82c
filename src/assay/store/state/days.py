"""From which numbers policies compute the probabilities of a day, once they are fixed."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any

from sqlalchemy import select, update

from assay.store.state.connection import State
from assay.store.state.tables import POLICY_DAYS
from assay.store.state.versions import ensure_project, insert_once


def read_policy_day(
    state: State, project: str, *, policy: str, version: str, stage: str, day: date
) -> Mapping[str, Any]:
    """What is fixed of the day; empty if nothing is."""
    query = select(POLICY_DAYS.c.parameters).where(*_key(project, policy, version, stage, day))
    with state.read() as connection:
        found: Mapping[str, Any] | None = connection.execute(query).scalar_one_or_none()
    return found or {}


def write_policy_day(
    state: State,
    project: str,
    *,
    policy: str,
    version: str,
    stage: str,
    day: date,
    parameters: Mapping[str, Any],
    known: Mapping[str, Any] | None = None,
    now: datetime,
) -> Mapping[str, Any]:
    """Fix the day's parameters, made where `known` were fixed; returns what is fixed now. Where that is
    something else by now, nothing is written: numbers of two makings don't belong together."""
    key = {"project": project, "policy": policy, "version": version, "stage": stage, "day": day}
    with state.write() as connection:
        ensure_project(connection, project, now)
        if insert_once(connection, POLICY_DAYS, key | {"parameters": dict(parameters), "fixed_at": now}):
            return parameters
        here = _key(project, policy, version, stage, day)
        query = select(POLICY_DAYS.c.parameters).where(*here).with_for_update()
        fixed: Mapping[str, Any] = connection.execute(query).scalar_one()
        if fixed != (known or {}):
            return fixed
        kept = {**parameters, **fixed}
        connection.execute(update(POLICY_DAYS).where(*here).values(parameters=kept))
        return kept


def _key(project: str, policy: str, version: str, stage: str, day: date) -> tuple[Any, ...]:
    columns = POLICY_DAYS.c
    return (
        columns.project == project,
        columns.policy == policy,
        columns.version == version,
        columns.stage == stage,
        columns.day == day,
    )
