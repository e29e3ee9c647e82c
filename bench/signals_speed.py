"""How fast interactions are settled, and the signals of what is stored computed anew.

    python -m bench.signals_speed settle FOLDER [--interactions 60000]
    python -m bench.signals_speed again FOLDER [--interactions 1000000] [--days 10]

`settle` writes spans, three an interaction, texts of 200 to 600 characters of English words of which one in
twenty holds a phrase that a signal listens for, and settles them: the processor time of each statement.
`again` writes as many interactions as rows of `signals`, unless the folder has some, two in five of them
the first of a conversation, and computes all their signals anew; memory is the process's own. The yardstick
of both is a day's rows copied into an empty table, which is the least that writing them costs."""

from __future__ import annotations

import argparse
import os
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from bench.tree import Watch

TOPICS = (
    "order parcel refund invoice account password delivery address ticket booking flight hotel contract "
    "payment card balance statement subscription upgrade warranty repair device screen battery router "
    "table column query server error agent product price discount voucher branch hours claim"
)


def words() -> list[str]:
    """Everyday words, as often as they are in texts, and the nouns of a help desk."""
    from assay.signals import load_words

    return [*(word for word in load_words()["common"] if word.isascii()), *TOPICS.split(), *TOPICS.split()]


def phrases() -> list[str]:
    from assay.signals import load_words

    lists = load_words()
    return [phrase for name in sorted(lists) if name != "common" for phrase in lists[name]]


def text(salt: int) -> str:
    """A text of 200 to 600 characters."""
    word = f"{{words:Array(String)}}[1 + cityHash64(n, {salt}, j) % length({{words:Array(String)}})]"
    heard = (
        f"if(cityHash64(n, {salt}, 'p') % 20 = 0, {{phrases:Array(String)}}[1 + cityHash64(n, {salt}, 'q') "
        "% length({phrases:Array(String)})], '')"
    )
    return (
        f"concat(arrayStringConcat(arrayMap(j -> {word}, range(35 + cityHash64(n, {salt}) % 70)), ' '), "
        f"'. ', {heard})"
    )


TRACE = "lower(hex(sipHash128(n, {day:UInt32})))"
TALK = "concat('c', lower(hex(cityHash64(intDiv(n, 5) * 2 + (n % 5 > 2), {day:UInt32}))))"
AT = "addMicroseconds({base:DateTime64(6, 'UTC')}, toInt64(n * (80000000000 / {count:UInt32})))"
MESSAGE = (
    'concat(\'[{"role":"\', \'{0}\', \'","parts":[{"type":"text","content":\', toJSONString({1}), \'}]}]\')'
)


def spans() -> str:
    """The spans of a day: an agent, a call of a model, a call of a tool."""
    asked, answered = (
        MESSAGE.replace("{0}", who).replace("{1}", text(salt))
        for who, salt in (("user", 1), ("assistant", 2))
    )
    agent = (
        f"map('gen_ai.operation.name', 'invoke_agent', 'gen_ai.conversation.id', {TALK}, 'user.id', "
        f"concat('u', toString(cityHash64(intDiv(n, 9)) % 20000)), 'gen_ai.input.messages', {asked}, "
        f"'gen_ai.output.messages', {answered})"
    )
    chat = (
        "map('gen_ai.operation.name', 'chat', 'gen_ai.request.model', 'gpt-4o-mini', "
        "'gen_ai.usage.input_tokens', toString(300 + cityHash64(n) % 900), "
        "'gen_ai.usage.output_tokens', toString(cityHash64(n, 1) % 300), "
        "'gen_ai.response.finish_reasons', '[\"stop\"]', 'gen_ai.provider.name', 'openai')"
    )
    tool = (
        "map('gen_ai.operation.name', 'execute_tool', 'gen_ai.tool.name', 'find_order', "
        "'gen_ai.tool.call.arguments', concat('{\"order\":', toString(n), '}'), 'gen_ai.tool.call.result', "
        '\'{"status":"on its way"}\')'
    )
    columns = {
        "Timestamp": f"toDateTime64({AT}, 9, 'UTC')",
        "TraceId": TRACE,
        "SpanId": "lower(hex(cityHash64(n, place, {day:UInt32})))",
        "ParentSpanId": "if(place = 1, '', lower(hex(cityHash64(n, 1, {day:UInt32}))))",
        "SpanName": "['invoke_agent desk', 'chat gpt-4o-mini', 'execute_tool find_order'][place]",
        "ServiceName": "'shop'",
        "SpanAttributes": f"multiIf(place = 1, {agent}, place = 2, {chat}, {tool})",
        "Duration": "800000000 + cityHash64(n, 7) % 4000000000",
        "StatusCode": "'Unset'",
    }
    return (
        f"SELECT {', '.join(f'{sql} AS {name}' for name, sql in columns.items())} FROM "
        "(SELECT number AS n, arrayJoin([1, 2, 3]) AS place FROM numbers({first:UInt32}, {size:UInt32}))"
    )


