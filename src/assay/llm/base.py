"""What is asked of a language model and what comes back, whoever provides it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, Protocol, runtime_checkable

Format = Literal["json_schema", "json_object", "text"]
"""How the reply's form was asked for: by a schema that the endpoint enforces, as some JSON
object, or in words alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatRequest:
    """One question. `key` is the log's id; `schema` the JSON Schema that the reply must fit.

    `temperature` None leaves it to the endpoint: some models take no other."""

    key: str
    model: str
    system: str
    user: str
    schema: Mapping[str, object] | None = None
    temperature: float | None = None
    max_tokens: int = 2000
    timeout_s: float = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatReply:
    """One answer. Tokens are the endpoint's own count, 0 where it gives none; `model` is the name
    it answered with. `truncated`: cut off at max_tokens. `refusal`: the model declined to answer."""

    text: str
    input_tokens: int
    output_tokens: int
    model: str
    format: Format = "json_schema"
    truncated: bool = False
    refusal: str = ""


class Provider(Protocol):
    """Answers chat requests. `simulated` marks made-up answers; pages then say so."""

    @property
    def name(self) -> str: ...

    @property
    def simulated(self) -> bool: ...

    async def complete(self, request: ChatRequest) -> ChatReply:
        """Answer once, without trying again. Raises ProviderError."""


@runtime_checkable
class Closing(Protocol):
    """A provider that holds connections: a run closes it when it is done with it."""

    async def close(self) -> None: ...
