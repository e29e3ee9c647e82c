"""Which attribute says what, in every convention that assay reads: data, no SQL.

A *field* is what assay wants to know of a span; its keys stand in order of trust, the first that is not
empty wins: a vendor's own word, OpenTelemetry GenAI, Traceloop and what came before it, generic keys.
In a key `.N` stands for a number; a key of `FREE` ends with whatever name the application chose.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum
from typing import Final


class Field(IntEnum):
    """What is asked of a span. The fields from `PROVIDER` on are kept as they came and read later.

    `STEP` has no key: it is the name of a span that may be the first of its trace."""

    KIND = 1
    CONVERSATION = 2
    USER = 3
    MODEL = 4
    TOKENS_IN = 5
    TOKENS_OUT = 6
    TOOL = 7
    IN = 8
    OUT = 9
    WENT_WRONG = 10
    LEVEL = 11
    ROLE_IN = 12
    TEXT_IN = 13
    ROLE_OUT = 14
    TEXT_OUT = 15
    DOCUMENT = 16
    CALL_NAME = 17
    CALL_ARGUMENTS = 18
    DOCUMENTS = 19
    SYSTEM = 20
    BOTH = 21
    PARAMETERS = 22
    PROVIDER = 32
    CACHED = 33
    FINISH = 34
    REASONING = 35
    USAGE = 36
    IN_DETAILS = 37
    OUT_DETAILS = 38
    COST = 39
    COST_PART = 40
    COSTS = 41
    TTFT_S = 42
    TTFT_MS = 43
    FIRST_TOKEN = 44
    PROMPT_NAME = 45
    PROMPT_VERSION = 46
    PROMPTS = 47
    TEMPLATE = 48
    STEP = 49
    VERSION = 50
    ENVIRONMENT = 51
    RESPONSE = 52
    AGENT = 54
    REDACTIONS = 55
    EXPLICIT = 56
    METADATA = 57
    TAG = 58
    NAMED = 59
    OPINION_NAME = 60
    OPINION_SCORE = 61
    OPINION_LABEL = 62
    OPINION_WHY = 63
    OPINION_BY = 64


LATE: Final = Field.PROVIDER
"""From this field on, what was found is passed on as it is."""

_TALK: Final = ("session_id", "sessionId", "conversation_id", "conversationId", "thread_id", "threadId")
_CHAT: Final = ("chat_id", "chatId")
_USER: Final = ("user_id", "userId")
_PROPERTIES: Final = (
    "langsmith.metadata.",
    "traceloop.association.properties.",
    "ai.settings.context.",
    "ai.settings.runtimeContext.",
    "ai.telemetry.metadata.",
    "lmnr.association.properties.",
    "langfuse.trace.metadata.",
    "metadata.",
)


def _named(names: tuple[str, ...], prefixes: tuple[str, ...] = _PROPERTIES) -> tuple[str, ...]:
    return tuple(prefix + name for prefix in prefixes for name in names)


def _numbered(pattern: str) -> tuple[str, ...]:
    """Annotations and evaluations are spelt two ways, on a span, its trace or its session."""
    nouns = ("annotation", "evaluation")
    return tuple(f"{of}{noun}s.N.{noun}.{pattern}" for of in ("", "trace.", "session.") for noun in nouns)


KEYS: Final[Mapping[Field, tuple[str, ...]]] = {
    Field.KIND: (
        "langfuse.observation.type",
        "langsmith.span.kind",
        "mlflow.spanType",
        "openinference.span.kind",
        "ai.operationId",
        "gen_ai.operation.name",
        "lmnr.span.type",
        "traceloop.span.kind",
        "agentops.span.kind",
        "gen_ai.span.kind",
        "llm.request.type",
        "langtrace.service.type",
    ),
    Field.CONVERSATION: (
        "gen_ai.conversation.id",
        "session.id",
        "langfuse.session.id",
        "langfuse.trace.metadata.langfuse_session_id",
        "mlflow.trace.session",
        *_named((*_TALK, *_CHAT)),
        "gen_ai.session.id",
        "gen_ai.thread.id",
        "gcp.vertex.agent.session_id",
        "spring.ai.chat.client.conversation.id",
        "langsmith.trace.session_id",
        "wandb.thread_id",
        "conversation.id",
        *_TALK,
    ),
    Field.USER: (
        "user.id",
        "langfuse.user.id",
        "mlflow.trace.user",
        "enduser.id",
        *_named(_USER),
        "gen_ai.user.id",
        "gen_ai.user",
        "gen_ai.request.user",
        "gcp.vertex.agent.user_id",
        "llm.user",
        *_USER,
        "enduser.pseudo.id",
    ),
    Field.MODEL: (
        "langfuse.observation.model.name",
        "langfuse.observation.model",
        "mlflow.llm.model",
        "gen_ai.response.model",
        "ai.response.model",
        "llm.response.model_name",
        "llm.model_name",
        "gen_ai.request.model",
        "ai.model.id",
        "langsmith.metadata.ls_model_name",
        "llm.request.model_name",
        "embedding.model_name",
        "reranker.model_name",
        "gen_ai.agent.model",
        "model_name",
        "llm.response.model",
        "llm.request.model",
        "llm.model",
        "model",
    ),
    Field.TOKENS_IN: (
        "gen_ai.usage.input_tokens",
        "gen_ai.usage.prompt_tokens",
        "llm.token_count.prompt",
        "ai.usage.inputTokens",
        "ai.usage.promptTokens",
        "ai.usage.tokens",
        "gen_ai.response.prompt_tokens",
        "llm.usage.prompt_tokens",
        "llm.usage.input_tokens",
    ),
    Field.TOKENS_OUT: (
        "gen_ai.usage.output_tokens",
        "gen_ai.usage.completion_tokens",
        "llm.token_count.completion",
        "ai.usage.outputTokens",
        "ai.usage.completionTokens",
        "gen_ai.response.completion_tokens",
        "llm.usage.completion_tokens",
        "llm.usage.output_tokens",
    ),
    Field.TOOL: (
        "gen_ai.tool.name",
        "tool.name",
        "ai.toolCall.name",
        "gen_ai.serialized.name",
        "traceloop.entity.name",
        "agentops.entity.name",
        "tool_name",
        "mcp.tool.name",
    ),
    Field.IN: (
        "langfuse.observation.input",
        "mlflow.spanInputs",
        "gen_ai.tool.call.arguments",
        "tool_arguments",
        "ai.toolCall.args",
        "ai.toolCall.input",
        "gcp.vertex.agent.tool_call_args",
        "gen_ai.input.messages",
        "gen_ai.retrieval.query.text",
        "ai.prompt.messages",
        "ai.prompt",
        "gen_ai.prompt",
        "gen_ai.content.prompt",
        "lmnr.span.input",
        "traceloop.entity.input",
        "agentops.entity.input",
        "gcp.vertex.agent.llm_request",
        "request_data",
        "llm.prompts",
        "llm.prompts.N.prompt.text",
        "mcp.request.argument",
        "haystack.pipeline.input_data",
        "haystack.component.input",
        "braintrust.input_json",
        "reranker.query",
        "input.value",
        "tool.parameters",
        "langfuse.trace.input",
        "mlflow.traceInputs",
        "ai.value",
        "ai.values",
    ),
    Field.OUT: (
        "langfuse.observation.output",
        "mlflow.spanOutputs",
        "gen_ai.tool.call.result",
        "tool_response",
        "ai.toolCall.result",
        "ai.toolCall.output",
        "gcp.vertex.agent.tool_response",
        "gen_ai.output.messages",
        "ai.response.text",
        "ai.result.text",
        "ai.response.object",
        "ai.result.object",
        "ai.response.toolCalls",
        "final_result",
        "gen_ai.completion",
        "gen_ai.content.completion",
        "lmnr.span.output",
        "traceloop.entity.output",
        "agentops.entity.output",
        "gcp.vertex.agent.llm_response",
        "response_data",
        "llm.responses",
        "llm.choices.N.completion.text",
        "mcp.response.value",
        "haystack.pipeline.output_data",
        "haystack.component.output",
        "braintrust.output_json",
        "output.value",
        "langfuse.trace.output",
        "mlflow.traceOutputs",
    ),
    Field.BOTH: ("pydantic_ai.all_messages", "all_messages_events", "events"),
    Field.PARAMETERS: ("llm.invocation_parameters", "embedding.invocation_parameters"),
    Field.WENT_WRONG: (
        "langfuse.observation.status_message",
        "exception.message",
        "error.message",
        "error.type",
    ),
    Field.LEVEL: ("langfuse.observation.level",),
    Field.ROLE_IN: ("llm.input_messages.N.message.role", "gen_ai.prompt.N.role"),
    Field.TEXT_IN: (
        "llm.input_messages.N.message.content",
        "llm.input_messages.N.message.contents.N.message_content.text",
        "gen_ai.prompt.N.content",
    ),
    Field.ROLE_OUT: ("llm.output_messages.N.message.role", "gen_ai.completion.N.role"),
    Field.TEXT_OUT: (
        "llm.output_messages.N.message.content",
        "llm.output_messages.N.message.contents.N.message_content.text",
        "gen_ai.completion.N.content",
    ),
    Field.CALL_NAME: (
        "llm.output_messages.N.message.tool_calls.N.tool_call.function.name",
        "gen_ai.completion.N.tool_calls.N.name",
    ),
    Field.CALL_ARGUMENTS: (
        "llm.output_messages.N.message.tool_calls.N.tool_call.function.arguments",
        "gen_ai.completion.N.tool_calls.N.arguments",
    ),
    Field.DOCUMENT: (
        "retrieval.documents.N.document.content",
        "reranker.output_documents.N.document.content",
    ),
    Field.DOCUMENTS: ("gen_ai.retrieval.documents", "retrieval.documents"),
    Field.SYSTEM: ("gen_ai.system_instructions", "gen_ai.system.instructions"),
    Field.PROVIDER: (
        "mlflow.llm.provider",
        "gen_ai.provider.name",
        "llm.provider",
        "langsmith.metadata.ls_provider",
        "ai.model.provider",
        "gen_ai.system",
        "llm.system",
    ),
    Field.CACHED: (
        "gen_ai.usage.cache_read.input_tokens",
        "llm.token_count.prompt_details.cache_read",
        "gen_ai.usage.cache_read_input_tokens",
        "ai.usage.cachedInputTokens",
        "ai.usage.inputTokenDetails.cacheReadTokens",
        "gen_ai.usage.details.cache_read_tokens",
        "gen_ai.usage.cached_tokens",
        "gen_ai.usage.input_tokens.cached",
    ),
    Field.REASONING: (
        "gen_ai.usage.reasoning.output_tokens",
        "llm.token_count.completion_details.reasoning",
        "gen_ai.usage.reasoning_tokens",
        "ai.usage.reasoningTokens",
        "ai.usage.outputTokenDetails.reasoningTokens",
        "gen_ai.usage.details.reasoning_tokens",
        "gen_ai.usage.output_tokens.reasoning",
    ),
    Field.FINISH: (
        "gen_ai.response.finish_reasons",
        "gen_ai.response.finish_reason",
        "ai.response.finishReason",
        "ai.finishReason",
        "llm.finish_reason",
        "llm.response.finish_reason",
        "gen_ai.completion.N.finish_reason",
        "llm.output_messages.N.message.finish_reason",
        "gen_ai.response.stop_reason",
        "llm.response.stop_reason",
        "agentops.completion.finish_reason",
    ),
    Field.USAGE: (
        "langfuse.observation.usage_details",
        "langfuse.observation.usage",
        "mlflow.chat.tokenUsage",
        "llm.token.counts",
        "braintrust.metrics",
    ),
    Field.IN_DETAILS: ("gen_ai.usage.input_token_details",),
    Field.OUT_DETAILS: ("gen_ai.usage.output_token_details",),
    Field.COST: ("gen_ai.usage.cost", "operation.cost", "llm.cost.total", "gen_ai.cost.total_cost", "cost"),
    Field.COST_PART: ("llm.cost.prompt", "llm.cost.completion", "gen_ai.usage.input_cost",
                      "gen_ai.usage.output_cost", "gen_ai.cost.prompt_token_cost",
                      "gen_ai.cost.completion_token_cost"),
    Field.COSTS: ("langfuse.observation.cost_details", "mlflow.llm.cost"),
    Field.TTFT_S: (
        "gen_ai.response.time_to_first_chunk",
        "gen_ai.client.operation.time_to_first_chunk",
        "gen_ai.server.time_to_first_token",
    ),
    Field.TTFT_MS: ("ai.response.msToFirstChunk", "ai.stream.msToFirstChunk", "ai.result.msToFirstChunk"),
    Field.FIRST_TOKEN: ("langfuse.observation.completion_start_time",),
    Field.PROMPT_NAME: (
        "langfuse.observation.prompt.name",
        "gen_ai.prompt.name",
        "prompt.id",
        "traceloop.prompt.key",
        "langsmith.metadata.lc_hub_repo",
    ),
    Field.PROMPT_VERSION: (
        "langfuse.observation.prompt.version",
        "gen_ai.prompt.version",
        "llm.prompt_template.version",
        "traceloop.prompt.version",
        "traceloop.prompt.version_name",
        "traceloop.prompt.version_hash",
        "langsmith.metadata.lc_hub_commit_hash",
    ),
    Field.PROMPTS: ("mlflow.linkedPrompts", "ai.telemetry.metadata.langfusePrompt"),
    Field.TEMPLATE: ("llm.prompt_template.template", "traceloop.prompt.template"),
    Field.VERSION: (
        "service.version",
        "langfuse.release",
        "langfuse.version",
        "gen_ai.agent.version",
        "app.version",
    ),
    Field.ENVIRONMENT: (
        "deployment.environment.name",
        "deployment.environment",
        "langfuse.environment",
    ),
    Field.RESPONSE: ("gen_ai.response.id", "ai.response.id", "llm.response.id"),
    Field.AGENT: ("gen_ai.agent.name", "agent.name", "agent_name"),
    Field.REDACTIONS: ("assay.redactions",),
    Field.METADATA: (
        "metadata",
        "langfuse.trace.metadata",
        "langsmith.metadata",
        "logfire.metadata",
        "braintrust.metadata",
    ),
    Field.TAG: (
        "tag.tags",
        "langfuse.trace.tags",
        "langsmith.span.tags",
        "ai.telemetry.metadata.tags",
        "braintrust.tags",
        "logfire.tags",
    ),
    Field.OPINION_NAME: ("gen_ai.evaluation.name", *_numbered("name")),
    Field.OPINION_SCORE: ("gen_ai.evaluation.score.value", "gen_ai.evaluation.score", *_numbered("score")),
    Field.OPINION_LABEL: ("gen_ai.evaluation.score.label", "gen_ai.evaluation.label", *_numbered("label")),
    Field.OPINION_WHY: ("gen_ai.evaluation.explanation", *_numbered("explanation")),
    Field.OPINION_BY: ("assay.source", *_numbered("annotator_kind")),
}  # fmt: skip

FREE: Final[Mapping[str, Field]] = {
    "assay.attr.": Field.EXPLICIT,
    **dict.fromkeys((*_PROPERTIES, "mlflow.traceTag."), Field.NAMED),
}
"""Prefixes behind which an application puts names of its own: what logs can be divided by."""

FINISHES: Final[Mapping[str, str]] = {
    **dict.fromkeys(
        ("stop", "stop_sequence", "end_turn", "end", "eos", "eos_token", "complete", "completed", "done"),
        "stop"),
    **dict.fromkeys(
        ("length", "max_tokens", "max_output_tokens", "max_token", "model_length", "token_limit", "limit",
         "model_context_window_exceeded", "max_completion_tokens", "truncated", "incomplete"), "length"),
    **dict.fromkeys(
        ("tool_calls", "tool_call", "tool_use", "function_call", "tools", "pause_turn"), "tool_calls"),
    **dict.fromkeys(
        ("content_filter", "content_filtered", "safety", "refusal", "recitation", "blocklist", "spii",
         "prohibited_content", "image_safety", "guardrail_intervened", "blocked"), "content_filter"),
    **dict.fromkeys(("error", "failed", "malformed_function_call", "unexpected_tool_call"), "error"),
}  # fmt: skip
"""Why a model stopped, by the word for it: what a provider says with underscores, in lower case."""

HIDDEN: Final = r"(LANGSMITH_|LANGCHAIN_|ls_|lc_|langfuse_|langgraph_|__|user_api_key|revision_id$|mlflow[.])"
"""Names behind a free prefix that say nothing of the application; some are environment variables."""

KINDS: Final[Mapping[str, str]] = {
    **dict.fromkeys(
        ("llm", "generation", "chat_model", "chat", "text_completion", "generate_content", "completion",
         "chat.completions", "text.completions", "chat_completion", "responses", "inference", "call_llm",
         "ai.generatetext.dogenerate", "ai.streamtext.dostream", "ai.generateobject.dogenerate",
         "ai.streamobject.dostream"), "llm"),
    **dict.fromkeys(("embedding", "embeddings", "ai.embed.doembed", "ai.embedmany.doembed"), "embedding"),
    **dict.fromkeys(("tool", "execute_tool", "ai.toolcall", "tool_call", "function", "mcp_tool"), "tool"),
    **dict.fromkeys(("retriever", "retrieval", "reranker", "rerank", "ai.rerank.dorerank",
                     "search_memory"), "retrieval"),
    **dict.fromkeys(("agent", "invoke_agent", "create_agent", "invoke_workflow", "ai.generatetext",
                     "ai.streamtext", "ai.generateobject", "ai.streamobject"), "agent"),
    **dict.fromkeys(("chain", "workflow", "task", "step", "span", "prompt", "parser", "agent_step", "plan",
                     "memory", "framework", "ai.embed", "ai.embedmany", "default"), "chain"),
    **dict.fromkeys(("evaluator", "evaluation", "human_evaluator"), "evaluator"),
    "guardrail": "guardrail",
}  # fmt: skip
"""From what a convention calls a kind, in lower case, to assay's word."""

