"""What a log's chance of failing is foretold from: a few columns, made by the store from one row."""

from __future__ import annotations

from datetime import datetime
from typing import Final

import pyarrow as pa

from assay.records import MetricInfo, Window
from assay.store.telemetry.condition import folded_words
from assay.store.telemetry.connection import Telemetry
from assay.store.telemetry.scope import LOGS, NEAR, bind_scope

STEM: Final = 6
"""Words that share this many first letters are one."""

READ_CHARS: Final = 2_000
"""How much of a text is read."""

SPOKEN: Final = 8_192
"""Places for the hashed words of each of the two texts."""

NAMED: Final = 4_096
"""Places for hashed names and attributes."""

WIDTH: Final = 2 * SPOKEN + NAMED

COUNTS: Final = (
    "turns",
    "llm_calls",
    "tool_calls",
    "tool_errors",
    "errors",
    "input_tokens",
    "output_tokens",
    "latency_ms",
    "repeated_calls",
    "retrievals",
    "empty_retrievals",
    "output_personal",
    "prompt_overlap",
)
"""Facts that matter by their order of magnitude: their logarithm is taken."""

SHARES: Final = (
    "similarity",
    "output_similarity",
    "return_similarity",
    "unfamiliar",
    "asks_back",
    "other_language",
)
OPTIONAL: Final = ("feedback", "latency_z", "cost_z", "ttft_ms")
FACTS: Final = (*COUNTS, "cost_usd", "input_length", "output_length", *SHARES, *OPTIONAL)
"""The names of the numbers in `x_facts`, in their order; NaN where a fact is not known."""

TAGGED: Final = (
    "service",
    "environment",
    "version",
    "model",
    "route",
    "finish_reason",
    "language",
    "output_language",
)


def _facts() -> str:
    parts = [f"log1p(toFloat64({name}))" for name in COUNTS]
    parts += ["log1p(1e6 * cost_usd)", "log1p(lengthUTF8(input))", "log1p(lengthUTF8(output))"]
    parts += [f"toFloat64({name})" for name in SHARES]
    parts += [f"toFloat64(ifNull({name}, nan))" for name in OPTIONAL]
    return f"[{', '.join(parts)}]"


def _words(column: str, first: int) -> str:
    """The stems of a text as places from `first` on."""
    words = f"splitByChar(' ', {folded_words(f'substringUTF8({column}, 1, {READ_CHARS})')})"
    stems = f"arrayDistinct(arrayMap(word -> substringUTF8(word, 1, {STEM}), {words}))"
    said = f"arrayFilter(word -> word != '', {stems})"
    return f"arrayMap(word -> toUInt32({first} + cityHash64(word) % {SPOKEN}), {said})"


def _names() -> str:
    """Names and short attributes as places. What has many digits is an id: it tells nothing of others."""
    own = ", ".join(f"('{name}', toString({name}))" for name in TAGGED)
    short = "length(pair.2) <= 40 AND length(extractAll(pair.2, '[0-9]')) <= 3"
    given = f"arrayFilter(pair -> {short}, CAST(attributes, 'Array(Tuple(String, String))'))"
    pairs = f"arrayFilter(pair -> pair.2 != '', arrayConcat([{own}], {given}))"
    place = f"toUInt32({2 * SPOKEN} + cityHash64(concat(pair.1, '=', pair.2)) % {NAMED})"
    return f"arrayMap(pair -> {place}, {pairs})"


FEATURES: Final = (
    f"{_facts()} AS x_facts, arrayMap(name -> toString(name), signals) AS x_signals, "
    f"arrayDistinct({_words('input', 0)}) AS x_asked, "
    f"arrayDistinct({_words('output', SPOKEN)}) AS x_answered, "
    f"arrayDistinct({_names()}) AS x_named"
)
"""Expressions over a row of `signals`: `x_facts` are the numbers of `FACTS`, `x_signals` names, the others
places below `WIDTH`."""


def read_outcomes(
    t: Telemetry, info: MetricInfo, *, since: datetime, before: datetime, limit: int
) -> pa.Table:
    """The newest logs begun in [since, before) on which people or the metric have said something.

    log_id, group (one number for a conversation's logs), `failed` (0 or 1; people's word counts before the
    machine's) and the columns of `FEATURES`, by log_id."""
    window = Window(start=since, end=before)
    fails = "outcome < 0.5" if info.goal == "high" else "outcome >= 0.5"
    said = (
        "SELECT log_id, if(countIf(kind = 'human') > 0, avgIf(value, kind = 'human'), "
        "argMaxIf(value, scored_at, kind != 'human')) AS outcome FROM scores FINAL "
        f"WHERE metric = {{metric:String}} AND fate = 'scored' AND isNotNull(value) AND {NEAR} "
        "GROUP BY log_id"
    )
    newest = (
        f"SELECT log_id FROM {LOGS} AND log_id GLOBAL IN (SELECT log_id FROM ({said})) "
        "ORDER BY started DESC, log_id LIMIT {limit:UInt32}"
    )
    return t.query(
        f"SELECT f.*, toFloat64({fails}) AS failed FROM (SELECT log_id, "
        f"cityHash64(conversation_id) AS group, {FEATURES} FROM {LOGS} AND log_id GLOBAL IN ({newest})) AS f "
        f"GLOBAL INNER JOIN ({said}) AS s ON f.log_id = s.log_id ORDER BY f.log_id",
        bind_scope(info.unit, window, metric=info.name) | {"limit": limit},
    )
