"""A provider of a team's own, as `[judge] provider` may name one."""

from __future__ import annotations

from assay.llm.base import ChatReply, ChatRequest


class Agreeable:
    """Passes everything, for 200 input tokens a reply."""

    name = "agreeable"
    simulated = True

    async def complete(self, request: ChatRequest) -> ChatReply:
        text = '{"reasoning": "fine", "verdict": "pass"}'
        return ChatReply(text=text, input_tokens=200, output_tokens=10, model=request.model)


def make() -> Agreeable:
    return Agreeable()
