"""What real clients said, read from their traffic by hand: one line a trace, in order of time.

Each had two turns with a tool call, retrieval, a stream, and two failures, against an endpoint that
answers `Fake answer to: ...` and counts 42 tokens read (8 from a cache), 17 written (3 of them thought).
"""

from __future__ import annotations

from typing import Any, Final

GPT: Final = "gpt-4o-mini-2026-07-18"
POLICY: Final = "Refunds are possible within 30 days of purchase."
SHIPPING: Final = "Shipping takes 3–5 business days."
SHOP: Final = "You are a shop assistant."
SUNNY: Final = "It is 18°C and sunny in Paris. ☀️"
PARIS: Final = {"city": "Paris", "unit": "C"}
LONG: Final = "maximum context length is 128000 tokens"
LIMIT: Final = "Rate limit reached for gpt-4o-mini"

Told = dict[str, Any]


def _turn(asked: str, answered: str = "", calls: int = 1, **more: Any) -> Told:
    used = {"input_tokens": 42, "output_tokens": 17, "cached_tokens": 8, "reasoning_tokens": 3}
    return {
        "input": asked,
        "output": answered or f"Fake answer to: {asked}",
        "model": GPT,
        "provider": "openai",
        "llm_calls": calls,
        **{name: count * calls for name, count in used.items()},
        "tools": [],
        "context": [],
        "queries": [],
        "system": "",
        "errors": 0,
        "error": "",
        "streamed": False,
        "conversation_id": "conv-42",
        "user_id": "user-7",
        "service": "shop-assistant",
        "version": "1.4.2",
        "environment": "production",
        "evaluations": [],
        **more,
    }


def _failed(word: str, why: str, errors: int = 1, **more: Any) -> Told:
    none = {"input_tokens": 0, "output_tokens": 0, "cached_tokens": 0, "reasoning_tokens": 0}
    told = {"output": "", "model": "gpt-4o-mini", "errors": errors, "error": why, **none}
    return _turn(f"{word} please", "", **{**told, **more})


def _tool(sky: str = '{"temp": 18, "sky": "sunny"}') -> list[tuple[str, Any, Any]]:
    import json

    return [("get_weather", PARIS, json.loads(sky))]


def _talk(**more: Any) -> list[Told]:
    """The first two turns."""
    return [
        _turn("Hi there!", system=SHOP, **more),
        _turn("What is the weather in Paris?", SUNNY, 2, system=SHOP, tools=_tool(), **more),
    ]


def _returns(query: str = "Can I return my shoes?", documents: int = 2, **more: Any) -> Told:
    return _turn(
        **{"asked": "Can I return my shoes?", "context": [POLICY, SHIPPING][:documents], "queries": [query]}
        | more
    )


def _stream(**more: Any) -> Told:
    return _turn("Stream me a poem", "Fake answer to: Stream me a poem ", **{"streamed": True, **more})


def _embedded(model: str = "text-embedding-3-small", **more: Any) -> Told:
    """A trace that only makes vectors: no call of a model that talks."""
    none = {"input_tokens": 0, "output_tokens": 0, "cached_tokens": 0, "reasoning_tokens": 0, "model": ""}
    return {**_turn("", "", 0), "input": None, "output": None, "embedded": model, **none, **more}


def _opinion(name: str, value: float | None, label: str = "", why: str = "", source: str = "") -> Told:
    return {"name": name, "value": value, "label": label, "explanation": why, "source": source}


