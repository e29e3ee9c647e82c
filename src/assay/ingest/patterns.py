"""What personal data and secrets look like in a text, and how a find is checked.

Two stages. `SIEVES` are RE2 patterns for whole columns: they may find too much, never too little.
`find` is exact, for single texts: every pattern below has bounded or possessive repetitions, so that no
text makes it slow.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from ipaddress import AddressValueError, IPv4Address, IPv6Address
from types import MappingProxyType
from typing import Final, NamedTuple

from assay.ingest.phones import PHONE_DIGITS, PHONE_KEYS, PHONE_SIEVE, find_phones

KINDS: Final = ("secret", "iban", "card", "email", "ip", "phone")
"""In order: where two overlap, the earlier one gives the name."""


class Find(NamedTuple):
    """Characters `start` to `end` of a text are personal data of this kind."""

    start: int
    end: int
    kind: str


_CARD_SIEVE = r"[0-9](?:[ .\-]?[0-9]){12}"
_IBAN_SIEVE = r"[A-Za-z]{2}[0-9]{2}[ \-]?[0-9A-Za-z]{4}[ \-]?[0-9A-Za-z]{4}[ \-]?[0-9A-Za-z]{3}"
_IP_SIEVE = (
    r"[0-9]\.[0-9]{1,3}\.[0-9]{1,3}\.[0-9]|(?:[0-9A-Fa-f]{1,4}:){3,7}[0-9A-Fa-f:]"
    r"|[0-9A-Fa-f]{1,4}::[0-9A-Fa-f]|(?:[0-9A-Fa-f]{1,4}:){2,6}:"
)
_KEY_SIEVE = (
    r"sk-|[prs]k_|whsec_|AKIA|ASIA|A[GIRN][DPOV]A[0-9A-Z]|gh[oprsu]_|github_pat_|glpat-|xox[a-z]-|xapp-|AIza"
    r"|ya29\.|hf_|npm_|pypi-|SG\.|gsk_|xai-|lsv2_|eyJ|PRIVATE KEY|hooks\.slack\.com|AccountKey="
    r"|://[^/ :@]*:[^/ @]|(?i:bearer |authorization|passw|passphrase|pwd|secret|api.?key|access.?key"
    r"|access.?token|auth.?token|refresh.?token|private.?key|cookie)"
)
ESCAPED: Final = r"\\u00[2-7]"
"""JSON may spell a plain character as an escape: what such a text holds shows only when it is read."""

SIEVES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "secret": _KEY_SIEVE,
        "iban": _IBAN_SIEVE,
        "card": _CARD_SIEVE,
        "email": "@",
        "ip": _IP_SIEVE,
        "phone": PHONE_SIEVE,
    }
)

COARSE: Final[Mapping[str, str]] = MappingProxyType({**SIEVES, "phone": PHONE_DIGITS, "card": PHONE_DIGITS})
"""The same for a first look at everything: joined by `|` they cost no more than one of them."""

SECRET_KEYS: Final = re.compile(
    r"(?:^|[._\-\s])(?:password|passwd|passphrase|secret|api[_\-]?key|access[_\-]?key|private[_\-]?key|"
    r"(?:access|auth|refresh|bearer|id|api|session|csrf)[_\-]?token|client[_\-]?secret|"
    r"secret[_\-]?(?:access[_\-]?)?key|set-cookie|header\.(?:cookie|(?:proxy-)?authorization)|x-api-key|credentials?|cvv|cvc)$",
    re.IGNORECASE,
)
"""Names of attributes and JSON keys whose whole value is a secret."""


def find(text: str, kinds: Collection[str], key: str = "") -> list[Find]:
    """What of these kinds the text holds, in order and without overlaps. `key` is the name under which
    the text stands, where that says what it is."""
    found = [
        Find(start, end, kind) for kind in KINDS if kind in kinds for start, end in FINDERS[kind](text, key)
    ]
    return without_overlaps(found)


def without_overlaps(finds: Sequence[Find]) -> list[Find]:
    """In the text's order; those that overlap become one, of the kind that was given first."""
    merged: list[tuple[int, int, int]] = []
    for start, end, place in sorted(
        (one.start, one.end, i) for i, one in enumerate(finds) if one.start < one.end
    ):
        if merged and start < merged[-1][1]:
            before = merged[-1]
            merged[-1] = (before[0], max(before[1], end), min(before[2], place))
        else:
            merged.append((start, end, place))
    return [Find(start, end, finds[place].kind) for start, end, place in merged]


