"""Langfuse's SDK with nothing but its host changed: traces to one of its two paths, scores to the other."""

from __future__ import annotations

from langfuse import Langfuse, observe, propagate_attributes
from langfuse.openai import OpenAI
from script import ASSAY, HI, TALK, USER, Talk, get_weather, openai_client, run_turns

langfuse = Langfuse(
    public_key="pk-lf-1", secret_key="sk-lf-1", host=ASSAY, release="1.2", environment="test", flush_at=4
)


@observe(as_type="tool", name="get_weather")
def lookup(city: str) -> str:
    return get_weather(city)


talk = Talk(openai_client(OpenAI), lookup)


@observe(name="turn")
def turn(ask: str) -> str:
    with propagate_attributes(session_id=TALK, user_id=USER):
        if ask == HI:
            langfuse.score_current_trace(name="user-feedback", value=1, comment="helped", data_type="NUMERIC")
        return talk.answer(ask)


run_turns(turn)
langfuse.flush()
langfuse.shutdown()