_PAST: Final[Told] = {"context": [POLICY, SHIPPING]}
_CONTEXT: Final = f"Context: {POLICY}\n{SHIPPING}"
_LANGFUSE: Final[Told] = {
    "service": "unknown_service:python",
    "provider": "",
    "attributes": {"tenant": "acme", "tags": '["beta"]'},
}
_MLFLOW: Final[Told] = {
    "user_id": "",
    "conversation_id": None,
    "version": "",
    "environment": "",
    "provider": "",
    "reasoning_tokens": 0,
}
_INFERENCE: Final[Told] = {"attributes": {"tenant": "acme", "tags": '["beta"]'}}
_PROMPT: Final[Told] = {"attributes": {"tenant": "acme", "tags": '["beta"]', "prompt.version": "v3"}}
_TRACELOOP: Final[Told] = {"attributes": {"tenant": "acme"}}
_NOBODY: Final[Told] = {"user_id": ""}
_ALONE: Final[Told] = {"user_id": "", "conversation_id": None}
_PLAIN: Final[Told] = {"cached_tokens": 0, "reasoning_tokens": 0}
_JUDGED: Final = [
    _opinion("NonEmpty", 1.0, "pass", "has text"),
    _opinion("Length", 25.0),
    _opinion("Tone", None, "neutral"),
    _opinion("Broken", None, "", "ValueError: judge unavailable"),
]