# --- e-mail ---------------------------------------------------------------------------------------

_DOMAIN = re.compile(r"@(?:[\w\-]{1,63}\.){1,8}[^\W\d_]{2,24}(?![\w\-])|@\[[0-9A-Fa-f.:]{3,60}\]")
_LOCAL = frozenset("!#$%&'+-^_~.")
_LONGEST_LOCAL = 128
_FILES = ("png", "jpg", "jpeg", "gif", "svg", "webp", "css", "html", "json", "txt", "js", "ts", "tsx", "jsx")


def _emails(text: str, key: str) -> Iterator[tuple[int, int]]:
    for match in _DOMAIN.finditer(text):
        if match[0].rpartition(".")[2].lower() in _FILES:
            continue
        start, least = match.start(), max(0, match.start() - _LONGEST_LOCAL)
        while start > least and (text[start - 1].isalnum() or text[start - 1] in _LOCAL):
            start -= 1
        while start < match.start() and text[start] in "'.&#!":  # what stands before an address
            start += 1
        if start < match.start():
            yield start, match.end()


# --- cards ----------------------------------------------------------------------------------------

_DIGIT_RUN = re.compile(r"(?<![0-9A-Za-z])(?<![0-9]\.)[0-9](?:[ .\-]?[0-9])*+(?![0-9A-Za-z])")
_CARD_GROUPS = {(4, 4, 4, 4), (4, 6, 5), (4, 6, 4), (4, 4, 4, 4, 3), (4, 4, 5), (6, 13), (4, 4, 4, 1)}


def _cards(text: str, key: str) -> Iterator[tuple[int, int]]:
    for run in _DIGIT_RUN.finditer(text):
        if run.end() - run.start() < 13:
            continue
        groups = [(m.start() + run.start(), m.end() + run.start()) for m in re.finditer("[0-9]+", run[0])]
        first = 0
        while first < len(groups):
            last = next(
                (
                    end
                    for end in range(first, min(first + 5, len(groups)))
                    if _is_card(text, groups, first, end)
                ),
                None,
            )
            if last is not None:
                yield groups[first][0], groups[last][1]
            first = first + 1 if last is None else last + 1


def _is_card(text: str, groups: list[tuple[int, int]], first: int, last: int) -> bool:
    sizes = tuple(end - start for start, end in groups[first : last + 1])
    if not 13 <= sum(sizes) <= 19 or (len(sizes) > 1 and sizes not in _CARD_GROUPS):
        return False
    if first and text[groups[first][0] - 1] == "." and len(sizes) == 1:
        return False  # what follows a decimal point
    number = "".join(text[start:end] for start, end in groups[first : last + 1])
    return is_card(number)


def is_card(number: str) -> bool:
    """Digits of a length that some issuer uses, with the right check digit (Luhn)."""
    size, two, four = len(number), int(number[:2]), int(number[:4])
    issued = (
        (number[0] == "4" and size in (13, 16, 19))
        or ((51 <= two <= 55 or 2221 <= four <= 2720) and size == 16)
        or (two in (34, 37) and size == 15)
        or (two in (30, 36, 38, 39) and 14 <= size <= 19)
        or (two == 35 and 16 <= size <= 19)
        or (four in (1800, 2131) and size == 15)
        or (number[0] == "6" and 16 <= size <= 19)
        or (two in (50, 56, 57, 58) and 13 <= size <= 19)
    )
    if not issued or len(set(number)) == 1:
        return False
    doubled = sum(sum(divmod(2 * int(digit), 10)) for digit in number[-2::-2])
    return (doubled + sum(map(int, number[::-2]))) % 10 == 0


# --- IBAN -----------------------------------------------------------------------------------------

