"""The SQL from interactions to conversations: what is known of them all, put together."""

from __future__ import annotations

from typing import Final

from assay.store.telemetry.condition import folded_words
from assay.store.telemetry.dialect import staged
from assay.store.telemetry.facts import BUCKET, COUNTED, DAYS, DRAFTED, FACT_NAMES, NAMED, REMOVED
from assay.store.telemetry.hearing import FOLDED, Ears
from assay.store.telemetry.likeness import highest, stems_of, words_of

LAST: Final = "argMaxIf({0}, (started, log_id), {0} != '')"
FIRST: Final = "argMinIf({0}, (started, log_id), {0} != '')"
LATEST: Final = "argMax({0}, (started, log_id))"

RETURNS: Final = 20
"""Conversations of a user, the latest before one, that it is compared with."""


_STAYS: Final = ("input", "unfamiliar", "language", "output_language", "return_similarity")
"""What a conversation keeps of its row when the texts of its first turns are gone."""


def select_conversations(
    signals: str, ears: Ears, interactions: str, *, named: bool, removed: bool = False
) -> str:
    """Rows of `signals` for the bucket's conversations, from these interactions: those written just now
    and, where some are `removed`, what is left of the others. Not `named`: no interaction has a user.

    `signals` is an expression over the facts and what the ears have heard."""
    facts = _merged()
    columns = ", ".join(f"{expression} AS conversation_{name}" for name, expression in facts.items())
    grouped = f"SELECT conversation_id AS id, {columns} FROM ({interactions}) GROUP BY conversation_id"
    found = {name: f"conversation_{name}" for name in facts}
    found["return_similarity"] = "returns.alike" if named else "0."
    joined = f"LEFT ANY JOIN ({_returns()}) AS returns ON returns.talk = talks.id" if named else ""
    if removed:
        found |= {name: f"if(stood.log_id != '', stood.{name}, {found[name]})" for name in _STAYS}
        joined += f" LEFT ANY JOIN ({_stood()}) AS stood ON stood.log_id = talks.id"
    names = ", ".join(f"{sql} AS {name}" for name, sql in found.items())
    own = (
        f"SELECT 'conversation' AS unit, id AS log_id, id AS conversation_id, {names} "
        f"FROM ({grouped}) AS talks {joined}"
    )
    every = f"arraySort(arrayDistinct(arrayConcat(inherited, {signals})))"
    last = {name: name for name in FACT_NAMES} | {"raised": every}
    stamped = {"computed_at": "{computed_at:DateTime64(6, 'UTC')}", "is_deleted": "0"}
    return staged((*FACT_NAMES, "inherited"), f"({own})", (FOLDED, ears.hits), last | stamped)


def _merged() -> dict[str, str]:
    merged = (
        "arrayFold((all, one) -> mapUpdate(all, one.3), "
        "arraySort(groupArray((started, log_id, attributes))), CAST(map(), 'Map(String, String)'))"
    )
    highest_of = (
        "similarity",
        "output_similarity",
        "latency_z",
        "cost_z",
        "repeated_calls",
        "other_language",
        "place",
        "tools_before",
    )
    return {
        "started": "min(started)",
        "ended": "max(ended)",
        "turns": "toUInt32(count())",
        **{name: LAST.format(name) for name in NAMED},
        **{name: f"sum({name})" for name in (*COUNTED, "cost_usd", "output_personal", "prompt_overlap")},
        **{name: f"max({name})" for name in (*highest_of, "latency_ms", "ttft_ms")},
        "language": _mostly("language", "input"),
        "output_language": _mostly("output_language", "output"),
        "unfamiliar": "argMinIf(unfamiliar, (started, log_id), input != '')",
        "asks_back": LATEST.format("asks_back"),
        "error": FIRST.format("error"),
        "comment": (
            "arrayStringConcat(arrayDistinct(arrayFilter(t -> t != '', arrayMap(c -> c.3, "
            "arraySort(groupArray((started, log_id, comment)))))), '\\n')"
        ),
        "feedback": "min(feedback)",
        "input": FIRST.format("input"),
        "output": LATEST.format("output"),
        "attributes": merged,
        "inherited": "groupUniqArrayArray(signals)",
    }


def _mostly(language: str, text: str) -> str:
    """The language in which most was said; of two the first by its code."""
    sums = f"sumMapIf([toString({language})], [length({text}) + 1], {language} != '')"
    return f"arrayMap(s -> s.1[indexOf(s.2, arrayMax(s.2))], [{sums}])[1]"


