"""Nothing in the documentation leads nowhere, and everything can be found."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, get_args, get_origin

import pytest
from pydantic import BaseModel
from tests.docs.pages import FENCE, ROOT, pages
from typer.main import get_command

from assay.cli.commands import app
from assay.config.settings import Settings
from assay.errors import AssayError

LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
IMAGE = re.compile(r"<img[^>]* src=\"([^\"]+)\"")
HEADING = re.compile(r"^#{1,6} +(.+?) *$", re.MULTILINE)
MOST_IMAGE_BYTES = 400_000


def prose_of(page: Path) -> str:
    return FENCE.sub("", page.read_text(encoding="utf-8"))


def anchors_of(page: Path) -> set[str]:
    """The anchors that GitHub gives the page's headings."""
    plain = (re.sub(r"[`*]|\[([^\]]*)\]\([^)]*\)", r"\1", text) for text in HEADING.findall(prose_of(page)))
    return {re.sub(r"[^\w\- ]", "", text.lower()).replace(" ", "-") for text in plain}


def links_of(page: Path) -> list[str]:
    return [link for link in LINK.findall(prose_of(page)) if not link.startswith(("http://", "https://"))]


@pytest.mark.parametrize("page", pages(), ids=lambda page: str(page.relative_to(ROOT)))
def test_every_relative_link_leads_somewhere(page: Path) -> None:
    broken = []
    for link in links_of(page):
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        found = target.exists() and target.is_relative_to(ROOT)
        if not found or (anchor and anchor not in anchors_of(target)):
            broken.append(link)
    assert broken == []


@pytest.mark.parametrize("start", ["README.md", "docs/index.md"])
def test_every_page_can_be_reached(start: str) -> None:
    found, waiting = set(), [ROOT / start]
    while waiting:
        page = waiting.pop()
        if page in found or page.suffix != ".md":
            continue
        found.add(page)
        waiting += [(page.parent / link.partition("#")[0]).resolve() for link in links_of(page)]
    assert {str(page.relative_to(ROOT)) for page in set(pages()) - found} <= {"README.md"}


def test_the_index_names_every_page_itself() -> None:
    index = ROOT / "docs/index.md"
    linked = {(index.parent / link.partition("#")[0]).resolve() for link in links_of(index)}
    inside = {page for page in pages() if page.is_relative_to(ROOT / "docs")} - {index}
    assert {str(page.relative_to(ROOT)) for page in inside - linked} == set()


def test_every_image_is_small_and_shown() -> None:
    shown = {
        (page.parent / link).resolve()
        for page in pages()
        for link in (*links_of(page), *IMAGE.findall(prose_of(page)))
    }
    for image in (ROOT / "docs/images").iterdir():
        assert image in shown, f"{image.name} is on no page"
        assert image.stat().st_size < MOST_IMAGE_BYTES


def test_no_page_needs_a_network_to_be_read() -> None:
    for page in pages():
        assert "](http" not in "".join(
            line for line in prose_of(page).splitlines() if line.lstrip().startswith("![")
        )


def test_every_command_and_option_has_a_place() -> None:
    text = (ROOT / "docs/reference/commands.md").read_text(encoding="utf-8")
    group: Any = get_command(app)
    assert len(group.commands) >= 9
    for name, command in group.commands.items():
        section = text.partition(f"## `assay {name}")[2].partition("\n## ")[0]
        assert section, f"assay {name} has no section"
        for parameter in command.params:
            if parameter.name == "help":
                continue
            assert parameter.help, f"assay {name}: {parameter.name} says nothing"
            assert parameter.help in section


def settings_keys(model: type[BaseModel], path: str = "") -> list[str]:
    """Every key that assay.toml may have, nested ones with their table."""
    keys = []
    for name, field in model.model_fields.items():
        if field.exclude:
            continue
        kinds = [field.annotation, *get_args(field.annotation)]
        inner = [kind for kind in kinds if isinstance(kind, type) and issubclass(kind, BaseModel)]
        if get_origin(field.annotation) is dict and not inner:
            keys.append(f"{path}{name}")
        for kind in inner:
            keys += settings_keys(kind, f"{path}{name}.")
        if not inner:
            keys.append(f"{path}{name}")
    return keys


def test_every_setting_has_a_place() -> None:
    text = (ROOT / "docs/reference/settings.md").read_text(encoding="utf-8")
    keys = settings_keys(Settings)
    assert len(keys) > 40
    for key in keys:
        table, _, name = key.rpartition(".")
        section = (
            text.replace("## `[[", "## `[")
            .partition(f"## `[{table.partition('.')[0] or name}")[2]
            .partition("\n## ")[0]
        )
        assert section, f"{key} has no section"
        assert not table or f"| `{name}` |" in section, f"{key} is not in its section"


def test_every_exit_code_has_a_place() -> None:
    text = (ROOT / "docs/reference/commands.md").read_text(encoding="utf-8")
    codes = {kind.exit_code for kind in everything_below(AssayError)}
    assert codes == {2, 3, 4, 5}
    line = text.partition("Exit codes:")[2].partition("\n\n")[0]
    assert all(f" {code} " in line for code in codes)


def everything_below(kind: type[AssayError]) -> list[type[AssayError]]:
    return [each for below in kind.__subclasses__() for each in (below, *everything_below(below))]