_IBAN_HEAD = re.compile(r"(?<![0-9A-Za-z])([A-Za-z]{2})[0-9]{2}(?=[ \-]?[0-9A-Za-z]{4})")
_IBAN_SIZES: Final = {
    "NO": 15,
    "BE": 16,
    **dict.fromkeys(("DK", "FI", "NL", "FK", "FO", "GL", "SD"), 18),
    "MK": 19,
    "SI": 19,
    "AT": 20,
    "BA": 20,
    "EE": 20,
    "KZ": 20,
    "LT": 20,
    "LU": 20,
    "MN": 20,
    "XK": 20,
    **dict.fromkeys(("CH", "CR", "HR", "LI", "LV"), 21),
    **dict.fromkeys(("BG", "BH", "DE", "GB", "GE", "IE", "ME", "RS", "VA"), 22),
    **dict.fromkeys(("AE", "GI", "IL", "IQ", "OM", "SO", "TL"), 23),
    **dict.fromkeys(("AD", "CZ", "ES", "MD", "PK", "RO", "SA", "SE", "SK", "TN", "VG"), 24),
    "LY": 25,
    "PT": 25,
    "ST": 25,
    "IS": 26,
    "TR": 26,
    **dict.fromkeys(("BI", "DJ", "FR", "GR", "IT", "MC", "MR", "SM"), 27),
    **dict.fromkeys(("AL", "AZ", "BY", "CY", "DO", "GT", "HU", "LB", "NI", "PL", "SV"), 28),
    "BR": 29,
    "EG": 29,
    "PS": 29,
    "QA": 29,
    "UA": 29,
    "JO": 30,
    "KW": 30,
    "MU": 30,
    "YE": 30,
    "MT": 31,
    "SC": 31,
    "LC": 32,
    "RU": 33,
}


def _ibans(text: str, key: str) -> Iterator[tuple[int, int]]:
    for head in _IBAN_HEAD.finditer(text):
        size = _IBAN_SIZES.get(head[1].upper(), 0)
        place, taken = head.start(), ""
        while len(taken) < size and place < len(text):
            if text[place].isascii() and text[place].isalnum():
                taken += text[place]
            elif text[place] not in " -" or text[place - 1] in " -":
                break
            place += 1
        ends = place == len(text) or not text[place].isalnum()
        if size and len(taken) == size and ends and is_iban(taken):
            yield head.start(), place


def is_iban(text: str) -> bool:
    """Whether the remainder by 97 is right; the text is without spaces."""
    turned = text[4:] + text[:4]
    return int("".join(str(int(letter, 36)) for letter in turned)) % 97 == 1


# --- addresses on the network ---------------------------------------------------------------------

_V4 = re.compile(r"(?<![\w.])(?:[0-9]{1,3}\.){3}[0-9]{1,3}(?!\w|\.[0-9])")
_V6 = re.compile(r"(?<![\w:.])[0-9A-Fa-f:]{2,39}(?:\.[0-9]{1,3}){0,3}(?![\w:])")
_VERSION = re.compile(r"(?:\bversion|\brelease|\bver\.?|\bv\.?)[ =:\"']{0,3}$", re.IGNORECASE)


def _addresses(text: str, key: str) -> Iterator[tuple[int, int]]:
    for match in _V4.finditer(text):
        if _VERSION.search(text[max(0, match.start() - 12) : match.start()]):
            continue
        try:
            address = IPv4Address(match[0])
        except AddressValueError:
            continue
        section = all(len(part) == 1 for part in match[0].split("."))
        if not (
            section
            or address.is_loopback
            or address.is_unspecified
            or address.is_multicast
            or address.is_reserved
        ):
            yield match.span()
    for match in _V6.finditer(text):
        if match[0].count(":") < 2:
            continue
        try:
            v6 = IPv6Address(match[0].rstrip(":") if not match[0].endswith("::") else match[0])
        except AddressValueError:
            continue
        groups = sum(1 for group in match[0].split(":") if group)
        if groups >= 3 and not v6.is_loopback and any(letter.isdigit() for letter in match[0]):
            yield match.span()


# --- keys, tokens, passwords ----------------------------------------------------------------------

