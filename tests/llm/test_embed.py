"""Vectors from a real endpoint: what is asked, what is read, what each error means."""

from __future__ import annotations

import json
from typing import Any

import pytest
from tests.llm.endpoint import Answer, error, free_port, serve

from assay.errors import ConfigError, ProviderError
from assay.llm.embed import OpenAIVectors


def vectors(*rows: tuple[int, list[Any]]) -> Answer:
    data = [{"index": index, "embedding": numbers, "object": "embedding"} for index, numbers in rows]
    return Answer(json.dumps({"object": "list", "model": "m", "data": data, "usage": {}}))


def test_vectors_come_in_the_order_of_the_texts() -> None:
    with serve(lambda asked, times: vectors((1, [0, 1]), (0, [1, 0.5]))) as endpoint:
        made = OpenAIVectors(model="m", base_url=endpoint.base_url)
        assert made.embed(["a", "b"]) == [[1.0, 0.5], [0.0, 1.0]]
        assert (made.model, made.base_url) == ("m", endpoint.base_url)
    (asked,) = endpoint.asked
    assert (asked["model"], asked["input"], asked["encoding_format"]) == ("m", ["a", "b"], "float")


@pytest.mark.parametrize(
    ("answer", "says", "reason"),
    [
        (vectors((0, [1.0])), "gave 1 vectors", "not_understood"),
        (vectors((0, [1.0]), (1, [1.0, 2.0])), "of [1, 2] numbers", "not_understood"),
        (vectors((0, []), (1, [])), "numbers", "not_understood"),
        (vectors((0, ["x"]), (1, ["y"])), "no list of vectors", "not_understood"),
        (Answer('{"ok": true}'), "no list of vectors", "not_understood"),
        (Answer("<html>", content_type="text/html"), "no list of vectors", "not_understood"),
        (error(401, "wrong key"), "wrong key", "refused"),
        (error(400, "too long"), "too long", "bad_request"),
    ],
)
def test_what_is_no_vector_is_refused(answer: Answer, says: str, reason: str) -> None:
    with serve(lambda asked, times: answer) as endpoint, pytest.raises(ProviderError) as caught:
        OpenAIVectors(model="m", base_url=endpoint.base_url, api_key="secret").embed(["a", "b"])
    assert says in str(caught.value)
    assert "secret" not in str(caught.value)
    assert caught.value.reason == reason


def test_what_passes_by_itself_is_tried_again() -> None:
    answers = [error(503, "busy"), vectors((0, [1.0]))]
    with serve(lambda asked, times: answers.pop(0)) as endpoint:
        assert OpenAIVectors(model="m", base_url=endpoint.base_url).embed(["a"]) == [[1.0]]


def test_an_endpoint_that_is_away_says_where_to_look() -> None:
    made = OpenAIVectors(model="m", base_url=f"http://127.0.0.1:{free_port()}/v1", timeout_s=5.0)
    with pytest.raises(ProviderError, match=r"embeddings\.base_url") as caught:
        made.embed(["a"])
    assert caught.value.retryable


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"model": "m"}, "no API key"),
        ({"model": "", "base_url": "http://localhost/v1"}, r"needs embeddings\.model"),
        ({"model": "m", "base_url": "localhost:8000"}, "must be an http"),
    ],
)
def test_a_setting_that_can_not_work_is_refused_at_once(given: dict[str, str], says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        OpenAIVectors(**given)  # type: ignore[arg-type]  # all of them are texts
