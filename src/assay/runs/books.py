"""The books of a run: which log met which fate, handed on before they can be lost."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from datetime import datetime

import pyarrow as pa

from assay.errors import AssayError
from assay.records import Failure, MetricInfo, Progress, RunReport
from assay.runs.fates import Result, Stamp, to_table

Sink = Callable[[pa.Table], None]

_BATCH = 256
_EVERY_S = 2.0


class Books:
    """Takes results, hands them to the sink in batches, and gives up when all goes wrong.

    A `trouble` is a result that speaks against the endpoint or the metric rather than of the log.
    While nothing but troubles come in, they are held back: another result makes failures of them;
    after `give_up_after` in a row they are dropped, so that the logs stay to be done."""

    def __init__(
        self,
        *,
        info: MetricInfo,
        run_id: str,
        simulated: bool,
        sink: Sink,
        now: Callable[[], datetime],
        progress: Progress,
        total: int | None,
        give_up_after: int,
    ) -> None:
        self._info, self._run_id, self._simulated = info, run_id, simulated
        self._sink, self._now, self._progress, self._total = sink, now, progress, total
        self._give_up_after = give_up_after
        self._begun = self._flushed = time.monotonic()
        self._waiting: list[Result] = []
        self._troubles: list[Result] = []
        self._fates: Counter[str] = Counter()
        self._reasons: Counter[str] = Counter()
        self.notes: dict[str, None] = {}

    def add(self, result: Result) -> None:
        """Book a result that says something of its log."""
        self._settle_troubles()
        self._book(result)
        self.flush_if_due()

    def add_trouble(self, result: Result, error: AssayError) -> None:
        """Hold a result back that may be nobody's fault but the endpoint's or the metric's.

        Raises the error when there have been too many in a row."""
        self._troubles.append(result)
        if len(self._troubles) >= self._give_up_after:
            self.drop_troubles()
            raise error
        self.flush_if_due()

    @property
    def succeeded(self) -> bool:
        """Whether any log has been scored or skipped."""
        return self._fates["scored"] + self._fates["skipped"] > 0

    def drop_troubles(self) -> None:
        """Leave the logs of the troubles to be done another time."""
        self._troubles = []

    def flush_if_due(self) -> None:
        """Hand on what waits when it is enough, or has waited long enough."""
        if len(self._waiting) >= _BATCH or time.monotonic() - self._flushed >= _EVERY_S:
            self.flush()

    def flush(self) -> None:
        """Hand on what waits. What the sink raises passes; the rows are then not handed on again."""
        self._flushed = time.monotonic()
        waiting, self._waiting = self._waiting, []
        if waiting:
            stamp = Stamp(
                info=self._info, run_id=self._run_id, simulated=self._simulated, scored_at=self._now()
            )
            self._sink(to_table(waiting, stamp))
        self._progress(f"evaluate {self._info.name}", self._fates.total(), self._total)

    def close(self, spent_usd: float) -> RunReport:
        """Book all that is left and draw the line."""
        self._settle_troubles()
        self.flush()
        return RunReport(
            run_id=self._run_id,
            metric=self._info.name,
            metric_version=self._info.version,
            todo=self._fates.total(),
            scored=self._fates["scored"],
            failed=self._fates["failed"],
            skipped=self._fates["skipped"],
            over_budget=self._fates["over_budget"],
            cost_usd=spent_usd,
            seconds=time.monotonic() - self._begun,
            failures=dict(self._reasons.most_common()),
            notes=tuple(self.notes),
        )

    def _settle_troubles(self) -> None:
        troubles, self._troubles = self._troubles, []
        for result in troubles:
            self._book(result)

    def _book(self, result: Result) -> None:
        self._fates[result.fate] += 1
        if isinstance(result.outcome, Failure):
            self._reasons[result.outcome.reason] += 1
        self._waiting.append(result)
