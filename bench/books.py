"""What it costs to keep the books: a million conversations, decided, one in twenty scored, over 14 days.

    python -m bench.books FOLDER [--logs 1000000]

The rows of facts, decisions, scores and receipts are made inside the store. Then the books of a metric
and of its policy are made by the hour, over all days and over one, whole and with one decision in a
thousand lost. The yardstick is the identity by itself, from the same joins: without receipts, and without
a search for what is missing. All figures are processor time."""

from __future__ import annotations

import argparse
import shutil
import time
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from unittest.mock import patch

from assay.records import MetricInfo, Window
from assay.store.telemetry.accounting import accounting_by_hour, policy_by_hour
from assay.store.telemetry.connection import Telemetry, open_telemetry
from assay.store.telemetry.scope import Question

FIRST = datetime(2026, 5, 1, tzinfo=UTC)
DAYS = 14
INFO = MetricInfo(name="short", version="v1", kind="code", unit="conversation")
SLOWLY = "SETTINGS max_block_size = 16384, max_insert_threads = 1, max_threads = 1"
FACTS = (
    "INSERT INTO signals (unit, log_id, conversation_id, started, ended, turns, computed_at) SELECT "
    "{unit:String}, hex(cityHash64(number, {unit:String})), hex(cityHash64(number, 'conversation')), "
    "{first:DateTime64(6, 'UTC')} + toIntervalMicrosecond(intDiv(number * 86400000000, {logs:UInt64})) "
    "AS at, at, 1, at FROM numbers({logs:UInt64})"
)
STEPS = (
    "INSERT INTO selections (policy, policy_version, stage, unit, log_id, started, stratum, probability, "
    "draw, selected, reason, decided_at) SELECT 'daily', 'v1', 'judge', unit, log_id, started, 'all', 0.05, "
    "cityHash64(log_id) % 1000 / 1000 AS u, u < 0.05, '', started FROM signals WHERE unit = 'conversation' "
    "AND toDate(started) = {day:Date}",
    "INSERT INTO receipts SELECT 'decision', policy, 'judge 0', unit, log_id, started FROM selections "
    "WHERE toDate(started) = {day:Date}",
    "INSERT INTO scores (metric, metric_version, kind, unit, log_id, started, fate, value, scored_at) SELECT "
    "'short', 'v1', 'code', unit, log_id, started, 'scored', 1., started FROM selections "
    "WHERE selected AND toDate(started) = {day:Date}",
    "INSERT INTO receipts SELECT 'score', metric, 'code v1', unit, log_id, started FROM scores "
    "WHERE toDate(started) = {day:Date}",
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--logs", type=int, default=1_000_000)
    asked = parser.parse_args()
    shutil.rmtree(asked.folder, ignore_errors=True)
    with closing(open_telemetry(f"chdb://{asked.folder.resolve()}")) as t:
        fill(t, asked.logs // DAYS)
        every = Window(start=FIRST, end=FIRST + timedelta(days=DAYS))
        last = Window(start=every.end - timedelta(days=1), end=every.end)
        print(f"{asked.logs:,} conversations over {DAYS} days; processor time in seconds")
        for name, window in (("all days", every), ("the last day", last)):
            show(t, name, window)
        t.command("DELETE FROM selections WHERE cityHash64(log_id, 'lost') % 1000 = 0")
        show(t, "all days, 1 decision in 1,000 lost", every)
        sizes = t.query(
            "SELECT table, sum(bytes_on_disk) AS bytes FROM system.parts WHERE active "
            "AND table IN ('signals', 'selections', 'receipts') GROUP BY table ORDER BY table"
        )
        print({row["table"]: f"{row['bytes'] / 1e6:.0f} MB" for row in sizes.to_pylist()})


def fill(t: Telemetry, logs: int) -> None:
    """Every step's rows, a day at a time."""
    for number in range(DAYS):
        first = FIRST + timedelta(days=number)
        for unit in ("conversation", "interaction"):
            t.command(f"{FACTS} {SLOWLY}", {"unit": unit, "first": first, "logs": logs})
        for step in STEPS:
            t.command(f"{step} {SLOWLY}", {"day": first.date()})


def show(t: Telemetry, name: str, window: Window) -> None:
    question = Question(INFO, "daily", window)

    def of_metric() -> int:
        return sum(one.accounting.lost for one in accounting_by_hour(t, question))

    def of_policy() -> int:
        return sum(one.accounting.lost for one in policy_by_hour(t, "daily", "conversation", window))

    whole = "assay.store.telemetry.accounting."
    with (
        patch(f"{whole}is_complete", lambda *_: True),
        patch(f"{whole}missing_by_hour", lambda *_: {}),
    ):
        alone, _ = timed(of_metric)
    for what, make in (("metric", of_metric), ("policy", of_policy)):
        spent, lost = timed(make)
        print(f"  {name}: {what} {spent:.2f} s, {spent / alone:.1f} times the identity alone; {lost:,} lost")


def timed(make: Callable[[], int]) -> tuple[float, int]:
    """The processor time of the second of two runs, and what it found."""
    make()
    begun = time.process_time()
    found = make()
    return time.process_time() - begun, found


if __name__ == "__main__":
    main()
