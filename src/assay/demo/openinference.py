"""A simulated exchange as spans in OpenInference's conventions."""

from __future__ import annotations

from assay.demo import wire
from assay.demo.ids import SpanIds
from assay.demo.script import SYSTEM_PROMPT, Exchange, ToolUse, encode_json
from assay.demo.story import Truth

SCOPE = ("openinference.instrumentation.anthropic", "0.1.20")

_SESSION, _USER, _METADATA = wire.key("session.id"), wire.key("user.id"), wire.key("metadata")
_KIND, _INPUT, _OUTPUT = (
    wire.key("openinference.span.kind"),
    wire.key("input.value"),
    wire.key("output.value"),
)
_MODEL = wire.key("llm.model_name")
_PROMPT_TOKENS, _ANSWER_TOKENS = (wire.key(f"llm.token_count.{side}") for side in ("prompt", "completion"))
_TOOL, _PARAMETERS = wire.key("tool.name"), wire.key("tool.parameters")
_SLOTS = range(2 * 6 + 2)  # system prompt, and a request and an answer for each turn
_ROLES = tuple(wire.key(f"llm.input_messages.{i}.message.role") for i in _SLOTS)
_CONTENTS = tuple(wire.key(f"llm.input_messages.{i}.message.content") for i in _SLOTS)
_OUT_CONTENT = wire.key("llm.output_messages.0.message.content")
_DOCUMENT_KEYS = tuple(wire.key(f"retrieval.documents.{i}.document.content") for i in range(4))

_AGENT = wire.text(_KIND, "AGENT") + wire.text(wire.key("agent.name"), "support-assistant")
_LLM = (
    wire.text(_KIND, "LLM")
    + wire.text(wire.key("llm.provider"), "anthropic")
    + wire.text(wire.key("llm.system"), "anthropic")
    + wire.text(_ROLES[0], "system")
    + wire.text(_CONTENTS[0], SYSTEM_PROMPT)
)
_OUT_ROLE = wire.text(wire.key("llm.output_messages.0.message.role"), "assistant")
_TOOL_KIND, _RETRIEVER = wire.text(_KIND, "TOOL"), wire.text(_KIND, "RETRIEVER")
_FEEDBACK = (
    wire.text(_KIND, "EVALUATOR")
    + wire.text(wire.key("annotations.0.annotation.name"), "user_feedback")
    + wire.text(wire.key("annotations.0.annotation.annotator_kind"), "HUMAN")
)
_FEEDBACK_SCORE = wire.key("annotations.0.annotation.score")


def encode_exchange(
    truth: Truth, exchange: Exchange, ids: SpanIds, history: list[tuple[str, str]]
) -> list[bytes]:
    """The spans, root first. `history`: earlier requests with their answers."""
    start, end = exchange.started_ns, exchange.ended_ns
    metadata = encode_json({"topic": truth.route, "tier": truth.tier, "language": truth.language})
    session = wire.text(_SESSION, truth.conversation_id) + wire.text(_USER, truth.user_id)
    answered = wire.text(_OUTPUT, exchange.answer) if exchange.answer else b""
    failed = wire.status(wire.ERROR, exchange.error) if exchange.error else b""
    root = (
        _AGENT
        + session
        + wire.text(_METADATA, metadata)
        + wire.text(_INPUT, exchange.user)
        + answered
        + failed
    )
    spans = [wire.span(ids.trace, ids.spans[0], b"", "support-assistant", wire.INTERNAL, start, end, root)]
    searched = bool(exchange.documents) or exchange.in_vain
    step = (end - start) // (len(exchange.tools) + searched + 2)
    at, number = start + 1000, 1
    if searched:
        found = (wire.text(name, t) for name, t in zip(_DOCUMENT_KEYS, exchange.documents, strict=False))
        rest = _RETRIEVER + wire.text(_INPUT, exchange.user) + b"".join(found)
        spans.append(_child(ids, number, "help-centre", at, at + step, rest))
        at, number = at + step, number + 1
    for use in exchange.tools:
        spans.append(_child(ids, number, use.name, at, at + step, _tool(use)))
        at, number = at + step, number + 1
    spans.append(
        _child(ids, number, "messages.create", at, end - 1000, _model_call(truth, exchange, history) + failed)
    )
    return spans


def encode_feedback(ids: SpanIds, at_ns: int, score: int) -> bytes:
    """A thumb up or down as a later span of the same trace, annotated by a human."""
    rest = _FEEDBACK + wire.real(_FEEDBACK_SCORE, float(score))
    return wire.span(
        ids.trace, ids.feedback, ids.spans[0], "user_feedback", wire.INTERNAL, at_ns, at_ns + 1000, rest
    )


def _child(ids: SpanIds, number: int, name: str, start: int, end: int, rest: bytes) -> bytes:
    return wire.span(ids.trace, ids.spans[number], ids.spans[0], name, wire.INTERNAL, start, end, rest)


def _model_call(truth: Truth, exchange: Exchange, history: list[tuple[str, str]]) -> bytes:
    pieces = [_LLM, wire.text(_SESSION, truth.conversation_id), wire.text(_MODEL, truth.model)]
    slot = 1
    for user, answer in (*history, (exchange.user, "")):
        pieces += (wire.text(_ROLES[slot], "user"), wire.text(_CONTENTS[slot], user))
        slot += 1
        if answer:
            pieces += (wire.text(_ROLES[slot], "assistant"), wire.text(_CONTENTS[slot], answer))
            slot += 1
    if exchange.answer:
        pieces += (_OUT_ROLE, wire.text(_OUT_CONTENT, exchange.answer))
    pieces += (
        wire.integer(_PROMPT_TOKENS, exchange.input_tokens),
        wire.integer(_ANSWER_TOKENS, exchange.output_tokens),
    )
    return b"".join(pieces)


def _tool(use: ToolUse) -> bytes:
    named = _TOOL_KIND + wire.text(_TOOL, use.name)
    asked = wire.text(_PARAMETERS, use.arguments) + wire.text(_INPUT, use.arguments)
    done = wire.status(wire.ERROR, use.error) if use.error else wire.text(_OUTPUT, use.result)
    return named + asked + done
