"""A copy of a whole project while it is in use, and a project made from one.

A copy is a folder: `manifest.json` with counts and checksums, `telemetry/TABLE/PART/...`, `state.db`,
`journal/` with what the store refused (`dead/`), `assay.toml` and the metrics' file. What came in after
the moment of the snapshot is not in it, or is in its journal, from which the restored project takes it."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import BinaryIO
from urllib.parse import urlsplit

import msgspec

from assay.app.hold import journal_folder
from assay.app.parts import Parts
from assay.config import Settings, load_settings
from assay.errors import CallerError, ConfigError, StoreError
from assay.records import BackupReport, CopiedTable, Progress, no_progress
from assay.store.state.copy import check_copy, copy_state
from assay.store.telemetry.backup import Frozen, freeze, restore_tables

FORMAT = 1
MANIFEST = "manifest.json"
BLOCK = 2**20


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptTable:
    """A table of the manifest."""

    name: str
    rows: int
    create: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """The manifest: each file with its size and SHA-256, each table with what made it."""

    format: int
    assay: str
    project: str
    made_at: datetime
    metrics: str
    tables: tuple[KeptTable, ...]
    files: dict[str, tuple[int, str]]
    notes: tuple[str, ...]


def back_up(parts: Parts, journal: Path, target: Path, progress: Progress = no_progress) -> BackupReport:
    """Write a copy to `target`, a folder that is not there yet. Taking in goes on meanwhile.

    Raises CallerError where the folder is there or can't be made, StoreError for a disk that is full."""
    if not target.is_absolute():
        raise CallerError(f"{target} is no absolute path")
    if target.exists():
        raise CallerError(f"{target} is there already: give a new folder, nothing was written")
    unfinished = target.with_name(f"{target.name}.unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    try:
        unfinished.mkdir(mode=0o700, parents=True)
        report = _write(parts, journal, unfinished, progress)
        os.sync()
        unfinished.rename(target)
    except OSError as error:
        raise StoreError(f"the copy could not be written to {target}: {error}") from error
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    return replace(report, path=str(target))


def restore(copy: Path, folder: Path, progress: Progress = no_progress) -> BackupReport:
    """Make the project anew in `folder`, where there is none. Every file is checked before the first
    is written, every table's rows afterwards.

    Raises CallerError where `copy` is no copy or was damaged, or where something is in the way."""
    kept = read_manifest(copy)
    _check_names(copy, kept, folder)
    _check_files(copy, kept, progress)
    if (folder / "assay.toml").exists() or (folder / ".assay").exists():
        raise CallerError(f"{folder} has a project already: give another folder, nothing was written")
    settings = load_settings(copy / "assay.toml").model_copy(update={"folder": folder.resolve()})
    telemetry, state = _telemetry_path(settings), _state_path(settings)
    for path in filter(None, (telemetry, state, journal_folder(settings.folder, telemetry))):
        if path.exists():
            raise CallerError(f"{path} is there already: move it away, nothing was written")
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if telemetry is not None and kept.tables:
        progress("restoring", 0, None)
        restore_tables(telemetry, _tables(copy, kept))
    if state is not None and (copy / "state.db").exists():
        state.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(copy / "state.db", state)
    if (copy / "journal").exists():
        shutil.copytree(copy / "journal", journal_folder(settings.folder, telemetry))
    for name in ("assay.toml", kept.metrics):
        if name in kept.files:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(copy / name, folder / name)
    return _report(kept, folder)


def read_manifest(copy: Path) -> Kept:
    """What the copy says of itself. Raises CallerError where it is none, or one of a newer assay."""
    try:
        kept = msgspec.json.decode((copy / MANIFEST).read_bytes(), type=Kept)
    except (OSError, msgspec.DecodeError) as error:
        raise CallerError(f"{copy} is no copy of a project: {error}") from None
    if kept.format > FORMAT:
        raise CallerError(f"{copy} was written by assay {kept.assay}, a newer one: upgrade assay")
    return kept


def _write(parts: Parts, journal: Path, folder: Path, progress: Progress) -> BackupReport:
    notes: list[str] = []
    files: dict[str, tuple[int, str]] = {}
    tables: tuple[Frozen, ...] = ()
    with ExitStack() as held:
        segments: list[tuple[Path, BinaryIO]] = []
        hold = partial(_hold_journal, journal, folder / "journal", held)
        if parts.telemetry.path is not None:
            with freeze(parts.telemetry, lambda: segments.extend(hold())) as tables:
                _copy_tables(tables, folder, files, progress)
        else:
            segments += hold()
            notes.append("spans, signals and scores are in a server: copy them with its own BACKUP")
        _write_journal(segments)
    _copy_dead(journal / "dead", folder / "journal" / "dead")
    if not copy_state(parts.state, folder / "state.db"):
        notes.append("the state is in PostgreSQL: copy it with pg_dump")
    metrics = _copy_settings(parts.settings, folder, notes)
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_file() and name not in files:
            files[name] = (path.stat().st_size, _digest(path))
    kept = Kept(
        format=FORMAT,
        assay=version("assay"),
        project=parts.project,
        made_at=parts.clock(),
        metrics=metrics,
        tables=tuple(KeptTable(name=t.name, rows=t.rows, create=t.create) for t in tables),
        files=files,
        notes=tuple(notes),
    )
    (folder / MANIFEST).write_bytes(msgspec.json.format(msgspec.json.encode(kept), indent=1))
    return _report(kept, folder)


def _copy_settings(settings: Settings, folder: Path, notes: list[str]) -> str:
    """assay.toml and the metrics' file, which is returned as it stands in the copy."""
    if settings.file is not None and settings.file.exists():
        shutil.copyfile(settings.file, folder / "assay.toml")
    path = Path(os.path.relpath(settings.metrics_file, settings.folder))
    if not settings.metrics_file.exists():
        return path.name
    elsewhere = ".." in path.parts or Path(settings.project.metrics).is_absolute()
    if elsewhere or path.parts[0] in ("telemetry", "journal"):
        notes.append(
            f"{settings.metrics_file} is kept as {path.name}: put it where the restored assay.toml says"
        )
        path = Path(path.name)
    (folder / path).parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(settings.metrics_file, folder / path)
    return path.as_posix()


def _copy_tables(
    tables: Sequence[Frozen], folder: Path, files: dict[str, tuple[int, str]], progress: Progress
) -> None:
    """Each part's files, read once for the copy and its checksum."""
    every = [
        (Path("telemetry") / table.name / part.name / path.relative_to(part), path)
        for table in tables
        for part in table.parts
        for path in _files_of(part)
    ]
    total, done = sum(path.stat().st_size for _, path in every), 0
    for table in tables:
        (folder / "telemetry" / table.name).mkdir(parents=True)
    for name, path in every:
        progress("copying", done, total)
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        files[name.as_posix()] = (path.stat().st_size, _digest(path, folder / name))
        done += path.stat().st_size
    progress("copying", total, total)


def _files_of(part: Path) -> Iterator[Path]:
    return (path for path in sorted(part.rglob("*")) if path.is_file())


def _digest(path: Path, target: Path | None = None) -> str:
    """The SHA-256 of a file, which is copied to `target` in passing."""
    sha = hashlib.sha256()
    with path.open("rb") as source, (target or Path(os.devnull)).open("wb") as copy:
        while block := source.read(BLOCK):
            sha.update(block)
            copy.write(block)
    return sha.hexdigest()


def _hold_journal(journal: Path, target: Path, files: ExitStack) -> list[tuple[Path, BinaryIO]]:
    """The journal as it stands: its segments held open, for the store drops them once it has them.

    Its bookmark is copied at once. One that is older than the store makes the restored project look at
    some requests again, which does no harm."""
    if not journal.is_dir():
        return []
    target.mkdir(parents=True)
    segments: list[tuple[Path, BinaryIO]] = []
    for path in sorted((path for path in journal.iterdir() if path.is_file()), key=_is_segment):
        with suppress(FileNotFoundError):  # the store has it by now
            if _is_segment(path):
                segments.append((target / path.name, files.enter_context(path.open("rb"))))
            else:
                shutil.copyfile(path, target / path.name)
    return segments


def _is_segment(path: Path) -> bool:
    return path.suffix == ".segment"


def _write_journal(segments: Sequence[tuple[Path, BinaryIO]]) -> None:
    for target, source in segments:
        with target.open("wb") as copy:
            target.chmod(0o600)
            shutil.copyfileobj(source, copy, BLOCK)


def _copy_dead(dead: Path, target: Path) -> None:
    """What was acknowledged and the store refused: whatever has its reason beside it is whole."""
    for why in sorted(dead.glob("*.json")):
        target.mkdir(mode=0o700, parents=True, exist_ok=True)
        for path in (why.with_suffix(".bin"), why):
            with suppress(FileNotFoundError):  # somebody puts them in order
                shutil.copy2(path, target / path.name)


def _check_names(copy: Path, kept: Kept, folder: Path) -> None:
    """Whoever wrote the manifest, nothing is read or written where it should not be."""
    for table in kept.tables:
        if not re.fullmatch(r"\w+", table.name, re.ASCII):
            raise CallerError(f"{copy} names a table that is none: {table.name[:80]!r}")
    if not (folder / kept.metrics).resolve().is_relative_to(folder.resolve()):
        raise CallerError(f"{copy} names a metrics' file outside the project: {kept.metrics[:80]!r}")
    for name in kept.files:
        if not (copy / name).resolve().is_relative_to(copy.resolve()):
            raise CallerError(f"{copy} names a file outside itself: {name}")
    every = (path for path in copy.rglob("*") if path.is_symlink() or not path.is_dir())
    found = {path.relative_to(copy).as_posix() for path in every}
    if unknown := sorted(found - {MANIFEST, *kept.files}):
        raise CallerError(f"{copy / unknown[0]} is no part of the copy: nothing was written")


def _check_files(copy: Path, kept: Kept, progress: Progress) -> None:
    total, done = sum(size for size, _ in kept.files.values()), 0
    for name, (size, digest) in kept.files.items():
        progress("checking", done, total)
        path = copy / name
        if not path.is_file() or path.stat().st_size != size or _digest(path) != digest:
            raise CallerError(
                f"{path} is missing or was changed since the copy was made: nothing was written"
            )
        done += size
    progress("checking", total, total)
    if "state.db" in kept.files:
        check_copy(copy / "state.db")


def _tables(copy: Path, kept: Kept) -> list[Frozen]:
    """The tables with the parts of which the manifest has files."""
    listed = {Path(name).parts[:3] for name in kept.files if name.startswith("telemetry/")}

    def parts(name: str) -> tuple[Path, ...]:
        return tuple(copy.joinpath(*part) for part in sorted(listed) if part[1] == name)

    return [Frozen(name=t.name, create=t.create, rows=t.rows, parts=parts(t.name)) for t in kept.tables]


def _telemetry_path(settings: Settings) -> Path | None:
    from assay.store.telemetry.engine import read_dsn

    return read_dsn(settings.telemetry_dsn).path


def _state_path(settings: Settings) -> Path | None:
    parts = urlsplit(settings.state_url)
    if parts.scheme != "sqlite":
        return None
    path = settings.state_url.removeprefix("sqlite:///")
    if not path:
        raise ConfigError(f"store.state = {settings.state_url!r} names no file")
    return Path(path)


def _report(kept: Kept, folder: Path) -> BackupReport:
    sizes = {
        table.name: sum(
            size for name, (size, _) in kept.files.items() if name.startswith(f"telemetry/{table.name}/")
        )
        for table in kept.tables
    }
    return BackupReport(
        path=str(folder),
        made_at=kept.made_at,
        tables=tuple(CopiedTable(name=t.name, rows=t.rows, bytes=sizes[t.name]) for t in kept.tables),
        files=len(kept.files),
        bytes=sum(size for size, _ in kept.files.values()),
        notes=kept.notes,
    )
