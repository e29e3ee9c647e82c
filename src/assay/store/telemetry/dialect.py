"""Small pieces of ClickHouse's SQL from which the mapping is built."""

from __future__ import annotations

import re

PARTS = "Array(Tuple(type String, text String, content String))"
MESSAGES = (
    f"Array(Tuple(role String, content String, type String, parts {PARTS}, "
    "data Tuple(content String), kwargs Tuple(type String, content String)))"
)
"""The messages of OpenTelemetry GenAI, OpenAI and LangChain (objects, or pairs of role and content)."""
TEXT_TYPES = "('', 'text', 'input_text', 'output_text')"
TEXT_KEYS = (
    *("output", "answer", "final_answer", "response", "result", "input", "question", "query"),
    *("prompt", "user_input", "message", "text", "content"),
)
"""Where an application's own JSON tends to keep what was asked or answered, likeliest first."""
SHAPE = (
    f"Tuple(messages {MESSAGES}, choices Array(Tuple(text String, message Tuple(content String))), "
    f"{', '.join(f'{key} String' for key in TEXT_KEYS)})"
)

LINE = ",\n    "
EMPTY = "''"

Stage = dict[str, str]


def staged(columns: tuple[str, ...], source: str, stages: tuple[Stage, ...], last: Stage) -> str:
    """Nested SELECTs: each stage adds columns, computed once, that the next may use.

    A stage passes on only what a later one names: planning time grows with every column passed.
    """
    sql, known = f"SELECT {', '.join(columns)} FROM {source}", set(columns)
    for number, stage in enumerate(stages):
        later = [text for after in (*stages[number + 1 :], last) for text in after.values()]
        used = set(re.findall(r"[A-Za-z_][A-Za-z_.0-9]*", " ".join(later)))
        used |= {word.partition(".")[0] for word in used}
        passed = sorted(known & used)
        added = [f"{expression} AS {name}" for name, expression in stage.items()]
        sql = f"SELECT {', '.join(passed)},\n    {LINE.join(added)}\nFROM (\n{sql}\n)"
        known = {*passed, *stage}
    final = LINE.join(f"{expression} AS {name}" for name, expression in last.items())
    return f"SELECT {final}\nFROM (\n{sql}\n)"


def attr(key: str) -> str:
    """A span attribute. Looking keys up in the array of keys is several times faster than in the map."""
    return f"attr_values[indexOf(attr_keys, '{key}')]"


def resource(key: str) -> str:
    """A resource attribute."""
    return f"resource_values[indexOf(resource_keys, '{key}')]"


def event(name: str, key: str) -> str:
    """An attribute of the first span event of that name."""
    return f"if(has_events, Events.Attributes[indexOf(Events.Name, '{name}')]['{key}'], '')"


def first_of(*texts: str) -> str:
    """The first text that is not empty. Each stands in the SQL once: it nests without exploding."""
    return f"coalesce({''.join(f'nullIf({text}, {EMPTY}), ' for text in texts[:-1])}{texts[-1]})"


def text_of(messages: str, roles: str) -> str:
    """The text of the last message, by one of the roles, that has any."""
    role = f"lower({first_of('m.role', 'm.kwargs.type', 'm.type')})"
    listed = "startsWith(m.content, '[{')"
    parts = parts_text(f"if({listed}, JSONExtract(m.content, '{PARTS}'), m.parts)")
    text = first_of(parts, f"if({listed}, '', m.content)", "m.data.content", "m.kwargs.content")
    return f"arrayLast(t -> t != '', arrayMap(m -> if(has({roles}, {role}), {text}, ''), {messages}))"


def parts_text(parts: str) -> str:
    """The text parts, one a line: pictures, reasoning and tool calls are no text."""
    texts = f"arrayMap(p -> if(p.type IN {TEXT_TYPES}, {first_of('p.content', 'p.text')}, ''), {parts})"
    return f"arrayStringConcat(arrayFilter(t -> t != '', {texts}), '\\n')"


def is_plain(text: str) -> str:
    """Whether a text is neither a JSON object nor a JSON list."""
    return f"NOT (substring({text}, 1, 1) IN ('{{', '[') AND isValidJSON({text}))"
