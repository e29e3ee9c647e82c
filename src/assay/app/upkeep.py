"""Upkeep of a project that is open: history mapped again, a copy made."""

from __future__ import annotations

from collections.abc import Callable

from assay.app.parts import Parts
from assay.records import Progress, RemapDay, RemapReport
from assay.store.telemetry.missing import touch_missing
from assay.store.telemetry.rebuild import remap as map_again
from assay.store.telemetry.settle import read_upto


def remap(parts: Parts, settle: Callable[[], int], progress: Progress, *, again: bool = False) -> RemapReport:
    """Apply this program's mapping to everything that is there, and settle again what that changed.

    `settle` answers with how many conversations it has settled. Broken off, it goes on where it was. With
    `again`, what has lost its facts gets them back."""
    days, conversations = [], 0
    for done in map_again(parts.telemetry, progress=progress, again=again):
        days.append(RemapDay(day=done.day, interactions=done.interactions, changed=done.changed))
        if done.changed:
            conversations += settle()
    if again and touch_missing(parts.telemetry, read_upto(parts.telemetry)):
        conversations += settle()
    return RemapReport(days=tuple(days), conversations=conversations)
