"""What every application of these tests does: one conversation of five turns with a model behind
OpenAI's interface; a tool in the second, a stream in the third, the last two are refused."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from typing import Any

HI, WEATHER, JOKE = "Hi there!", "What is the weather in Paris?", "Tell me a joke"
BAD, OFTEN = "Cause a bad request", "Cause a rate limit"
TURNS = (HI, WEATHER, JOKE, BAD, OFTEN)
MODEL = "gpt-4o-mini"
SUNNY = "sunny, 21 degrees"

ASSAY = os.environ["APP_ASSAY"]
"""Where assay listens."""
ENDPOINT = os.environ["APP_MODEL"]
KEY = os.environ["APP_KEY"]
TALK, USER = os.environ["APP_TALK"], os.environ["APP_USER"]
TOOLS = [
    {
        "type": "function",
        "function": {
            "name": "get_weather",
            "description": "The weather in a city.",
            "parameters": {
                "type": "object",
                "properties": {"city": {"type": "string"}},
                "required": ["city"],
            },
        },
    }
]


def get_weather(city: str) -> str:
    """The weather in a city."""
    return f"{SUNNY} in {city}" if city != "Paris" else SUNNY


class Talk:
    """The conversation with OpenAI's own client; `lookup` is the tool."""

    def __init__(self, client: Any, lookup: Callable[[str], str] = get_weather) -> None:
        self._client, self._lookup = client, lookup
        self._messages: list[dict[str, Any]] = []

    def answer(self, ask: str) -> str:
        """One turn; raises what the client raises where the model refuses."""
        self._messages.append({"role": "user", "content": ask})
        try:
            said = self._stream() if ask == JOKE else self._complete()
        except Exception:
            self._messages.pop()
            raise
        self._messages.append({"role": "assistant", "content": said})
        return said

    def _complete(self) -> str:
        while True:
            told = self._client.chat.completions.create(model=MODEL, messages=self._messages, tools=TOOLS)
            message = told.choices[0].message
            if not message.tool_calls:
                return str(message.content)
            calls = [call.model_dump(include={"id", "type", "function"}) for call in message.tool_calls]
            self._messages.append({"role": "assistant", "content": None, "tool_calls": calls})
            for call in message.tool_calls:
                result = self._lookup(json.loads(call.function.arguments)["city"])
                self._messages.append({"role": "tool", "tool_call_id": call.id, "content": result})

    def _stream(self) -> str:
        parts = self._client.chat.completions.create(
            model=MODEL, messages=self._messages, stream=True, stream_options={"include_usage": True}
        )
        return "".join(part.choices[0].delta.content or "" for part in parts if part.choices)


def openai_client(make: Any = None) -> Any:
    """OpenAI's client for the model of the tests, or what another library makes of it."""
    if make is None:
        from openai import OpenAI as make  # noqa: N813
    return make(base_url=ENDPOINT, api_key=KEY, max_retries=0)


def run_turns(turn: Callable[[str], object]) -> None:
    """All five; refusals end the turn, not the application."""
    from openai import APIStatusError

    refused = 0
    for ask in TURNS:
        try:
            turn(ask)
        except APIStatusError:
            refused += 1
    if refused != 2:
        raise SystemExit(f"{refused} turns were refused, not 2")
