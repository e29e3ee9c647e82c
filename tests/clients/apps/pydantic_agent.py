"""pydantic-ai: its own instrumentation of an agent, whose runs name the conversation."""

from __future__ import annotations

from openai import AsyncOpenAI
from pydantic_ai import Agent, InstrumentationSettings, ModelHTTPError
from pydantic_ai.models.openai import OpenAIChatModel
from pydantic_ai.providers.openai import OpenAIProvider
from script import BAD, ENDPOINT, KEY, MODEL, OFTEN, TALK, TURNS, USER
from script import get_weather as look
from telemetry import make_provider

provider = make_provider()
client = AsyncOpenAI(base_url=ENDPOINT, api_key=KEY, max_retries=0)
agent = Agent(OpenAIChatModel(MODEL, provider=OpenAIProvider(openai_client=client)), name="app")
agent.instrument = InstrumentationSettings(tracer_provider=provider)
tracer = provider.get_tracer("app")
history = []


@agent.tool_plain
def get_weather(city: str) -> str:
    """The weather in a city."""
    return look(city)


for ask in TURNS:
    with tracer.start_as_current_span("request") as span:
        span.set_attribute("user.id", USER)
        try:
            done = agent.run_sync(ask, message_history=history, conversation_id=TALK)
        except ModelHTTPError:
            if ask not in (BAD, OFTEN):
                raise
        else:
            history = done.all_messages()

provider.shutdown()
