"""A filter as SQL over the columns of `signals`. What people wrote is bound, never formatted in."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any, Final, Literal, NamedTuple

from assay.errors import FilterError
from assay.query import (
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
    Or,
    Says,
    ScoreIs,
    Selected,
    SignalIs,
    Subject,
    Tagged,
    fold,
    fold_words,
    phrases_of,
    walk,
)
from assay.query.evaluate import NUMBER_PATTERN
from assay.query.fields import FIELDS, OPTIONAL
from assay.query.text import TAG_PATTERN
from assay.records import Unit, Window
from assay.store.telemetry.search import SEARCHED, has_runs, has_words, is_run

PHRASES: Final = 500
PATTERN_BYTES: Final = 8_000
"""Phrases of a word list in one pattern, and its length, about: one pattern of many is far faster than a
search for each, and one of more than 16,000 characters is refused."""

EARLIEST: Final = datetime(1900, 1, 1, tzinfo=UTC)
LATEST: Final = datetime(2299, 12, 31, 23, 59, 59, tzinfo=UTC)

_KINDS: Final = {"score": "kind IN ('code', 'judge')", "label": "kind = 'human'"}
_VALUE: Final = {"score": "argMax(value, (scored_at, metric_version))", "label": "avg(value)"}


Heard = Mapping[tuple[str, str], str]
"""By column and word list: an expression that is 1 where the column mentions the list, else 0."""


class Where(NamedTuple):
    """An expression that is 1 or 0 for a row, and the values bound in it."""

    sql: str
    params: dict[str, Any]


def compile_condition(
    condition: Condition | None,
    *,
    words: Mapping[str, Sequence[str]] | None = None,
    now: datetime | None = None,
    prefix: str = "c",
    source: Literal["signals", "facts"] = "signals",
    within: Window | None = None,
    heard: Heard | None = None,
    folded: Mapping[str, str] | None = None,
    unit: Unit | None = None,
) -> Where:
    """The condition over rows of `signals`, or of facts that are on their way there.

    `prefix` begins the names of the bound values: give each condition of one statement its own.
    Where all rows are of the window `within`, the turns that `text` searches are looked for there.
    Where all are of one `unit`, it is the shorter for it.
    `heard` says by which expression a word list's search in a column is answered, `folded` by which
    a column's folded words are at hand.
    No condition holds of every row. Raises FilterError for an unknown word list, for `last`
    without `now`, and over `facts` for what is known only of stored logs.
    """
    if condition is None:
        return Where("1", {})
    compiler = _Compiler(words or {}, now, prefix, source, within, heard or {}, folded or {}, unit or "")
    return Where(compiler.sql(condition), compiler.params)


def listens(condition: Condition) -> frozenset[tuple[str, str]]:
    """The pairs of a column and a word list that the condition searches over `facts`."""
    found = set()
    for part in walk(condition):
        if isinstance(part, Mentions) and isinstance(part.subject, Field):
            name = part.subject.name
            found |= {(column, part.words) for column in (("input", "output") if name == "text" else (name,))}
    return frozenset(found)


def compile_subject(subject: Subject, *, prefix: str = "f") -> Where:
    """A field or attribute as an expression, for grouping by it."""
    compiler = _Compiler({}, None, prefix, "signals")
    return Where(compiler.fact(subject), compiler.params)


class _Compiler:
    def __init__(
        self,
        words: Mapping[str, Sequence[str]],
        now: datetime | None,
        prefix: str,
        source: str,
        within: Window | None = None,
        heard: Heard = MappingProxyType({}),
        folded: Mapping[str, str] = MappingProxyType({}),
        unit: str = "",
    ) -> None:
        self._unit = unit
        self._heard = heard
        self._folded = folded
        self._within = within
        self.params: dict[str, Any] = {}
        self._words = words
        self._now = now
        self._prefix = prefix
        self._stored = source == "signals"

    def sql(self, condition: Condition) -> str:
        match condition:
            case And(parts=parts):
                return "(" + " AND ".join(self.sql(part) for part in parts) + ")"
            case Or(parts=parts):
                return "(" + " OR ".join(self.sql(part) for part in parts) + ")"
            case Not(part=part):
                return f"(NOT {self.sql(part)})"
            case Compare():
                return self._compare(condition)
            case InList():
                return self._in_list(condition)
            case Contains(subject=subject, part=part):
                needle = fold(part)
                return self._search(subject, lambda text: self._contains(text, needle))
            case Says(subject=subject, phrase=phrase):
                said = fold_words(phrase)
                return self._search(subject, lambda text: self._says(text, said))
            case Mentions():
                return self._mentions(condition)
            case Tagged(tag=tag):
                return f"has(extractAll(attributes['tags'], '{_TAG}'), {self._bind('String', tag)})"
            case IsKnown(subject=subject):
                return self._is_known(subject)
            case AnyTurn() | InConversation():
                return self._beside(condition)
            case Selected():
                return self._selected(condition)
            case SignalIs(name=name):
                self._need_stored("signals")
                return f"has(signals, {self._bind('String', name)})"
            case ScoreIs() | HasScore():
                return self._scored(condition)
            case Last(ago=ago):
                if self._now is None:
                    raise FilterError("`last` can't be asked here: it depends on when it is asked")
                return f"(started >= {self._bind_time(self._now - ago)})"

    def _compare(self, part: Compare) -> str:
        if isinstance(part.value, datetime):
            wanted = self._bind_time(part.value)
        else:
            wanted = self._bind("String" if isinstance(part.value, str) else "Float64", part.value)
        return self._known(part.subject, part.value, lambda fact: f"{fact} {part.operator} {wanted}")

    def _in_list(self, part: InList) -> str:
        if isinstance(part.values[0], str):
            texts = self._bind("Array(String)", list(part.values))
            return self._known(part.subject, part.values[0], lambda fact: f"has({texts}, toString({fact}))")
        # Compared one by one, whole numbers keep all their digits, as with `=`; `has` would round them.
        numbers = self._bind("Array(Float64)", list(part.values))
        return self._known(
            part.subject, part.values[0], lambda fact: f"arrayExists(n -> {fact} = n, {numbers})"
        )

    def _known(self, subject: Subject, wanted: object, test: Callable[[str], str]) -> str:
        fact = self.fact(subject)
        if isinstance(subject, Attribute) and isinstance(wanted, float):
            return f"(match({fact}, '{_NUMBER}') AND {test(f'toFloat64OrZero({fact})')})"
        if not isinstance(subject, Attribute) and subject.name in OPTIONAL:
            return f"(isNotNull({fact}) AND {test(f'assumeNotNull({fact})')})"
        return f"({test(fact)})"

    def fact(self, subject: Subject) -> str:
        if isinstance(subject, Attribute):
            return f"attributes[{self._bind('String', subject.key)}]"
        if subject.name not in FIELDS:
            raise FilterError(f"unknown field `{subject.name}`")
        return "(input_tokens + output_tokens)" if subject.name == "tokens" else subject.name

    def _contains(self, text: str, part: str) -> str:
        asked = has_runs(text, part, self._bind) if self._is_indexed(text) else []
        if asked and is_run(part):
            return asked[0]
        return " AND ".join((*asked, f"position({lowered(text)}, {self._bind('String', part)}) > 0"))

    def _says(self, text: str, phrase: str) -> str:
        asked = [has_words(text, phrase, self._bind)] if self._is_indexed(text) else []
        if asked and phrase.count(" ") == 2:
            return asked[0]
        return " AND ".join((*asked, f"position({self._words_of(text)}, {self._bind('String', phrase)}) > 0"))

    def _is_indexed(self, text: str) -> bool:
        return self._stored and text in SEARCHED

    def _mentions(self, part: Mentions) -> str:
        phrases = phrases_of(self._words, part.words)
        if not phrases:
            return "0"
        patterns: list[str] = []

        def hear(text: str) -> str:
            if known := self._heard.get((text, part.words)):
                return known
            if not patterns:
                patterns.extend(self._bind("String", pattern) for pattern in patterns_of(phrases))
            return " OR ".join(f"match({self._words_of(text)}, {pattern})" for pattern in patterns)

        return self._search(part.subject, hear)

    def _words_of(self, text: str) -> str:
        return self._folded.get(text) or folded_words(text)

    def _search(self, subject: Subject, test: Callable[[str], str]) -> str:
        if isinstance(subject, Attribute) or subject.name != "text":
            return f"({test(self.fact(subject))})"
        here = f"({test('input')}) OR ({test('output')})"
        if not self._stored or self._unit == "interaction":
            return f"({here})"
        said = f"log_id GLOBAL IN ({self._talks(here)})"
        return f"({here} OR {said if self._unit else f'(unit = {_TALK} AND {said})'})"

    def _talks(self, inner: str) -> str:
        """The conversations, of those that began in the time at hand, with an interaction like this."""
        said = f"SELECT conversation_id FROM signals FINAL WHERE unit = 'interaction' AND ({inner})"
        if self._within is not None:
            start, end = self._bind_time(self._within.start), self._bind_time(self._within.end)
            ended = (
                "SELECT max(ended) FROM signals FINAL WHERE unit = 'conversation' "
                f"AND started >= {start} AND started < {end}"
            )
            said += f" AND started >= {start} AND started <= ({ended})"
        return said

    def _talking(self, inner: str) -> str:
        """The conversations like this that an interaction of the time at hand may belong to."""
        own = f"SELECT log_id FROM signals FINAL WHERE unit = 'conversation' AND ({inner})"
        if self._within is not None:
            start, end = self._bind_time(self._within.start), self._bind_time(self._within.end)
            own += f" AND started < {end} AND ended >= {start}"
        return own

    def _beside(self, part: AnyTurn | InConversation) -> str:
        """What an interaction of the conversation says, or the conversation of the interaction."""
        self._need_stored("`any` and `conversation`")
        around, within = self._unit, self._within
        own, other = ("interaction", "conversation")[:: 1 if isinstance(part, AnyTurn) else -1]
        # The other unit's rows do not begin in the time at hand.
        self._unit, self._within = own, within if around == own else None
        inner = self.sql(part.part)
        self._unit, self._within = around, within
        if around == own:
            return inner
        if own == "interaction":
            found = f"log_id GLOBAL IN ({self._talks(inner)})"
        else:
            found = f"conversation_id GLOBAL IN ({self._talking(inner)})"
        return f"({found})" if around else f"((unit = '{own}' AND {inner}) OR (unit = '{other}' AND {found}))"

    def _is_known(self, subject: Subject) -> str:
        fact = self.fact(subject)
        if isinstance(subject, Attribute) or FIELDS[subject.name].kind == "text":
            return f"({fact} != '')"
        return f"isNotNull({fact})" if subject.name in OPTIONAL else "1"

    def _selected(self, part: Selected) -> str:
        self._need_stored("selections")
        named = f" AND policy = {self._bind('String', part.policy)}" if part.policy else ""
        rows = f"SELECT unit, log_id FROM selections FINAL WHERE selected = 1{named}"
        return f"((unit, log_id) GLOBAL IN ({rows}))"

    def _scored(self, part: ScoreIs | HasScore) -> str:
        self._need_stored("scores")
        rows = f"SELECT unit, log_id FROM scores FINAL WHERE {_KINDS[part.source]} AND fate = 'scored'"
        if isinstance(part, ScoreIs):
            metric, value = self._bind("String", part.metric), self._bind("Float64", part.value)
            rows += (
                f" AND metric = {metric} GROUP BY unit, log_id"
                f" HAVING {_VALUE[part.source]} {part.operator} {value}"
            )
        return f"((unit, log_id) GLOBAL IN ({rows}))"

    def _bind(self, kind: str, value: Any) -> str:
        name = f"{self._prefix}{len(self.params)}"
        self.params[name] = value
        return f"{{{name}:{kind}}}"

    def _bind_time(self, moment: datetime) -> str:
        return self._bind("DateTime64(6, 'UTC')", min(max(moment.astimezone(UTC), EARLIEST), LATEST))

    def _need_stored(self, what: str) -> None:
        if not self._stored:
            raise FilterError(f"{what} can't be asked for where signals are defined: use facts")


def patterns_of(phrases: Iterable[str]) -> list[str]:
    """Patterns for any of the phrases, in folded words.

    A folded phrase is letters, marks, digits and spaces: nothing in it means anything in a pattern."""
    patterns: list[list[str]] = []
    size = 0
    for phrase in sorted({fold_words(phrase) for phrase in phrases}):
        length = len(phrase.encode()) + 1
        if not patterns or size + length > PATTERN_BYTES or len(patterns[-1]) == PHRASES:
            patterns.append([])
            size = 0
        patterns[-1].append(phrase)
        size += length
    return ["|".join(some) for some in patterns]


def lowered(text: str) -> str:
    """The SQL of `assay.query.fold` over a column; plain ASCII takes the fast way."""
    return f"if(isValidASCII({text}), lower({text}), lowerUTF8({text}))"


def folded_words(text: str) -> str:
    """The SQL of `assay.query.fold_words` over a column; plain ASCII takes the fast way."""
    return (
        f"concat(' ', if(length({text}) = lengthUTF8({text}), "
        f"replaceRegexpAll(lower({text}), '[^a-z0-9]+', ' '), "
        f"replaceRegexpAll(lowerUTF8({text}), '[^\\\\pL\\\\pM\\\\pN]+', ' ')), ' ')"
    )


_TALK: Final = "'conversation'"
_TAG = TAG_PATTERN.replace("\\", "\\\\").replace("'", "\\'")
_NUMBER = NUMBER_PATTERN.replace("\\", "\\\\")