class Clock:
    """The processor time of each statement that the store runs, by its first words."""

    def __init__(self, t: Any) -> None:
        self.cpu_s: dict[str, float] = defaultdict(float)
        self._t = t
        for name in ("query", "command"):
            setattr(t, name, self._timed(getattr(t, name)))

    def _timed(self, call: Any) -> Any:
        def run(sql: str, params: Any = None) -> Any:
            before = time.process_time()
            try:
                return call(sql, params)
            finally:
                self.cpu_s[title(sql)] += time.process_time() - before

        return run

    def show(self, per: int) -> None:
        for name, cpu_s in sorted(self.cpu_s.items(), key=lambda item: -item[1])[:12]:
            print(f"  {1e6 * cpu_s / per:7.1f} us  {name}")


def title(sql: str) -> str:
    flat = " ".join(sql.split())
    if flat.startswith("INSERT INTO signals"):
        if " 1 FROM (" in flat[:1500] and "toIntervalMicrosecond(1), 1" in flat:
            return "INSERT INTO signals, taken back"
        unit = "conversations" if "conversation_started" in flat else "interactions"
        return f"INSERT INTO signals, {unit}"
    return flat[:70]


def make_spans(t: Any, count: int) -> None:
    base = datetime.combine(datetime.now(UTC).date() - timedelta(days=3), datetime.min.time(), UTC)
    cpu_s = 0.0
    for first in range(0, count, 5_000):
        params = {"day": 1, "base": base, "count": count, "first": first, "size": min(5_000, count - first)}
        rows = t.query(spans(), params | {"words": words(), "phrases": phrases()})
        before = time.process_time()
        t.insert("otel_traces", rows)
        cpu_s += time.process_time() - before
    print(f"taken in: {1e6 * cpu_s / count:.0f} us an interaction; {load()}")


def settle(folder: Path, count: int) -> None:
    with opened(folder) as application:
        from assay.app.requests import SettleRequest

        t = application._parts.telemetry
        make_spans(t, count)
        with Watch(os.getpid()) as watch:
            clock, before, began = Clock(t), time.process_time(), time.monotonic()
            done = application.settle(SettleRequest())
            cpu_s, took_s = time.process_time() - before, time.monotonic() - began
        each = 1e6 * cpu_s / done.interactions
        print(
            f"settled: {done.interactions:,} interactions, {done.conversations:,} conversations, "
            f"{took_s:.1f} s, {each:.0f} us of processor time an interaction, "
            f"peak {watch.peak_mb:,.0f} MB; {load()}"
        )
        clock.show(done.interactions)
        yardstick(t)


def yardstick(t: Any) -> None:
    t.command("DROP TABLE IF EXISTS yardstick")
    t.command("CREATE TABLE yardstick AS signals")
    before = time.process_time()
    newest = "(SELECT max(toDate(started)) FROM signals)"
    copied = f"SELECT * FROM signals WHERE unit = 'interaction' AND toDate(started) = {newest}"
    t.command(f"INSERT INTO yardstick {copied}")
    (row,) = t.query("SELECT count() AS n FROM yardstick").to_pylist()
    print(f"yardstick: {1e6 * (time.process_time() - before) / max(row['n'], 1):.1f} us a row")
    t.command("DROP TABLE yardstick")


