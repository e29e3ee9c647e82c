"""Text of the filter language to a condition."""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Final, Literal, NamedTuple, cast

from assay.errors import FilterError
from assay.query.complain import complain, unknown
from assay.query.fields import FIELDS
from assay.query.tree import (
    And,
    Attribute,
    Compare,
    Condition,
    Contains,
    Field,
    HasScore,
    InList,
    Last,
    Mentions,
    Not,
    Operator,
    Or,
    ScoreIs,
    SignalIs,
    Subject,
    Value,
)

if TYPE_CHECKING:
    from lark import Lark, Token, Tree

MAX_LENGTH: Final = 4_000
MAX_DEPTH: Final = 40

_UNESCAPED = {"n": "\n", "r": "\r", "t": "\t"}
_MINUTES = {"m": 1, "h": 60, "d": 1_440, "w": 10_080}
_EXPECTED = {
    "NAME": "a name",
    "OPERATOR": "one of = != < <= > >=",
    "STRING": 'a text in quotes, like "x"',
    "NUMBER": "a number",
    "SPAN": "a time like 30m, 24h, 7d or 2w",
    "LPAR": "`(`",
    "RPAR": "`)`",
    "LSQB": "`[`",
    "RSQB": "`]`",
    "COMMA": "`,`",
    "DOT": "`.`",
    "AT": "@ and the name of a word list",
    "$END": "the end",
    "_AND": "`and`",
    "_OR": "`or`",
    "_NOT": "`not`",
    "_IN": "`in`",
    "_CONTAINS": "`contains`",
    "_MENTIONS": "`mentions`",
}
_STARTERS = frozenset({"_SIGNAL", "SCORE", "LABEL", "_JUDGED", "_LABELLED", "_LAST", "_ATTR"})


class Names(NamedTuple):
    """What exists, to tell a typing error from an empty answer. None: don't check that kind."""

    signals: frozenset[str] | None = None
    metrics: frozenset[str] | None = None
    words: frozenset[str] | None = None


def parse(text: str, names: Names | None = None) -> Condition:
    """The condition that the expression says. Raises FilterError with the position of what is wrong.

    >>> parse('signal.error and turns >= 3')
    And(parts=(SignalIs(name='error'), Compare(subject=Field(name='turns'), operator='>=', value=3.0)))
    """
    if len(text) > MAX_LENGTH:
        raise complain(text, MAX_LENGTH, f"a filter has at most {MAX_LENGTH:,} characters, not {len(text):,}")
    if not text.strip():
        raise FilterError("the filter is empty", position=0)
    return _Reading(text, names or Names()).condition(_read_tree(text), 1)


def _read_tree(text: str) -> Tree[Token]:
    from lark.exceptions import UnexpectedCharacters, UnexpectedEOF, UnexpectedToken

    try:
        return _parser().parse(text)
    except UnexpectedToken as error:
        ended = error.token.type == "$END"
        found = "the end" if ended else f"`{str(error.token)[:40]}`"
        position = len(text) if ended else (error.token.start_pos or 0)
        what = f"expected {_expectation(error.accepts or error.expected)}, found {found}"
        raise complain(text, position, what) from None
    except UnexpectedCharacters as error:
        position = error.pos_in_stream or 0
        if text[position] in "\"'":
            raise complain(text, position, "this quote is never closed") from None
        raise complain(text, position, f"`{text[position]}` has no meaning here") from None
    except UnexpectedEOF:
        raise complain(text, len(text), "the filter ends too early") from None


@cache
def _parser() -> Lark:
    from lark import Lark

    grammar = files("assay.query").joinpath("filter.lark").read_text(encoding="utf-8")
    return Lark(grammar, parser="lalr", maybe_placeholders=False)


def _expectation(terminals: set[str]) -> str:
    if terminals & _STARTERS:
        return 'a condition, like turns > 3, signal.error or output contains "x"'
    named = [words for terminal, words in _EXPECTED.items() if terminal in terminals]
    return " or ".join(named) if named else "something else"


