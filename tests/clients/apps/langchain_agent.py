"""openinference-instrumentation-langchain: an agent of LangChain's with a tool."""

from __future__ import annotations

from langchain.agents import create_agent
from langchain.tools import tool
from langchain_openai import ChatOpenAI
from openinference.instrumentation import using_attributes
from openinference.instrumentation.langchain import LangChainInstrumentor
from script import ENDPOINT, JOKE, KEY, MODEL, TALK, USER, run_turns
from script import get_weather as look
from telemetry import make_provider

provider = make_provider()
LangChainInstrumentor().instrument(tracer_provider=provider)


@tool
def get_weather(city: str) -> str:
    """The weather in a city."""
    return look(city)


model = ChatOpenAI(model=MODEL, base_url=ENDPOINT, api_key=KEY, max_retries=0, stream_usage=True)
agent = create_agent(model, tools=[get_weather])
messages: list = []


def turn(ask: str) -> None:
    asked = [*messages, {"role": "user", "content": ask}]
    with using_attributes(session_id=TALK, user_id=USER):
        if ask == JOKE:
            said = "".join(str(chunk.content) for chunk in model.stream(asked))
        else:
            said = agent.invoke({"messages": asked})["messages"][-1].content
    messages.extend([asked[-1], {"role": "assistant", "content": said}])


run_turns(turn)
provider.shutdown()
