"""What decides or pays goes by the files that are there, never by what they said before."""

from __future__ import annotations

from hashlib import sha256

from assay.config import Settings
from assay.errors import ConfigError


class Files:
    """assay.toml and the metrics' file, as they were when they were read."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._read = _fingerprint(settings)

    def refuse_changed(self) -> None:
        """Raises ConfigError where one of them says something else by now."""
        if _fingerprint(self._settings) != self._read:
            raise ConfigError(
                f"{self._settings.file} or {self._settings.metrics_file.name} was changed since "
                "the server read it: restart `assay serve`, then run this again"
            )


def _fingerprint(settings: Settings) -> tuple[str, ...]:
    """What the files say, as hashes; nothing where settings came from no file."""
    if settings.file is None:
        return ()
    paths = (settings.file, settings.metrics_file)
    return tuple(sha256(path.read_bytes()).hexdigest() if path.exists() else "" for path in paths)
