"""What `import assay` gives, and what it costs."""

from __future__ import annotations

import subprocess
import sys

import pytest

import assay
from assay.metrics.judge import judge
from assay.records import Log


def loaded_after(code: str) -> set[str]:
    script = f"{code}\nimport sys\nprint(' '.join(name for name in sys.modules))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


HEAVY = {"numpy", "pyarrow", "openai", "chdb", "pydantic", "msgspec", "httpx", "scipy"}


def test_importing_assay_loads_nothing_but_itself() -> None:
    loaded = loaded_after("import assay")
    assert not HEAVY & loaded
    assert {name for name in loaded if name.startswith("assay.")} == set()


def test_defining_metrics_loads_nothing_heavy() -> None:
    code = (
        "import assay\n"
        "assay.metric(name='a', version='1')(lambda log: True)\n"
        "assay.judge('b', criteria='c', model='m')\n"
        "assay.signal(name='c')(lambda batch: [])\n"
    )
    assert not HEAVY & loaded_after(code)


def test_a_worker_loads_nothing_heavy() -> None:
    assert not HEAVY & loaded_after("import assay.runs.worker")


def test_the_names_at_the_root_are_those_of_the_rooms() -> None:
    assert assay.judge is judge
    assert assay.Log is Log
    assert assay.__version__[0].isdigit()
    assert set(assay.__all__) <= set(dir(assay))
    for name in assay.__all__:
        assert getattr(assay, name) is not None


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="metrik"):
        getattr(assay, "metrik")  # noqa: B009 - mypy would not let the typo pass
