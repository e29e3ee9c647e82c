"""The facts that a filter can ask for: the columns of the wide row that every log has."""

from __future__ import annotations

from typing import Literal, NamedTuple

Kind = Literal["text", "number", "time", "said"]


class FieldInfo(NamedTuple):
    """`kind` says what it compares with; `said` is searched only: `contains` and `mentions`."""

    name: str
    kind: Kind
    meaning: str


_FIELDS = (
    FieldInfo("input", "text", "what the user asked; of a conversation, the first request"),
    FieldInfo("output", "text", "what was answered; of a conversation, the last answer"),
    FieldInfo("text", "said", "anything the user asked or was answered, in any turn"),
    FieldInfo("log_id", "text", "the trace id of an interaction, the id of a conversation"),
    FieldInfo("conversation_id", "text", "the conversation it belongs to"),
    FieldInfo("user_id", "text", "who asked, as the application names them"),
    FieldInfo("service", "text", "the service that answered"),
    FieldInfo("environment", "text", "its deployment environment"),
    FieldInfo("version", "text", "its version"),
    FieldInfo("model", "text", "the model that wrote the answer"),
    FieldInfo("provider", "text", "who runs that model"),
    FieldInfo("started", "time", "when it began, in UTC"),
    FieldInfo("ended", "time", "when it ended, in UTC"),
    FieldInfo("turns", "number", "interactions in it"),
    FieldInfo("spans", "number", "spans in it"),
    FieldInfo("llm_calls", "number", "calls of a model"),
    FieldInfo("tool_calls", "number", "calls of tools"),
    FieldInfo("tool_errors", "number", "calls of tools that failed"),
    FieldInfo("errors", "number", "spans that ended in an error"),
    FieldInfo("latency_ms", "number", "milliseconds to the answer; of a conversation, the longest"),
    FieldInfo(
        "ttft_ms",
        "number",
        "milliseconds to the first piece of the answer; of a conversation, the longest; nothing holds of it "
        "where it is not known",
    ),
    FieldInfo("input_tokens", "number", "tokens read by models"),
    FieldInfo("output_tokens", "number", "tokens written by models"),
    FieldInfo("tokens", "number", "tokens read and written"),
    FieldInfo("cached_tokens", "number", "of the tokens read, those that came from a cache"),
    FieldInfo("reasoning_tokens", "number", "of the tokens written, those of the model's reasoning"),
    FieldInfo("cost_usd", "number", "what the model calls cost, in US dollars"),
    FieldInfo(
        "feedback", "number", "the user's lowest rating, 0 to 1; nothing holds of it where there is none"
    ),
    FieldInfo(
        "similarity",
        "number",
        "how much a request resembles an earlier one of its conversation, 0 to 1; 0 where each names a "
        "number that the other does not",
    ),
    FieldInfo("redactions", "number", "places where personal data or a secret was taken out"),
    FieldInfo(
        "route",
        "text",
        "what of the application answered: the service and the name of the trace's first step",
    ),
    FieldInfo(
        "finish_reason",
        "text",
        'why the model ended the last answer: "stop", "length", "tool_calls", "content_filter", "error", or '
        "what else it said",
    ),
    FieldInfo("error", "text", "message or type of the first error"),
    FieldInfo("comment", "text", "what users wrote with their feedback; of a conversation all, line by line"),
    FieldInfo(
        "repeated_calls",
        "number",
        "how often the most repeated tool call, with the same name and arguments, was made for one answer",
    ),
    FieldInfo("retrievals", "number", "searches for documents"),
    FieldInfo("empty_retrievals", "number", "searches for documents that found none"),
    FieldInfo(
        "latency_z",
        "number",
        "how far its latency lies above what is usual on its route, in robust standard deviations of the "
        "logarithm; of a conversation, the highest; nothing holds of it where the seven days before the "
        "log's day have fewer than 50 logs of its route",
    ),
    FieldInfo("cost_z", "number", "the same of its cost"),
    FieldInfo(
        "output_similarity",
        "number",
        "how much an answer resembles an earlier one of its conversation, 0 to 1; 0 where each names a "
        "number that the other does not",
    ),
    FieldInfo(
        "return_similarity",
        "number",
        "of a conversation: how much its first request resembles that of another one which the same user "
        "began in the day before, 0 to 1",
    ),
    FieldInfo(
        "language",
        "text",
        'the language of the request, as "en"; of a conversation, the one mostly used; "" where it is not '
        "known",
    ),
    FieldInfo("output_language", "text", "the language of the answer, likewise"),
    FieldInfo(
        "other_language",
        "number",
        "1 where an answer is in another language than its request, both are known and not easily taken for "
        "each other, as Danish and Norwegian are; else 0",
    ),
    FieldInfo(
        "output_personal",
        "number",
        "places in answers that look like personal data: addresses of e-mail, phones, cards, bank accounts",
    ),
    FieldInfo(
        "prompt_overlap",
        "number",
        "places in answers where eight words in a row stand in the first 16,000 characters of the system "
        "prompt as well, and in no document that was retrieved",
    ),
    FieldInfo(
        "unfamiliar",
        "number",
        "the part of the request's telling words that no request of the reference set has, 0 to 1; of a "
        "conversation, its first request's; 0 without a reference set",
    ),
    FieldInfo(
        "asks_back",
        "number",
        "1 where the answer ends with a question that is no mere closing phrase, as in the list `closings`; "
        "of a conversation, the last",
    ),
    FieldInfo(
        "place",
        "number",
        "which interaction of its conversation it is, from 1; of a conversation, of its last one; 0 where "
        "that was not counted yet",
    ),
    FieldInfo(
        "tools_before",
        "number",
        "calls of tools in the earlier interactions of its conversation; of a conversation, before its last "
        "one",
    ),
)

FIELDS: dict[str, FieldInfo] = {field.name: field for field in _FIELDS}
"""By name, in the order in which documentation shows them."""

OPTIONAL = frozenset({"feedback", "ttft_ms", "latency_z", "cost_z"})
"""Facts that may be unknown of a log."""
