"""Texts to vectors by an OpenAI-compatible endpoint."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from assay.errors import ConfigError, ProviderError
from assay.llm.openai import OPENAI_URL
from assay.llm.reply import status_error

if TYPE_CHECKING:
    from openai import OpenAI

ATTEMPTS = 4


class OpenAIVectors:
    """Asks `POST /embeddings` of an endpoint (OpenAI, vLLM, llama.cpp, Ollama, gateways). Thread-safe.

    What may pass by itself is tried again by the client. Raises ConfigError without a model, without a
    key for OpenAI's own service, or for a `base_url` that is no address."""

    def __init__(self, *, model: str, base_url: str = "", api_key: str = "", timeout_s: float = 60.0) -> None:
        self.base_url = (base_url or OPENAI_URL).rstrip("/")
        if urlsplit(self.base_url).scheme not in ("http", "https") or not urlsplit(self.base_url).netloc:
            raise ConfigError(
                f"embeddings.base_url is {base_url!r}, but must be an http(s) address like {OPENAI_URL}"
            )
        if not model:
            raise ConfigError('embeddings.embedder = "endpoint" needs embeddings.model: the model to ask for')
        if not api_key and self.base_url == OPENAI_URL:
            raise ConfigError(
                f"there is no API key for {OPENAI_URL}: set the variable that embeddings.api_key_env names "
                "(OPENAI_API_KEY by default), or embeddings.base_url for another endpoint"
            )
        self.model = model
        self._api_key = api_key or "none"
        self._timeout_s = timeout_s
        self._lock = threading.Lock()
        self._client: OpenAI | None = None

    def embed(self, texts: Sequence[str]) -> list[list[float]]:
        """A vector a text, in the texts' order. Raises ProviderError."""
        import openai

        try:
            raw = self._open().embeddings.with_raw_response.create(
                model=self.model, input=list(texts), encoding_format="float"
            )
        except openai.APITimeoutError as error:
            raise ProviderError(
                f"{self.base_url} gave no vectors within {self._timeout_s:g} s",
                retryable=True,
                reason="timeout",
            ) from error
        except openai.APIConnectionError as error:
            raise ProviderError(
                f"{self.base_url} can't be reached: {error.__cause__ or error}; is the endpoint running, and "
                "embeddings.base_url right?",
                retryable=True,
                reason="unreachable",
            ) from error
        except openai.APIStatusError as error:
            response = error.response
            raise status_error(
                response.status_code, response.headers, response.text, base_url=self.base_url
            ) from error
        return self._read(raw.http_response, len(texts))

    def _read(self, response: Any, count: int) -> list[list[float]]:
        try:
            rows = sorted(response.json()["data"], key=lambda row: row["index"])
            vectors = [[float(number) for number in row["embedding"]] for row in rows]
        except (ValueError, KeyError, TypeError):
            raise ProviderError(
                f"{self.base_url} answered with no list of vectors; is embeddings.base_url right? It begins: "
                f"{response.text[:200]}",
                reason="not_understood",
            ) from None
        if len(vectors) != count or len({len(vector) for vector in vectors}) != 1 or not vectors[0]:
            raise ProviderError(
                f"{self.base_url} gave {len(vectors)} vectors of {sorted({len(v) for v in vectors})} numbers "
                f"for {count} texts",
                reason="not_understood",
            )
        return vectors

    def _open(self) -> OpenAI:
        with self._lock:
            if self._client is None:
                from openai import OpenAI

                self._client = OpenAI(
                    base_url=self.base_url,
                    api_key=self._api_key,
                    timeout=self._timeout_s,
                    max_retries=ATTEMPTS - 1,
                )
            return self._client
