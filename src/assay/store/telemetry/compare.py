"""From drafts to rows of `signals`: a bucket's interactions by themselves, beside each other, and beside
what is usual on their route."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from assay.query import fold_words
from assay.store.telemetry.baselines import USUAL, z_score
from assay.store.telemetry.condition import folded_words
from assay.store.telemetry.dialect import Stage, staged
from assay.store.telemetry.facts import BUCKET, DAYS, DRAFTED, FACTS, REMOVED, SHARED_FACTS, bind_common
from assay.store.telemetry.hearing import FOLDED, Ears, Tongues, tell_language, tell_other_language
from assay.store.telemetry.likeness import COMPARED, highest, runs_of, stems_of, words_of
from assay.store.telemetry.mapping import MAX_SYSTEM_CHARS
from assay.store.telemetry.personal import count_personal

QUESTION: Final = "[?？؟][\\\\s\"\\'»”’)*_]*$"
QUESTION_BYTES: Final = 40
"""Where an answer asks back is looked for: at its very end."""

DOCUMENTS_CHARS: Final = 100_000
"""How much of what was retrieved for an answer is looked at."""

LAST_CHARS: Final = 300
LAST_SENTENCE: Final = f"([^.!?？؟。！\\n]*){QUESTION}"
"""The question that an answer ends with."""

_READ: Final = ("trace_id", "started", "ended", "touched", "system", "documents", "cost_usd", *SHARED_FACTS)


_ROWS: Final = f"FROM signals FINAL WHERE unit = 'interaction' AND {DAYS} AND log_id GLOBAL IN"
_BEFORE: Final = (
    "LEFT ANY JOIN (SELECT log_id, conversation_id, similarity, output_similarity "
    f"{_ROWS} (SELECT trace_id FROM {BUCKET}) "
    f"AND conversation_id GLOBAL IN (SELECT conversation_id FROM {REMOVED})"
    ") AS stood ON stood.log_id = drafts.trace_id AND stood.conversation_id = places.conversation_id "
    "LEFT ANY JOIN (SELECT conversation_id, count() AS turns, sum(tool_calls) AS tools "
    f"{_ROWS} (SELECT trace_id FROM {REMOVED}) GROUP BY conversation_id"
    ") AS gone ON gone.conversation_id = places.conversation_id"
)
_STOOD: Final = {
    "stood": "stood.log_id != ''",
    "stood_input": "stood.similarity",
    "stood_output": "stood.output_similarity",
    "gone_turns": "gone.turns",
    "gone_tools": "gone.tools",
}
_AS_IT_STOOD: Final = {
    "similarity": f"if(stood, stood_input, {highest('stems_input', 'earlier_input')})",
    "output_similarity": f"if(stood, stood_output, {highest('stems_output', 'earlier_output')})",
    "place": "toUInt32(place + gone_turns)",
    "tools_before": "toUInt32(tools_before + gone_tools)",
}
"""Days go whole, the oldest first: what is removed came before what is left."""


def bind_compared(
    words: Mapping[str, Sequence[str]], ears: Ears, tongues: Tongues, familiar: Sequence[int]
) -> dict[str, Any]:
    """The values of the select below: what is listened for, the words that do not count when texts are
    compared, and the questions that end a talk."""
    known = {"familiar": list(familiar)} if familiar else {}
    closings = sorted({fold_words(phrase) for phrase in words.get("closings", ())})
    return {**ears.params, **tongues.params, **known, **bind_common(words), "closings": closings}


def select_interactions(
    signals: str, ears: Ears, tongues: Tongues, *, familiar: bool, removed: bool = False
) -> str:
    """Rows of `signals` for the bucket's interactions, of conversations that are idle for long enough. Of
    some, interactions may be `removed`: what is left is not compared anew without their texts.

    `signals` is an expression over the facts and what the ears have heard."""
    by_words: Stage = {}
    by_script: Stage = {}
    for column in ("input", "output"):
        masks, spoken = tell_language(tongues, column)
        by_words |= masks
        by_script |= spoken
    stages = (
        FOLDED,
        {
            **{f"words_{column}": words_of(f"folded_{column}") for column in ("input", "output")},
            **ears.hits,
            **by_words,
        },
        {
            **{f"stems_{column}": stems_of(f"words_{column}") for column in ("input", "output")},
            "runs": f"if(system = '', [], {runs_of('words_output', 'cityHash64(system)')})",
            **by_script,
        },
        _beside(),
        {"quoted": _quoted()},
    )
    facts = _facts(familiar=familiar) | (_AS_IT_STOOD if removed else {})
    last = facts | {name: name for name in ears.hits} | {"is_over": "is_over"}
    columns = (*_READ, "conversation_id", "latency_z", "cost_z", *(_STOOD if removed else ()))
    found = staged(columns, f"({_drafts(removed=removed)})", stages, last)
    return (
        f"SELECT {FACTS}, {signals} AS signals, {{computed_at:DateTime64(6, 'UTC')}}, 0 "
        f"FROM (\n{found}\n) WHERE is_over"
    )


def _drafts(*, removed: bool) -> str:
    """The bucket's drafts with their conversations and what is usual; and, where interactions of theirs are
    `removed`, with what the drafts were found to be beside them, and with what those counted."""
    drafts = ", ".join(f"drafts.{name} AS {name}" for name in _READ)
    stood = ", ".join(f"{sql} AS {name}" for name, sql in _STOOD.items())
    return (
        f"SELECT {drafts}, places.conversation_id AS conversation_id, {f'{stood}, ' if removed else ''}"
        f"{z_score('drafts.latency_ms', 'latency', 'logs')} AS latency_z, "
        f"{z_score('drafts.cost_usd', 'cost', 'priced')} AS cost_z "
        f"FROM (SELECT * FROM {DRAFTED}) AS drafts "
        f"INNER JOIN (SELECT trace_id, conversation_id FROM {BUCKET}) AS places "
        "ON places.trace_id = drafts.trace_id "
        f"LEFT ANY JOIN ({USUAL}) AS usual "
        f"ON usual.route = drafts.route AND usual.day = toDate(drafts.started) {_BEFORE if removed else ''}"
    )


def _beside() -> Stage:
    """What was said before in the conversation; whether nothing happens in it any more.

    A log can't have ended after it was delivered: a clock that runs ahead must not keep it open."""
    before = f"ROWS BETWEEN {COMPARED} PRECEDING AND 1 PRECEDING"
    in_order = "OVER (PARTITION BY conversation_id ORDER BY started, trace_id)"
    earlier = f"{in_order[:-1]} {before})"
    so_far = "ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING"
    whole = "OVER (PARTITION BY conversation_id)"
    ended = "least(toUnixTimestamp64Micro(ended), toUnixTimestamp64Micro(toDateTime64(touched, 6, 'UTC')))"
    return {
        "earlier_input": f"groupArray(stems_input) {earlier}",
        "earlier_output": f"groupArray(stems_output) {earlier}",
        "place": f"toUInt32(row_number() {in_order})",
        "tools_before": f"toUInt32(sum(tool_calls) {in_order[:-1]} {so_far}))",
        "leaks": f"arrayFilter(r -> r IN ({_prompts()}), runs)",
        "is_over": (
            f"max({ended}) {whole} <= {{idle_before:Int64}} "
            f"OR max(has({{ended:Array(String)}}, trace_id)) {whole}"
        ),
    }


