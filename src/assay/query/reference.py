"""The reference page of the filter language, from the table of fields."""

from __future__ import annotations

from assay.query.fields import FIELDS
from assay.query.parse import MAX_DEPTH, MAX_LENGTH

_HEAD = """# The filter language

One way to say *which logs*: in `assay logs`, in a policy's strata, in a signal's definition, in the
address of every list.

```text
signal.refusal and turns >= 3
version in ("v6", "v7") and not signal.error
output contains "refund" or input mentions @asks_human
attr["topic"] = "billing" and latency_ms > 5000
score.resolved < 0.5 and labelled
started >= "2026-11-01" and text contains "cancel"
```

| write | it holds where |
|---|---|
| `turns >= 3` | the number compares so: `=` `!=` `<` `<=` `>` `>=` |
| `version = "v7"`, `version != "v7"` | the text is exactly this, or is not |
| `version in ("v6", "v7")`, `not in` | the fact is one of these |
| `output contains "refund"` | the text has this part, in upper or lower case |
| `input mentions @asks_human` | the text has a phrase of that word list, as whole words |
| `attr["topic"] = "billing"` | the application sent this attribute so; one it did not send equals `""` |
| `attr["retries"] > 2` | the attribute is a plain decimal number and compares so |
| `started >= "2026-11-01"` | it began then or later; times are UTC unless they say otherwise |
| `last 24h` | it started within that time before now: minutes `m`, hours `h`, days `d`, weeks `w` |
| `signal.refusal` | the signal is raised on it |
| `score.resolved < 0.5` | the newest machine score of the metric, of any version, compares so |
| `label.resolved = 0` | the mean of the labels that people gave compares so |
| `judged`, `labelled` | some metric has scored it; some person has labelled it |
| `not A`, `A and B`, `A or B`, `( )` | `not` binds before `and`, `and` before `or` |

A comparison with something unknown (no feedback, no score, an attribute that is no number) is false,
so `not feedback >= 0` finds the logs without feedback. Texts stand in `"` or `'`; `\\"`, `\\\\`, `\\n`
and `\\t` mean what they usually do. Keywords may be upper case; names are as written. An expression has
at most {length:,} characters and nests at most {depth} deep.

## Fields

| field | kind | meaning |
|---|---|---|
"""


def describe_language() -> str:
    """The text of docs/reference/filter.md."""
    kinds = {"said": "search only"}
    rows = "".join(
        f"| `{field.name}` | {kinds.get(field.kind, field.kind)} | {field.meaning} |\n"
        for field in FIELDS.values()
    )
    return _HEAD.format(length=MAX_LENGTH, depth=MAX_DEPTH) + rows
