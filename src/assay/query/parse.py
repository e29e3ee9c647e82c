"""Text of the filter language to a condition."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Final, Literal, cast

from assay.errors import FilterError
from assay.query.complain import complain, refuse_halves, unknown
from assay.query.fields import FIELDS
from assay.query.names import ALIASES, LEVELS, TAG, VIRTUAL, Names, any_of, field_names, priority_is
from assay.query.text import fold_words
from assay.query.tree import (
    And,
    AnyTurn,
    Attribute,
    Compare,
    Condition,
    Contains,
    Field,
    HasScore,
    InConversation,
    InList,
    IsKnown,
    Last,
    Mentions,
    Not,
    Operator,
    Or,
    Says,
    ScoreIs,
    Selected,
    SignalIs,
    Subject,
    Tagged,
    Value,
)

if TYPE_CHECKING:
    from lark import Lark, Token, Tree

MAX_LENGTH: Final = 4_000
MAX_DEPTH: Final = 40
MAX_SAVED: Final = 50
"""Saved filters in one, all those counted that they name themselves."""

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
    "_SAYS": "`says`",
    "_IS": "`is`",
    "_KNOWN": "`known`",
    "_UNKNOWN": "`unknown`",
}
_STARTERS = frozenset(
    {
        "_SIGNAL",
        "_SELECTED",
        "_SAVED",
        "_ANY",
        "_CONVERSATION",
        "SCORE",
        "LABEL",
        "_JUDGED",
        "_LABELLED",
        "_LAST",
        "_ATTR",
    }
)


def parse(text: str, names: Names | None = None) -> Condition:
    """The condition that the expression says. Raises FilterError with the position of what is wrong.

    >>> parse('signal.error and turns >= 3')
    And(parts=(SignalIs(name='error'), Compare(subject=Field(name='turns'), operator='>=', value=3.0)))
    """
    if len(text) > MAX_LENGTH:
        raise complain(text, MAX_LENGTH, f"a filter has at most {MAX_LENGTH:,} characters, not {len(text):,}")
    if not text.strip():
        raise FilterError("the filter is empty", position=0)
    refuse_halves(text)
    return _Reading(text, names or Names()).condition(_read_tree(text), 1)


def _read_tree(text: str) -> Tree[Token]:
    from lark.exceptions import UnexpectedCharacters, UnexpectedEOF, UnexpectedToken

    try:
        return open_parser().parse(text)
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
def open_parser() -> Lark:
    from lark import Lark

    grammar = files("assay.query").joinpath("filter.lark").read_text(encoding="utf-8")
    return Lark(grammar, parser="lalr", maybe_placeholders=False, propagate_positions=True)


def _expectation(terminals: set[str]) -> str:
    if terminals & _STARTERS:
        return 'a condition, like turns > 3, signal.error or output contains "x"'
    named = [words for terminal, words in _EXPECTED.items() if terminal in terminals]
    return " or ".join(named) if named else "something else"


class _Reading:
    """One expression being read: it knows the text for its complaints and the names for its checks."""

    def __init__(self, text: str, names: Names, inside: tuple[str, ...] = (), left: list[int] | None = None):
        self.text = text
        self.names = names
        self._inside = inside
        self._left = left if left is not None else [MAX_SAVED]

    def condition(self, tree: Tree[Token], depth: int) -> Condition:
        if depth > MAX_DEPTH:
            what = f"a filter may nest at most {MAX_DEPTH} deep"
            raise complain(self.text, getattr(tree.meta, "start_pos", 0), what)
        kind, children = str(tree.data), tree.children
        if kind == "saved":
            return self._saved(_leaf(children[0]), depth)
        if kind in _NESTING:
            parts = tuple(self.condition(_branch(child), depth + 1) for child in children)
            return _NESTING[kind](parts)
        read: Callable[[list[Tree[Token] | Token]], Condition] = getattr(self, f"_{kind}")
        return read(children)

    def _saved(self, token: Token, depth: int) -> Condition:
        """What a saved filter says, in its place."""
        if self.names.saved is None:
            raise self._wrong(token, "saved filters can't be asked for here")
        name = self._name(token, "saved filter", frozenset(self.names.saved))
        if name in self._inside:
            way = " asks for ".join(f"`{step}`" for step in (*self._inside[self._inside.index(name) :], name))
            raise self._wrong(token, f"saved filters go in a circle: {way}")
        self._left[0] -= 1
        if self._left[0] < 0:
            raise self._wrong(token, f"a filter asks for at most {MAX_SAVED} saved ones in all")
        text = self.names.saved[name]
        try:
            inner = _Reading(text, self.names, (*self._inside, name), self._left)
            return inner.condition(_read_tree(text), depth + 1)
        except FilterError as error:
            what = str(error).partition("\n")[0]
            raise self._wrong(token, f"the saved filter `{name}` can't be used: {what}") from None

    def _compare(self, children: list[Tree[Token] | Token]) -> Condition:
        if name := self._virtual(_branch(children[0])):
            sign = _leaf(children[1])
            if sign not in ("=", "!="):
                raise self._wrong(sign, f"`{name}` compares with = and != only, not {sign}")
            found = self._one_of(name, children[2:])
            return Not(part=found) if sign == "!=" else found
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
        if name := self._virtual(_branch(children[0])):
            return self._one_of(name, children[1:])
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

    def _virtual(self, tree: Tree[Token]) -> str:
        """The name, where the subject is no field and compares like one."""
        name = str(tree.children[0])
        return name if tree.data == "field" and name in VIRTUAL else ""

    def _one_of(self, name: str, children: list[Tree[Token] | Token]) -> Condition:
        """The tag, or the priority, is one of these."""
        found: list[Condition] = []
        for position, value in (self._value(_branch(child)) for child in children):
            if not isinstance(value, str):
                raise complain(self.text, position, f"`{name}` is a text: write the value in quotes")
            if name == TAG:
                found.append(Tagged(tag=value))
                continue
            if self.names.priorities is None:
                raise complain(self.text, position, "`priority` can't be asked for here")
            if value not in LEVELS:
                raise unknown(self.text, position, "priority", value, LEVELS)
            found.append(priority_is(value, self.names.priorities))
        return any_of(found)

    def _says(self, children: list[Tree[Token] | Token]) -> Condition:
        return self._phrase(self._searched(_branch(children[0])), _leaf(children[1]))

    def _says_anywhere(self, children: list[Tree[Token] | Token]) -> Condition:
        return self._phrase(Field(name="text"), _leaf(children[0]))

    def _phrase(self, subject: Subject, token: Token) -> Condition:
        phrase = _unquote(token)
        if not fold_words(phrase).strip():
            raise self._wrong(token, "a phrase has a word at least; `contains` looks for any letters")
        return Says(subject=subject, phrase=phrase)

    def _known(self, children: list[Tree[Token] | Token]) -> Condition:
        subject, kind = self._subject(_branch(children[0]))
        if kind == "said":
            raise self._wrong(_leaf(_branch(children[0]).children[0]), "`text` can only be searched")
        return IsKnown(subject=subject)

    def _unknown(self, children: list[Tree[Token] | Token]) -> Condition:
        return Not(part=self._known(children))

    def _selected(self, children: list[Tree[Token] | Token]) -> Condition:
        if not children:
            return Selected()
        return Selected(policy=self._name(_leaf(children[0]), "policy", self.names.policies))

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
        name = ALIASES.get(token, str(token))
        if name in VIRTUAL:
            raise self._wrong(token, f"`{name}` compares with = != and in only")
        if name not in FIELDS:
            raise unknown(self.text, token.start_pos or 0, "field", name, field_names())
        return Field(name=name), FIELDS[name].kind

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


_NESTING: Mapping[str, Callable[[tuple[Condition, ...]], Condition]] = {
    "either": lambda parts: Or(parts=parts),
    "both": lambda parts: And(parts=parts),
    "negation": lambda parts: Not(part=parts[0]),
    "group": lambda parts: parts[0],
    "any_turn": lambda parts: AnyTurn(part=parts[0]),
    "in_conversation": lambda parts: InConversation(part=parts[0]),
}


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
