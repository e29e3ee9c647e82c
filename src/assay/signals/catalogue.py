"""The built-in signals: facts worth knowing of every log, each an expression of the filter language.

Codes are stable for ever: S is the system, U the user, A the assistant, C what the log is about, T the
team's own.
"""

from __future__ import annotations

from dataclasses import dataclass

from assay.records import EVENTS, Severity, Signal, Unit

SIMILAR = 0.6
"""From this similarity on, a request says again what an earlier one of its conversation said."""

SAME_ANSWER = 0.85
"""From this similarity on, an answer says again what an earlier one of its conversation said: answers of
one kind share more words than requests do."""

MANY_TOOL_CALLS = 15
"""From this many on, one answer's tool calls look like a loop."""

LEAKED = 10
"""From this many runs of eight words on, an answer quotes its system prompt: about seventeen words in a
row. A greeting or a short policy that the prompt gives word for word is shorter; a long one is not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Thresholds:
    """Where ordinary ends; every application sets its own."""

    slow_ms: float = 20_000.0
    expensive_usd: float = 0.5
    many_tokens: int = 50_000
    long_turns: int = 8
    unusual_z: float = 4.0
    repeated_calls: int = 3
    unfamiliar: float = 0.5


def catalogue(thresholds: Thresholds) -> tuple[Signal, ...]:
    """The built-in signals in order of their codes."""
    return (
        *_system(thresholds),
        *_unusual(thresholds),
        *_rated(thresholds),
        *_reported(),
        *_behaved(),
        *_said(),
        *_wrote(),
        *_about(thresholds),
    )


def define(
    name: str,
    expression: str = "",
    *,
    sql: str = "",
    unit: Unit = "interaction",
    severity: Severity = "medium",
    meaning: str = "",
) -> Signal:
    """A signal of the team's own. Its code is its name's."""
    return Signal(
        code=f"T-{name}",
        name=name,
        severity=severity,
        meaning=meaning,
        unit=unit,
        expression=expression,
        sql=sql,
    )


def happened(event: str) -> str:
    """The condition that the client has reported this event, with any value but 0 (that is: false)."""
    if event not in EVENTS:
        raise ValueError(f"{event} is none of {', '.join(EVENTS)}")
    fact = f'attr["evaluation.{event}"]'
    return f'{fact} != "" and {fact} != "0"'


def _signal(
    code: str, name: str, severity: Severity, expression: str, meaning: str, unit: Unit = "interaction"
) -> Signal:
    return Signal(code=code, name=name, severity=severity, meaning=meaning, unit=unit, expression=expression)


def _system(thresholds: Thresholds) -> tuple[Signal, ...]:
    slow, cost = _number(thresholds.slow_ms), _number(thresholds.expensive_usd)
    return (
        _signal("S101", "error", "high", "errors > 0", "a step of the application ended in an error"),
        _signal("S102", "slow", "medium", f"latency_ms > {slow}", "the answer took long"),
        _signal("S103", "tool_error", "medium", "tool_errors > 0", "a tool that was called failed"),
        _signal("S104", "empty_output", "high", 'output = ""', "the user got no answer"),
        _signal(
            "S105", "expensive", "low", f"cost_usd > {cost}", "its model calls cost much", "conversation"
        ),
        _signal(
            "S106",
            "many_tokens",
            "low",
            f"tokens > {thresholds.many_tokens}",
            "its model calls used many tokens",
            "conversation",
        ),
        _signal(
            "S107",
            "many_tool_calls",
            "low",
            f"tool_calls >= {MANY_TOOL_CALLS}",
            "one answer took so many tool calls that it may have gone in circles",
        ),
        _signal(
            "S108", "redacted", "info", "redactions > 0", "personal data or a secret was taken out of it"
        ),
    )


def _unusual(thresholds: Thresholds) -> tuple[Signal, ...]:
    z = _number(thresholds.unusual_z)
    return (
        _signal(
            "S109", "timeout", "high", "error mentions @timeout", "a step of the application took too long"
        ),
        _signal(
            "S110",
            "truncated",
            "medium",
            'finish_reason = "length"',
            "the answer was cut off: the model had no more tokens",
        ),
        _signal(
            "S111",
            "content_filtered",
            "medium",
            'finish_reason = "content_filter"',
            "the provider's content filter ended the answer",
        ),
        _signal(
            "S112",
            "slow_for_route",
            "low",
            f"latency_z >= {z}",
            "the answer took far longer than is usual on its route",
        ),
        _signal(
            "S113",
            "expensive_for_route",
            "low",
            f"cost_z >= {z}",
            "the answer cost far more than is usual on its route",
        ),
        _signal(
            "S114",
            "tool_loop",
            "medium",
            f"repeated_calls >= {thresholds.repeated_calls}",
            "the same tool was called with the same arguments again and again",
        ),
        _signal(
            "S115",
            "empty_retrieval",
            "medium",
            "empty_retrievals > 0",
            "a search for documents found none",
        ),
    )


def _rated(thresholds: Thresholds) -> tuple[Signal, ...]:
    return (
        _signal("U201", "negative_feedback", "high", "feedback < 0.5", "the user rated it bad"),
        _signal("U202", "asks_human", "medium", "input mentions @asks_human", "the user asks for a person"),
        _signal(
            "U203",
            "repeats",
            "medium",
            f"similarity >= {SIMILAR}",
            "the user asks again what they asked before",
        ),
        _signal(
            "U204",
            "long_conversation",
            "low",
            f"turns >= {thresholds.long_turns}",
            "the conversation took many turns",
            "conversation",
        ),
        _signal("U205", "frustrated", "medium", "input mentions @frustrated", "the user is angry or near it"),
        _signal(
            "U206",
            "corrects",
            "medium",
            "input mentions @corrects",
            "the user says that the answer was wrong or missed the question",
        ),
        _signal(
            "U207",
            "gives_up",
            "medium",
            "input mentions @gives_up",
            "the user leaves without what they came for",
        ),
        _signal(
            "U208",
            "injection",
            "high",
            "input mentions @injection",
            "the user tries to overrule the assistant's instructions",
        ),
    )


def _reported() -> tuple[Signal, ...]:
    return (
        _signal("U209", "positive_feedback", "info", "feedback >= 0.8", "the user rated it good"),
        _signal("U210", "comment", "low", 'comment != ""', "the user wrote something with their feedback"),
        _signal(
            "U211",
            "ticket_reopened",
            "high",
            happened("ticket_reopened"),
            "the client reports that the matter was opened again",
        ),
        _signal(
            "U212",
            "escalation",
            "high",
            happened("escalation"),
            "the client reports that people had to take over",
        ),
        _signal("U213", "purchase", "info", happened("purchase"), "the client reports that the user bought"),
        _signal("U214", "copied", "info", happened("copied"), "the user copied the answer"),
        _signal(
            "U215", "regenerated", "medium", happened("regenerated"), "the user had the answer written again"
        ),
        _signal("U216", "edited", "low", happened("edited"), "the user changed the answer, or the request"),
    )


def _behaved() -> tuple[Signal, ...]:
    return (
        _signal(
            "U217",
            "returns",
            "medium",
            f"return_similarity >= {SIMILAR}",
            "the user comes back within a day with the same request",
            "conversation",
        ),
        _signal(
            "U218",
            "abandons",
            "low",
            "asks_back = 1 or output mentions @unsure or output mentions @refusal "
            f"or ({happened('abandoned')})",
            "the user leaves after an answer that asked back, declined, or found nothing",
            "conversation",
        ),
        _signal(
            "U219",
            "thanks",
            "info",
            "place != 1 and input mentions @thanks",
            "the user is content",
        ),
    )


def _said() -> tuple[Signal, ...]:
    return (
        _signal("A301", "refusal", "medium", "output mentions @refusal", "the assistant declines to help"),
        _signal("A302", "apology", "low", "output mentions @apology", "the assistant says sorry"),
        _signal(
            "A303", "unsure", "low", "output mentions @unsure", "the assistant does not know or found nothing"
        ),
        _signal(
            "A304", "hands_over", "info", "output mentions @hands_over", "the assistant passes on to a person"
        ),
    )


def _wrote() -> tuple[Signal, ...]:
    return (
        _signal(
            "A305", "hedges", "low", "output mentions @hedges", "the assistant does not stand by its word"
        ),
        _signal(
            "A306",
            "repeats_itself",
            "medium",
            f"output_similarity >= {SAME_ANSWER}",
            "the assistant answers what it answered before",
        ),
        _signal(
            "A307",
            "other_language",
            "medium",
            "other_language = 1",
            "the answer is in another language than the request",
        ),
        _signal(
            "A308",
            "empty_promise",
            "low",
            "output mentions @promises and tool_calls = 0 and tools_before = 0",
            "the assistant says that it did or will do something, and has called no tool so far",
        ),
        _signal(
            "A309",
            "personal_data",
            "medium",
            "output_personal > 0",
            "the answer holds what looks like personal data",
        ),
        _signal(
            "A310",
            "prompt_leaked",
            "medium",
            f"prompt_overlap >= {LEAKED}",
            "the answer quotes the system prompt",
        ),
    )


def _about(thresholds: Thresholds) -> tuple[Signal, ...]:
    return (
        _signal(
            "C401",
            "out_of_scope",
            "low",
            f"unfamiliar >= {_number(thresholds.unfamiliar)}",
            "the request speaks of what no request of the reference set speaks of",
        ),
        _signal("C402", "competitor", "low", "text mentions @competitors", "a competitor is named"),
        _signal("C403", "risk", "high", "text mentions @risk", "a word of the team's list of risks is said"),
        _signal("C404", "product", "info", "text mentions @products", "a product of the team's is named"),
    )


def _number(value: float) -> str:
    return str(int(value)) if float(value).is_integer() else format(value, "f").rstrip("0")
