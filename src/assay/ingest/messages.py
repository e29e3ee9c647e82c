"""Messages in OpenAI's chat shape, and the exchanges they make."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from assay.errors import FileError
from assay.ingest.cells import text_of, time_ns_of

_ROLES = {
    "user": "user",
    "human": "user",
    "assistant": "assistant",
    "ai": "assistant",
    "model": "assistant",
    "bot": "assistant",
    "system": "system",
    "developer": "system",
    "tool": "tool",
    "function": "tool",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A tool call that a message asks for; `arguments` is text, often JSON."""

    call_id: str
    name: str
    arguments: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One message; `role` is user, assistant, system or tool; `time_ns` None where not told."""

    role: str
    text: str
    name: str = ""
    calls: tuple[Call, ...] = ()
    call_id: str = ""
    time_ns: int | None = None
    error: bool = False


@dataclass(slots=True)
class Exchange:
    """What the user said and all that was done and said until the user spoke again.

    The numbers are the messages' places in the conversation.
    """

    system: list[str] = field(default_factory=list)
    asked: list[tuple[int, Message]] = field(default_factory=list)
    done: list[tuple[int, Message]] = field(default_factory=list)

    @property
    def first(self) -> int:
        return min(place for place, _ in (*self.asked, *self.done))

    @property
    def last(self) -> int:
        return max(place for place, _ in (*self.asked, *self.done))


def read_messages(cell: object, row: int, column: str) -> list[Message]:
    """The messages of a cell: a list, or JSON text of one. Raises FileError that names the row."""
    if cell is None or cell == "":
        return []
    listed = _listed(cell, row, column, "a list of messages {role, content}")
    return [_message(one, number, row, column) for number, one in enumerate(listed, 1)]


def split_exchanges(messages: Sequence[Message]) -> list[Exchange]:
    """One exchange for each time the user speaks; what precedes the first user is one of its own."""
    exchanges: list[Exchange] = []
    system: list[str] = []
    for place, message in enumerate(messages):
        if message.role == "system":
            system.append(message.text)
            continue
        opens = message.role == "user" and (not exchanges or bool(exchanges[-1].done))
        if opens or not exchanges:
            exchanges.append(Exchange())
        current = exchanges[-1]
        current.system += system
        system = []
        (current.asked if message.role == "user" else current.done).append((place, message))
    if exchanges:
        exchanges[-1].system += system
    return exchanges


def _message(one: object, number: int, row: int, column: str) -> Message:
    where = f"row {row} column `{column}` message {number}"
    if not isinstance(one, dict):
        raise FileError(f"{where} is no object with role and content", row=row, column=column)
    role = _ROLES.get(str(one.get("role") or "").lower())
    if role is None:
        raise FileError(
            f"{where} has the role {str(one.get('role'))[:40]!r}; give user, assistant, system or tool",
            row=row,
            column=column,
        )
    content = one.get("content")
    moment = one.get("ts") or one.get("timestamp")
    return Message(
        role=role,
        text=_content(one.get("parts") if content is None else content),
        name=text_of(one.get("name")),
        calls=tuple(_call(call, where, row, column) for call in _calls(one, where, row, column)),
        call_id=text_of(one.get("tool_call_id")),
        time_ns=time_ns_of(moment, row, column),
        error=one.get("is_error") is True or one.get("status") == "error",
    )


def _content(content: object) -> str:
    """Text, or the text of content parts; of a part that is no text, its type."""
    if not isinstance(content, list):
        return text_of(content)
    texts = []
    for part in content:
        if isinstance(part, dict):
            said = part.get("text") or part.get("content") or f"[{part.get('type', 'part')}]"
            texts.append(text_of(said))
        else:
            texts.append(text_of(part))
    return "\n".join(texts)


def _calls(one: dict[str, Any], where: str, row: int, column: str) -> list[Any]:
    cell = one.get("tool_calls")
    if not cell:
        return []
    return _listed(cell, row, column, f"a list of tool calls {{id, name, arguments}} in {where}")


def _call(call: object, where: str, row: int, column: str) -> Call:
    if not isinstance(call, dict):
        raise FileError(f"{where} has a tool call that is no object", row=row, column=column)
    function = call.get("function")
    inner = function if isinstance(function, dict) else call
    return Call(
        call_id=text_of(call.get("id")),
        name=text_of(inner.get("name")),
        arguments=text_of(inner.get("arguments")),
    )


def _listed(cell: object, row: int, column: str, what: str) -> list[Any]:
    if isinstance(cell, str):
        try:
            cell = json.loads(cell)
        except (ValueError, RecursionError) as error:
            raise FileError(
                f"row {row} column `{column}` is no JSON ({error}); it must be {what}", row=row, column=column
            ) from None
    if not isinstance(cell, list):
        raise FileError(
            f"row {row} column `{column}` is {type(cell).__name__}; it must be {what}", row=row, column=column
        )
    return cell
