"""The text of a message, out of whatever JSON an application or its model keeps its messages in.

The types are kept small, nested JSON as text: planning time grows with the names of types.
"""

from __future__ import annotations

from typing import Final

from assay.store.telemetry.dialect import first_of, is_plain

LISTS: Final = ("messages", "contents", "choices", "candidates", "generations", "input", "output", "inputs")
"""Where an object keeps its messages: OpenAI and LangChain, Gemini, answers, OpenAI's responses."""
TEXT_KEYS: Final = (
    *("output", "answer", "final_answer", "response", "result", "input", "question", "query"),
    *("prompt", "user_input", "message", "text", "content"),
)
"""Where an application's own JSON tends to keep what was asked or answered, likeliest first."""
_KEYS: Final = tuple(dict.fromkeys(("role", *LISTS, *TEXT_KEYS)))
OBJECT: Final = f"Tuple({', '.join(f'{key} String' for key in _KEYS)})"
MESSAGE: Final = (
    "Tuple(role String, content String, type String, parts String, text String, blocks String, "
    "tool_calls String, data Tuple(content String), kwargs Tuple(type String, content String), "
    "message Tuple(role String, content String, tool_calls String))"
)
"""A message of OpenTelemetry GenAI, OpenAI, Anthropic, Gemini, LangChain (or a pair of role and content)."""
PARTS: Final = "Array(Tuple(type String, text String, content String))"
TEXT_TYPES: Final = "('', 'text', 'input_text', 'output_text')"
ROLES: Final = "[['user', 'human'], ['assistant', 'ai', 'model'], ['system', 'developer']]"
"""Whose words are asked for: on the side that asks, on the side that answers; the system prompt."""


FORMAL: Final = "('type', 'role', 'id', 'object', 'model', 'name', 'status', 'finish_reason')"
"""Keys of an object under which nobody says anything."""


def heard(sides: str) -> str:
    """From an array of (side, text) to one of (side, text, system prompt, calls of tools).

    A side is 1 where something is asked and 2 where it is answered; tool calls stay as they came. One
    expression: what is planned in nested queries is planned again at each level."""
    opened = f"arrayMap(j -> (j.1, {_opened('j.2')}), {sides})"
    unquoted = f"arrayMap(j -> (j.1, if(startsWith(j.2, '\"'), JSONExtractString(j.2), j.2)), {opened})"
    parsed = f"JSONExtract(if(startsWith(j.2, '{{'), j.2, ''), '{OBJECT}')"
    objects = f"arrayMap(j -> (j.1, j.2, {parsed}), {unquoted})"
    lists = f"arrayMap(j -> (j.1, {_list()}, {_inside()}), {objects})"
    talks = f"arrayMap(j -> (j.1, {_talk()}, j.3), {lists})"
    bodies = f"arrayMap(j -> (j.1, {_bodies()}, j.3, {_calls()}), {talks})"
    texts = f"arrayMap(j -> (j.1, {_texts()}, j.3, j.4), {bodies})"
    alone = "if(length(j.3.2) = 1, j.3.2[1].2, '')"
    told = first_of("j.2[1]", "j.3.1", "j.2[3]", alone)
    return f"arrayMap(j -> (j.1, {told}, j.2[2], j.4), {texts})"


def _opened(text: str) -> str:
    """What a decorated function was given: its first argument, or those by name."""
    first, named = f"JSONExtractRaw({text}, 'args', 1)", f"JSONExtractRaw({text}, 'kwargs')"
    return f"if(match({text}, '^[{{] *\"(args|kwargs)\"'), {first_of(first, named)}, {text})"


def _list() -> str:
    """The JSON list of messages: the text itself, one of an object's lists, or the object as the only one."""
    found = ", ".join(f"j.3.{key}" for key in LISTS)
    held = "[j.3.message, j.3.output, j.3.content]"
    one = f"if(j.3.role != '', j.2, arrayFirst(t -> startsWith(t, '{{'), {held}))"
    return f"arrayFirst(t -> startsWith(t, '['), [j.2, {found}, concat('[', {one}, ']')])"


def _inside() -> str:
    """What stands under a telling key, or alone: text that is no JSON, the only text of an object."""
    found = ", ".join(f"j.3.{key}" for key in TEXT_KEYS)
    only = (
        f"arrayFilter(p -> p.1 NOT IN {FORMAL} AND substring(p.2, 1, 1) NOT IN ('{{', '[') "
        "AND isNull(toFloat64OrNull(p.2)), "
        "JSONExtractKeysAndValues(j.2, 'String'))"
    )
    return f"(arrayFirst(t -> t != '' AND {is_plain('t')}, [j.2, {found}]), {only})"


def _talk() -> str:
    """The messages, as (role, text or JSON, tool calls); of a batch of conversations the first."""
    role = first_of("m.role", "m.message.role", "m.kwargs.type", "m.type")
    body = first_of(
        *("m.content", "m.parts", "m.kwargs.content", "m.data.content"),
        *("m.message.content", "m.text", "m.blocks"),
    )
    calls = first_of("m.tool_calls", "m.message.tool_calls")
    flat = "if(startsWith(j.2, '[[{'), JSONExtractRaw(j.2, 1), j.2)"
    return f"arrayMap(m -> (lower({role}), {body}, {calls}), JSONExtract({flat}, 'Array({MESSAGE})'))"


def _bodies() -> str:
    """The last text, or list of parts with a text in it, by the side's own role, the system, or nobody."""
    says = "m.2 != '' AND (NOT startsWith(m.2, '[') OR position(m.2, '\"text\"') > 0)"
    roles = f"[{ROLES}[j.1], {ROLES}[3], ['', 'text']]"
    return f"arrayMap(r -> arrayLast(m -> has(r, m.1) AND {says}, j.2).2, {roles})"


def _calls() -> str:
    """The calls of tools in an answer, as they came."""
    called = "position(t, '\"tool') > 0 OR position(t, '\"function') > 0"
    return f"arrayLast(t -> {called}, arrayConcat(j.2.2, j.2.3))"


def _texts() -> str:
    """A body as text: parts are JSON."""
    parts = "JSONExtract(if(startsWith(b, '{'), JSONExtractRaw(b, 'parts'), b), '" + PARTS + "')"
    return f"arrayMap(b -> if(substring(b, 1, 1) IN ('[', '{{'), {first_of(parts_text(parts), 'b')}, b), j.2)"


def instructions(told: str) -> str:
    """A system prompt's text: some write it as a list of parts."""
    parts = f"JSONExtract(t, '{PARTS}')"
    return f"arrayMap(t -> if(startsWith(t, '[{{'), {parts_text(parts)}, t), [{told}])[1]"


def parts_text(parts: str) -> str:
    """The text parts, one a line: pictures, reasoning and tool calls are no text."""
    texts = f"arrayMap(p -> if(p.type IN {TEXT_TYPES}, {first_of('p.content', 'p.text')}, ''), {parts})"
    return f"arrayStringConcat(arrayFilter(t -> t != '', {texts}), '\\n')"
