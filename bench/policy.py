"""What deciding costs: a million conversations at once, and live, pass by pass.

    python -m bench.policy FOLDER [--logs 1000000] [--days 10] [--fresh 500]

Logs are made inside the store, with texts of about 300 characters, signals and versions; some of the
first day are scored, so that the model has words to weigh. Three policies decide them all: one of two
strata with sizes, one of all kinds of parts, and the same drawn systematically. Then, on a day of its
own, a live pass decides `--fresh` conversations at a time that have just settled, beside all the others, and
finally nothing. The yardstick of the whole is what the store takes to draw a hash of each log's id and to
write a row about it, without any policy; all figures are processor time."""

from __future__ import annotations

import argparse
import os
import shutil
import time
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any, Final

from bench.tree import Watch

from assay.query import parse
from assay.records import MetricInfo, SampleReport, Severity, Window
from assay.sampling import Policy, Risk, Sources, apply_new, apply_policy, load_policy
from assay.sampling.risk import load, ready
from assay.store.state import State, open_state
from assay.store.telemetry.connection import Telemetry, open_telemetry

FIRST: Final = datetime(2026, 5, 1, tzinfo=UTC)
RESOLVED: Final = MetricInfo(name="resolved", version="v1", kind="judge", unit="conversation")
SEVERITIES: Final[dict[str, Severity]] = {"refusal": "medium", "frustrated": "high", "error": "high"}
WORDS: Final = (
    "arrayStringConcat(arrayMap(i -> concat('w', toString(intDiv(cityHash64(n, i, {part}), 1000) % 4000)), "
    "range(48)), ' ')"
)
LOGS: Final = (
    "INSERT INTO signals (unit, log_id, conversation_id, started, ended, service, version, user_id, model, "
    "turns, spans, llm_calls, errors, latency_ms, input_tokens, output_tokens, cost_usd, input, output, "
    "signals, computed_at) SELECT 'conversation', id, id, at, at, 'chat', "
    "concat('v', toString(toUInt8(cityHash64(n, 1) % 1000 < 3))), toString(n % 9000), 'm', "
    "1 + n % 7, 3, 2, cityHash64(n, 2) % 50 = 0, n % 9000, n % 700, n % 300, n % 100 / 1000., "
    + WORDS.format(part=3)
    + ", "
    + WORDS.format(part=4)
    + ", arrayFilter((name, i) -> cityHash64(n, i, 5) % 20 = 0, ['refusal', 'frustrated', 'error'], "
    "[1, 2, 3]), {computed:DateTime64(6, 'UTC')} FROM (SELECT number + {first:UInt64} AS n, "
    "concat('c', lower(hex(sipHash128(n)))) AS id, "
    "addMilliseconds({base:DateTime64(6, 'UTC')}, (n % {each:UInt64}) * 86000000 / {each:UInt64}) AS at "
    "FROM numbers({count:UInt64}))"
)
SCORES: Final = (
    "INSERT INTO scores (metric, metric_version, kind, unit, log_id, started, fate, value, scored_at) "
    "SELECT 'resolved', 'v1', 'judge', unit, log_id, started, 'scored', "
    "NOT has(signals, 'frustrated') AND cityHash64(log_id) % 10 > 0, computed_at FROM signals "
    "WHERE toDate(started) = {day:Date} AND cityHash64(log_id, 7) % 50 = 0"
)
YARDSTICK: Final = (
    "INSERT INTO selections (policy, stage, unit, log_id, started, draw, decided_at) "
    "SELECT 'yardstick', 'judge', unit, log_id, started, reinterpretAsUInt64(reverse(substring(SHA256("
    "concat('yardstick:judge:', log_id)), 1, 8))) / 18446744073709551616, computed_at FROM signals FINAL "
    "WHERE unit = 'conversation' AND toDate(started) = {day:Date}"
)
PARTS: Final[list[dict[str, Any]]] = [
    {"kind": "exhaustive", "when": "signal.error and signal.frustrated", "at_most": 40},
    {"kind": "uniform", "share": 0.3},
    {"kind": "importance", "share": 0.5},
    {"kind": "rare", "by": "version", "at_least": 10},
    {"kind": "diverse", "share": 0.1},
    {"kind": "stratified", "share": 0.3, "strata": [{"name": "long", "when": "turns > 5"}]},
]
TROUBLE: Final = {"name": "trouble", "when": "signal.frustrated", "size": 60, "label_size": 10}
POLICIES: Final[dict[str, dict[str, Any]]] = {
    "strata": {"size": 140, "label_size": 30, "strata": [TROUBLE]},
    "parts": {"budget": 200, "label_budget": 30, "parts": PARTS},
    "systematic": {"budget": 200, "label_budget": 30, "parts": PARTS, "draw": "systematic"},
}


