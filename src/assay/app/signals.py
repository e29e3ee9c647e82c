"""Signals as people ask for them: how often each was raised, and computed again over history."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from datetime import datetime, timedelta
from typing import Final, Literal

from assay.app.parts import Parts
from assay.errors import UnknownName
from assay.query import suggest
from assay.records import BackfillReport, Check, Progress, Signal, SignalCount, SignalTable, Window
from assay.store.telemetry.raised import count_raised, newest_facts
from assay.store.telemetry.resignal import recompute

LATELY: Final = timedelta(days=7)
"""How far back prevalence looks, where no range is asked for."""

TRIED: Final = 500
"""Logs on which an examination tries a team's functions."""


def list_signals(parts: Parts, window: Window) -> SignalTable:
    """Every signal with how often it was raised in the window."""
    found = count_raised(parts.telemetry, window)
    faults = parts.raising.faults()
    rows = [
        SignalCount(
            signal=signal,
            made_by=_made_by(signal),
            raised=found.counts.get((signal.unit, signal.name), 0),
            conversations=found.counts.get(("conversation", signal.name), 0),
            fault=faults.get(signal.name),
        )
        for signal, _ in parts.signals
    ]
    return SignalTable(
        window=window,
        interactions=found.logs.get("interaction", 0),
        conversations=found.logs.get("conversation", 0),
        rows=tuple(rows),
    )


def backfill(
    parts: Parts,
    names: tuple[str, ...],
    window: Window,
    progress: Progress,
    turn: Callable[[], AbstractContextManager[None]] = nullcontext,
) -> BackfillReport:
    """Compute these signals again, or all, for every log of the window that has its texts still. Each day is
    a `turn`.

    Raises UnknownName with the nearest known ones."""
    known = [signal.name for signal, _ in parts.signals]
    for name in names:
        if name not in known:
            raise UnknownName(f"no signal `{name}`; {suggest(name, known)}")
    wanted = names or tuple(known)
    for name in wanted:
        parts.raising.forgive(name)
    done = recompute(
        parts.telemetry,
        parts.signals,
        words=parts.words,
        window=window,
        only=frozenset(names) or None,
        made=parts.raising.functions(),
        fault=parts.raising.note,
        turn=turn,
        progress=progress,
    )
    faults = parts.raising.faults()
    return BackfillReport(
        names=wanted,
        logs=done.rows,
        changed=done.changed,
        days=done.days,
        faults=tuple(faults[name] for name in wanted if name in faults),
    )


def lately(everything: Window | None, now: datetime) -> Window:
    """The last days that have logs."""
    end = now if everything is None else everything.end
    return Window(start=end - LATELY, end=end)


def examine_functions(parts: Parts) -> Iterator[Check]:
    """The team's functions, on the newest logs of each unit, and what failed since the server runs."""
    functions = parts.raising.functions()
    for unit, names_of in functions.items():
        for batch in newest_facts(parts.telemetry, unit, TRIED):
            names_of(batch)
    faults = parts.raising.faults()
    for name, fault in faults.items():
        yield Check(
            name=f"signal {name}",
            verdict="fail",
            found=f"{fault.detail} (on {fault.logs:,} logs, which carry no such signal)",
            advice=f"mend it in {_home(parts, name)}, then `assay signals backfill {name}`",
        )
    if functions and not faults:
        yield Check(name="signals", verdict="ok", found=f"{', '.join(sorted(parts.raising.names))} work")


def _home(parts: Parts, name: str) -> str:
    """The file in which the signal is defined."""
    return parts.settings.metrics_file.name if name in parts.raising.names else "assay.toml"


def _made_by(signal: Signal) -> Literal["assay", "expression", "sql", "python"]:
    if not signal.code.startswith("T-"):
        return "assay"
    if signal.sql:
        return "sql"
    return "expression" if signal.expression else "python"
