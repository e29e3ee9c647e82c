"""The built-in signals: facts worth knowing of every log, each an expression of the filter language.

Codes are stable for ever: S is the system, U the user, A the assistant, T the team's own.
"""

from __future__ import annotations

from dataclasses import dataclass

from assay.records import Severity, Signal, Unit

SIMILAR = 0.6
"""From this similarity on, a request says again what an earlier one of its conversation said."""

MANY_TOOL_CALLS = 15
"""From this many on, one answer's tool calls look like a loop."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Thresholds:
    """Where ordinary ends; every application sets its own."""

    slow_ms: float = 20_000.0
    expensive_usd: float = 0.5
    many_tokens: int = 50_000
    long_turns: int = 8


def catalogue(thresholds: Thresholds) -> tuple[Signal, ...]:
    """The built-in signals in order of their codes."""
    return (*_system(thresholds), *_user(thresholds), *_assistant())


def define(
    name: str,
    expression: str,
    *,
    unit: Unit = "interaction",
    severity: Severity = "medium",
    meaning: str = "",
) -> Signal:
    """A signal of the team's own. Its code is its name's."""
    return Signal(
        code=f"T-{name}", name=name, severity=severity, meaning=meaning, unit=unit, expression=expression
    )


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


def _user(thresholds: Thresholds) -> tuple[Signal, ...]:
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


def _assistant() -> tuple[Signal, ...]:
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


def _number(value: float) -> str:
    return str(int(value)) if float(value).is_integer() else format(value, "f").rstrip("0")
