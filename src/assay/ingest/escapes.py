"""Texts inside JSON: what a string says is rewritten, and the JSON around it stays as it is."""

from __future__ import annotations

import json
import re
from collections.abc import Callable

Rewrite = Callable[[str, str], str]
"""From a text, and the key it stands under, to the text that replaces it."""

DEEPEST = 4
"""JSON in a string in JSON ...: below, what is left counts as text."""

_STRING = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+(?:"|\\?\Z)', re.DOTALL)
_NUMBER = re.compile(r"-?[0-9][0-9.eE+\-]*+")
_BEGINS = re.compile(r'\s*+(?:\{\s*+"|\[\s*+(?:["{\[\]\-0-9]|(?:true|false|null)\b))')
_AFTER_KEY = re.compile(r"\s*:")


def rewrite_text(text: str, rewrite: Rewrite, key: str = "", depth: int = 0) -> str:
    """The text with `rewrite` applied: to the whole, or to each string and number if it is JSON.

    Spaces, order and repeated keys stay. A number that is rewritten becomes a string, so that what
    was valid JSON is valid JSON again; what was cut off half-way is treated the same as far as it goes."""
    if depth >= DEEPEST or not looks_like_json(text):
        return rewrite(text, key)
    valid = _is_valid(text)
    parts: list[str] = []
    place = 0
    under = key
    for string in _STRING.finditer(text):
        parts.append(_between(text[place : string.start()], rewrite, under, valid))
        literal = string[0]
        is_key = _AFTER_KEY.match(text, string.end()) is not None
        said = _read(literal)
        new = rewrite_text(said, rewrite, "" if is_key else under, depth + 1)
        parts.append(literal if new == said else _write(literal, new))
        if is_key:
            under = said
        place = string.end()
    parts.append(_between(text[place:], rewrite, under, valid))
    return "".join(parts)


def looks_like_json(text: str) -> bool:
    """Whether a text begins as an object, a list or a string of JSON does. One that begins with what
    stands for something taken out, `[email]`, does not."""
    return _BEGINS.match(text) is not None or (text.lstrip()[:1] == '"' and text.rstrip()[-1:] == '"')


def _between(text: str, rewrite: Rewrite, key: str, valid: bool) -> str:
    """What stands between strings: in JSON punctuation and numbers, else text."""
    if not valid:
        return rewrite(text, key) if text.strip(" \t\r\n,:{}[]") else text
    return _NUMBER.sub(lambda number: _number(number[0], rewrite, key), text)


def _number(text: str, rewrite: Rewrite, key: str) -> str:
    new = rewrite(text, key)
    return text if new == text else json.dumps(new)


def _is_valid(text: str) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


def _read(literal: str) -> str:
    try:
        said = json.loads(literal, strict=False)
    except ValueError:
        said = None
    return said if isinstance(said, str) else literal.strip('"')


def _write(literal: str, text: str) -> str:
    written = json.dumps(text, ensure_ascii=literal.isascii())
    return written if literal.endswith('"') and len(literal) > 1 else written[:-1]
