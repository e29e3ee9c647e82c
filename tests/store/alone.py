"""A process of its own for a test that needs a store of its own: one process can open only one."""

from __future__ import annotations

import inspect
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

TESTS = Path(__file__).resolve().parents[1]
RUN = """
import importlib.util, json, sys, types
tests = sys.modules["tests"] = types.ModuleType("tests")
tests.__path__ = [sys.argv[1]]
spec = importlib.util.spec_from_file_location("alone_test", sys.argv[2])
module = sys.modules["alone_test"] = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)
print(json.dumps(getattr(module, sys.argv[3])(*json.loads(sys.argv[4]))))
"""


def alone(function: Callable[..., Any], *arguments: Any) -> Any:
    """What the function of a test module answers, as JSON values, in a new process."""
    given = [str(TESTS), inspect.getfile(function), function.__name__, json.dumps(arguments)]
    ran = subprocess.run(
        [sys.executable, "-W", "error", "-c", RUN, *given],
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    return json.loads(ran.stdout.strip().splitlines()[-1])
