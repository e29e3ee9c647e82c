"""The provider against a real endpoint: what is sent, what is read, what each error means."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from tests.llm.endpoint import Answer, Script, chat, error, free_port, serve, verdict

from assay.errors import ConfigError, ProviderError
from assay.llm.base import ChatReply, ChatRequest
from assay.llm.openai import OPENAI_URL, OpenAIProvider

SCHEMA = {"type": "object", "properties": {"verdict": {"type": "string"}}, "required": ["verdict"]}


def request(**changes: Any) -> ChatRequest:
    given: dict[str, Any] = {"key": "log", "model": "m", "system": "judge", "user": "text", "schema": SCHEMA}
    return ChatRequest(**(given | {"timeout_s": 30.0} | changes))


def ask(base_url: str, *requests: ChatRequest) -> list[ChatReply]:
    async def run() -> list[ChatReply]:
        provider = OpenAIProvider(base_url=base_url, api_key="secret")
        try:
            return [await provider.complete(each) for each in requests]
        finally:
            await provider.close()

    return asyncio.run(run())


def refusal_of(script: Script, **changes: Any) -> ProviderError:
    with serve(script) as endpoint, pytest.raises(ProviderError) as caught:
        ask(endpoint.base_url, request(**changes))
    assert endpoint.base_url in str(caught.value)
    assert "secret" not in str(caught.value)
    return caught.value


def test_sends_a_strict_schema_and_reads_reply_and_usage() -> None:
    with serve(lambda asked, times: chat("hello", tokens=(12, 3))) as endpoint:
        [reply] = ask(endpoint.base_url, request(temperature=0.0, max_tokens=77))
    assert reply == ChatReply(text="hello", input_tokens=12, output_tokens=3, model="m-2026")
    [asked] = endpoint.asked
    assert asked["response_format"]["json_schema"]["strict"] is True
    assert asked["response_format"]["json_schema"]["schema"] == SCHEMA
    assert (asked["temperature"], asked["max_tokens"], asked["model"]) == (0.0, 77, "m")
    assert [m["role"] for m in asked["messages"]] == ["system", "user"]


def test_temperature_is_left_to_the_endpoint_unless_given() -> None:
    with serve(lambda asked, times: chat("x")) as endpoint:
        ask(endpoint.base_url, request())
    assert "temperature" not in endpoint.asked[0]


@pytest.mark.parametrize(
    ("takes", "requests"),
    [("json_object", ["json_schema", "json_object"]), (None, ["json_schema", "json_object", None])],
)
def test_falls_back_once_where_the_schema_is_refused_and_remembers(
    takes: str | None, requests: list[str | None]
) -> None:
    def script(asked: dict[str, Any], times: int) -> Answer:
        form = asked.get("response_format", {}).get("type")
        return chat("ok") if form == takes else error(400, "response_format is not supported")

    with serve(script) as endpoint:
        first, second = ask(endpoint.base_url, request(), request(user="other"))
    assert first.format == second.format == (takes or "text")
    forms = [asked.get("response_format", {}).get("type") for asked in endpoint.asked]
    assert forms == [*requests, takes]
    assert '"required": ["verdict"]' in endpoint.asked[-1]["messages"][0]["content"]


def test_a_request_that_is_refused_in_every_form_changes_nothing_for_the_next() -> None:
    def script(asked: dict[str, Any], times: int) -> Answer:
        long = asked["messages"][1]["content"] == "long"
        return error(400, "the prompt exceeds the context size") if long else chat("ok")

    async def run(base_url: str) -> ChatReply:
        provider = OpenAIProvider(base_url=base_url)
        with pytest.raises(ProviderError, match="context size") as caught:
            await provider.complete(request(user="long"))
        assert not caught.value.retryable
        assert not caught.value.affects_all
        reply = await provider.complete(request())
        await provider.close()
        return reply

    with serve(script) as endpoint:
        assert asyncio.run(run(endpoint.base_url)).format == "json_schema"


def test_uses_the_other_name_of_the_token_limit_where_one_is_refused() -> None:
    def script(asked: dict[str, Any], times: int) -> Answer:
        if "max_tokens" in asked:
            return error(400, "Unsupported parameter: 'max_tokens'; use 'max_completion_tokens' instead.")
        return chat("ok")

    with serve(script) as endpoint:
        replies = ask(endpoint.base_url, request(), request(user="other"))
    assert [reply.format for reply in replies] == ["json_schema", "json_schema"]
    assert ["max_tokens" in asked for asked in endpoint.asked] == [True, False, False]


def test_429_says_when_to_try_again() -> None:
    caught = refusal_of(lambda asked, times: error(429, "slow down", retry_after="7"))
    assert (caught.retryable, caught.retry_after_s, caught.reason) == (True, 7.0, "rate_limited")


def test_an_empty_account_is_no_rate_limit() -> None:
    body = '{"error": {"message": "pay first", "code": "insufficient_quota"}}'
    caught = refusal_of(lambda asked, times: Answer(body, 429))
    assert (caught.retryable, caught.affects_all, caught.reason) == (False, True, "no_quota")


@pytest.mark.parametrize(("status", "retryable"), [(400, False), (422, False), (500, True), (503, True)])
def test_statuses_that_concern_one_request(status: int, retryable: bool) -> None:
    caught = refusal_of(lambda asked, times: error(status, "sorry"))
    assert (caught.retryable, caught.affects_all) == (retryable, False)
    assert "sorry" in str(caught)


@pytest.mark.parametrize("status", [401, 403, 404])
def test_statuses_that_concern_every_request(status: int) -> None:
    caught = refusal_of(lambda asked, times: error(status, "no"))
    assert (caught.retryable, caught.affects_all) == (False, True)


def test_a_web_page_is_no_reply() -> None:
    page = Answer("<html>Welcome!</html>", content_type="text/html")
    caught = refusal_of(lambda asked, times: page)
    assert (caught.reason, caught.retryable) == ("not_json", False)
    assert "base_url" in str(caught)


@pytest.mark.parametrize(
    "body", ["[]", "{}", '{"choices": []}', '{"choices": [{"message": "text"}]}', "null"]
)
def test_json_of_another_shape_is_no_reply(body: str) -> None:
    assert refusal_of(lambda asked, times: Answer(body)).reason == "not_understood"


def test_broken_json_may_be_tried_again() -> None:
    caught = refusal_of(lambda asked, times: Answer('{"choices": [{"mess'))
    assert (caught.reason, caught.retryable) == ("not_json", True)


def test_an_answer_cut_off_in_the_middle_may_be_tried_again() -> None:
    caught = refusal_of(lambda asked, times: verdict()._replace(fault="cut"))
    assert (caught.reason, caught.retryable) == ("disconnected", True)


def test_no_answer_in_time() -> None:
    caught = refusal_of(lambda asked, times: Answer("", fault="hang"), timeout_s=0.3)
    assert (caught.reason, caught.retryable) == ("timeout", True)


def test_nobody_there() -> None:
    base_url = f"http://127.0.0.1:{free_port()}/v1"
    with pytest.raises(ProviderError, match=base_url) as caught:
        ask(base_url, request())
    assert (caught.value.reason, caught.value.retryable) == ("unreachable", True)


def test_a_reply_without_usage_or_content() -> None:
    message = {"role": "assistant", "content": None, "refusal": "I won't"}
    with serve(lambda asked, times: chat("", tokens=None, message=message)) as endpoint:
        [reply] = ask(endpoint.base_url, request())
    assert (reply.text, reply.input_tokens, reply.output_tokens) == ("", 0, 0)
    assert reply.refusal == "I won't"


def test_a_reply_that_was_cut_off_or_filtered_says_so() -> None:
    def script(asked: dict[str, Any], times: int) -> Answer:
        return chat("{", finish_reason=asked["messages"][1]["content"])

    with serve(script) as endpoint:
        cut, filtered = ask(endpoint.base_url, request(user="length"), request(user="content_filter"))
    assert cut.truncated
    assert not filtered.truncated
    assert "filter" in filtered.refusal


def test_one_provider_serves_one_event_loop_after_the_other() -> None:
    async def once(provider: OpenAIProvider) -> str:
        reply = await provider.complete(request())
        await provider.close()
        return reply.text

    with serve(lambda asked, times: chat("ok")) as endpoint:
        provider = OpenAIProvider(base_url=endpoint.base_url)
        assert [asyncio.run(once(provider)) for _ in range(2)] == ["ok", "ok"]


def test_openai_needs_a_key_and_an_address_must_be_one() -> None:
    with pytest.raises(ConfigError, match="api_key_env"):
        OpenAIProvider()
    assert OpenAIProvider(api_key="k").base_url == OPENAI_URL
    with pytest.raises(ConfigError, match="localhost:8080"):
        OpenAIProvider(base_url="localhost:8080")
