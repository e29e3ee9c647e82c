"""Conversations as the spans that their application would have sent, in OpenTelemetry's GenAI terms."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256

from assay.ingest.columns import SpanRow, Text
from assay.ingest.messages import Call, Exchange, Message, split_exchanges

_STEP_NS = 2_000_000_000
_ERROR = re.compile(r"\s*(error\b|\{\s*\"error\"\s*:\s*+(?!null\b|false\b|\"\"|\[\]|\{\}))", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Conversation:
    """One row of a file. `started_ns`: its first message, or the row's own time."""

    source: str
    row_id: str
    conversation_id: str
    messages: Sequence[Message]
    started_ns: int
    user_id: str = ""
    model: str = ""
    context: Sequence[str] = ()
    attributes: Mapping[str, str] = field(default_factory=dict)

    @property
    def exchanges(self) -> list[Exchange]:
        return split_exchanges(self.messages)


def trace_id_of(source: str, row_id: str, turn: int) -> str:
    """The trace id of a row's exchange (from 0): the same for every import of the row."""
    return _digest(source, row_id, turn)[:32]


def _digest(*parts: object) -> str:
    return sha256("\0".join(map(str, parts)).encode("utf-8", "backslashreplace")).hexdigest()


def times_of(messages: Sequence[Message], started_ns: int) -> list[int]:
    """When each message came: its own time, or that of the one before; two seconds apart
    where no message tells. Never backwards."""
    if all(message.time_ns is None for message in messages):
        return [started_ns + place * _STEP_NS for place in range(len(messages))]
    times, now_ns = [], started_ns
    for message in messages:
        now_ns = max(now_ns, message.time_ns or 0)
        times.append(now_ns)
    return times


def conversation_spans(conversation: Conversation, origin: int) -> list[SpanRow]:
    """A root span for each exchange, with its tools, intermediate texts and documents below.

    Durations are those that messages tell; where they tell none they are 0, and the
    spans of an exchange stand nanoseconds apart to keep their order.
    """
    timed = any(message.time_ns is not None for message in conversation.messages)
    times = times_of(conversation.messages, conversation.started_ns)
    exchanges = conversation.exchanges
    answered = [turn for turn, exchange in enumerate(exchanges) if _answer(exchange) is not None]
    grounded = answered[-1] if answered else len(exchanges) - 1
    rows: list[SpanRow] = []
    for turn, exchange in enumerate(exchanges):
        clock = times if timed else [times[exchange.first]] * len(times)
        context = conversation.context if turn == grounded else ()
        rows += _Trace(conversation, turn, origin, clock).spans(exchange, context)
    return rows