CLIENTS: Final[dict[str, list[Told]]] = {
    "langfuse": [
        *_talk(**_LANGFUSE),
        _returns(**_LANGFUSE, system="Context: [{"),
        _stream(**_LANGFUSE),
        _failed("FAIL400", LONG, 2, **_PAST, queries=["FAIL400 please"], system="Context: [{", **_LANGFUSE),
        _failed("FAIL429", LIMIT, 2, **_PAST, queries=["FAIL429 please"], system="Context: [{", **_LANGFUSE),
        _turn("cost?", "42", **{**_LANGFUSE, "model": "gpt-4o-mini", "input_tokens": 10, "output_tokens": 5,
              **_PLAIN, "cost_usd": 0.0003, "evaluations": [_opinion("helpfulness", 0.9, "", "ok", "code")],
              "attributes": {**_LANGFUSE["attributes"], "evaluation.helpfulness": "0.9"}}),
    ],
    "mlflow-sdk": [
        _turn("Hi there!", system=SHOP, **_MLFLOW),
        _turn("What is the weather in Paris?", SUNNY, 2, system=SHOP, tools=_tool('{"temp": 18}'), **_MLFLOW),
        _returns(**_MLFLOW, system="Context: [{"),
        _stream(**_MLFLOW),
        _failed("FAIL400", LONG, 2, **_PAST, queries=["FAIL400 please"], system="Context: [{", **_MLFLOW),
        _failed("FAIL429", LIMIT, 2, **_PAST, queries=["FAIL429 please"], system="Context: [{", **_MLFLOW),
    ],
    "openinference-langchain": [
        *_talk(**_INFERENCE),
        _returns(**_INFERENCE, system=_CONTEXT),
        _turn("Stream me a poem", "Fake answer to: Stream me a poem ", **_PAST, queries=["Stream me a poem"],
              system=_CONTEXT, model="gpt-4o-mini", input_tokens=0, output_tokens=0, **_PLAIN, **_INFERENCE),
        _failed("FAIL400", LONG, 2, **_PAST, queries=["FAIL400 please"], system=_CONTEXT, **_INFERENCE),
        _failed("FAIL429", LIMIT, 2, **_PAST, queries=["FAIL429 please"], system=_CONTEXT, **_INFERENCE),
    ],
    "openinference-openai": [
        _turn("Hi there!", system=SHOP, **_PROMPT),
        _turn("What is the weather in Paris?", SUNNY, 2, system=SHOP,
              tools=_tool('{"temp": 18, "unit": "C", "sky": "sunny"}'), **_PROMPT),
        _returns(**_PROMPT, system=f"Context:\n{POLICY}\n{SHIPPING}"),
        _stream(**_PROMPT),
        _turn("Hello from responses API", system="Be brief", **_PROMPT),
        _embedded(**_PROMPT),
        _failed("FAIL400", LONG, **_PROMPT),
        _failed("FAIL429", LIMIT, **_PROMPT),
    ],
    "otel-genai-openai": [
        *_talk(),
        _returns(system="Context", evaluations=[_opinion("Relevance", 0.9, "relevant", "cites policy")]),
        _stream(**_NOBODY),
        _turn("Hello from responses API", system="Be brief", **_NOBODY),
        _embedded(**_ALONE),
        _failed("FAIL400", LONG, **_NOBODY),
        _failed("FAIL429", LIMIT, **_NOBODY),
    ],
    **{
        client: [
            *_talk(**_PLAIN),
            _returns(system="Context", **_PLAIN),
            _stream(**{**_ALONE, **_PLAIN, "streamed": False}),
            _embedded(**_ALONE),
            _failed("FAIL400", LONG, **_ALONE),
            _failed("FAIL429", LIMIT, **_ALONE),
        ]
        for client in ("otel-openai-v2-latest", "otel-openai-v2-legacy")
    },
    "pydantic-ai": [
        *_talk(**_NOBODY, attributes={"tenant": "acme"}),
        _stream(**{**_NOBODY, "conversation_id": "01a205f7-0a05-75b0-83ad-28a4df57ea16"}),
        _returns(asked=f"Context: {POLICY} Can I return my shoes?",
                 answered=f"Fake answer to: Context: {POLICY} Ca",
                 user_id="", conversation_id="01a205f7-0a61-727e-855b-a4def71afb55"),
        _failed("FAIL400", LONG, 2, user_id="", conversation_id="01a205f7-0a76-73eb-b414-d28051ff82ec"),
        _failed("FAIL429", LIMIT, 2, user_id="", conversation_id="01a205f7-0ac1-77c2-9894-84ea6692df9a"),
    ],
    "pydantic-evals-online": [
        _turn("Hi there!", user_id="", conversation_id="01a205f6-d847-70eb-8544-a386322a232f",
              evaluations=_JUDGED,
              attributes={"evaluation.NonEmpty": "1", "evaluation.Length": "25",
              "evaluation.Tone": "neutral"}),
        _turn("Can I return my shoes?", user_id="", conversation_id="01a205f6-d884-7765-b6a1-c9af8dd590d3",
              evaluations=[{**told,
              "value": 38.0} if told["name"] == "Length" else told for told in _JUDGED]),
    ],
    "traceloop-openai": [
        *_talk(**_TRACELOOP),
        _returns(**_TRACELOOP, system="Context: [{"),
        _stream(**_TRACELOOP, reasoning_tokens=0),
        _turn("Hello from responses API", system="Be brief", **_TRACELOOP),
        _failed("FAIL400", LONG, 2, **_PAST, queries=["FAIL400 please"], system="Context: [{", **_TRACELOOP),
        _failed("FAIL429", LIMIT, 2, **_PAST, queries=["FAIL429 please"], system="Context: [{", **_TRACELOOP),
    ],
    **{
        client: [
            *_talk(attributes={"tenant": "acme"}),
            _returns(asked="Context: Refunds within 30 days. Can I return my shoes?", documents=1),
            _stream(),
            _embedded(**_ALONE),
            _failed("FAIL400", LONG, 3),
            _failed("FAIL429", LIMIT, 3),
        ]
        for client in ("vercel-ai", "vercel-ai-json")
    },
}  # fmt: skip

TOKENS: Final = {
    "langfuse": (220, 90),
    "mlflow-sdk": (210, 85),
    "openinference-langchain": (168, 68),
    "openinference-openai": (252, 102),
    "otel-genai-openai": (252, 102),
    "otel-openai-v2-latest": (210, 85),
    "otel-openai-v2-legacy": (210, 85),
    "pydantic-ai": (210, 85),
    "pydantic-evals-online": (84, 34),
    "traceloop-openai": (252, 102),
    "vercel-ai": (210, 85),
    "vercel-ai-json": (210, 85),
}
"""The tokens read and written, of all traces together, that the endpoint gave out to talk."""
RECORDS: Final = {"otel-genai-openai": 9, "otel-openai-v2-latest": 7, "otel-openai-v2-legacy": 22,
                  "pydantic-evals-online": 8, "langfuse": 1}  # fmt: skip
"""Log records that belong to a trace; a score that Langfuse's SDK posts is one, too."""
