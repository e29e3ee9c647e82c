"""Loading a team's metrics, and its signals, from a Python file."""

from __future__ import annotations

import ast
import importlib
import linecache
import sys
import traceback
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

from assay.errors import MetricError
from assay.metrics.base import Check, Judge, Metric
from assay.metrics.code import CodeMetric, Origin
from assay.metrics.signal import BatchSignal, try_out
from assay.metrics.source import fingerprint
from assay.records import MetricInfo


class Team(NamedTuple):
    """What a team's file defines, by name, in its order."""

    metrics: dict[str, Metric]
    signals: dict[str, BatchSignal]


def load_metrics(path: Path) -> dict[str, Metric]:
    """The metrics of the file, as `load_team` finds them."""
    return load_team(path).metrics


def load_team(path: Path) -> Team:
    """Run the file and collect the metrics and signals that stand at its top level; signals are tried
    out with made-up logs.

    While it runs, files beside it can be imported. Raises MetricError with file and line."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise MetricError(f"{path} can't be read: {error}; project.metrics in assay.toml names it") from error
    return _load(str(path.resolve()), text, trying=True)


def revive(path: str, text: str, name: str) -> Metric:
    """The metric of that name in a file that had this text: how it arrives in another process.

    There, files beside it stay importable, for functions that import when they are called."""
    folder = str(Path(path).parent)
    if folder not in sys.path:
        sys.path.insert(0, folder)
    module = sys.modules.get(_module_name(path, text))
    return (_load(path, text) if module is None else _collect(module, path, text)).metrics[name]


def find(module: str, name: str) -> Metric:
    """The metric that an importable module has under this name."""
    found: object = importlib.import_module(module)
    for part in name.split("."):
        found = getattr(found, part)
    if not isinstance(found, Metric):
        raise MetricError(f"{module}.{name} is {type(found).__name__}, not a metric")
    return found


def _load(path: str, text: str, *, trying: bool = False) -> Team:
    name = _module_name(path, text)
    module = ModuleType(name)
    module.__file__ = path
    # Tracebacks, and the versions of the metrics, must see the very text that runs.
    linecache.cache[path] = (len(text), None, text.splitlines(keepends=True), path)
    before = sys.modules.get(name)
    sys.modules[name] = module
    folder = str(Path(path).parent)
    sys.path.insert(0, folder)
    try:
        exec(compile(text, path, "exec", dont_inherit=True), module.__dict__)  # noqa: S102 - the team's own file
        _refuse_repeats(module, path, text)
        team = _collect(module, path, text)
        for signal in team.signals.values() if trying else ():
            try_out(signal)
        return team
    except BaseException as error:
        sys.modules.pop(name)
        if before is not None:
            sys.modules[name] = before
        if isinstance(error, (Exception, SystemExit)):
            raise _explain(path, error) from error
        raise
    finally:
        if folder in sys.path:
            sys.path.remove(folder)


def _collect(module: ModuleType, path: str, text: str) -> Team:
    metrics: dict[str, Metric] = {}
    signals: dict[str, BatchSignal] = {}
    seen: set[int] = set()
    for value in vars(module).values():
        if id(value) in seen:
            continue
        seen.add(id(value))
        if isinstance(value, BatchSignal):
            if value.name in signals:
                raise MetricError(f"two signals are named {value.name}; rename one")
            signals[value.name] = value
        if not _is_metric(value):
            continue
        name = value.info.name
        if name in metrics:
            raise MetricError(f"two metrics are named {name}; rename one")
        if isinstance(value, CodeMetric) and value.function.__module__ == module.__name__:
            value = replace(value, origin=Origin(path, text))
        metrics[name] = value
    return Team(metrics, signals)


def _is_metric(value: object) -> bool:
    return (
        not isinstance(value, type)
        and isinstance(value, (Check, Judge))
        and isinstance(value.info, MetricInfo)
    )


def _refuse_repeats(module: ModuleType, path: str, text: str) -> None:
    """A second definition under one name hides the first in Python; here that is an error."""
    lines: dict[str, int] = {}
    for node in ast.parse(text, path).body:
        names = [node.name] if isinstance(node, ast.FunctionDef) else []
        if isinstance(node, ast.Assign):
            names = [target.id for target in node.targets if isinstance(target, ast.Name)]
        for name in names:
            value = vars(module).get(name)
            if name in lines and (_is_metric(value) or isinstance(value, BatchSignal)):
                raise MetricError(f"{path}:{node.lineno}: {name} was defined before, in line {lines[name]}")
            lines.setdefault(name, node.lineno)


def _module_name(path: str, text: str) -> str:
    return f"assay_metrics_{fingerprint(path, text)}"


def _explain(path: str, error: BaseException) -> MetricError:
    if isinstance(error, SyntaxError) and error.filename == path:
        return MetricError(f"{path}:{error.lineno}: {error.msg}")
    frames = [f for f in traceback.extract_tb(error.__traceback__) if f.filename == path]
    if isinstance(error, MetricError):
        if str(error).startswith(path):
            return error
        said = str(error)
    else:
        said = f"{type(error).__name__}: {error}"
    where = f"{path}:{frames[-1].lineno}" if frames else path
    return MetricError(f"{where}: {said}")
