"""An estimate: no number without its doubt."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """A rate in [0, 1] with its interval, or no value, a `reason`, and what would give one.

    `n_seen` logs in the window, of which `n_judged` were scored by the judge or check and
    `n_labelled` by a human, all with a known probability. `n_effective`: the size of the simple
    random sample of human labels that would be as precise. `raw`: the judge's own rate over the
    window, not corrected by any human, where there is one.
    """

    metric: str
    value: float | None
    low: float | None
    high: float | None
    level: float
    method: str
    n_seen: int
    n_judged: int
    n_labelled: int
    n_effective: float | None = None
    reason: str = ""
    labels_needed: int = 0
    simulated: bool = False
    metric_version: str = ""
    raw: Estimate | None = None

    @property
    def known(self) -> bool:
        """Whether there is a value at all."""
        return self.value is not None