def rows() -> str:
    """The interactions of a day as rows of `signals`, without signals."""
    columns = {
        "unit": "'interaction'",
        "log_id": TRACE,
        "conversation_id": TALK,
        "started": AT,
        "ended": f"addMicroseconds({AT}, 500000 + cityHash64(n, 7) % 20000000)",
        "service": "'shop'",
        "route": "'shop chat'",
        "user_id": "concat('u', toString(cityHash64(intDiv(n, 9)) % 20000))",
        "turns": "1",
        "spans": "3",
        "errors": "cityHash64(n, 6) % 30 = 0",
        "latency_ms": "500 + cityHash64(n, 7) % 20000",
        "input": text(1),
        "output": text(2),
        "computed_at": "{base:DateTime64(6, 'UTC')} + toIntervalHour(25)",
    }
    return (
        f"INSERT INTO signals ({', '.join(columns)}) SELECT {', '.join(columns.values())} "
        "FROM (SELECT number AS n FROM numbers({count:UInt32}))"
    )


CONVERSATIONS = (
    "INSERT INTO signals (unit, log_id, conversation_id, started, ended, service, user_id, turns, spans, "
    "errors, latency_ms, input, output, computed_at) SELECT 'conversation', conversation_id, "
    "conversation_id, min(started), max(ended), any(service), any(user_id), count(), sum(spans), "
    "sum(errors), max(latency_ms), argMin(input, started), argMax(output, started), max(computed_at) "
    "FROM signals WHERE unit = 'interaction' AND toDate(started) = toDate({base:DateTime64(6, 'UTC')}) "
    "GROUP BY conversation_id"
)


def again(folder: Path, count: int, days: int) -> None:
    from assay.app.requests import BackfillRequest

    with opened(folder) as application:
        t = application._parts.telemetry
        last = datetime.now(UTC).date()
        there = t.query("SELECT count() AS n FROM signals").to_pylist()[0]["n"]
        for day in range(0 if there else days):
            base = datetime.combine(last - timedelta(days=days - day), datetime.min.time(), UTC)
            params = {"day": day, "base": base, "count": count // days}
            params |= {"words": words(), "phrases": phrases()}
            for statement in (rows(), CONVERSATIONS):
                t.command(statement, params)
        yardstick(t)
        for title_ in ("all signals anew", "once more, nothing changes"):
            with Watch(os.getpid()) as watch:
                before, began = time.process_time(), time.monotonic()
                done = application.backfill(BackfillRequest())
                cpu_s, took_s = time.process_time() - before, time.monotonic() - began
            print(
                f"{title_}: {done.logs:,} logs, {done.changed:,} changed, {took_s:.1f} s, {cpu_s:.1f} s of "
                f"processor time, peak {watch.peak_mb:,.0f} MB; {load()}"
            )


@contextmanager
def opened(folder: Path) -> Iterator[Any]:
    from assay.app.open import open_application
    from assay.config import load_settings

    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / "assay.toml").exists():
        (folder / "assay.toml").write_text('[project]\nname = "speed"\n', encoding="utf-8")
    application = open_application(load_settings(folder / "assay.toml"), "bench")
    try:
        yield application
    finally:
        application.close()


def load() -> str:
    return f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("what", choices=("settle", "again"))
    parser.add_argument("folder", type=Path)
    parser.add_argument("--interactions", type=int)
    parser.add_argument("--days", type=int, default=10)
    given = parser.parse_args()
    if given.what == "settle":
        settle(given.folder, given.interactions or 60_000)
    else:
        again(given.folder, given.interactions or 1_000_000, given.days)


if __name__ == "__main__":
    main()
