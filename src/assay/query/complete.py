"""What may come next in a filter that somebody is writing, from what the grammar accepts there."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

from assay.query.fields import FIELDS
from assay.query.names import ALIASES, LEVELS, PRIORITY, TAG, VIRTUAL
from assay.query.parse import MAX_LENGTH, open_parser
from assay.query.text import quote

if TYPE_CHECKING:
    from lark import Token

Kind = Literal[
    "field",
    "attribute",
    "value",
    "operator",
    "keyword",
    "signal",
    "metric",
    "list",
    "policy",
    "saved",
]

MOST: Final = 100
"""Completions given at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Completion:
    """`insert` takes the place of the text from `start` to `end`."""

    insert: str
    start: int
    end: int
    kind: Kind
    meaning: str


Meanings = Mapping[str, str]
_NONE: Final[Meanings] = MappingProxyType({})


class Known(NamedTuple):
    """What exists in a project, by name with its meaning. `values` are what fields, `tag` and
    attributes hold, the most frequent first; an attribute's stand under `attr["key"]`."""

    signals: Meanings = _NONE
    metrics: Meanings = _NONE
    words: Meanings = _NONE
    policies: Meanings = _NONE
    saved: Meanings = _NONE
    attributes: Meanings = _NONE
    values: Mapping[str, Meanings] = MappingProxyType({})


class _Typed(NamedTuple):
    """What is being written: the piece from `start` to `end`, of which `text` stands before the cursor."""

    start: int
    end: int
    text: str


class _Offer(NamedTuple):
    """`match` is what the writer's letters are compared with."""

    insert: str
    kind: Kind
    meaning: str
    match: str = ""


_STARTS: Final = (
    _Offer("signal.", "keyword", "a signal is raised on it"),
    _Offer("score.", "keyword", "the newest machine score of a metric"),
    _Offer("label.", "keyword", "the mean of the labels that people gave"),
    _Offer('attr["', "keyword", "what the application sent beside the facts"),
    _Offer("says ", "keyword", "a phrase, as whole words, in any turn"),
    _Offer("last ", "keyword", "it started within this time before now: last 24h"),
    _Offer("any(", "keyword", "of a conversation: all of this holds of one of its interactions"),
    _Offer("conversation(", "keyword", "of an interaction: this holds of its conversation"),
    _Offer("judged", "keyword", "some metric has scored it"),
    _Offer("labelled", "keyword", "some person has labelled it"),
    _Offer("selected", "keyword", "a policy has drawn it"),
    _Offer("selected.", "keyword", "this policy has drawn it"),
    _Offer("saved.", "keyword", "a saved filter holds of it"),
    _Offer("not ", "keyword", "the next condition does not hold"),
    _Offer("(", "keyword", "conditions that belong together"),
)
_STARTED_BY: Final[Mapping[str, str]] = {
    "signal.": "_SIGNAL",
    "score.": "SCORE",
    "label.": "LABEL",
    'attr["': "_ATTR",
    "says ": "_SAYS",
    "last ": "_LAST",
    "any(": "_ANY",
    "conversation(": "_CONVERSATION",
    "judged": "_JUDGED",
    "labelled": "_LABELLED",
    "selected": "_SELECTED",
    "selected.": "_SELECTED",
    "saved.": "_SAVED",
    "not ": "_NOT",
    "(": "LPAR",
}
_OPERATORS: Final[Mapping[str, str]] = {
    "=": "equals",
    "!=": "differs from",
    "<": "is less than",
    "<=": "is at most",
    ">": "is more than",
    ">=": "is at least",
}
_TIMES: Final[Mapping[str, str]] = {
    "<": "before",
    "<=": "then or before",
    ">": "after",
    ">=": "then or after",
}
_SIGNS: Final[Mapping[str, tuple[str, ...]]] = {
    "text": ("=", "!="),
    TAG: ("=", "!="),
    PRIORITY: ("=", "!="),
    "number": tuple(_OPERATORS),
    "attribute": tuple(_OPERATORS),
    "said": (),
}
_WORDS: Final = (
    ("_IN", _Offer("in (", "operator", "is one of these"), ("text", "number", "attribute", TAG, PRIORITY)),
    (
        "_NOT",
        _Offer("not in (", "operator", "is none of these"),
        ("text", "number", "attribute", TAG, PRIORITY),
    ),
    ("_CONTAINS", _Offer("contains ", "operator", "has this part"), ("text", "said", "attribute")),
    ("_SAYS", _Offer("says ", "operator", "has this phrase, as whole words"), ("text", "said", "attribute")),
    (
        "_MENTIONS",
        _Offer("mentions @", "operator", "has a phrase of a word list"),
        ("text", "said", "attribute"),
    ),
    ("_IS", _Offer("is known", "operator", "there is something"), ("text", "number", "attribute")),
    ("_IS", _Offer("is unknown", "operator", "there is nothing"), ("text", "number", "attribute")),
)
_SPANS: Final = {"24h": "one day", "7d": "a week", "1h": "an hour", "30m": "half an hour", "30d": "30 days"}
_LEVELS: Final = dict.fromkeys(LEVELS, "")
_BY_OWN_NAME: Final = ("signal.", "saved.", "attr[")


