"""The parts that questions about a policy's logs share: which logs, and what was decided of them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final, NamedTuple

from assay.records import MetricInfo, Stage, Unit, Window
from assay.store.telemetry.condition import EARLIEST, LATEST

DRIFT: Final = timedelta(days=1)
"""How far a log's start may move after a decision or score was written down: an earlier span came
late. Rows of decisions and scores are looked for this much around a window of logs."""

BY_DAY: Final = "SETTINGS do_not_merge_across_partitions_select_final = 1"
"""Rows of one key lie in one day: a day that is merged to one part is read as it stands."""

LOGS: Final = (
    "signals FINAL WHERE unit = {unit:String} "
    "AND started >= {start:DateTime64(6, 'UTC')} AND started < {end:DateTime64(6, 'UTC')}"
)
NEAR: Final = (
    "unit = {unit:String} "
    "AND started >= {near_start:DateTime64(6, 'UTC')} AND started < {near_end:DateTime64(6, 'UTC')}"
)


def decided(stage: Stage, some: str = "") -> str:
    """What a policy decided of each log at a stage (see `JUDGE`), of all or of `some`."""
    return (
        "(SELECT log_id, argMax(s.policy_version, s.occasion) AS policy_version, "
        "toString(argMax(s.stratum, s.occasion)) AS stratum, "
        "if(count() = 1, any(s.probability), 1 - exp(sum(log1p(-s.probability)))) AS probability, "
        "max(s.selected) AS selected, min(if(s.selected, s.draw / s.probability, 1)) AS turn "
        f"FROM selections AS s FINAL WHERE policy = {{policy:String}} AND stage = '{stage}' AND {NEAR}{some} "
        "GROUP BY log_id)"
    )


JUDGE: Final = decided("judge")
"""What a policy decided of each log, one row whatever number of occasions it had: the newest decision's
version and stratum, whether it was `selected` on any, with what `probability` on all of them together
(1 - prod(1 - p)), and its `turn` among those selected, uniform over [0, 1)."""

LABEL: Final = decided("label")
"""The same of the stage for people."""

MACHINE: Final = (
    "scores FINAL WHERE metric = {metric:String} AND kind = {kind:String} "
    f"AND (kind = 'human' OR metric_version = {{metric_version:String}}) AND {NEAR}"
)
"""Rows of one version of a metric. People answer a question, not a version of its judge."""

HUMAN: Final = f"scores FINAL WHERE metric = {{metric:String}} AND kind = 'human' AND {NEAR}"

OUTCOME: Final = (
    "SELECT log_id, "
    "if(countIf(fate = 'scored') > 0, 'scored', toString(argMax(fate, scored_at))) AS outcome, "
    "avgIf(value, fate = 'scored') AS outcome_value, max(simulated) AS outcome_simulated "
    f"FROM {MACHINE} GROUP BY log_id"
)
"""What became of each log: one row however many people answered, scored if any of them did."""


class Question(NamedTuple):
    """One version of a metric, over the logs of a window that a policy decides on."""

    info: MetricInfo
    policy: str
    window: Window

    def bind(self) -> dict[str, Any]:
        """The values that the parts above leave open."""
        info = self.info
        named = {"metric": info.name, "metric_version": info.version, "kind": info.kind}
        return bind_scope(info.unit, self.window, policy=self.policy, **named)


def bind_scope(unit: Unit, window: Window, **others: str) -> dict[str, Any]:
    """The values that the parts above leave open, and `others` by their names."""
    start, end = window.start.astimezone(UTC), window.end.astimezone(UTC)
    start, end = max(start, EARLIEST + DRIFT), min(end, LATEST - DRIFT)
    return {
        "unit": unit,
        "start": start,
        "end": end,
        "near_start": start - DRIFT,
        "near_end": end + DRIFT,
        **others,
    }


def bind_around(unit: Unit, begun: Mapping[str, datetime]) -> dict[str, Any]:
    """The values of `NEAR` for these logs by when they began, with their ids as `log_ids`."""
    window = Window(start=min(begun.values(), default=EARLIEST), end=max(begun.values(), default=EARLIEST))
    return bind_scope(unit, window) | {"log_ids": list(begun)}
