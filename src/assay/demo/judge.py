"""A judge that makes its verdicts up, from the truth and with known errors: no network, no price."""

from __future__ import annotations

import json
from collections.abc import Mapping

from assay.demo.draws import Draws
from assay.demo.story import Truth
from assay.demo.world import truth
from assay.errors import ProviderError, UnknownName
from assay.llm.base import ChatReply, ChatRequest

SENSITIVITY = 0.86
"""The probability that a failed conversation is called a failure."""
SPECIFICITY = 0.94
"""The probability that a resolved conversation is called resolved."""
UNPARSABLE_SHARE = 0.005

_REASONS = {
    True: (
        "the request about {topic} was answered in full.",
        "the user got what they came for ({topic}).",
        "nothing of the request about {topic} was left open.",
    ),
    False: (
        "the request about {topic} was left open.",
        "the answer about {topic} stays general and does not help the user.",
        "the user had to give up on {topic} without a solution.",
    ),
}


class SimulatedProvider:
    """Answers about conversations of the simulated assistant; the same each time.

    It looks up the truth by the conversation's id and errs with the probabilities above."""

    name = "simulated"
    simulated = True

    async def complete(self, request: ChatRequest) -> ChatReply:
        """A verdict in the asked form. Raises ProviderError where the log is not a simulated one."""
        try:
            told = truth(request.key)
        except UnknownName as error:
            raise ProviderError(
                f"the simulated judge knows conversations of the demo only: {error}"
            ) from None
        text = _reply(told, request.schema)
        return ChatReply(
            text=text,
            input_tokens=(len(request.system) + len(request.user)) // 4 + 20,
            output_tokens=len(text) // 4 + 1,
            model=request.model,
        )


def provider() -> SimulatedProvider:
    """What `[judge] provider = "assay.demo.judge:provider"` names."""
    return SimulatedProvider()


def judged_resolved(told: Truth) -> bool:
    """The simulated judge's opinion on whether the conversation was resolved."""
    right = SPECIFICITY if told.resolved else SENSITIVITY
    return told.resolved == _draws(told).chance(right)


def _draws(told: Truth) -> Draws:
    return Draws(f"{told.seed}:{told.conversation_id}:judge")


def _reply(told: Truth, schema: Mapping[str, object] | None) -> str:
    resolved = judged_resolved(told)
    draws = Draws(f"{told.seed}:{told.conversation_id}:reply")
    if draws.chance(UNPARSABLE_SHARE):
        return "Simulated judge: I would say that this conversation"
    reason = draws.pick(_REASONS[resolved]).format(topic=told.route.replace("_", " "))
    properties = (schema or {}).get("properties")
    if isinstance(properties, Mapping) and "score" in properties:
        answer: dict[str, object] = {"score": 6 + draws.below(5) if resolved else draws.below(5)}
    else:
        answer = {"verdict": "pass" if resolved else "fail"}
    return json.dumps({"reasoning": f"Simulated judge: {reason}", **answer})