def _facts(*, familiar: bool) -> Stage:
    """The columns of `signals`, in its names."""
    new = "arrayCount(s -> s NOT IN {familiar:Array(UInt64)}, stems_input) / length(stems_input)"
    return {
        "unit": "'interaction'",
        "log_id": "trace_id",
        "conversation_id": "conversation_id",
        "started": "started",
        "ended": "ended",
        "turns": "toUInt32(1)",
        "cost_usd": "cost_usd",
        "similarity": highest("stems_input", "earlier_input"),
        "output_similarity": highest("stems_output", "earlier_output"),
        "return_similarity": "0.",
        "latency_z": "latency_z",
        "cost_z": "cost_z",
        "language": "spoken_input",
        "output_language": "spoken_output",
        "other_language": tell_other_language(),
        "output_personal": count_personal("output"),
        "prompt_overlap": "toUInt32(arrayCount(r -> NOT has(quoted, r), leaks))",
        "unfamiliar": f"if(empty(stems_input), 0., {new})" if familiar else "0.",
        "asks_back": _asks_back(),
        "place": "place",
        "tools_before": "tools_before",
        **{name: name for name in SHARED_FACTS},
    }


def _prompts() -> str:
    """The runs of words of the bucket's system prompts, each with the prompt's own seed."""
    words = words_of(folded_words("system"), MAX_SYSTEM_CHARS)
    return (
        f"SELECT arrayJoin({runs_of(words, 'cityHash64(system)')}) AS run_of_words FROM ("
        f"SELECT DISTINCT system FROM {DRAFTED} AND system != '')"
    )


def _quoted() -> str:
    """The runs of words that stand in the documents that were retrieved for an answer: quoting these is its
    task, even where the prompt holds them as well."""
    documents = "if(empty(leaks), '', arrayStringConcat(documents, ' '))"
    words = words_of(folded_words("t"), DOCUMENTS_CHARS)
    return f"arrayMap(t -> {runs_of(words, 'cityHash64(system)')}, [{documents}])[1]"


def _asks_back() -> str:
    """Whether an answer ends with a question that wants to know something."""
    is_question = f"match(substring(output, -{QUESTION_BYTES}), '{QUESTION}')"
    last = f"extract(substringUTF8(output, -{LAST_CHARS}), '{LAST_SENTENCE}')"
    closes = f"multiMatchAny({folded_words('s')}, {{closings:Array(String)}})"
    return f"toUInt8(arrayExists(s -> NOT {closes}, if({is_question}, [{last}], [])))"
