"""The reference page of the signals, from the catalogue."""

from __future__ import annotations

from assay.query import Mentions, walk
from assay.signals.catalogue import Thresholds, catalogue
from assay.signals.parsed import parse_signals
from assay.signals.words import load_words

_HEAD = """# Signals

A signal is a cheap fact that assay computes for **every** log, without a model: it tells where to look
and costs nothing. Each is an [expression](filter.md); filters ask for it by name (`signal.refusal`), and
a conversation carries every signal of its interactions.

| code | name | raised on | where | severity | meaning |
|---|---|---|---|---|---|
"""

_WORDS = """
Thresholds are settings (`[thresholds]`), shown here as they come. `similarity` compares the words of a
request that say something (the list `common` is left out, words count by their first six letters) with
those of each earlier request of the conversation: twice the shared words over all of both. Requests with
fewer than three such words count only where they are the same.

## Word lists

`mentions @list` holds where a phrase of the list stands in the text as whole words; upper and lower case,
punctuation and the shape of an apostrophe make no difference. The built-in lists are English. A list of
your own under `[words]` is used beside them, or instead of the one whose name it takes.

| list | phrases | used by |
|---|---|---|
"""

_TAIL = """
## Your own

```toml
[signals.mentions_lawyer]
expression = "input mentions @legal"
severity = "high"
meaning = "the user speaks of lawyers or courts"

[words]
legal = ["my lawyer", "sue you", "court"]
```

A signal is made of a log's own facts: other signals, scores, labels and `last` can't stand in it.
"""


def describe_catalogue() -> str:
    """The text of docs/reference/signals.md."""
    words = load_words()
    pairs = parse_signals(catalogue(Thresholds()), words)
    rows = [
        f"| {signal.code} | `{signal.name}` | {signal.unit} | `{signal.expression}` | {signal.severity} "
        f"| {signal.meaning} |\n"
        for signal, _ in pairs
    ]
    users = {
        part.words: signal.name
        for signal, condition in pairs
        for part in walk(condition)
        if isinstance(part, Mentions)
    }
    users["common"] = "repeats"
    lists = [
        f"| `{name}` | {len(phrases)} | `signal.{users[name]}` |\n" for name, phrases in sorted(words.items())
    ]
    return _HEAD + "".join(rows) + _WORDS + "".join(lists) + _TAIL
