"""A provider for OpenAI's own service and everything that speaks its chat protocol."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from assay.errors import ConfigError, ProviderError
from assay.llm.base import ChatReply, ChatRequest, Format
from assay.llm.reply import read_reply, status_error

if TYPE_CHECKING:
    from openai import AsyncOpenAI

OPENAI_URL = "https://api.openai.com/v1"
_FORMATS: tuple[Format, ...] = ("json_schema", "json_object", "text")
_INSTRUCTION = "\n\nAnswer with one JSON object that fits this JSON Schema, and with nothing else:\n"


class OpenAIProvider:
    """Asks an OpenAI-compatible endpoint (OpenAI, vLLM, llama.cpp, Ollama, gateways).

    Where the endpoint refuses a JSON Schema, it is asked for a JSON object, then in words alone;
    what worked is remembered for the model and said in each reply's `format`. Nothing is tried
    again after other errors: that is `assay.llm.retry`. Raises ConfigError without a key for
    OpenAI's own service, or for a `base_url` that is no address."""

    simulated = False

    def __init__(self, *, base_url: str = "", api_key: str = "") -> None:
        self.base_url = (base_url or OPENAI_URL).rstrip("/")
        if urlsplit(self.base_url).scheme not in ("http", "https") or not urlsplit(self.base_url).netloc:
            raise ConfigError(
                f"judge.base_url is {base_url!r}, but must be an http(s) address like {OPENAI_URL}"
            )
        if not api_key and self.base_url == OPENAI_URL:
            raise ConfigError(
                f"there is no API key for {OPENAI_URL}: set the variable that judge.api_key_env names "
                "(OPENAI_API_KEY by default), or judge.base_url for another endpoint"
            )
        self.name = self.base_url
        self._api_key = api_key or "none"
        self._client: AsyncOpenAI | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._formats: dict[str, Format] = {}
        self._limits: dict[str, str] = {}

    async def complete(self, request: ChatRequest) -> ChatReply:
        """Answer once. Raises ProviderError, which says whether trying again may help."""
        known = self._formats.get(request.model)
        if request.schema is None or known is not None:
            return await self._send(request, known if known and request.schema else "text")
        refused: ProviderError | None = None
        for form in _FORMATS:
            try:
                reply = await self._send(request, form)
            except ProviderError as error:
                if error.reason != "bad_request":
                    raise
                refused = refused or error
                continue
            self._formats[request.model] = form
            return reply
        assert refused is not None
        raise refused

    async def close(self) -> None:
        """Give the connections back; the provider may be used again."""
        client, self._client, self._loop = self._client, None, None
        if client is not None:
            await client.close()

    async def _send(self, request: ChatRequest, form: Format) -> ChatReply:
        """One request in this form; once more with the other name of the token limit if need be."""
        ours = "max_completion_tokens" if self.base_url == OPENAI_URL else "max_tokens"
        limit = self._limits.get(request.model, ours)
        try:
            return await self._post(request, form, limit)
        except ProviderError as error:
            if error.reason != "bad_request" or limit not in str(error):
                raise
            other = "max_tokens" if limit == "max_completion_tokens" else "max_completion_tokens"
            reply = await self._post(request, form, other)
            self._limits[request.model] = other
            return reply

    async def _post(self, request: ChatRequest, form: Format, limit: str) -> ChatReply:
        import openai

        body = _body(request, form) | {limit: request.max_tokens}
        try:
            raw = await self._open().chat.completions.with_raw_response.create(
                **body, timeout=request.timeout_s
            )
        except openai.APITimeoutError as error:
            raise ProviderError(
                f"{self.base_url} gave no answer within {request.timeout_s:g} s; raise judge.timeout_s",
                retryable=True,
                reason="timeout",
            ) from error
        except openai.APIConnectionError as error:
            raise _connection_error(self.base_url, error.__cause__ or error) from error
        except openai.APIStatusError as error:
            response = error.response
            raise status_error(
                response.status_code, response.headers, response.text, base_url=self.base_url
            ) from error
        response = raw.http_response
        return read_reply(
            response.text,
            response.headers.get("content-type", ""),
            base_url=self.base_url,
            model=request.model,
            asked=form,
        )

    def _open(self) -> AsyncOpenAI:
        """The client of the running event loop: connections can't be carried from loop to loop."""
        loop = asyncio.get_running_loop()
        if self._client is None or self._loop is not loop:
            from openai import AsyncOpenAI

            self._client = AsyncOpenAI(base_url=self.base_url, api_key=self._api_key, max_retries=0)
            self._loop = loop
        return self._client


def _connection_error(base_url: str, cause: BaseException) -> ProviderError:
    if type(cause).__name__ != "ConnectError":
        message = f"{base_url} broke the connection: {str(cause) or type(cause).__name__}"
        return ProviderError(message, retryable=True, reason="disconnected")
    return ProviderError(
        f"{base_url} can't be reached: {cause}; is the endpoint running, and judge.base_url right?",
        retryable=True,
        reason="unreachable",
    )


def _body(request: ChatRequest, form: Format) -> dict[str, Any]:
    system = request.system
    if form != "json_schema" and request.schema is not None:
        system += _INSTRUCTION + json.dumps(request.schema)
    body: dict[str, Any] = {
        "model": request.model,
        "messages": [{"role": "system", "content": system}, {"role": "user", "content": request.user}],
    }
    if form == "json_schema" and request.schema is not None:
        body["response_format"] = _schema_format(request.schema)
    elif form == "json_object":
        body["response_format"] = {"type": "json_object"}
    if request.temperature is not None:
        body["temperature"] = request.temperature
    return body


def _schema_format(schema: Mapping[str, object]) -> dict[str, object]:
    return {"type": "json_schema", "json_schema": {"name": "answer", "strict": True, "schema": dict(schema)}}
