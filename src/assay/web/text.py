"""Text that users and models wrote, made safe and visible, before a page shows it.

Escaping keeps it from running; this keeps it from lying: characters that reorder or hide text are
shown as marks, and very long texts are cut."""

from __future__ import annotations

import re
from typing import NamedTuple

from markupsafe import Markup, escape

MARKS = {
    "\u202a": "LRE",
    "\u202b": "RLE",
    "\u202c": "PDF",
    "\u202d": "LRO",
    "\u202e": "RLO",
    "\u2066": "LRI",
    "\u2067": "RLI",
    "\u2068": "FSI",
    "\u2069": "PDI",
}
"""Bidirectional controls by their short Unicode names."""

_SPECIAL = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff\U000e0000-\U000e007f]"
)


class Split(NamedTuple):
    """A text cut for display: `head` is always shown, `tail` on demand, `cut` characters never."""

    head: str
    tail: str
    cut: int


def mark_of(character: str) -> str:
    """What stands for a character that can't be shown as it is."""
    code = ord(character)
    if character in MARKS:
        return f"⟦{MARKS[character]}⟧"
    if code < 0xA0:
        return f"⟦{code:02X}⟧"
    if 0xE0020 <= code <= 0xE007E:  # tag characters: ASCII that is invisible to people, not to models
        return f"⟦tag {chr(code - 0xE0000)}⟧"
    return "\N{REPLACEMENT CHARACTER}"


def plain(text: str) -> str:
    """The text with every deceptive character replaced by its mark; for attributes and titles."""
    text = text.replace("\r\n", "\n")
    return _SPECIAL.sub(lambda match: mark_of(match[0]), text)


def visible(text: str) -> Markup:
    """The text as isolated, escaped HTML, its marks told apart from what was written."""
    return isolated(shown(text))


def shown(text: str) -> str:
    """The text as escaped HTML, its marks told apart from what was written, to stand among other parts."""
    parts: list[str] = []
    text, start = text.replace("\r\n", "\n"), 0
    for match in _SPECIAL.finditer(text):
        name = f"U+{ord(match[0]):04X}"
        parts += [
            str(escape(text[start : match.start()])),
            f'<span class="mark" title="{name}">{escape(mark_of(match[0]))}</span>',
        ]
        start = match.end()
    parts.append(str(escape(text[start:])))
    return "".join(parts)


def isolated(html: str) -> Markup:
    """HTML that was escaped already, so that its direction moves nothing beside it."""
    return Markup(f"<bdi>{html}</bdi>")  # noqa: S704  escaped by `shown`


def prose(text: str) -> Markup:
    """A sentence of ours, which may quote others: escaped, with `code` between backquotes."""
    escaped = str(escape(plain(text)))
    return Markup(re.sub("`([^`]+)`", r"<code>\1</code>", escaped))  # noqa: S704  escaped above


def split(text: str, head: int = 3_000, most: int = 100_000) -> Split:
    """Cut for display, at a line or word near `head` where there is one."""
    if len(text) <= head + head // 4:
        return Split(text, "", 0)
    cut = max(text.rfind("\n", head // 2, head), text.rfind(" ", head * 9 // 10, head))
    cut = cut if cut > 0 else head
    return Split(text[:cut], text[cut:most], max(0, len(text) - most))


def excerpt(text: str, most: int = 180) -> str:
    """The first line's worth of a text, white space folded, with an ellipsis where it goes on."""
    folded = " ".join(text[: most * 4].split())
    return folded if len(folded) <= most and len(text) <= most * 4 else folded[:most].rstrip() + "…"
