"""The reference set: requests that are in scope, which `signal.out_of_scope` compares with."""

from __future__ import annotations

import json
from pathlib import Path

from assay.errors import ConfigError

_WHERE = "reference.file in assay.toml names it"


def read_requests(path: Path) -> tuple[str, ...]:
    """The requests of a `.jsonl` file, one object a line with `input`, or of a text file, one a line.

    `input` is a text, or messages of which those of the user count. Raises ConfigError with file and
    line."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} can't be read: {error}; {_WHERE}") from error
    if path.suffix.lower() not in (".jsonl", ".ndjson", ".json"):
        return tuple(line.strip() for line in lines if line.strip())
    found = [_request(f"{path}:{number}", line) for number, line in enumerate(lines, start=1) if line.strip()]
    if not found:
        raise ConfigError(f"{path} holds no request: give one JSON object with `input` a line; {_WHERE}")
    return tuple(found)


def _request(where: str, line: str) -> str:
    try:
        row = json.loads(line)
    except ValueError as error:
        raise ConfigError(f"{where}: no JSON: {error}; one object with `input` a line") from None
    given = row.get("input") if isinstance(row, dict) else None
    if isinstance(given, list):
        said = [one for one in given if isinstance(one, dict) and one.get("role", "user") == "user"]
        texts = [one["content"] for one in said if isinstance(one.get("content"), str)]
        given = "\n".join(texts) or None
    if not isinstance(given, str) or not given.strip():
        raise ConfigError(f"{where}: no `input`: give the request as a text, or as messages")
    return given
