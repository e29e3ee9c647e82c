"""What `assay signals` prints."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from assay.cli.signals import show_backfill, show_signals
from assay.cli.terminal import out
from assay.records import BackfillReport, Signal, SignalCount, SignalFault, SignalTable, Window

WINDOW = Window(start=datetime(2026, 11, 1, tzinfo=UTC), end=datetime(2026, 11, 8, tzinfo=UTC))
FAULT = SignalFault(name="own", detail="KeyError: \x1b[2J", logs=12, at=WINDOW.start)


def count(code: str, name: str, conversations: int, fault: SignalFault | None = None) -> SignalCount:
    signal = Signal(code=code, name=name, severity="low", meaning="", unit="interaction")
    return SignalCount(
        signal=signal, made_by="assay", raised=conversations, conversations=conversations, fault=fault
    )


@pytest.fixture(autouse=True)
def narrow(monkeypatch: pytest.MonkeyPatch) -> None:
    """A terminal of 80 columns."""
    monkeypatch.setattr(out, "_width", 80)


def test_signals_that_were_raised_come_with_their_share() -> None:
    rows = (count("S101", "error", 250), count("A301", "refusal", 0), count("T-own", "own", 3, FAULT))
    with out.capture() as captured:
        show_signals(SignalTable(window=WINDOW, interactions=3_000, conversations=1_000, rows=rows))
    lines = captured.get().splitlines()
    assert (
        lines[0] == "1,000 conversations, 3,000 interactions, begun from 2026-11-01 00:00 to 2026-11-08 00:00"
    )
    assert [line.split() for line in lines[3:5]] == [
        ["error", "S101", "low", "250", "25.0%"],
        ["own", "own", "low", "3", "0.3%"],
    ]
    assert lines[-2] == "never raised: refusal"
    assert (
        lines[-1] == "signal own failed on 12 logs, which carry no such signal: KeyError: ·[2J"
    )  # nothing drives the terminal


def test_an_empty_store_has_signals_and_no_shares() -> None:
    with out.capture() as captured:
        show_signals(
            SignalTable(window=WINDOW, interactions=0, conversations=0, rows=(count("S101", "error", 0),))
        )
    assert captured.get().splitlines()[-1] == "never raised: error"


def test_a_backfill_says_what_it_changed_and_what_failed() -> None:
    report = BackfillReport(names=("own",), logs=4_000, changed=7, days=1, faults=(FAULT,))
    with out.capture() as captured:
        show_backfill(report)
    assert captured.get().splitlines() == [
        "4,000 logs of 1 day looked at, 7 changed",
        "signal own failed on 12 logs, which carry no such signal: KeyError: ·[2J",
    ]
