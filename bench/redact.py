"""What redaction costs: microseconds of CPU per span of 2.3 kB, beside a bare pass over the bytes and beside
Python's `re` text by text. Run by hand: `python -m bench.redact [--spans N]`."""

from __future__ import annotations

import argparse
import re
import time
from collections.abc import Callable
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from bench.ingest.load import make_load

from assay.ingest.otlp import decode_traces
from assay.ingest.patterns import COARSE, KINDS, find
from assay.ingest.payload import Limits, Payload
from assay.ingest.redact import Redactor, Rules

PERSONAL = " mail jane.roe@example.org or call +44 20 7946 0958, card 4111 1111 1111 1111"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--spans", type=int, default=8_192)
    parser.add_argument("--repeats", type=int, default=3)
    given = parser.parse_args()
    bodies = make_load(given.spans).bodies
    tables = [decode_traces([_payload(body)], Limits()).spans.combine_chunks() for body in bodies]
    table = pa.concat_tables(tables)
    column: Any = table.column("SpanAttributes").combine_chunks()
    values = column.items
    print(f"{table.num_rows:,} spans, {values.nbytes / table.num_rows:,.0f} bytes of values a span")
    masking = Redactor(Rules())
    every = Redactor(Rules(patterns={"staff": r"\bEMP-[0-9]{4}\b"}, hash_user_ids=True, key=b"bench"))
    whole = re.compile("|".join(COARSE.values()))
    some = _with_personal(table, one_in=100)
    each = _with_personal(table, one_in=1)

    def by_requests(redactor: Redactor) -> Callable[[], object]:
        return lambda: [redactor.spans(one) for one in tables]

    measures: dict[str, Callable[[], object]] = {
        "bare pass over the bytes (utf8_length)": lambda: pc.utf8_length(values),
        "the sieve alone (RE2)": lambda: pc.match_substring_regex(values, "|".join(COARSE.values())),
        "Python's re, the same sieve, text by text": lambda: [
            whole.search(text) for text in values.to_pylist()
        ],
        "Python's exact patterns on every text": lambda: [find(text, KINDS) for text in values.to_pylist()],
        "clean spans, request by request": by_requests(masking),
        "clean spans, own pattern and user ids": by_requests(every),
        "1 text in 100 has something": lambda: masking.spans(some),
        "every span has something": lambda: masking.spans(each),
        "content dropped": lambda: Redactor(Rules(drop_content=True)).spans(table),
    }
    for name, work in measures.items():
        best = min(_cpu_s(work) for _ in range(given.repeats))
        print(f"{name:45} {best / table.num_rows * 1e6:8.2f} us/span")


def _payload(body: bytes) -> Payload:
    return Payload(
        kind="traces", body=body, content_type="application/x-protobuf", received_ns=time.time_ns()
    )


def _with_personal(table: pa.Table, *, one_in: int) -> pa.Table:
    """Every so many spans, one text with an address, a number and a card."""
    column: Any = table.column("SpanAttributes").combine_chunks()
    texts, changed = column.items.to_pylist(), 0
    for row, start in enumerate(column.offsets.to_pylist()[:-1]):
        if row % one_in == 0:
            place = max(range(start, start + 6), key=lambda i: len(texts[i]))
            texts[place] += PERSONAL + str(row)
            changed += 1
    new = pa.MapArray.from_arrays(column.offsets, column.keys, pa.array(texts))
    return table.set_column(table.column_names.index("SpanAttributes"), "SpanAttributes", new)


def _cpu_s(work: Callable[[], object]) -> float:
    start = time.process_time()
    work()
    return time.process_time() - start


if __name__ == "__main__":
    main()
