"""What happens in the simulated fortnight: who asks what, when, and what goes wrong.

The story's last day is day 14. Day 6 has an outage of the tools, day 10 brings version 1.9 with a
fault in refunds, and from day 11 a new problem emerges: the update loses gift card balances."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from itertools import accumulate

from assay.demo.draws import Draws

LAST_DAY = 14
OUTAGE_DAY, OUTAGE_HOUR = 6, 14
RELEASE_DAY = 10
EMERGING_DAY = 11
OLD_VERSION, NEW_VERSION = "1.8", "1.9"
MODEL, SECOND_MODEL = "gpt-5-mini", "claude-haiku-4-5"
SECOND_MODEL_SHARE = 0.25

TOPICS: dict[str, tuple[float, float, str]] = {  # weight, base rate of failure, tool
    "orders": (15, 0.028, "look_up_order"),
    "delivery": (15, 0.055, "track_parcel"),
    "refund": (11, 0.045, "start_refund"),
    "returns": (10, 0.028, "create_return_label"),
    "address": (6, 0.023, "change_address"),
    "payment": (8, 0.055, "look_up_payment"),
    "warranty": (5, 0.055, "open_claim"),
    "account": (8, 0.042, "look_up_account"),
    "product": (8, 0.028, ""),
    "stock": (4, 0.028, "check_stock"),
    "discount": (4, 0.045, "check_voucher"),
    "cancel": (3, 0.032, "cancel_order"),
    "invoice": (2, 0.028, "send_invoice"),
    "other": (1, 0.028, ""),
}
EMERGING = "gift_card"
EMERGING_TOOL = "check_gift_card"
EMERGING_SHARES = (0.015, 0.03, 0.045, 0.06)  # of days 11, 12, 13 and 14
LANGUAGES = ("en", "es", "de")
TIERS = ("free", "plus", "business")
HOUR_WEIGHTS = (2, 1, 1, 1, 1, 2, 4, 7, 11, 14, 15, 15, 14, 14, 14, 14, 14, 14, 15, 16, 15, 12, 7, 2)
WEEKDAY_WEIGHTS = (1.12, 1.08, 1.04, 1.02, 1.0, 0.84, 0.9)

MODES = ("refusal", "asks_human", "repeats", "tool_error", "no_answer", "long", "silent")
MODE_WEIGHTS = {
    "baseline": (0.16, 0.20, 0.20, 0.08, 0.06, 0.07, 0.23),
    "regression": (0.45, 0.20, 0.15, 0.0, 0.0, 0.0, 0.20),
    "outage": (0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0),
    "emerging": (0.10, 0.25, 0.28, 0.0, 0.0, 0.05, 0.32),
}
RESOLVED_MARKS = {  # signals that mean nothing: the share of resolved conversations that carry one
    "refusal": 0.012,
    "asks_human": 0.010,
    "repeats": 0.010,
    "tool_error": 0.010,
    "no_answer": 0.001,
    "long": 0.012,
}


def _cumulative(weights: tuple[float, ...]) -> tuple[float, ...]:
    total = sum(weights)
    return tuple(accumulate(w / total for w in weights))


_TOPIC_NAMES = tuple(TOPICS)
_TOPIC_STEPS = _cumulative(tuple(weight for weight, _, _ in TOPICS.values()))
_MODE_STEPS = {cause: _cumulative(weights) for cause, weights in MODE_WEIGHTS.items()}
_HOUR_STEPS = _cumulative(HOUR_WEIGHTS)
_LANGUAGE_STEPS = _cumulative((0.90, 0.06, 0.04))
_TIER_STEPS = _cumulative((0.62, 0.28, 0.10))


@dataclass(frozen=True, slots=True, kw_only=True)
class Truth:
    """What is true of a conversation, most of it hidden from the application and from assay.

    `route` is the topic as the application knows it: it has none for the emerging problem.
    `mode` says how a failure shows ("" where resolved), `cause` why it happened; `marks` are the
    visible events, which resolved conversations have too and silent failures don't.
    """

    conversation_id: str
    seed: int
    date: date
    day: int
    start_s: float
    topic: str
    route: str
    tool: str
    language: str
    tier: str
    version: str
    model: str
    user_id: str
    resolved: bool
    cause: str
    mode: str
    marks: tuple[str, ...]
    feedback: int | None


def tell(conversation_id: str, seed: int, on: date, day: int, index: int) -> Truth:
    """The truth of one conversation; `day` is the day of the story, 1 to 14."""
    draws = Draws(f"{seed}:{on.toordinal()}:{index}:truth")
    start_s = _start(draws)
    topic = _topic(draws, day)
    language = LANGUAGES[draws.weighted(_LANGUAGE_STEPS)]
    tier = TIERS[draws.weighted(_TIER_STEPS)]
    model = SECOND_MODEL if draws.chance(SECOND_MODEL_SHARE) else MODEL
    tool = EMERGING_TOOL if topic == EMERGING else TOPICS[topic][2]
    cause = _cause(draws, day, start_s, topic, language, tool)
    mode = MODES[draws.weighted(_MODE_STEPS[cause])] if cause else ""
    if mode == "tool_error" and not tool:
        mode = "silent"
    return Truth(
        conversation_id=conversation_id,
        seed=seed,
        date=on,
        day=day,
        start_s=start_s,
        topic=topic,
        route="other" if topic == EMERGING else topic,
        tool=tool,
        language=language,
        tier=tier,
        version=NEW_VERSION if day >= RELEASE_DAY else OLD_VERSION,
        model=model,
        user_id=f"u-{draws.below(24_000):05d}",
        resolved=not cause,
        cause=cause,
        mode=mode,
        marks=_marks(draws, mode, tool),
        feedback=_feedback(draws, mode),
    )


def _start(draws: Draws) -> float:
    """Seconds after midnight UTC; none after 23:30, so that a conversation ends on its day."""
    hour = draws.weighted(_HOUR_STEPS)
    return (hour + draws.unit() * (0.5 if hour == 23 else 1.0)) * 3600.0


def _topic(draws: Draws, day: int) -> str:
    if day >= EMERGING_DAY and draws.chance(EMERGING_SHARES[day - EMERGING_DAY]):
        return EMERGING
    return _TOPIC_NAMES[draws.weighted(_TOPIC_STEPS)]


def _cause(draws: Draws, day: int, start_s: float, topic: str, language: str, tool: str) -> str:
    """Why the conversation fails, or "" where it is resolved."""
    if day == OUTAGE_DAY and int(start_s // 3600) == OUTAGE_HOUR and tool and draws.chance(0.6):
        return "outage"
    if topic == EMERGING:
        return "emerging" if draws.chance(0.55) else ""
    if topic == "refund" and day >= RELEASE_DAY and draws.chance(0.2):
        return "regression"
    rate = TOPICS[topic][1] + (0.0 if language == "en" else 0.03)
    return "baseline" if draws.chance(rate) else ""


def _marks(draws: Draws, mode: str, tool: str) -> tuple[str, ...]:
    if mode == "silent":
        return ()
    if mode:
        extra = [mark for mark in ("asks_human", "repeats") if mark != mode and draws.chance(0.11)]
        return (mode, *extra)
    return tuple(
        mark
        for mark, share in RESOLVED_MARKS.items()
        if draws.chance(share) and (tool or mark != "tool_error")
    )


def _feedback(draws: Draws, mode: str) -> int | None:
    """A thumb up (1) or down (0): rare, and not always deserved."""
    down, up = {"": (0.004, 0.035), "silent": (0.06, 0.015)}.get(mode, (0.19, 0.005))
    drawn = draws.unit()
    return 0 if drawn < down else 1 if drawn < down + up else None
