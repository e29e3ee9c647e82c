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
    now: datetime,
) -> None:
    """Fix the day's parameters, or what is to be added to them: what is fixed already stays as it is."""
    key = {"project": project, "policy": policy, "version": version, "stage": stage, "day": day}
    with state.write() as connection:
        ensure_project(connection, project, now)
        if insert_once(connection, POLICY_DAYS, key | {"parameters": dict(parameters), "fixed_at": now}):
            return
        here = _key(project, policy, version, stage, day)
        known = connection.execute(select(POLICY_DAYS.c.parameters).where(*here)).scalar_one()
        connection.execute(update(POLICY_DAYS).where(*here).values(parameters={**parameters, **known}))


def _key(project: str, policy: str, version: str, stage: str, day: date) -> tuple[Any, ...]:
    columns = POLICY_DAYS.c
    return (
        columns.project == project,
        columns.policy == policy,
        columns.version == version,
        columns.stage == stage,
        columns.day == day,
    )