_TOKENS = re.compile(
    r"(?<![0-9A-Za-z])(?:"
    r"(?:AKIA|ASIA|AGPA|AIDA|AROA|ANPA|ANVA|AIPA)[A-Z0-9]{16}(?![A-Z0-9])"
    r"|[sp]k-(?:proj-|ant-|or-|svcacct-|admin-|lf-)?[A-Za-z0-9_\-]{16,256}"
    r"|[prs]k_(?:live|test)_[A-Za-z0-9]{10,256}|whsec_[A-Za-z0-9+/=]{16,256}"
    r"|gh[oprsu]_[A-Za-z0-9]{20,255}|github_pat_[A-Za-z0-9_]{20,255}|glpat-[A-Za-z0-9_\-]{16,128}"
    r"|xox[a-z]-[A-Za-z0-9\-]{10,256}|xapp-[A-Za-z0-9\-]{10,256}"
    r"|AIza[0-9A-Za-z_\-]{30,64}|ya29\.[0-9A-Za-z_\-]{20,1024}"
    r"|hf_[A-Za-z0-9]{20,128}|npm_[A-Za-z0-9]{30,128}|pypi-[A-Za-z0-9_\-]{40,512}"
    r"|SG\.[A-Za-z0-9_\-]{16,64}\.[A-Za-z0-9_\-]{16,128}|gsk_[A-Za-z0-9]{20,128}|xai-[A-Za-z0-9]{20,256}"
    r"|lsv2_[A-Za-z0-9_]{20,128}"
    r"|(?<![_\-])eyJ[A-Za-z0-9_\-]{8,4096}\.[A-Za-z0-9_\-]{4,16384}\.[A-Za-z0-9_\-]{0,4096}"
    r")"
)
_BLOCKS = re.compile(
    r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----"
    r"(?:(?!-----END)[\s\S]){0,20000}+(?:-----END [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----)?"
)
_NAMED = re.compile(
    r"(?<![A-Za-z0-9])(?:[A-Za-z0-9]{1,40}[_\-]){0,4}(?:password|passwd|passphrase|pwd|secret|api[_\-]?key|"
    r"(?:access|auth|refresh|id|api|session)[_\-]?token|(?:secret[_\-]?)?access[_\-]?key|private[_\-]?key|"
    r"client[_\-]?secret|account[_\-]?key)"
    r"[\\\"']{0,3}[ \t]{0,3}(=|:|\bis\b)[ \t]{0,3}[\\\"']{0,3}([^\s\"'\\<>,;&]{4,512})",
    re.IGNORECASE,
)
_BEARER = re.compile(
    r"(?<![A-Za-z0-9])(?:bearer|token)[ \t]{1,3}([A-Za-z0-9._~+/=\-]{16,4096})", re.IGNORECASE
)
_HEADER = re.compile(
    r"(?:authorization|cookie)[\\\"']{0,3}[ \t]{0,3}[:=][ \t]{0,3}[\\\"']{0,3}([^\r\n\"'\\]{8,4096})",
    re.IGNORECASE,
)
_HEADER_KEY = re.compile(r"(?:^|[._\-])(?:authorization|cookie)$", re.IGNORECASE)
_HEADER_VALUE = re.compile(
    r"(?:(?:bearer|basic|token|digest|apikey)[ ]+)?[^\s]{16,16384}(?:[ ;,][^\r\n]{0,16384})?", re.IGNORECASE
)
_IN_URL = re.compile(r"://[^/\s:@]{0,128}:([^/\s@]{1,256})@")
_HOOK = re.compile(r"hooks\.slack\.com/(?:services|workflows)/([A-Za-z0-9/_\-]{10,256})")
_EMPTY = re.compile(
    r"(?:none|null|nil|undefined|true|false|required|missing|invalid|\*+|x+|\.+)$", re.IGNORECASE
)


def _secrets(text: str, key: str) -> Iterator[tuple[int, int]]:
    for pattern in (_BLOCKS, _TOKENS):
        for match in pattern.finditer(text):
            yield match.span()
    if _HEADER_KEY.search(key) and _HEADER_VALUE.fullmatch(text):
        yield 0, len(text)
    for pattern in (_IN_URL, _HOOK, _HEADER):
        for match in pattern.finditer(text):
            if not match[1].startswith(("[", "{", "<", "$")):
                yield match.span(1)
    for match in _BEARER.finditer(text):
        if any(letter.isdigit() for letter in match[1]):
            yield match.span(1)
    for match in _NAMED.finditer(text):
        start, end = match.span(2)
        end = start + len(match[2].rstrip(".)]}!?:"))
        if _is_password(text[start:end], told=match[1] == "="):
            yield start, end


def _is_password(value: str, *, told: bool) -> bool:
    """After an equals sign any word is a password; elsewhere (`password: please ...`) one that looks so."""
    if len(value) < 4 or value[0] in "[{<$(%" or _EMPTY.match(value):
        return False
    if told:
        return True
    return any(letter.isdigit() for letter in value) and any(letter.isalpha() for letter in value)


FINDERS: Final[Mapping[str, Callable[[str, str], Iterator[tuple[int, int]]]]] = MappingProxyType(
    {
        "secret": _secrets,
        "iban": _ibans,
        "card": _cards,
        "email": _emails,
        "ip": _addresses,
        "phone": find_phones,
    }
)

__all__ = [
    "COARSE",
    "ESCAPED",
    "KINDS",
    "PHONE_KEYS",
    "SECRET_KEYS",
    "SIEVES",
    "Find",
    "find",
    "is_card",
    "is_iban",
]