def complete(text: str, cursor: int, known: Known) -> list[Completion]:
    """What may stand at the cursor, the likeliest first; nothing where the text before it is wrong.

    >>> [found.insert for found in complete("not judg", 8, Known())]
    ['judged ']
    """
    if not 0 <= cursor <= len(text) or len(text) > MAX_LENGTH:
        return []
    typed = _typed(text, cursor)
    tokens, accepted = _read(text[: typed.start])
    offers = _ranked(_offers(tokens, accepted, known), typed.text)
    return [_place(offer, text, typed) for offer in offers][:MOST]


def _typed(text: str, cursor: int) -> _Typed:
    """The piece at the cursor: a text in quotes, a word, or nothing yet."""
    texts = list(re.finditer(r"""("|')(?:\\.|(?!\1)[^\\])*(?:\1|\\?\Z)""", text, re.DOTALL))
    dangling = bool(texts) and not _is_closed(texts[-1][0])
    for found in texts:
        start, end = found.span()
        closed = _is_closed(found[0])
        if start < cursor and (cursor < end or not closed):
            # A quote that nothing closes takes what stood behind it before it was typed.
            return _Typed(start, end if closed and not dangling else cursor, text[start:cursor])
    start = cursor - len(re.search(r"(?:\w*|!)\Z", text[:cursor])[0])  # type: ignore[index]
    end = cursor + len(re.match(r"\w*", text[cursor:])[0])  # type: ignore[index]
    return _Typed(start, end, text[start:cursor])


def _is_closed(text: str) -> bool:
    """Whether the text in quotes has its second one."""
    return re.fullmatch(r"""("|')(?:\\.|(?!\1)[^\\])*\1""", text, re.DOTALL) is not None


def _read(text: str) -> tuple[list[Token], set[str]]:
    """The tokens of the text, and what may follow them; nothing where it is no beginning of a filter."""
    from lark.exceptions import LarkError

    reader = open_parser().parse_interactive(text)
    try:
        tokens = list(reader.iter_parse())
        return tokens, set(reader.accepts())  # type: ignore[no-untyped-call]
    except LarkError:
        return [], set()


def _offers(tokens: list[Token], accepted: set[str], known: Known) -> Iterator[_Offer]:
    before = [token.type for token in tokens[-2:]]
    if "NAME" in accepted and before[-1:] == ["DOT"]:
        yield from _names(tokens[-2].type, known)
    elif "NAME" in accepted and before[-1:] == ["AT"]:
        yield from _all(known.words, "list")
    elif "AT" in accepted:
        yield from (_Offer(f"@{name} ", "list", meaning, name) for name, meaning in known.words.items())
    elif "_SIGNAL" in accepted:
        yield from _starts(accepted, known)
    elif "STRING" in accepted and before[-1:] == ["LSQB"]:
        yield from (
            _Offer(f"{quote(key)}] ", "attribute", meaning, key) for key, meaning in known.attributes.items()
        )
    elif "OPERATOR" in accepted:
        yield from _operators(tokens, accepted)
    elif accepted & {"STRING", "NUMBER"}:
        yield from _values(tokens, known)
    elif "SPAN" in accepted:
        yield from (_Offer(f"{span} ", "value", meaning) for span, meaning in _SPANS.items())
    else:
        yield from _joints(accepted)


def _names(keyword: str, known: Known) -> Iterator[_Offer]:
    """What stands behind `signal.` and its kin."""
    if keyword == "_SIGNAL":
        yield from _all(known.signals, "signal")
    elif keyword == "_SELECTED":
        yield from _all(known.policies, "policy")
    elif keyword == "_SAVED":
        yield from _all(known.saved, "saved")
    elif keyword in ("SCORE", "LABEL"):
        yield from _all(known.metrics, "metric")


def _all(found: Meanings, kind: Kind) -> Iterator[_Offer]:
    return (_Offer(f"{name} ", kind, meaning) for name, meaning in found.items())


