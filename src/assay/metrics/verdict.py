"""A judge's reply: the form that is asked for, and strict reading of what came."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Literal, NamedTuple

from assay.records import Goal

Output = Literal["verdict", "score"]
"""`verdict`: pass or fail. `score`: a whole number from 0 to 10."""

MOST = 10
_THOUGHT = re.compile(r"\A\s*<think>.*?</think>", re.DOTALL)
_FENCED = re.compile(r"\A```[a-zA-Z]*\s*\n(.*?)\n?```\s*\Z", re.DOTALL)


class Verdict(NamedTuple):
    """`value` in [0, 1] with the metric's goal applied: a fail always counts as one."""

    value: float
    category: str
    reasoning: str


class NotUnderstood(ValueError):
    """The reply is not of the form that was asked for; the message says what is wrong."""


def schema_of(output: Output) -> Mapping[str, object]:
    """The JSON Schema of a reply. The reasoning comes first, so that it is thought before judged."""
    if output == "verdict":
        answer: dict[str, object] = {"type": "string", "enum": ["pass", "fail"]}
    else:
        answer = {"type": "integer", "enum": list(range(MOST + 1))}
    return {
        "type": "object",
        "properties": {"reasoning": {"type": "string"}, output: answer},
        "required": ["reasoning", output],
        "additionalProperties": False,
    }


def read_verdict(text: str, output: Output, goal: Goal) -> Verdict:
    """Read a reply, in a code fence or behind a <think> block if need be. Raises NotUnderstood."""
    text = _THOUGHT.sub("", text, count=1).strip()
    if fenced := _FENCED.match(text):
        text = fenced.group(1)
    try:
        tree = json.loads(text, object_pairs_hook=_unique)
    except RecursionError:
        raise NotUnderstood("the JSON is nested too deep") from None
    except ValueError as error:
        raise NotUnderstood(f"not one JSON object ({error})") from None
    if not isinstance(tree, dict):
        raise NotUnderstood(f"a JSON {type(tree).__name__}, not an object")
    if unknown := set(tree) - {"reasoning", output}:
        raise NotUnderstood(f"unknown key {min(unknown)!r}")
    reasoning = tree.get("reasoning")
    if not isinstance(reasoning, str):
        raise NotUnderstood("`reasoning` is missing or no text")
    answer = tree.get(output)
    if output == "verdict":
        return _of_word(answer, reasoning, goal)
    return _of_number(answer, reasoning)


def _of_word(answer: object, reasoning: str, goal: Goal) -> Verdict:
    if answer not in ("pass", "fail"):
        raise NotUnderstood(f'`verdict` must be "pass" or "fail", not {str(answer)[:40]!r}')
    high = (answer == "pass") == (goal == "high")
    return Verdict(1.0 if high else 0.0, str(answer), reasoning)


def _of_number(answer: object, reasoning: str) -> Verdict:
    if isinstance(answer, bool) or not isinstance(answer, (int, float)) or not 0 <= answer <= MOST:
        raise NotUnderstood(f"`score` must be a number from 0 to {MOST}, not {str(answer)[:40]!r}")
    return Verdict(answer / MOST, "", reasoning)


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    keys = [key for key, _ in pairs]
    if len(set(keys)) < len(keys):
        raise ValueError("a key occurs twice")
    return dict(pairs)
