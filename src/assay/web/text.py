"""Text that users and models wrote, made safe and visible, before a page shows it.

Escaping keeps it from running; this keeps it from lying: characters that reorder or hide text, or that
nobody sees, are shown as marks, and very long texts are cut."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final, NamedTuple

from markupsafe import Markup, escape

MARKS: Final = {
    0x00AD: "SHY",
    0x034F: "CGJ",
    0x061C: "ALM",
    0x115F: "HCF",
    0x1160: "HJF",
    0x180E: "MVS",
    0x200B: "ZWSP",
    0x200C: "ZWNJ",
    0x200D: "ZWJ",
    0x200E: "LRM",
    0x200F: "RLM",
    0x2028: "LS",
    0x2029: "PS",
    0x202A: "LRE",
    0x202B: "RLE",
    0x202C: "PDF",
    0x202D: "LRO",
    0x202E: "RLO",
    0x2060: "WJ",
    0x2066: "LRI",
    0x2067: "RLI",
    0x2068: "FSI",
    0x2069: "PDI",
    0x2800: "blank",
    0x3164: "HF",
    0xFEFF: "BOM",
    0xFFA0: "HHF",
}
"""Characters that steer or hide, by their short Unicode names."""

_SPECIAL: Final = re.compile(
    "["
    "\x00-\x08\x0b-\x1f\x7f-\x9f\xad"
    "\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f"
    "\u200b-\u200f\u2028-\u202e\u2060-\u206f\u2800\u3164"
    "\ud800-\udfff\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb"
    "\U0001343f\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
    "]"
)
"""What is marked, but where it is part of how a script or an emoji is written (`_belongs`). Signs that
Unicode counts among format characters and draws all the same, as the Arabic number sign, are not here."""

_JOINING: Final = re.compile(
    "[\u0600-\u08ff\u0900-\u0dff\u0f00-\u0fff\u1000-\u109f\u1780-\u17ff\u1800-\u18af\ua840-\ua87f\ua8e0-\ua8ff]"
)
"""Scripts in which joiners between letters say how these are joined: Arabic and its kin, those of India."""

_VIRAMA: Final = re.compile("[\u094d\u09cd\u0a4d\u0acd\u0b4d\u0bcd\u0c4d\u0ccd\u0d4d\u0dca]")
_PICTURE: Final = re.compile(
    "[\xa9\xae\u203c\u2049\u2122\u2139\u2190-\u21ff\u2300-\u23ff\u2460-\u24ff\u25a0-\u27bf\u2900-\u297f"
    "\u2b00-\u2bff\u3030\u303d\u3297\u3299\U0001f000-\U0001faff]"
)
_KEY: Final = re.compile("[0-9#*]")
_ZWNJ, _ZWJ, _AS_TEXT, _AS_PICTURE, _KEYCAP = "\u200c", "\u200d", "\ufe0e", "\ufe0f", "\u20e3"


class Split(NamedTuple):
    """A text cut for display: `head` is always shown, `tail` on demand, `cut` characters never."""

    head: str
    tail: str
    cut: int


def mark_of(character: str) -> str:
    """What stands for a character that can't be shown as it is."""
    code = ord(character)
    if code in MARKS:
        return f"⟦{MARKS[code]}⟧"
    if code < 0xA0:
        return f"⟦{code:02X}⟧"
    if 0xE0020 <= code <= 0xE007E:  # tag characters: ASCII that is invisible to people, not to models
        return f"⟦tag {chr(code - 0xE0000)}⟧"
    if 0xFE00 <= code <= 0xFE0F:
        return f"⟦VS{code - 0xFE00 + 1}⟧"
    if 0xE0100 <= code <= 0xE01EF:  # these can carry any bytes unseen
        return f"⟦VS{code - 0xE0100 + 17}⟧"
    if 0xD800 <= code <= 0xDFFF:
        return "\N{REPLACEMENT CHARACTER}"
    return f"⟦{code:04X}⟧"


def _belongs(text: str, place: int) -> bool:
    """Whether the character there is part of an emoji, or of how the letters beside it are written."""
    character, before, after = text[place], text[place - 1 : place], text[place + 1 : place + 2]
    if character in (_AS_TEXT, _AS_PICTURE):
        return bool(_PICTURE.match(before) or (_KEY.match(before) and after == _KEYCAP))
    if character not in (_ZWJ, _ZWNJ):
        return False
    if _JOINING.match(before) and (_JOINING.match(after) or _VIRAMA.match(before)):
        return True
    if character == _ZWNJ:
        return False
    if before == _AS_PICTURE:
        before = text[place - 2 : place - 1]
    return bool(_PICTURE.match(before) and _PICTURE.match(after))


def _marks(text: str) -> Iterator[re.Match[str]]:
    return (found for found in _SPECIAL.finditer(text) if not _belongs(text, found.start()))


def plain(text: str) -> str:
    """The text with every deceptive character replaced by its mark; for attributes and titles."""
    text = text.replace("\r\n", "\n")
    return _SPECIAL.sub(lambda one: one[0] if _belongs(text, one.start()) else mark_of(one[0]), text)


def visible(text: str) -> Markup:
    """The text as isolated, escaped HTML, its marks told apart from what was written."""
    return isolated(shown(text))


def shown(text: str) -> str:
    """The text as escaped HTML, its marks told apart from what was written, to stand among other parts."""
    parts: list[str] = []
    text, start = text.replace("\r\n", "\n"), 0
    for match in _marks(text):
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
