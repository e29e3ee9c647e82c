"""The reference page of the filter language, from the table of fields."""

from __future__ import annotations

from assay.query.fields import FIELDS
from assay.query.names import ALIASES, VIRTUAL
from assay.query.parse import MAX_DEPTH, MAX_LENGTH, MAX_SAVED

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
says "refund policy" and tag = "beta" and app_version != "v12" and last 24h
any(signal.refusal and latency > 5000) and priority = "high"
saved.angry and feedback is known and selected.daily
```

| write | it holds where |
|---|---|
| `turns >= 3` | the number compares so: `=` `!=` `<` `<=` `>` `>=` |
| `version = "v7"`, `version != "v7"` | the text is exactly this, or is not |
| `version in ("v6", "v7")`, `not in` | the fact is one of these |
| `output contains "refund"` | the text has this part, in upper or lower case |
| `output says "refund policy"` | the text has this phrase, as whole words |
| `says "refund policy"` | some text of it does: the same as `text says` |
| `input mentions @asks_human` | the text has a phrase of that word list, as whole words |
| `attr["topic"] = "billing"` | the application sent this attribute so; one it did not send equals `""` |
| `attr["retries"] > 2` | the attribute is a plain decimal number and compares so |
| `tag = "beta"`, `tag in ("a", "b")` | the application gave it this tag, or one of these |
| `started >= "2026-11-01"` | it began then or later; times are UTC unless they say otherwise |
| `last 24h` | it started within that time before now: minutes `m`, hours `h`, days `d`, weeks `w` |
| `feedback is known`, `is unknown` | there is such a number; of a text or an attribute, it is not empty |
| `signal.refusal` | the signal is raised on it |
| `score.resolved < 0.5` | the newest machine score of the metric, of any version, compares so |
| `label.resolved = 0` | the mean of the labels that people gave compares so |
| `judged`, `labelled` | some metric has scored it; some person has labelled it |
| `selected`, `selected.daily` | a policy, or this one, has drawn it: for a judge or for people |
| `priority = "high"` | the first of the priority rules that holds of it says so |
| `any(A)` | of a conversation: all of A holds of one and the same of its interactions |
| `conversation(A)` | of an interaction: A holds of its conversation |
| `saved.angry` | the saved filter of that name holds |
| `not A`, `A and B`, `A or B`, `( )` | `not` binds before `and`, `and` before `or` |

A comparison with something unknown (no feedback, no score, an attribute that is no number) is false,
so `not feedback >= 0` finds the logs without feedback. Texts stand in `"` or `'`; `\\"`, `\\\\`, `\\n`
and `\\t` mean what they usually do. Keywords may be upper case; names are as written. An expression has
at most {length:,} characters and nests at most {depth} deep.

Whatever is no letter, mark or digit parts words, as Unicode classes them; of characters that a Unicode
version has added since yours was made, the store and Python may think differently. What no priority rule
takes is `"low"`.

`any(A) and any(B)` may be two interactions, `any(A and B)` is one. Asked of an interaction, `any(A)` is
A; asked of a conversation, `conversation(A)` is A: so a saved filter can be asked of both. A filter that
names others stands for what they say now; {saved} of them at most, and none that comes back to itself.

## Fields

| field | kind | meaning |
|---|---|---|
"""

_ALIASES = """
## Other words

| write | for |
|---|---|
"""


def describe_language() -> str:
    """The text of docs/reference/filter.md."""
    kinds = {"said": "search only"}
    rows = "".join(
        f"| `{field.name}` | {kinds.get(field.kind, field.kind)} | {field.meaning} |\n"
        for field in FIELDS.values()
    )
    rows += "".join(f"| `{name}` | {name} | {meaning} |\n" for name, meaning in VIRTUAL.items())
    aliases = "".join(f"| `{alias}` | `{name}` |\n" for alias, name in ALIASES.items())
    head = _HEAD.format(length=MAX_LENGTH, depth=MAX_DEPTH, saved=MAX_SAVED)
    return head + rows + _ALIASES + aliases
