"""Filters with a name, and what may come next in one that is being written."""

from __future__ import annotations

import re
import threading
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from assay.app import tallies
from assay.app.parts import Parts
from assay.app.requests import RemoveFilterRequest, SaveFilterRequest, Written
from assay.errors import CallerError, FilterError, UnknownName
from assay.query import Names, parse, suggest
from assay.query.complete import Completion, Known, complete
from assay.query.text import quote
from assay.records import SavedFilter, Unit
from assay.store.state import list_filters, remove_filter, save_filter
from assay.store.telemetry.values import Values, newest_values

FRESH: Final = timedelta(minutes=1)
"""How long the values that completions offer are taken to be those of the newest logs."""

_NAME: Final = r"[A-Za-z_][A-Za-z0-9_]{0,63}"


class Completing:
    """Completions for one project. What the newest logs hold is asked for once a minute. Thread-safe."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._lock = threading.Lock()
        self._read: dict[Unit, tuple[datetime, Values]] = {}

    def complete(self, text: str, cursor: int, unit: Unit) -> tuple[Completion, ...]:
        """What may stand at the cursor of a filter, the likeliest first."""
        return tuple(complete(text, cursor, self._known(unit)))

    def _known(self, unit: Unit) -> Known:
        parts, values = self._parts, self._values(unit)
        shown = {name: _counted(found) for name, found in values.fields.items()}
        shown |= {f"attr[{quote(key)}]": _counted(found) for key, found in values.attributes.items()}
        return Known(
            signals={signal.name: f"{signal.severity}: {signal.meaning}" for signal, _ in parts.signals},
            metrics={name: info.target or f"a {info.kind} metric" for name, info in parts.infos().items()},
            words={name: f"a list of {len(found):,} phrases" for name, found in parts.words.items()},
            policies={name: f"it draws {policy.unit}s" for name, policy in parts.policies.items()},
            saved=parts.saved(),
            attributes={
                key: f"{len(found):,} values" if found else "many values"
                for key, found in values.attributes.items()
            },
            values=shown | {"tag": _counted(values.tags)},
        )

    def _values(self, unit: Unit) -> Values:
        now = self._parts.clock()
        with self._lock:
            read_at, values = self._read.get(unit, (None, None))
            if read_at is None or values is None or not read_at <= now < read_at + FRESH:
                window = tallies.data_window(self._parts)
                values = newest_values(self._parts.telemetry, unit, window) if window else _NOTHING
                self._read[unit] = (now, values)
            return values


_NOTHING: Final = Values({}, {}, {})


def _counted(found: Mapping[str, int]) -> dict[str, str]:
    return {value: f"{logs:,} of the newest logs" for value, logs in found.items()}


def filters(parts: Parts) -> tuple[SavedFilter, ...]:
    """Every saved filter, by name; one that can't be used any longer says why."""
    names = parts.names()
    found = list_filters(parts.state, parts.project)
    return tuple(replace(saved, wrong=_wrong(saved.name, names)) for saved in found)


def save(parts: Parts, request: SaveFilterRequest) -> SavedFilter:
    """Keep the filter under its name, instead of what it meant before.

    Raises CallerError for a name that can't stand in a filter, FilterError for one that can't be read,
    or would ask for itself."""
    if not re.fullmatch(_NAME, request.name):
        raise CallerError(
            f"{request.name[:80]!r} can't name a filter: letters, digits and _ only, no digit first, "
            "at most 64; saved.NAME asks for it"
        )
    names, text = parts.names(), request.filter.strip()
    parse(text, names)
    parse(f"saved.{request.name}", names._replace(saved={**(names.saved or {}), request.name: text}))
    now = parts.clock()
    save_filter(parts.state, parts.project, request.name, unit=request.unit, text=text, now=now)
    return SavedFilter(name=request.name, unit=request.unit, text=text, saved_at=now)


def remove(parts: Parts, request: RemoveFilterRequest) -> Written:
    """Forget a saved filter. Raises UnknownName, and CallerError where other filters ask for it."""
    names = parts.names()
    saved = dict(names.saved or {})
    if request.name not in saved:
        raise UnknownName(f"no saved filter `{request.name}`; {suggest(request.name, saved)}")
    del saved[request.name]
    less = names._replace(saved=saved)
    users = [name for name in saved if _wrong(name, less) and not _wrong(name, names)]
    if users:
        raise CallerError(
            f"saved.{request.name} is asked for by {', '.join(f'saved.{name}' for name in users)}: "
            "save or remove those first"
        )
    return Written(rows=int(remove_filter(parts.state, parts.project, request.name)))


def _wrong(name: str, names: Names) -> str:
    try:
        parse(f"saved.{name}", names)
    except FilterError as error:
        return str(error).partition("\n")[0]
    return ""