class _Trace:
    """The spans of one exchange, numbered as they are made."""

    def __init__(self, conversation: Conversation, turn: int, origin: int, times: Sequence[int]) -> None:
        self._of, self._turn, self._origin, self._times = conversation, turn, origin, times
        self._trace_id = trace_id_of(conversation.source, conversation.row_id, turn)
        self._rows: list[SpanRow] = []

    def spans(self, exchange: Exchange, context: Sequence[str]) -> list[SpanRow]:
        start_ns, end_ns = self._times[exchange.first], self._times[exchange.last]
        self._add("invoke_agent", start_ns, end_ns, self._root(exchange))
        if context:
            documents = json.dumps([{"content": text} for text in context], ensure_ascii=False)
            self._add("retrieval", start_ns, start_ns, {"gen_ai.retrieval.documents": documents})
        self._steps(exchange)
        return self._rows

    def _root(self, exchange: Exchange) -> dict[str, str]:
        attributes = {"gen_ai.conversation.id": self._of.conversation_id}
        if self._of.user_id:
            attributes["user.id"] = self._of.user_id
        if self._of.model:
            attributes["gen_ai.request.model"] = self._of.model
        if exchange.system:
            attributes["gen_ai.system_instructions"] = _json([_part(text) for text in exchange.system])
        asked = [message.text for _, message in exchange.asked if message.text]
        if asked:
            attributes["gen_ai.input.messages"] = _said("user", asked)
        answer = _answer(exchange)
        if answer is not None:
            attributes["gen_ai.output.messages"] = _said("assistant", [answer[1].text])
        return attributes | {f"assay.attr.{key}": text for key, text in self._of.attributes.items()}

    def _steps(self, exchange: Exchange) -> None:
        """Tools in the order of their calls, and what was said on the way to the answer."""
        answer = _answer(exchange)
        waiting: list[tuple[int, Call]] = []
        before = exchange.first
        for place, message in (*exchange.asked, *exchange.done):
            if message.role == "tool":
                self._tool(_matching(message, waiting), place, message)
            elif message.role == "assistant" and message.text and (answer is None or place != answer[0]):
                self._chat(before, place, message)
            waiting += [(place, call) for call in message.calls]
            before = place
        for place, call in waiting:
            self._tool((place, call), place, None)

    def _chat(self, before: int, place: int, message: Message) -> None:
        attributes = {"gen_ai.output.messages": _said("assistant", [message.text])}
        if self._of.model:
            attributes["gen_ai.request.model"] = self._of.model
        if message.name:
            attributes["gen_ai.agent.name"] = message.name
        self._add("chat", self._times[before], self._times[place], attributes)

    def _tool(self, called: tuple[int, Call] | None, place: int, result: Message | None) -> None:
        start, call = called or (place, Call(call_id="", name="", arguments=""))
        name = call.name or (result.name if result else "") or "tool"
        attributes = {"gen_ai.tool.name": name}
        if call.call_id or (result and result.call_id):
            attributes["gen_ai.tool.call.id"] = call.call_id or (result.call_id if result else "")
        if call.arguments:
            attributes["gen_ai.tool.call.arguments"] = call.arguments
        failed = ""
        if result:
            attributes["gen_ai.tool.call.result"] = result.text
            if result.error or _ERROR.match(result.text):
                failed = result.text.strip()[:200] or "error"
        self._add("execute_tool", self._times[start], self._times[place], attributes, failed)

    def _add(
        self, operation: str, start_ns: int, end_ns: int, attributes: dict[str, str], failed: str = ""
    ) -> None:
        number = len(self._rows)
        named: dict[Text, Text] = {"gen_ai.operation.name": operation}
        named.update(attributes)
        subject = attributes.get("gen_ai.tool.name", "")
        self._rows.append(
            SpanRow(
                start_ns + number,
                self._trace_id,
                _digest(self._of.source, self._of.row_id, self._turn, number)[:16],
                self._rows[0].span_id if self._rows else "",
                "",
                f"{operation} {subject}".strip(),
                "Internal",
                self._origin,
                named,
                max(end_ns - start_ns, 0),
                "Error" if failed else "Unset",
                failed,
            )
        )


def _answer(exchange: Exchange) -> tuple[int, Message] | None:
    """The last text that the assistant said."""
    said = [(place, one) for place, one in exchange.done if one.role == "assistant" and one.text]
    return said[-1] if said else None


def _matching(result: Message, waiting: list[tuple[int, Call]]) -> tuple[int, Call] | None:
    """The call that a result answers, by id, else by name, else the oldest; it waits no longer."""
    for fits in (
        lambda call: bool(result.call_id) and call.call_id == result.call_id,
        lambda call: not result.call_id and bool(result.name) and call.name == result.name,
        lambda call: not result.call_id and not result.name,
    ):
        for one in waiting:
            if fits(one[1]):
                waiting.remove(one)
                return one
    return None


def _said(role: str, texts: Sequence[str]) -> str:
    return _json([{"role": role, "parts": [_part(text) for text in texts]}])


def _part(text: str) -> dict[str, str]:
    return {"type": "text", "content": text}


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
