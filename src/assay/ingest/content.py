"""Which attributes are looked at, and which are content: what people and models said."""

from __future__ import annotations

import re
from fnmatch import translate
from typing import Literal

from assay.ingest.patterns import SECRET_KEYS

Treatment = Literal["plain", "text", "id", "user", "secret"]
"""`plain` is never looked at; in an `id` only what can't be a random number is looked for."""

USER_KEYS = re.compile(
    r"(?:^|[._])(?:user[._]?id|end_?user[._](?:pseudo[._])?id|userId)$"
    r"|^(?:gen_ai\.(?:request\.)?user|llm\.user|mlflow\.trace\.user)$"
)
"""The keys that the mapping reads as the user's id, and a team's own that end like them."""

_ID_KEYS = re.compile(
    r"(?:^|[._])(?:id|ids|uuid|session_?id|thread_?id|conversation_?id|trace_?id|span_?id|request_?id|"
    r"sessionId|threadId|conversationId|requestId)$|^mlflow\.trace\.session$|^langsmith\.trace\.session_name$"
)
_NUMBERS = (
    r"gen_ai\.usage\.[\w.]+|gen_ai\.aggregated_usage\.[\w.]+|llm\.token_count\.[\w.]+|llm\.cost\.[\w.]+"
    r"|ai\.usage\.\w+|ai\.response\.(?:msTo\w+|avg\w+)|gen_ai\.(?:response|client\.operation)\.time_to_first_chunk"
    r"|gen_ai\.request\.(?:max_tokens|temperature|top_[pk]|seed|\w+_penalty|choice\.count|encoding_formats)"
    r"|gen_ai\.evaluation\.score\.value|operation\.cost|mlflow\.(?:chat\.tokenUsage|llm\.cost)"
    r"|langfuse\.observation\.(?:usage_details|cost_details|model\.parameters)|server\.port|http\.response\.\w+"
    r"|http\.status_code|gen_ai\.embeddings\.dimension\.count"
)
_NAMES = (
    r"gen_ai\.(?:operation\.name|provider\.name|system|request\.model|response\.model|response\.finish_reasons"
    r"|output\.type|tool\.name|tool\.type|agent\.name|agent\.version|data_source\.id|evaluation\.name"
    r"|evaluation\.score\.label|tool\.call\.id|response\.id|prompt\.name|token\.type)"
    r"|openinference\.span\.kind|llm\.(?:model_name|provider|system|request\.model_name|response\.model_name"
    r"|request\.type|invocation_parameters|is_streaming)"
    r"|(?:input|output)\.mime_type|(?:embedding|reranker)\.model_name|tool\.name"
    r"|llm\.(?:input|output)_messages\.\d+\.message\.(?:role|name|tool_call_id|finish_reason)"
    r"|llm\.(?:input|output)_messages\.\d+\.message\.tool_calls\.\d+\.tool_call\.(?:id|function\.name)"
    r"|gen_ai\.(?:prompt|completion)\.\d+\.(?:role|finish_reason|tool_call_id|tool_calls\.\d+\.(?:id|name))"
    r"|retrieval\.documents\.\d+\.document\.(?:id|score)|annotations\.\d+\.annotation\.(?:name|score|label|annotator_kind)"
    r"|traceloop\.(?:span\.kind|entity\.name|entity\.path|entity\.version|workflow\.name)"
    r"|ai\.(?:operationId|model\.id|model\.provider|response\.model|response\.finishReason|toolCall\.(?:id|name))"
    r"|langfuse\.(?:observation\.(?:type|level|model\.name|completion_start_time|prompt\.name|prompt\.version)"
    r"|environment|release|version|internal\.[\w.]+)"
    r"|langsmith\.(?:span\.kind|metadata\.ls_\w+|trace\.name)|mlflow\.(?:spanType|llm\.model|llm\.provider"
    r"|message\.format|traceRequestId)|model_name|model|agent_name|logfire\.span_type"
    r"|(?:service|telemetry|deployment|container|k8s|cloud)\.[\w.]+|(?:os|host)\.(?:type|arch|version)"
    r"|error\.type|exception\.type|event\.name|otel\.[\w.]+|assay\.(?:source|repaired|redactions)"
)
_PLAIN = re.compile(rf"(?:{_NUMBERS})$|(?:{_NAMES})$")
BARE = (
    r"^\s*-?[0-9]+(?:\.[0-9]+)?(?:[eE][+\-]?[0-9]+)?\s*$"
    r"|^(?:true|false|True|False|null|None|NaN|-?Infinity)?$"
)
"""Values that say nothing but a number or a yes, under whatever key (RE2)."""


def treatment_of(key: str, *, hash_users: bool, keep: re.Pattern[str] | None) -> Treatment:
    """How the value under a key is treated."""
    if keep is not None and keep.match(key):
        return "plain"
    if SECRET_KEYS.search(key):
        return "secret"
    if USER_KEYS.search(key):
        return "user" if hash_users else "text"
    if _PLAIN.match(key):
        return "plain"
    return "id" if _ID_KEYS.search(key) else "text"


def is_content(key: str, *, keep: re.Pattern[str] | None) -> bool:
    """Whether what stands under a key may be a text that somebody wrote, or a model.

    The other way round than `treatment_of`: only known names, ids and numbers are none, and what a team
    keeps by name; whatever is not known is content."""
    if keep is not None and keep.match(key):
        return False
    return not (_PLAIN.match(key) or _ID_KEYS.search(key) or USER_KEYS.search(key))


def compile_keep(keys: tuple[str, ...]) -> re.Pattern[str] | None:
    """Keys, with `*` for any letters, as one pattern."""
    return re.compile("|".join(translate(key) for key in keys)) if keys else None
