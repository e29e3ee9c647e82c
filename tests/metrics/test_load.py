"""Loading a metrics.py, and what its mistakes look like."""

from __future__ import annotations

import pickle
import subprocess
import sys
from pathlib import Path

import pytest
from tests.metrics.logs import make_log

from assay.config.files import init_project
from assay.errors import MetricError
from assay.metrics.base import Check
from assay.metrics.load import load_metrics
from assay.records import Score


def write(folder: Path, text: str) -> Path:
    path = folder / "metrics.py"
    path.write_text(text, encoding="utf-8")
    return path


ONE = """\
import assay
@assay.metric()
def one(log):
    return True
"""


def test_the_file_of_a_new_project_loads(tmp_path: Path) -> None:
    init_project(tmp_path, "mine")
    metrics = load_metrics(tmp_path / "metrics.py")
    assert [metric.info.kind for metric in metrics.values()] == ["code", "judge"]
    assert list(metrics) == ["always_answers", "resolved"]


def test_metrics_come_in_the_order_of_the_file_each_once(tmp_path: Path) -> None:
    text = ONE + 'b = assay.judge("b", criteria="c", model="m")\nagain = b\nLog = assay.Log\n'
    assert list(load_metrics(write(tmp_path, text))) == ["one", "b"]


def test_files_beside_it_can_be_imported_and_the_path_is_left_as_it_was(tmp_path: Path) -> None:
    (tmp_path / "our_limits_of_loading.py").write_text("LIMIT = 1\n", encoding="utf-8")
    before = list(sys.path)
    text = "from our_limits_of_loading import LIMIT\n" + ONE.replace("True", "LIMIT")
    metric = load_metrics(write(tmp_path, text))["one"]
    assert isinstance(metric, Check)
    assert metric.score(make_log()) == Score(value=1.0)
    assert sys.path == before


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        ("import assay\n\ndef f(:\n", 3, "invalid syntax"),
        ("import assay\nassay.nothing\n", 2, "nothing"),
        ("x = 1\nraise SystemExit('bye')\n", 2, "bye"),
        ('import assay\n\nassay.judge("a b", criteria="c", model="m")\n', 3, "a b"),
        ("import assay\n@assay.metric\ndef f(log):\n    return True\n", 2, "metric"),
        (ONE + ONE, 7, "line 3"),
        ('import assay\na = assay.judge("x", criteria="c", model="m")\n' * 2, 4, "line 2"),
    ],
)
def test_mistakes_are_told_with_file_and_line(tmp_path: Path, text: str, line: int, says: str) -> None:
    path = write(tmp_path, text)
    with pytest.raises(MetricError, match=says) as caught:
        load_metrics(path)
    assert str(caught.value).startswith(f"{path}:{line}: ")


def test_two_metrics_of_one_name_are_refused(tmp_path: Path) -> None:
    text = ONE + 'other = assay.judge("one", criteria="c", model="m")\n'
    with pytest.raises(MetricError, match="two metrics are named one"):
        load_metrics(write(tmp_path, text))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(MetricError, match="nowhere"):
        load_metrics(tmp_path / "nowhere.py")


def test_a_file_that_failed_leaves_nothing_behind(tmp_path: Path) -> None:
    modules, path = set(sys.modules), list(sys.path)
    with pytest.raises(MetricError):
        load_metrics(write(tmp_path, "import assay\n1/0\n"))
    assert {name for name in set(sys.modules) - modules if name.startswith("assay_metrics")} == set()
    assert sys.path == path


def test_another_process_runs_the_text_that_was_loaded(tmp_path: Path) -> None:
    """Even though the file has been changed meanwhile."""
    path = write(tmp_path, ONE.replace("True", "0.25"))
    metric = load_metrics(path)["one"]
    sent = pickle.dumps(metric)
    write(tmp_path, ONE.replace("True", "0.75"))
    code = "import sys, pickle; m = pickle.load(sys.stdin.buffer); print(m.info.version, m.score(None).value)"
    done = subprocess.run([sys.executable, "-c", code], input=sent, capture_output=True, check=True)
    assert done.stdout.decode().split() == [metric.info.version, "0.25"]
    assert load_metrics(path)["one"].info.version != metric.info.version


def test_what_cannot_travel_says_so() -> None:
    import assay

    @assay.metric()
    def local(log: assay.Log) -> bool:
        return True

    with pytest.raises(MetricError, match="top of a file"):
        pickle.dumps(local)
