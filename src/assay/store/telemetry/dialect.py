"""Small pieces of ClickHouse's SQL from which the mapping is built."""

from __future__ import annotations

PARTS = "Array(Tuple(type String, text String, content String))"
MESSAGES = (
    f"Array(Tuple(role String, type String, content String, parts {PARTS}, "
    "data Tuple(content String), kwargs Tuple(type String, content String)))"
)
"""The messages of OpenTelemetry GenAI, of OpenAI and LangChain's two shapes, in one tolerant type."""

Stage = dict[str, str]


def staged(source: str, *stages: Stage) -> str:
    """Nested SELECTs: each stage adds columns, computed once, that the next may use."""
    sql = source
    for stage in stages:
        columns = ",\n    ".join(f"{expression} AS {name}" for name, expression in stage.items())
        sql = f"SELECT *,\n    {columns}\nFROM (\n{sql}\n)"
    return sql


def attr(key: str) -> str:
    """A span attribute. Looking keys up in the array of keys is several times faster than in the map."""
    return f"attr_values[indexOf(attr_keys, '{key}')]"


def resource(key: str) -> str:
    """A resource attribute."""
    return f"resource_values[indexOf(resource_keys, '{key}')]"


def first_of(*texts: str) -> str:
    """The first text that is not empty."""
    if len(texts) == 1:
        return texts[0]
    tests = "".join(f"{text} != '', {text}, " for text in texts[:-1])
    return f"multiIf({tests}{texts[-1]})"


def number_of(text: str) -> str:
    """A count from text; what is no number from 0 on is 0."""
    return f"toUInt64(if(toFloat64OrZero({text}) BETWEEN 0 AND 1e15, toFloat64OrZero({text}), 0))"


def messages_of(json: str) -> str:
    """Messages from JSON: a list, or one alone."""
    listed = f"if(startsWith({json}, '{{'), concat('[', {json}, ']'), {json})"
    return f"if({json} = '', [], JSONExtract({listed}, '{MESSAGES}'))"


def text_of(messages: str, roles: str) -> str:
    """The text of the last message, by one of the roles, that has any."""
    role = "lower(multiIf(m.role != '', m.role, m.kwargs.type != '', m.kwargs.type, m.type))"
    in_content = parts_text(f"JSONExtract(m.content, '{PARTS}')")
    content = f"if(startsWith(m.content, '[{{'), {in_content}, m.content)"
    text = first_of(parts_text("m.parts"), content, "m.data.content", "m.kwargs.content")
    return f"arrayLast(t -> t != '', arrayMap(m -> if({role} IN {roles}, {text}, ''), {messages}))"


def parts_text(parts: str) -> str:
    """The text parts, one a line: pictures, reasoning and tool calls are no text."""
    is_text = "p.type IN ('', 'text', 'input_text', 'output_text')"
    texts = f"arrayMap(p -> if({is_text}, if(p.content != '', p.content, p.text), ''), {parts})"
    return f"arrayStringConcat(arrayFilter(t -> t != '', {texts}), '\\n')"


def object_of(text: str) -> str:
    """A JSON object as it is, a JSON list as its `messages`, anything else as nothing."""
    listed = f"concat('{{\"messages\":', {text}, '}}')"
    return f"multiIf(startsWith({text}, '{{'), {text}, startsWith({text}, '['), {listed}, '')"


def json_text(text: str) -> str:
    """The text itself, or nothing where it is a JSON object or list."""
    return f"if((startsWith({text}, '{{') OR startsWith({text}, '[')) AND isValidJSON({text}), '', {text})"
