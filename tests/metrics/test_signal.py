"""Signals that are Python functions over many logs at once."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pytest

import assay
from assay.errors import MetricError
from assay.metrics.load import load_team
from assay.metrics.signal import BatchSignal, facts_of, to_facts, try_out

HEAD = "import assay\nimport pyarrow.compute as pc\n"


def load(folder: Path, text: str) -> dict[str, BatchSignal]:
    path = folder / "metrics.py"
    path.write_text(HEAD + text, encoding="utf-8")
    return load_team(path).signals


@assay.signal(severity="high")
def shouts(batch: pa.RecordBatch) -> object:
    """The user writes in capitals only.

    And more that nobody reads in a list."""
    return pc.match_substring_regex(batch.column("input"), "^[A-Z !?]{4,}$")


def test_a_function_of_many_logs_is_a_signal() -> None:
    signal = shouts.signal
    assert (signal.code, signal.name, signal.unit, signal.severity) == (
        "T-shouts",
        "shouts",
        "interaction",
        "high",
    )
    assert (signal.meaning, signal.expression, signal.sql) == ("The user writes in capitals only", "", "")
    batch = facts_of([{"input": "HELP ME"}, {"input": "help me"}, {"input": "NO"}])
    assert shouts.raised(batch).to_pylist() == [True, False, False]
    assert shouts(batch).to_pylist() == [True, False, False]
    try_out(shouts)


def test_facts_come_as_texts_floats_times_and_a_map() -> None:
    started = datetime(2026, 11, 1, tzinfo=UTC)
    batch = facts_of([{"turns": 2, "started": started, "attributes": [("tier", "gold")]}])
    assert batch.schema.field("turns").type == pa.float64()
    (row,) = batch.to_pylist()
    assert (row["turns"], row["started"], dict(row["attributes"])) == (2.0, started, {"tier": "gold"})
    assert (row["feedback"], row["input"], row["errors"]) == (None, "", 0.0)


def test_rows_of_the_store_are_widened_and_counted_together() -> None:
    plain = facts_of([{"input": "hi"}])
    stored: dict[str, Any] = {name: plain.column(name) for name in plain.schema.names if name != "tokens"}
    stored["input_tokens"] = pa.array([40], pa.uint64())
    stored["output_tokens"] = pa.array([2], pa.uint64())
    stored["service"] = pa.array(["shop"]).dictionary_encode()
    stored["unit"] = pa.array(["interaction"])
    (row,) = to_facts(pa.RecordBatch.from_pydict(stored)).to_pylist()
    assert (row["tokens"], row["service"]) == (42.0, "shop")
    assert "unit" not in row


@pytest.mark.parametrize(
    "returned", ["[None, True, False][: batch.num_rows]", "pc.greater(batch['feedback'], 1)"]
)
def test_unknown_is_no(tmp_path: Path, returned: str) -> None:
    (found,) = load(tmp_path, f"@assay.signal()\ndef own(batch):\n    return {returned}\n").values()
    assert found.raised(facts_of([{}, {}, {}])).null_count == 0


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("def own(batch):\n    return batch['inptu']\n", ":5: .*inptu"),
        ("def own(batch):\n    return limit\n", ":5: NameError: name 'limit'"),
        ("def own(batch):\n    return batch['turns']\n", "array of double: return one boolean a row"),
        ("def own(batch):\n    return True\n", "returned bool: return one boolean a row"),
        ("def own(batch):\n    return [True]\n", "returned 1 values for 0 rows"),
        ("def own(batch):\n    return [t[9] == 'x' for t in batch['input'].to_pylist()]\n", ":5: IndexError"),
        ("def own():\n    return []\n", "must take one argument"),
        ("async def own(batch):\n    return []\n", "must be a plain function"),
        ("own = 3\n", "invalid syntax"),
    ],
)
def test_a_wrong_one_is_refused_when_it_is_loaded(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(MetricError, match=says):
        load(tmp_path, f"@assay.signal()\n{text}")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"unit": "span"}, 'unit must be "conversation" or "interaction"'),
        ({"severity": "huge"}, "severity must be one of info, low, medium, high"),
        ({"name": "has space"}, "letters, digits and underscores"),
    ],
)
def test_a_wrong_definition_is_refused_at_once(arguments: Any, says: str) -> None:
    with pytest.raises(MetricError, match=re.escape(says)):
        assay.signal(**{"name": "own", **arguments})(lambda batch: [])


def test_two_of_one_name_are_refused(tmp_path: Path) -> None:
    twice = "@assay.signal()\ndef own(batch):\n    return [False] * batch.num_rows\n"
    with pytest.raises(MetricError, match="own was defined before, in line 4"):
        load(tmp_path, twice + twice)
    with pytest.raises(MetricError, match="two signals are named own"):
        load(tmp_path, twice + twice.replace("def own", "def other").replace("()", '(name="own")', 1))


def test_metrics_and_signals_stand_in_one_file(tmp_path: Path) -> None:
    path = tmp_path / "metrics.py"
    path.write_text(
        HEAD + "@assay.metric()\ndef one(log):\n    return True\n"
        "@assay.signal(unit='conversation')\ndef own(batch):\n    return pc.greater(batch['turns'], 2)\n"
    )
    team = load_team(path)
    assert (list(team.metrics), list(team.signals)) == (["one"], ["own"])
    assert team.signals["own"].raised(facts_of([{"turns": 3}, {"turns": 2}])).to_pylist() == [True, False]
