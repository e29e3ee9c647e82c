"""A simulated exchange as spans in OpenTelemetry's GenAI conventions."""

from __future__ import annotations

from assay.demo import wire
from assay.demo.ids import SpanIds
from assay.demo.script import SYSTEM_PROMPT, Exchange, ToolUse, encode_json
from assay.demo.story import Truth

SCOPE = ("pinemere.assistant", "2.3.0")

_CONVERSATION = wire.key("gen_ai.conversation.id")
_USER = wire.key("user.id")
_TOPIC, _TIER, _LANGUAGE = (wire.key(f"assay.attr.{name}") for name in ("topic", "tier", "language"))
_INPUT, _OUTPUT = wire.key("gen_ai.input.messages"), wire.key("gen_ai.output.messages")
_OPERATION, _PROVIDER = wire.key("gen_ai.operation.name"), wire.key("gen_ai.provider.name")
_REQUEST_MODEL, _RESPONSE_MODEL = wire.key("gen_ai.request.model"), wire.key("gen_ai.response.model")
_INPUT_TOKENS, _OUTPUT_TOKENS = (wire.key(f"gen_ai.usage.{side}_tokens") for side in ("input", "output"))
_TOOL, _ARGUMENTS, _RESULT = (
    wire.key(f"gen_ai.tool.{part}") for part in ("name", "call.arguments", "call.result")
)
_QUERY, _DOCUMENTS = wire.key("gen_ai.retrieval.query.text"), wire.key("gen_ai.retrieval.documents")
_ERROR_TYPE = wire.key("error.type")
_SCORE_NAME, _SCORE_VALUE = (wire.key(f"gen_ai.evaluation.{part}") for part in ("name", "score.value"))

_PROVIDER_TEXT = wire.text(_PROVIDER, "openai")
_AGENT = (
    wire.text(_OPERATION, "invoke_agent")
    + _PROVIDER_TEXT
    + wire.text(wire.key("gen_ai.agent.name"), "support-assistant")
)
_INSTRUCTIONS = wire.text(
    wire.key("gen_ai.system_instructions"), encode_json([{"type": "text", "content": SYSTEM_PROMPT}])
)
_CHAT = wire.text(_OPERATION, "chat") + _PROVIDER_TEXT + _INSTRUCTIONS
_EXECUTE = wire.text(_OPERATION, "execute_tool")
_RETRIEVE = wire.text(_OPERATION, "retrieval") + _PROVIDER_TEXT
_FINISH = wire.key("gen_ai.response.finish_reasons")
_STOPPED, _CUT = wire.texts(_FINISH, ["stop"]), wire.texts(_FINISH, ["length"])
_FEEDBACK = wire.event_attribute(wire.text(_SCORE_NAME, "user_feedback"))


def message(role: str, content: str) -> str:
    """One message in the conventions' JSON."""
    return f'{{"role":"{role}","parts":[{{"type":"text","content":{encode_json(content)}}}]}}'


def encode_exchange(truth: Truth, exchange: Exchange, ids: SpanIds, history: str) -> list[bytes]:
    """The spans, root first. `history`: the earlier messages as JSON, each followed by a comma."""
    start, end = exchange.started_ns, exchange.ended_ns
    asked = message("user", exchange.user)
    answered = b""
    if exchange.answer:
        answered = wire.text(_OUTPUT, f"[{message('assistant', exchange.answer)}]")
    conversation = wire.text(_CONVERSATION, truth.conversation_id)
    failed = (
        wire.text(_ERROR_TYPE, "timeout") + wire.status(wire.ERROR, exchange.error) if exchange.error else b""
    )
    root = (
        _AGENT
        + conversation
        + wire.text(_USER, truth.user_id)
        + wire.text(_TOPIC, truth.route)
        + wire.text(_TIER, truth.tier)
        + wire.text(_LANGUAGE, truth.language)
        + wire.text(_INPUT, f"[{asked}]")
        + answered
        + failed
    )
    spans = [
        wire.span(
            ids.trace, ids.spans[0], b"", "invoke_agent support-assistant", wire.SERVER, start, end, root
        )
    ]
    searched = bool(exchange.documents) or exchange.in_vain
    step = (end - start) // (len(exchange.tools) + searched + 2)
    at, number = start + 1000, 1
    if searched:
        rest = _RETRIEVE + _retrieved(exchange)
        spans.append(_child(ids, number, "retrieval help-centre", at, at + step, rest))
        at, number = at + step, number + 1
    for use in exchange.tools:
        spans.append(_child(ids, number, f"execute_tool {use.name}", at, at + step, _EXECUTE + _tool(use)))
        at, number = at + step, number + 1
    chat = (
        _CHAT
        + conversation
        + wire.text(_REQUEST_MODEL, truth.model)
        + wire.text(_RESPONSE_MODEL, truth.model)
        + wire.text(_INPUT, f"[{history}{asked}]")
        + answered
        + (b"" if failed else _CUT if exchange.cut else _STOPPED)
        + wire.integer(_INPUT_TOKENS, exchange.input_tokens)
        + wire.integer(_OUTPUT_TOKENS, exchange.output_tokens)
        + failed
    )
    spans.append(_child(ids, number, f"chat {truth.model}", at, end - 1000, chat, wire.CLIENT))
    return spans


def encode_feedback(ids: SpanIds, at_ns: int, score: int) -> bytes:
    """A thumb up or down as a later span of the same trace, with the conventions' event."""
    attributes = _FEEDBACK + wire.event_attribute(wire.real(_SCORE_VALUE, float(score)))
    rest = wire.event("gen_ai.evaluation.result", at_ns, attributes)
    return wire.span(
        ids.trace, ids.feedback, ids.spans[0], "user_feedback", wire.INTERNAL, at_ns, at_ns + 1000, rest
    )


def _child(
    ids: SpanIds, number: int, name: str, start: int, end: int, rest: bytes, kind: int = wire.INTERNAL
) -> bytes:
    return wire.span(ids.trace, ids.spans[number], ids.spans[0], name, kind, start, end, rest)


def _tool(use: ToolUse) -> bytes:
    named = wire.text(_TOOL, use.name) + wire.text(_ARGUMENTS, use.arguments)
    if use.error:
        return named + wire.text(_ERROR_TYPE, "503") + wire.status(wire.ERROR, use.error)
    return named + wire.text(_RESULT, use.result)


def _retrieved(exchange: Exchange) -> bytes:
    found = [{"id": f"kb-{i}", "score": 0.9 - i / 5, "content": t} for i, t in enumerate(exchange.documents)]
    return wire.text(_QUERY, exchange.user) + wire.text(_DOCUMENTS, encode_json(found))
