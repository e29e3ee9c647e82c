"""What upkeep says of itself: mapping again, copies, and the examination of an installation."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import Literal

Verdict = Literal["ok", "warn", "fail"]


@dataclass(frozen=True, slots=True, kw_only=True)
class RemapDay:
    """A day that was mapped again: its interactions, and how many of them came out otherwise."""

    day: date
    interactions: int
    changed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RemapReport:
    """What mapping history again has done, newest day first; `conversations` were settled again."""

    days: tuple[RemapDay, ...]
    conversations: int

    @property
    def interactions(self) -> int:
        return sum(day.interactions for day in self.days)

    @property
    def changed(self) -> int:
        return sum(day.changed for day in self.days)


@dataclass(frozen=True, slots=True, kw_only=True)
class CopiedTable:
    """A table in a copy: `rows` as they lie on the disk, versions that are replaced among them."""

    name: str
    rows: int
    bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class BackupReport:
    """A copy of a project: where it is (or was put), and what it holds."""

    path: str
    made_at: datetime
    tables: tuple[CopiedTable, ...]
    files: int
    bytes: int
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One thing that was looked at, what was found, and what to do where it is not well."""

    name: str
    verdict: Verdict
    found: str
    advice: str = ""
