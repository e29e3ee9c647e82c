"""Telephone numbers: international ones, the common national forms, and what a text calls a number.

Bare digits are an order, a ticket or a time far more often than a telephone: they count only where the
words before them, or the key they stand under, say so.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

_DIGITS = r"\(?[0-9](?:[ .\-/()]{0,3}[0-9]){6,14}(?![0-9A-Za-z])"
_INTERNATIONAL = re.compile(
    r"(?<![0-9A-Za-z+])(?<![0-9][ .,])(?:\+[ ]?|00(?=[1-9][0-9]{0,2}[ .\-/(]))"
    + r"\(?[1-9](?:[ .\-/()]{0,3}[0-9]){6,14}(?![0-9A-Za-z])"
)
_AMERICAN = re.compile(
    r"(?<![0-9A-Za-z+.\-/])(?:1[ .\-])?(?:\([2-9][0-9]{2}\)[ .\-]?|[2-9][0-9]{2}[.\-])"
    r"[2-9][0-9]{2}[ .\-][0-9]{4}(?![0-9A-Za-z\-]|[./][0-9])"
)
_TRUNK = re.compile(
    r"(?<![0-9A-Za-z+.,\-/])(?<![0-9] )\(?0[1-9][0-9]{0,4}\)?(?:[ ./\-]{1,2}[0-9]{2,8}){1,5}"
    r"(?![0-9A-Za-z]|[.,\-/][0-9])"
)
_TOLD = re.compile(
    r"(?<![0-9A-Za-z])(?:(?:tele)?phone|tel|mobile|cell|cellphone|whatsapp|fax|sms|telefon|telefonnummer|handy|"
    r"handynummer|rufnummer|mobil|t[ée]l[ée]phone|portable|tel[ée]fono|m[óo]vil|celular|"
    r"(?:my|his|her|their|contact|callback|home|office|work|registered)(?: phone)? number(?: is)?|"
    r"answering(?: at)?|messages? to|"
    r"(?:call|text|ring|dial|reach)(?: (?:me|us|him|her|them))?(?: (?:back )?(?:at|on))?)"
    r"(?![0-9A-Za-z])([^0-9\r\n]{0,24}?)(" + _DIGITS + ")",
    re.IGNORECASE,
)
_OTHER = re.compile(
    r"order|ticket|ref|case|invoice|account|track|#|\bid\b|item|zip|code|booking|flight|policy|serial|version|\$|€",
    re.IGNORECASE,
)
_DATE = re.compile(
    r"(?:(?:19|20)[0-9]{2}[./\-][0-9]{1,2}[./\-]|[0-9]{1,2}[./\-][0-9]{1,2}[./\-](?:19|20)?[0-9]{2}(?![0-9.\-/]))"
)
_DECIMAL = re.compile(r"[+ ]*[0-9]+\.[0-9]+")

PHONE_KEYS: Final = re.compile(
    r"(?:^|[._\-\s])(?:phone|telephone|mobile|cell|fax|whatsapp|sms|msisdn|tel)(?:[_\-]?(?:number|no|nr))?s?$"
    r"|(?:phone|mobile)Number$",
    re.IGNORECASE,
)
"""Names of attributes and JSON keys that say a value is a telephone number."""

PHONE_DIGITS: Final = r"[0-9](?:[ .\-/()]{0,3}[0-9]){6}"
"""Every telephone number has these (RE2), and so have many others."""

PHONE_SIEVE: Final = (
    r"\+[ ]?\(?[1-9][0-9 .\-/()]{6}|00[1-9][0-9]{0,2}[ .\-/(]"
    r"|[2-9][0-9]{2}\)?[ .\-]?[2-9][0-9]{2}[ .\-][0-9]{4}"
    r"|(?:^|[^0-9.,\-/+])0[1-9][0-9]{0,4}\)?[ ./\-]{1,2}[0-9]{2}"
    r"|(?i:phone|tel[eé]|tél|tel\b|mobil|m[óo]vil|cell|celular|whatsapp|fax|sms|handy|rufnummer|portable|msisdn"
    r"|number|answering|message|call|text|ring|dial|reach|ntel)"
)


def find_phones(text: str, key: str) -> Iterator[tuple[int, int]]:
    """Where the telephone numbers of a text are. `key` is the name the text stands under."""
    if PHONE_KEYS.search(key):
        for match in re.finditer(r"\+?" + _DIGITS, text):
            yield match.span()
        return
    for match in _INTERNATIONAL.finditer(text):
        digits = _digits(match[0])
        digits = digits[2:] if match[0].startswith("00") else digits
        if 8 <= len(digits) <= 15 and not _DECIMAL.fullmatch(match[0]):
            yield match.span()
    for match in _AMERICAN.finditer(text):
        yield match.span()
    for match in _TRUNK.finditer(text):
        if 9 <= len(_digits(match[0])) <= 12 and not _DATE.match(match[0]):
            yield match.span()
    for match in _TOLD.finditer(text):
        said, number = match.groups()
        other = _OTHER.search(said) or _DATE.match(number) or _DECIMAL.fullmatch(number)
        if not other and len(set(_digits(number))) > 1:
            yield match.span(2)


def _digits(text: str) -> str:
    return "".join(letter for letter in text if letter.isdigit())
