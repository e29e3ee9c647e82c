"""Reading what an OpenAI-compatible endpoint sent back, and saying what its errors mean."""

from __future__ import annotations

import json
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import Any

from assay.errors import ProviderError
from assay.llm.base import ChatReply, Format

_SHOWN = 300
_ALL = {
    401: ("refused", "the key was not accepted: check the variable that judge.api_key_env names"),
    403: ("refused", "this key may not use the model"),
    404: ("not_found", "check judge.base_url (it usually ends in /v1) and the metric's model"),
}


def read_reply(body: str, content_type: str, *, base_url: str, model: str, asked: Format) -> ChatReply:
    """The reply in a body that came with status 200. Raises ProviderError where there is none."""
    try:
        tree = json.loads(body)
    except ValueError:
        is_json = "json" in content_type
        kind = "broken JSON" if is_json else f"{content_type or 'something'} that is not JSON"
        raise ProviderError(
            f"{base_url} answered with {kind}; is judge.base_url right? It begins: {_shorten(body)}",
            retryable=is_json,
            reason="not_json",
        ) from None
    try:
        choice = tree["choices"][0]
        message = choice["message"]
        text, refusal = message.get("content"), message.get("refusal")
        finish = choice.get("finish_reason")
    except (KeyError, IndexError, TypeError, AttributeError):
        raise ProviderError(
            f"{base_url} answered with JSON that holds no chat completion: {_shorten(body)}",
            reason="not_understood",
        ) from None
    if finish == "content_filter" and not refusal:
        refusal = "the endpoint's content filter withheld the reply"
    usage = tree.get("usage")
    name = tree.get("model")
    return ChatReply(
        text=text if isinstance(text, str) else "",
        input_tokens=_tokens(usage, "prompt_tokens"),
        output_tokens=_tokens(usage, "completion_tokens"),
        model=name if isinstance(name, str) and name else model,
        format=asked,
        truncated=finish == "length",
        refusal=refusal if isinstance(refusal, str) else "",
    )


def status_error(status: int, headers: Mapping[str, str], body: str, *, base_url: str) -> ProviderError:
    """What an HTTP error status means: whether to try again, when, and whether all is lost."""
    said = f"{base_url} answered {status}: {_error_message(body)}"
    if status == 429 and "insufficient_quota" in body:
        return ProviderError(said, reason="no_quota", affects_all=True)
    if status in _ALL:
        reason, advice = _ALL[status]
        return ProviderError(f"{said}; {advice}", reason=reason, affects_all=True)
    if status == 429:
        return ProviderError(
            said, retryable=True, retry_after_s=retry_after_s(headers), reason="rate_limited"
        )
    if status >= 500 or status in (408, 409):
        return ProviderError(
            said, retryable=True, retry_after_s=retry_after_s(headers), reason="server_error"
        )
    return ProviderError(said, reason="bad_request")


def retry_after_s(headers: Mapping[str, str]) -> float | None:
    """Seconds to wait, from Retry-After as a number or a date (counted from the reply's own Date)."""
    given = headers.get("retry-after", "").strip()
    try:
        if millis := headers.get("retry-after-ms"):
            wait_s = float(millis) / 1000.0
        elif "," in given or ":" in given:
            sent = parsedate_to_datetime(headers["date"])
            wait_s = (parsedate_to_datetime(given) - sent).total_seconds()
        else:
            wait_s = float(given)
    except (KeyError, TypeError, ValueError):
        return None
    return wait_s if 0.0 <= wait_s < 1e6 else None


def _tokens(usage: object, key: str) -> int:
    count: Any = usage.get(key) if isinstance(usage, dict) else None
    return count if isinstance(count, int) and count > 0 else 0


def _error_message(body: str) -> str:
    try:
        tree = json.loads(body)
        error = tree.get("error", tree) if isinstance(tree, dict) else tree
        message = error.get("message", error) if isinstance(error, dict) else error
        return _shorten(message if isinstance(message, str) else json.dumps(message))
    except ValueError:
        return _shorten(body)


def _shorten(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _SHOWN else line[:_SHOWN] + " ..."
