"""assay: how is your AI application doing with real users, and where should you look next?

What a `metrics.py` needs stands here: `metric`, `judge`, `signal`, `Log`, `Score`, `Failure`, `Skip`. Each is
loaded when it is first asked for, so that `import assay` costs an application next to nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from assay.metrics.code import metric
    from assay.metrics.judge import judge
    from assay.metrics.signal import signal
    from assay.records import Failure, Log, Score, Skip

    __version__: str

__all__ = ["Failure", "Log", "Score", "Skip", "__version__", "judge", "metric", "signal"]

_HOMES = {
    "Failure": "assay.records",
    "Log": "assay.records",
    "Score": "assay.records",
    "Skip": "assay.records",
    "judge": "assay.metrics.judge",
    "metric": "assay.metrics.code",
    "signal": "assay.metrics.signal",
}


def __getattr__(name: str) -> object:
    if name == "__version__":
        from importlib.metadata import version

        return version("assay")
    if name in _HOMES:
        from importlib import import_module

        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'assay' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
