"""The reference page of the signals, from the catalogue."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields

from assay.query import FIELDS, Compare, Condition, Contains, Field, InList, Mentions, walk
from assay.records import EVENTS, Signal
from assay.signals.advice import ADVICE
from assay.signals.catalogue import Thresholds, catalogue
from assay.signals.parsed import parse_signals
from assay.signals.words import list_translations, load_languages, load_words

_HEAD = """# Signals

A signal is a cheap fact that assay computes for **every** log, without a model: it tells where to look
and costs nothing. Each is an [expression](filter.md); filters ask for it by name (`signal.refusal`), and
a conversation carries every signal of its interactions. How often each is raised, and what that says of
failures, is measured in [Signals, and what they tell](../explain/signals.md).

`assay signals` lists them with how often they were raised lately.

| code | name | raised on | severity | meaning |
|---|---|---|---|---|
"""

_WORDS = """
## Word lists

`mentions @list` holds where a phrase of the list stands in the text as whole words; upper and lower case,
punctuation and the shape of an apostrophe make no difference. Every list is what is said in any of its
languages. A list of your own under `[words]` is used beside the built-in ones, or instead of the one whose
name it takes.

| list | phrases | languages | used by |
|---|---|---|---|
"""

_LANGUAGES = """
A language is added without code: in your project as `"refusal.fr" = ["je ne peux pas"]` under `[words]`, and
for everybody as a file `refusal.fr.txt` beside `refusal.txt` in `assay/signals/words`, one phrase a line;
both extend the list `refusal`. The facts `language` and `output_language` know these languages by their
commonest words, or by their scripts, from one file each in `assay/signals/languages`: {languages}. At least
three such words must stand in a text, and two more than of any language that is not too much alike; which
are, each file says (`near:da`).
"""

_TAIL = """
`similarity` compares the words of a request that say something (the list `common` is left out, words count
by their first six letters) with those of each earlier request of the conversation: twice the shared words
over all of both. A word with a digit counts whole, and where each of two requests names a number that the
other does not, they are about two things and share nothing. Where one has only two such words, both must
have the same two; requests of a single one (`refund`, said again) never count.

## What clients report

`POST /v1/feedback` takes, beside ratings, what happened: {events}.
Such an event is no rating. It may come days later; see [feedback](../guides/traces.md#feedback).

## Your own

In the filter language, as SQL over the facts, or in Python: [Signals of your own](../guides/signals.md).

```toml
[signals.mentions_lawyer]
expression = "input mentions @legal"
severity = "high"
meaning = "the user speaks of lawyers or courts"

[words]
legal = ["my lawyer", "sue you", "court"]
```

A signal is made of a log's own facts: other signals, scores, labels, selections, other logs and `last`
can't stand in it.
"""

_SETTINGS = {
    "slow": "slow_ms",
    "expensive": "expensive_usd",
    "many_tokens": "many_tokens",
    "long_conversation": "long_turns",
    "slow_for_route": "unusual_z",
    "expensive_for_route": "unusual_z",
    "tool_loop": "repeated_calls",
    "out_of_scope": "unfamiliar",
}


def describe_catalogue() -> str:
    """The text of docs/reference/signals.md."""
    words, translations = load_words(), list_translations()
    pairs = [
        (signal, condition)
        for signal, condition in parse_signals(catalogue(Thresholds()), words)
        if condition is not None
    ]
    rows = [
        f"| {signal.code} | [`{signal.name}`](#{signal.name}) | {signal.unit} | {signal.severity} "
        f"| {signal.meaning} |\n"
        for signal, _ in pairs
    ]
    sections = [_section(signal, condition, words, translations) for signal, condition in pairs]
    languages = ", ".join(load_languages())
    return (
        _HEAD
        + "".join(rows)
        + "".join(sections)
        + _WORDS
        + "".join(_list_rows(pairs, words, translations))
        + _LANGUAGES.format(languages=languages)
        + _TAIL.format(events=", ".join(f"`{event}`" for event in EVENTS))
    )


def _section(
    signal: Signal,
    condition: Condition,
    words: Mapping[str, Sequence[str]],
    translations: Mapping[str, Sequence[str]],
) -> str:
    lines = [
        f"\n## {signal.name}\n",
        f"\n`{signal.code}`, {signal.severity}: {signal.meaning}. {ADVICE[signal.name]}\n",
        f"\n- **Raised** on {'an' if signal.unit == 'interaction' else 'a'} {signal.unit} where "
        f"`{signal.expression}`.\n",
    ]
    used = [FIELDS[name] for name in _facts(walk(condition))]
    lines += [
        f"- **{fact.name}**: {fact.meaning}.\n" for fact in used if fact.name not in ("input", "output")
    ]
    if signal.name in _SETTINGS:
        setting = _SETTINGS[signal.name]
        default = next(one.default for one in fields(Thresholds) if one.name == setting)
        lines.append(f"- **Setting**: `{setting}` in `[thresholds]`, {default:,g} as it comes.\n")
    for name in dict.fromkeys(part.words for part in walk(condition) if isinstance(part, Mentions)):
        told = f"in {', '.join(translations[name])}" if words[name] else "empty until you fill it"
        lines.append(f"- **Words**: the list [`{name}`](#word-lists), {told}.\n")
    return "".join(lines)


def _facts(parts: Iterable[Condition]) -> list[str]:
    subjects = [part.subject for part in parts if isinstance(part, Compare | InList | Contains | Mentions)]
    names = [subject.name for subject in subjects if isinstance(subject, Field)]
    return list(dict.fromkeys(names))


def _list_rows(
    pairs: Sequence[tuple[Signal, Condition]],
    words: Mapping[str, Sequence[str]],
    translations: Mapping[str, Sequence[str]],
) -> list[str]:
    users: dict[str, list[str]] = {"common": ["repeats", "returns", "repeats_itself", "out_of_scope"]}
    users["closings"] = ["abandons"]
    for signal, condition in pairs:
        for part in walk(condition):
            if isinstance(part, Mentions) and signal.name not in users.setdefault(part.words, []):
                users[part.words].append(signal.name)
    return [
        f"| `{name}` | {len(phrases) or 'yours'} | {', '.join(translations[name]) if phrases else ''} "
        f"| {', '.join(f'`signal.{user}`' for user in users[name])} |\n"
        for name, phrases in sorted(words.items())
    ]


if __name__ == "__main__":
    print(describe_catalogue(), end="")
