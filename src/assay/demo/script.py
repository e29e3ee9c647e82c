"""From the truth of a conversation to the words, tool calls and times of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, time
from itertools import accumulate
from json import JSONEncoder

from assay.demo.draws import Draws
from assay.demo.phrases import HOSTILE, load_phrases
from assay.demo.speaker import Speaker
from assay.demo.story import MODEL, NEW_VERSION, Truth

MOST_TURNS = 6
SYSTEM_PROMPT = (
    "You are the support assistant of Pinemere, an online shop. Answer in the user's language, briefly. "
    "Use the tools to look things up and never make up the state of an order."
)
HOSTILE_SHARE = 0.004
TOOL_SHARE = 0.13
RETRIEVAL_SHARE = 0.08
CUT_SHARES = {"silent": 0.12, "": 0.002}
"""How often a last answer is cut off at the limit of its length, by how the conversation fails."""
IN_VAIN_SHARES = {"silent": 0.10, "": 0.003}
"""How often the help centre is searched and nothing found."""
TIMEOUT_MESSAGE = "model did not answer within 30 s"
TOOL_FAILURE = "503 upstream unavailable"

_TURN_STEPS = tuple(accumulate((0.51, 0.27, 0.12, 0.06, 0.03, 0.01)))
encode_json: Callable[[object], str] = JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolUse:
    """One call of a tool; `error` is empty where it worked."""

    name: str
    arguments: str
    result: str
    error: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """One interaction. Times in nanoseconds since 1970; `error` is empty where it was answered.

    `cut`: the answer ends at the limit of its length; `in_vain`: a search found no document."""

    started_ns: int
    ended_ns: int
    user: str
    answer: str
    tools: tuple[ToolUse, ...]
    documents: tuple[str, ...]
    error: str
    input_tokens: int
    output_tokens: int
    cut: bool = False
    in_vain: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Conversation:
    """What the application and its users see. `feedback_ns` is when the thumb was given, or 0."""

    truth: Truth
    exchanges: tuple[Exchange, ...]
    feedback_ns: int


def write_conversation(truth: Truth) -> Conversation:
    """The conversation that belongs to this truth; the same each time."""
    draws = Draws(f"{truth.conversation_id}:script")
    speaker = Speaker(truth, draws)
    now_ns = _start_ns(truth)
    exchanges: list[Exchange] = []
    history = len(SYSTEM_PROMPT)
    for step in _plan(truth, draws):
        user, answer, tool = speaker.speak(step)
        if not exchanges and draws.chance(HOSTILE_SHARE):
            user, answer = _poison(user, answer, draws)
        history += len(user)
        exchange = _exchange(truth, draws, now_ns, step, user, answer, tool, history)
        history += len(answer)
        exchanges.append(exchange)
        now_ns = exchange.ended_ns + int(draws.skewed(45.0, 0.5) % 240 * 1e9) + 5_000_000_000
    exchanges[-1] = _limit(exchanges[-1], truth)
    late = int((5 + draws.unit() * 240) * 1e9) if truth.feedback is not None else 0
    return Conversation(
        truth=truth,
        exchanges=tuple(exchanges),
        feedback_ns=exchanges[-1].ended_ns + late if late else 0,
    )


def _start_ns(truth: Truth) -> int:
    midnight = int(datetime.combine(truth.date, time(), tzinfo=UTC).timestamp())
    return midnight * 1_000_000_000 + int(truth.start_s * 1e6) * 1000


def _plan(truth: Truth, draws: Draws) -> list[str]:
    """The steps of the conversation; words of `speaker.STEPS`."""
    turns = draws.weighted(_TURN_STEPS) + 1
    steps = _plan_resolved(truth, turns) if truth.resolved else _plan_failed(truth, turns, draws)
    return steps[:MOST_TURNS]


def _plan_resolved(truth: Truth, turns: int) -> list[str]:
    marks = truth.marks
    first = ["ask"]
    if "tool_error" in marks:
        first = ["recover"]
    if "repeats" in marks:
        first = ["vague", "repeat"]
    if "no_answer" in marks:
        first = ["empty", "repeat"]
    steps = first + ["follow"] * (max(turns, 5) - len(first) if "long" in marks else turns - 1)
    last = [step for mark, step in (("refusal", "decline"), ("asks_human", "handover")) if mark in marks]
    return steps[: MOST_TURNS - len(last)] + last


def _plan_failed(truth: Truth, turns: int, draws: Draws) -> list[str]:
    again = draws.chance(0.4)
    match truth.mode:
        case "refusal":
            steps = ["refused", "refused_again"] if again else ["refused"]
        case "asks_human":
            steps = ["miss", "stonewalled"]
        case "repeats":
            steps = ["miss", "miss_again", "miss_again"] if again else ["miss", "miss_again"]
        case "tool_error":
            steps = ["broken", "broken_again"] if again else ["broken"]
        case "no_answer":
            steps = ["empty"]
        case "long":
            steps = ["vague"] + ["drag"] * ((6 if again else 5) - len(truth.marks))
        case _:
            single = turns == 1 or truth.cause in ("emerging", "regression")
            return ["miss"] if single else ["ask"] + ["follow"] * (turns - 2) + ["miss_more"]
    if "repeats" in truth.marks and truth.mode != "repeats":
        steps.append("miss_again")
    if "asks_human" in truth.marks and truth.mode != "asks_human":
        steps.append("stonewalled")
    return steps


def _poison(user: str, answer: str, draws: Draws) -> tuple[str, str]:
    """Hostile text in the request and, now and then, echoed in the answer."""
    text = draws.pick(HOSTILE)
    echoed = f"{answer} (You wrote: {text})" if answer and draws.chance(0.3) else answer
    return f"{user} {text}", echoed


def _exchange(
    truth: Truth,
    draws: Draws,
    started_ns: int,
    step: str,
    user: str,
    answer: str,
    tool: str,
    history: int,
) -> Exchange:
    seconds = draws.skewed(1.9 if truth.model == MODEL else 1.5, 0.42) + len(answer) / 180
    if truth.version == NEW_VERSION:
        seconds *= 1.12
    if draws.chance(0.006):
        seconds += 18 + 15 * draws.unit()
    tools = _tool_uses(truth, draws, tool)
    documents = _documents(truth, draws) if not tools and step != "empty" else ()
    seconds += 0.4 * len(tools) + 0.2 * len(documents)
    if step == "empty":
        seconds = 30.0
    return Exchange(
        started_ns=started_ns,
        ended_ns=started_ns + int(min(seconds, 60.0) * 1e9),
        user=user,
        answer=answer,
        tools=tools,
        documents=documents,
        error=TIMEOUT_MESSAGE if step == "empty" else "",
        input_tokens=history // 4 + 310 + 60 * len(tools) + 90 * len(documents),
        output_tokens=len(answer) // 4 + 3 if answer else 0,
    )


def _limit(last: Exchange, truth: Truth) -> Exchange:
    """The last exchange, perhaps with its answer cut off or a search that found nothing."""
    draws = Draws(f"{truth.conversation_id}:limits")
    if len(last.answer) > 60 and draws.chance(CUT_SHARES.get(truth.mode, 0.0)):
        answer = last.answer[: len(last.answer) * 2 // 3].rsplit(" ", 1)[0]
        last = replace(last, answer=answer, output_tokens=len(answer) // 4 + 3, cut=True)
    searched = not last.documents and not last.tools and not last.error
    if searched and draws.chance(IN_VAIN_SHARES.get(truth.mode, 0.0)):
        last = replace(last, in_vain=True)
    return last


def _tool_uses(truth: Truth, draws: Draws, tool: str) -> tuple[ToolUse, ...]:
    """`tool`: "failed" (one to three tries), "recovered" (fails, then works) or "" (perhaps one)."""
    if not truth.tool or (not tool and not draws.chance(TOOL_SHARE)):
        return ()
    arguments = encode_json({"order_id": f"SO-{draws.below(900_000) + 100_000}", "user_id": truth.user_id})
    failed = ToolUse(name=truth.tool, arguments=arguments, result="", error=TOOL_FAILURE)
    if tool == "failed":
        return (failed,) * (1 + draws.below(3))
    result = encode_json({"status": "ok", "updated": f"{truth.date}", "items": draws.below(4) + 1})
    worked = ToolUse(name=truth.tool, arguments=arguments, result=result, error="")
    return (failed, worked) if tool == "recovered" else (worked,)


def _documents(truth: Truth, draws: Draws) -> tuple[str, ...]:
    share = RETRIEVAL_SHARE * (4 if not truth.tool else 1)
    if not draws.chance(share):
        return ()
    chapter = truth.route.replace("_", " ")
    first = f"Help centre, {chapter}: {draws.pick(load_phrases('en').topics[truth.route].wrong)}"
    second = f"Help centre, general: our team is available every day. Section {draws.below(40) + 1}."
    return (first, second) if draws.chance(0.5) else (first,)