def make(t: Telemetry, count: int, days: int) -> None:
    each = count // days
    for day in range(days):
        base = FIRST + timedelta(days=day)
        params = {"base": base, "computed": base + timedelta(days=1), "each": each, "count": each}
        t.command(LOGS, params | {"first": day * each})
    t.command(SCORES, {"day": FIRST.date()})
    t.command("OPTIMIZE TABLE signals FINAL")


def sources_of(t: Telemetry, state: State) -> Sources:
    models: dict[tuple[date, str], Risk] = {}

    def risk(metric: str, day: date, version: str) -> Risk | None:
        if (day, version) not in models:
            kept = load(state, "bench", "resolved", day, version) if version else None
            models[day, version] = kept or ready(t, state, "bench", RESOLVED, SEVERITIES, day, FIRST)
        return models[day, version]

    return Sources(risk=risk, metric=lambda name: RESOLVED)


def used(work: Callable[[], Any]) -> tuple[Any, float]:
    """What it gives, and the seconds of processor time of all threads."""
    began = time.process_time()
    result = work()
    return result, time.process_time() - began


def at_once(t: Telemetry, sources: Sources, count: int, days: int) -> None:
    window = Window(start=FIRST, end=FIRST + timedelta(days=days))
    now = window.end + timedelta(hours=1)

    def yardstick() -> None:
        for day in range(days):
            t.command(YARDSTICK, {"day": (FIRST + timedelta(days=day)).date()})

    _, base_s = used(yardstick)
    print(
        f"{'yardstick: hash, draw, write':<32}{base_s:>8.1f} s{1e6 * base_s / count:>8.1f} us a log",
        flush=True,
    )
    for name, settings in POLICIES.items():
        policy = load_policy(name, settings)
        for again in ("", ", again"):
            with Watch(os.getpid(), every_s=1.0) as watch:
                done, cpu_s = used(partial(apply_policy, t, policy, window, parse, now, sources=sources))
            drawn = sum(stratum.judge for stratum in done.strata)
            print(
                f"{name + again:<32}{cpu_s:>8.1f} s{1e6 * cpu_s / count:>8.1f} us a log"
                f"{cpu_s / base_s:>7.1f}x{watch.rss_mb:>8,.0f} MB  {done.decided:,} decided, {drawn:,} drawn",
                flush=True,
            )


def live(t: Telemetry, sources: Sources, count: int, days: int, fresh: int, passes: int = 12) -> None:
    day = FIRST + timedelta(days=days)
    for name in ("strata", "parts"):
        policy, took, nothing = load_policy(f"live_{name}", POLICIES[name]), [], []
        for number in range(passes):
            step = number + passes * (name == "parts")
            settled, first = day + timedelta(minutes=10 * (step + 1)), count + step * fresh
            params = {"base": day, "computed": settled, "each": 1000 * fresh, "count": fresh, "first": first}
            t.command(LOGS, params)
            done, cpu_s = used(partial(_pass, t, policy, settled, sources))
            if number:
                assert done.decided >= fresh, done
                took.append(1e3 * cpu_s / fresh)
            _, idle_s = used(partial(_pass, t, policy, settled + timedelta(minutes=1), sources))
            nothing.append(1e3 * idle_s)
        print(
            f"live, {name}: {median(took):.2f} ms a conversation in passes of {fresh} "
            f"(most {max(took):.2f}); a pass with nothing to do {median(nothing):.0f} ms",
            flush=True,
        )


def _pass(t: Telemetry, policy: Policy, now: datetime, sources: Sources) -> SampleReport:
    return apply_new(t, policy, parse, now, sources=sources)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("--logs", type=int, default=1_000_000)
    parser.add_argument("--days", type=int, default=10)
    parser.add_argument("--fresh", type=int, default=500)
    given = parser.parse_args()
    shutil.rmtree(given.folder, ignore_errors=True)
    given.folder.mkdir(parents=True)
    t = open_telemetry(f"chdb://{given.folder / 'telemetry'}")
    state = open_state(f"sqlite:///{given.folder / 'state.db'}")
    began = time.monotonic()
    try:
        make(t, given.logs, given.days)
        print(f"{given.logs:,} logs in {time.monotonic() - began:.0f} s", flush=True)
        sources = sources_of(t, state)
        at_once(t, sources, given.logs, given.days)
        live(t, sources, given.logs, given.days, given.fresh)
    finally:
        t.close()
        state.close()


if __name__ == "__main__":
    main()
