"""Letting go: of what has outlived its time, and of what is kept of one user."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date

from assay.app.door import Door
from assay.app.parts import Parts
from assay.app.requests import ForgetRequest
from assay.errors import CallerError
from assay.records import Erased, ForgetReport, Log, Progress, RetainReport, Skip
from assay.store.state.picks import remove_picks
from assay.store.telemetry import erase
from assay.store.telemetry.erase import Subject
from assay.store.telemetry.retain import Keep, retain

EXPIRED = Skip(reason="expired", detail="the texts of this log were removed (retention.content_days)")


def retain_days(parts: Parts, *, dry_run: bool) -> RetainReport:
    """Remove what is older than the project's settings keep."""
    removed = retain(parts.telemetry, _kept(parts), _today(parts), dry_run=dry_run)
    return RetainReport(removed=removed, dry_run=dry_run)


def first_day_with_texts(parts: Parts) -> date | None:
    """The first day of which texts are kept; None where all are."""
    return _kept(parts).first_day("content", _today(parts))


def _kept(parts: Parts) -> Keep:
    given = parts.settings.retention
    return Keep(given.content_days, given.facts_days, given.scores_days, spans=given.spans)


def _today(parts: Parts) -> date:
    return parts.clock().astimezone(UTC).date()


def forget(parts: Parts, door: Door, request: ForgetRequest, progress: Progress) -> ForgetReport:
    """Delete what is kept of a user or of a conversation, in every table, and count again.

    Raises CallerError unless exactly one of them is named."""
    if bool(request.user) == bool(request.conversation):
        raise CallerError("name a user or a conversation: `--user ID` or `--conversation ID`, one of them")
    door.drain()
    find = _finder(parts, request)
    if request.dry_run:
        subject = find()
        counts = erase.count_rows(parts.telemetry, subject)
        tables = tuple(Erased(table=table, before=count, after=count) for table, count in counts.items())
        old_files = 0
    else:
        subject, tables, old_files = erase.erase(parts.telemetry, find, progress)
        remove_picks(parts.state, parts.project, "conversation", subject.talks)
        remove_picks(parts.state, parts.project, "interaction", subject.traces)
        door.drain()
    return ForgetReport(
        user=request.user,
        conversation=request.conversation,
        interactions=len(subject.traces),
        conversations=len(subject.talks),
        shared=len(subject.shared),
        tables=tables,
        old_files=old_files,
        finished_at=parts.clock(),
        dry_run=request.dry_run,
        notes=tuple(_notes(parts, door, request)),
    )


def _finder(parts: Parts, request: ForgetRequest) -> Callable[[], Subject]:
    t = parts.telemetry
    if request.conversation:
        return lambda: erase.find_conversations(t, (request.conversation,))
    names: tuple[str, ...] = (request.user,)
    if parts.redactor is not None:
        names = parts.redactor.stored_ids(request.user)
    return lambda: erase.find_user(t, names)


def _notes(parts: Parts, door: Door, request: ForgetRequest) -> list[str]:
    notes = ["what arrives of them from now on is kept: stop sending it, or run this again"]
    dead = sum(1 for _ in door.dead_folder.glob("*.bin")) if door.dead_folder.is_dir() else 0
    if dead:
        notes.append(
            f"{dead} request(s) that the store refused lie in {door.dead_folder}: delete them by hand"
        )
    redactor = parts.redactor if request.user else None
    alone = redactor is not None and redactor.stored_ids(request.user) == (request.user,)
    if redactor is not None and alone and redactor.text(request.user) != request.user:
        notes.append("ids like this one are masked before they are kept: they can't be told apart")
    notes.append("backups and exported files are not reached")
    return notes


def readable(logs: list[Log], expired: list[Log]) -> list[Log]:
    """The logs that still have all their texts; the others are added to `expired`."""
    expired.extend(log for log in logs if log.expired)
    return [log for log in logs if not log.expired]