def _starts(accepted: set[str], known: Known) -> Iterator[_Offer]:
    """What a condition begins with: also a signal by its own name."""
    yield from (offer for offer in _STARTS if _STARTED_BY[offer.insert] in accepted)
    for info in FIELDS.values():
        yield _Offer(f"{info.name} ", "field", info.meaning)
    for name, meaning in VIRTUAL.items():
        yield _Offer(f"{name} ", "field", meaning)
    for name, meaning in known.signals.items():
        yield _Offer(f"signal.{name} ", "signal", meaning, name)
    for alias, name in ALIASES.items():
        yield _Offer(f"{alias} ", "field", f"the same as {name}")
    for name, meaning in known.saved.items():
        yield _Offer(f"saved.{name} ", "saved", meaning, name)
    for key, meaning in known.attributes.items():
        yield _Offer(f"attr[{quote(key)}] ", "attribute", meaning, key)


def _operators(tokens: list[Token], accepted: set[str]) -> Iterator[_Offer]:
    kind = _kind(tokens)
    if kind == "score":
        yield from (_Offer(f"{sign} ", "operator", meaning) for sign, meaning in _OPERATORS.items())
    elif kind == "time":
        yield from (_Offer(f"{sign} ", "operator", meaning) for sign, meaning in _TIMES.items())
    else:
        yield from (_Offer(f"{sign} ", "operator", _OPERATORS[sign]) for sign in _SIGNS.get(kind, ()))
    yield from (offer for terminal, offer, kinds in _WORDS if terminal in accepted and kind in kinds)


def _kind(tokens: list[Token]) -> str:
    """What the subject that was written last compares with."""
    if tokens[-1].type == "RSQB":
        return "attribute"
    if len(tokens) > 2 and tokens[-2].type == "DOT":
        return "score"
    name = ALIASES.get(tokens[-1], str(tokens[-1]))
    return name if name in VIRTUAL else FIELDS[name].kind if name in FIELDS else ""


def _values(tokens: list[Token], known: Known) -> Iterator[_Offer]:
    """What the subject before the operator holds."""
    last = len(tokens) - 1
    if tokens[last].type in ("LPAR", "COMMA"):
        last = max((n for n, token in enumerate(tokens) if token.type == "_IN"), default=0)
        last -= tokens[last - 1].type == "_NOT"
    elif tokens[last].type != "OPERATOR":
        return
    subject = tokens[last - 1]
    if subject.type == "RSQB":
        key = str(tokens[last - 2])[1:-1]
        found = known.values.get(f"attr[{quote(key)}]", _NONE)
    else:
        name = ALIASES.get(subject, str(subject))
        found = _LEVELS if name == PRIORITY else known.values.get(name, _NONE)
    inside = tokens[-1].type != "OPERATOR"
    for value, meaning in found.items():
        yield _Offer(quote(value) + ("" if inside else " "), "value", meaning, value)


def _joints(accepted: set[str]) -> Iterator[_Offer]:
    if "COMMA" in accepted:
        yield _Offer(", ", "keyword", "another value")
    if "RPAR" in accepted:
        yield _Offer(") ", "keyword", "the end of this bracket")
    if "_AND" in accepted:
        yield _Offer("and ", "keyword", "both hold")
        yield _Offer("or ", "keyword", "one of them holds")
    if "_KNOWN" in accepted:
        yield _Offer("known ", "keyword", "there is something")
        yield _Offer("unknown ", "keyword", "there is nothing")
    if "DOT" in accepted:
        yield _Offer(".", "keyword", "and its name")
    if "_IN" in accepted:
        yield _Offer("in (", "keyword", "is none of these")


def _ranked(offers: Iterable[_Offer], typed: str) -> list[_Offer]:
    """Those that begin with what is typed, then those that hold it; signals and attributes by their own
    names only where something is typed."""
    wanted = typed.lstrip("\"'").lower()
    if not typed:
        return [offer for offer in offers if not offer.insert.startswith(_BY_OWN_NAME) or not offer.match]
    first, second = [], []
    for offer in offers:
        text = (offer.match or offer.insert).lower()
        if text.startswith(wanted) or offer.insert.lower().startswith(wanted):
            first.append(offer)
        elif wanted in text:
            second.append(offer)
    return [offer for offer in (*first, *second) if offer.insert.rstrip() != typed]


def _place(offer: _Offer, text: str, typed: _Typed) -> Completion:
    """The offer in its place. No space is doubled, and one that a word needs before it is set."""
    end = typed.end + (offer.insert.endswith(" ") and text[typed.end : typed.end + 1] == " ")
    touches = text[: typed.start].endswith(("'", '"', ")", "]")) and not typed.text
    insert = f" {offer.insert}" if touches and offer.insert[0].isalpha() else offer.insert
    return Completion(insert=insert, start=typed.start, end=end, kind=offer.kind, meaning=offer.meaning)
