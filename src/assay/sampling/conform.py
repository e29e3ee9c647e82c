"""What every policy must keep to, checked on logs that are made up: for the tests of those who write one."""

from __future__ import annotations

import json
from collections import Counter
from datetime import date
from typing import Any, Final

import numpy as np
import pyarrow as pa

from assay.errors import PluginError
from assay.records import Stage
from assay.sampling.base import MIN_PROBABILITY, Chances, Day, Parameters, Policy
from assay.sampling.tally import Tally

DAY: Final = date(2026, 5, 4)
LOGS: Final = 200


def check_policy(policy: Policy, seed: int = 0) -> None:
    """Raises PluginError, with what is wrong, unless the policy can be drawn from without bias.

    Of a closed day every log must get a chance from 1e-6 to 1, the same whatever logs stand beside it and in
    whatever order, from parameters that survive being kept as JSON; what is fixed must stay. With what
    came before, little or far too much, chances must be the same however the day is cut into batches."""
    rng = np.random.default_rng(seed)
    _check_names(policy)
    for stage in policy.stages:
        logs = _make_logs(policy, stage, rng)
        fixed = _fix(policy, stage, logs, {})
        again = _fix(policy, stage, logs.slice(LOGS // 2), fixed)
        if changed := [key for key in fixed if again.get(key) != fixed[key]]:
            _refuse(policy, stage, f"fix() changed what was known: {', '.join(changed)}")
        whole = _chances(policy, stage, logs, fixed)
        order = rng.permutation(LOGS)
        shuffled = _chances(policy, stage, logs.take(order), fixed)
        alone = np.concatenate(
            [_chances(policy, stage, logs.slice(row, 1), fixed).probability for row in range(0, LOGS, 20)]
        )
        if not np.allclose(shuffled.probability, whole.probability[order], rtol=1e-9):
            _refuse(policy, stage, "chances depend on the order in which logs come")
        if not np.allclose(alone, whole.probability[::20], rtol=1e-9):
            _refuse(policy, stage, "a log's chance depends on the logs that stand beside it")
        for before in (0.0, 30.0, 1e5):
            _check_batches(policy, stage, logs, fixed, before)


def _check_batches(policy: Policy, stage: Stage, logs: pa.Table, fixed: Parameters, before: float) -> None:
    """Refuse chances that go by how the logs of a day are cut, where so many came `before`."""
    found = []
    for size in (LOGS, 23, 1):
        tally = _tally(policy, stage, before)
        given = []
        for start in range(0, LOGS, size):
            batch = tally.lay_beside(logs.slice(start, size))
            chances = _chances(policy, stage, batch, fixed)
            tally.add(batch, chances)
            given.append(chances.probability)
        found.append(np.concatenate(given))
    if not all(np.allclose(one, found[0], rtol=1e-6) for one in found[1:]):
        _refuse(policy, stage, f"after {before:g} logs, chances depend on how a day is cut into batches")


def _tally(policy: Policy, stage: Stage, before: float) -> Tally:
    needs = policy.needs(stage)
    return Tally(
        spent=before,
        logs=before,
        groups=dict.fromkeys(policy.groups, before),
        slices=[Counter({f"v{value}": int(before) for value in range(4)}) for _ in needs.slices],
        conditions=dict.fromkeys(needs.counted, before),
    )


def _check_names(policy: Policy) -> None:
    if not policy.name or policy.unit not in ("conversation", "interaction"):
        _refuse(policy, "judge", f"name {policy.name!r} or unit {policy.unit!r} can't be")
    if not policy.groups or len(set(policy.groups)) < len(policy.groups):
        _refuse(policy, "judge", f"groups must be there, each once, got {policy.groups}")
    if policy.stages not in (("judge",), ("judge", "label")):
        _refuse(policy, "judge", f"stages must be judge, or judge and label, got {policy.stages}")
    if _as_json(policy, dict(policy.definition)) != _as_json(policy, dict(policy.definition)):
        _refuse(policy, "judge", "its definition is another each time: versions would never agree")


def _fix(policy: Policy, stage: Stage, logs: pa.Table, known: Parameters) -> Parameters:
    fixed = policy.fix(stage, Day(day=DAY, logs=logs, known=known))
    return _as_json(policy, dict(fixed))


def _chances(policy: Policy, stage: Stage, logs: pa.Table, fixed: Parameters) -> Chances:
    found = policy.chances(stage, logs, fixed)
    chance, group = found.probability, found.group
    if chance.shape != (logs.num_rows,) or group.shape != (logs.num_rows,):
        _refuse(policy, stage, f"{logs.num_rows} logs got {chance.shape} chances and {group.shape} groups")
    wrong = ~((chance >= MIN_PROBABILITY) & (chance <= 1))
    if wrong.any():
        _refuse(policy, stage, f"a chance must lie in [{MIN_PROBABILITY:g}, 1], got {chance[wrong][0]:g}")
    if ((group < 0) | (group >= len(policy.groups))).any():
        _refuse(
            policy, stage, f"a group must be one of {len(policy.groups)}, got {group.min()} to {group.max()}"
        )
    words = found.explain(np.arange(min(3, logs.num_rows)))
    if len(words) != min(3, logs.num_rows) or not all(words):
        _refuse(policy, stage, f"explain() must say why, of each row: got {words}")
    return found


def _make_logs(policy: Policy, stage: Stage, rng: np.random.Generator) -> pa.Table:
    """Logs with all that the policy asks for, each with a number of its own."""
    needs = policy.needs(stage)
    columns: dict[str, Any] = {"logs": np.ones(LOGS), "log_id": [f"log{row}" for row in range(LOGS)]}
    columns |= {f"when.{name}": rng.random(LOGS) < 0.2 for name in needs.conditions}
    for number in range(len(needs.slices)):
        columns[f"slice.{number}"] = [f"v{value}" for value in rng.integers(0, 4, LOGS)]
    if needs.risk is not None:
        columns["chance"] = rng.beta(0.5, 6, LOGS).clip(1e-4, 1 - 1e-4)
    if needs.cell:
        columns["cell"] = rng.integers(0, 5, LOGS)
    if stage == "label":
        columns["stratum"] = rng.choice(np.array(policy.groups), LOGS).tolist()
    return pa.table(columns)


def _as_json(policy: Policy, given: dict[str, Any]) -> dict[str, Any]:
    try:
        kept: dict[str, Any] = json.loads(json.dumps(given, sort_keys=True, allow_nan=False))
    except (TypeError, ValueError) as error:
        raise PluginError(f"policy {policy.name}: what it keeps is no JSON: {error}") from error
    return kept


def _refuse(policy: Policy, stage: Stage, what: str) -> None:
    raise PluginError(f"policy {policy.name}, stage {stage}: {what}")
