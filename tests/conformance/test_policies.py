"""Every policy keeps to what makes a sample honest, and what doesn't is told so."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import count
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from assay.errors import PluginError
from assay.records import Stage, Unit
from assay.sampling import Chances, Day, Needs, check_policy, load_policy
from assay.sampling.base import Drawing, FloatArray, Parameters

STRATA = [{"name": "trouble", "when": "errors > 0", "size": 5, "label_size": 2}]
PARTS: list[dict[str, Any]] = [
    {"kind": "exhaustive", "when": "errors > 0", "at_most": 9},
    {"kind": "uniform", "share": 0.3},
    {"kind": "importance", "share": 0.5},
    {"kind": "importance", "name": "unsure", "by": "doubt", "power": 2},
    {"kind": "rare", "by": "version", "at_least": 3},
    {"kind": "rare", "name": "tenants", "by": ["service", 'attr["tenant"]'], "at_least": 3},
    {"kind": "diverse", "share": 0.1},
    {"kind": "stratified", "share": 0.2, "strata": [{"name": "long", "when": "turns > 5"}]},
]
BUILT_IN: dict[str, dict[str, Any]] = {
    "rate": {"rate": 0.1, "label_rate": 0.5},
    "size": {"size": 20, "label_size": 5},
    "strata": {"size": 20, "label_size": 5, "strata": STRATA},
    "budget": {"budget": 20},
    "parts": {"budget": 40, "label_budget": 9, "parts": PARTS},
    "systematic": {"budget": 40, "parts": PARTS, "draw": "systematic"},
    "tiny": {"budget": 1, "parts": PARTS},
    "huge": {"budget": 10**9, "label_budget": 10**9, "parts": PARTS},
}


@pytest.mark.parametrize("name", BUILT_IN)
def test_built_in_policies_conform(name: str) -> None:
    for seed in range(3):
        check_policy(load_policy(name, BUILT_IN[name]), seed)


@dataclass
class Own:
    """The smallest policy that somebody may write: a tenth of everything."""

    chance: float = 0.1
    name: str = "own"
    unit: Unit = "conversation"
    where: str = ""
    drawing: Drawing = "poisson"
    stages: tuple[Stage, ...] = ("judge",)
    groups: tuple[str, ...] = ("all",)

    @property
    def definition(self) -> Mapping[str, Any]:
        return {"chance": self.chance}

    def needs(self, stage: Stage) -> Needs:
        return Needs()

    def fix(self, stage: Stage, day: Day) -> Parameters:
        return dict(day.known) or {"chance": self.chance}

    def chances(self, stage: Stage, logs: pa.Table, parameters: Parameters) -> Chances:
        found: FloatArray = np.full(logs.num_rows, parameters["chance"])
        return Chances(found, np.zeros(logs.num_rows, dtype=int), lambda rows: ["a tenth" for _ in rows])


class Fresh(Own):
    def fix(self, stage: Stage, day: Day) -> Parameters:
        return {"chance": 1 / (10 + day.logs.num_rows)}


class Neighbourly(Own):
    def chances(self, stage: Stage, logs: pa.Table, parameters: Parameters) -> Chances:
        found = super().chances(stage, logs, parameters)
        return found._replace(probability=np.full(logs.num_rows, min(1.0, 5 / logs.num_rows)))


class Ordered(Own):
    def chances(self, stage: Stage, logs: pa.Table, parameters: Parameters) -> Chances:
        found = super().chances(stage, logs, parameters)
        return found._replace(probability=np.linspace(0.1, 0.2, logs.num_rows))


class Hasty(Own):
    """It slows down by what was drawn before the batch, whatever is in it."""

    def chances(self, stage: Stage, logs: pa.Table, parameters: Parameters) -> Chances:
        found = super().chances(stage, logs, parameters)
        spent = logs["spent"][0].as_py() if "spent" in logs.column_names else 0.0
        return found._replace(probability=found.probability / (1 + spent))


class Silent(Own):
    def chances(self, stage: Stage, logs: pa.Table, parameters: Parameters) -> Chances:
        return super().chances(stage, logs, parameters)._replace(explain=lambda rows: ["" for _ in rows])


class Lost(Own):
    def chances(self, stage: Stage, logs: pa.Table, parameters: Parameters) -> Chances:
        found = super().chances(stage, logs, parameters)
        return found._replace(group=np.full(logs.num_rows, 7))


class Restless(Own):
    _counter = count()

    @property
    def definition(self) -> Mapping[str, Any]:
        return {"number": next(self._counter)}


class Unkept(Own):
    def fix(self, stage: Stage, day: Day) -> Parameters:
        return {"chance": self.chance, "what": object()}


def test_a_policy_of_one_s_own_conforms() -> None:
    check_policy(Own())


@pytest.mark.parametrize(
    ("policy", "message"),
    [
        (Own(chance=0.0), "a chance must lie in"),
        (Own(chance=1.5), "a chance must lie in"),
        (Own(chance=float("nan")), "what it keeps is no JSON"),
        (Own(groups=()), "groups must be there"),
        (Own(groups=("a", "a")), "groups must be there, each once"),
        (Own(stages=("label",)), "stages must be judge"),
        (Own(name=""), "name '' or unit"),
        (Fresh(), "fix() changed what was known: chance"),
        (Neighbourly(), "depends on the logs that stand beside it"),
        (Ordered(), "depend on the order"),
        (Hasty(), "after 0 logs, chances depend on how a day is cut into batches"),
        (Silent(), "explain() must say why"),
        (Lost(), "a group must be one of 1, got 7 to 7"),
        (Restless(), "its definition is another each time"),
        (Unkept(), "what it keeps is no JSON"),
    ],
)
def test_what_would_bias_an_answer_is_told(policy: Own, message: str) -> None:
    with pytest.raises(PluginError) as raised:
        check_policy(policy)
    assert message in str(raised.value)
