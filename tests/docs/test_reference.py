"""Reference pages say what the program does: each is generated, and compared here."""

from __future__ import annotations

from pathlib import Path

from assay.cli.reference import commands_page
from assay.config.reference import settings_page

REFERENCE = Path(__file__).resolve().parents[2] / "docs" / "reference"


def test_settings_page_is_current() -> None:
    assert (REFERENCE / "settings.md").read_text(encoding="utf-8") == settings_page() + "\n", (
        "run `python -m assay.config.reference > docs/reference/settings.md`"
    )


def test_commands_page_is_current() -> None:
    assert (REFERENCE / "commands.md").read_text(encoding="utf-8") == commands_page() + "\n", (
        "run `python -m assay.cli.reference > docs/reference/commands.md`"
    )
