"""What was let go of: by age, or because somebody asked for it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class Removed:
    """Whole days of one table: their rows, or only the texts in them."""

    table: str
    what: Literal["rows", "texts"]
    days: int
    first: date
    last: date
    rows: int
    bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RetainReport:
    """What has outlived its time. With `dry_run` nothing was removed yet."""

    removed: tuple[Removed, ...]
    dry_run: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Erased:
    """Rows of one table about the user: before, and counted again at the end."""

    table: str
    before: int
    after: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ForgetReport:
    """What was deleted of a user or a conversation, counted in every table before and after.

    `shared` are conversations that other users take part in: their own part alone was deleted.
    `old_files` is how many files with deleted rows the store has not removed from the disk yet; `notes`
    say where it can't be looked."""

    user: str
    conversation: str
    interactions: int
    conversations: int
    shared: int
    tables: tuple[Erased, ...]
    old_files: int
    finished_at: datetime
    dry_run: bool = False
    notes: tuple[str, ...] = ()

    @property
    def verified(self) -> bool:
        """Whether nothing was left when it was counted again."""
        return not self.dry_run and not self.old_files and all(not table.after for table in self.tables)
