"""Embedders: what is near in meaning is near in space, and hostile text changes nothing."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from assay.discovery.base import Embedder, Vectors, check_embedder, to_unit
from assay.discovery.endpoint import EndpointEmbedder
from assay.discovery.hashing import HashingEmbedder
from assay.discovery.load import load_embedder
from assay.discovery.static import StaticEmbedder, find_folder
from assay.errors import ConfigError, PluginError, ProviderError
from assay.signals import load_words

REFUND = ["I want my money back", "please refund the order", "give me a refund for my purchase"]
PARCEL = ["where is my parcel", "the package has not arrived", "track my delivery please"]
installed = pytest.mark.skipif(find_folder() is None, reason="assay[embeddings] is not installed")


class Fixed:
    """An endpoint that counts what it is asked; a text's vector is its letters."""

    model, base_url = "letters", "http://localhost:1/v1"

    def __init__(self, size: int = 4) -> None:
        self.asked: list[int] = []
        self.size = size

    def embed(self, texts: Sequence[str]) -> list[list[float]]:
        self.asked.append(len(texts))
        return [[float(1 + text.count(letter)) for letter in "abcdefgh"[: self.size]] for text in texts]


def embedders() -> list[Embedder]:
    own: list[Embedder] = [HashingEmbedder(load_words({})["common"]), EndpointEmbedder(Fixed())]
    return [*own, StaticEmbedder()] if find_folder() else own


@pytest.mark.parametrize("embedder", embedders(), ids=lambda embedder: type(embedder).__name__)
def test_every_embedder_keeps_the_contract(embedder: Embedder) -> None:
    assert check_embedder(embedder) is embedder


@installed
def test_static_vectors_know_what_different_words_have_in_common() -> None:
    vectors = StaticEmbedder().embed([*REFUND, *PARCEL])
    same = (vectors[:3] @ vectors[:3].T)[np.triu_indices(3, 1)]
    other = vectors[:3] @ vectors[3:].T
    assert same.min() > other.max()


@installed
def test_a_batch_gives_what_single_texts_give() -> None:
    embedder = StaticEmbedder()
    texts = [f"{word} " * (number * 97 % 800) for number, word in enumerate(REFUND * 120)]
    assert np.allclose(embedder.embed(texts)[::37], np.vstack([embedder.embed([t]) for t in texts[::37]]))


def test_hashing_brings_forms_of_a_word_together() -> None:
    vectors = HashingEmbedder(["my", "the"]).embed(["refund", "the refunds", "parcel", "Refund!"])
    assert vectors[0] @ vectors[1] > 0.4 > vectors[0] @ vectors[2]
    assert vectors[0] @ vectors[3] == pytest.approx(1.0, abs=1e-5)


def test_function_words_count_where_there_is_nothing_else() -> None:
    vectors = HashingEmbedder(["what", "is", "it"]).embed(["what is it", "what is it refund", "refund"])
    assert vectors[0].any()
    assert vectors[1] @ vectors[2] == pytest.approx(1.0, abs=1e-5)


def test_another_list_of_function_words_is_another_model() -> None:
    assert HashingEmbedder(["a"]).model != HashingEmbedder(["b"]).model
    assert HashingEmbedder(["a", "b"]).model == HashingEmbedder(["b", "a"]).model


def test_an_endpoint_is_asked_in_batches_and_never_for_nothing() -> None:
    asked = Fixed()
    vectors = EndpointEmbedder(asked).embed(["a"] * 100 + ["", " "])
    assert asked.asked == [1, 64, 36]  # the first asks how many numbers there are
    assert not vectors[-2:].any()


def test_an_endpoint_that_changes_its_model_is_refused() -> None:
    asked = Fixed()
    embedder = EndpointEmbedder(asked)
    embedder.embed(["a"])
    asked.size = 8
    with pytest.raises(ProviderError, match="4 numbers, and now of 8"):
        embedder.embed(["b"])


class Bad:
    model = "bad"

    def __init__(self, scale: float) -> None:
        self._scale = scale

    def embed(self, texts: Sequence[str]) -> Vectors:
        rows = np.array([[len(text), 1.0] if text.strip() else [0.0, 0.0] for text in texts], np.float32)
        return self._scale * to_unit(rows.reshape(-1, 2))


def test_vectors_of_other_lengths_are_refused() -> None:
    check_embedder(Bad(1.0))
    with pytest.raises(PluginError, match="length 1"):
        check_embedder(Bad(2.0))


def test_the_settings_name_an_embedder() -> None:
    def endpoint() -> Fixed:
        return Fixed()

    assert load_embedder("off", common=(), endpoint=endpoint) is None
    made = load_embedder("hashing", common=("a",), endpoint=endpoint)
    assert made is not None
    assert made.model == HashingEmbedder(["a"]).model
    asked = load_embedder("endpoint", common=(), endpoint=endpoint)
    assert asked is not None
    assert asked.model == "letters@http://localhost:1/v1"
    auto = load_embedder("auto", common=(), endpoint=endpoint)
    assert isinstance(auto, StaticEmbedder if find_folder() else HashingEmbedder)
    own = load_embedder("assay.discovery.hashing:HashingEmbedder", common=(), endpoint=endpoint)
    assert isinstance(own, HashingEmbedder)
    with pytest.raises(ConfigError, match="there are auto, static, hashing, endpoint, off"):
        load_embedder("statik", common=(), endpoint=endpoint)
    with pytest.raises(ConfigError, match="can't be loaded"):
        load_embedder("assay.discovery.hashing:Missing", common=(), endpoint=endpoint)


def test_which_order_it_is_does_not_matter() -> None:
    texts = [
        "It's about SO-974707. Where is it?",
        "It's about #20260114. Where is it?",
        "It's about. Where is it?",
    ]
    for embedder in [one for one in embedders() if not isinstance(one, EndpointEmbedder)]:
        vectors = embedder.embed([*texts, "SO-974707"])
        assert (vectors[:2] @ vectors[2]).min() > 0.9
        assert vectors[3].any()


def test_a_pattern_of_digits_is_taken_out_in_no_time() -> None:
    for hostile in ("1-" * 4_000, "a" * 8_000, "-" * 8_000 + "1", "1a" * 4_000 + "!"):
        HashingEmbedder().embed([hostile])