class _Reading:
    """One expression being read: it knows the text for its complaints and the names for its checks."""

    def __init__(self, text: str, names: Names) -> None:
        self.text = text
        self.names = names

    def condition(self, tree: Tree[Token], depth: int) -> Condition:
        if depth > MAX_DEPTH:
            raise FilterError(f"a filter may nest at most {MAX_DEPTH} deep")
        kind, children = str(tree.data), tree.children
        if kind in ("either", "both", "negation", "group"):
            parts = tuple(self.condition(cast("Tree[Token]", child), depth + 1) for child in children)
            if kind == "group":
                return parts[0]
            if kind == "negation":
                return Not(part=parts[0])
            return Or(parts=parts) if kind == "either" else And(parts=parts)
        read: Callable[[list[Tree[Token] | Token]], Condition] = getattr(self, f"_{kind}")
        return read(children)

    def _compare(self, children: list[Tree[Token] | Token]) -> Condition:
        subject, kind = self._subject(_branch(children[0]))
        sign = _leaf(children[1])
        operator = cast("Operator", str(sign))
        position, value = self._value(_branch(children[2]))
        if kind == "said":
            raise self._wrong(sign, "`text` can only be searched: text contains ..., text mentions @...")
        if kind == "text" and operator not in ("=", "!="):
            raise self._wrong(sign, f"texts compare with = and != only, not {operator}")
        if kind == "time":
            return self._compare_time(subject, sign, position, value)
        if kind == "attribute" and isinstance(value, str) and operator not in ("=", "!="):
            raise self._wrong(sign, f"{operator} compares numbers: write the value without quotes")
        self._check_kind(subject, kind, position, value)
        return Compare(subject=subject, operator=operator, value=value)

    def _compare_time(self, subject: Subject, sign: Token, position: int, value: str | float) -> Condition:
        operator = cast("Operator", str(sign))
        if operator in ("=", "!="):
            raise self._wrong(sign, "times compare with < <= > >= only")
        example = '"2026-11-01" or "2026-11-01T18:30:00+00:00"'
        if not isinstance(value, str):
            raise complain(self.text, position, f"a time is written in quotes: {example}")
        try:
            moment = datetime.fromisoformat(value)
            moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
        except (ValueError, OverflowError):
            raise complain(self.text, position, f"not a time; write it like {example}") from None
        return Compare(subject=subject, operator=operator, value=moment)

    def _in_list(self, children: list[Tree[Token] | Token]) -> Condition:
        subject, kind = self._subject(_branch(children[0]))
        read = [self._value(_branch(child)) for child in children[1:]]
        if kind in ("said", "time"):
            what = "`in` compares texts or numbers, not times" if kind == "time" else "`text` has no `in`"
            raise complain(self.text, read[0][0], what)
        texts = tuple(value for _, value in read if isinstance(value, str))
        numbers = tuple(value for _, value in read if not isinstance(value, str))
        if texts and numbers:
            raise complain(self.text, read[0][0], "a list holds texts or numbers, not both")
        for position, value in read:
            self._check_kind(subject, kind, position, value)
        return InList(subject=subject, values=texts or numbers)

    def _not_in_list(self, children: list[Tree[Token] | Token]) -> Condition:
        return Not(part=self._in_list(children))

    def _contains(self, children: list[Tree[Token] | Token]) -> Condition:
        subject = self._searched(_branch(children[0]))
        token = _leaf(children[1])
        part = _unquote(token)
        if not part:
            raise self._wrong(token, "every text contains the empty one; say what to look for")
        return Contains(subject=subject, part=part)

    def _mentions(self, children: list[Tree[Token] | Token]) -> Condition:
        subject = self._searched(_branch(children[0]))
        return Mentions(subject=subject, words=self._name(_leaf(children[1]), "word list", self.names.words))

    def _signal(self, children: list[Tree[Token] | Token]) -> Condition:
        return SignalIs(name=self._name(_leaf(children[0]), "signal", self.names.signals))

    def _score(self, children: list[Tree[Token] | Token]) -> Condition:
        source, metric, operator, value = (_leaf(child) for child in children)
        return ScoreIs(
            source=cast("Literal['score', 'label']", source.lower()),
            metric=self._name(metric, "metric", self.names.metrics),
            operator=cast("Operator", str(operator)),
            value=self._number(value),
        )

    def _judged(self, children: list[Tree[Token] | Token]) -> Condition:
        return HasScore(source="score")

    def _labelled(self, children: list[Tree[Token] | Token]) -> Condition:
        return HasScore(source="label")

    def _last(self, children: list[Tree[Token] | Token]) -> Condition:
        token = _leaf(children[0])
        minutes = int(token[:-1]) * _MINUTES[token[-1].lower()]
        if not 0 < minutes <= 5_256_000:
            raise self._wrong(token, "a time between one minute and ten years")
        return Last(ago=timedelta(minutes=minutes))

    def _subject(self, tree: Tree[Token]) -> tuple[Subject, str]:
        token = _leaf(tree.children[0])
        if tree.data == "attribute":
            return Attribute(key=_unquote(token)), "attribute"
        if token not in FIELDS:
            raise unknown(self.text, token.start_pos or 0, "field", str(token), FIELDS)
        return Field(name=str(token)), FIELDS[token].kind

    def _searched(self, tree: Tree[Token]) -> Subject:
        subject, kind = self._subject(tree)
        if kind in ("number", "time"):
            raise self._wrong(_leaf(tree.children[0]), f"only texts are searched, and this is a {kind}")
        return subject

    def _value(self, tree: Tree[Token]) -> tuple[int, str | float]:
        token = _leaf(tree.children[0])
        position = token.start_pos or 0
        return position, _unquote(token) if tree.data == "text" else self._number(token)

    def _number(self, token: Token) -> float:
        number = float(token)
        if not math.isfinite(number):
            raise self._wrong(token, "this number is too large")
        return number

    def _name(self, token: Token, noun: str, known: frozenset[str] | None) -> str:
        if known is not None and token not in known:
            raise unknown(self.text, token.start_pos or 0, noun, str(token), known)
        return str(token)

    def _check_kind(self, subject: Subject, kind: str, position: int, value: Value) -> None:
        name = subject.name if isinstance(subject, Field) else ""
        if kind == "number" and isinstance(value, str):
            raise complain(self.text, position, f"`{name}` is a number: write the value without quotes")
        if kind == "text" and not isinstance(value, str):
            raise complain(self.text, position, f"`{name}` is a text: write the value in quotes")

    def _wrong(self, token: Token, what: str) -> FilterError:
        return complain(self.text, token.start_pos or 0, what)


def _leaf(child: Tree[Token] | Token) -> Token:
    return cast("Token", child)


def _branch(child: Tree[Token] | Token) -> Tree[Token]:
    return cast("Tree[Token]", child)


def _unquote(token: Token) -> str:
    letters = iter(str(token)[1:-1])
    out = []
    for letter in letters:
        if letter == "\\":
            escaped = next(letters)
            letter = _UNESCAPED.get(escaped, escaped)
        out.append(letter)
    return "".join(out)
