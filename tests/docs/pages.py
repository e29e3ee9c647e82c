"""The documentation as pages and their code blocks."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]
FENCE = re.compile(r"^```([^\n]*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
HEREDOC = re.compile(r"cat > (\S+) <<'END'\n(.*)END\n", re.DOTALL)
"""An `sh` block that writes a file."""


class Block(NamedTuple):
    """A fenced block: its page, the line it begins at, its info string and its text."""

    page: Path
    line: int
    info: str
    text: str

    @property
    def language(self) -> str:
        return self.info.partition(" ")[0]

    @property
    def is_illustration(self) -> bool:
        return "no-run" in self.info.split()

    def __str__(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}"


@cache
def pages() -> tuple[Path, ...]:
    """Every page: those at the top of the repository, and all under docs/."""
    return (*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md")))


@cache
def blocks(*languages: str) -> tuple[Block, ...]:
    """The fenced blocks of these languages, page by page."""
    found = []
    for page in pages():
        text = page.read_text(encoding="utf-8")
        for match in FENCE.finditer(text):
            line = text.count("\n", 0, match.start()) + 1
            block = Block(page, line, match[1].strip(), match[2])
            if block.language in languages:
                found.append(block)
    return tuple(found)


def files_of(page: Path) -> dict[str, str]:
    """The files that a page has its reader write: `sh` blocks of the form cat > NAME <<'END'."""
    made = (HEREDOC.fullmatch(block.text) for block in blocks("sh") if block.page == page)
    return {match[1]: match[2] for match in made if match}
