"""What judging has cost so far."""

from __future__ import annotations

from assay.records import Unit, Window
from assay.store.telemetry.connection import Telemetry
from assay.store.telemetry.scope import NEAR, bind_scope


def cost_of_a_score(t: Telemetry, metric: str, version: str, unit: Unit, window: Window) -> float | None:
    """The mean cost of one log that this version of the metric scored; of any version, where it has
    scored none; None without scores."""
    rows = t.query(
        "SELECT avgIfOrNull(cost_usd, metric_version = {version:String}) AS own, avgOrNull(cost_usd) AS any "
        "FROM scores FINAL WHERE metric = {metric:String} AND kind != 'human' AND fate = 'scored' "
        f"AND {NEAR}",
        bind_scope(unit, window, metric=metric, version=version),
    ).to_pylist()
    own: float | None = rows[0]["own"]
    of_any: float | None = rows[0]["any"]
    return own if own is not None else of_any
