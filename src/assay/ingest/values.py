"""Attribute values as text, as the OpenTelemetry Collector's ClickHouse exporter writes them."""

from __future__ import annotations

import json
from base64 import b64encode
from decimal import Decimal
from math import isnan

Plain = str | bool | int | float | bytes | None | list["Plain"] | dict[str, "Plain"]


def plain_text(value: Plain) -> str:
    """Text as it is; numbers and booleans as text; bytes as base64; lists and maps as JSON."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        return float_text(value)
    if isinstance(value, bytes):
        return b64encode(value).decode()
    if value is None:
        return ""
    return json.dumps(_jsonable(value), ensure_ascii=False, separators=(",", ":"))


def float_text(value: float) -> str:
    """The shortest text that reads back as `value`: 1, 0.25, 1e+21, NaN, -Infinity."""
    if isnan(value):
        return "NaN"
    if value in (float("inf"), float("-inf")):
        return "Infinity" if value > 0 else "-Infinity"
    if value == 0 or 1e-6 <= abs(value) < 1e21:
        return str(int(value)) if value.is_integer() else f"{Decimal(repr(value)):f}"
    return repr(value).replace("e-0", "e-")


def _jsonable(value: Plain) -> object:
    if isinstance(value, list):
        return [_jsonable(one) for one in value]
    if isinstance(value, dict):
        return {key: _jsonable(one) for key, one in value.items()}
    if isinstance(value, float) and not value.is_integer():
        return value if abs(value) < float("inf") else float_text(value)
    if isinstance(value, float):
        return int(value) if abs(value) < 1e21 else value
    return b64encode(value).decode() if isinstance(value, bytes) else value