def _stood() -> str:
    """The rows that conversations have of which retention has removed interactions."""
    return (
        f"SELECT log_id, {', '.join(_STAYS)} FROM signals FINAL "
        f"WHERE unit = 'conversation' AND {DAYS} AND log_id GLOBAL IN (SELECT conversation_id FROM {REMOVED})"
    )


def _returns() -> str:
    """The same of the bucket's conversations."""
    users = f"SELECT user_id FROM {DRAFTED} AND user_id != ''"
    return (
        f"SELECT talk, alike FROM ({_alike(users)}) "
        f"WHERE talk GLOBAL IN (SELECT conversation_id FROM {BUCKET})"
    )


def later() -> str:
    """Conversations that may return to one of the bucket's and are not in it, as they stand."""
    whole = "FROM signals FINAL WHERE unit = 'conversation' AND"
    own = (
        f"SELECT user_id, min(started) AS first, max(started) AS last {whole} {DAYS} "
        "AND computed_at = {computed_at:DateTime64(6, 'UTC')} AND user_id != '' "
        f"AND log_id GLOBAL IN (SELECT conversation_id FROM {BUCKET}) GROUP BY user_id"
    )
    others = (
        f"SELECT log_id, user_id, started, ended, return_similarity {whole} "
        "toDate(started) >= {first_day:Date} AND toDate(started) <= {last_day:Date} + 1 "
        f"AND log_id GLOBAL NOT IN (SELECT conversation_id FROM {BUCKET}) "
        f"AND user_id GLOBAL IN (SELECT user_id FROM ({own}))"
    )
    return (
        "SELECT others.log_id AS talk, others.user_id AS user_id, others.started AS started, "
        "others.ended AS ended, others.return_similarity AS stood "
        f"FROM ({others}) AS others INNER JOIN ({own}) AS own ON own.user_id = others.user_id "
        "WHERE others.started >= own.first AND others.started <= own.last + toIntervalDay(1)"
    )


def alike_now() -> str:
    """How much these conversations of these users return to others; `last_day` is a day more."""
    users = "SELECT arrayJoin({users:Array(String)}) AS user_id"
    return f"SELECT talk, alike FROM ({_alike(users)}) WHERE talk IN {{talks:Array(String)}}"


def _alike(users: str) -> str:
    """How much each conversation's first request resembles that of an earlier one, of the same user and
    begun within a day before: talk, alike."""
    days = "toDate(started) >= {first_day:Date} - 1 AND toDate(started) <= {last_day:Date}"
    theirs = (
        f"SELECT log_id FROM signals WHERE unit = 'interaction' AND {days} AND user_id GLOBAL IN ({users})"
    )
    begun = (
        "SELECT conversation_id AS talk, argMin(user_id, (started, log_id)) AS who, "
        f"min(started) AS begun, {FIRST.format('input')} AS asked FROM signals FINAL "
        f"WHERE unit = 'interaction' AND {days} AND log_id GLOBAL IN ({theirs}) "
        f"AND user_id GLOBAL IN ({users}) GROUP BY conversation_id"
    )
    again = (
        f"SELECT * FROM (SELECT *, count() OVER (PARTITION BY who) AS times FROM ({begun})) WHERE times > 1"
    )
    stems = f"SELECT talk, who, begun, {stems_of(words_of(folded_words('asked')))} AS stems FROM ({again})"
    before = (
        "SELECT talk, begun, stems, groupArray((begun, stems)) OVER (PARTITION BY who ORDER BY begun, talk "
        f"ROWS BETWEEN {RETURNS} PRECEDING AND 1 PRECEDING) AS earlier FROM ({stems})"
    )
    recent = "arrayMap(e -> e.2, arrayFilter(e -> e.1 >= begun - toIntervalDay(1), earlier))"
    alike = highest("stems", recent)
    return f"SELECT talk, {alike} AS alike FROM ({before}) WHERE notEmpty(earlier)"


def written() -> str:
    """The bucket's interactions that this run has written."""
    return (
        f"SELECT * FROM signals FINAL WHERE unit = 'interaction' AND {DAYS} "
        "AND computed_at = {computed_at:DateTime64(6, 'UTC')} "
        f"AND log_id GLOBAL IN (SELECT trace_id FROM {BUCKET})"
    )


def standing() -> str:
    """The same, and the facts that are left of the same conversations' removed interactions."""
    talks = f"SELECT conversation_id FROM ({written()})"
    return (
        f"SELECT * FROM ({written()}) UNION ALL "
        f"SELECT * FROM signals FINAL WHERE unit = 'interaction' AND {DAYS} "
        f"AND log_id GLOBAL IN (SELECT trace_id FROM {REMOVED}) "
        f"AND conversation_id GLOBAL IN ({talks})"
    )