PROVIDERS: Final[Mapping[str, str]] = {
    "vertexai": "gcp.vertex_ai",
    "vertex_ai": "gcp.vertex_ai",
    "google_vertexai": "gcp.vertex_ai",
    "google.vertex.chat": "gcp.vertex_ai",
    "gemini": "gcp.gemini",
    "google_genai": "gcp.gemini",
    "google.generative-ai": "gcp.gemini",
    "google": "gcp.gemini",
    "mistralai": "mistral_ai",
    "mistral": "mistral_ai",
    "xai": "x_ai",
    "bedrock": "aws.bedrock",
    "amazon_bedrock": "aws.bedrock",
    "bedrock_converse": "aws.bedrock",
    "azure": "azure.ai.openai",
    "azure_openai": "azure.ai.openai",
    "az.ai.openai": "azure.ai.openai",
    "az.ai.inference": "azure.ai.inference",
    "openai.chat": "openai",
    "openai.responses": "openai",
    "openai.completion": "openai",
    "openai.embedding": "openai",
    "anthropic.messages": "anthropic",
}
"""Providers by the name that OpenTelemetry gives them."""


def known_keys() -> frozenset[str]:
    """Every key that is read, with `.N` for numbers; those of `FREE` come on top."""
    return frozenset(key for keys in KEYS.values() for key in keys)
